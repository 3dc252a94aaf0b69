"""Shape of score-flow, its bars, and the conditions that it is given.

Written against the array API standard: numpy arrays in inference, torch tensors in training.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from backend.models.common.array_api import AnyArray, array_namespace
from backend.models.common.energy import normalized_energy
from backend.models.score_flow.dance_features import SPEED_INDEX
from backend.models.score_flow.legacy_names import LEGACY_CONFIG

NAME = "score-flow"
PHRASE_BARS = 8
"""Bars in a phrase."""
REPEAT_BARS = 4
"""Bars from the bar that may be repeated to the one that is sampled."""


class BarTensors(NamedTuple):
    """Bars as float arrays, see `bar_features.Bars`; or their probabilities or logits, as the VAE decodes them.

    onset: (B, 16, 84).  sustain: (B, 16, 72).  velocity: (B, 16, 15).
    """

    onset: AnyArray
    sustain: AnyArray
    velocity: AnyArray


@dataclass(frozen=True)
class BarVAEConfig:
    """Shape of the VAE.

    drums, pitched: latent dimensions of a bar's drums, and of its bass and melody.  width: of the hidden layers.
    beat: width of the hidden layers of a beat.
    """

    drums: int = 16
    pitched: int = 64
    width: int = 384
    beat: int = 160

    @property
    def latent_dim(self) -> int:
        """Latent dimensions of a whole bar, the drums' first."""
        return self.drums + self.pitched

    def latent_mask(self, parts: AnyArray) -> AnyArray:
        """Expand values (B, 2) of the parts, such as 1 for those that play, to their latents: (B, latent_dim)."""
        xp, size = array_namespace(parts), len(parts)
        drums = xp.broadcast_to(parts[:, :1], (size, self.drums))
        return xp.concat([drums, xp.broadcast_to(parts[:, 1:], (size, self.pitched))], axis=1)


@dataclass(frozen=True)
class ScoreFlowConfig:
    """Shape of the network.

    vae: of bars.  width, layers: of the flow.  dance_width: of the dance encoder.  shared_dim: dimensions of the space
    that dance and music share.  dropout: of all but the VAE.
    """

    vae: BarVAEConfig = field(default_factory=BarVAEConfig)
    width: int = 256
    layers: int = 3
    dance_width: int = 32
    shared_dim: int = 64
    dropout: float = 0.2

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Self:
        """Build the config from a [network] table, a checkpoint or a weight file; also under the names of 0.1.0."""
        table = {LEGACY_CONFIG.get(name, name): value for name, value in table.items()}
        return cls(**{**table, "vae": BarVAEConfig(**table.get("vae", {}))})


class ScoreCondition(NamedTuple):
    """Condition of B bars to be sampled; what is unknown is 0.

    dance: (B, dance_width) encoded dance, see `ScoreFlow.encode_dance`.  has_dance: (B,) 1 or 0.
    tempo: (B, 2) see `tempo_condition`.  energy: (B, 2) see `ScoreFlowStatistics.energy_condition`.
    phrase: (B, 8) one-hot.  previous, repeated: (B, latent_dim) normalized latents of the bar before and of the one
    four before.  has_previous, has_repeated: (B,) 1 or 0.  parts: (B, 2) 1 where there are drums, and bass and melody.
    """

    dance: AnyArray
    has_dance: AnyArray
    tempo: AnyArray
    energy: AnyArray
    phrase: AnyArray
    previous: AnyArray
    has_previous: AnyArray
    repeated: AnyArray
    has_repeated: AnyArray
    parts: AnyArray

    def drop_dance(self) -> "ScoreCondition":
        """Null condition of classifier-free guidance: the same without the dance."""
        return self._replace(dance=self.dance * 0.0, has_dance=self.has_dance * 0.0, energy=self.energy * 0.0)

    def repeat(self, times: int) -> "ScoreCondition":
        """Repeat each row `times` times in a row."""
        return ScoreCondition(*(array_namespace(part).repeat(part, times, axis=0) for part in self))

    def concat(self, other: "ScoreCondition") -> "ScoreCondition":
        """Concatenate two batches."""
        return ScoreCondition(*(array_namespace(a).concat([a, b]) for a, b in zip(self, other, strict=True)))


class ScoreFlowStatistics:
    """Statistics by which score-flow normalizes latents, (latent_dim,), and a window's log speed, (2,).

    Base of the torch network and of the one that runs without torch.
    """

    latent_mean: AnyArray
    latent_scale: AnyArray
    energy_stats: AnyArray

    def energy_condition(self, windows: AnyArray) -> AnyArray:
        """Energy condition (B, 2), normalized log speed and 1, of dances over two bars (B, WINDOW_POSES, POSE_DIM)."""
        speed = array_namespace(windows).mean(windows[..., SPEED_INDEX], axis=1)
        return normalized_energy(speed, self.energy_stats)

    def normalize(self, latents: AnyArray) -> AnyArray:
        """Normalize latents (..., latent_dim) to mean 0 and standard deviation 1."""
        return (latents - self.latent_mean) / self.latent_scale

    def denormalize(self, latents: AnyArray) -> AnyArray:
        """Inverse of `normalize`."""
        return latents * self.latent_scale + self.latent_mean


def tempo_condition(seconds: AnyArray) -> AnyArray:
    """Tempo condition (B, 2), octaves from 2 s a bar and 1, of bars that last `seconds` (B,)."""
    xp = array_namespace(seconds)
    return xp.stack([xp.log2(seconds / 2.0), xp.ones_like(seconds)], axis=1)
