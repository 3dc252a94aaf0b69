"""World frames: the transform from a request's world to the one a model was trained in."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rigs import Array
from rigs.contacts import floor_height
from rigs.motion import Motion
from rigs.skeleton import INDEX


@dataclass(frozen=True)
class WorldFrame:
    """Transform from the request's world to the model's: p * scale + (0, 0, lift)."""

    scale: float
    lift: float

    def to_model(self, positions: Array) -> Tensor:
        """Transform positions (..., 3) m of the request's world to the model's."""
        return torch.from_numpy(positions * self.scale + [0.0, 0.0, self.lift]).float()

    def to_world(self, positions: Tensor) -> Array:
        """Transform positions (..., 3) m of the model's world to the request's."""
        return (positions.double().cpu().numpy() - [0.0, 0.0, self.lift]) / self.scale


def fit_world_frame(dancer: Motion, offsets: Tensor, floor: Tensor) -> WorldFrame:
    """World frame that gives a dancer the leg length of bone offsets (29, 3) m and the floor height `floor` in m."""
    scale = mean_leg_length(offsets.double().cpu().numpy()) / mean_leg_length(dancer.skeleton.offsets)
    return WorldFrame(scale, float(floor) - floor_height(dancer.positions) * scale)


def mean_leg_length(offsets: Array) -> float:
    """Leg length in m of bone offsets (29, 3): thigh and shin, mean of both sides."""
    bones = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("knee", "ankle")]
    return float(np.linalg.norm(offsets[bones], axis=-1).sum() / 2.0)
