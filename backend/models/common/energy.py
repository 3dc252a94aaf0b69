"""Energy of a movement as the models are conditioned on it: the logarithm of its speed."""

import torch
from torch import Tensor

STILL_SPEED = 0.05
"""m/s added to a speed before its logarithm, so that standing still has a finite energy."""


def log_speed(speed: Tensor) -> Tensor:
    """Energy of a movement from the mean speed of its joints in m/s."""
    return torch.log(speed + STILL_SPEED)
