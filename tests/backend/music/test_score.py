"""Parts from notes and back, and excerpts of scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.music.score import (
    Meter,
    Note,
    Part,
    Score,
    cut_bars,
    part_from_note_array,
    part_from_notes,
    part_to_note_array,
    part_to_notes,
)

STEPS = 24
NOTES = st.lists(
    st.builds(Note, st.integers(0, 3), st.integers(1, 127), st.integers(0, STEPS - 1), st.integers(0, STEPS + 3)),
    max_size=30,
)


def part_step_by_step(notes: list[Note]) -> Part:
    """Reference implementation: a part of notes, step by step and pitch by pitch."""
    onset, sustain = np.zeros((2, STEPS, 128), bool)
    velocity = np.zeros((STEPS, 128), np.uint8)
    for pitch in range(4):
        ends = 0
        for step in range(STEPS):
            begun = [note for note in notes if (note.pitch, note.start) == (pitch, step)]
            if begun:
                ends = max(step + 1, *(note.end for note in begun))
                onset[step, pitch] = True
                velocity[step, pitch] = max(note.velocity for note in begun)
            sustain[step, pitch] = step < ends
    return Part(onset, sustain, velocity)


@given(NOTES)
def test_notes_sound_until_they_end_or_the_next_of_their_pitch_begins(notes: list[Note]) -> None:
    part, expected = part_from_notes(notes, STEPS), part_step_by_step(notes)
    for name in ("onset", "sustain", "velocity"):
        assert np.array_equal(getattr(part, name), getattr(expected, name))


@given(NOTES)
def test_a_part_survives_a_round_trip_through_its_notes(notes: list[Note]) -> None:
    part = part_from_notes(notes, STEPS)
    rows = part_to_note_array(part)
    assert [Note(*row) for row in rows.tolist()] == part_to_notes(part)
    assert rows[:, [2, 0]].tolist() == sorted(rows[:, [2, 0]].tolist()), "by their starts and pitches"
    again = part_from_note_array(np.flip(rows, axis=0), STEPS)
    for name in ("onset", "sustain", "velocity"):
        assert np.array_equal(getattr(again, name), getattr(part, name))


def song() -> Score:
    """A pickup of one beat, two bars of 3/4, two of 4/4; a melody, a bass and drums over bar lines."""
    steps = 4 + 2 * 12 + 2 * 16
    seconds = np.append(0.0, np.cumsum(np.linspace(0.1, 0.2, steps)))
    meters = (Meter(0, 1, 4), Meter(4, 3, 4), Meter(28))
    drums = part_from_notes([Note(49, 90, 14, 30), Note(36, 80, 16, 17), Note(36, 80, 43, 44)], steps)
    bass = part_from_notes([Note(40, 70, 0, 18), Note(41, 71, 40, 60)], steps)
    melody = part_from_notes([Note(60, 60, 15, 16), Note(62, 62, 16, 20), Note(64, 64, 44, 45)], steps)
    return Score(drums, bass, melody, seconds, meters, 0.6)


def test_cut_bars_begin_at_second_0_with_their_meters() -> None:
    whole = song()
    excerpt = cut_bars(whole, 2, 3)
    np.testing.assert_allclose(excerpt.seconds, whole.seconds[16:45] - whole.seconds[16])
    assert excerpt.meters == (Meter(0, 3, 4), Meter(12))
    assert excerpt.bars.tolist() == [0, 12]
    assert excerpt.swing == 0.6


def test_notes_are_cut_at_the_edges() -> None:
    excerpt = cut_bars(song(), 2, 3)
    assert part_to_notes(excerpt.melody) == [Note(62, 62, 0, 4)]
    assert part_to_notes(excerpt.bass) == [Note(40, 70, 0, 2), Note(41, 71, 24, 28)]


def test_a_drum_hit_before_the_excerpt_is_dropped() -> None:
    assert part_to_notes(cut_bars(song(), 2, 3).drums) == [Note(36, 80, 0, 1), Note(36, 80, 27, 28)]


def test_all_bars_are_the_whole_score() -> None:
    whole, again = song(), cut_bars(song(), 0, 4)
    assert np.array_equal(again.seconds, whole.seconds)
    assert (again.meters, again.bars.tolist()) == (whole.meters, whole.bars.tolist())
    for part in ("drums", "bass", "melody"):
        assert part_to_notes(getattr(again, part)) == part_to_notes(getattr(whole, part))


@pytest.mark.parametrize(("first", "last"), [(-1, 2), (3, 2), (0, 5), (5, 5)])
def test_bars_that_do_not_exist_are_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match=rf"^bars of 0 to 4 expected, {first} to {last} found$"):
        cut_bars(song(), first, last)
