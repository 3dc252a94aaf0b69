"""Bone transforms against Blender's own rule for posing bones, computed with matrices."""

import numpy as np
import pytest

from rigs.characters.humanoid import humanoid_from_rig
from rigs.motion import Motion
from rigs.retargeting.bone_transforms import bone_transforms
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
    body = humanoid_from_rig(character, bone_map_of(character))
    figure = retarget(dance, body)
    places = posed_heads(character, bone_transforms(figure, body))
    for name, place in places.items():
        assert np.abs(place - figure.positions[:, INDEX[name]]).max() < 1e-6, name


def _rooted() -> Bones:
    bones = t_pose_bones(0.9)
    bones["root"] = (None, np.zeros(3))
    bones["pelvis"] = ("root", bones["pelvis"][1])
    return bones


@pytest.mark.parametrize("root", ["bone", "object"])
def test_every_root_mode_gives_the_same_positions(dance: Motion, root: str) -> None:
    character = make_rig(_rooted(), seed=5, turn=0.7, scale=0.1)
    body = humanoid_from_rig(character, bone_map_of(character))
    figure = retarget(dance, body)
    by_hips, carried = (posed_heads(character, bone_transforms(figure, body, root=way)) for way in ("hips", root))
    for name in JOINTS:
        if name in by_hips:
            assert np.abs(by_hips[name] - carried[name]).max() < 1e-6, name
    way = np.ptp(carried["root"][:, :2], axis=0)
    assert way.max() > 0.3
    assert np.ptp(by_hips["root"]) == 0.0 or np.abs(np.diff(by_hips["root"], axis=0)).max() < 1e-9


@pytest.mark.parametrize("root", ["hips", "bone", "object"])
def test_in_place_removes_the_path_and_keeps_the_height(dance: Motion, root: str) -> None:
    character = make_rig(_rooted())
    body = humanoid_from_rig(character, bone_map_of(character))
    figure = retarget(dance, body)
    going, staying = (
        posed_heads(character, bone_transforms(figure, body, root=root, in_place=stay))["pelvis"]
        for stay in (False, True)
    )
    assert np.ptp(staying[:, :2], axis=0).max() < 1e-6
    assert np.allclose(staying[:, 2], going[:, 2])
    assert np.allclose(staying[0], going[0])


def test_root_mode_bone_needs_a_bone_above_the_hips(dance: Motion) -> None:
    character = make_rig(t_pose_bones())
    body = humanoid_from_rig(character, bone_map_of(character))
    with pytest.raises(ValueError, match="a bone above the hips expected"):
        bone_transforms(retarget(dance, body), body, root="bone")
