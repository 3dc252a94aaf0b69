"""How the partner flow sees dancers: movement as tensors, and movement as it looks from where somebody stands."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rigs.skeleton import CHILDREN, PARENTS

FPS = 30.0
ROTATED_JOINTS = tuple(j for j in range(29) if CHILDREN[j])
"""The 24 joints that have a rotation of their own."""
_PARENT_ROTATION = [ROTATED_JOINTS.index(PARENTS[j]) if j else 0 for j in range(29)]
PARTNER_DIM = 3 + 6 * len(ROTATED_JOINTS) + 4
"""Numbers a frame of the partner has: the pelvis's place, rotations, and contacts of the feet."""
PAST_DIM = PARTNER_DIM + 3 * 29
"""Numbers a frame of the partner's past has: the joints' places as well."""
LEADER_DIM = 2 * 3 * 29
"""Numbers a frame of the leader has: places and velocities."""


@dataclass(frozen=True)
class PoseSequence:
    """How one dancer moves.

    root: (..., F, 3) m, the pelvis.  turned: (..., F, 24, 3, 3) world rotations of `TURNED`.
    contacts: (..., F, 4) from 0 to 1.
    """

    root: Tensor
    rotations: Tensor
    contacts: Tensor

    def __getitem__(self, frames: slice) -> "PoseSequence":
        return PoseSequence(
            self.root[..., frames, :], self.rotations[..., frames, :, :, :], self.contacts[..., frames, :]
        )

    def joint_positions(self, offsets: Tensor) -> Tensor:
        """Joint places (..., F, 29, 3) m of a body with bone `offsets` (..., 29, 3) m."""
        steps = torch.einsum("...fjab,...jb->...fja", self.rotations[..., _PARENT_ROTATION, :, :], offsets)
        steps = torch.cat([self.root[..., None, :], steps[..., 1:, :]], dim=-2)
        return torch.einsum("ij,...fja->...fia", _ANCESTORS.to(steps), steps)


def concatenate(*dances: PoseSequence) -> PoseSequence:
    """One dance after the other."""
    return PoseSequence(
        torch.cat([dance.root for dance in dances], dim=-2),
        torch.cat([dance.rotations for dance in dances], dim=-4),
        torch.cat([dance.contacts for dance in dances], dim=-2),
    )


@dataclass(frozen=True)
class FloorFrame:
    """Where someone stands: origin (..., 3) m on the floor, and turn (..., 3, 3) about the vertical."""

    origin: Tensor
    rotation: Tensor

    def to_local(self, points: Tensor) -> Tensor:
        """World points (..., n, 3) as seen from here."""
        return (points - self.origin[..., None, :]) @ self.rotation

    def to_world(self, points: Tensor) -> Tensor:
        """Points seen from here (..., n, 3) in the world."""
        return points @ self.rotation.transpose(-1, -2) + self.origin[..., None, :]


def floor_frame(dance: PoseSequence) -> FloorFrame:
    """Where the dancer stands in the last frame."""
    return floor_frame_at(dance.root[..., -1, :], heading(dance)[..., -1])


def heading(dance: PoseSequence) -> Tensor:
    """By how much the pelvis is turned about the vertical from facing -Y: (..., F)."""
    front = -dance.rotations[..., 0, :, 1]
    return torch.atan2(front[..., 0], -front[..., 1])


def floor_frame_of_joints(joints: Tensor) -> FloorFrame:
    """Where a dancer stands whose joints are at (..., 29, 3) m, by the hips."""
    left = joints[..., 1, :] - joints[..., 2, :]
    return floor_frame_at(joints[..., 0, :], torch.atan2(left[..., 1], left[..., 0]))


def floor_frame_at(root: Tensor, angle: Tensor) -> FloorFrame:
    """Where somebody stands with the pelvis at `root` (..., 3) m, turned by `angle` (...) from facing -Y."""
    cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = torch.stack([cosine, -sine, zero, sine, cosine, zero, zero, zero, zero + 1.0], dim=-1)
    floor = torch.tensor([1.0, 1.0, 0.0]).to(root)
    return FloorFrame(root * floor, rows.reshape(*rows.shape[:-1], 3, 3))


def partner_features(dance: PoseSequence, place: FloorFrame) -> Tensor:
    """The partner's frames (..., F, PARTNER) as seen from a place."""
    turned = place.rotation.transpose(-1, -2)[..., None, None, :, :] @ dance.rotations
    columns = turned[..., :2].transpose(-1, -2).flatten(-3)
    return torch.cat([place.to_local(dance.root), columns, dance.contacts], dim=-1)


def joint_features(joints: Tensor, place: FloorFrame) -> Tensor:
    """The leader's frames (..., F - 1, LEADER) of joint places (..., F, 29, 3) m, as seen from a place."""
    seen = place.to_local(joints.flatten(-3, -2)).reshape(joints.shape)
    return torch.cat([seen[..., 1:, :, :], seen.diff(dim=-3) * FPS], dim=-2).flatten(-2)


def poses_from_features(features: Tensor, place: FloorFrame) -> PoseSequence:
    """The dance in the world that has these features (..., F, PARTNER); rotations are made orthonormal."""
    root, columns, contacts = features[..., :3], features[..., 3:-4], features[..., -4:]
    turned = _gram_schmidt(*columns.reshape(*columns.shape[:-1], len(ROTATED_JOINTS), 2, 3).unbind(dim=-2))
    return PoseSequence(place.to_world(root), place.rotation[..., None, None, :, :] @ turned, contacts)


def orthonormalize(turned: Tensor) -> Tensor:
    """The rotations nearest by their first two columns to matrices (..., 3, 3) that are almost rotations."""
    return _gram_schmidt(turned[..., 0], turned[..., 1])


def _gram_schmidt(x: Tensor, y: Tensor) -> Tensor:
    x = nn.functional.normalize(x, dim=-1)
    z = nn.functional.normalize(torch.linalg.cross(x, y), dim=-1)
    return torch.stack([x, torch.linalg.cross(z, x), z], dim=-1)


def _ancestor_matrix() -> Tensor:
    """(29, 29): 1 where the second joint is the first one or above it."""
    lineage = torch.eye(29)
    for j, parent in enumerate(PARENTS):
        if parent >= 0:
            lineage[j] += lineage[parent]
    return lineage


_ANCESTORS = _ancestor_matrix()
