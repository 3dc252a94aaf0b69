"""The way back from a roll of 128 rows to a score."""

import numpy as np
import pytest

from backend.music.piano_roll import DRUM_KINDS, piano_roll
from backend.music.score import PARTS, Note, Score, part_from_notes, part_to_notes
from backend.music.unrolling import DRUM_PITCHES, score_from_piano_roll


def piece(steps: int = 32) -> Score:
    """Drums on the drums that rows are played on, and notes that never begin where one of their pitch ends."""
    rng = np.random.default_rng(3)
    drums = [Note(int(rng.choice(DRUM_PITCHES)), int(rng.integers(40, 128)), step, step + 1) for step in range(steps)]
    bass = [Note(12 + step % 24, 90, step, step + 3) for step in range(0, steps - 3, 5)]
    melody = [Note(36 + step, 70 + step, step, step + 4) for step in range(0, steps - 4, 3)]
    return Score(*(part_from_notes(notes, steps) for notes in (drums, bass, melody)), np.arange(steps + 1) / 8)


def test_a_score_comes_back_from_its_own_roll() -> None:
    score = piece()
    again = score_from_piano_roll(piano_roll(score), score.seconds, score.meters, score.swing, threshold=0.1)
    for part in PARTS:
        assert part_to_notes(getattr(again, part)) == part_to_notes(getattr(score, part)), part
    np.testing.assert_array_equal(again.seconds, score.seconds)


def test_each_row_of_drums_is_played_on_a_drum_of_its_kind() -> None:
    assert all(drum in numbers for drum, (_, numbers) in zip(DRUM_PITCHES, DRUM_KINDS, strict=True))


def test_what_is_not_louder_than_the_threshold_is_silent() -> None:
    rows = np.zeros((16, 128))
    rows[0, [0, 20, 60]] = 0.25
    rows[4, [0, 20, 60]] = 0.26
    score = score_from_piano_roll(rows, np.arange(17) / 8, threshold=0.25)
    for part in PARTS:
        assert np.flatnonzero(getattr(score, part).onset.any(axis=1)).tolist() == [4]


def test_a_note_is_as_loud_as_it_gets_and_lasts_while_it_sounds() -> None:
    rows = np.zeros((16, 128))
    rows[2:7, 64] = [0.5, 0.6, 1.0, 0.6, 0.5]
    assert part_to_notes(score_from_piano_roll(rows, np.arange(17) / 8, threshold=0.25).melody) == [Note(64, 127, 2, 7)]


@pytest.mark.parametrize("part", PARTS)
def test_only_the_parts_asked_for_play(part: str) -> None:
    score = piece()
    some = score_from_piano_roll(piano_roll(score), score.seconds, threshold=0.1, parts=(part,))
    assert [name for name in PARTS if getattr(some, name).onset.any()] == [part]
