"""Bone-name normalisation, in all spellings."""

import pytest

from rigs.bone_mapping.bone_names import NameKey, index_names, normalize_left_name, normalize_name, sides_in_names


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("mixamorig:LeftUpLeg", ("left", "upleg")),
        ("Some Guy|rig:Left Up-Leg", ("left", "upleg")),
        ("left_up.leg", ("left", "upleg")),
        ("leftupleg", ("left", "upleg")),
        ("UpLeg.L", ("left", "upleg")),
        ("UpLeg_l", ("left", "upleg")),
        ("up_L_leg", ("left", "upleg")),
        ("L_UpLeg", ("left", "upleg")),
        ("lUpLeg", ("left", "upleg")),
        ("LUpLeg", ("left", "upleg")),
        ("UpLegRight", ("right", "upleg")),
        ("upleg-rgt", ("right", "upleg")),
        ("lowerback", ("", "lowerback")),
        ("Spine", ("", "spine")),
        ("Spine1", ("", "spine1")),
        ("spine_01", ("", "spine1")),
        ("spine.001", ("", "spine1")),
        ("toe1-1.L", ("left", "toe1.1")),
        ("toe11.L", ("left", "toe11")),
        ("HeadTop_End", ("", "headtopend")),
        ("左ひざ", ("left", "ひざ")),
        ("右手首", ("right", "手首")),
        ("ひざ.L", ("left", "ひざ")),
        ("左足ＩＫ", ("left", "足ik")),
        ("左", ("left", "")),
    ],
)
def test_case_separators_namespaces_and_where_the_side_stands_do_not_matter(name: str, key: NameKey) -> None:
    assert normalize_name(name) == key


@pytest.mark.parametrize("name", ["lfemur", "lFemur", "L_Femur", "femur.L"])
def test_the_side_of_a_left_bone_is_recognised_in_any_spelling(name: str) -> None:
    assert normalize_left_name(name) == ("left", "femur")


def test_a_letter_counts_as_a_side_only_before_or_after_a_known_word() -> None:
    index = index_names(["lfemur", "rfemur", "femurr", "lowerback", "ball"], frozenset({"femur"}))
    assert index["left", "femur"] == [0]
    assert index["right", "femur"] == [1, 2]
    assert ("left", "owerback") not in index
    assert ("left", "bal") not in index


@pytest.mark.parametrize(
    ("before", "after"), [("Character1_", ""), ("Bip01 ", ""), ("mixamorig", ""), ("CC_Base_", ""), ("x:", "_JNT")]
)
def test_shared_prefixes_and_suffixes_are_stripped(before: str, after: str) -> None:
    plain = ["Hips", "LeftArm", "RightArm", "LeftLeg", "RightLeg", "LeftFoot", "RightFoot", "Head", "Neck", "Chest"]
    index = index_names(["Reference", *(before + name + after for name in plain)], frozenset())
    assert index["left", "arm"] == [2]
    assert index["", "hips"] == [1]


@pytest.mark.parametrize("spelling", ["{}.001", "01_{}", "Dancer_L_{}", "R_{}", "{}_r"])
def test_a_number_or_side_that_all_names_have_is_stripped(spelling: str) -> None:
    plain = ["Hips", "Spine", "Spine1", "LeftArm", "RightArm", "LeftLeg", "RightLeg", "LeftFoot", "RightFoot", "Head"]
    names = [spelling.format(name) for name in plain]
    index = index_names(names, frozenset())
    assert [index["", stem] for stem in ("hips", "spine", "spine1")] == [[0], [1], [2]]
    assert (index["left", "arm"], index["right", "arm"]) == ([3], [4])
    assert sides_in_names(names) == ["", "", "", *("left", "right") * 3, ""]


def test_one_prefix_of_two_may_be_the_tools_own() -> None:
    names = [f"Anna_m{bone}" for bone in ("Pelvis", "Torso", "Chest", "Neck", "Head", "Skull", "HipLeft", "HipRight")]
    index = index_names(names, frozenset())
    assert index["", "mpelvis"] == index["", "pelvis"] == [0]
    assert index["left", "mhip"] == [6]


def test_of_bones_with_one_key_those_without_leading_zeros_come_first() -> None:
    assert index_names(["L Finger02", "L Finger2"], frozenset())["left", "finger2"] == [1, 0]


def test_a_shared_side_is_not_stripped() -> None:
    index = index_names(["Hips", *(f"Left Finger{n}" for n in range(12)), "Right Hand"], frozenset())
    assert index["left", "finger3"] == [4]
    assert index["right", "hand"] == [13]


def test_an_end_site_is_indexed_apart_from_its_bone() -> None:
    index = index_names(["LeftHand", "LeftHand end site", "lhand end site"], frozenset({"hand"}))
    assert index["left", "hand"] == [0]
    assert index["left", "handendsite"] == [1, 2]
