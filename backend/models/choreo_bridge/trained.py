"""The contents of choreo-bridge's weight file: the network, and the body of the dancers trained on."""

from pathlib import Path
from typing import Literal, Self

import numpy as np

from backend.models.common.runtime import TrainedNetwork, load_network
from backend.models.common.weights_file import wrong_version
from rigs import Array

NAME = "choreo-bridge"
WEIGHTS_PREFIX = "network."
"""Of the network's tensors in the weight file, beside the body."""
Modality = Literal["music", "dance"]
MODALITIES: tuple[Modality, Modality] = ("music", "dance")
NOTE_ON = 0.25
"""Piano-roll velocity, of 1, from which a note is played."""
BODY = "body"
"""The body's name in the weight file."""


class TrainedChoreoBridge:
    """choreo-bridge with its weights, for inference.

    joints: of a pose, 29 or BlazePose's 33.  body: (29, 3) m, the mean bone offsets of the dancers trained on.
    """

    def __init__(self, trained: TrainedNetwork) -> None:
        self.joints: int = trained.config["joints"]
        self.body: Array = trained.tensors[BODY]
        self._trained = trained

    @classmethod
    def load(cls, weights: Path, accelerator: str) -> Self:
        """Load a weight file for an accelerator. Raises ValueError, see `load_network`."""
        try:
            return cls(load_network(NAME, weights, accelerator))
        except KeyError:  # of the body, which is no part of the network
            raise wrong_version(weights, NAME) from None

    def translate(self, windows: Array, source: Modality, target: Modality) -> Array:
        """Translate windows of one modality to the other, see `network.ChoreoBridge`."""
        (translated,) = self._trained.run(f"{source}_to_{target}", np.asarray(windows, np.float32))
        return translated
