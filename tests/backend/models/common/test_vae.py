"""The Gaussian posterior of VAEs against torch.distributions."""

import torch
from torch.distributions import Normal, kl_divergence

from backend.models.common.vae import GaussianPosterior


def test_the_kl_divergence_is_that_of_normal_distributions() -> None:
    mean, log_variance = torch.randn(2, 3, 5, 64)
    posterior = Normal(mean, (0.5 * log_variance).exp())
    expected = kl_divergence(posterior, Normal(torch.zeros_like(mean), torch.ones_like(mean)))
    torch.testing.assert_close(GaussianPosterior(mean, log_variance).kl_divergence(), expected)


def test_samples_have_the_posteriors_mean_and_variance() -> None:
    posterior = GaussianPosterior(torch.tensor([1.0, -2.0]), torch.tensor([0.0, 2.0]))
    samples = posterior.sample(torch.randn(100_000, 2, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(samples.mean(0), posterior.mean, rtol=0, atol=0.03)
    torch.testing.assert_close(samples.var(0), posterior.log_variance.exp(), rtol=0.02, atol=0)
