"""What the composer sees of a score: bars of drums, bass and melody in one key; and bars as a score again.

A bar has 16 steps and 84 rows: 12 kinds of drums (`layout.DRUMS`), 24 pitches of the bass, 12 of the chords and 36 of
the tune. Pitches beyond them move in by octaves. The bass is a line of one voice, the lowest notes of what a file has
for its bass; the tune is one too, the highest notes of its melody. All else, such as what a piano plays beside, are
chords, of which only the pitch class counts. Tune and chords together are a score's melody.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from backend.music.piano_roll import DRUM_KINDS
from backend.music.score import PITCHES, STEPS_PER_BEAT, Meter, Note, Score, part_from_notes, part_to_notes
from rigs import Array

BAR_STEPS = 16
"""In a bar."""
DRUM_ROWS, BASS_ROWS, CHORD_ROWS, TUNE_ROWS = len(DRUM_KINDS), 24, 12, 36
"""Rows of the drums, the bass, the chords and the tune, in this order."""
PITCHED_ROWS = BASS_ROWS + CHORD_ROWS + TUNE_ROWS
ROWS = DRUM_ROWS + PITCHED_ROWS
VELOCITY_DIM = DRUM_ROWS + 3
"""How many velocities a step has: each drum's, the bass's, the chords', the tune's."""
PART_SLICES = {
    "drums": slice(0, DRUM_ROWS),
    "bass": slice(DRUM_ROWS, DRUM_ROWS + BASS_ROWS),
    "melody": slice(DRUM_ROWS + BASS_ROWS, ROWS),
}
"""The rows of a score's parts."""
PITCHED_VOICES = (
    ("bass", DRUM_ROWS, BASS_ROWS, 28),
    ("melody", DRUM_ROWS + BASS_ROWS, CHORD_ROWS, 52),
    ("melody", ROWS - TUNE_ROWS, TUNE_ROWS, 55),
)
"""Of bass, chords and tune: the part, the first row, how many there are, and the first one's pitch."""
_STRUCK = (36, 37, 38, 43, 48, 42, 46, 49, 51, 63, 56, 70)
"""The General MIDI drum that each kind plays."""
_TOP = 60
"""The lowest note of a beat is no bass's from here on."""
_OCTAVE, _LOUDEST = 12, 127.0
_HALF = 6
_MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
_MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
"""How well each pitch class fits C major and C minor (Krumhansl and Kessler 1982)."""
_RELATIVE = 3
"""Semitones from a minor key up to the major one with its notes."""


@dataclass(frozen=True)
class Bars:
    """N bars.

    onset: (N, 16, 84) bool, a note begins.  sustain: (N, 16, 72) bool, bass and melody sound, from their onsets on.
    loud: (N, 16, 15), 0 to 1, how hard notes that begin are struck, and 0 elsewhere.
    """

    onset: Array
    sustain: Array
    velocity: Array

    def __len__(self) -> int:
        return len(self.onset)


def bar_starts(score: Score) -> Array:
    """(N,) the steps at which bars of four quarters begin: those of 4/4, and two bars together of 2/4."""
    starts: list[int] = []
    for place, meter in enumerate(score.meters):
        end = score.meters[place + 1].step if place + 1 < len(score.meters) else score.steps
        if BAR_STEPS % meter.bar_steps == 0:
            starts += range(meter.step, end - BAR_STEPS + 1, BAR_STEPS)
    return np.array(starts, int)


def key_transposition(score: Score) -> int:
    """Semitones, -6 to 5, by which bass and melody move to lie in C major or A minor (Krumhansl 1990, chapter 4)."""
    sounding = (score.bass.sustain.astype(int) + score.melody.sustain).sum(axis=0)
    classes = np.bincount(np.arange(PITCHES) % _OCTAVE, sounding, _OCTAVE)
    if not classes.any():
        return 0
    fits = [
        (np.corrcoef(np.roll(classes, -tonic), profile)[0, 1], tonic + relative)
        for profile, relative in ((_MAJOR, 0), (_MINOR, _RELATIVE))
        for tonic in range(_OCTAVE)
    ]
    return (-max(fits)[1] + _HALF) % _OCTAVE - _HALF


def extract_bars(score: Score, starts: Array, shift: int = 0) -> Bars:
    """The bars that begin at the steps `starts` (N,), their pitches moved by `shift` semitones."""
    onset, sustain, loud = score_rows(score, shift)
    steps = np.asarray(starts, int)[:, None] + np.arange(BAR_STEPS)
    return Bars(onset[steps], sustain[steps], loud[steps])


def score_rows(score: Score, shift: int = 0) -> tuple[Array, Array, Array]:
    """A whole score as `Bars` has it, but in one row of steps: onset (S, 84), sustain (S, 72) and loud (S, 15)."""
    bass, beside = _line(part_to_notes(score.bass), lowest=True)
    tune, chords = _line(part_to_notes(score.melody), lowest=False)
    onset, sustain = (np.zeros((score.steps, ROWS), bool) for _ in range(2))
    loud = np.zeros((score.steps, VELOCITY_DIM), np.float32)
    drums = _drum_rows()
    for note in part_to_notes(score.drums):
        row = drums[note.pitch]
        onset[note.start, row] = True
        loud[note.start, row] = max(loud[note.start, row], note.velocity / _LOUDEST)
    for voice, notes in enumerate((bass, [*chords, *beside], tune)):
        _, first, rows, lowest = PITCHED_VOICES[voice]
        for note in notes:
            row = first + _inside(note.pitch + shift - lowest, rows)
            onset[note.start, row] = True
            sustain[note.start : note.end, row] = True
            loud[note.start, DRUM_ROWS + voice] = max(loud[note.start, DRUM_ROWS + voice], note.velocity / _LOUDEST)
    return onset, sustain[:, DRUM_ROWS:], loud


def score_from_bars(bars: Bars, seconds: Array, parts: Sequence[str], pickup: int = 0, shift: int = 0) -> Score:
    """The score of bars that follow each other.

    seconds: (S + 1,) s, where the score's steps begin; it may end within the last bar.  parts: those that play.
    pickup: steps of the first bar that lie before the score.  shift: semitones up.
    A note goes on over a bar line where the next bar sustains it; one that did not begin does not sound.
    """
    steps = len(seconds) - 1
    onset = bars.onset.reshape(-1, ROWS)[pickup : pickup + steps]
    held = bars.sustain.reshape(-1, PITCHED_ROWS)[pickup : pickup + steps]
    loud = (
        np.rint(np.clip(bars.velocity, 1.0 / _LOUDEST, 1.0) * _LOUDEST).astype(int).reshape(-1, VELOCITY_DIM)[pickup:]
    )
    notes: dict[str, list[Note]] = {name: [] for name in PART_SLICES}
    for step, row in np.argwhere(onset[:, :DRUM_ROWS]).tolist():
        notes["drums"].append(Note(_STRUCK[row], int(loud[step, row]), step, step + 1))
    for voice, (name, first, rows, lowest) in enumerate(PITCHED_VOICES):
        for step, row in np.argwhere(onset[:, first : first + rows]).tolist():
            going_on = held[step + 1 :, first - DRUM_ROWS + row] & ~onset[step + 1 :, first + row]
            end = steps if going_on.all() else step + 1 + int(going_on.argmin())
            notes[name].append(Note(lowest + row + shift, int(loud[step, DRUM_ROWS + voice]), step, end))
    drums, bass, melody = (part_from_notes(notes[name] if name in parts else [], steps) for name in PART_SLICES)
    first = BAR_STEPS - pickup
    meters = (Meter(0, *_short(first)), Meter(first)) if pickup and first < steps else (Meter(0),)
    return Score(drums, bass, melody, seconds, meters)


def _drum_rows() -> Array:
    """(128,) the row of each drum number."""
    rows = np.full(PITCHES, DRUM_ROWS - 1)
    for row, (_, numbers) in enumerate(DRUM_KINDS):
        rows[list(numbers)] = row
    return rows


def _short(steps: int) -> tuple[int, int]:
    """The meter of a pickup bar."""
    return (steps // STEPS_PER_BEAT, 4) if steps % STEPS_PER_BEAT == 0 else (steps, BAR_STEPS)


def _inside(row: int, rows: int) -> int:
    """The row, moved by octaves to lie among so many."""
    if row < 0:
        return row % _OCTAVE
    return row if row < rows else rows - _OCTAVE + (row - rows) % _OCTAVE


def _line(notes: list[Note], *, lowest: bool) -> tuple[list[Note], list[Note]]:
    """One voice of a part, each note up to the next, the lowest of each beat or the highest begun; and the rest."""
    best: dict[int, int] = {}
    for note in notes:
        for place in (
            range(note.start // STEPS_PER_BEAT, (note.end - 1) // STEPS_PER_BEAT + 1) if lowest else (note.start,)
        ):
            best[place] = min(best.get(place, PITCHES), note.pitch) if lowest else max(best.get(place, 0), note.pitch)
    chosen = {
        n
        for n in notes
        if n.pitch == best[n.start // STEPS_PER_BEAT if lowest else n.start] and not (lowest and n.pitch >= _TOP)
    }
    line = sorted(chosen, key=lambda note: note.start)
    ends = [*(note.start for note in line[1:]), *(note.end for note in line[-1:])]
    alone = [replace(note, end=min(note.end, end)) for note, end in zip(line, ends, strict=True)]
    return alone, [note for note in notes if note not in chosen]
