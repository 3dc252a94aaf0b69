"""Plots as PNG files: piano rolls of scores, and figures written atomically.

python -m training.experiment.plots song.mid song.png
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
from rigs.files.atomic_write import atomic_path

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.colors import LinearSegmentedColormap

_COLOURS = {"drums": "#b7431f", "bass": "#0b5fa5", "melody": "#0f766e"}
_PALE = "#d9dde2"
_OCTAVE = 12
_PITCH_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
_BLACK_KEYS = (1, 3, 6, 8, 10)
_DRUM_LENGTH = 0.09
"""s: drawn length of a drum note, which has none of its own."""
_MIN_PITCHES = 7
"""Pitches that a panel shows at least."""
_EMPTY_HEIGHT = 4
"""Height of a panel without notes, in pitches."""
_MAX_BAR_NUMBERS = 24
"""Bars that are numbered at most; of more only every second, fourth and so on."""


def plot_piano_roll(
    score: Score, path: str | Path, *, span: tuple[float, float] | None = None, title: str = ""
) -> None:
    """Plot a score's piano roll as a PNG: time in s to the right, with bar lines, and pitch upwards.

    The darker a note, the higher its velocity; its onset is marked.  span: start and end in s; all without it.
    """
    start, end = span or (0.0, score.duration)
    width = float(np.clip(0.45 * (end - start), 9.0, 36.0))
    notes = {name: timed_notes(score, getattr(score, name)) for name in _COLOURS}
    kinds = [kind for kind, _ in DRUM_KINDS if any(drum_kind(note.pitch) == kind for note in notes["drums"])]
    rows = {
        "melody": _pitch_range(notes["melody"]),
        "bass": _pitch_range(notes["bass"]),
        "drums": range(max(len(kinds), 1)),
    }
    heights = [max(len(pitches), _MIN_PITCHES) if notes[name] else _EMPTY_HEIGHT for name, pitches in rows.items()]
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
        note_rows = [kinds.index(drum_kind(note.pitch)) if drums else note.pitch for note in notes[name]]
        _draw_notes(panel, notes[name], note_rows, _COLOURS[name], drums=drums)
        _draw_bars(panel, score, numbered=panel is panels[0], span=(start, end))
        panel.set_ylim(pitches.start - 0.5, max(pitches.stop, pitches.start + 1) - 0.5)
        panel.set_ylabel(name, fontsize=11)
        panel.spines[["top", "right"]].set_visible(False)
        if not notes[name]:
            panel.set_yticks([])
        elif drums:
            panel.set_yticks(range(len(kinds)), kinds, fontsize=8)
        else:
            _label_pitches(panel, pitches)
    panels[0].set_xlim(start, end)
    panels[-1].set_xlabel("seconds")
    if title:
        figure.suptitle(title, fontsize=12)
    save_figure(figure, Path(path))


def _pitch_range(notes: Sequence[TimedNote]) -> range:
    """The pitches from the lowest to the highest note, and one more at either end."""
    pitches = [note.pitch for note in notes] or [60]
    return range(min(pitches) - 1, max(pitches) + 2)


def _draw_notes(panel: Any, notes: Sequence[TimedNote], rows: Sequence[int], colour: str, *, drums: bool) -> None:
    """Draw each note in its row, pale for its length and dark at its onset."""
    if not notes:
        return
    starts = np.array([note.start for note in notes])
    lengths = np.array([_DRUM_LENGTH if drums else note.end - note.start for note in notes])
    shades = LinearSegmentedColormap.from_list("velocity", [_PALE, colour])
    colours = shades(0.15 + 0.85 * np.array([note.velocity for note in notes]) / 127.0)
    panel.barh(rows, lengths, left=starts, height=0.78, color=colours, edgecolor="white", linewidth=0.4)
    if not drums:
        panel.vlines(starts, np.array(rows) - 0.39, np.array(rows) + 0.39, color=colour, linewidth=1.3)


def _draw_bars(panel: Any, score: Score, *, numbered: bool, span: tuple[float, float]) -> None:
    """Draw a line at the start of each bar, and number as many as there is room for."""
    lines = step_times(score, score.bars)
    panel.vlines(lines, 0.0, 1.0, transform=panel.get_xaxis_transform(), color="#8a8f98", linewidth=0.7, zorder=0)
    if not numbered:
        return
    visible = [number for number, line in enumerate(lines) if span[0] <= line < span[1]]
    every = 2 ** int(np.ceil(np.log2(max(len(visible) / _MAX_BAR_NUMBERS, 1.0))))
    for number in visible:
        if number % every:
            continue
        position = (lines[number], 1.0)
        panel.annotate(
            str(number + 1),
            position,
            (2, 2),
            xycoords=panel.get_xaxis_transform(),
            textcoords="offset points",
            fontsize=8,
        )


def _label_pitches(panel: Any, pitches: range) -> None:
    """Label the Cs, or every white key in a range of about an octave; shade the rows of the black keys."""
    narrow = len(pitches) <= 1.5 * _OCTAVE
    labelled = [pitch for pitch in pitches if pitch % _OCTAVE == 0 or (narrow and pitch % _OCTAVE not in _BLACK_KEYS)]
    # Octaves as DAWs and the score layout number them: 60 is C3.
    panel.set_yticks(
        labelled, [f"{_PITCH_NAMES[pitch % _OCTAVE]}{pitch // _OCTAVE - 2}" for pitch in labelled], fontsize=8
    )
    for pitch in pitches:
        if pitch % _OCTAVE in _BLACK_KEYS:
            panel.axhspan(pitch - 0.5, pitch + 0.5, color="#f1f3f5", zorder=-1, linewidth=0)


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure as a PNG, atomically, and close it."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary)
    pyplot.close(figure)


if __name__ == "__main__":
    midi_file, picture = sys.argv[1:]
    plot_piano_roll(midi.read(midi_file).score, picture)
