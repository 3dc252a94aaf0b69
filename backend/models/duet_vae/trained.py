"""The contents of duet-vae's weight file: the network, and the statistics of its training set that a rollout needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from backend.models.common.runtime import TrainedNetwork, load_network
from backend.models.common.weights_file import wrong_version
from backend.models.duet_vae.pose_space import PoseNormalizer, PosePCA
from rigs import Array

NAME = "duet-vae"
FPS = 30.0
WEIGHTS_PREFIX = "network."
"""Of the network's tensors in the weight file, beside the statistics."""
_THREADS = 1
"""Its matrices are so small that threads only wait for each other."""
_PCA_KEYS = ("mean", "directions", "deviations", "reaches")
"""The file's names of PosePCA's fields."""


@dataclass(frozen=True)
class DuetStatistics:
    """What a rollout needs beside the network, as numpy arrays.

    bodies: (2, 29, 3) m, the mean bone offsets of the leader and the follower trained on.
    floors: (2,) m, the heights at which their lower foot rests.
    pose_pcas: principal components of the leader's and the follower's poses.
    starts: (N, 2, 29, 3) m, poses of pairs that face each other, each in its pair frame.
    """

    normalizer: PoseNormalizer
    bodies: Array
    floors: Array
    pose_pcas: tuple[PosePCA, PosePCA]
    starts: Array

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Array]) -> Self:
        """Select the statistics among a weight file's tensors."""
        leader, follower = (PosePCA(*(tensors[f"poses.{key}"][role] for key in _PCA_KEYS)) for role in (0, 1))
        normalizer = PoseNormalizer(tensors["normalisation.mean"], tensors["normalisation.deviation"])
        return cls(normalizer, tensors["bodies"], tensors["floors"], (leader, follower), tensors["starts"])

    def to_tensors(self) -> dict[str, Array]:
        """Inverse of `from_tensors`."""
        tensors = {
            "normalisation.mean": self.normalizer.mean,
            "normalisation.deviation": self.normalizer.std,
            "bodies": self.bodies,
            "floors": self.floors,
            "starts": self.starts,
        }
        for key, leader, follower in zip(_PCA_KEYS, *self.pose_pcas, strict=True):
            tensors[f"poses.{key}"] = np.stack([leader, follower])
        return tensors


class TrainedDuetVae:
    """duet-vae with its weights, for inference: a `rollout.NextFramePredictor`."""

    def __init__(self, trained: TrainedNetwork) -> None:
        self.statistics = DuetStatistics.from_tensors(trained.tensors)
        self.window: int = trained.config["window"]
        self.latent: int = trained.config["latent"]
        self._trained = trained

    @classmethod
    def load(cls, weights: Path, accelerator: str) -> Self:
        """Load a weight file for an accelerator. Raises ValueError, see `load_network`."""
        try:
            return cls(load_network(NAME, weights, accelerator, threads=_THREADS))
        except KeyError:  # of the statistics, which are no part of the network
            raise wrong_version(weights, NAME) from None

    def predict_next_frame(self, one: Array, two: Array, dancer: int, noise: Array | None) -> Array:
        """Predict the frame (B, 87) after the window for `dancer` 1 or 2; without noise from posterior means."""
        frames = one.shape[1]
        if noise is None:
            noise = np.zeros((3, *one.shape[:2], self.latent), np.float32)
        # A graph takes whole windows. The network is causal: what follows a frame does not change its prediction.
        padding = ((0, 0), (0, self.window - frames), (0, 0))
        inputs = (np.pad(one, padding), np.pad(two, padding), np.pad(noise, ((0, 0), *padding)))
        (predicted,) = self._trained.run("predict_one" if dancer == 1 else "predict_two", *inputs)
        return np.asarray(predicted[:, frames - 1])
