"""All rigs of the tests of bone mapping with rest positions and each joint's bone, and names replaced by nonsense."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rigs import Array
from rigs.bone_mapping.bone_hierarchy import ancestors
from rigs.bone_mapping.bone_names import END_SITE
from rigs.files.bvh.bvh_parser import parse_bvh
from rigs.skeleton import DEFAULT_SKELETON, JOINTS, rest_positions
from tests.rigs.bone_mapping.dialect_rigs import dialect_names, dialect_rigs
from tests.rigs.bone_mapping.foreign_rigs import FOREIGN_RIGS
from tests.rigs.bone_mapping.known_rigs import (
    DEFINITION_JOINTS,
    RECORDING_JOINTS,
    Hierarchy,
    rig_definition,
    tool_hierarchy,
)

TOOLS = sorted(file.stem for file in Path(__file__).with_name("hierarchies").glob("*.json"))
CONTROL_TOOLS = frozenset(("auto_rig_pro",))
"""Rigs of animation controls, whose bones do not hang below each other as a body's do."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class PlacedRig:
    """A rig's names, parents and rest positions (N, 3), and for each joint with a bone that bone's index."""

    label: str
    names: list[str]
    parents: list[int]
    heads: Array
    joints: dict[str, int]

    def with_nonsense(self, share: float, seed: int) -> list[str]:
        """The names, of which a random `share` is replaced by "Bone.017" or by letters that mean nothing."""
        rng = np.random.default_rng(seed)
        bones = [n for n, name in enumerate(self.names) if not name.endswith(END_SITE)]
        new = {}
        for n in rng.permutation(bones)[: round(share * len(bones))]:
            letters = "".join(rng.choice(list(_LETTERS), size=int(rng.integers(4, 9))))
            new[self.names[n]] = f"Bone.{n:03}" if rng.random() < 0.5 else f"{letters}{n}"
        whole = [name.removesuffix(END_SITE) for name in self.names]
        return [
            new.get(bone, bone) + (END_SITE if name.endswith(END_SITE) else "")
            for bone, name in zip(whole, self.names, strict=True)
        ]

    def right(self, bones: Sequence[int]) -> int:
        """How many joints that have a bone have the right one in a map (29,)."""
        return sum(bones[JOINTS.index(joint)] == bone for joint, bone in self.joints.items())


def placed_rigs(corpus: Path | None) -> Iterator[PlacedRig]:
    """All rigs; those of the corpus too if there is one."""
    for name in dialect_names():
        rig = dialect_rigs(name)[0]
        assert rig.rig.heads is not None
        yield _placed(name, rig.rig.names, rig.rig.parents, rig.rig.heads, rig.joints)
    for name in TOOLS:
        hierarchy, joints, _ = tool_hierarchy(name, tails=False)
        joints = {joint: bone for joint, bone in joints.items() if bone in hierarchy.names}
        if name not in CONTROL_TOOLS:
            yield _placed(f"tool {name}", hierarchy.names, hierarchy.parents, dancer_places(hierarchy, joints), joints)
    for name, foreign in FOREIGN_RIGS.items():
        yield _placed(name, foreign.names, foreign.parents, foreign.heads, foreign.joints)
    if corpus is None:
        return
    for name, joints in DEFINITION_JOINTS.items():
        definition = rig_definition(corpus, name)
        assert definition.heads is not None
        yield _placed(f"definition {name}", definition.names, definition.parents, definition.heads, joints)
    for name, joints in RECORDING_JOINTS.items():
        parsed = parse_bvh(corpus / f"{name}.bvh")
        heads = rest_positions(parsed.offsets, parsed.parents)
        yield _placed(name.rpartition("/")[2], parsed.names, parsed.parents, heads, joints)


def _placed(
    label: str, names: Sequence[str], parents: Sequence[int], heads: Array, joints: dict[str, str]
) -> PlacedRig:
    indices = {joint: list(names).index(bone) for joint, bone in joints.items()}
    return PlacedRig(label, list(names), list(parents), heads, indices)


def dancer_places(hierarchy: Hierarchy, joints: dict[str, str]) -> Array:
    """Rest positions (N, 3) m: joints where the default dancer has them, and others between joints or near a parent."""
    body = dict(zip(JOINTS, DEFAULT_SKELETON.rest_positions(), strict=True))
    joint_of = {hierarchy.names.index(bone): joint for joint, bone in joints.items()}
    placed = {bone: body[joint] for bone, joint in joint_of.items()}
    between: dict[int, Array] = {}
    for bone in joint_of:  # bones between two joints are spread evenly
        path = ancestors(bone, hierarchy.parents)
        above = next((n for n, each in enumerate(path) if each in placed), None)
        for n in range(above or 0):
            assert above is not None
            step = (placed[path[above]] - placed[bone]) / (above + 1)
            between.setdefault(path[n], placed[bone] + step * (n + 1))
    heads = np.zeros((len(hierarchy.names), 3))
    count: dict[int, int] = {}
    for bone, parent in enumerate(hierarchy.parents):
        if bone in placed or bone in between:
            heads[bone] = placed.get(bone, between.get(bone))
        elif parent >= 0:
            n = count[parent] = count.get(parent, 0) + 1
            side = np.sign(heads[parent, 0])
            out = np.array([side, 0.0, 0.0]) if abs(heads[parent, 0]) > 0.3 else np.array([0.0, -1.0, 0.2])
            heads[bone] = heads[parent] + 0.03 * out + np.array([0.004 * side, 0.02 * (-1) ** n * (n // 2 + 1), 0.0])
    return heads
