"""Rendered audio against its score: onsets, pitch, loudness and duration of notes."""

import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pretty_midi import PrettyMIDI

from backend.music.audio import fluidsynth
from backend.music.audio.wav import TAIL_SECONDS, render_samples, write_wav
from backend.music.midi import write
from backend.music.score import Note, Score, part_from_notes
from rigs.files import BadFile

RATE = 44_100
HAT = 42
SYNTHESIZERS = [
    "built-in",
    pytest.param(
        "fluidsynth",
        marks=pytest.mark.skipif(
            not fluidsynth.is_available(), reason="FluidSynth, pyfluidsynth or a soundfont missing"
        ),
    ),
]


def piece(*, drums=(), bass=(), melody=(), seconds=None, swing=0.5, steps=32) -> Score:
    """A score of notes (pitch, velocity, first step, end), a sixteenth lasting an eighth of a second."""
    parts = (part_from_notes((Note(*note) for note in notes), steps) for notes in (drums, bass, melody))
    return Score(*parts, np.arange(steps + 1) / 8 if seconds is None else seconds, swing=swing)


def read_wav(path: Path) -> tuple[np.ndarray, int]:
    """Stereo samples (N, 2) of a file, full scale being 1, and its sample rate."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (2, 2)
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
        return frames / 32768, file.getframerate()


def onsets(sound: np.ndarray, rate: int) -> np.ndarray:
    """Onsets (N,) in s: loud after at least 50 ms of silence."""
    loud = np.flatnonzero(np.abs(sound).max(1) > 0.05 * np.abs(sound).max())
    return loud[np.diff(loud, prepend=-rate) > 0.05 * rate] / rate


def power(sound: np.ndarray) -> float:
    return float((sound**2).mean())


@pytest.mark.parametrize("synthesizer", SYNTHESIZERS)
def test_notes_have_the_onsets_of_the_midi_file(tmp_path, synthesizer):
    slowing = np.concatenate([[0.0], np.cumsum(np.linspace(0.11, 0.2, 32))])
    score = piece(drums=[(HAT, 100, step, step + 1) for step in range(0, 32, 2)], seconds=slowing, swing=2 / 3)
    write(tmp_path / "hats.mid", score)
    expected = [note.start for note in PrettyMIDI(str(tmp_path / "hats.mid")).instruments[0].notes]
    write_wav(tmp_path / "hats.wav", score, synthesizer=synthesizer)
    np.testing.assert_allclose(onsets(*read_wav(tmp_path / "hats.wav")), expected, atol=0.005)


@pytest.mark.parametrize("synthesizer", SYNTHESIZERS)
def test_a_score_that_begins_late_on_its_clock_begins_with_the_file(tmp_path, synthesizer):
    write_wav(
        tmp_path / "late.wav", piece(drums=[(HAT, 100, 2, 3)], seconds=7 + np.arange(33) / 8), synthesizer=synthesizer
    )
    np.testing.assert_allclose(onsets(*read_wav(tmp_path / "late.wav")), [0.25], atol=0.005)


@pytest.mark.parametrize("synthesizer", SYNTHESIZERS)
@pytest.mark.parametrize(
    ("part", "pitch", "hertz"), [("bass", 45, 110.0), ("melody", 60, 261.63), ("melody", 81, 880.0)]
)
def test_a_held_note_has_its_pitch(synthesizer, part, pitch, hertz):
    sound = render_samples(piece(**{part: [(pitch, 100, 0, 8)]}), synthesizer=synthesizer)[:RATE].sum(1)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(RATE)))
    bottom = spectrum[: round(1.5 * hertz)]
    assert bottom.argmax() == pytest.approx(hertz, rel=3e-3, abs=1.0)
    assert bottom.max() > 0.1 * spectrum.max()


def test_a_note_stops_at_its_end(tmp_path):
    write_wav(tmp_path / "two.wav", piece(melody=[(72, 100, 0, 4), (72, 100, 16, 20)]), synthesizer="built-in")
    sound, rate = read_wav(tmp_path / "two.wav")
    assert power(sound[round(0.4 * rate) : round(0.5 * rate)]) > 1e-4
    assert not sound[round(0.65 * rate) : round(1.99 * rate)].any()


@pytest.mark.parametrize("synthesizer", SYNTHESIZERS)
@pytest.mark.parametrize(("part", "pitch"), [("drums", 38), ("bass", 40), ("melody", 67)])
def test_higher_velocity_is_louder(synthesizer, part, pitch):
    powers = [
        power(render_samples(piece(**{part: [(pitch, velocity, 0, 4)]}), synthesizer=synthesizer))
        for velocity in (20, 50, 90, 127)
    ]
    assert all(louder > 1.5 * softer for softer, louder in pairwise(powers))


def test_higher_velocity_is_brighter():
    def brightness(velocity: int) -> float:
        spectrum = np.abs(
            np.fft.rfft(render_samples(piece(bass=[(40, velocity, 0, 8)]), synthesizer="built-in").sum(1))
        )
        return float((spectrum * np.arange(len(spectrum))).sum() / spectrum.sum())

    assert brightness(127) > 1.1 * brightness(30)


@pytest.mark.parametrize("synthesizer", SYNTHESIZERS)
@pytest.mark.parametrize("rate", [22_050, 48_000])
def test_the_file_lasts_as_long_as_the_score_and_its_tail(tmp_path, synthesizer, rate):
    score = piece(drums=[(49, 120, 31, 32)], melody=[(60, 120, 28, 32)])
    write_wav(tmp_path / "song.wav", score, rate=rate, synthesizer=synthesizer)
    sound, found = read_wav(tmp_path / "song.wav")
    assert (found, len(sound)) == (rate, round((4.0 + TAIL_SECONDS) * rate))
    assert power(sound[round(4.1 * rate) : round(4.5 * rate)]) > 0.0, "the crash rings on"
    assert not sound[-10:].any()


@pytest.mark.parametrize("synthesizer", SYNTHESIZERS)
def test_everything_at_once_does_not_clip(tmp_path, synthesizer):
    everything = [(pitch, 127, step, step + 4) for pitch in range(24, 108) for step in (0, 4, 8)]
    write_wav(
        tmp_path / "wall.wav", piece(drums=everything, bass=everything, melody=everything), synthesizer=synthesizer
    )
    sound, _ = read_wav(tmp_path / "wall.wav")
    assert 0.85 < np.abs(sound).max() < 0.9


def test_a_score_sounds_the_same_every_time(tmp_path):
    score = piece(drums=[(38, 100, 0, 1), (46, 90, 2, 3)], bass=[(40, 80, 0, 4)])
    for name in ("one.wav", "two.wav"):
        write_wav(tmp_path / name, score, synthesizer="built-in")
    assert (tmp_path / "one.wav").read_bytes() == (tmp_path / "two.wav").read_bytes()


def test_an_open_hi_hat_rings_until_the_next_hat():
    alone = render_samples(piece(drums=[(46, 100, 0, 1)]), synthesizer="built-in")
    closed = render_samples(piece(drums=[(46, 100, 0, 1), (44, 1, 2, 3)]), synthesizer="built-in")
    np.testing.assert_array_equal(alone[: RATE // 4], closed[: RATE // 4])
    after = slice(round(0.3 * RATE), round(0.5 * RATE))
    assert power(closed[after]) < 0.05 * power(alone[after])


@pytest.mark.parametrize("synthesizer", SYNTHESIZERS)
def test_a_score_without_notes_is_silence(synthesizer):
    sound = render_samples(piece(), synthesizer=synthesizer)
    assert len(sound) == round((4.0 + TAIL_SECONDS) * RATE)
    assert np.abs(sound).max() < 1e-3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere/song.wav", r"^song\.wav: a writable location expected"),
        ("folder.wav", r"^folder\.wav: a writable location expected"),
        ("song.mp3", r"^song\.mp3: \.wav file extension expected$"),
    ],
)
def test_a_path_that_cannot_be_written_is_named_and_left_as_it_was(tmp_path, name, message):
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(BadFile, match=message):
        write_wav(tmp_path / name, piece(), synthesizer="built-in")
    assert [path.name for path in tmp_path.rglob("*")] == ["folder.wav"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"rate": 100}, "rate: 8000 to 192000 samples a second"), ({"hours": 2}, "at most 60 minutes")],
)
def test_a_score_that_cannot_be_rendered_is_refused(settings, message):
    seconds = np.linspace(0.0, settings.get("hours", 0.001) * 3600, 33)
    with pytest.raises(ValueError, match=message):
        render_samples(piece(seconds=seconds), rate=settings.get("rate", RATE), synthesizer="built-in")


@pytest.mark.skipif(fluidsynth.is_available(), reason="FluidSynth is here")
def test_without_fluidsynth_the_built_in_synthesizer_plays():
    score = piece(melody=[(60, 100, 0, 4)])
    np.testing.assert_array_equal(render_samples(score), render_samples(score, synthesizer="built-in"))
    with pytest.raises(ValueError, match="FluidSynth and a soundfont expected"):
        render_samples(score, synthesizer="fluidsynth")


@pytest.mark.skipif(not fluidsynth.is_available(), reason="FluidSynth, pyfluidsynth or a soundfont missing")
def test_an_unreadable_soundfont_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(fluidsynth.SOUNDFONT_VARIABLE, str(tmp_path / "gone.sf2"))
    with pytest.raises(BadFile, match=r"gone\.sf2: a soundfont expected, no such file"):
        render_samples(piece())
    (tmp_path / "text.sf2").write_text("no sound")
    monkeypatch.setenv(fluidsynth.SOUNDFONT_VARIABLE, str(tmp_path / "text.sf2"))
    with pytest.raises(BadFile, match=r"text\.sf2: a soundfont that FluidSynth can read expected"):
        render_samples(piece())
