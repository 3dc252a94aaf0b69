"""Onset F1 of MIDI files read, written and read again: `python -m tests.benchmarks.midi_round_trip [FOLDER]`.

A row for each collection of the corpus (140 Groove, 240 Nottingham, 60 POP909 files, the first by name), and one for
those of its files that lie on the grid: 95 of 100 notes within a sixteenth of a step of the grid of the file's own
ticks, read here with mido alone. `again`: F1 of the second reading against the first, by part, step and pitch.
`written`: F1 of the written file's onsets against the original's, of the same pitch, drum or not, within a quarter of a
sixteenth; unison notes of several tracks count once. Then the messages for broken files. Exit status 1 if a file can't
be read, or one on the grid has an F1 under 0.95.
"""

import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np

from backend.music.midi import read, write
from backend.music.score import Score
from rigs import Array
from rigs.files import BadFile

COUNTS = {"groove": 140, "nottingham": 240, "pop909": 60}
MIN_F1 = 0.95
GRID_TOLERANCE, MIN_GRID_SHARE = 1 / 16, 0.95
ONSET_TOLERANCE = 1 / 4
DEFAULT_TEMPO, DRUMS = 500_000, 9
MICROSECONDS = 1e6

Onsets = dict[tuple[bool, int], Array]
"""By drum or not and pitch: (N, 3) onsets in sixteenths and in seconds, and the seconds of a sixteenth."""


@dataclass(frozen=True)
class RoundTrip:
    """Round trip of a file: whether it is on the grid and swings, and both F1 values."""

    on_grid: bool
    swings: bool
    again: float
    written: float


def main() -> int:
    data = Path(os.environ.get("PASDEDEUX_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else data / "midi"
    passed = True
    with tempfile.TemporaryDirectory() as scratch:
        for name, count in COUNTS.items():
            paths = sorted(folder.joinpath(name).rglob("*.mid"))[:count]
            if not paths:
                print(f"{folder / name}: no MIDI files (set PASDEDEUX_DATA or name a folder)", file=sys.stderr)
                return 2
            rows = []
            for path in paths:
                try:
                    rows.append(round_trip(path, Path(scratch) / "copy.mid"))
                except BadFile as error:
                    passed = False
                    print(error)
            on_grid = [row for row in rows if row.on_grid]
            passed = passed and all(min(row.again, row.written) >= MIN_F1 for row in on_grid)
            print(f"{name:10}  all      {format_row(rows)}")
            print(f"{name:10}  on grid  {format_row(on_grid)}")
        for message in error_messages(paths[0].read_bytes(), Path(scratch)):
            print(f"broken      {message}")
    return 0 if passed else 1


def round_trip(path: Path, copy: Path) -> RoundTrip:
    """Read, write and read a file again. Raises BadFile."""
    score = read(path).score
    write(copy, score)
    original = onsets(path)
    off = np.concatenate([np.abs(starts[:, 0] - np.rint(starts[:, 0])) for starts in original.values()])
    return RoundTrip(
        on_grid=bool((off <= GRID_TOLERANCE).mean() >= MIN_GRID_SHARE),
        swings=score.swing != 0.5,
        again=same_onsets(score, read(copy).score),
        written=f1(original, onsets(copy)),
    )


def onsets(path: Path) -> Onsets:
    """Onsets of a file, read without the code under test."""
    midi = mido.MidiFile(path)
    starts = defaultdict(set)
    tempi = {0: DEFAULT_TEMPO}
    for track in midi.tracks:
        now = 0
        for event in track:
            now += event.time
            if event.type == "set_tempo":
                tempi[now] = event.tempo
            elif event.type == "note_on" and event.velocity:
                starts[event.channel == DRUMS, event.note].add(now)
    changes = np.array(sorted(tempi))
    rates = np.array([tempi[tick] for tick in changes.tolist()]) / midi.ticks_per_beat / MICROSECONDS
    times = np.concatenate([[0.0], np.cumsum(np.diff(changes) * rates[:-1])])
    sixteenth = midi.ticks_per_beat / 4
    result = {}
    for key, onset_ticks in starts.items():
        ticks = np.array(sorted(onset_ticks))
        tempo = np.searchsorted(changes, ticks, side="right") - 1
        seconds = times[tempo] + (ticks - changes[tempo]) * rates[tempo]
        result[key] = np.stack([ticks / sixteenth, seconds, rates[tempo] * sixteenth], axis=1)
    return result


def f1(original: Onsets, written: Onsets) -> float:
    """F1 of onsets matched one to one, in order, within a quarter of the original's sixteenth."""
    matched = 0
    for key in original.keys() & written.keys():
        later = iter(written[key][:, 1])
        candidate = next(later, np.inf)
        for _, second, sixteenth in original[key]:
            while candidate < second - ONSET_TOLERANCE * sixteenth:
                candidate = next(later, np.inf)
            if candidate <= second + ONSET_TOLERANCE * sixteenth:
                matched += 1
                candidate = next(later, np.inf)
    return 2 * matched / sum(len(starts) for notes in (original, written) for starts in notes.values())


def same_onsets(first: Score, second: Score) -> float:
    """Onset F1 of one score against another, by part, step and pitch."""
    first_onsets, second_onsets = (
        {
            (name, step, pitch)
            for name in ("drums", "bass", "melody")
            for step, pitch in np.argwhere(getattr(score, name).onset).tolist()
        }
        for score in (first, second)
    )
    return 2 * len(first_onsets & second_onsets) / (len(first_onsets) + len(second_onsets))


def format_row(rows: list[RoundTrip]) -> str:
    if not rows:
        return "  0 files"
    again, written = [row.again for row in rows], [row.written for row in rows]
    return (
        f"{len(rows):3} files  again {np.mean(again):.3f} (minimum {min(again):.3f})"
        f"  written {np.mean(written):.3f} (minimum {min(written):.3f})  {sum(row.swings for row in rows)} swung"
    )


def error_messages(content: bytes, folder: Path) -> Iterator[str]:
    """Error messages for a file's bytes, broken in the usual ways."""
    header = content[: content.index(b"MTrk")]
    for name, broken in {
        "empty": b"",
        "a page": b"<!DOCTYPE html><title>Not found</title>",
        "cut off": content[: len(content) // 2],
        "only a header": header,
        "damaged": content[:200] + b"\xf5\xff\xff" + content[203:],
        "silent": header[:8] + b"\0\0\0\1" + header[12:] + b"MTrk\0\0\0\4\0\xff\x2f\0",
    }.items():
        path = folder / f"{name}.mid"
        path.write_bytes(broken)
        try:
            song = read(path)
        except BadFile as error:
            yield str(error)
        else:
            yield from song.warnings or (f"{path.name}: read without an error",)


if __name__ == "__main__":
    sys.exit(main())
