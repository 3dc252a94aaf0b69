"""The diagonal Gaussian posterior of variational autoencoders (VAEs): its sampling and its KL divergence."""

from typing import NamedTuple

import torch
from torch import Tensor


class GaussianPosterior(NamedTuple):
    """A VAE encoder's output: a diagonal Gaussian over the latent, mean and log-variance each (..., latent)."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Sample latents by the reparameterization trick (Kingma and Welling 2014), from standard normal noise."""
        return self.mean + noise * torch.exp(0.5 * self.log_variance)

    def kl_divergence(self) -> Tensor:
        """KL divergence from the standard normal prior, the second term of the ELBO: (..., latent) nats."""
        return 0.5 * (self.mean.square() + self.log_variance.exp() - 1.0 - self.log_variance)
