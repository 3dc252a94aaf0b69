"""Which bone is which joint: tables of names, checked against the hierarchy."""

from pathlib import Path

import pytest

from rigs.files import bvh
from rigs.mapping import REQUIRED, Dialect, Mapping, NoDancer, dialects, map_bones, normalize
from rigs.skeleton import CHILDREN, INDEX, JOINTS, MIRRORED, PARENTS

OWN_PARENTS = list(PARENTS)


def found(mapping: Mapping, names: list[str]) -> dict[str, str]:
    return {joint: names[bone] for joint, bone in zip(JOINTS, mapping.bones, strict=True) if bone >= 0}


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("mixamorig:LeftUpLeg", "leftupleg"),
        ("Some Guy|rig:Left Up-Leg", "leftupleg"),
        ("left_up.leg", "leftupleg"),
        ("UpperLeg_L", "upperlegl"),
    ],
)
def test_namespace_case_and_separators_do_not_matter(written: str, plain: str) -> None:
    assert normalize(written) == plain


def test_our_own_names_map_one_to_one() -> None:
    mapping = map_bones(list(JOINTS), OWN_PARENTS)
    assert mapping.bones == tuple(range(29))
    assert mapping.missing == ()
    assert mapping.dialect.t_pose


def test_a_prefix_that_all_bones_share_does_not_matter() -> None:
    mapping = map_bones([f"Character1_{joint}" for joint in JOINTS], OWN_PARENTS)
    assert mapping.bones == tuple(range(29))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "salsa/salsa_07_leader",
            {"pelvis": "root", "left_hip": "lfemur", "left_knee": "ltibia", "left_ankle": "lfoot", "left_foot": "ltoes",
             "left_bigtoe": "ltoes end site", "jaw": "head", "head": "head end site", "left_elbow": "lradius",
             "left_wrist": "lhand", "left_thumb": "lfingers", "left_middle": "lfingers end site"},
        ),
        (
            "bvh_zoo/AD_rokoko_jesse_dance",
            {"pelvis": "Hips", "right_knee": "RightLeg", "right_shoulder": "RightArm", "spine3": "Spine2",
             "right_thumb": "RightHandMiddle1", "right_middle": "RightHandMiddle3 end site"},
        ),
        (
            "bvh_zoo/dataset-1_dance-short_normal_001",
            {"pelvis": "Hips", "left_hip": "UpperLeg_L", "left_elbow": "LowerArm_L", "spine3": "Chest"},
        ),
        (
            "bvh_zoo/cmu_daz_60_01",
            {"pelvis": "hip", "left_hip": "lThigh", "left_foot": "lFoot end site", "left_shoulder": "lShldr"},
        ),
        (
            "bvh_zoo/pybvh_bvh_test2",
            {"spine1": "Chest", "spine2": "Chest2", "spine3": "Chest4", "left_hip": "LeftHip",
             "left_middle": "LeftWrist end site"},
        ),
        (
            "bvh_zoo/AD_cmu1_jumping_jacks",
            {"spine1": "lowerback", "spine2": "Chest", "spine3": "Chest2", "neck": "Neck", "left_thumb": "LFingers"},
        ),
    ],
)  # fmt: skip
def test_each_dialect_is_understood(corpus: Path, name: str, expected: dict[str, str]) -> None:
    parsed = bvh.parse(corpus / f"{name}.bvh")
    assert expected.items() <= found(map_bones(parsed.names, parsed.parents), list(parsed.names)).items()


def test_the_table_that_finds_most_joints_wins() -> None:
    names = [*JOINTS, "Hips", "LeftUpLeg"]
    mapping = map_bones(names, [*OWN_PARENTS, -1, 29])
    assert found(mapping, names) == {joint: joint for joint in JOINTS}


@pytest.mark.parametrize("joint", REQUIRED)
def test_a_limb_without_a_bone_is_named(joint: str) -> None:
    names = [name if name != joint else "thing" for name in JOINTS]
    with pytest.raises(NoDancer, match=f"no bone for {joint}; a dancer with two arms and two legs expected"):
        map_bones(names, OWN_PARENTS)


def test_a_bone_that_hangs_in_the_wrong_place_is_not_the_joint() -> None:
    parents = OWN_PARENTS.copy()
    parents[INDEX["left_knee"]] = INDEX["right_hip"]
    with pytest.raises(NoDancer, match="no bone for left_knee"):
        map_bones(list(JOINTS), parents)


def test_a_lone_bone_at_the_end_serves_as_a_leaf() -> None:
    names = ["tip" if not CHILDREN[j] else name for j, name in enumerate(JOINTS)]
    assert map_bones(names, OWN_PARENTS).bones == tuple(range(29))


def test_one_of_several_bones_at_the_end_does_not() -> None:
    names = [*("tip" if name == "head" else name for name in JOINTS), "left eye"]
    assert map_bones(names, [*OWN_PARENTS, INDEX["jaw"]]).missing == ("head",)


@pytest.mark.parametrize("dialect", dialects(), ids=lambda dialect: dialect.name)
def test_every_table_names_real_joints_on_both_sides(dialect: Dialect) -> None:
    joints = dialect.joints
    assert set(joints) <= set(JOINTS)
    assert set(REQUIRED) <= set(joints)
    for joint, names in joints.items():
        assert len(names) == len(joints[JOINTS[MIRRORED[INDEX[joint]]]])
        assert all(names)
