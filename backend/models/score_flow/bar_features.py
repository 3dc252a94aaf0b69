"""Bars as features for the network: extracted from a score transposed to one key, and converted back to a score.

A bar has 16 steps and 84 rows: 12 kinds of drums (`piano_roll.DRUM_KINDS`), 24 pitches of the bass, 12 pitch classes of
chords and 36 pitches of the tune. Pitches outside a voice's rows move in by octaves. Bass and tune are monophonic: the
lowest notes of a score's bass part, and the highest of its melody part (the skyline). All other notes are chords, of
which only the pitch class counts. Tune and chords together are the melody part of a score.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from backend.music.piano_roll import DRUM_KINDS, KIND_OF_DRUM
from backend.music.score import PITCHES, STEPS_PER_BEAT, Meter, Note, Score, part_from_notes, part_to_notes
from rigs import Array

BAR_STEPS = 16
"""Steps in a bar of four quarters."""
DRUM_ROWS, BASS_ROWS, CHORD_ROWS, TUNE_ROWS = len(DRUM_KINDS), 24, 12, 36
"""Rows of the drums, the bass, the chords and the tune, in this order."""
VOICE_SIZES = (BASS_ROWS, CHORD_ROWS, TUNE_ROWS)
PITCHED_ROWS = sum(VOICE_SIZES)
ROWS = DRUM_ROWS + PITCHED_ROWS
VELOCITY_DIM = DRUM_ROWS + len(VOICE_SIZES)
"""Velocities of a step: of each drum, the bass, the chords and the tune."""
VOICE_SLICES = {
    "drums": slice(0, DRUM_ROWS),
    "bass": slice(DRUM_ROWS, DRUM_ROWS + BASS_ROWS),
    "chords": slice(DRUM_ROWS + BASS_ROWS, ROWS - TUNE_ROWS),
    "tune": slice(ROWS - TUNE_ROWS, ROWS),
}
"""Rows of each voice."""
PART_SLICES = {
    "drums": VOICE_SLICES["drums"],
    "bass": VOICE_SLICES["bass"],
    "melody": slice(DRUM_ROWS + BASS_ROWS, ROWS),
}
"""Rows of each part of a score."""


class PitchedVoice(NamedTuple):
    """A voice's part in a score, its first row among all rows, its number of rows, and the first row's MIDI pitch."""

    part: str
    first_row: int
    rows: int
    lowest_pitch: int


PITCHED_VOICES = (
    PitchedVoice("bass", DRUM_ROWS, BASS_ROWS, 28),
    PitchedVoice("melody", DRUM_ROWS + BASS_ROWS, CHORD_ROWS, 52),
    PitchedVoice("melody", ROWS - TUNE_ROWS, TUNE_ROWS, 55),
)
"""Bass, chords and tune."""
_DRUM_NUMBERS = (36, 37, 38, 43, 48, 42, 46, 49, 51, 63, 56, 70)
"""General MIDI drum number on which each kind of drum is played."""
_BASS_LIMIT = 60
"""MIDI pitch from which on the lowest note of a beat is no bass note."""
_OCTAVE, _MAX_VELOCITY = 12, 127.0
_HALF_OCTAVE = 6
_MAJOR_PROFILE = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
_MINOR_PROFILE = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
"""Key profiles of C major and C minor (Krumhansl and Kessler 1982)."""
_RELATIVE_MAJOR = 3
"""Semitones from a minor key up to its relative major."""


@dataclass(frozen=True)
class Bars:
    """N bars as arrays.

    onset: (N, 16, 84) bool, a note begins.  sustain: (N, 16, 72) bool, a pitched note sounds, its onset included.
    velocity: (N, 16, 15), 0 to 1, at onsets, and 0 elsewhere.
    """

    onset: Array
    sustain: Array
    velocity: Array

    def __len__(self) -> int:
        return len(self.onset)


def bar_starts(score: Score) -> Array:
    """Downbeats (N,) in steps of all bars of four quarters: bars of 4/4, and pairs of bars of 2/4."""
    starts: list[int] = []
    for index, meter in enumerate(score.meters):
        end = score.meters[index + 1].step if index + 1 < len(score.meters) else score.steps
        if BAR_STEPS % meter.bar_steps == 0:
            starts += range(meter.step, end - BAR_STEPS + 1, BAR_STEPS)
    return np.array(starts, int)


def key_transposition(score: Score) -> int:
    """Semitones, -6 to 5, that transpose a score to C major or A minor.

    Krumhansl-Schmuckler key finding (Krumhansl 1990, chapter 4).
    """
    sounding = (score.bass.sustain.astype(int) + score.melody.sustain).sum(axis=0)
    pitch_classes = np.bincount(np.arange(PITCHES) % _OCTAVE, sounding, _OCTAVE)
    if not pitch_classes.any():
        return 0
    keys = [
        (np.corrcoef(np.roll(pitch_classes, -tonic), profile)[0, 1], tonic + relative)
        for profile, relative in ((_MAJOR_PROFILE, 0), (_MINOR_PROFILE, _RELATIVE_MAJOR))
        for tonic in range(_OCTAVE)
    ]
    return (-max(keys)[1] + _HALF_OCTAVE) % _OCTAVE - _HALF_OCTAVE


def extract_bars(score: Score, starts: Array, shift: int = 0) -> Bars:
    """Bars of a score that begin at the steps `starts` (N,), transposed by `shift` semitones."""
    onset, sustain, velocity = score_rows(score, shift)
    steps = np.asarray(starts, int)[:, None] + np.arange(BAR_STEPS)
    return Bars(onset[steps], sustain[steps], velocity[steps])


def score_rows(score: Score, shift: int = 0) -> tuple[Array, Array, Array]:
    """Features of a whole score step by step, as in `Bars`: onset (S, 84), sustain (S, 72) and velocity (S, 15)."""
    bass, bass_chords = _split_line(part_to_notes(score.bass), lowest=True)
    tune, chords = _split_line(part_to_notes(score.melody), lowest=False)
    onset, sustain = (np.zeros((score.steps, ROWS), bool) for _ in range(2))
    velocity = np.zeros((score.steps, VELOCITY_DIM), np.float32)
    for note in part_to_notes(score.drums):
        row = KIND_OF_DRUM[note.pitch]
        onset[note.start, row] = True
        velocity[note.start, row] = max(velocity[note.start, row], note.velocity / _MAX_VELOCITY)
    for index, notes in enumerate((bass, [*chords, *bass_chords], tune)):
        _, first, rows, lowest = PITCHED_VOICES[index]
        column = DRUM_ROWS + index
        for note in notes:
            row = first + _fold_octave(note.pitch + shift - lowest, rows)
            onset[note.start, row] = True
            sustain[note.start : note.end, row] = True
            velocity[note.start, column] = max(velocity[note.start, column], note.velocity / _MAX_VELOCITY)
    return onset, sustain[:, DRUM_ROWS:], velocity


def score_from_bars(bars: Bars, seconds: Array, parts: Sequence[str], pickup: int = 0, shift: int = 0) -> Score:
    """Convert consecutive bars to a score.

    seconds: (S + 1,) s, step times; the score may end within the last bar.  parts: those that play.
    pickup: steps of the first bar that lie before the score.  shift: semitones to transpose up.
    A note is tied over a bar line where the next bar sustains it; sustain without an onset is ignored.
    """
    steps = len(seconds) - 1
    onset = bars.onset.reshape(-1, ROWS)[pickup : pickup + steps]
    sustain = bars.sustain.reshape(-1, PITCHED_ROWS)[pickup : pickup + steps]
    velocity = np.rint(np.clip(bars.velocity, 1.0 / _MAX_VELOCITY, 1.0) * _MAX_VELOCITY).astype(int)
    velocity = velocity.reshape(-1, VELOCITY_DIM)[pickup:]
    notes: dict[str, list[Note]] = {name: [] for name in PART_SLICES}
    for step, row in np.argwhere(onset[:, :DRUM_ROWS]).tolist():
        notes["drums"].append(Note(_DRUM_NUMBERS[row], int(velocity[step, row]), step, step + 1))
    for index, (name, first, rows, lowest) in enumerate(PITCHED_VOICES):
        for step, row in np.argwhere(onset[:, first : first + rows]).tolist():
            continues = sustain[step + 1 :, first - DRUM_ROWS + row] & ~onset[step + 1 :, first + row]
            end = steps if continues.all() else step + 1 + int(continues.argmin())
            notes[name].append(Note(lowest + row + shift, int(velocity[step, DRUM_ROWS + index]), step, end))
    drums, bass, melody = (part_from_notes(notes[name] if name in parts else [], steps) for name in PART_SLICES)
    downbeat = BAR_STEPS - pickup
    meters: tuple[Meter, ...] = (Meter(0),)
    if pickup and downbeat < steps:
        beats, rest = divmod(downbeat, STEPS_PER_BEAT)
        meters = (Meter(0, downbeat, BAR_STEPS) if rest else Meter(0, beats), Meter(downbeat))
    return Score(drums, bass, melody, seconds, meters)


def _fold_octave(row: int, rows: int) -> int:
    """The row, moved by octaves into the range of `rows` rows."""
    if row < 0:
        return row % _OCTAVE
    return row if row < rows else rows - _OCTAVE + (row - rows) % _OCTAVE


def _split_line(notes: list[Note], *, lowest: bool) -> tuple[list[Note], list[Note]]:
    """Split a part into a monophonic line and all other notes.

    lowest: the line has the lowest note of each beat; otherwise the highest onset of each step (skyline).
    """
    best: dict[int, int] = {}
    for note in notes:
        beats = range(note.start // STEPS_PER_BEAT, (note.end - 1) // STEPS_PER_BEAT + 1)
        for time in beats if lowest else (note.start,):
            best[time] = min(best.get(time, PITCHES), note.pitch) if lowest else max(best.get(time, 0), note.pitch)
    in_line = {
        note
        for note in notes
        if note.pitch == best[note.start // STEPS_PER_BEAT if lowest else note.start]
        and not (lowest and note.pitch >= _BASS_LIMIT)
    }
    line = sorted(in_line, key=lambda note: note.start)
    ends = [*(note.start for note in line[1:]), *(note.end for note in line[-1:])]
    monophonic = [replace(note, end=min(note.end, end)) for note, end in zip(line, ends, strict=True)]
    return monophonic, [note for note in notes if note not in in_line]
