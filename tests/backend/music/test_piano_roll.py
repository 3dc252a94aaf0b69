"""Piano rolls of a score: rows of each part, windows, and decoding back to the score."""

import numpy as np
import pytest

from backend.music.piano_roll import (
    DRUM_KINDS,
    DRUM_PITCHES,
    WINDOW_STEPS,
    piano_roll,
    piano_roll_windows,
    score_from_piano_roll,
)
from backend.music.score import PARTS, Meter, Note, Score, part_from_notes, part_to_notes

FOUR_FOUR = (Meter(0),)


def piece(steps: int, *, drums=(), bass=(), melody=(), meters=FOUR_FOUR) -> Score:
    """A score of notes (pitch, onset, end) at full velocity."""
    parts = (
        part_from_notes((Note(pitch, 127, start, end) for pitch, start, end in notes), steps)
        for notes in (drums, bass, melody)
    )
    return Score(*parts, np.arange(steps + 1) / 8, meters)


def sounding(rows: np.ndarray) -> list[int]:
    return np.flatnonzero(rows.any(0)).tolist()


def test_each_part_keeps_to_its_rows_at_every_pitch():
    every = [(pitch, 0, 1) for pitch in range(128)]
    assert sounding(piano_roll(piece(16, drums=every))) == list(range(12))
    assert sounding(piano_roll(piece(16, bass=every))) == list(range(12, 36))
    assert sounding(piano_roll(piece(16, melody=every))) == list(range(36, 128))


@pytest.mark.parametrize(
    ("part", "pitch", "row"),
    [("bass", 40, 28), ("bass", 30, 30), ("bass", 5, 17), ("melody", 60, 60), ("melody", 30, 42)],
)
def test_a_pitch_outside_its_rows_moves_in_by_octaves(part, pitch, row):
    assert sounding(piano_roll(piece(16, **{part: [(pitch, 0, 4)]}))) == [row]


def test_kick_snare_and_hi_hat_have_rows_of_their_own():
    assert sounding(piano_roll(piece(16, drums=[(36, 0, 1), (38, 4, 5), (42, 2, 3)]))) == [0, 2, 5]


def test_notes_are_sustained_and_drums_sound_at_their_onsets():
    rows = piano_roll(piece(16, drums=[(36, 0, 4)], melody=[(60, 2, 6)]))
    assert np.flatnonzero(rows[:, 0]).tolist() == [0]
    assert np.flatnonzero(rows[:, 60]).tolist() == [2, 3, 4, 5]
    assert rows.max() == 1.0


def test_a_window_of_two_bars_begins_with_every_bar():
    score = piece(64, melody=[(60 + bar, 16 * bar, 16 * bar + 1) for bar in range(4)])
    windows = piano_roll_windows(score)
    assert windows.shape == (3, WINDOW_STEPS, 128)
    for window, rows in enumerate(windows):
        np.testing.assert_array_equal(rows, piano_roll(score)[16 * window : 16 * window + 32])


def test_windows_begin_behind_a_pickup_and_with_the_bars_of_three_four():
    score = piece(40, melody=[(60, 4, 5)], meters=(Meter(0, 1, 4), Meter(4, 3, 4)))
    windows = piano_roll_windows(score)
    assert [int(np.flatnonzero(rows[:, 60])[0]) for rows in windows[:2]] == [4, 0]
    assert len(windows) == 3


def test_a_piece_shorter_than_a_window_is_followed_by_silence():
    windows = piano_roll_windows(piece(16, melody=[(60, 0, 16)]))
    assert windows.shape == (1, WINDOW_STEPS, 128)
    assert not windows[0, 16:].any()


def random_piece(steps: int = 32) -> Score:
    """Drums that rows are decoded to, and notes that never begin where another of their pitch ends."""
    rng = np.random.default_rng(3)
    drums = [Note(int(rng.choice(DRUM_PITCHES)), int(rng.integers(40, 128)), step, step + 1) for step in range(steps)]
    bass = [Note(12 + step % 24, 90, step, step + 3) for step in range(0, steps - 3, 5)]
    melody = [Note(36 + step, 70 + step, step, step + 4) for step in range(0, steps - 4, 3)]
    return Score(*(part_from_notes(notes, steps) for notes in (drums, bass, melody)), np.arange(steps + 1) / 8)


def test_a_score_survives_a_round_trip_through_its_piano_roll() -> None:
    score = random_piece()
    again = score_from_piano_roll(piano_roll(score), score.seconds, score.meters, score.swing, threshold=0.1)
    for part in PARTS:
        assert part_to_notes(getattr(again, part)) == part_to_notes(getattr(score, part)), part
    np.testing.assert_array_equal(again.seconds, score.seconds)


def test_each_drum_row_is_played_by_a_drum_of_its_kind() -> None:
    assert all(drum in numbers for drum, (_, numbers) in zip(DRUM_PITCHES, DRUM_KINDS, strict=True))


def test_cells_below_the_threshold_are_silent() -> None:
    rows = np.zeros((16, 128))
    rows[0, [0, 20, 60]] = 0.25
    rows[4, [0, 20, 60]] = 0.26
    score = score_from_piano_roll(rows, np.arange(17) / 8, threshold=0.25)
    for part in PARTS:
        assert np.flatnonzero(getattr(score, part).onset.any(axis=1)).tolist() == [4]


def test_a_run_of_steps_is_one_note_with_its_highest_velocity() -> None:
    rows = np.zeros((16, 128))
    rows[2:7, 64] = [0.5, 0.6, 1.0, 0.6, 0.5]
    assert part_to_notes(score_from_piano_roll(rows, np.arange(17) / 8, threshold=0.25).melody) == [Note(64, 127, 2, 7)]


@pytest.mark.parametrize("part", PARTS)
def test_only_the_requested_parts_play(part: str) -> None:
    score = random_piece()
    decoded = score_from_piano_roll(piano_roll(score), score.seconds, threshold=0.1, parts=(part,))
    assert [name for name in PARTS if getattr(decoded, name).onset.any()] == [part]
