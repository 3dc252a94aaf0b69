"""What MIDI files keep on their way in, out and in again: `python -m tests.benchmarks.midi_round_trip [FOLDER]`.

A row for each collection of the corpus (140 Groove, 240 Nottingham, 60 POP909 files, the first by name), and one for
those of its files that lie on the grid. A file does where 95 of 100 notes begin within a sixteenth of a sixteenth of
the grid that its own ticks draw, read here with mido alone. Onset F1: `again` is the second reading against the first;
`written` the written file's notes against the original's, of the same pitch and drum or not, within a quarter of a
sixteenth; a note that several tracks play at once counts once. Then what broken files get. Exit status 1 if a file
cannot be read, or one on the grid has less than 0.95.
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
LEAST_F1 = 0.95
ON_GRID, SHARE = 1 / 16, 0.95
NEAR = 1 / 4
DEFAULT_TEMPO, DRUMS = 500_000, 9
MICROSECONDS = 1e6

Onsets = dict[tuple[bool, int], Array]
"""For drums or not, and a pitch: (N, 3) the sixteenths and seconds at which notes begin, and a sixteenth's seconds."""


@dataclass(frozen=True)
class Measured:
    """One file's way: is it on the grid, does it swing, and the F1 of its second reading and of its written notes."""

    gridded: bool
    swung: bool
    again: float
    written: float


def main() -> int:
    data = Path(os.environ.get("PASDEDEUX_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else data / "midi"
    good = True
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
                    good = False
                    print(error)
            gridded = [row for row in rows if row.gridded]
            good = good and all(min(row.again, row.written) >= LEAST_F1 for row in gridded)
            print(f"{name:10}  all      {described(rows)}")
            print(f"{name:10}  on grid  {described(gridded)}")
        for complaint in complaints(paths[0].read_bytes(), Path(scratch)):
            print(f"broken      {complaint}")
    return 0 if good else 1


def round_trip(path: Path, copy: Path) -> Measured:
    """Read, write and read a file. Raises BadFile."""
    score = read(path)
    write(copy, score)
    original = onsets(path)
    off = np.concatenate([np.abs(starts[:, 0] - np.rint(starts[:, 0])) for starts in original.values()])
    return Measured(
        gridded=bool((off <= ON_GRID).mean() >= SHARE),
        swung=score.swing != 0.5,
        again=same_onsets(score, read(copy)),
        written=f1(original, onsets(copy)),
    )


def onsets(path: Path) -> Onsets:
    """Where a file's notes begin, without the code that is measured."""
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
    found = {}
    for key, begun in starts.items():
        ticks = np.array(sorted(begun))
        tempo = np.searchsorted(changes, ticks, side="right") - 1
        seconds = times[tempo] + (ticks - changes[tempo]) * rates[tempo]
        found[key] = np.stack([ticks / sixteenth, seconds, rates[tempo] * sixteenth], axis=1)
    return found


def f1(original: Onsets, written: Onsets) -> float:
    """Of onsets matched one to one, in their order, within a quarter of the original's sixteenth."""
    matched = 0
    for key in original.keys() & written.keys():
        later = iter(written[key][:, 1])
        candidate = next(later, np.inf)
        for _, second, sixteenth in original[key]:
            while candidate < second - NEAR * sixteenth:
                candidate = next(later, np.inf)
            if candidate <= second + NEAR * sixteenth:
                matched += 1
                candidate = next(later, np.inf)
    return 2 * matched / sum(len(starts) for notes in (original, written) for starts in notes.values())


def same_onsets(first: Score, second: Score) -> float:
    """Onset F1 of one score against another, by part, step and pitch."""
    ours, theirs = (
        {
            (name, step, pitch)
            for name in ("drums", "bass", "melody")
            for step, pitch in np.argwhere(getattr(score, name).onset).tolist()
        }
        for score in (first, second)
    )
    return 2 * len(ours & theirs) / (len(ours) + len(theirs))


def described(rows: list[Measured]) -> str:
    if not rows:
        return "  0 files"
    again, written = [row.again for row in rows], [row.written for row in rows]
    return (
        f"{len(rows):3} files  again {np.mean(again):.3f} (least {min(again):.3f})"
        f"  written {np.mean(written):.3f} (least {min(written):.3f})  {sum(row.swung for row in rows)} swung"
    )


def complaints(content: bytes, folder: Path) -> Iterator[str]:
    """What is said of a good file's bytes, broken in the ways that files break."""
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
            read(path)
        except BadFile as error:
            yield str(error)
        else:
            yield f"{path.name}: read without a complaint"


if __name__ == "__main__":
    sys.exit(main())
