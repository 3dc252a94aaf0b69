"""Bone transforms against Blender's own rule for posing bones, computed with matrices."""

from dataclasses import replace

import numpy as np
import pytest

from rigs.characters.humanoid import humanoid_from_rig
from rigs.motion import Motion
from rigs.retargeting.bone_transforms import bone_transforms
from rigs.retargeting.played_pose import sample_played_pose
from rigs.retargeting.pose_samples import choose_frames
from rigs.retargeting.retarget import retarget
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import INDEX, JOINTS
from tests.rigs.characters.synthetic_characters import (
    Bones,
    a_pose_bones,
    bone_map_of,
    make_rig,
    posed_heads,
    t_pose_bones,
)


@pytest.fixture(scope="module")
def dance() -> Motion:
    return sample_dance()[:240]


def test_posed_bones_reach_the_joint_positions(dance: Motion) -> None:
    character = make_rig(a_pose_bones(t_pose_bones(1.2)), seed=3)
    humanoid = humanoid_from_rig(character, bone_map_of(character))
    posed = retarget(dance, humanoid)
    heads = posed_heads(character, bone_transforms(posed, humanoid))
    for name, place in heads.items():
        assert np.abs(place - posed.positions[:, INDEX[name]]).max() < 1e-6, name


def _rooted() -> Bones:
    bones = t_pose_bones(0.9)
    bones["root"] = (None, np.zeros(3))
    bones["pelvis"] = ("root", bones["pelvis"][1])
    return bones


@pytest.mark.parametrize("root", ["bone", "object"])
def test_every_root_mode_gives_the_same_positions(dance: Motion, root: str) -> None:
    character = make_rig(_rooted(), seed=5, turn=0.7, scale=0.1)
    humanoid = humanoid_from_rig(character, bone_map_of(character))
    posed = retarget(dance, humanoid)
    hips_mode, other_mode = (
        posed_heads(character, bone_transforms(posed, humanoid, root=mode)) for mode in ("hips", root)
    )
    for name in JOINTS:
        if name in hips_mode:
            assert np.abs(hips_mode[name] - other_mode[name]).max() < 1e-6, name
    path = np.ptp(other_mode["root"][:, :2], axis=0)
    assert path.max() > 0.3
    assert np.ptp(hips_mode["root"]) == 0.0 or np.abs(np.diff(hips_mode["root"], axis=0)).max() < 1e-9


@pytest.mark.parametrize("root", ["hips", "bone", "object"])
def test_in_place_removes_the_path_and_keeps_the_height(dance: Motion, root: str) -> None:
    character = make_rig(_rooted())
    humanoid = humanoid_from_rig(character, bone_map_of(character))
    posed = retarget(dance, humanoid)
    with_path, without_path = (
        posed_heads(character, bone_transforms(posed, humanoid, root=root, in_place=stay))["pelvis"]
        for stay in (False, True)
    )
    assert np.ptp(without_path[:, :2], axis=0).max() < 1e-6
    assert np.allclose(without_path[:, 2], with_path[:, 2])
    assert np.allclose(without_path[0], with_path[0])


def test_root_mode_bone_needs_a_bone_above_the_hips(dance: Motion) -> None:
    character = make_rig(t_pose_bones())
    humanoid = humanoid_from_rig(character, bone_map_of(character))
    with pytest.raises(ValueError, match="a bone above the hips expected"):
        bone_transforms(retarget(dance, humanoid), humanoid, root="bone")


@pytest.mark.parametrize("root", ["hips", "bone", "object"])
def test_connected_hips_are_moved_by_the_bone_above(dance: Motion, root: str) -> None:
    free = make_rig(_rooted(), seed=5, turn=0.7, scale=0.1)
    connected = replace(free, connected=frozenset([free.index("pelvis")]))
    heads = []
    for character in (free, connected):
        humanoid = humanoid_from_rig(character, bone_map_of(character))
        motion = bone_transforms(retarget(dance, humanoid), humanoid, root=root)
        heads.append(posed_heads(character, motion))
    assert "pelvis" not in motion.locations
    assert max(np.abs(heads[0][name] - heads[1][name]).max() for name in JOINTS if name in heads[0]) < 1e-6


def test_sampled_poses_are_those_that_the_bones_reach(dance: Motion) -> None:
    character = make_rig(_rooted(), seed=5, turn=0.7, scale=0.1)
    humanoid = humanoid_from_rig(character, bone_map_of(character))
    motion = bone_transforms(retarget(dance, humanoid), humanoid, root="object")
    samples = sample_played_pose(character, motion)
    heads = posed_heads(character, motion)
    assert {0, 239} < set(samples.frames)
    assert 5 <= len(samples.frames) <= 7
    for n, bone in enumerate(samples.bones):
        assert np.abs(heads[bone][list(samples.frames)] - samples.heads[:, n]).max() < 1e-6


def test_the_frames_of_largest_movement_are_chosen() -> None:
    speed = np.zeros(100)
    speed[[37, 61]] = 3.0, 2.0
    assert choose_frames(speed) == (0, 25, 37, 50, 61, 74, 99)
    assert choose_frames(np.zeros(1)) == (0,)
