"""Poses of humanoids: the share of twist bones, and forward kinematics beside a Motion's."""

import numpy as np
import pytest

from rigs import kinematics, rotations
from rigs.characters.humanoid import humanoid_from_rig
from rigs.characters.posed_humanoid import joint_positions
from rigs.motion import Motion
from rigs.retargeting.bone_transforms import bone_transforms
from rigs.retargeting.retarget import transfer_motion
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, HIPS, INDEX
from tests.rigs.characters.synthetic_characters import bone_map_of, make_rig, t_pose_bones


def test_forward_kinematics_of_our_own_build_gives_the_motions_positions() -> None:
    dance = sample_dance()[:60]
    rig = make_rig(t_pose_bones())
    humanoid = humanoid_from_rig(rig, bone_map_of(rig))
    world = rotations.multiply(kinematics.global_rotations(dance.rotations), humanoid.rest_rotations)
    positions = joint_positions(humanoid, world, {}, dance.positions[:, HIPS].mean(axis=1))
    for name in ("spine1", "neck", "left_wrist", "right_ankle", "right_foot"):
        np.testing.assert_allclose(positions[:, INDEX[name]], dance.positions[:, INDEX[name]], atol=1e-6)


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
