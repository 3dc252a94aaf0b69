"""Faults of bone maps: impossible bodies have one sentence each, and no map that is detected has a fault."""

from pathlib import Path

import numpy as np
import pytest

from rigs.bone_mapping.bone_map import UnmappableRig
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.bone_mapping.map_confidence import doubtful_joints
from rigs.bone_mapping.map_faults import MapFault, find_faults
from rigs.files.bvh.bvh_parser import parse_bvh
from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS, PARENTS, rest_positions
from tests.rigs.bone_mapping.foreign_rigs import FOREIGN_RIGS
from tests.rigs.bone_mapping.known_rigs import DEFINITION_JOINTS, RECORDING_JOINTS, rig_definition, tool_hierarchy

TOOLS = sorted(file.stem for file in Path(__file__).with_name("hierarchies").glob("*.json"))
REST = DEFAULT_SKELETON.rest_positions()


def faults_with(changes: dict[str, str | None], *, nameless: bool = False) -> tuple[MapFault, ...]:
    """The faults of our own skeleton's map after some joints were given other joints' bones, or none."""
    bones = [INDEX[bone] if (bone := changes.get(joint, joint)) else -1 for joint in JOINTS]
    names = [f"Bone.{n:03}" for n in range(29)] if nameless else list(JOINTS)
    return find_faults(bones, names, PARENTS, REST)


def swapped(*joints: str) -> dict[str, str | None]:
    """Left and right of these joints exchanged."""
    pairs = [(f"left_{joint}", f"right_{joint}") for joint in joints]
    return {a: b for left, right in pairs for a, b in ((left, right), (right, left))}


LEG, ARM = ("hip", "knee", "ankle", "foot", "bigtoe"), ("collar", "shoulder", "elbow", "wrist", "thumb", "middle")


@pytest.mark.parametrize(
    ("changes", "joints", "sentence"),
    [
        (
            {"pelvis": "right_hip"},
            ("pelvis", "right_hip"),
            "right_hip is the Pelvis and the Right Hip at once: choose another bone for one of them",
        ),
        (
            {"left_wrist": "right_wrist"},
            ("left_wrist", "right_wrist"),
            "right_wrist is the Left Wrist and the Right Wrist at once: choose another bone for one of them",
        ),
        (
            {"left_hip": "left_knee", "left_knee": "left_hip"},
            ("left_hip", "left_knee"),
            "Left Knee (left_hip) is above the Left Hip (left_knee) in the rig: swap the two bones, or choose others",
        ),
        (
            {"pelvis": "spine1", "spine1": "pelvis"},
            ("pelvis", "spine1"),
            "Spine 1 (pelvis) is above the Pelvis (spine1) in the rig: swap the two bones, or choose others",
        ),
        (
            {"left_elbow": "right_elbow", "right_elbow": None},
            ("left_elbow",),
            "Left Elbow (right_elbow) hangs on the Right Shoulder (right_shoulder), as in no body: choose another bone",
        ),
        (
            {"left_elbow": "neck", "neck": None, "jaw": None, "head": None},
            ("left_elbow",),
            "Left Elbow (neck) does not hang on the Left Shoulder (left_shoulder): choose a bone of the same limb",
        ),
        (
            {"left_shoulder": "left_ankle", "left_ankle": None, "left_foot": None, "left_bigtoe": None}
            | {"left_elbow": "left_foot", "left_wrist": "left_bigtoe", "left_collar": None},
            ("left_shoulder",),
            "Left Shoulder (left_ankle) hangs on the Left Knee (left_knee), as in no body: choose another bone",
        ),
        (
            swapped(*LEG),
            tuple(joint for joint in JOINTS if joint.partition("_")[2] in LEG),
            "Left Hip (right_hip) is of the other side than the Left Collar (left_collar): "
            "left and right are swapped for one of them",
        ),
    ],
)  # fmt: skip
def test_an_impossible_body_is_told_in_one_sentence(
    changes: dict[str, str | None], joints: tuple[str, ...], sentence: str
) -> None:
    fault = faults_with(changes)[0]
    assert (fault.joints, fault.sentence) == (joints, sentence)


def test_each_joint_has_at_most_one_fault() -> None:
    for changes in ({"pelvis": "right_hip"}, swapped("hip"), swapped("knee"), swapped(*ARM), {"jaw": "left_elbow"}):
        joints = [joint for fault in faults_with(changes) for joint in fault.joints]
        assert len(joints) == len(set(joints)) > 0


def test_arms_whose_left_is_the_legs_right_are_seen_by_their_places_where_names_do_not_tell() -> None:
    faults = faults_with(swapped(*ARM), nameless=True)
    assert [fault.joints for fault in faults] == [("left_shoulder", "right_shoulder")]
    assert "left and right are swapped for arms or legs" in faults[0].sentence
    assert faults_with(swapped(*ARM, *LEG), nameless=True) == ()


def test_a_body_with_few_bones_is_possible() -> None:
    only = ("pelvis", "left_hip", "left_ankle", "right_wrist", "jaw")
    assert faults_with({joint: None for joint in JOINTS if joint not in only}) == ()


def test_arms_on_the_neck_and_legs_on_the_spine_are_possible() -> None:
    parents = list(PARENTS)
    for side in ("left", "right"):
        parents[INDEX[f"{side}_collar"]], parents[INDEX[f"{side}_hip"]] = INDEX["neck"], INDEX["spine1"]
    assert find_faults(range(29), JOINTS, parents) == ()
    parents[INDEX["left_collar"]] = INDEX["jaw"]
    assert find_faults(range(29), JOINTS, parents)[0].sentence == (
        "Left Collar (left_collar) hangs on the Head (jaw), as in no body: choose another bone"
    )


@pytest.mark.parametrize("name", [*TOOLS, *FOREIGN_RIGS])
def test_no_detected_map_has_a_fault(name: str) -> None:
    rig = FOREIGN_RIGS[name] if name in FOREIGN_RIGS else tool_hierarchy(name)[0]
    for names in (list(rig.names), [f"bone {n}" for n in range(len(rig.names))]):
        try:
            bone_map = map_bones(names, rig.parents, rig.heads)
        except UnmappableRig:
            continue
        assert find_faults(bone_map.bones, names, rig.parents, rig.heads, convention=bone_map.convention) == ()


@pytest.mark.parametrize("name", [*DEFINITION_JOINTS, *RECORDING_JOINTS])
def test_no_map_of_the_corpus_has_a_fault(corpus: Path, name: str) -> None:
    if name in DEFINITION_JOINTS:
        rig = rig_definition(corpus, name)
        names, parents, heads = rig.names, rig.parents, rig.heads
    else:
        parsed = parse_bvh(corpus / f"{name}.bvh")
        names, parents = list(parsed.names), list(parsed.parents)
        heads = rest_positions(parsed.offsets, parsed.parents)
    bone_map = map_bones(names, parents, heads)
    assert find_faults(bone_map.bones, names, parents, heads, convention=bone_map.convention) == ()


def test_a_detected_map_of_any_scrambled_rig_has_no_fault() -> None:
    random = np.random.default_rng(5)
    mapped = 0
    for _ in range(200):
        parents = list(PARENTS)
        for bone in random.choice(np.arange(1, 29), 3, replace=False):
            parents[bone] = int(random.integers(bone))
        names = list(JOINTS)
        for a, b in random.choice(29, (2, 2), replace=False):
            names[a], names[b] = names[b], names[a]
        heads = REST + random.normal(scale=0.05, size=(29, 3))
        try:
            bone_map = map_bones(names, parents, heads)
        except UnmappableRig:
            continue
        mapped += 1
        assert find_faults(bone_map.bones, names, parents, heads, convention=bone_map.convention) == ()
    assert mapped


def test_bones_found_by_place_and_at_strange_places_are_doubtful() -> None:
    assert doubtful_joints(map_bones(list(JOINTS), PARENTS, REST)) == ()
    by_place = map_bones([f"bone {n}" for n in range(29)], PARENTS, REST)
    assert {"pelvis", "left_knee", "right_elbow"} <= set(doubtful_joints(by_place))
    rig, _, _ = tool_hierarchy("gltf_mixamo")
    names = [name.replace("LeftFoot", "LeftAnkle") for name in rig.names]
    assert doubtful_joints(map_bones(names, rig.parents)) == ("left_ankle", "right_ankle")
