"""Pictures of scores: `piano_roll(score, "song.png")` draws what drums, bass and melody play, one above the other.

python -m training.experiment.piano_roll_plots song.mid song.png
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from backend.music import midi
from backend.music.piano_roll import DRUM_KINDS, drum_kind
from backend.music.quantization import TimedNote, step_times, timed_notes
from backend.music.score import Score
from training.experiment.figure_plots import save_figure

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.colors import LinearSegmentedColormap

_LOUD = {"drums": "#b7431f", "bass": "#0b5fa5", "melody": "#0f766e"}
_SOFT = "#d9dde2"
_OCTAVE = 12
_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
_BLACK = (1, 3, 6, 8, 10)
_STRUCK = 0.09
"""s that a drum takes in the picture; it has no length of its own."""
_FEWEST = 7
"""Pitches that a panel shows at least."""
_EMPTY = 4
"""The height, in pitches, of a panel without notes."""
_ACROSS = 24
"""Bars that are numbered at most; of more every second is, or every fourth, and so on."""


def piano_roll(score: Score, path: str | Path, *, span: tuple[float, float] | None = None, title: str = "") -> None:
    """Draw a score into a PNG, whole or not at all: time to the right in s, with bar lines, pitch upwards.

    A note is as dark as it is struck hard, and its onset is marked.  span: from and to which s; all without it.
    """
    start, end = span or (0.0, score.duration)
    width = float(np.clip(0.45 * (end - start), 9.0, 36.0))
    notes = {name: timed_notes(score, getattr(score, name)) for name in _LOUD}
    kinds = [kind for kind, _ in DRUM_KINDS if any(drum_kind(note.pitch) == kind for note in notes["drums"])]
    rows = {"melody": _reach(notes["melody"]), "bass": _reach(notes["bass"]), "drums": range(max(len(kinds), 1))}
    heights = [max(len(pitches), _FEWEST) if notes[name] else _EMPTY for name, pitches in rows.items()]
    figure, panels = pyplot.subplots(
        3,
        1,
        sharex=True,
        figsize=(width, 1.5 + 0.13 * sum(heights)),
        dpi=110,
        height_ratios=heights,
        layout="constrained",
    )
    for panel, (name, pitches) in zip(panels, rows.items(), strict=True):
        drums = name == "drums"
        places = [kinds.index(drum_kind(note.pitch)) if drums else note.pitch for note in notes[name]]
        _draw_notes(panel, notes[name], places, _LOUD[name], struck=drums)
        _draw_bars(panel, score, numbered=panel is panels[0], across=(start, end))
        panel.set_ylim(pitches.start - 0.5, max(pitches.stop, pitches.start + 1) - 0.5)
        panel.set_ylabel(name, fontsize=11)
        panel.spines[["top", "right"]].set_visible(False)
        if not notes[name]:
            panel.set_yticks([])
        elif drums:
            panel.set_yticks(range(len(kinds)), kinds, fontsize=8)
        else:
            _name_pitches(panel, pitches)
    panels[0].set_xlim(start, end)
    panels[-1].set_xlabel("seconds")
    if title:
        figure.suptitle(title, fontsize=12)
    save_figure(figure, Path(path))


def _reach(notes: Sequence[TimedNote]) -> range:
    """The pitches from the lowest to the highest note, with one more at either end."""
    pitches = [note.pitch for note in notes] or [60]
    return range(min(pitches) - 1, max(pitches) + 2)


def _draw_notes(panel: Any, notes: Sequence[TimedNote], places: Sequence[int], colour: str, *, struck: bool) -> None:
    """Draw each note at its place, pale for as long as it lasts and dark where it begins."""
    if not notes:
        return
    starts = np.array([note.start for note in notes])
    lengths = np.array([_STRUCK if struck else note.end - note.start for note in notes])
    shades = LinearSegmentedColormap.from_list("force", [_SOFT, colour])
    force = shades(0.15 + 0.85 * np.array([note.velocity for note in notes]) / 127.0)
    panel.barh(places, lengths, left=starts, height=0.78, color=force, edgecolor="white", linewidth=0.4)
    if not struck:
        panel.vlines(starts, np.array(places) - 0.39, np.array(places) + 0.39, color=colour, linewidth=1.3)


def _draw_bars(panel: Any, score: Score, *, numbered: bool, across: tuple[float, float]) -> None:
    """Draw a line where each bar begins, and number as many of them as there is room for."""
    lines = step_times(score, score.bars)
    panel.vlines(lines, 0.0, 1.0, transform=panel.get_xaxis_transform(), color="#8a8f98", linewidth=0.7, zorder=0)
    if not numbered:
        return
    shown = [number for number, line in enumerate(lines) if across[0] <= line < across[1]]
    every = 2 ** int(np.ceil(np.log2(max(len(shown) / _ACROSS, 1.0))))
    for number in shown:
        if number % every:
            continue
        place = (lines[number], 1.0)
        panel.annotate(
            str(number + 1), place, (2, 2), xycoords=panel.get_xaxis_transform(), textcoords="offset points", fontsize=8
        )


def _name_pitches(panel: Any, pitches: range) -> None:
    """Name the Cs, or every white key where there is no more than an octave or so; shade the rows of the black ones."""
    few = len(pitches) <= 1.5 * _OCTAVE
    named = [pitch for pitch in pitches if pitch % _OCTAVE == 0 or (few and pitch % _OCTAVE not in _BLACK)]
    # The octave that a DAW and the layout of scores count: 60 is C3.
    panel.set_yticks(named, [f"{_NAMES[pitch % _OCTAVE]}{pitch // _OCTAVE - 2}" for pitch in named], fontsize=8)
    for pitch in pitches:
        if pitch % _OCTAVE in _BLACK:
            panel.axhspan(pitch - 0.5, pitch + 0.5, color="#f1f3f5", zorder=-1, linewidth=0)


if __name__ == "__main__":
    midi_file, picture = sys.argv[1:]
    piano_roll(midi.read(midi_file), picture)
