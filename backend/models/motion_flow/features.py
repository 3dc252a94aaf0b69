"""Features of the motion flow: Motions as arrays of poses, floor frames, and normalizable features local to them.

Written against the array API standard: numpy arrays in inference, torch tensors in training.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from backend.models.common.array_api import AnyArray, array_namespace, constant_like
from backend.models.common.world_frame import WorldFrame
from rigs import Array, kinematics, rotations
from rigs.contacts import foot_contacts
from rigs.motion import Motion
from rigs.skeleton import CHILDREN, PARENTS, Skeleton

FPS = 30.0
ROTATED_JOINTS = tuple(j for j in range(29) if CHILDREN[j])
"""The 24 joints with children, whose rotations the network generates."""
_PARENT_ROTATION = [ROTATED_JOINTS.index(PARENTS[j]) if j else 0 for j in range(29)]
_OWN_OR_PARENT_ROTATION = [ROTATED_JOINTS.index(j if j in ROTATED_JOINTS else PARENTS[j]) for j in range(29)]
PARTNER_DIM = 3 + 6 * len(ROTATED_JOINTS) + 4
"""Features per generated frame: pelvis position, rotations (6D, Zhou et al. 2019), and foot contacts."""
PAST_DIM = PARTNER_DIM + 3 * 29
"""Features per frame of the past: those of a generated frame, and joint positions."""
JOINTS_DIM = 2 * 3 * 29
"""Features per frame of a leader who is a dancer: joint positions and velocities."""
_SAME_WORLD = WorldFrame(1.0, 0.0)


@dataclass(frozen=True)
class PoseSequence:
    """One dancer's motion as arrays.

    root: (..., F, 3) m, the pelvis.  rotations: (..., F, 24, 3, 3) global, of `ROTATED_JOINTS`.
    contacts: (..., F, 4) from 0 to 1, as `rigs.contacts.foot_contacts`.
    """

    root: AnyArray
    rotations: AnyArray
    contacts: AnyArray

    def __getitem__(self, frames: slice) -> "PoseSequence":
        return PoseSequence(
            self.root[..., frames, :], self.rotations[..., frames, :, :, :], self.contacts[..., frames, :]
        )

    def select(self, index: int) -> "PoseSequence":
        """Select one sequence of a batch."""
        return self.map(lambda part: part[index])

    def map(self, function: Callable[[AnyArray], AnyArray]) -> "PoseSequence":
        """Apply a function to each array."""
        return PoseSequence(function(self.root), function(self.rotations), function(self.contacts))

    def joint_positions(self, offsets: AnyArray) -> AnyArray:
        """Forward kinematics: joint positions (..., F, 29, 3) m for bone offsets (..., 29, 3) m."""
        xp = array_namespace(self.root)
        bones = (self.rotations[..., _PARENT_ROTATION, :, :] @ offsets[..., None, :, :, None])[..., 0]
        bones = xp.concat([self.root[..., None, :], bones[..., 1:, :]], axis=-2)
        return constant_like(_ANCESTORS, bones) @ bones


def concatenate(*sequences: PoseSequence) -> PoseSequence:
    """Concatenate pose sequences in time."""
    xp = array_namespace(sequences[0].root)
    return PoseSequence(
        xp.concat([poses.root for poses in sequences], axis=-2),
        xp.concat([poses.rotations for poses in sequences], axis=-4),
        xp.concat([poses.contacts for poses in sequences], axis=-2),
    )


def motion_to_poses(
    motion: Motion, frames: Array | slice = slice(None), world: WorldFrame = _SAME_WORLD
) -> PoseSequence:
    """Convert frames of a Motion to arrays in the model's world frame; contacts are detected in the whole Motion."""
    matrices = rotations.to_matrix(kinematics.global_rotations(motion.rotations[frames])[:, list(ROTATED_JOINTS)])
    contacts = foot_contacts(motion.positions, motion.fps)[frames]
    root = world.to_model(motion.root)[frames]
    return PoseSequence(root, matrices.astype(np.float32), contacts.astype(np.float32))


def poses_to_motions(poses: PoseSequence, skeleton: Skeleton, world: WorldFrame) -> Iterator[Motion]:
    """Convert takes (takes, F) in the model's world frame to Motions in the request's, one by one."""
    for root, matrices in zip(poses.root, poses.rotations, strict=True):
        global_rotations: Array = rotations.from_matrix(matrices.astype(np.float64))[:, _OWN_OR_PARENT_ROTATION]
        local = rotations.unroll(kinematics.local_rotations(global_rotations))
        yield Motion(FPS, skeleton, world.to_world(root), local)


@dataclass(frozen=True)
class FloorFrame:
    """Local frame on the floor: origin (..., 3) m with z = 0, rotation (..., 3, 3) about the vertical."""

    origin: AnyArray
    rotation: AnyArray

    def to_local(self, points: AnyArray) -> AnyArray:
        """Transform world points (..., n, 3) to this frame."""
        return (points - self.origin[..., None, :]) @ self.rotation

    def to_world(self, points: AnyArray) -> AnyArray:
        """Transform points (..., n, 3) of this frame to the world."""
        return points @ array_namespace(points).matrix_transpose(self.rotation) + self.origin[..., None, :]


def floor_frame(poses: PoseSequence) -> FloorFrame:
    """Floor frame of the last pelvis: its position and heading."""
    return floor_frame_at(poses.root[..., -1, :], heading(poses)[..., -1])


def heading(poses: PoseSequence) -> AnyArray:
    """Heading of the pelvis, in radians about the vertical from facing -Y: (..., F)."""
    front = -poses.rotations[..., 0, :, 1]
    return array_namespace(front).atan2(front[..., 0], -front[..., 1])


def floor_frame_of_joints(joints: AnyArray) -> FloorFrame:
    """Floor frame of joint positions (..., 29, 3) m, its heading from the hips."""
    left = joints[..., 1, :] - joints[..., 2, :]
    return floor_frame_at(joints[..., 0, :], array_namespace(left).atan2(left[..., 1], left[..., 0]))


def floor_frame_at(root: AnyArray, angle: AnyArray) -> FloorFrame:
    """Floor frame under the pelvis `root` (..., 3) m with the heading `angle` (...) radians from facing -Y."""
    xp = array_namespace(root)
    cosine, sine, zero, one = xp.cos(angle), xp.sin(angle), xp.zeros_like(angle), xp.ones_like(angle)
    rows = xp.stack([cosine, -sine, zero, sine, cosine, zero, zero, zero, one], axis=-1)
    return FloorFrame(root * constant_like([1.0, 1.0, 0.0], root), xp.reshape(rows, (*rows.shape[:-1], 3, 3)))


def partner_features(poses: PoseSequence, frame: FloorFrame) -> AnyArray:
    """Features of poses in a floor frame: (..., F, PARTNER_DIM)."""
    xp = array_namespace(poses.root)
    local = xp.matrix_transpose(frame.rotation)[..., None, None, :, :] @ poses.rotations
    columns = xp.reshape(xp.matrix_transpose(local[..., :2]), (*local.shape[:-3], 6 * len(ROTATED_JOINTS)))
    return xp.concat([frame.to_local(poses.root), columns, poses.contacts], axis=-1)


def poses_from_features(features: AnyArray, frame: FloorFrame) -> PoseSequence:
    """Poses in the world from features (..., F, PARTNER_DIM) in a floor frame; rotations are made orthonormal."""
    root, columns, contacts = features[..., :3], features[..., 3:-4], features[..., -4:]
    columns = array_namespace(columns).reshape(columns, (*columns.shape[:-1], len(ROTATED_JOINTS), 2, 3))
    local = _gram_schmidt(columns[..., 0, :], columns[..., 1, :])
    return PoseSequence(frame.to_world(root), frame.rotation[..., None, None, :, :] @ local, contacts)


def joint_features(joints: AnyArray, frame: FloorFrame) -> AnyArray:
    """Positions and velocities (..., F - 1, JOINTS_DIM) in a floor frame, of joints (..., F, 29, 3) m."""
    xp = array_namespace(joints)
    points = frame.to_local(xp.reshape(joints, (*joints.shape[:-3], -1, 3)))
    local = xp.reshape(points, joints.shape)
    velocities = (local[..., 1:, :, :] - local[..., :-1, :, :]) * FPS
    both = xp.concat([local[..., 1:, :, :], velocities], axis=-2)
    return xp.reshape(both, (*both.shape[:-2], JOINTS_DIM))


def orthonormalize(matrices: AnyArray) -> AnyArray:
    """Rotation matrices from nearly orthonormal ones (..., 3, 3), by Gram-Schmidt on their first two columns."""
    return _gram_schmidt(matrices[..., 0], matrices[..., 1])


def _gram_schmidt(x: AnyArray, y: AnyArray) -> AnyArray:
    """Rotation matrices (..., 3, 3) from the 6D representation: two columns (..., 3) each (Zhou et al. 2019)."""
    xp = array_namespace(x)
    x = normalize_vectors(x)
    z = normalize_vectors(xp.linalg.cross(x, y))
    return xp.stack([x, xp.linalg.cross(z, x), z], axis=-1)


def normalize_vectors(vectors: AnyArray) -> AnyArray:
    """Scale vectors (..., 3) to length 1; those shorter than 1e-12 stay short."""
    xp = array_namespace(vectors)
    return vectors / xp.clip(xp.linalg.vector_norm(vectors, axis=-1, keepdims=True), 1e-12, None)


def _ancestor_matrix() -> Array:
    """(29, 29): 1 where the column's joint is the row's or an ancestor of it."""
    ancestors = np.eye(29, dtype=np.float32)
    for j, parent in enumerate(PARENTS):
        if parent >= 0:
            ancestors[j] += ancestors[parent]
    return ancestors


_ANCESTORS = _ancestor_matrix()
