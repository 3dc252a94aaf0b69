"""Bars extracted from scores and converted back."""

import numpy as np

from backend.models.score_flow.bar_features import (
    DRUM_ROWS,
    PITCHED_VOICES,
    ROWS,
    TUNE_ROWS,
    bar_starts,
    extract_bars,
    key_transposition,
    score_from_bars,
)
from backend.music.score import Meter, Note, Score, part_from_notes, part_to_notes

C_MAJOR = (60, 62, 64, 65, 67, 69, 71, 72)


def score_of(
    drums: list[Note], bass: list[Note], melody: list[Note], bars: int = 2, meters: tuple[Meter, ...] = (Meter(0),)
) -> Score:
    steps = 16 * bars
    parts = (part_from_notes(notes, steps) for notes in (drums, bass, melody))
    return Score(*parts, np.arange(steps + 1) / 8.0, meters)


def scale(shift: int) -> Score:
    melody = [Note(pitch + shift, 80, 4 * n, 4 * n + 4) for n, pitch in enumerate(C_MAJOR)]
    return score_of([], [Note(36 + shift, 80, 0, 16), Note(43 + shift, 80, 16, 32)], melody)


def test_every_major_scale_is_transposed_to_c() -> None:
    found = [key_transposition(scale(shift)) for shift in range(-5, 7)]
    assert [(shift + key) % 12 for shift, key in zip(range(-5, 7), found, strict=True)] == [0] * 12
    assert all(-6 <= key <= 5 for key in found)


def test_minor_keys_are_transposed_to_a_minor() -> None:
    minor = (69, 71, 72, 74, 76, 77, 80, 81)
    melody = [Note(pitch + 2, 80, 4 * n, 4 * n + 4) for n, pitch in enumerate(minor)]
    assert key_transposition(score_of([], [Note(47, 80, 0, 32)], melody)) == -2


def test_bars_are_those_of_four_quarters() -> None:
    pickup = score_of([Note(36, 90, 0, 1)], [], [], 3, (Meter(0, 1, 4), Meter(4)))
    assert bar_starts(pickup).tolist() == [4, 20]
    waltz = score_of([Note(36, 90, 0, 1)], [], [], 3, (Meter(0, 3, 4), Meter(24)))
    assert bar_starts(waltz).tolist() == [24]
    halves = score_of([Note(36, 90, 0, 1)], [], [], 3, (Meter(0, 2, 4),))
    assert bar_starts(halves).tolist() == [0, 16, 32]


def test_bass_and_tune_have_one_voice_and_the_rest_are_chords() -> None:
    piano = [Note(40, 70, 0, 16), Note(64, 60, 0, 8), Note(67, 60, 4, 8), Note(43, 70, 16, 32)]
    melody = [Note(72, 90, 0, 8), Note(69, 90, 0, 8), Note(74, 90, 6, 12)]
    score = score_of([], piano, melody)
    bars = extract_bars(score, bar_starts(score))
    bass, chords, tune = (bars.onset[..., first : first + rows] for _, first, rows, _ in PITCHED_VOICES)
    assert np.argwhere(bass)[:, [0, 1]].tolist() == [[0, 0], [1, 0]]
    assert {tuple(place) for place in np.argwhere(chords).tolist()} == {(0, 0, 0), (0, 4, 3), (0, 0, 5)}  # E, G, A
    assert np.argwhere(tune).tolist() == [[0, 0, 72 - 55], [0, 6, 74 - 55]]
    sounding = bars.sustain[..., -TUNE_ROWS:].sum(axis=-1)
    assert sounding.max() == 1
    assert sounding[0, :13].tolist() == [1] * 12 + [0]


def test_a_score_survives_the_way_there_and_back() -> None:
    drums = [Note(36, 100, 0, 1), Note(42, 50, 2, 3), Note(38, 90, 20, 21)]
    bass = [Note(36, 80, 0, 6), Note(43, 70, 8, 20)]
    tune = [Note(72, 90, 0, 4), Note(76, 60, 12, 18), Note(79, 60, 24, 32)]
    score = score_of(drums, bass, tune)
    again = score_from_bars(
        extract_bars(score, bar_starts(score), 2), score.seconds, ("drums", "bass", "melody"), shift=-2
    )
    for part in ("drums", "bass", "melody"):
        assert part_to_notes(getattr(again, part)) == part_to_notes(getattr(score, part))


def test_only_the_requested_parts_play_and_a_pickup_is_cut() -> None:
    score = score_of([Note(36, 100, 12, 13)], [Note(36, 80, 12, 24)], [Note(72, 90, 20, 24)])
    again = score_from_bars(extract_bars(score, bar_starts(score)), score.seconds[:21], ("bass",), pickup=12)
    assert part_to_notes(again.bass) == [Note(36, 80, 0, 12)]
    assert not again.drums.onset.any()
    assert not again.melody.onset.any()
    assert again.bars.tolist() == [0, 4]


def test_pitches_beyond_a_voice_move_in_by_octaves() -> None:
    score = score_of([], [Note(24, 80, 0, 4)], [Note(100, 80, 0, 4)])
    onset = extract_bars(score, bar_starts(score)).onset
    assert onset.sum() == 2
    rows = np.argwhere(onset)[:, 2]
    assert [(28 + rows[0] - DRUM_ROWS) % 12, (55 + rows[1] - (ROWS - TUNE_ROWS)) % 12] == [0, 100 % 12]
