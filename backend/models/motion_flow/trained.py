"""A trained motion flow for inference: its conditions in numpy, and its network in a runtime with or without torch."""

from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from backend.models.common.runtime import TrainedNetwork, load_network
from backend.models.motion_flow.conditions import MotionCondition, MotionFlowConditions, MotionFlowConfig
from backend.models.motion_flow.legacy_names import LEGACY_CONFIG, LEGACY_KEYS
from rigs import Array


class TrainedMotionFlow(MotionFlowConditions):
    """A motion flow with its weights; its arrays are the buffers of `network.MotionFlow`."""

    name: ClassVar[str]
    """Of the model, and of its weights."""

    def __init__(self, trained: TrainedNetwork) -> None:
        self.config = MotionFlowConfig.from_table(dict(trained.config))
        self.bone_offsets: Array = trained.tensors["bone_offsets"]
        self.floor_heights: Array = trained.tensors["floor_heights"]
        self.initial_pasts: Array = trained.tensors["initial_pasts"]
        self.partner_mean, self.partner_scale = trained.tensors["partner_mean"], trained.tensors["partner_scale"]
        self.leader_mean, self.leader_scale = trained.tensors["leader_mean"], trained.tensors["leader_scale"]
        self.energy_stats = trained.tensors["energy_stats"]
        self._trained = trained

    @classmethod
    def load(cls, weights: Path, accelerator: str) -> Self:
        """Load a weight file for an accelerator. Raises ValueError, see `load_network`."""
        return cls(load_network(cls.name, weights, accelerator, legacy_keys=LEGACY_KEYS, legacy_config=LEGACY_CONFIG))

    def predict(self, noisy: Array, t: Array, condition: MotionCondition) -> Array:
        """Predict the clean block, see `MotionFlowConditions.predict`."""
        role = condition.role.astype(np.int64)
        (clean,) = self._trained.run("predict", noisy, t, *condition._replace(role=role))
        return clean
