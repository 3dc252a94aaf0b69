"""Names and places weighed together: names that say nothing, wrong names, and helpers named like the bones."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from rigs import Array
from rigs.bone_mapping.bone_map import BY_STRUCTURE, REQUIRED, BoneMap, UnmappableRig
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.bone_mapping.map_confidence import doubtful_joints
from rigs.bone_mapping.map_faults import find_faults
from rigs.files.bvh.bvh_parser import parse_bvh
from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS, PARENTS, SIDES, rest_positions
from tests.rigs.bone_mapping.placed_rigs import PlacedRig, placed_rigs

RIGS = {rig.label: rig for rig in placed_rigs(None)}
DIALECTS = ("captury", "character_creator", "metahuman", "second_life", "French")
SEEDS = range(2)
ARM, LEG = ("collar", "shoulder", "elbow", "wrist"), ("hip", "knee", "ankle", "foot")
FORWARD, UP = np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, 1.0])


def map_rig(rig: PlacedRig) -> BoneMap:
    bone_map = map_bones(rig.names, rig.parents, rig.heads)
    assert find_faults(bone_map.bones, rig.names, rig.parents, rig.heads, convention=bone_map.convention) == ()
    return bone_map


def wrong(rig: PlacedRig, bone_map: BoneMap, joints: Sequence[str] = JOINTS) -> dict[str, tuple[str, str]]:
    """The joints with a bone that is not theirs: that bone, and theirs."""
    bones = {joint: bone_map.bones[INDEX[joint]] for joint in joints if joint in rig.joints}
    return {
        joint: (rig.names[bone] if bone >= 0 else "", rig.names[rig.joints[joint]])
        for joint, bone in bones.items()
        if bone != rig.joints[joint]
    }


def renamed(rig: PlacedRig, new: dict[str, str]) -> PlacedRig:
    """The rig with other names of some joints' bones."""
    names = list(rig.names)
    for joint, name in new.items():
        names[rig.joints[joint]] = name
    return replace(rig, names=names)


def name_of(rig: PlacedRig, joint: str) -> str:
    return rig.names[rig.joints[joint]]


def exchanged(rig: PlacedRig, *pairs: tuple[str, str]) -> PlacedRig:
    """The rig with the names of two joints' bones exchanged, for each pair."""
    there = [pair for pair in pairs if pair[0] in rig.joints]
    return renamed(rig, {a: name_of(rig, b) for pair in there for a, b in (pair, pair[::-1])})


def with_bones(rig: PlacedRig, *bones: tuple[str, str, Array]) -> PlacedRig:
    """The rig with more bones: name, the joint or the bone that each hangs on or "", and place."""
    names, parents, heads = list(rig.names), list(rig.parents), [*rig.heads]
    for name, parent, head in bones:
        parents.append(rig.joints[parent] if parent in rig.joints else names.index(parent) if parent else -1)
        names.append(name)
        heads.append(head)
    return replace(rig, names=names, parents=parents, heads=np.array(heads))


def place(rig: PlacedRig, joint: str) -> Array:
    return np.asarray(rig.heads[rig.joints[joint]])


@pytest.mark.parametrize(("share", "least"), [(0.0, 1.0), (0.3, 0.96), (0.8, 0.9)])
def test_bones_stay_right_while_names_become_nonsense(share: float, least: float) -> None:
    right = [
        rig.right(map_bones(rig.with_nonsense(share, seed), rig.parents, rig.heads).bones)
        for seed, rig in enumerate(RIGS.values())
    ]
    assert sum(right) >= least * sum(len(rig.joints) for rig in RIGS.values())


@pytest.mark.parametrize("label", RIGS)
def test_arms_and_legs_are_right_with_a_third_of_the_names(label: str) -> None:
    rig = RIGS[label]
    right = total = 0
    for seed in SEEDS:
        bone_map = map_rig(replace(rig, names=rig.with_nonsense(2 / 3, seed)))
        right += len(REQUIRED) - len(wrong(rig, bone_map, REQUIRED))
        total += len(REQUIRED)
    assert right >= (0.5 if label.startswith("mmd") else 0.8) * total


def test_confidence_falls_with_the_share_of_names_that_say_nothing() -> None:
    rig = RIGS["move_ai"]
    means = [
        np.mean([map_bones(rig.with_nonsense(share, seed), rig.parents, rig.heads).confidence for seed in SEEDS])
        for share in (0.0, 0.3, 0.6, 1.0)
    ]
    assert means[0] == 1.0
    assert all(more > less + 0.03 for more, less in pairwise(means))


def test_one_side_of_names_tells_the_other_side_s_bones() -> None:
    rig = RIGS["move_ai"]
    names = [f"Bone.{n:03}" if "Right" in name or name.endswith("_R") else name for n, name in enumerate(rig.names)]
    half_named = replace(rig, names=names)
    assert wrong(half_named, map_rig(half_named), REQUIRED) == {}


def test_names_that_say_only_the_side_tell_left_from_right() -> None:
    body = DEFAULT_SKELETON.rest_positions()
    mirrored = body * [-1.0, 1.0, 1.0]
    names = [
        f"qx{n}{'_L' * joint.startswith('left_')}{'_R' * joint.startswith('right_')}" for n, joint in enumerate(JOINTS)
    ]
    for heads in (body, mirrored):
        assert map_bones(names, PARENTS, heads).bones[: INDEX["head"]] == tuple(range(INDEX["head"]))
    nameless = map_bones([f"qx{n}" for n in range(29)], PARENTS, mirrored)
    assert nameless.bones[INDEX["left_hip"]] == INDEX["right_hip"]


@pytest.mark.parametrize("label", DIALECTS)
@pytest.mark.parametrize("joints", [ARM, LEG, ("knee",), ("wrist",), ("shoulder", "elbow")], ids="-".join)
def test_swapped_sides_of_some_bones_do_not_mislead(label: str, joints: tuple[str, ...]) -> None:
    rig = exchanged(RIGS[label], *((f"left_{joint}", f"right_{joint}") for joint in joints))
    bone_map = map_rig(rig)
    assert wrong(rig, bone_map) == {}
    present = {f"{side}_{joint}" for joint in joints for side in SIDES} & rig.joints.keys()
    assert present <= {*doubtful_joints(bone_map)}
    assert {*doubtful_joints(bone_map)} <= present


@pytest.mark.parametrize("label", DIALECTS)
@pytest.mark.parametrize(
    "pair",
    [
        ("left_shoulder", "left_elbow"),
        ("left_shoulder", "left_hip"),
        ("right_wrist", "right_ankle"),
        ("left_knee", "left_hip"),
        ("left_elbow", "right_knee"),
    ],
    ids=" and ".join,
)
def test_exchanged_names_of_two_joints_do_not_mislead(label: str, pair: tuple[str, str]) -> None:
    rig = exchanged(RIGS[label], pair)
    bone_map = map_rig(rig)
    assert wrong(rig, bone_map) == {}
    assert set(pair) <= {*doubtful_joints(bone_map)}


@pytest.mark.parametrize("label", DIALECTS)
def test_a_shoulder_named_like_a_second_hip_is_the_shoulder(label: str) -> None:
    rig = RIGS[label]
    rig = renamed(rig, {"left_shoulder": f"{name_of(rig, 'left_hip')}.001"})
    assert wrong(rig, map_rig(rig)) == {}


def root_controls(rig: PlacedRig) -> PlacedRig:
    """Control bones at the root have the names of hands and feet, whose own bones have none."""
    ends = [f"{side}_{joint}" for side in SIDES for joint in ("wrist", "ankle")]
    names = [name_of(rig, joint) for joint in ends]
    rig = renamed(rig, {joint: f"Bone.{n:03}" for n, joint in enumerate(ends)})
    return with_bones(rig, *((name, "", place(rig, joint)) for name, joint in zip(names, ends, strict=True)))


def ik_controls(rig: PlacedRig) -> PlacedRig:
    """Controls, poles and foot rolls named after the joints stand at the root, at the joints' places."""
    extra = []
    for side in SIDES:
        wrist, ankle, knee = (name_of(rig, f"{side}_{joint}") for joint in ("wrist", "ankle", "knee"))
        extra += [(f"{wrist}_ik", "", place(rig, f"{side}_wrist")), (f"ctrl_{ankle}", "", place(rig, f"{side}_ankle"))]
        extra += [(f"{knee}_pole", "", place(rig, f"{side}_knee") + FORWARD)]
        extra += [(f"{ankle}_roll", f"ctrl_{ankle}", place(rig, f"{side}_ankle") - 0.1 * UP)]
    return with_bones(rig, *extra)


def weapon(rig: PlacedRig) -> PlacedRig:
    """The left hand holds a weapon of several bones, longer than the arm."""
    hand, at = name_of(rig, "left_wrist"), place(rig, "left_wrist")
    bones = [
        (f"{hand}_Weapon{n}", f"{hand}_Weapon{n - 1}" if n else "left_wrist", at + np.array([0.2 * n, -0.1, 0.0]))
        for n in range(5)
    ]
    return with_bones(rig, *bones)


def duplicates(rig: PlacedRig) -> PlacedRig:
    """Bones with the same names and a number lie beside hands, forearms and shins."""
    joints = [f"{side}_{joint}" for side in SIDES for joint in ("wrist", "elbow", "knee")]
    return with_bones(
        rig, *((f"{name_of(rig, joint)}.001", joint, place(rig, joint) + 0.05 * FORWARD) for joint in joints)
    )


def wings(rig: PlacedRig) -> PlacedRig:
    """Wings on the chest, longer than the arms and named after their bones."""
    extra, chest = [], place(rig, "spine3")
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        above = "spine3"
        for joint, reach in zip(
            ARM, ([0.08, 0.1, 0.0], [0.3, 0.15, 0.2], [0.7, 0.2, 0.5], [1.3, 0.2, 0.4]), strict=True
        ):
            name = f"wing_{name_of(rig, f'{side}_{joint}')}"
            extra.append((name, above, chest + np.array(reach) * [sign, 1.0, 1.0]))
            above = name
    return with_bones(rig, *extra)


def skirt(rig: PlacedRig) -> PlacedRig:
    """Pairs of chains as long as the legs hang on the pelvis, before and behind."""
    extra, pelvis = [], place(rig, "pelvis")
    for side, sign in zip("lr", (1.0, -1.0), strict=True):
        for where, y in (("front", -0.1), ("back", 0.1)):
            above = "pelvis"
            for n in range(5):
                name = f"skirt_{where}_{side}_{n}"
                extra.append((name, above, pelvis + np.array([sign * (0.12 + 0.02 * n), y, -0.16 * n - 0.05])))
                above = name
    return with_bones(rig, *extra)


def tail_and_hair(rig: PlacedRig) -> PlacedRig:
    """A tail of ten bones on the pelvis, and two long plaits on the head."""
    pelvis = place(rig, "pelvis")
    extra = [
        (f"tail_{n}", f"tail_{n - 1}" if n else "pelvis", pelvis + np.array([0.0, 0.1 + 0.1 * n, -0.02 * n]))
        for n in range(10)
    ]
    for side, sign in zip("LR", (1.0, -1.0), strict=True):
        for n in range(6):
            at = place(rig, "jaw") + np.array([sign * 0.09, 0.08, 0.1 - 0.12 * n])
            extra.append((f"hair_{side}{n}", f"hair_{side}{n - 1}" if n else "jaw", at))
    return with_bones(rig, *extra)


def helper_names(change: Callable[[PlacedRig], PlacedRig]) -> str:
    return change.__name__


@pytest.mark.parametrize("label", DIALECTS)
@pytest.mark.parametrize(
    "change",
    [root_controls, ik_controls, weapon, duplicates, wings, skirt, tail_and_hair],
    ids=helper_names,
)
def test_helper_bones_do_not_win_over_the_body_s(label: str, change: Callable[[PlacedRig], PlacedRig]) -> None:
    rig = change(RIGS[label])
    assert wrong(rig, map_rig(rig), REQUIRED) == {}


@pytest.mark.parametrize("label", DIALECTS)
@pytest.mark.parametrize("change", [ik_controls, weapon, duplicates, wings, skirt, tail_and_hair], ids=helper_names)
def test_helper_bones_do_not_win_where_names_say_nothing(label: str, change: Callable[[PlacedRig], PlacedRig]) -> None:
    plain = replace(RIGS[label], names=RIGS[label].with_nonsense(0.3, 1))
    rig = change(plain)
    assert wrong(rig, map_rig(rig), REQUIRED).keys() <= wrong(plain, map_rig(plain), REQUIRED).keys()


@pytest.mark.parametrize("label", DIALECTS)
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_names_tell_left_from_right_of_a_mirrored_body(label: str, share: float) -> None:
    rig = RIGS[label]
    rig = replace(rig, names=rig.with_nonsense(share, 2))
    straight, mirrored = map_rig(rig), map_rig(replace(rig, heads=rig.heads * [-1.0, 1.0, 1.0]))
    assert [mirrored.bones[INDEX[joint]] for joint in REQUIRED] == [straight.bones[INDEX[joint]] for joint in REQUIRED]


@pytest.mark.parametrize("label", DIALECTS)
def test_units_axes_and_a_centimetre_of_noise_change_nothing(label: str) -> None:
    rig = replace(RIGS[label], names=RIGS[label].with_nonsense(0.3, 0))
    turned = rig.heads[:, [2, 0, 1]] * 39.4 + 100.0
    noisy = rig.heads + np.random.default_rng(1).normal(scale=0.01, size=rig.heads.shape)
    for heads in (turned, noisy):
        mapped = map_rig(replace(rig, heads=heads)).bones
        assert [mapped[INDEX[joint]] for joint in REQUIRED] == [map_rig(rig).bones[INDEX[joint]] for joint in REQUIRED]


@pytest.mark.parametrize("label", DIALECTS)
@pytest.mark.parametrize("place", [0.0, np.nan, np.inf])
def test_names_alone_decide_where_places_say_nothing(label: str, place: float) -> None:
    rig = replace(RIGS[label], heads=np.full_like(RIGS[label].heads, place))
    assert wrong(rig, map_bones(rig.names, rig.parents, rig.heads)) == {}


def test_bones_of_a_rest_pose_that_is_no_body_s_are_found_by_the_names_around(corpus: Path) -> None:
    for name in ("AD_rokoko_jesse_dance", "dataset-1_dance-short_normal_001"):
        parsed = parse_bvh(corpus / "bvh_zoo" / f"{name}.bvh")
        heads = rest_positions(parsed.offsets, parsed.parents)
        rig = next(each for each in placed_rigs(corpus) if each.label == name)
        np.testing.assert_array_equal(rig.heads, heads)
        for joint in REQUIRED:
            unnamed = renamed(rig, {joint: "thing"})
            assert wrong(unnamed, map_bones(unnamed.names, rig.parents, heads), REQUIRED) == {}, joint


def test_a_rig_in_a_language_without_a_vocabulary_is_mapped_by_sides_and_places() -> None:
    words = dict(zip(
        ("pelvis", "spine1", "spine2", "spine3", "neck", "jaw", "head"),
        ("bekken", "ruggengraat", "ruggengraat2", "borst", "nek", "hoofd", "kruin"), strict=True,
    ))  # fmt: skip
    limbs = {
        "hip": "dijbeen", "knee": "onderbeen", "ankle": "voet", "foot": "tenen", "bigtoe": "teentop",
        "collar": "sleutelbeen", "shoulder": "bovenarm", "elbow": "onderarm", "wrist": "hand", "thumb": "middelvinger1",
        "middle": "middelvinger3",
    }  # fmt: skip
    sides = {"left": "links", "right": "rechts"}
    words |= {f"{side}_{limb}": f"{word}_{sides[side]}" for side in SIDES for limb, word in limbs.items()}
    bone_map = map_bones([words[joint] for joint in JOINTS], PARENTS, DEFAULT_SKELETON.rest_positions())
    assert [bone_map.bones[INDEX[joint]] for joint in REQUIRED] == [INDEX[joint] for joint in REQUIRED]
    assert "left_knee" in doubtful_joints(bone_map)


def test_few_names_give_no_convention_and_none_the_places() -> None:
    rest = DEFAULT_SKELETON.rest_positions()
    names = [joint if joint in ("left_knee", "right_elbow") else f"Bone.{n:03}" for n, joint in enumerate(JOINTS)]
    assert map_bones(names, PARENTS, rest).convention == BY_STRUCTURE
    with pytest.raises(UnmappableRig, match="no bone for pelvis"):
        map_bones(names, PARENTS)
