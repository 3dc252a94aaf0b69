"""A trained score-flow for inference: its statistics in numpy, and its network in a runtime with or without torch."""

from pathlib import Path
from typing import Self

from backend.models.common.runtime import TrainedNetwork, load_network
from backend.models.score_flow.conditions import NAME, BarTensors, ScoreCondition, ScoreFlowConfig, ScoreFlowStatistics
from backend.models.score_flow.legacy_names import LEGACY_CONFIG, LEGACY_KEYS
from rigs import Array


class TrainedScoreFlow(ScoreFlowStatistics):
    """score-flow with its weights; its arrays are the buffers of `network.flow.ScoreFlow`."""

    def __init__(self, trained: TrainedNetwork) -> None:
        self.config = ScoreFlowConfig.from_table(dict(trained.config))
        tensors = trained.tensors
        self.latent_mean, self.latent_scale = tensors["latent_mean"], tensors["latent_scale"]
        self.energy_stats = tensors["energy_stats"]
        self.bar_seconds = float(tensors["bar_seconds"])
        self.density_stats: Array = tensors["density_stats"]
        self.onset_thresholds: Array = tensors["onset_thresholds"]
        self.sustain_thresholds: Array = tensors["sustain_thresholds"]
        self._trained = trained

    @classmethod
    def load(cls, weights: Path, accelerator: str) -> Self:
        """Load a weight file for an accelerator. Raises ValueError, see `load_network`."""
        return cls(load_network(NAME, weights, accelerator, legacy_keys=LEGACY_KEYS, legacy_config=LEGACY_CONFIG))

    def encode_dance(self, windows: Array) -> Array:
        """Encode dances over two bars (B, WINDOW_POSES, POSE_DIM) for the condition: (B, dance_width)."""
        (encoded,) = self._trained.run("encode_dance", windows)
        return encoded

    def predict(self, noisy: Array, t: Array, condition: ScoreCondition) -> Array:
        """Predict the clean normalized latents (B, latent_dim) behind `noisy` at flow times `t` (B,)."""
        (clean,) = self._trained.run("predict", noisy, t, *condition)
        return clean

    def decode_bars(self, latents: Array, tied: Array) -> BarTensors:
        """Probabilities of the bars of latents (B, latent_dim) with tied notes (B, 72) before them."""
        return BarTensors(*self._trained.run("decode_bars", latents, tied))

    def encode_bars(self, bars: BarTensors, tied: Array) -> Array:
        """Latents (B, latent_dim) of bars with tied notes (B, 72) before them: the means of their posteriors."""
        (latents,) = self._trained.run("encode_bars", *bars, tied)
        return latents
