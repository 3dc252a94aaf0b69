"""Files in other axes and units, read right, right with a warning, wrong with a warning, or silently wrong.

    python -m tests.benchmarks.file_conventions [--each] [FOLDER]

Every motion file of the corpus is rewritten with each axis up (the whole file, and the movement alone as by a rotated
root), upside down, with two axes swapped, and in mm, cm, inches, feet and metres; posed clips of floor work,
acrobatics, running and stillness are written as BVH and treated likewise. What is read is compared with the original,
up to its heading and place. --each prints a row for each file, FOLDER is one of the corpus, or posed. Exit
status 1 for any silently wrong result.
"""

import os
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rigs import Array
from rigs.files import BadFile, Clip, read, write
from rigs.motion import Motion
from tests.rigs.files.conventions import posed_clips
from tests.rigs.files.file_variants import rewrite, variants

TOLERANCE = 0.02  # m
SCALE_TOLERANCE = 0.02
OUTCOMES = ("right", "right, told", "wrong, told", "refused", "SILENTLY WRONG")
SUFFIXES = (".bvh", ".amc", ".npy", ".npz", ".json", ".csv")
SHOWN = 60


def main() -> int:
    data = Path(os.environ.get("PASDEDEUX_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
    if not data.is_dir():
        print(f"{data}: no such folder (set PASDEDEUX_DATA)", file=sys.stderr)
        return 2
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    silent = []
    with tempfile.TemporaryDirectory() as folder:
        chosen = [argument for argument in sys.argv[1:] if argument != "--each"]
        for kind, path in _files(data, Path(folder)):
            if chosen and kind not in chosen:
                continue
            try:
                original = read(path)
            except BadFile as error:
                print(f"{path.name}: left out ({error})")
                continue
            outcomes = {}
            for name, outcome, detail in _outcomes(path, original, Path(folder, "variant")):
                counts[f"{kind:<12} {_group(name)}"][outcome] += 1
                outcomes[name] = outcome
                if outcome == OUTCOMES[-1]:
                    silent.append(f"{path.name}, {name}: {detail}")
            if "--each" in sys.argv:
                bad = {name: outcome for name, outcome in outcomes.items() if outcome != "right"}
                print(f"{path.name:<44} {bad}", flush=True)
    print(f"{'files':<12} {'variant':<22}" + "".join(f"{outcome:>16}" for outcome in OUTCOMES))
    total: Counter[str] = Counter()
    for row, count in counts.items():
        print(f"{row:<35}" + "".join(f"{count[outcome]:>16}" for outcome in OUTCOMES))
        total += count
    print(f"{'all':<35}" + "".join(f"{total[outcome]:>16}" for outcome in OUTCOMES))
    for line in silent[:SHOWN]:
        print(line)
    return 1 if silent else 0


def _files(data: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """The kind and path of each file: of the corpus, and written from it and from posed clips into `folder`."""
    corpus = [
        path
        for path in sorted(data.rglob("*"))
        if path.suffix in SUFFIXES and not {"sealed", "rig_definitions", "midi"} & set(path.relative_to(data).parts)
    ]
    for path in corpus:
        yield path.relative_to(data).parts[0], path
    leader = read(data / "salsa" / "salsa_07_leader.bvh").motions[0]
    for suffix in (".npz", ".csv"):
        path = folder / f"salsa_07_leader{suffix}"
        write(path, leader)
        yield "written", path
    for name in posed_clips.CLIPS:
        path = folder / f"{name}.bvh"
        write(path, posed_clips.motion(name))
        yield "posed", path


def _outcomes(path: Path, original: Clip, target: Path) -> Iterator[tuple[str, str, str]]:
    """Name, outcome and detail of each variant of a file, which is written to `target`."""
    up = "-Y" if path.suffix in (".npy", ".json") else original.source.up
    target = target.with_suffix(path.suffix)
    for name, (matrix, factor, rest) in variants(up, original.source.units).items():
        if name == "axes swapped" and path.suffix in (".bvh", ".amc", ".npz"):
            continue  # rotations have no mirror image
        if path.stem == "lying" and not rest:
            continue  # a dancer who lies straight and still, turned upright, is one who stands still
        if not rewrite(path, target, matrix, factor, rest=rest):
            continue
        try:
            clip = read(target)
        except BadFile as error:
            yield name, "refused", str(error)
            continue
        told = any("--up" in warning or "--unit" in warning or "left-handed" in warning for warning in clip.warnings)
        difference = max(_difference(*pair) for pair in zip(original.motions, clip.motions, strict=True))
        is_right = difference < TOLERANCE
        outcome = ("right, told" if told else "right") if is_right else ("wrong, told" if told else "SILENTLY WRONG")
        yield name, outcome, f"{difference:.2f} m, up {clip.source.up}, unit {clip.source.units:.4g}"


def _difference(wanted: Motion, found: Motion) -> float:
    """The largest distance (m) of a joint from where it should be about the pelvis, and of heights, up to heading."""
    frames = np.unique(np.linspace(0, len(wanted) - 1, 40).astype(int))
    a, b = (motion.positions[frames] - motion.root[frames][:, None] * [1.0, 1.0, 0.0] for motion in (wanted, found))
    a, b = (positions - [0.0, 0.0, positions[..., 2].min()] for positions in (a, b))
    return float(np.linalg.norm(a - _turned_to(a, b), axis=-1).max())


def _turned_to(wanted: Array, found: Array) -> Array:
    """`found` turned about the vertical axis to fit `wanted` best."""
    c = wanted[..., 0] + 1j * wanted[..., 1]
    d = found[..., 0] + 1j * found[..., 1]
    d = d * np.exp(1j * np.angle(np.sum(c * np.conj(d))))
    return np.stack([d.real, d.imag, found[..., 2]], axis=-1)


def _group(name: str) -> str:
    """The row of the table for a variant."""
    if name.startswith("movement"):
        return "movement turned"
    return "each axis up" if name.endswith(" up") else name


if __name__ == "__main__":
    sys.exit(main())
