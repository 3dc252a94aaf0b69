"""Bone mapping by rest positions alone, and skeletons that are no humanoid."""

from pathlib import Path

import numpy as np
import pytest

from rigs import Array
from rigs.bone_mapping.bone_map import BY_STRUCTURE, REQUIRED, UnmappableRig
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.bone_mapping.structure import structure_mapper
from rigs.files.bvh.bvh_parser import parse_bvh
from rigs.rotations import from_axis_angle, rotate
from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS, MIRROR_JOINTS, PARENTS, rest_positions
from tests.rigs.bone_mapping.known_rigs import DEFINITION_JOINTS, RECORDING_JOINTS, Hierarchy, rig_definition

UPRIGHT_RECORDINGS = [name for name in RECORDING_JOINTS if "rokoko" not in name and "dataset" not in name]
"""The recordings whose rest pose is a body's."""
CORE = (*REQUIRED, "left_foot", "right_foot", "left_collar", "right_collar", "spine3")
ALTERNATIVES = {
    # where the place says as well that another bone is the joint
    "salsa/salsa_07_leader": {"left_wrist": "lwrist", "right_wrist": "rwrist"},
    "default": {"left_foot": "toe1-1.L", "right_foot": "toe1-1.R"},
}


def rig_and_truth(corpus: Path, name: str) -> tuple[Hierarchy, dict[str, str]]:
    if name in DEFINITION_JOINTS:
        return rig_definition(corpus, name), DEFINITION_JOINTS[name] | ALTERNATIVES.get(name, {})
    parsed = parse_bvh(corpus / f"{name}.bvh")
    rig = Hierarchy(list(parsed.names), list(parsed.parents), rest_positions(parsed.offsets, parsed.parents))
    return rig, RECORDING_JOINTS[name] | ALTERNATIVES.get(name, {})


def nameless(rig: Hierarchy) -> list[str]:
    return [f"bone_{n:03}" for n in range(len(rig.names))]


def core_names(rig: Hierarchy, bones: tuple[int, ...] | list[int]) -> dict[str, str]:
    return {joint: rig.names[bone] for joint, bone in zip(JOINTS, bones, strict=True) if bone >= 0 and joint in CORE}


@pytest.mark.parametrize("name", [*DEFINITION_JOINTS, *UPRIGHT_RECORDINGS])
def test_a_rig_without_names_is_mapped_by_its_rest_pose(corpus: Path, name: str) -> None:
    rig, truth = rig_and_truth(corpus, name)
    bone_map = map_bones(nameless(rig), rig.parents, rig.heads)
    assert bone_map.convention == BY_STRUCTURE
    assert core_names(rig, bone_map.bones) == {joint: bone for joint, bone in truth.items() if joint in CORE}
    assert 0.4 < bone_map.confidence < 0.7


@pytest.mark.parametrize("name", [*DEFINITION_JOINTS, *UPRIGHT_RECORDINGS])
def test_which_side_is_left_follows_from_where_the_toes_point(corpus: Path, name: str) -> None:
    rig, _ = rig_and_truth(corpus, name)
    assert rig.heads is not None
    straight = structure_mapper.map_by_structure(rig.parents, rig.heads)
    turn = from_axis_angle(np.array([0.6, 0.0, 0.8]), np.array(2.5))
    turned = structure_mapper.map_by_structure(rig.parents, rotate(turn, rig.heads) * 7.0 + 3.0)
    mirrored = structure_mapper.map_by_structure(rig.parents, rig.heads * [-1.0, 1.0, 1.0])
    assert straight is not None
    assert turned == straight
    assert mirrored is not None
    assert core_names(rig, [mirrored[j] for j in MIRROR_JOINTS]) == core_names(rig, straight)


def test_our_own_skeleton_is_mapped_with_spine_neck_and_hands() -> None:
    bones = structure_mapper.map_by_structure(PARENTS, DEFAULT_SKELETON.rest_positions())
    assert bones is not None
    leaves = ("_bigtoe", "_middle", "head")
    assert [bones[j] for j, name in enumerate(JOINTS) if not name.endswith(leaves)] == [
        j for j, name in enumerate(JOINTS) if not name.endswith(leaves)
    ]


def test_control_bones_beside_the_skeleton_are_ignored() -> None:
    positions = DEFAULT_SKELETON.rest_positions()
    extra, parents = [], list(PARENTS)
    for side in ("left", "right"):
        ankle = positions[INDEX[f"{side}_ankle"]]
        for n, (up, offset) in enumerate([(-1, 0.0), (0, 0.1), (1, 0.25), (2, 0.4)]):
            parents.append(-1 if up < 0 else len(PARENTS) + len(extra) - 1)
            extra.append(ankle + np.array([0.0, -offset, 0.02 * n]))
    bones = structure_mapper.map_by_structure(parents, np.concatenate([positions, extra]))
    assert bones is not None
    assert max(bones) < len(PARENTS)


def quadruped() -> tuple[list[int], Array]:
    """A spine along Y with two pairs of legs downwards, of a horse's proportions."""
    parents, positions = (
        [-1, 0, 1, 2, 3],
        [[0, 0.6, 1.3], [0, 0.2, 1.3], [0, -0.3, 1.3], [0, -0.6, 1.6], [0, -0.9, 1.7]],
    )
    for y, hip in ((0.6, 0), (-0.3, 2)):
        for x in (0.2, -0.2):
            legs = [[x, y, 1.2], [x, y - 0.05, 0.7], [x, y + 0.05, 0.3], [x, y - 0.1, 0.0]]
            for n, place in enumerate(legs):
                parents.append(hip if n == 0 else len(positions) - 1)
                positions.append(place)
    return parents, np.array(positions, dtype=float)


def hand() -> tuple[list[int], Array]:
    """A wrist with five fingers of three bones and a tip."""
    parents, positions = [-1], [[0.0, 0.0, 0.0]]
    for finger in range(5):
        for n in range(4):
            parents.append(0 if n == 0 else len(positions) - 1)
            positions.append([0.02 * (finger - 2), 0.08 + 0.03 * n, 0.0])
    return parents, np.array(positions)


def rope() -> tuple[list[int], Array]:
    return [*range(-1, 199)], np.cumsum(np.full((200, 3), 0.1), axis=0)


def spider() -> tuple[list[int], Array]:
    """A body with eight equal legs."""
    parents, positions = [-1], [[0.0, 0.0, 0.5]]
    for angle in np.linspace(0.0, 2.0 * np.pi, 8, endpoint=False) + 0.2:
        out = np.array([np.cos(angle), np.sin(angle), 0.0])
        for n, (reach, height) in enumerate([(0.1, 0.5), (0.5, 0.9), (0.9, 0.4), (1.1, 0.0)]):
            parents.append(0 if n == 0 else len(positions) - 1)
            positions.append(list(out * reach + [0.0, 0.0, height]))
    return parents, np.array(positions)


@pytest.mark.parametrize("make", [quadruped, hand, rope, spider])
def test_other_creatures_are_not_mapped(make: object) -> None:
    parents, positions = make()  # type: ignore[operator]
    assert structure_mapper.map_by_structure(parents, positions) is None
    with pytest.raises(UnmappableRig, match="a humanoid with two arms and two legs expected"):
        map_bones([f"bone_{n}" for n in range(len(parents))], parents, positions)


@pytest.mark.parametrize("seed", range(20))
def test_random_bones_are_not_mapped(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parents = [-1, *(int(rng.integers(0, n)) for n in range(1, 60))]
    assert structure_mapper.map_by_structure(parents, rng.normal(size=(60, 3))) is None


@pytest.mark.parametrize("positions", [np.zeros((29, 3)), np.full((29, 3), np.nan)], ids=["one point", "not numbers"])
def test_bones_without_valid_positions_are_not_mapped(positions: Array) -> None:
    assert structure_mapper.map_by_structure(PARENTS, positions) is None


def test_an_empty_rig_is_not_mapped() -> None:
    assert structure_mapper.map_by_structure([], np.zeros((0, 3))) is None
    with pytest.raises(UnmappableRig, match="no bone for pelvis"):
        map_bones([], [])
