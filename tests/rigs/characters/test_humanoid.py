"""Which bones of a rig are driven: twist bones, toes, detached limbs, and no others."""

import numpy as np
import pytest

from rigs.characters.humanoid import humanoid_from_rig
from rigs.motion import Motion
from rigs.retargeting.bone_transforms import bone_transforms
from rigs.retargeting.retarget import RetargetOptions, retarget
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import INDEX
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
