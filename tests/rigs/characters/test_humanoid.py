"""Which bones of a rig are driven: twist bones, toes, detached limbs, and no others."""

import numpy as np
import pytest

from rigs import rotations
from rigs.characters.humanoid import humanoid_from_rig
from rigs.motion import Motion
from rigs.retargeting.bone_transforms import bone_transforms
from rigs.retargeting.retarget import RetargetOptions, retarget, transfer_motion
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, INDEX
from tests.rigs.characters.synthetic_characters import bone_map_of, make_rig, posed_heads, t_pose_bones

PLAIN = RetargetOptions(plant_feet=False)


@pytest.fixture(scope="module")
def dance() -> Motion:
    return sample_dance()[:240]


def test_limbs_on_detached_roots_follow_the_pelvis(dance: Motion) -> None:
    bones = t_pose_bones()
    for side in ("left", "right"):
        bones[f"{side}_leg_root"] = (None, bones["pelvis"][1])
        bones[f"{side}_hip"] = (f"{side}_leg_root", bones[f"{side}_hip"][1])
    character = make_rig(bones, seed=4)
    humanoid = humanoid_from_rig(character, bone_map_of(character))
    posed = retarget(dance, humanoid, PLAIN)
    heads = posed_heads(character, bone_transforms(posed, humanoid))
    for name in ("left_ankle", "right_ankle", "left_wrist", "head"):
        assert np.abs(heads[name] - posed.positions[:, INDEX[name]]).max() < 1e-6, name


def _forearm_turned() -> Motion:
    """Two frames: a T-pose, and with the left hand turned by 80 degrees about the forearm."""
    local_rotations = rotations.identity(2, 29)
    local_rotations[1, INDEX["left_wrist"]] = rotations.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.radians(80.0))
    return Motion(30.0, DEFAULT_SKELETON, np.tile(DEFAULT_SKELETON.offsets[0], (2, 1)), local_rotations)


@pytest.mark.parametrize("aside", [False, True])
def test_a_twist_bone_takes_its_share_of_the_hands_twist(aside: bool) -> None:
    bones = t_pose_bones()
    elbow, wrist = bones["left_elbow"][1], bones["left_wrist"][1]
    bones["left_elbow_twist"] = ("left_elbow", elbow + 0.5 * (wrist - elbow))
    if not aside:
        bones["left_wrist"] = ("left_elbow_twist", wrist)
    character = make_rig(bones)
    humanoid = humanoid_from_rig(character, bone_map_of(character))
    pose_rotations = bone_transforms(transfer_motion(_forearm_turned(), humanoid), humanoid).rotations
    assert np.degrees(rotations.angle_between(*pose_rotations["left_elbow_twist"])) == pytest.approx(40.0)
    assert np.degrees(rotations.angle_between(*pose_rotations["left_elbow"])) == pytest.approx(0.0, abs=1e-6)
    assert np.degrees(rotations.angle_between(*pose_rotations["left_wrist"])) == pytest.approx(80.0 if aside else 40.0)


def test_all_toes_rotate_together(dance: Motion) -> None:
    bones = t_pose_bones()
    bones["left_little_toe"] = ("left_ankle", bones["left_foot"][1] + np.array([0.04, 0.02, 0.0]))
    character = make_rig(bones)
    humanoid = humanoid_from_rig(character, bone_map_of(character))
    pose_rotations = bone_transforms(retarget(dance, humanoid), humanoid).rotations
    assert np.allclose(pose_rotations["left_little_toe"], pose_rotations["left_foot"])


def test_unmapped_bones_are_not_driven(dance: Motion) -> None:
    bones = t_pose_bones()
    bones["ponytail"] = ("jaw", bones["jaw"][1] + np.array([0.0, 0.1, 0.1]))
    bones["left_pinky"] = ("left_wrist", bones["left_wrist"][1] + np.array([0.08, 0.0, 0.0]))
    character = make_rig(bones)
    humanoid = humanoid_from_rig(character, bone_map_of(character))
    pose_rotations = bone_transforms(retarget(dance, humanoid), humanoid).rotations
    assert "ponytail" not in pose_rotations
    assert "left_pinky" not in pose_rotations
