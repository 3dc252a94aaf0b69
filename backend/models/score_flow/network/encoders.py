"""Encoders of score-flow: of a dance's window for the condition, and of music for the space that both share."""

import torch
from torch import Tensor, nn

from backend.models.score_flow.conditions import BarVAEConfig
from backend.models.score_flow.dance_features import POSE_DIM, WINDOW_POSES

_SPEEDS = 3
"""Features of a pose, its last ones, that are speeds."""
_POSE_DROPOUT = 0.6
"""Probability in training that a window's poses are dropped, so that only its speeds are encoded."""


class DanceEncoder(nn.Module):
    """Encodes the dance of two bars: convolutions over its poses, and a projection of its speeds in each sixteenth.

    There are few dances to learn from, so the poses are often dropped in training.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.pose_conv = nn.Sequential(
            nn.Conv1d(POSE_DIM, width, 4, stride=2, padding=1),
            nn.GELU(),
            nn.Conv1d(width, width, 4, stride=2, padding=1),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Conv1d(width, width, 4, stride=2, padding=1),
            nn.GELU(),
            nn.Conv1d(width, 16, 1),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(16 * WINDOW_POSES // 8, width),
        )
        self.pose_dropout = nn.Dropout(_POSE_DROPOUT)
        self.speed_proj = nn.Linear(_SPEEDS * WINDOW_POSES // 2, width)
        self.out_mlp = nn.Sequential(nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width))

    def forward(self, windows: Tensor) -> Tensor:
        """Encode dance windows (B, WINDOW_POSES, POSE_DIM), normalized: (B, width)."""
        speeds = windows[..., -_SPEEDS:].reshape(-1, WINDOW_POSES // 2, 2, _SPEEDS).mean(dim=2)
        poses = self.pose_conv(windows.transpose(1, 2)) * self.pose_dropout(torch.ones_like(windows[:, 0, :1]))
        encoded: Tensor = self.out_mlp(poses + self.speed_proj(speeds.flatten(1)))
        return encoded


class MusicEncoder(nn.Module):
    """Encodes the latents of two bars for the space that music shares with dances."""

    def __init__(self, vae: BarVAEConfig, width: int, shared_dim: int, dropout: float) -> None:
        super().__init__()
        self.vae = vae
        self.mlp = nn.Sequential(
            nn.Linear(2 * vae.latent_dim + 2, width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, shared_dim),
        )

    def forward(self, previous: Tensor, latents: Tensor, parts: Tensor) -> Tensor:
        """Encode two bars' normalized latents (B, latent_dim); parts: (B, 2) which play."""
        mask = self.vae.latent_mask(parts)
        encoded: Tensor = self.mlp(torch.cat([previous * mask, latents * mask, parts], dim=1))
        return encoded
