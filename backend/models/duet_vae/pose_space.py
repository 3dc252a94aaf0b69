"""duet-vae's representation of poses: the pair's local frame, normalization, and principal component analysis (PCA)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from rigs.skeleton import HIPS

PCA_GROUPS = (5, 5, 10, 20, 47)
"""The 87 principal components of a dancer's poses, by falling variance, in groups that are clamped together."""


class PoseNormalizer(nn.Module):
    """Normalization by the training set's mean and standard deviation (87,), the same for every input and target."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def normalize(self, positions: Tensor) -> Tensor:
        """Normalize positions (..., 29, 3) m to (..., 87)."""
        return (positions.flatten(-2) - self.mean) / self.std

    def denormalize(self, poses: Tensor) -> Tensor:
        """Undo `normalize`: (..., 87) to (..., 29, 3) m."""
        metres = poses * self.std + self.mean
        return metres.reshape(*metres.shape[:-1], -1, 3)


class PairFrame(NamedTuple):
    """The pair's local frame: dancer one's pelvis (B, 2) m on the floor and heading (B,) rad at a window's start."""

    origin: Tensor
    heading: Tensor

    def to_local(self, positions: Tensor) -> Tensor:
        """Transform world positions (B, T, 29, 3) to this frame."""
        origin = nn.functional.pad(self.origin, (0, 1))[:, None, None]
        return _rotate(positions - origin, -self.heading)

    def to_world(self, positions: Tensor) -> Tensor:
        """Transform positions (B, T, 29, 3) of this frame to the world."""
        origin = nn.functional.pad(self.origin, (0, 1))[:, None, None]
        return _rotate(positions, self.heading) + origin


def pair_frame(one: Tensor) -> PairFrame:
    """The frame at the first pose of dancer one (B, T, 29, 3) m, to which both dancers are transformed together."""
    first = one[:, 0]
    across = first[:, HIPS[0]] - first[:, HIPS[1]]
    return PairFrame(first[:, 0, :2], torch.atan2(across[:, 1], across[:, 0]))


def _rotate(positions: Tensor, angle: Tensor) -> Tensor:
    """Rotate (B, T, 29, 3) about the vertical by (B,) rad."""
    cosine, sine = (f(angle)[:, None, None] for f in (torch.cos, torch.sin))
    x, y, z = positions.unbind(-1)
    return torch.stack([cosine * x - sine * y, sine * x + cosine * y, z], dim=-1)


class PosePCA(NamedTuple):
    """Principal component analysis of a dancer's poses in the training set, each pose in its own frame.

    mean: (87,) m.  components: (87, 87), a column each.  stds: (87,) m along each.
    radii: (5,) distance from the mean, in standard deviations, of 99 % of the poses in each of `PCA_GROUPS`.
    """

    mean: Tensor
    components: Tensor
    stds: Tensor
    radii: Tensor


def clamp_to_pose_space(pose: Tensor, pca: PosePCA) -> Tensor:
    """Clamp a pose (B, 29, 3) to the training set's pose space, in each group of principal components."""
    frame = pair_frame(pose[:, None])
    scores = (frame.to_local(pose[:, None]).flatten(1) - pca.mean) @ pca.components / pca.stds
    clamped = [
        group * (radius / group.norm(dim=-1, keepdim=True).clamp_min(1e-6)).clamp_max(1.0)
        for group, radius in zip(torch.split(scores, list(PCA_GROUPS), dim=-1), pca.radii, strict=True)
    ]
    local = torch.cat(clamped, dim=-1) * pca.stds @ pca.components.T + pca.mean
    return frame.to_world(local.reshape(len(pose), 1, -1, 3))[:, 0]
