"""Conversion of a rig's bones to a Motion: every joint at its bone, spines of any number of bones."""

from pathlib import Path

import numpy as np
import pytest

from rigs import kinematics, rotations
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.characters.to_motion import motion_from_bones
from rigs.files import read
from rigs.files.bvh import bvh
from rigs.files.bvh.bvh_parser import parse_bvh
from rigs.files.conventions.axes import to_z_up
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import INDEX, JOINTS, rest_positions
from tests.rigs.files.bvh.bvh_files import ZOO

MILLIMETRE = 1e-3


def joint_errors(corpus: Path, name: str) -> dict[str, float]:
    """How far in metres each joint of a read dancer is from its bone, at most; filled-in joints are not listed."""
    clip, parsed = read(corpus / name), parse_bvh(corpus / name)
    positions = bvh.bvh_transforms(parsed)[1] * clip.source.units
    positions = to_z_up(positions, clip.source.up)
    bone_map = map_bones(parsed.names, parsed.parents, rest_positions(parsed.offsets, parsed.parents))
    ours = clip.motions[0].positions
    return {
        joint: float(np.linalg.norm(ours[:, j] - positions[bone_map.bones[j]], axis=-1).max())
        for j, joint in enumerate(JOINTS)
        if joint not in clip.source.filled_joints
    }


@pytest.mark.parametrize("name", [*(f"bvh_zoo/{name}" for name in ZOO), "salsa/salsa_07_leader"])
def test_every_joint_is_within_a_millimetre_of_its_bone(corpus: Path, name: str) -> None:
    """Also where bones that are none of the 29 bend between two that are: jumping jacks' neck, the dab's spine."""
    errors = joint_errors(corpus, f"{name}.bvh")
    assert len(errors) >= 21
    assert max(errors.values()) < MILLIMETRE, max(errors, key=lambda joint: errors[joint])


def test_the_mid_spine_of_four_spine_bones_follows_them(corpus: Path) -> None:
    """The joint that is placed for the chest's sake stays near the bones that it stands for, and does not jump."""
    clip, parsed = read(corpus / "bvh_zoo/AD_fair1_dab.bvh"), parse_bvh(corpus / "bvh_zoo/AD_fair1_dab.bvh")
    assert clip.source.filled_joints == ("spine2",)
    names = [parsed.names.index(name) for name in ("Spine1", "Spine2")]
    bones = bvh.bvh_transforms(parsed)[1][names] * clip.source.units
    ours = clip.motions[0].positions[:, INDEX["spine2"]]
    assert np.linalg.norm(ours - bones, axis=-1).min(axis=0).max() < 0.08
    step = np.linalg.norm(np.diff(ours, axis=0), axis=-1)
    bone_step = np.linalg.norm(np.diff(bones[0], axis=0), axis=-1)
    assert step.max() < bone_step.max() + 0.03


@pytest.mark.parametrize("degrees", [10.0, -45.0, 90.0, 180.0])
@pytest.mark.parametrize("axis", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0)], ids=["X", "Y"])
def test_a_source_that_leans_or_lies_at_rest_is_read_as_one_that_stands(
    axis: tuple[float, float, float], degrees: float
) -> None:
    """A rig whose object is tilted, and which is posed so that the dancer stands."""
    dance = sample_dance()[:120]
    tilt = rotations.from_axis_angle(np.array(axis), np.radians(degrees))
    bones = tuple(range(29))
    world = kinematics.global_rotations(dance.rotations).swapaxes(0, 1)
    positions = dance.positions.swapaxes(0, 1)
    rest = dance.skeleton.rest_positions()
    standing = motion_from_bones(30.0, bones, world.copy(), positions, rest)
    tilted = motion_from_bones(
        30.0,
        bones,
        rotations.multiply(world, rotations.inverse(tilt)),
        positions,
        rotations.rotate(tilt, rest),
        object_rotation=tilt,
    )
    assert np.degrees(rotations.angle_between(standing.rotations, tilted.rotations)).max() < 1e-3
    assert np.abs(standing.positions - tilted.positions).max() < 1e-6
