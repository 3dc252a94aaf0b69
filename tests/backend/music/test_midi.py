"""MIDI files read to the sixteenth grid and written back, against files that pretty_midi builds and reads."""

from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pretty_midi import Instrument, PrettyMIDI, TimeSignature
from pretty_midi import Note as MidiNote

from backend.music import midi
from backend.music.midi import write
from backend.music.score import Meter, Note, Score, part_from_notes, part_to_notes
from rigs.files import BadFile

SIXTEENTH = 0.125
"""Seconds, at 120 beats a minute."""


def read(path: Path) -> Score:
    return midi.read(path).score


def write_song(path: Path, *instruments: Instrument, meters: tuple[tuple[int, int, float], ...] = ()) -> Path:
    """A file of these instruments at 120 beats a minute, as pretty_midi writes it; meters with their seconds."""
    song = PrettyMIDI(resolution=480)
    song.instruments.extend(instruments)
    song.time_signature_changes.extend(TimeSignature(*meter) for meter in meters)
    song.write(str(path))
    return path


def instrument(*notes: tuple[float, float, int], program: int = 0, drum: bool = False) -> Instrument:
    """An instrument with notes, each its onset and end in sixteenths and its pitch."""
    made = Instrument(program, drum)
    made.notes = [MidiNote(90, pitch, start * SIXTEENTH, end * SIXTEENTH) for start, end, pitch in notes]
    return made


def write_messages(path: Path, *tracks: list[mido.Message], ticks_per_beat: int = 480) -> Path:
    """A file of these events, their times in ticks of which a sixteenth has a quarter of those of a beat."""
    song = mido.MidiFile(ticks_per_beat=ticks_per_beat)
    song.tracks.extend(mido.MidiTrack(events) for events in tracks)
    song.save(path)
    return path


def on(pitch: int, time: int = 0, velocity: int = 90) -> mido.Message:
    return mido.Message("note_on", note=pitch, velocity=velocity, time=time)


def off(pitch: int, time: int = 0) -> mido.Message:
    return mido.Message("note_off", note=pitch, time=time)


def part_notes(score: Score, part: str = "melody") -> list[tuple[int, int, int]]:
    return [(note.start, note.end, note.pitch) for note in part_to_notes(getattr(score, part))]


def pretty_midi_notes(path: Path) -> list[tuple[bool, int, int, float, float]]:
    """Notes of a file as pretty_midi reads them: drum or not, pitch, velocity, start and end to a millisecond."""
    return sorted(
        (instrument.is_drum, note.pitch, note.velocity, round(note.start, 3), round(note.end, 3))
        for instrument in PrettyMIDI(str(path)).instruments
        for note in instrument.notes
    )


def test_notes_stand_on_the_sixteenths_at_which_they_are_played(tmp_path):
    score = read(write_song(tmp_path / "a.mid", instrument((0, 4, 60), (4.2, 6, 64), (6.7, 16, 67))))
    assert part_notes(score) == [(0, 4, 60), (4, 6, 64), (7, 16, 67)]
    assert score.melody.velocity[4, 64] == 90
    np.testing.assert_allclose(score.seconds, np.arange(17) * SIXTEENTH)


def test_a_file_without_tempo_or_meter_has_120_beats_a_minute_in_four_four(tmp_path):
    score = read(write_messages(tmp_path / "a.mid", [on(60), off(60, 120 * 20)]))
    assert score.meters == (Meter(0, 4, 4),)
    assert score.bars.tolist() == [0, 16]
    assert score.seconds[-1] == pytest.approx(4.0)


def test_the_grid_follows_beats_when_the_tempo_changes(tmp_path):
    tempi = [mido.MetaMessage("set_tempo", tempo=500_000), mido.MetaMessage("set_tempo", tempo=1_000_000, time=480)]
    path = write_messages(tmp_path / "a.mid", tempi, [on(60), off(60, 480), on(62), off(62, 480)])
    score = read(path)
    assert part_notes(score) == [(0, 4, 60), (4, 8, 62)]
    assert score.seconds[[0, 4, 8]].tolist() == pytest.approx([0.0, 0.5, 1.5])
    write(tmp_path / "b.mid", score)
    assert pretty_midi_notes(tmp_path / "b.mid") == pretty_midi_notes(path)


@pytest.mark.parametrize(("microseconds", "found"), [(2**24 - 1, "3.576"), (40_000, "1500"), (100_000, "")])
def test_a_tempo_that_nobody_plays_is_told(tmp_path, microseconds, found):
    tempo = mido.MetaMessage("set_tempo", tempo=microseconds)
    song = midi.read(write_messages(tmp_path / "a.mid", [tempo, on(60), off(60, 480)]))
    expected = f"a.mid: a tempo of 10 to 600 beats a minute expected, {found} found and read"
    assert song.warnings == ((expected,) if found else ())
    assert song.score.seconds[4] == pytest.approx(microseconds / 1e6)


def test_a_tempo_outside_the_first_track_counts(tmp_path):
    tempo = mido.MetaMessage("set_tempo", tempo=1_000_000)
    score = read(write_messages(tmp_path / "a.mid", [on(60), off(60, 480)], [tempo, on(64), off(64, 480)]))
    assert score.seconds[4] == pytest.approx(1.0)


@pytest.mark.parametrize(("swing", "step"), [(9 / 16, 2), (7 / 12, 2), (2 / 3, 3)])
def test_a_swung_eighth_is_on_its_nearest_sixteenth_and_is_written_where_it_was(tmp_path, swing, step):
    beats = [(4 * beat, 4 * (beat + swing), 60) for beat in range(8)]
    path = write_song(tmp_path / "a.mid", instrument(*beats, *((end, start + 4, 62) for start, end, _ in beats)))
    score = read(path)
    assert score.swing == pytest.approx(swing, abs=1 / 480)
    assert part_notes(score)[:2] == [(0, step, 60), (step, 4, 62)]
    write(tmp_path / "b.mid", score)
    np.testing.assert_allclose(
        [note[3:] for note in pretty_midi_notes(tmp_path / "b.mid")],
        [note[3:] for note in pretty_midi_notes(path)],
        atol=0.002,
    )
    assert read(tmp_path / "b.mid").swing == score.swing


@pytest.mark.parametrize("offset", [0.0, 0.35, -0.35])
def test_the_grid_moves_to_music_offset_from_its_files_beats(tmp_path, offset):
    path = write_song(
        tmp_path / "a.mid", instrument(*((step + offset, step + offset + 0.9, 60) for step in range(1, 33)))
    )
    score = read(path)
    assert [start for start, _, _ in part_notes(score)] == list(range(1, 33))
    assert score.swing == 0.5
    assert score.seconds[0] == 0.0
    write(tmp_path / "b.mid", score)
    starts = [start for *_, start, _ in pretty_midi_notes(path)]
    np.testing.assert_allclose([start for *_, start, _ in pretty_midi_notes(tmp_path / "b.mid")], starts, atol=0.002)


def test_bars_follow_their_meters(tmp_path):
    meters = ((3, 4, 0.0), (6, 8, 24 * SIXTEENTH), (4, 4, 36 * SIXTEENTH))
    path = write_song(tmp_path / "a.mid", instrument((0, 52, 60)), meters=meters)
    score = read(path)
    assert score.meters == (Meter(0, 3, 4), Meter(24, 6, 8), Meter(36, 4, 4))
    assert score.bars.tolist() == [0, 12, 24, 36]
    write(tmp_path / "b.mid", score)
    written = PrettyMIDI(str(tmp_path / "b.mid")).time_signature_changes
    assert [(meter.numerator, meter.denominator, meter.time) for meter in written] == list(meters)


def test_a_pickup_is_a_short_first_bar(tmp_path):
    meters = ((1, 4, 0.0), (4, 4, 4 * SIXTEENTH))
    score = read(write_song(tmp_path / "a.mid", instrument((2, 4, 60), (4, 36, 64)), meters=meters))
    assert score.bars.tolist() == [0, 4, 20]
    assert score.steps == 36


def test_a_piece_ends_with_its_last_bar(tmp_path):
    assert read(write_song(tmp_path / "a.mid", instrument((0, 17, 60)))).steps == 32


def test_drums_are_the_drum_channel(tmp_path):
    score = read(write_song(tmp_path / "a.mid", instrument((0, 1, 36), (4, 5, 38), drum=True), instrument((0, 4, 60))))
    assert part_notes(score, "drums") == [(0, 1, 36), (4, 5, 38)]
    assert part_notes(score) == [(0, 4, 60)]


def test_the_bass_is_a_general_midi_bass_even_above_other_tracks(tmp_path):
    score = read(write_song(tmp_path / "a.mid", instrument((0, 4, 30)), instrument((0, 4, 50), program=38)))
    assert part_notes(score, "bass") == [(0, 4, 50)]
    assert part_notes(score) == [(0, 4, 30)]


def test_without_a_bass_program_the_lowest_of_several_tracks_is_the_bass(tmp_path):
    low, high = instrument((0, 4, 40), (4, 8, 41), (8, 12, 90)), instrument((0, 4, 39), (4, 8, 70), (8, 12, 72))
    score = read(write_song(tmp_path / "a.mid", high, low))
    assert [pitch for _, _, pitch in part_notes(score, "bass")] == [40, 41, 90]


def test_a_track_alone_is_melody_however_low(tmp_path):
    score = read(write_song(tmp_path / "a.mid", instrument((0, 4, 30))))
    assert not score.bass.onset.any()
    assert part_notes(score) == [(0, 4, 30)]


def test_a_note_ends_where_the_next_of_its_pitch_begins(tmp_path):
    first, second = instrument((0, 8, 60)), instrument((4, 6, 60))
    score = read(write_song(tmp_path / "a.mid", first, second, instrument((0, 16, 20), program=33)))
    assert part_notes(score) == [(0, 4, 60), (4, 6, 60)]
    write(tmp_path / "b.mid", score)
    assert part_notes(read(tmp_path / "b.mid")) == part_notes(score)


def test_a_note_of_no_length_lasts_a_sixteenth(tmp_path):
    score = read(write_messages(tmp_path / "a.mid", [on(60), off(60), on(62, 240), off(62, 480)]))
    assert part_notes(score) == [(0, 1, 60), (2, 6, 62)]


def test_a_note_without_an_end_lasts_to_the_end_of_its_track(tmp_path):
    score = read(write_messages(tmp_path / "a.mid", [on(60), on(62), off(62, 480)]))
    assert part_notes(score) == [(0, 4, 60), (0, 4, 62)]


def test_a_note_struck_again_at_the_tick_of_its_end_is_not_lost(tmp_path):
    track = [on(60), on(60, 480), off(60), off(60, 480), on(62), off(62, 480)]
    assert part_notes(read(write_messages(tmp_path / "a.mid", track))) == [(0, 4, 60), (4, 8, 60), (8, 12, 62)]


@pytest.mark.parametrize("name", ["groove", "nottingham", "pop909"])
def test_real_music_has_the_notes_that_pretty_midi_reads(corpus, name):
    for path in sorted(corpus.joinpath("midi", name).rglob("*.mid"))[::40]:
        score = read(path)
        notes = [note for part in score.parts.values() for note in part_to_notes(part)]
        played = {(pitch, round(start, 3)) for _, pitch, _, start, _ in pretty_midi_notes(path)}
        grid = score.seconds
        for pitch, start in played:
            nearest = min(abs(grid[note.start] - start) for note in notes if note.pitch == pitch)
            assert nearest < 0.2, f"{path.name}: {pitch} at {start}"


def test_a_shuffle_swings_and_a_samba_does_not(corpus):
    shuffle, samba = (
        read(min(corpus.joinpath("midi", "groove").glob(f"*{style}*.mid"))) for style in ("shuffle", "samba")
    )
    assert 0.6 < shuffle.swing < 0.7
    assert samba.swing == 0.5


NOTES = st.lists(
    st.builds(
        lambda pitch, velocity, start, length: Note(pitch, velocity, start, start + length),
        st.integers(0, 127),
        st.integers(1, 127),
        st.integers(0, 40),
        st.integers(1, 24),
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    drums=NOTES, bass=NOTES, melody=NOTES, tempo=st.floats(40, 240), swing=st.sampled_from([0.5, 280 / 480, 320 / 480])
)
def test_a_written_score_is_read_back(tmp_path, drums, bass, melody, tempo, swing):
    eighths = [4 * beat + off for beat in range(16) for off in (0, round(4 * swing))]
    beats = [Note(pitch, 64, step, step + 1) for step in eighths for pitch in (64, 67, 71)]
    parts = (part_from_notes(notes, 64) for notes in (drums, bass, [*melody, *beats]))
    score = Score(*parts, np.arange(65) * 15 / tempo, (Meter(0, 4, 4),), swing)
    write(tmp_path / "a.mid", score)
    again = read(tmp_path / "a.mid")
    for part in ("drums", "bass", "melody"):
        np.testing.assert_array_equal(getattr(again, part).onset, getattr(score, part).onset)
        np.testing.assert_array_equal(getattr(again, part).sustain, getattr(score, part).sustain)
        np.testing.assert_array_equal(getattr(again, part).velocity, getattr(score, part).velocity)
    np.testing.assert_allclose(again.seconds, score.seconds, rtol=1e-5)


@pytest.mark.parametrize("name", ["groove", "nottingham", "pop909"])
def test_real_music_keeps_its_onsets(corpus, tmp_path, name):
    path = min(corpus.joinpath("midi", name).rglob("*.mid"))
    score = read(path)
    write(tmp_path / "a.mid", score)
    again = read(tmp_path / "a.mid")
    assert sum(len(part_notes(score, part)) for part in ("drums", "bass", "melody")) > 100
    assert [part_notes(again, part) for part in ("drums", "bass", "melody")] == [
        part_notes(score, part) for part in ("drums", "bass", "melody")
    ]


def test_music_of_days_is_refused_before_it_fills_the_memory(tmp_path):
    write_messages(tmp_path / "song.mid", [on(60), off(60, 1_000_000)], ticks_per_beat=1)
    with pytest.raises(BadFile, match=r"^song\.mid: at most 65,536 sixteenths of music expected, 4,000,000 found$"):
        read(tmp_path / "song.mid")


def test_a_missing_file_or_another_kind_of_file_gets_one_line(tmp_path):
    with pytest.raises(BadFile, match=r"^song\.mid: no such file$"):
        read(tmp_path / "song.mid")
    with pytest.raises(BadFile, match=r"^song\.wav: \.mid, \.midi, \.kar or \.rmi file extension expected$"):
        read(tmp_path / "song.wav")


def test_a_write_that_fails_leaves_nothing_behind(tmp_path):
    score = read(write_song(tmp_path / "a.mid", instrument((0, 4, 60))))
    (tmp_path / "folder.mid").mkdir()
    with pytest.raises(BadFile, match=r"^folder\.mid: a writable location expected"):
        write(tmp_path / "folder.mid", score)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mid", "folder.mid"]
