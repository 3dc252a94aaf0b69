"""How the partner flow sees dancers: movement as tensors, and movement as it looks from where somebody stands."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rigs.skeleton import CHILDREN, PARENTS

FPS = 30.0
TURNED = tuple(j for j in range(29) if CHILDREN[j])
"""The 24 joints that have a rotation of their own."""
_CARRIER = [TURNED.index(PARENTS[j]) if j else 0 for j in range(29)]
PARTNER = 3 + 6 * len(TURNED) + 4
"""Numbers a frame of the partner has: the pelvis's place, rotations, and contacts of the feet."""
PAST = PARTNER + 3 * 29
"""Numbers a frame of the partner's past has: the joints' places as well."""
LEADER = 2 * 3 * 29
"""Numbers a frame of the leader has: places and velocities."""


@dataclass(frozen=True)
class Dance:
    """How one dancer moves.

    root: (..., F, 3) m, the pelvis.  turned: (..., F, 24, 3, 3) world rotations of `TURNED`.
    contacts: (..., F, 4) from 0 to 1.
    """

    root: Tensor
    turned: Tensor
    contacts: Tensor

    def __getitem__(self, frames: slice) -> "Dance":
        return Dance(self.root[..., frames, :], self.turned[..., frames, :, :, :], self.contacts[..., frames, :])

    def joints(self, offsets: Tensor) -> Tensor:
        """Joint places (..., F, 29, 3) m of a body with bone `offsets` (..., 29, 3) m."""
        steps = torch.einsum("...fjab,...jb->...fja", self.turned[..., _CARRIER, :, :], offsets)
        steps = torch.cat([self.root[..., None, :], steps[..., 1:, :]], dim=-2)
        return torch.einsum("ij,...fja->...fia", _LINEAGE.to(steps), steps)


def joined(*dances: Dance) -> Dance:
    """One dance after the other."""
    return Dance(
        torch.cat([dance.root for dance in dances], dim=-2),
        torch.cat([dance.turned for dance in dances], dim=-4),
        torch.cat([dance.contacts for dance in dances], dim=-2),
    )


@dataclass(frozen=True)
class Place:
    """Where someone stands: origin (..., 3) m on the floor, and turn (..., 3, 3) about the vertical."""

    origin: Tensor
    turn: Tensor

    def into(self, points: Tensor) -> Tensor:
        """World points (..., n, 3) as seen from here."""
        return (points - self.origin[..., None, :]) @ self.turn

    def out_of(self, points: Tensor) -> Tensor:
        """Points seen from here (..., n, 3) in the world."""
        return points @ self.turn.transpose(-1, -2) + self.origin[..., None, :]


def place_of(dance: Dance) -> Place:
    """Where the dancer stands in the last frame."""
    return place_at(dance.root[..., -1, :], heading(dance)[..., -1])


def heading(dance: Dance) -> Tensor:
    """By how much the pelvis is turned about the vertical from facing -Y: (..., F)."""
    front = -dance.turned[..., 0, :, 1]
    return torch.atan2(front[..., 0], -front[..., 1])


def place_of_joints(joints: Tensor) -> Place:
    """Where a dancer stands whose joints are at (..., 29, 3) m, by the hips."""
    left = joints[..., 1, :] - joints[..., 2, :]
    return place_at(joints[..., 0, :], torch.atan2(left[..., 1], left[..., 0]))


def place_at(root: Tensor, angle: Tensor) -> Place:
    """Where somebody stands with the pelvis at `root` (..., 3) m, turned by `angle` (...) from facing -Y."""
    cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = torch.stack([cosine, -sine, zero, sine, cosine, zero, zero, zero, zero + 1.0], dim=-1)
    floor = torch.tensor([1.0, 1.0, 0.0]).to(root)
    return Place(root * floor, rows.reshape(*rows.shape[:-1], 3, 3))


def partner_features(dance: Dance, place: Place) -> Tensor:
    """The partner's frames (..., F, PARTNER) as seen from a place."""
    turned = place.turn.transpose(-1, -2)[..., None, None, :, :] @ dance.turned
    columns = turned[..., :2].transpose(-1, -2).flatten(-3)
    return torch.cat([place.into(dance.root), columns, dance.contacts], dim=-1)


def leader_features(joints: Tensor, place: Place) -> Tensor:
    """The leader's frames (..., F - 1, LEADER) of joint places (..., F, 29, 3) m, as seen from a place."""
    seen = place.into(joints.flatten(-3, -2)).reshape(joints.shape)
    return torch.cat([seen[..., 1:, :, :], seen.diff(dim=-3) * FPS], dim=-2).flatten(-2)


def dance_of(features: Tensor, place: Place) -> Dance:
    """The dance in the world that has these features (..., F, PARTNER); rotations are made orthonormal."""
    root, columns, contacts = features[..., :3], features[..., 3:-4], features[..., -4:]
    turned = _orthonormal(*columns.reshape(*columns.shape[:-1], len(TURNED), 2, 3).unbind(dim=-2))
    return Dance(place.out_of(root), place.turn[..., None, None, :, :] @ turned, contacts)


def orthonormal(turned: Tensor) -> Tensor:
    """The rotations nearest by their first two columns to matrices (..., 3, 3) that are almost rotations."""
    return _orthonormal(turned[..., 0], turned[..., 1])


def _orthonormal(x: Tensor, y: Tensor) -> Tensor:
    x = nn.functional.normalize(x, dim=-1)
    z = nn.functional.normalize(torch.linalg.cross(x, y), dim=-1)
    return torch.stack([x, torch.linalg.cross(z, x), z], dim=-1)


def _lineage() -> Tensor:
    """(29, 29): 1 where the second joint is the first one or above it."""
    lineage = torch.eye(29)
    for j, parent in enumerate(PARENTS):
        if parent >= 0:
            lineage[j] += lineage[parent]
    return lineage


_LINEAGE = _lineage()
