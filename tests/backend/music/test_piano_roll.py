"""The roll that a music model sees: which rows sound for which part, and where its windows begin."""

import numpy as np
import pytest

from backend.music.piano_roll import WINDOW_STEPS, piano_roll, piano_roll_windows
from backend.music.score import Meter, Note, Score, part_from_notes

FOUR_FOUR = (Meter(0),)


def piece(steps: int, *, drums=(), bass=(), melody=(), meters=FOUR_FOUR) -> Score:
    """A score of notes (pitch, first step, end), each struck at full force."""
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


def test_notes_sound_while_they_last_and_drums_where_they_are_struck():
    rows = piano_roll(piece(16, drums=[(36, 0, 4)], melody=[(60, 2, 6)]))
    assert np.flatnonzero(rows[:, 0]).tolist() == [0]
    assert np.flatnonzero(rows[:, 60]).tolist() == [2, 3, 4, 5]
    assert rows.max() == 1.0


def test_a_window_of_two_bars_begins_with_every_bar():
    score = piece(64, melody=[(60 + bar, 16 * bar, 16 * bar + 1) for bar in range(4)])
    seen = piano_roll_windows(score)
    assert seen.shape == (3, WINDOW_STEPS, 128)
    for window, rows in enumerate(seen):
        np.testing.assert_array_equal(rows, piano_roll(score)[16 * window : 16 * window + 32])


def test_windows_begin_behind_a_pickup_and_with_the_bars_of_three_four():
    score = piece(40, melody=[(60, 4, 5)], meters=(Meter(0, 1, 4), Meter(4, 3, 4)))
    seen = piano_roll_windows(score)
    assert [int(np.flatnonzero(rows[:, 60])[0]) for rows in seen[:2]] == [4, 0]
    assert len(seen) == 3


def test_a_piece_shorter_than_a_window_is_followed_by_silence():
    seen = piano_roll_windows(piece(16, melody=[(60, 0, 16)]))
    assert seen.shape == (1, WINDOW_STEPS, 128)
    assert not seen[0, 16:].any()
