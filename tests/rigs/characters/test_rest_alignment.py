"""Rest-pose alignment: hinge axes of the arms, and the rest rotation of the hands."""

from pathlib import Path

import numpy as np
import pytest

from rigs import Array, kinematics, pose_fitting, rotations
from rigs.files import read
from rigs.files.bvh import bvh
from rigs.files.bvh.bvh_parser import parse_bvh
from rigs.files.conventions.axes import to_z_up
from rigs.skeleton import INDEX, JOINTS

ARMS = ("left_shoulder", "right_shoulder", "left_elbow", "right_elbow")


@pytest.mark.parametrize("name", ["salsa/salsa_07_leader", "salsa/salsa_07_follower", "bvh_zoo/AD_cmu1_jumping_jacks"])
def test_elbow_hinges_match_the_joint_positions(corpus: Path, name: str) -> None:
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


def test_hands_keep_their_rest_rotation(corpus: Path) -> None:
    """A palm that faces down in the rest pose's level arm faces down in ours, whatever way the elbow bends."""
    path = corpus / "bvh_zoo/cmu_daz_60_01.bvh"
    motion, parsed = read(path, fps=60.0).motions[0], parse_bvh(path)
    world = bvh.bvh_transforms(parsed)[0][parsed.names.index("lHand")]
    bone = np.concatenate([world[..., :1], to_z_up(world[..., 1:], "Y")], axis=-1)
    ours = kinematics.global_rotations(motion.rotations)[:, INDEX["left_wrist"]]
    down = rotations.rotate(rotations.inverse(bone), rotations.rotate(ours, np.array([0.0, 0.0, -1.0])))
    assert np.degrees(np.arccos(-down[:, 2])).max() < 10.0
