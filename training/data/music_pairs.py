"""Folders of dance and music on one clock: NAME.bvh or NAME.npz beside NAME.mid, both beginning at the same moment.

`training/pairs.py` makes such a folder where there is none, of dances and music that never met; its `pairs.json` says
which dance and which music a pair is made of, and which part it belongs to.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.music import midi
from backend.music.score import Score
from rigs.files import READ_SUFFIXES, BadFile, read
from rigs.motion import Motion, resample
from training.data.duets import FPS, PARTS, assign_parts

MANIFEST = "pairs.json"
_SHORTEST = 2.0
"""s of dance or music below which there is nothing to learn from."""


@dataclass(frozen=True)
class Pair:
    """A dance at 30 fps and its music; both begin at 0 s.

    recording, song: what they are taken from, no two parts share one.  part: the one it was dealt to, if it was.
    """

    name: str
    dancer: Motion
    score: Score
    recording: str
    song: str
    part: str | None = None

    @property
    def seconds(self) -> float:
        """How long both last."""
        return min(self.dancer.seconds, float(self.score.seconds[-1]))


@dataclass(frozen=True)
class PairSplit:
    """The pairs of each part."""

    train: list[Pair]
    validation: list[Pair]
    test: list[Pair]


def find_pairs(folder: Path) -> list[Pair]:
    """Every dance of a folder that has music beside it, by name. Raises BadFile."""
    if not folder.is_dir():
        raise BadFile(f"{folder}: a folder of dances and music expected, NAME.bvh beside NAME.mid")
    about = _manifest(folder / MANIFEST)
    dances: dict[str, Path] = {}
    scores: dict[str, Path] = {}
    for path in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
        if path.suffix.lower() in READ_SUFFIXES and path.name != MANIFEST:
            dances.setdefault(path.stem, path)
        elif path.suffix.lower() in midi.SUFFIXES:
            scores.setdefault(path.stem, path)
    if not dances or not scores:
        raise BadFile(f"{folder}: no pairs found, files named NAME.bvh (or .npz) and NAME.mid expected")
    for name in sorted(dances.keys() ^ scores.keys()):
        there, missing = (dances[name], f"{name}.mid") if name in dances else (scores[name], f"{name}.bvh or .npz")
        raise BadFile(f"{there}: no {missing} beside it")
    return [_paired(dances[name], scores[name], about.get(name, {})) for name in sorted(dances)]


def _paired(dance: Path, music: Path, about: dict[str, str]) -> Pair:
    dancer, name = resample(read(dance).motions[0], FPS), dance.stem
    pair = Pair(
        name, dancer, midi.read(music), about.get("recording", name), about.get("song", name), about.get("part")
    )
    if pair.seconds < _SHORTEST:
        raise BadFile(f"{dance}: {_SHORTEST:g} s of dance and music or more expected, {pair.seconds:.1f} s found")
    return pair


def _manifest(path: Path) -> dict[str, Any]:
    """What is said of each pair by its name. Raises BadFile."""
    if not path.exists():
        return {}
    try:
        pairs = json.loads(path.read_text())["pairs"]
        found = {pair["name"]: pair for pair in pairs}
    except (OSError, ValueError, KeyError, TypeError):
        raise BadFile(f"{path}: the list that training/pairs.py writes expected") from None
    for name, pair in found.items():
        if pair.get("part", "train") not in PARTS:
            raise BadFile(f"{path}, {name}: a part of {', '.join(PARTS)} expected, {pair['part']!r} found")
    return found


def split_pairs(pairs: Iterable[Pair], validation: Sequence[str], test: Sequence[str]) -> PairSplit:
    """Deal out the pairs: those that know their part to it, the others by their recordings' names.

    validation, test: names of recordings; where none of them is there, see `training.data.duets.deal`.
    A pair whose song or recording another part has is left out, so that none is in two parts.
    Raises BadFile when a part would be empty.
    """
    pairs = list(pairs)
    by_name = assign_parts({pair.recording for pair in pairs if pair.part is None}, validation, test)
    parts: dict[str, list[Pair]] = {part: [] for part in PARTS}
    owner: dict[tuple[str, str], str] = {}
    for part in ("test", "validation", "train"):
        for pair in pairs:
            taken = [("song", pair.song), ("recording", pair.recording)]
            mine = (pair.part or by_name[pair.recording]) == part
            if mine and all(owner.get(what, part) == part for what in taken):
                owner.update(dict.fromkeys(taken, part))
                parts[part].append(pair)
    for part, dealt in parts.items():
        if not dealt:
            raise BadFile(f"{len(pairs)} pairs: none left for {part}, at least three recordings and songs expected")
    return PairSplit(**parts)
