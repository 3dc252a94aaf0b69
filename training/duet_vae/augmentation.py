"""What a training window may become without ceasing to be a duet."""

import torch
from torch import Tensor

from rigs.skeleton import MIRROR_JOINTS


def chance(probability: float) -> bool:
    """Whether a uniform draw falls within `probability`."""
    return bool(torch.rand(()) < probability)


def mirror_some(windows: Tensor, probability: float) -> Tensor:
    """Windows (B, 2, T, 29, 3), each mirrored with the given probability: both dancers together, sides swapped."""
    mirrored = windows[..., list(MIRROR_JOINTS), :] * windows.new_tensor([-1.0, 1.0, 1.0])
    chosen = torch.rand(len(windows), device=windows.device) < probability
    return torch.where(chosen[:, None, None, None, None], mirrored, windows)


def wander(poses: Tensor, probability: float) -> Tensor:
    """How far off a dancer of each pair could be after a long rollout: (B, 2, T, 87), to add to `poses`, placed pairs.

    The drift leads some part of the way to the pose of another window, up to the whole of it, small parts more often,
    and grows or shrinks evenly over the window. One dancer at most drifts, the other is left alone.
    """
    batch, dancers, frames = poses.shape[:3]
    device = poses.device
    away = poses[torch.randperm(batch, device=device), :, :1] - poses[:, :, :1]
    first, last = torch.rand(2, batch, 1, device=device).square()
    part = torch.lerp(first, last, torch.linspace(0.0, 1.0, frames, device=device))
    part = part * (torch.rand(batch, 1, device=device) < probability)
    who = torch.nn.functional.one_hot(torch.randint(0, dancers, (batch,), device=device), dancers)
    return (part[:, None] * who[:, :, None])[..., None] * away
