"""The terms that the models are trained on."""

import torch
from torch import Tensor

from backend.models.duet_vae.network import Latent


def divergence(latent: Latent) -> Tensor:
    """KL of the posterior (B, T, L) from a standard normal, summed over L and averaged over the rest."""
    mean, log_variance = latent
    return (0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)).sum(-1).mean()


def velocity_change(predicted: Tensor, truth: Tensor, frames: int) -> Tensor:
    """How far the change of velocity over `frames` frames is from the dancer's own: mean norm a joint.

    predicted, truth: (B, T, J * 3). Against the truth's own change, since real movement must cost nothing.
    """

    def change(poses: Tensor) -> Tensor:
        velocity = poses[:, frames:] - poses[:, :-frames]
        return velocity[:, frames:] - velocity[:, :-frames]

    difference = change(predicted) - change(truth)
    return torch.linalg.vector_norm(difference.reshape(*difference.shape[:-1], -1, 3), dim=-1).mean()
