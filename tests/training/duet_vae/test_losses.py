"""The terms of the loss against closed forms."""

import torch
from torch.distributions import Normal, kl_divergence

from backend.models.duet_vae.network import Latent
from training.duet_vae.losses import divergence, velocity_change


def test_divergence_is_that_of_normals() -> None:
    mean, log_variance = torch.randn(2, 3, 5, 64)
    posterior = Normal(mean, (0.5 * log_variance).exp())
    expected = kl_divergence(posterior, Normal(torch.zeros_like(mean), torch.ones_like(mean))).sum(-1).mean()
    torch.testing.assert_close(divergence(Latent(mean, log_variance)), expected)


def test_real_movement_costs_no_velocity_loss() -> None:
    truth = torch.randn(2, 64, 87)
    assert velocity_change(truth, truth, 1) == 0.0
    assert velocity_change(truth + torch.randn(2, 1, 87), truth, 1) < 1e-6


def test_velocity_loss_is_the_norm_of_the_change_of_velocity() -> None:
    """One joint that gains 3, 0, 4 a frame more than the truth does, from one frame on, changes velocity once."""
    truth = torch.zeros(1, 10, 87)
    predicted = truth.clone()
    predicted[0, 6:, :3] = torch.arange(1, 5)[:, None] * torch.tensor([3.0, 0.0, 4.0])
    expected = 5.0 / (8 * 29)
    torch.testing.assert_close(velocity_change(predicted, truth, 1), torch.tensor(expected))
