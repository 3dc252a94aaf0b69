"""SMPL poses for tests, with their joint positions by forward kinematics in SMPL's own terms."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from rigs import Array
from rigs.skeleton import PARENTS

REST = np.array(
    # m, the joints of an adult in SMPL's rest pose, each from its parent: x to the left, y up, z to the front
    [
        *([0.0, -0.22, 0.03], [0.07, -0.09, -0.01], [-0.07, -0.09, -0.01], [0.0, 0.11, -0.03]),
        *([0.03, -0.38, 0.0], [-0.03, -0.38, 0.0], [0.0, 0.14, 0.0], [-0.01, -0.40, -0.04], [0.01, -0.40, -0.04]),
        *([0.0, 0.05, 0.03], [0.03, -0.06, 0.12], [-0.03, -0.06, 0.12], [0.0, 0.21, -0.04]),
        *([0.08, 0.12, -0.03], [-0.08, 0.12, -0.03], [0.0, 0.07, 0.05], [0.09, 0.03, -0.01], [-0.09, 0.03, -0.01]),
        *([0.26, -0.01, -0.03], [-0.26, -0.01, -0.03], [0.25, 0.01, 0.0], [-0.25, 0.01, 0.0]),
        *([0.08, -0.01, -0.01], [-0.08, -0.01, -0.01]),
    ]
)
TO_Z_UP = Rotation.from_euler("x", 90, degrees=True)
"""SMPL's rest pose stood up in a world with Z up, where it faces -Y."""


@dataclass(frozen=True)
class SmplDance:
    """A dance in a world with Z up. poses: (F, 24, 3) rotation vectors.  trans: (F, 3) m.  joints: (F, 24, 3) m."""

    poses: Array
    trans: Array
    joints: Array


def smpl_dance(frames: int = 90, *, seed: int = 1, world: Rotation = TO_Z_UP, scale: float = 1.0) -> SmplDance:
    """A dancer who sways, turns and wanders; world: from SMPL's axes to the file's.  scale: of the body."""
    random = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None] / 30.0
    waves = np.sin(time * random.uniform(1.0, 3.0, (24, 3)) + random.uniform(0.0, 6.0, (24, 3)))
    poses = 0.35 * waves
    turning = Rotation.from_rotvec(0.8 * np.sin(time[:, 0]) * [0.0, 1.0, 0.0])
    poses[:, 0] = (world * turning * Rotation.from_rotvec(0.1 * waves[:, 0])).as_rotvec()
    path = world.apply(np.stack([0.5 * np.sin(time[:, 0, 0]), 1.15 + 0.0 * time[:, 0, 0], 0.4 * time[:, 0, 0]], axis=1))
    return SmplDance(poses, path, smpl_joints(poses, path, scale))


def smpl_joints(poses: Array, trans: Array, scale: float = 1.0) -> Array:
    """Joint positions (F, 24, 3) of rotation vectors (F, 24, 3) as SMPL defines them, about the rest pose's origin."""
    turns: list[Rotation] = []
    joints = np.empty_like(poses)
    for j in range(24):
        local = Rotation.from_rotvec(poses[:, j])
        if j == 0:
            turns.append(local)
            joints[:, 0] = trans + scale * REST[0]
        else:
            parent = PARENTS[j]
            turns.append(turns[parent] * local)
            joints[:, j] = joints[:, parent] + turns[parent].apply(scale * REST[j])
    return joints
