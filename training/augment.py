"""What a training window may become without ceasing to be a duet."""

import torch
from torch import Tensor

from rigs.skeleton import MIRRORED


def add_noise(poses: Tensor, deviation: float) -> Tensor:
    """Normalised poses with Gaussian noise on every coordinate."""
    return poses + deviation * torch.randn_like(poses)


def mirror_some(windows: Tensor, probability: float) -> Tensor:
    """Windows (B, 2, T, 29, 3), each mirrored with the given probability: both dancers together, sides swapped."""
    mirrored = windows[..., list(MIRRORED), :] * windows.new_tensor([-1.0, 1.0, 1.0])
    chosen = torch.rand(len(windows), device=windows.device) < probability
    return torch.where(chosen[:, None, None, None, None], mirrored, windows)


def wander(windows: Tensor, probability: float, reach: float, back: float) -> Tensor:
    """Windows (B, 2, T, 29, 3) in which one dancer has drifted off and finds back, so that a rollout learns to.

    The drift is a part of up to `reach` of the way to some other window's first pose. It stays until a frame drawn at
    random and then shrinks by the part `back` a frame. Leaves the other dancer, and the other windows, alone.
    """
    batch, dancers, frames = windows.shape[:3]
    device = windows.device
    away = windows[torch.randperm(batch, device=device), :, :1] - windows[:, :, :1]
    part = reach * torch.rand(batch, device=device)
    begins = torch.randint(0, frames, (batch, 1), device=device)
    shrunk = (1.0 - back) ** (torch.arange(frames, device=device) - begins).clamp_min(0)
    who = torch.nn.functional.one_hot(torch.randint(0, dancers, (batch,), device=device), dancers)
    chosen = (torch.rand(batch, device=device) < probability).float() * part
    weight = chosen[:, None, None] * who[:, :, None] * shrunk[:, None, :]
    return windows + weight[..., None, None] * away
