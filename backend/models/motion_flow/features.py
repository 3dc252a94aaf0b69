"""Features of the motion flow: Motions as tensors of poses, floor frames, and normalizable features local to them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

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
    """One dancer's motion as tensors.

    root: (..., F, 3) m, the pelvis.  rotations: (..., F, 24, 3, 3) global, of `ROTATED_JOINTS`.
    contacts: (..., F, 4) from 0 to 1, as `rigs.contacts.foot_contacts`.
    """

    root: Tensor
    rotations: Tensor
    contacts: Tensor

    def __getitem__(self, frames: slice) -> "PoseSequence":
        return PoseSequence(
            self.root[..., frames, :], self.rotations[..., frames, :, :, :], self.contacts[..., frames, :]
        )

    def select(self, index: int) -> "PoseSequence":
        """Select one sequence of a batch."""
        return self.map(lambda part: part[index])

    def map(self, function: Callable[[Tensor], Tensor]) -> "PoseSequence":
        """Apply a function to each tensor."""
        return PoseSequence(function(self.root), function(self.rotations), function(self.contacts))

    def joint_positions(self, offsets: Tensor) -> Tensor:
        """Forward kinematics: joint positions (..., F, 29, 3) m for bone offsets (..., 29, 3) m."""
        bones = torch.einsum("...fjab,...jb->...fja", self.rotations[..., _PARENT_ROTATION, :, :], offsets)
        bones = torch.cat([self.root[..., None, :], bones[..., 1:, :]], dim=-2)
        return torch.einsum("ij,...fja->...fia", _ANCESTORS.to(bones), bones)


def concatenate(*sequences: PoseSequence) -> PoseSequence:
    """Concatenate pose sequences in time."""
    return PoseSequence(
        torch.cat([poses.root for poses in sequences], dim=-2),
        torch.cat([poses.rotations for poses in sequences], dim=-4),
        torch.cat([poses.contacts for poses in sequences], dim=-2),
    )


def motion_to_poses(
    motion: Motion, frames: Array | slice = slice(None), world: WorldFrame = _SAME_WORLD
) -> PoseSequence:
    """Convert frames of a Motion to tensors in the model's world frame; contacts are detected in the whole Motion."""
    matrices = rotations.to_matrix(kinematics.global_rotations(motion.rotations[frames])[:, list(ROTATED_JOINTS)])
    contacts = foot_contacts(motion.positions, motion.fps)[frames]
    root = world.to_model(motion.root)[frames]
    return PoseSequence(root, torch.from_numpy(matrices).float(), torch.from_numpy(np.asarray(contacts)).float())


def poses_to_motions(poses: PoseSequence, skeleton: Skeleton, world: WorldFrame) -> Iterator[Motion]:
    """Convert takes (takes, F) in the model's world frame to Motions in the request's, one by one."""
    for root, matrices in zip(poses.root, poses.rotations, strict=True):
        global_rotations: Array = rotations.from_matrix(matrices.double().cpu().numpy())[:, _OWN_OR_PARENT_ROTATION]
        local = rotations.unroll(kinematics.local_rotations(global_rotations))
        yield Motion(FPS, skeleton, world.to_world(root), local)


@dataclass(frozen=True)
class FloorFrame:
    """Local frame on the floor: origin (..., 3) m with z = 0, rotation (..., 3, 3) about the vertical."""

    origin: Tensor
    rotation: Tensor

    def to_local(self, points: Tensor) -> Tensor:
        """Transform world points (..., n, 3) to this frame."""
        return (points - self.origin[..., None, :]) @ self.rotation

    def to_world(self, points: Tensor) -> Tensor:
        """Transform points (..., n, 3) of this frame to the world."""
        return points @ self.rotation.transpose(-1, -2) + self.origin[..., None, :]


def floor_frame(poses: PoseSequence) -> FloorFrame:
    """Floor frame of the last pelvis: its position and heading."""
    return floor_frame_at(poses.root[..., -1, :], heading(poses)[..., -1])


def heading(poses: PoseSequence) -> Tensor:
    """Heading of the pelvis, in radians about the vertical from facing -Y: (..., F)."""
    front = -poses.rotations[..., 0, :, 1]
    return torch.atan2(front[..., 0], -front[..., 1])


def floor_frame_of_joints(joints: Tensor) -> FloorFrame:
    """Floor frame of joint positions (..., 29, 3) m, its heading from the hips."""
    left = joints[..., 1, :] - joints[..., 2, :]
    return floor_frame_at(joints[..., 0, :], torch.atan2(left[..., 1], left[..., 0]))


def floor_frame_at(root: Tensor, angle: Tensor) -> FloorFrame:
    """Floor frame under the pelvis `root` (..., 3) m with the heading `angle` (...) radians from facing -Y."""
    cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = torch.stack([cosine, -sine, zero, sine, cosine, zero, zero, zero, zero + 1.0], dim=-1)
    floor = torch.tensor([1.0, 1.0, 0.0]).to(root)
    return FloorFrame(root * floor, rows.reshape(*rows.shape[:-1], 3, 3))


def partner_features(poses: PoseSequence, frame: FloorFrame) -> Tensor:
    """Features of poses in a floor frame: (..., F, PARTNER_DIM)."""
    local = frame.rotation.transpose(-1, -2)[..., None, None, :, :] @ poses.rotations
    columns = local[..., :2].transpose(-1, -2).flatten(-3)
    return torch.cat([frame.to_local(poses.root), columns, poses.contacts], dim=-1)


def poses_from_features(features: Tensor, frame: FloorFrame) -> PoseSequence:
    """Poses in the world from features (..., F, PARTNER_DIM) in a floor frame; rotations are made orthonormal."""
    root, columns, contacts = features[..., :3], features[..., 3:-4], features[..., -4:]
    local = _gram_schmidt(*columns.reshape(*columns.shape[:-1], len(ROTATED_JOINTS), 2, 3).unbind(dim=-2))
    return PoseSequence(frame.to_world(root), frame.rotation[..., None, None, :, :] @ local, contacts)


def joint_features(joints: Tensor, frame: FloorFrame) -> Tensor:
    """Positions and velocities (..., F - 1, JOINTS_DIM) in a floor frame, of joints (..., F, 29, 3) m."""
    local = frame.to_local(joints.flatten(-3, -2)).reshape(joints.shape)
    return torch.cat([local[..., 1:, :, :], local.diff(dim=-3) * FPS], dim=-2).flatten(-2)


def orthonormalize(matrices: Tensor) -> Tensor:
    """Rotation matrices from nearly orthonormal ones (..., 3, 3), by Gram-Schmidt on their first two columns."""
    return _gram_schmidt(matrices[..., 0], matrices[..., 1])


def _gram_schmidt(x: Tensor, y: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) from the 6D representation: two columns (..., 3) each (Zhou et al. 2019)."""
    x = nn.functional.normalize(x, dim=-1)
    z = nn.functional.normalize(torch.linalg.cross(x, y), dim=-1)
    return torch.stack([x, torch.linalg.cross(z, x), z], dim=-1)


def _ancestor_matrix() -> Tensor:
    """(29, 29): 1 where the column's joint is the row's or an ancestor of it."""
    ancestors = torch.eye(29)
    for j, parent in enumerate(PARENTS):
        if parent >= 0:
            ancestors[j] += ancestors[parent]
    return ancestors


_ANCESTORS = _ancestor_matrix()
