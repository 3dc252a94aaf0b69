"""Bone mapping by names of known conventions, checked against the hierarchy and against maps written by hand."""

from pathlib import Path

import numpy as np
import pytest

from rigs.bone_mapping.bone_map import REQUIRED, BoneMap, UnmappableRig
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.files.bvh.bvh_parser import parse_bvh
from rigs.skeleton import CHILDREN, DEFAULT_SKELETON, INDEX, JOINTS, PARENTS, rest_positions
from tests.rigs.bone_mapping.known_rigs import (
    DEFINITION_JOINTS,
    RECORDING_JOINTS,
    Hierarchy,
    rig_definition,
    tool_hierarchy,
)

OWN_PARENTS = list(PARENTS)
TOOLS = sorted(file.stem for file in Path(__file__).with_name("hierarchies").glob("*.json"))


def mapped_names(bone_map: BoneMap, names: list[str]) -> dict[str, str]:
    return {joint: names[bone] for joint, bone in zip(JOINTS, bone_map.bones, strict=True) if bone >= 0}


def wrong_joints(bone_map: BoneMap, names: list[str], truth: dict[str, str]) -> dict[str, str | None]:
    """The joints with another bone than the truth has; of leaves it need not speak."""
    mapped = mapped_names(bone_map, names)
    checked = [joint for joint in JOINTS if joint in truth or CHILDREN[INDEX[joint]]]
    return {joint: mapped.get(joint) for joint in checked if mapped.get(joint) != truth.get(joint)}


def test_our_own_names_map_one_to_one() -> None:
    bone_map = map_bones(list(JOINTS), OWN_PARENTS)
    assert bone_map.bones == tuple(range(29))
    assert bone_map.missing == ()
    assert bone_map.convention.t_pose
    assert bone_map.joint_confidence == (1.0,) * 29
    assert bone_map.confidence == 1.0
    assert [JOINTS[bone] for bone in bone_map.spine] == ["spine1", "spine2", "spine3"]
    assert [JOINTS[bone] for bone in bone_map.neck] == ["neck", "jaw"]


@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize("tails", [True, False], ids=["with tails", "bones only"])
def test_a_naming_convention_is_mapped(name: str, tails: bool) -> None:
    rig, truth, convention = tool_hierarchy(name, tails=tails)
    bone_map = map_bones(rig.names, rig.parents)
    assert wrong_joints(bone_map, rig.names, truth) == {}
    assert bone_map.convention.name == convention
    assert bone_map.confidence > 0.8


@pytest.mark.parametrize("name", DEFINITION_JOINTS)
def test_a_rig_definition_is_mapped(corpus: Path, name: str) -> None:
    rig = rig_definition(corpus, name)
    bone_map = map_bones(rig.names, rig.parents, rig.heads)
    assert mapped_names(bone_map, rig.names) == DEFINITION_JOINTS[name]
    assert bone_map.confidence > 0.95


@pytest.mark.parametrize("name", RECORDING_JOINTS)
def test_a_recordings_skeleton_is_mapped(corpus: Path, name: str) -> None:
    parsed = parse_bvh(corpus / f"{name}.bvh")
    names = list(parsed.names)
    for bone_map in (
        map_bones(names, parsed.parents),
        map_bones(names, parsed.parents, rest_positions(parsed.offsets, parsed.parents)),
    ):
        assert mapped_names(bone_map, names) == RECORDING_JOINTS[name]
        assert bone_map.confidence > 0.95


@pytest.mark.parametrize(
    ("name", "spine", "neck"),
    [
        ("unreal5", "spine_01 spine_02 spine_03 spine_04 spine_05", "neck_01 neck_02 head"),
        ("daz_genesis8", "abdomenLower abdomenUpper chestLower chestUpper", "neckLower neckUpper head"),
        ("sparse", "Armature_body", "Armature_head"),
        ("auto_rig_pro", "c_spine_01.x c_spine_02.x c_spine_03.x", "c_neck.x c_head.x"),
    ],
)
def test_all_spine_and_neck_bones_are_mapped(name: str, spine: str, neck: str) -> None:
    rig, _, _ = tool_hierarchy(name)
    bone_map = map_bones(rig.names, rig.parents)
    assert [rig.names[bone] for bone in bone_map.spine] == spine.split()
    assert [rig.names[bone] for bone in bone_map.neck] == neck.split()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
def test_spines_of_any_length_reach_from_the_pelvis_to_the_chest(count: int) -> None:
    names, parents = list(JOINTS), OWN_PARENTS.copy()
    rest = [j for j in range(29) if not names[j].startswith("spine")]
    own = [f"backbone{n}" for n in range(count)]
    chest = {"neck", "left_collar", "right_collar"}
    names = ["pelvis", *own, *(JOINTS[j] for j in rest[1:])]
    above = {**{bone: names[n] for n, bone in enumerate(own)}, **dict.fromkeys(chest, own[-1])}
    parents = [
        names.index(above.get(name) or JOINTS[PARENTS[INDEX[name]]]) if n else -1 for n, name in enumerate(names)
    ]
    bone_map = map_bones(names, parents)
    assert [names[bone] for bone in bone_map.spine] == own
    names_by_joint = mapped_names(bone_map, names)
    assert names_by_joint["spine1"] == own[0]
    assert names_by_joint.get("spine3") == (own[-1] if count > 1 else None)
    assert ("spine2" in names_by_joint) == (count > 2)


def test_the_convention_that_matches_most_joints_wins() -> None:
    names = [*JOINTS, "Hips", "LeftUpLeg"]
    bone_map = map_bones(names, [*OWN_PARENTS, -1, 29])
    assert mapped_names(bone_map, names) == {joint: joint for joint in JOINTS}


@pytest.mark.parametrize("joint", REQUIRED)
def test_the_error_names_the_joint_without_a_bone(joint: str) -> None:
    names = [name if name != joint else "thing" for name in JOINTS]
    with pytest.raises(UnmappableRig, match=f"no bone for {joint}; a humanoid with two arms and two legs expected"):
        map_bones(names, OWN_PARENTS)


@pytest.mark.parametrize("joint", REQUIRED)
def test_a_bone_without_a_name_is_found_by_its_place_with_less_confidence(joint: str) -> None:
    names = [name if name != joint else "thing" for name in JOINTS]
    bone_map = map_bones(names, OWN_PARENTS, DEFAULT_SKELETON.rest_positions())
    assert bone_map.bones == tuple(range(29))
    assert bone_map.joint_confidence[INDEX[joint]] <= 0.8
    assert not bone_map.convention.t_pose  # as not all names are those of our own skeleton


def test_a_bone_in_the_wrong_branch_is_not_matched() -> None:
    parents = OWN_PARENTS.copy()
    parents[INDEX["left_knee"]] = INDEX["right_hip"]
    with pytest.raises(UnmappableRig, match="no bone for left_knee"):
        map_bones(list(JOINTS), parents)


def test_a_bone_missing_from_a_convention_is_matched_by_generic_words() -> None:
    rig, _, _ = tool_hierarchy("perception_neuron")
    names = [name.replace("Hand", "Wrist") if name.endswith("Hand") else name for name in rig.names]
    bone_map = map_bones(names, rig.parents)
    assert mapped_names(bone_map, names)["left_wrist"] == "Robot_LeftWrist"
    assert 0.0 < bone_map.joint_confidence[INDEX["left_wrist"]] < bone_map.joint_confidence[INDEX["left_elbow"]]
    assert bone_map.confidence < 1.0


def test_a_single_bone_beyond_the_last_is_the_leaf_joint() -> None:
    names = ["tip" if not CHILDREN[j] else name for j, name in enumerate(JOINTS)]
    assert map_bones(names, OWN_PARENTS).bones == tuple(range(29))


def test_one_of_several_bones_beyond_the_last_is_not_the_leaf_joint() -> None:
    names = [*("tip" if name == "head" else name for name in JOINTS), "left eye"]
    assert map_bones(names, [*OWN_PARENTS, INDEX["jaw"]]).missing == ("head",)


def test_asymmetric_names_lower_the_confidence() -> None:
    rig, _, _ = tool_hierarchy("gltf_mixamo")
    names = [name.replace("LeftFoot", "LeftAnkle") for name in rig.names]
    bone_map = map_bones(names, rig.parents)
    assert mapped_names(bone_map, names)["left_ankle"] == "mixamorigLeftAnkle"
    assert bone_map.joint_confidence[INDEX["right_ankle"]] < bone_map.joint_confidence[INDEX["right_knee"]] == 1.0


def test_names_on_the_wrong_side_lower_the_confidence() -> None:
    positions = DEFAULT_SKELETON.rest_positions()
    right = map_bones(list(JOINTS), OWN_PARENTS, positions)
    positions[INDEX["left_elbow"], 0] *= -1.0
    crossed = map_bones(list(JOINTS), OWN_PARENTS, positions)
    assert right.confidence == 1.0
    assert crossed.joint_confidence[INDEX["left_elbow"]] < 1.0 == crossed.joint_confidence[INDEX["left_knee"]]


def test_many_control_bones_do_not_change_the_map(corpus: Path) -> None:
    rig = rig_definition(corpus, "mixamo")
    crowd = Hierarchy.with_controls(rig)
    assert len(crowd.names) > 700
    alone, among_them = (map_bones(hierarchy.names, hierarchy.parents, hierarchy.heads) for hierarchy in (rig, crowd))
    limbs = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("hip", "knee", "shoulder", "elbow")]
    assert [among_them.bones[j] for j in limbs] == [alone.bones[j] for j in limbs]


def test_positions_may_be_in_any_unit() -> None:
    positions = DEFAULT_SKELETON.rest_positions()
    for unit in (0.01, 39.4, 1000.0):
        np.testing.assert_array_equal(
            map_bones(list(JOINTS), OWN_PARENTS, positions * unit).joint_confidence, np.ones(29)
        )
