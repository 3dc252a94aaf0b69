"""Bones that are mapped right, of those that the rigs have, while more and more names are nonsense.

    python -m tests.benchmarks.bone_mapping [--seeds 5]

For each rig of the tests: right of present by names and places together, as it is and with 30, 50, 80 and 100 % of the
names replaced; then the sums over all rigs, beside names alone and places alone; then the time for 500 bones.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rigs.bone_mapping.bone_map import UnmappableRig
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.bone_mapping.structure.structure_mapper import map_by_structure
from tests import installed
from tests.rigs.bone_mapping.placed_rigs import PlacedRig, placed_rigs

SHARES = (0.0, 0.3, 0.5, 0.8, 1.0)
Mapper = Callable[[PlacedRig, list[str]], Sequence[int] | None]


def by_names_and_places(rig: PlacedRig, names: list[str]) -> Sequence[int]:
    return map_bones(names, rig.parents, rig.heads).bones


def by_names(rig: PlacedRig, names: list[str]) -> Sequence[int]:
    return map_bones(names, rig.parents).bones


def by_places(rig: PlacedRig, names: list[str]) -> Sequence[int] | None:
    return map_by_structure(rig.parents, rig.heads)


def right_bones(mapper: Mapper, rig: PlacedRig, share: float, seeds: int) -> float:
    """The mean number of right bones, none where the rig is not mapped."""
    right = 0
    for seed in range(seeds if share > 0.0 else 1):
        try:
            bones = mapper(rig, rig.with_nonsense(share, seed))
        except UnmappableRig:
            bones = None
        right += rig.right(bones) if bones is not None else 0
    return right / (seeds if share > 0.0 else 1)


def mapping_time(rigs: Sequence[PlacedRig], count: int = 500) -> tuple[float, int]:
    """Milliseconds to map a rig of `count` bones at least: one of the rigs among helper bones; and its bones."""
    rig = max(rigs, key=lambda each: len(each.names))
    names, parents, heads = list(rig.names), list(rig.parents), rig.heads
    n = 0
    while len(names) < count:
        names.append(f"helper_{n:03}")
        parents.append(n % len(rig.names))
        n += 1
    heads = heads[[*range(len(rig.names)), *(k % len(rig.names) for k in range(n))]]
    map_bones(names, parents, heads)
    start = time.perf_counter()
    for _ in range(5):
        map_bones(names, parents, heads)
    return (time.perf_counter() - start) / 5 * 1e3, len(names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    corpus = Path(os.environ.get("PASDEDEUX_DATA", installed.ROOT.parent / "shared" / "data"))
    rigs = list(placed_rigs(corpus if corpus.is_dir() else None))
    print(f"{'rig':34}{'present':>8}" + "".join(f"{f'{share:.0%}':>8}" for share in SHARES) + "   nonsense among names")
    for rig in rigs:
        right = [right_bones(by_names_and_places, rig, share, seeds) for share in SHARES]
        print(f"{rig.label:34}{len(rig.joints):8}" + "".join(f"{n:8.1f}" for n in right))
    present = sum(len(rig.joints) for rig in rigs)
    mappers = {"names and places": by_names_and_places, "names alone": by_names, "places alone": by_places}
    for label, mapper in mappers.items():
        shares = [sum(right_bones(mapper, rig, share, seeds) for rig in rigs) / present for share in SHARES]
        print(f"{label:34}{present:8}" + "".join(f"{share:8.1%}" for share in shares))
    milliseconds, bones = mapping_time(rigs)
    print(f"{milliseconds:.0f} ms for {bones} bones")


if __name__ == "__main__":
    main()
