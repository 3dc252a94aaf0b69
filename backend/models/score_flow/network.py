"""Latent flow matching network: composes music to a dance bar by bar, in the latent space of a bar VAE.

A window has two bars, of which the second is sampled from noise in a few Euler steps of a rectified flow (Liu et al.
2023). The condition is the dance over both bars, the tempo, the dancers' energy, the place in a phrase of eight bars,
and the latents of the bar before and the one four before. Classifier-free guidance (Ho and Salimans 2022) strengthens
the dance's influence.

Two further losses shape the dance encoder: a contrastive one (InfoNCE, Oord et al. 2018), which brings a dance near the
music that it was danced to in a shared space, and a head that predicts onset probabilities from the dance directly.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from backend.models.common.adaptive_layers import AdaptiveMLP
from backend.models.common.energy import normalized_energy
from backend.models.common.time_embedding import TIME_DIM, time_embedding
from backend.models.common.weights_file import open_weights, save_weights
from backend.models.score_flow.bar_features import BAR_STEPS, PART_SLICES, ROWS, VELOCITY_DIM, VOICE_SIZES
from backend.models.score_flow.bar_vae import BarVAE, BarVAEConfig
from backend.models.score_flow.dance_features import POSE_DIM, SPEED_INDEX
from backend.models.score_flow.encoders import DanceEncoder, MusicEncoder
from backend.models.score_flow.legacy_names import LEGACY_CONFIG, LEGACY_KEYS

NAME = "score-flow"
PHRASE_BARS = 8
"""Bars in a phrase."""
REPEAT_BARS = 4
"""Bars from the bar that may be repeated to the one that is sampled."""
_MAX_LOG_FREQUENCY = 5.0
"""Of the time embedding, see `time_embedding`."""


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
    tempo: (B, 2) see `tempo_condition`.  energy: (B, 2) see `ScoreFlow.energy_condition`.  phrase: (B, 8) one-hot.
    previous, repeated: (B, latent_dim) normalized latents of the bar before and of the one four before.
    has_previous, has_repeated: (B,) 1 or 0.  parts: (B, 2) 1 where there are drums, and bass and melody.
    """

    dance: Tensor
    has_dance: Tensor
    tempo: Tensor
    energy: Tensor
    phrase: Tensor
    previous: Tensor
    has_previous: Tensor
    repeated: Tensor
    has_repeated: Tensor
    parts: Tensor

    def drop_dance(self) -> "ScoreCondition":
        """Null condition of classifier-free guidance: the same without the dance."""
        no_dance = torch.zeros_like(self.has_dance)
        return self._replace(dance=self.dance * 0.0, has_dance=no_dance, energy=self.energy * 0.0)

    def repeat(self, times: int) -> "ScoreCondition":
        """Repeat each row `times` times in a row."""
        return ScoreCondition(*(part.repeat_interleave(times, dim=0) for part in self))

    def concat(self, other: "ScoreCondition") -> "ScoreCondition":
        """Concatenate two batches."""
        return ScoreCondition(*(torch.cat(pair) for pair in zip(self, other, strict=True)))


class ScoreFlow(nn.Module):
    """Rectified flow network: predicts the clean latents behind noisy ones, from which the flow's velocity follows.

    Buffers hold the statistics that normalize latents (latent_dim,), poses (POSE_DIM,) and a window's log speed (2,);
    the mean length of a bar in s; mean and standard deviation (3, 2) of the log of songs' notes a bar, by part; and,
    calibrated after the training, the onset thresholds (15,) of each drum, the bass, the chords and the tune, and the
    sustain thresholds (3,) of the latter three.
    """

    def __init__(self, config: ScoreFlowConfig) -> None:
        super().__init__()
        self.config = config
        latents, width, dance_width = config.vae.latent_dim, config.width, config.dance_width
        self.latent_mean = nn.Buffer(torch.zeros(latents))
        self.latent_scale = nn.Buffer(torch.ones(latents))
        self.pose_mean = nn.Buffer(torch.zeros(POSE_DIM))
        self.pose_scale = nn.Buffer(torch.ones(POSE_DIM))
        self.energy_stats = nn.Buffer(torch.tensor([0.0, 1.0]))
        self.bar_seconds = nn.Buffer(torch.tensor(2.0))
        self.density_stats = nn.Buffer(torch.tensor([[0.0, 1.0]] * len(PART_SLICES)))
        self.onset_thresholds = nn.Buffer(torch.full((VELOCITY_DIM,), 0.5))
        self.sustain_thresholds = nn.Buffer(torch.full((len(VOICE_SIZES),), 0.5))
        self.vae = BarVAE(config.vae)
        self.dance_encoder = DanceEncoder(dance_width, config.dropout)
        self.dance_proj = nn.Linear(dance_width, config.shared_dim)
        self.music_encoder = MusicEncoder(config.vae, width // 2, config.shared_dim, config.dropout)
        self.logit_scale = nn.Parameter(torch.tensor(2.0))
        condition = dance_width + 1 + 2 + 2 + PHRASE_BARS + 2 * (latents + 1) + 2 + TIME_DIM
        self.condition_mlp = nn.Sequential(nn.Linear(condition, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.latent_in = nn.Linear(latents, width)
        self.layers = nn.ModuleList(AdaptiveMLP(width, config.dropout) for _ in range(config.layers))
        self.latent_out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, latents))
        self.onset_head = nn.Linear(dance_width + 1 + 2 + 2, BAR_STEPS * ROWS)
        for last in (self.latent_out[1], self.onset_head):
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, noisy: Tensor, t: Tensor, condition: ScoreCondition) -> Tensor:
        """Predict the clean normalized latents (B, latent_dim) behind `noisy` at flow times `t` (B,) from 0 to 1."""
        flags = (condition.has_dance, condition.has_previous, condition.has_repeated)
        vectors = [part for part in condition if part.ndim == 2]
        time = time_embedding(t, _MAX_LOG_FREQUENCY)
        hidden_condition = self.condition_mlp(torch.cat([*vectors, torch.stack(flags, dim=1), time], dim=1))
        hidden = self.latent_in(noisy)
        for layer in self.layers:
            hidden = layer(hidden, hidden_condition)
        clean: Tensor = self.latent_out(hidden)
        return clean

    def onset_logits(self, condition: ScoreCondition) -> Tensor:
        """Onset logits (B, 16, 84) of bars from nothing but dance, tempo and energy."""
        vectors = [condition.dance, condition.has_dance[:, None], condition.tempo, condition.energy]
        logits: Tensor = self.onset_head(torch.cat(vectors, dim=1)).reshape(-1, BAR_STEPS, ROWS)
        return logits

    @torch.no_grad()
    def sample(self, noise: Tensor, condition: ScoreCondition, *, steps: int = 12, guidance: float = 1.5) -> Tensor:
        """Sample normalized latents (B, latent_dim) from noise by Euler steps, with classifier-free guidance.

        guidance: scale of the dance's influence, 1 as trained.
        """
        latents, guided = noise, guidance != 1.0
        if guided:
            condition = condition.concat(condition.drop_dance())
        for step in range(steps):
            t = torch.full((len(noise),), step / steps, device=noise.device)
            if guided:
                with_dance, without = self(torch.cat([latents, latents]), torch.cat([t, t]), condition).chunk(2)
                clean = without + guidance * (with_dance - without)
            else:
                clean = self(latents, t, condition)
            latents = latents + (clean - latents) / (steps - step)
        return latents

    def encode_dance(self, windows: Tensor) -> Tensor:
        """Encode dances over two bars (B, WINDOW_POSES, POSE_DIM) for the condition: (B, dance_width)."""
        encoded: Tensor = self.dance_encoder((windows - self.pose_mean) / self.pose_scale)
        return encoded

    def embed_dance(self, encoded: Tensor) -> Tensor:
        """Embed encoded dances (B, dance_width) in the space shared with music: (B, shared_dim), of length 1."""
        return nn.functional.normalize(self.dance_proj(encoded), dim=-1)

    def embed_music(self, previous: Tensor, latents: Tensor, parts: Tensor) -> Tensor:
        """Embed two bars, given by normalized latents (B, latent_dim), in the shared space; parts: (B, 2)."""
        return nn.functional.normalize(self.music_encoder(previous, latents, parts), dim=-1)

    def energy_condition(self, windows: Tensor) -> Tensor:
        """Energy condition (B, 2), normalized log speed and 1, of dances over two bars (B, WINDOW_POSES, POSE_DIM)."""
        return normalized_energy(windows[..., SPEED_INDEX].mean(dim=1), self.energy_stats)

    def normalize(self, latents: Tensor) -> Tensor:
        """Normalize latents (..., latent_dim) to mean 0 and standard deviation 1."""
        return (latents - self.latent_mean) / self.latent_scale

    def denormalize(self, latents: Tensor) -> Tensor:
        """Inverse of `normalize`."""
        return latents * self.latent_scale + self.latent_mean


def tempo_condition(seconds: Tensor) -> Tensor:
    """Tempo condition (B, 2), octaves from 2 s a bar and 1, of bars that last `seconds` (B,)."""
    return torch.stack([torch.log2(seconds / 2.0), torch.ones_like(seconds)], dim=1)


def save(path: Path, network: ScoreFlow) -> None:
    """Write the weight file in half precision, whole or not at all."""
    halves = {name: tensor.half().numpy() for name, tensor in network.state_dict().items()}
    save_weights(path, NAME, asdict(network.config), halves)


def load(path: Path) -> ScoreFlow:
    """Read a network from a weight file, in eval mode. Raises ValueError for other files."""
    with open_weights(path, NAME, legacy_keys=LEGACY_KEYS, legacy_config=LEGACY_CONFIG) as (config, tensors):
        network = ScoreFlow(ScoreFlowConfig.from_table(config))
        network.load_state_dict({name: torch.from_numpy(values) for name, values in tensors.items()})
    return network.eval()
