"""World frames: the transform from a request's world to the one a model was trained in."""

from dataclasses import dataclass

import numpy as np

from rigs import Array
from rigs.contacts import floor_height
from rigs.motion import Motion
from rigs.skeleton import INDEX


@dataclass(frozen=True)
class WorldFrame:
    """Transform from the request's world to the model's: p * scale + (0, 0, lift)."""

    scale: float
    lift: float

    def to_model(self, positions: Array) -> Array:
        """Transform positions (..., 3) m of the request's world to the model's."""
        return np.asarray(positions * self.scale + [0.0, 0.0, self.lift], dtype=np.float32)

    def to_world(self, positions: Array) -> Array:
        """Transform positions (..., 3) m of the model's world to the request's."""
        return (np.asarray(positions, dtype=np.float64) - [0.0, 0.0, self.lift]) / self.scale


def fit_world_frame(dancer: Motion, offsets: Array, floor: float) -> WorldFrame:
    """World frame that gives a dancer the leg length of bone offsets (29, 3) m and the floor height `floor` in m."""
    scale = mean_leg_length(np.asarray(offsets, dtype=np.float64)) / mean_leg_length(dancer.skeleton.offsets)
    return WorldFrame(scale, floor - floor_height(dancer.positions) * scale)


def mean_leg_length(offsets: Array) -> float:
    """Leg length in m of bone offsets (29, 3): thigh and shin, mean of both sides."""
    bones = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("knee", "ankle")]
    return float(np.linalg.norm(offsets[bones], axis=-1).sum() / 2.0)
