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


def wander(poses: Tensor, probability: float, back: float) -> Tensor:
    """Placed pairs (B, 2, T, 87) in which one dancer has drifted off and finds back, so that a rollout learns to.

    The drift leads some part of the way to the pose of another window, up to the whole of it, small parts more often.
    It stays until a frame drawn at random and then shrinks by the part `back` a frame. The other dancer is left alone.
    """
    batch, dancers, frames = poses.shape[:3]
    device = poses.device
    away = poses[torch.randperm(batch, device=device), :, :1] - poses[:, :, :1]
    part = torch.rand(batch, device=device).square() * (torch.rand(batch, device=device) < probability)
    begins = torch.randint(0, frames, (batch, 1), device=device)
    shrunk = (1.0 - back) ** (torch.arange(frames, device=device) - begins).clamp_min(0)
    who = torch.nn.functional.one_hot(torch.randint(0, dancers, (batch,), device=device), dancers)
    weight = part[:, None, None] * who[:, :, None] * shrunk[:, None, :]
    return poses + weight[..., None] * away
