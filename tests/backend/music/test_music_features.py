"""Music features of scores whose beats, onsets and density are known."""

from collections.abc import Sequence

import numpy as np
import pytest

from backend.music.music_features import BAR_DENSITY, MUSIC_DIM, music_features, phrase_counts
from backend.music.piano_roll import DRUM_KINDS
from backend.music.score import Meter, Note, Score, part_from_notes
from rigs import Array

Notes = Sequence[Note]

FPS = 30.0
STEP = 1.0 / 8.0
"""s: sixteenths at 120 beats a minute."""
PHASES = 8
"""Features of beat phase: four sines, then four cosines."""
TEMPO = PHASES
DRUM = PHASES + 1
BASS, MELODY = DRUM + len(DRUM_KINDS), DRUM + len(DRUM_KINDS) + 1
MOMENT, BAR, PIECE = range(MUSIC_DIM - 6, MUSIC_DIM - 3)
HAS_PART = range(MUSIC_DIM - 3, MUSIC_DIM)
REFERENCE_TEMPO = 165.0


def music(steps: int, drums: Notes = (), bass: Notes = (), melody: Notes = (), step: float = STEP) -> Score:
    parts = (part_from_notes(notes, steps) for notes in (drums, bass, melody))
    return Score(*parts, step * np.arange(steps + 1.0))


def drum_feature(drum: int) -> int:
    """Index of the feature of a drum number; the last one is that of all drums without a kind."""
    return DRUM + next((n for n, (_, numbers) in enumerate(DRUM_KINDS) if drum in numbers), len(DRUM_KINDS) - 1)


@pytest.mark.parametrize(("frames", "fps"), [(1, 30.0), (77, 30.0), (200, 24.0), (1000, 30.0)])
def test_every_frame_has_finite_features_also_after_the_end(frames: int, fps: float) -> None:
    features = music_features(music(64, [Note(36, 100, 0, 1)]), frames, fps)
    assert features.shape == (frames, MUSIC_DIM)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


def test_phases_start_on_beats_and_counts_at_the_first_downbeat() -> None:
    score = Score(*(part_from_notes([], 4 + 128) for _ in range(3)), STEP * np.arange(133.0), (Meter(0, 1), Meter(4)))
    features = music_features(score, 400, FPS)
    beats = 15 * np.arange(24)  # frames, half a second apart
    assert np.allclose(features[beats, 0], 0.0, atol=1e-5)
    assert np.allclose(features[beats, 4], 1.0, atol=1e-5)
    assert np.allclose(features[beats[1::8], 3], 0.0, atol=1e-5)
    assert np.allclose(features[beats[1::8], 7], 1.0, atol=1e-5)
    counts = phrase_counts(features)
    assert np.allclose((counts[beats] - np.arange(-1, 23) + 4.0) % 8.0, 4.0, atol=1e-3)
    assert np.allclose((np.diff(counts) + 4.0) % 8.0 - 4.0, 1.0 / 15.0, atol=1e-3)


@pytest.mark.parametrize("tempo", [120.0, 165.0, 200.0])
def test_the_tempo_is_in_octaves_from_the_reference(tempo: float) -> None:
    features = music_features(music(64, step=15.0 / tempo), 60, FPS)
    assert np.allclose(features[:, TEMPO], np.log2(tempo / REFERENCE_TEMPO), atol=1e-4)


@pytest.mark.parametrize("drum", [36, 38, 42, 84])
def test_a_drum_onset_has_a_decaying_envelope(drum: int) -> None:
    features = music_features(music(64, [Note(drum, 127, 24, 25)]), 240, FPS)
    envelope = features[:, drum_feature(drum)]
    assert not envelope[:90].any()  # step 24 is 3 s in
    assert envelope[90] == pytest.approx(1.0)
    assert np.allclose(envelope[91:100] / envelope[90:99], envelope[91] / envelope[90], rtol=1e-3)
    assert 0.2 < envelope[94] < 0.5
    assert not envelope[115:].any()
    others = [drum_feature(other) for other in (36, 38, 42) if other != drum]
    assert not features[:, others].any()


def test_envelopes_follow_velocity_and_a_softer_onset_does_not_hide_a_louder_one() -> None:
    soft = music_features(music(64, [Note(36, 64, 0, 1)]), 30, FPS)[:, drum_feature(36)]
    both = music_features(music(64, [Note(36, 127, 0, 1), Note(36, 20, 1, 2)]), 30, FPS)[:, drum_feature(36)]
    loud = music_features(music(64, [Note(36, 127, 0, 1)]), 30, FPS)[:, drum_feature(36)]
    assert soft[0] == pytest.approx(64 / 127)
    assert (both >= loud).all()
    assert both[4] == loud[4]  # after 0.133 s, when the softer one has just been envelope


def test_bass_and_melody_have_onset_envelopes_and_pitches_while_they_sound() -> None:
    features = music_features(
        music(64, bass=[Note(36, 127, 8, 16)], melody=[Note(72, 127, 16, 24), Note(76, 90, 16, 20)]), 150, FPS
    )
    at = 30  # frames: step 8
    assert not features[:at, [BASS, MELODY]].any()
    assert features[at, BASS] == pytest.approx(1.0)
    assert features[2 * at, MELODY] == pytest.approx(1.0)
    low, high, voices = MELODY + 1, MELODY + 2, MELODY + 3
    assert set(features[at + 1 : 2 * at, low]) == {-2.0}
    assert not features[2 * at + 1 :, low].any()
    assert features[2 * at + 1, high] == pytest.approx(16 / 12)
    assert features[2 * at + 20, high] == pytest.approx(1.0)
    assert features[[2 * at + 1, 2 * at + 20, 3 * at + 1], voices].tolist() == [0.5, 0.25, 0.0]


def test_features_say_from_the_beginning_which_parts_there_are() -> None:
    features = music_features(music(64, drums=[Note(36, 100, 60, 61)], melody=[Note(60, 100, 30, 40)]), 20, FPS)
    assert (features[:, HAS_PART] == [1.0, 0.0, 1.0]).all()


def quiet_then_loud() -> Array:
    """Features of eight bars with an onset per bar, then eight with one per sixteenth."""
    notes = [Note(36, 60, bar, bar + 1) for bar in range(0, 128, 16)]
    notes += [Note(36, 120, step, step + 1) for step in range(128, 256)]
    return music_features(music(256, notes), round(32 * FPS), FPS)


def test_a_loud_half_has_a_higher_density_than_a_quiet_one() -> None:
    features = quiet_then_loud()
    quiet, loud = features[150:330], features[630:810]  # 5 to 11 s, 21 to 27 s
    for column in (MOMENT, BAR, PIECE):
        assert loud[:, column].min() > quiet[:, column].max() + 0.5
    assert BAR_DENSITY == BAR
    assert quiet[:, PIECE].max() < 0.0 < loud[:, PIECE].min()


def test_density_is_the_log_of_the_onset_velocity_per_second() -> None:
    features = quiet_then_loud()
    assert np.allclose(features[630:810, BAR], np.log1p(8 * 120 / 127), atol=0.02)


def test_the_density_of_a_section_is_relative_to_the_whole_piece() -> None:
    """Uniform music has the same density everywhere, relative to itself."""
    notes = [Note(36, 50, step, step + 1) for step in range(0, 256, 4)]
    features = music_features(music(256, notes), 900, FPS)
    assert np.allclose(features[150:750, PIECE], 0.0, atol=0.05)


def test_music_of_less_than_two_beats_is_refused() -> None:
    with pytest.raises(ValueError, match="two beats or more"):
        music_features(music(2, [Note(36, 100, 0, 1)]), 10, FPS)
