"""Folders of dances with their music: NAME.bvh or NAME.npz beside NAME.mid, both beginning at the same moment.

`training/pairs.py` makes such a folder from dances and music that never met; its manifest, `pairs.json`, lists the
recording, the song and the part of the split of each pair.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backend.music import midi
from backend.music.midi_parser import SUFFIXES
from backend.music.score import Score
from rigs.files import READ_SUFFIXES, BadFile, read
from rigs.motion import Motion, resample
from training.data.duets import FPS, PARTS, assign_parts

MANIFEST = "pairs.json"
_MIN_SECONDS = 2.0
"""s of dance and music of the shortest pair."""


@dataclass(frozen=True)
class Pair:
    """A dance at 30 fps and its music; both begin at 0 s.

    recording, song: where they come from; no two parts of a split share one.  part: of the split, if it is given.
    """

    name: str
    dancer: Motion
    score: Score
    recording: str
    song: str
    part: str | None = None

    @property
    def seconds(self) -> float:
        """Length in s of the shorter of both."""
        return min(self.dancer.seconds, float(self.score.seconds[-1]))


@dataclass(frozen=True)
class PairSplit:
    """Pairs by part of the split."""

    train: list[Pair]
    validation: list[Pair]
    test: list[Pair]


def find_pairs(folder: Path) -> list[Pair]:
    """Read all pairs of a folder, sorted by name. Raises BadFile."""
    if not folder.is_dir():
        raise BadFile(f"{folder}: a folder of dances and music expected, NAME.bvh beside NAME.mid")
    manifest = _read_manifest(folder / MANIFEST)
    dances: dict[str, Path] = {}
    scores: dict[str, Path] = {}
    for path in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
        if path.suffix.lower() in READ_SUFFIXES and path.name != MANIFEST and not _is_list(path):
            dances.setdefault(path.stem, path)
        elif path.suffix.lower() in SUFFIXES:
            scores.setdefault(path.stem, path)
    if not dances or not scores:
        raise BadFile(f"{folder}: no pairs found, files named NAME.bvh (or .npz) and NAME.mid expected")
    for name in sorted(dances.keys() ^ scores.keys()):
        path, missing = (dances[name], f"{name}.mid") if name in dances else (scores[name], f"{name}.bvh or .npz")
        raise BadFile(f"{path}: no {missing} beside it")
    return [_read_pair(dances[name], scores[name], manifest.get(name, {})) for name in sorted(dances)]


def _read_pair(dance: Path, music: Path, entry: dict[str, str]) -> Pair:
    """Read a pair; entry: its manifest entry, if there is one. Prints the files' warnings. Raises BadFile."""
    clip, song = read(dance), midi.read(music)
    for warning in (*clip.warnings, *song.warnings):
        print(warning, file=sys.stderr)
    dancer, name = resample(clip.motions[0], FPS), dance.stem
    pair = Pair(name, dancer, song.score, entry.get("recording", name), entry.get("song", name), entry.get("part"))
    if pair.seconds < _MIN_SECONDS:
        raise BadFile(f"{dance}: {_MIN_SECONDS:g} s of dance and music or more expected, {pair.seconds:.1f} s found")
    return pair


def _is_list(path: Path) -> bool:
    """Whether a table has no song of its name beside it: then it is no dance but some list."""
    return path.suffix.lower() == ".csv" and not any(path.with_suffix(suffix).exists() for suffix in SUFFIXES)


def _read_manifest(path: Path) -> dict[str, Any]:
    """Manifest entries by pair name; none without a manifest. Raises BadFile."""
    if not path.exists():
        return {}
    try:
        entries = {entry["name"]: entry for entry in json.loads(path.read_text())["pairs"]}
    except (OSError, ValueError, KeyError, TypeError):
        raise BadFile(f"{path}: the list that training/pairs.py writes expected") from None
    for name, entry in entries.items():
        if entry.get("part", "train") not in PARTS:
            raise BadFile(f"{path}, {name}: a part of {', '.join(PARTS)} expected, {entry['part']!r} found")
    return entries


def split_pairs(pairs: Iterable[Pair], validation: Sequence[str], test: Sequence[str]) -> PairSplit:
    """Split pairs into training, validation and test: by their own part, or else by the names of their recordings.

    validation, test: names of recordings; where none of them is there, see `training.data.duets.assign_parts`.
    A pair whose song or recording is in another part already is left out. Raises BadFile when a part would be empty.
    """
    pairs = list(pairs)
    part_of_recording = assign_parts({pair.recording for pair in pairs if pair.part is None}, validation, test)
    parts: dict[str, list[Pair]] = {part: [] for part in PARTS}
    owner: dict[tuple[str, str], str] = {}
    for part in ("test", "validation", "train"):
        for pair in pairs:
            sources = [("song", pair.song), ("recording", pair.recording)]
            belongs = (pair.part or part_of_recording[pair.recording]) == part
            if belongs and all(owner.get(source, part) == part for source in sources):
                owner.update(dict.fromkeys(sources, part))
                parts[part].append(pair)
    for part, part_pairs in parts.items():
        if not part_pairs:
            raise BadFile(f"{len(pairs)} pairs: none left for {part}, at least three recordings and songs expected")
    return PairSplit(**parts)


def evenly_spaced(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """At most `count` of the pairs, evenly spaced over all of them."""
    return [pairs[i] for i in np.linspace(0, len(pairs) - 1, min(count, len(pairs))).astype(int)]
