"""The fuzzer of one reader: damages one of its files after another and tries what the reader does with them."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from tests.fuzz.blender_targets import built_in_blender
from tests.fuzz.mutations import mutate
from tests.fuzz.targets import built_files, corpus_files
from tests.fuzz.trial import Target, Trial, try_file

_MAX_SHORT, _MAX_ROWS = 20_000, 60
"""Bytes and rows of real files that are mutated: the rest is more of the same."""
_MAX_LARGE, _LARGE_SHARE = 3_000_000, 0.02
"""Bytes of whole files that are mutated now and then, for their time and memory a megabyte."""
_MEASURED_SHARE = 0.3
"""Files of which the memory is measured too, which takes several times as long as reading them."""


@dataclass(frozen=True)
class Seed:
    """A file that is mutated. beside: the file that must stand beside it, by suffix."""

    name: str
    content: bytes
    beside: dict[str, bytes]


class Fuzzer:
    """Mutates the files of a target in a folder of its own; corpus: a folder of real files, if there is one."""

    def __init__(self, target: Target, folder: Path, corpus: Path | None) -> None:
        self.target = target
        self._folder = folder
        built = folder / "built"
        built.mkdir()
        is_blender = target.name.startswith("Blender")
        seeds = built_in_blender(target.suffix, built) if is_blender else built_files(target, built)
        if corpus is not None:
            seeds += corpus_files(target, corpus)
        self.seeds = [_load_seed(path) for path in seeds]
        self._large = [_load_seed(path, whole=True) for path in seeds if _MAX_SHORT < path.stat().st_size < _MAX_LARGE]
        """The files, of which those that are refused are left out by `try_seeds`."""

    def try_seeds(self) -> list[tuple[Seed, Trial]]:
        """Try the files as they are, which also loads all modules; leave out those that are refused."""
        trials = [(seed, self._try(seed, seed.content)) for seed in self.seeds]
        self.seeds = [seed for seed, trial in trials if not trial.refused]
        return trials

    def try_mutation(self, random: Random) -> tuple[bytes, Trial]:
        """Try one mutated file; also returns its content."""
        is_large = self._large and random.random() < _LARGE_SHARE
        seed = random.choice(self._large if is_large else self.seeds)
        content = mutate(seed.content, self.target.family, random)
        return content, self._try(seed, content, measure_memory=is_large or random.random() < _MEASURED_SHARE)

    @property
    def path(self) -> Path:
        """The file that is tried."""
        return self._folder / f"fuzzed{self.target.suffix}"

    def _try(self, seed: Seed, content: bytes, *, measure_memory: bool = True) -> Trial:
        for suffix, beside in seed.beside.items():
            self.path.with_suffix(suffix).write_bytes(beside)
        self.path.write_bytes(content)
        size = len(content) + sum(map(len, seed.beside.values()))
        return try_file(self.target, self.path, size, measure_memory=measure_memory)


def _load_seed(path: Path, *, whole: bool = False) -> Seed:
    """The beginning of a file, and for an Acclaim recording its skeleton, or for a skeleton a recording."""
    beside: dict[str, bytes] = {}
    for suffix, other in ((".amc", ".asf"), (".asf", ".amc")):
        if path.suffix == suffix:
            beside = {found.suffix: _shorten(found) for found in sorted(path.parent.glob(f"*{other}"))[:1]}
    return Seed(path.name, path.read_bytes() if whole else _shorten(path), beside)


def _shorten(path: Path) -> bytes:
    """The beginning of a file that is still one of its kind."""
    content = path.read_bytes()
    if path.suffix in (".bvh", ".amc"):
        return content[: content.rfind(b"\n", 0, _MAX_SHORT) + 1] if len(content) > _MAX_SHORT else content
    if path.suffix == ".npy":
        written = io.BytesIO()
        np.save(written, np.load(path)[:_MAX_ROWS])
        return written.getvalue()
    if path.suffix == ".json" and isinstance(document := json.loads(content), list):
        return json.dumps(document[:_MAX_ROWS]).encode()
    return content


def first_faults(trials: Sequence[tuple[bytes, Trial]]) -> list[tuple[bytes, Trial]]:
    """The smallest input of each fault, faults that differ only in numbers and quotations being one."""
    smallest: dict[str, tuple[bytes, Trial]] = {}
    for content, trial in sorted(trials, key=lambda pair: len(pair[0])):
        smallest.setdefault(_fault_kind(trial.fault), (content, trial))
    return list(smallest.values())


def _fault_kind(fault: str) -> str:
    return "".join("0" if letter.isdigit() else letter for letter in fault)[:60]
