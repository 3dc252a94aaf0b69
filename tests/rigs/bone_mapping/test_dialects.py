"""Presets of tools' bone names, each on a rig with that tool's bones, in all their spellings, units and axes."""

import json
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rigs import Array
from rigs.bone_mapping.bone_map import UnmappableRig
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.bone_mapping.map_confidence import doubtful_joints
from rigs.bone_mapping.naming_conventions import naming_conventions
from rigs.skeleton import CHILDREN, INDEX, JOINTS
from tests.rigs.bone_mapping.dialect_rigs import DialectRig, convert_positions, dialect_names, dialect_rigs

RIGS = [rig for name in dialect_names() for rig in dialect_rigs(name)]
TESTED_WITH_FILES = {
    "Bandai-Namco Research motion dataset",
    "CMU Acclaim skeletons",
    "CMU recordings converted for MotionBuilder",
    "Hips, Chest and Hip, Knee, Ankle names, as in Xsens BVH files",
    "Kenney characters",
    "OpenPose, its bones named after the joints at which they end",
    "Pas de Deux",
    "Rigify",
}
"""The presets whose rigs are in files or made by Blender, in other tests."""


def wrong_joints(rig: DialectRig, names: list[str], bones: tuple[int, ...]) -> dict[str, str | None]:
    """The joints with another bone than the truth has; of leaves it need not speak."""
    mapped = {joint: names[bone] for joint, bone in zip(JOINTS, bones, strict=True) if bone >= 0}
    checked = [joint for joint in JOINTS if joint in rig.joints or CHILDREN[INDEX[joint]]]
    return {joint: mapped.get(joint) for joint in checked if mapped.get(joint) != rig.joints.get(joint)}


@pytest.mark.parametrize("form", ["names only", "Z up, m", "Y up, cm", "with tails, mm"])
@pytest.mark.parametrize("rig", RIGS, ids=lambda rig: rig.label)
def test_all_bones_of_a_dialect_are_mapped_and_its_convention_is_recognised(rig: DialectRig, form: str) -> None:
    rig = rig.with_tails() if "tails" in form else rig
    hierarchy = rig.rig
    heads = None
    if form != "names only":
        unit = {"m": 1.0, "cm": 0.01, "mm": 0.001}[form.split()[-1]]
        assert hierarchy.heads is not None
        heads = convert_positions(hierarchy.heads, y_up="Y up" in form, unit=unit)
    bone_map = map_bones(hierarchy.names, hierarchy.parents, heads)
    assert wrong_joints(rig, hierarchy.names, bone_map.bones) == {}
    assert bone_map.convention.name == rig.convention
    assert bone_map.confidence > 0.95


def test_every_preset_has_a_rig_in_the_tests() -> None:
    tools = Path(__file__).with_name("hierarchies").glob("*.json")
    tested = {json.loads(file.read_text())["dialect"] for file in tools} | {rig.convention for rig in RIGS}
    refused = {"Roblox R6"}
    assert {convention.name for convention in naming_conventions()} - tested - refused == TESTED_WITH_FILES


def roblox_r6() -> tuple[list[str], list[int], Array]:
    """Roblox's figure of six parts, whose limbs do not bend: names, parents, rest positions."""
    names = ["HumanoidRootPart", "Torso", "Head", "Left Arm", "Right Arm", "Left Leg", "Right Leg"]
    heads = [(0, 0, 3), (0, 0, 3), (0, 0, 4), (1, 0, 4), (-1, 0, 4), (0.5, 0, 2), (-0.5, 0, 2)]
    return names, [-1, 0, 1, 1, 1, 1, 1], np.array(heads, dtype=float)


@pytest.mark.parametrize("placed", [False, True], ids=["names only", "with places"])
def test_a_figure_without_knees_is_refused_for_its_knees(placed: bool) -> None:
    names, parents, heads = roblox_r6()
    with pytest.raises(UnmappableRig, match="no bone for left_knee; a humanoid with two arms and two legs"):
        map_bones(names, parents, heads if placed else None)


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("name", ["mmd", "mmd_tools", "mmd_basic"])
def test_names_may_be_in_any_unicode_normal_form(name: str, form: str) -> None:
    rig = dialect_rigs(name)[0]
    names = [unicodedata.normalize(form, bone) for bone in rig.rig.names]
    joints = {joint: unicodedata.normalize(form, bone) for joint, bone in rig.joints.items()}
    bone_map = map_bones(names, rig.rig.parents, rig.rig.heads)
    assert wrong_joints(replace(rig, joints=joints), names, bone_map.bones) == {}
    assert bone_map.convention.name == rig.convention


@pytest.mark.parametrize(("full_width", "half_width"), [("センター", "ｾﾝﾀｰ"), ("グルーブ", "ｸﾞﾙｰﾌﾞ")])
def test_kana_may_be_of_half_width(full_width: str, half_width: str) -> None:
    rig = dialect_rigs("mmd_basic")[0]
    names = [name.replace("センター", half_width) for name in rig.rig.names]
    bone_map = map_bones(names, rig.rig.parents)
    assert names[bone_map.bones[INDEX["pelvis"]]] == half_width
    assert unicodedata.normalize("NFKC", half_width) == full_width
    assert bone_map.convention.name == rig.convention


@pytest.mark.parametrize("name", ["optitrack", "sims4", "second_life", "mmd_english", "roblox_r15"])
def test_names_may_be_in_full_width_letters(name: str) -> None:
    rig = dialect_rigs(name)[0]
    full_width = {ord(" "): " "} | {n: chr(n + 0xFEE0) for n in range(0x21, 0x7F)}
    names = [bone.translate(full_width) for bone in rig.rig.names]
    joints = {joint: bone.translate(full_width) for joint, bone in rig.joints.items()}
    bone_map = map_bones(names, rig.rig.parents, rig.rig.heads)
    assert wrong_joints(replace(rig, joints=joints), names, bone_map.bones) == {}
    assert bone_map.convention.name == rig.convention


PREFIXES = ("Character1:{}", "Skeleton_001_{}", "Skeleton 001:{}", "Armature|{}", "a:b:{}", "Anna_{}", "left dancer:{}")
OTHERS = ("Dancer_L_{}", "R_{}", "001_{}", "{}.001", "{}_bone")


@pytest.mark.parametrize("spelling", [*PREFIXES, *OTHERS])
def test_what_all_names_begin_or_end_with_changes_nothing(spelling: str) -> None:
    for name in dialect_names():
        rig = dialect_rigs(name)[0]
        names = [spelling.format(bone) for bone in rig.rig.names]
        joints = {joint: spelling.format(bone) for joint, bone in rig.joints.items()}
        bone_map = map_bones(names, rig.rig.parents)
        assert wrong_joints(replace(rig, joints=joints), names, bone_map.bones) == {}, name
        assert bone_map.convention.name == rig.convention
        assert bone_map.confidence > 0.95


@pytest.mark.parametrize("suffix", [".001", "_01", ".L.001"])
def test_a_bone_beside_the_dialects_own_changes_nothing(suffix: str) -> None:
    for name in ("optitrack", "mmd_tools", "second_life"):
        rig = dialect_rigs(name)[0]
        names = [*rig.rig.names, *(f"{rig.joints[joint]}{suffix}" for joint in ("pelvis", "jaw"))]
        parents = [*rig.rig.parents, *(rig.rig.names.index(rig.joints[joint]) for joint in ("pelvis", "jaw"))]
        assert wrong_joints(rig, names, map_bones(names, parents).bones) == {}


def with_trunk_apart(rig: DialectRig) -> tuple[list[str], list[int], Array]:
    """A rig whose trunk hangs beside its pelvis, on the bone that bears both: names, parents, rest positions."""
    names, parents = rig.rig.names, list(rig.rig.parents)
    pelvis, spine = (names.index(rig.joints[joint]) for joint in ("pelvis", "spine1"))
    assert rig.rig.heads is not None
    assert parents[spine] == pelvis
    parents[spine] = parents[pelvis]
    return names, parents, rig.rig.heads


def test_the_pelvis_is_the_bone_that_bears_legs_and_trunk() -> None:
    rig = dialect_rigs("metahuman")[0]
    names, parents, heads = with_trunk_apart(rig)
    for places in (None, heads):
        assert wrong_joints(rig, names, map_bones(names, parents, places).bones) == {"pelvis": "root"}


def test_a_pelvis_that_does_not_bear_the_trunk_is_doubtful() -> None:
    rig = dialect_rigs("character_creator")[0]
    assert "pelvis" not in doubtful_joints(map_bones(rig.rig.names, rig.rig.parents, rig.rig.heads))
    assert "pelvis" in doubtful_joints(map_bones(*with_trunk_apart(rig)))
