"""A rig's bones become ours: every joint in its place, arms that bend as ours do, spines of any number of bones."""

from pathlib import Path

import numpy as np
import pytest

from rigs import Array, kinematics, pose_fitting, rotations
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.files import bvh, frame_rate_check, read
from rigs.files.bvh_parser import parse_bvh
from rigs.files.recording import to_z_up
from rigs.skeleton import INDEX, JOINTS
from tests.rigs.files.bvh_files import ZOO

MILLIMETRE = 1e-3
ARMS = ("left_shoulder", "right_shoulder", "left_elbow", "right_elbow")


def apart(corpus: Path, name: str) -> dict[str, float]:
    """How far in metres each joint of a read dancer is from its bone, at most; filled-in joints are not listed."""
    clip, parsed = read(corpus / name), parse_bvh(corpus / name)
    places = bvh.world_transforms(parsed)[1] * clip.source.units
    places = to_z_up(places) if clip.source.up == "Y" else places
    mapping = map_bones(parsed.names, parsed.parents, bvh.rest_positions(parsed))
    ours = clip.motions[0].positions
    return {
        joint: float(np.linalg.norm(ours[:, j] - places[mapping.bones[j]], axis=-1).max())
        for j, joint in enumerate(JOINTS)
        if joint not in clip.source.filled_joints
    }


@pytest.mark.parametrize("name", [*(f"bvh_zoo/{name}" for name in ZOO), "salsa/salsa_07_leader"])
def test_every_joint_is_within_a_millimetre_of_its_bone(corpus: Path, name: str) -> None:
    """Also where bones that are none of the 29 bend between two that are: jumping jacks' neck, the dab's spine."""
    found = apart(corpus, f"{name}.bvh")
    assert len(found) >= 21
    assert max(found.values()) < MILLIMETRE, max(found, key=lambda joint: found[joint])


def test_the_middle_of_a_spine_of_four_bones_bends_with_it(corpus: Path) -> None:
    """The joint that is placed for the chest's sake stays near the bones that it stands for, and does not jump."""
    clip, parsed = read(corpus / "bvh_zoo/AD_fair1_dab.bvh"), parse_bvh(corpus / "bvh_zoo/AD_fair1_dab.bvh")
    assert clip.source.filled_joints == ("spine2",)
    names = [parsed.names.index(name) for name in ("Spine1", "Spine2")]
    bones = bvh.world_transforms(parsed)[1][names] * clip.source.units
    ours = clip.motions[0].positions[:, INDEX["spine2"]]
    assert np.linalg.norm(ours - bones, axis=-1).min(axis=0).max() < 0.08
    step = np.linalg.norm(np.diff(ours, axis=0), axis=-1)
    theirs = np.linalg.norm(np.diff(bones[0], axis=0), axis=-1)
    assert step.max() < theirs.max() + 0.03


@pytest.mark.parametrize("name", ["salsa/salsa_07_leader", "salsa/salsa_07_follower", "bvh_zoo/AD_cmu1_jumping_jacks"])
def test_arms_bend_about_the_axis_that_their_points_show(corpus: Path, name: str) -> None:
    """CMU's arms rest level with palms down, but their elbows bend some 31 degrees away from ours."""
    motion = read(corpus / f"{name}.bvh").motions[0]
    turned = twists(motion.positions, motion.rotations, motion.fps)
    for joint in ARMS:
        assert np.median(turned[joint]) < 1.0, joint


def twists(positions: Array, local: Array, fps: float) -> dict[str, Array]:
    """Degrees (F,) between the arms' turns and those that follow from their points alone."""
    solved = pose_fitting.fit_motion(positions, fps)
    both = (kinematics.global_rotations(turned) for turned in (solved.rotations, local))
    return dict(zip(JOINTS, np.degrees(rotations.angle_between(*both)).T, strict=True))


def test_hands_keep_the_turn_that_they_have_at_rest(corpus: Path) -> None:
    """A palm that faces down in the rest pose's level arm faces down in ours, whatever way the elbow bends."""
    path = corpus / "bvh_zoo/cmu_daz_60_01.bvh"
    motion, parsed = read(path, fps=60.0).motions[0], parse_bvh(path)
    world = bvh.world_transforms(parsed)[0][parsed.names.index("lHand")]
    bone = np.concatenate([world[..., :1], to_z_up(world[..., 1:])], axis=-1)
    ours = kinematics.global_rotations(motion.rotations)[:, INDEX["left_wrist"]]
    down = rotations.rotate(rotations.inverse(bone), rotations.rotate(ours, np.array([0.0, 0.0, -1.0])))
    assert np.degrees(np.arccos(-down[:, 2])).max() < 10.0


@pytest.mark.parametrize("take", ["01_leader", "05_follower", "07_leader", "10_leader"])
def test_a_doubled_rate_is_doubted_and_the_true_one_is_not(corpus: Path, take: str) -> None:
    motion = read(corpus / f"salsa/salsa_{take}.bvh").motions[0]
    assert frame_rate_check.frame_rate_warnings(motion, "salsa.bvh") == ()
    hasty = read(corpus / f"salsa/salsa_{take}.bvh", fps=120.0)
    (warning,) = hasty.warnings
    assert warning.startswith(f"salsa_{take}.bvh: steps of ")
    assert "its 120 frames a second may be wrong, 60 would fit better" in warning


def test_only_the_header_that_lies_is_doubted_in_the_zoo(corpus: Path) -> None:
    doubted = {name for name in ZOO if read(corpus / f"bvh_zoo/{name}.bvh").warnings}
    assert doubted == {"cmu_daz_60_01"}
    assert read(corpus / "bvh_zoo/cmu_daz_60_01.bvh", fps=60.0).warnings == ()
