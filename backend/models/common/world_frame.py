"""What every model needs of a request: the leader's world brought to the one it knows, and where it is computed."""

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
    """How the leader's world becomes the model's: p * scale + (0, 0, lift)."""

    scale: float
    lift: float

    def to_model(self, positions: Array) -> Tensor:
        """(..., 29, 3) m of the world, as the model sees them."""
        return torch.from_numpy(positions * self.scale + [0.0, 0.0, self.lift]).float()

    def to_world(self, positions: Tensor) -> Array:
        """(..., 29, 3) m of the model, in the world."""
        return (positions.double().cpu().numpy() - [0.0, 0.0, self.lift]) / self.scale


def fit_world_frame(known: Motion, body: Tensor, floor: Tensor) -> WorldFrame:
    """How the world of the dancer that is there becomes that of one with the bones `body` (29, 3) m and this floor."""
    scale = leg_length(body.double().cpu().numpy()) / leg_length(known.skeleton.offsets)
    return WorldFrame(scale, float(floor) - floor_height(known.positions) * scale)


def leg_length(offsets: Array) -> float:
    """The length in m of the legs of a body (29, 3): thigh and shin, both sides averaged."""
    bones = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("knee", "ankle")]
    return float(np.linalg.norm(offsets[bones], axis=-1).sum() / 2.0)


def choose_accelerator(accelerator: str) -> torch.device:
    """The accelerator of this name, or for "auto" a GPU where there is one. Torch gets one thread.

    Frames and blocks come one after the other, each so small that threads would wait for threads.
    """
    torch.set_num_threads(1)
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if accelerator == "auto" else accelerator)
