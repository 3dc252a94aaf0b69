"""Rigs named in other languages than English, and English rigs with words that mean a bone elsewhere."""

import pytest

from rigs.bone_mapping.bone_map import UnmappableRig
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.bone_mapping.languages import languages, side_in_name
from rigs.bone_mapping.map_faults import find_faults
from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS, PARENTS
from tests.rigs.bone_mapping.foreign_rigs import FOREIGN_RIGS
from tests.rigs.bone_mapping.known_rigs import tool_hierarchy


def mapped_names(names: list[str], bones: tuple[int, ...]) -> dict[str, str]:
    return {joint: names[bone] for joint, bone in zip(JOINTS, bones, strict=True) if bone >= 0}


@pytest.mark.parametrize("placed", [False, True], ids=["names only", "with places"])
@pytest.mark.parametrize("language", FOREIGN_RIGS)
def test_all_joints_of_a_rig_named_in_another_language_are_mapped(language: str, placed: bool) -> None:
    rig = FOREIGN_RIGS[language]
    bone_map = map_bones(rig.names, rig.parents, rig.heads if placed else None)
    assert mapped_names(rig.names, bone_map.bones) == rig.joints
    assert bone_map.convention.name == f"{language.partition(',')[0]} words"
    assert bone_map.confidence > 0.8
    assert find_faults(bone_map.bones, rig.names, rig.parents, rig.heads) == ()


def test_every_language_of_the_vocabulary_has_a_rig_in_these_tests() -> None:
    assert {name.partition(",")[0] for name in FOREIGN_RIGS} == {
        language.convention.name.removesuffix(" words") for language in languages()
    }


def test_a_rig_of_the_japanese_dance_software_has_its_trunk_on_a_bone_beside_the_one_of_the_legs() -> None:
    parents = {
        "全ての親": "", "センター": "全ての親", "グルーブ": "センター", "腰": "グルーブ", "下半身": "腰",
        "上半身": "腰", "上半身2": "上半身", "首": "上半身2", "頭": "首", "両目": "頭", "左目": "頭", "右目": "頭",
    }  # fmt: skip
    for side in "左右":
        limbs = {
            "足": "下半身", "ひざ": "*足", "足首": "*ひざ", "つま先": "*足首", "足D": "下半身", "足IK親": "全ての親",
            "足ＩＫ": "*足IK親", "つま先ＩＫ": "*足ＩＫ", "肩P": "上半身2", "肩": "*肩P", "腕": "*肩",
            "腕捩": "*腕", "ひじ": "*腕捩", "手捩": "*ひじ", "手首": "*手捩", "中指１": "*手首", "中指２": "*中指１",
            "中指３": "*中指２",
        }  # fmt: skip
        parents |= {side + bone: above.replace("*", side) for bone, above in limbs.items()}
    names = list(parents)
    bone_map = map_bones(names, [names.index(above) if above else -1 for above in parents.values()])
    truth = {
        "pelvis": "腰", "spine1": "上半身", "spine3": "上半身2", "neck": "首", "jaw": "頭", "hip": "足", "knee": "ひざ",
        "ankle": "足首", "foot": "つま先", "collar": "肩", "shoulder": "腕", "elbow": "ひじ", "wrist": "手首",
        "thumb": "中指１", "middle": "中指３",
    }  # fmt: skip
    sides = {"left": "左", "right": "右"}
    assert mapped_names(names, bone_map.bones) == {joint: truth[joint] for joint in list(truth)[:5]} | {
        f"{side}_{joint}": sides[side] + truth[joint] for joint in list(truth)[5:] for side in sides
    }


def test_a_hand_is_not_taken_for_the_arm_that_has_the_same_name_elsewhere() -> None:
    rig = FOREIGN_RIGS["Russian, letters"]
    other = {"рука": "плечо", "плечо": "ключица", "запястье": "рука"}  # here "рука" is the hand, not the arm
    names = [other.get(name[:-2], name[:-2]) + name[-2:] if "." in name else name for name in rig.names]
    bone_map = map_bones(names, rig.parents)
    mapped = mapped_names(names, bone_map.bones)
    assert (mapped["left_collar"], mapped["left_shoulder"]) == ("ключица.Л", "плечо.Л")
    assert (mapped["left_elbow"], mapped["left_wrist"]) == ("локоть.Л", "рука.Л")


def test_words_of_two_languages_in_one_rig_are_understood() -> None:
    rig = FOREIGN_RIGS["French, letters"]
    english = {"hanches": "Hips", "nuque": "Neck", "tete": "Head", "cheville.G": "Foot.L", "cheville.D": "Foot.R"}
    names = [english.get(name, name) for name in rig.names]
    bone_map = map_bones(names, rig.parents)
    assert mapped_names(names, bone_map.bones) == {joint: english.get(bone, bone) for joint, bone in rig.joints.items()}


def rename_one(names: list[str], bone: str) -> list[str]:
    return ["thing" if name == bone else name for name in names]


@pytest.mark.parametrize(
    "words",
    [
        ("Main", "main_L", "main_R", "Pied_L", "bras_R"),
        ("pie_L", "pie_R", "mano_L", "mano_R", "col"),
        ("pe.L", "pe.R", "ude_L", "te_L", "te_R", "Hals"),
        ("左手", "右手", "頭", "腰"),
        ("L_main", "R_main", "D_main", "G_main"),
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize("name", ["unreal5", "vroid", "gltf_mixamo", "perception_neuron"])
def test_words_that_mean_a_bone_elsewhere_change_nothing_on_an_english_rig(name: str, words: tuple[str, ...]) -> None:
    rig, truth, convention = tool_hierarchy(name)
    names = [*words, *rig.names]
    parents = [
        *(-1 if n == 0 else 0 for n in range(len(words))),
        *(len(words) + p if p >= 0 else 0 for p in rig.parents),
    ]
    bone_map = map_bones(names, parents)
    assert bone_map.convention.name == convention
    assert mapped_names(names, bone_map.bones) == mapped_names(rig.names, map_bones(rig.names, rig.parents).bones)
    with pytest.raises(UnmappableRig, match="no bone for left_wrist"):
        map_bones(rename_one(names, truth["left_wrist"]), parents)


def test_too_few_foreign_words_count_for_nothing() -> None:
    foreign = dict(zip(FOREIGN_RIGS["French"].joints.values(), FOREIGN_RIGS["French"].joints, strict=True))
    rest = DEFAULT_SKELETON.rest_positions()
    for count, mapped in ((4, False), (5, True)):
        names = list(JOINTS)
        for bone, joint in [each for each in foreign.items() if each[1] in FOREIGN_JOINTS][:count]:
            names[INDEX[joint]] = bone
        assert map_bones(names, PARENTS, rest).bones == tuple(range(29))  # as places tell as well
        if mapped:
            assert map_bones(names, PARENTS).convention.name == "French words"
        else:
            with pytest.raises(UnmappableRig, match="no bone for"):
                map_bones(names, PARENTS)


FOREIGN_JOINTS = ("left_hip", "right_hip", "left_wrist", "right_wrist", "left_elbow")


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("Bras_Gauche", "left"),
        ("HandRechts", "right"),
        ("handrechts", ""),
        ("hand_rechts", "right"),
        ("左腕", "left"),
        ("오른손", "right"),
        ("рука_левая", "left"),
        ("рука.Л", "left"),
        ("hand_d", ""),
        ("der Kopf", ""),
        ("spine", ""),
    ],
)
def test_the_side_in_a_name_is_said_only_by_words_that_mean_nothing_else(name: str, side: str) -> None:
    assert side_in_name(name) == side
