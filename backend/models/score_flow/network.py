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

from backend.models.common.energy import log_speed
from backend.models.common.weights_file import read_weights, save_weights
from backend.models.score_flow.bar_features import BAR_STEPS, PART_SLICES, ROWS, VELOCITY_DIM, VOICE_SIZES
from backend.models.score_flow.bar_vae import BarVAE, BarVAEConfig
from backend.models.score_flow.dance_features import POSE_DIM, SPEED_INDEX, WINDOW_POSES

NAME = "score-flow"
PHRASE_BARS = 8
"""Bars in a phrase."""
REPEAT_BARS = 4
"""Bars from the bar that may be repeated to the one that is sampled."""
_TIME_FREQUENCIES = 32
_SPEEDS = 3
"""Features of a pose, its last ones, that are speeds."""
_POSE_DROPOUT = 0.6
"""Probability in training that a window's poses are dropped and only its speeds are seen."""

LEGACY_KEYS = {
    "code_mean": "latent_mean",
    "code_scale": "latent_scale",
    "track_mean": "pose_mean",
    "track_scale": "pose_scale",
    "energy": "energy_stats",
    "usual": "bar_seconds",
    "density": "density_stats",
    "begins": "onset_thresholds",
    "sounds": "sustain_thresholds",
    "coders": "vae",
    "read_beat": "encoder_beats",
    "read_places": "encoder_positions",
    "read_held": "encoder_tied",
    "gather": "encoder_in",
    "think": "encoder_mlp",
    "take_held": "decoder_tied",
    "unfold": "decoder_mlp",
    "spread": "decoder_beats",
    "write_beat": "decoder_out",
    **{f"coders.{part}.tell": f"vae.{part}.posterior" for part in ("drums", "pitched")},
    **{f"coders.{part}.take": f"vae.{part}.decoder_in" for part in ("drums", "pitched")},
    "reader": "dance_encoder",
    "steps": "pose_conv",
    "pace": "speed_proj",
    "reader.gather": "dance_encoder.out_mlp",
    "share_dance": "dance_proj",
    "share_music": "music_encoder",
    "share_music.layers": "music_encoder.mlp",
    "warmth": "logit_scale",
    "know": "condition_mlp",
    "take": "latent_in",
    "mood": "modulation",
    "inner": "mlp",
    "write": "latent_out",
    "tell": "onset_head",
}
"""State-dict names of 0.1.0 and today's."""
_LEGACY_CONFIG = {"coder": "vae", "reader": "dance_width", "shared": "shared_dim"}


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
        table = {_LEGACY_CONFIG.get(name, name): value for name, value in table.items()}
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

    latent_mean: Tensor
    latent_scale: Tensor
    pose_mean: Tensor
    pose_scale: Tensor
    energy_stats: Tensor
    bar_seconds: Tensor
    density_stats: Tensor
    onset_thresholds: Tensor
    sustain_thresholds: Tensor

    def __init__(self, config: ScoreFlowConfig) -> None:
        super().__init__()
        self.config = config
        latents, width, dance_width = config.vae.latent_dim, config.width, config.dance_width
        self.register_buffer("latent_mean", torch.zeros(latents))
        self.register_buffer("latent_scale", torch.ones(latents))
        self.register_buffer("pose_mean", torch.zeros(POSE_DIM))
        self.register_buffer("pose_scale", torch.ones(POSE_DIM))
        self.register_buffer("energy_stats", torch.tensor([0.0, 1.0]))
        self.register_buffer("bar_seconds", torch.tensor(2.0))
        self.register_buffer("density_stats", torch.tensor([[0.0, 1.0]] * len(PART_SLICES)))
        self.register_buffer("onset_thresholds", torch.full((VELOCITY_DIM,), 0.5))
        self.register_buffer("sustain_thresholds", torch.full((len(VOICE_SIZES),), 0.5))
        self.vae = BarVAE(config.vae)
        self.dance_encoder = _DanceEncoder(dance_width, config.dropout)
        self.dance_proj = nn.Linear(dance_width, config.shared_dim)
        self.music_encoder = _MusicEncoder(config)
        self.logit_scale = nn.Parameter(torch.tensor(2.0))
        condition = dance_width + 1 + 2 + 2 + PHRASE_BARS + 2 * (latents + 1) + 2 + 2 * _TIME_FREQUENCIES
        self.condition_mlp = nn.Sequential(nn.Linear(condition, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.latent_in = nn.Linear(latents, width)
        self.layers = nn.ModuleList(_ModulatedLayer(width, config.dropout) for _ in range(config.layers))
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
        modulation = self.condition_mlp(torch.cat([*vectors, torch.stack(flags, dim=1), _time_embedding(t)], dim=1))
        hidden = self.latent_in(noisy)
        for layer in self.layers:
            hidden = layer(hidden, modulation)
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

        guidance: 1 as learnt; more follows the dance more.
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
        value = (log_speed(windows[..., SPEED_INDEX].mean(dim=1)) - self.energy_stats[0]) / self.energy_stats[1]
        return torch.stack([value, torch.ones_like(value)], dim=1)

    def normalize(self, latents: Tensor) -> Tensor:
        """Normalize latents (..., latent_dim) to mean 0 and standard deviation 1."""
        return (latents - self.latent_mean) / self.latent_scale

    def denormalize(self, latents: Tensor) -> Tensor:
        """Inverse of `normalize`."""
        return latents * self.latent_scale + self.latent_mean


def tempo_condition(seconds: Tensor) -> Tensor:
    """Tempo condition (B, 2), octaves from 2 s a bar and 1, of bars that last `seconds` (B,)."""
    return torch.stack([torch.log2(seconds / 2.0), torch.ones_like(seconds)], dim=1)


class _DanceEncoder(nn.Module):
    """Encodes the dance of two bars: convolutions over its poses, and a projection of its speeds in each sixteenth.

    There are few dances to learn from, so the poses are often dropped in training.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.pose_conv = nn.Sequential(
            nn.Conv1d(POSE_DIM, width, 4, stride=2, padding=1),
            nn.GELU(),
            nn.Conv1d(width, width, 4, stride=2, padding=1),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Conv1d(width, width, 4, stride=2, padding=1),
            nn.GELU(),
            nn.Conv1d(width, 16, 1),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(16 * WINDOW_POSES // 8, width),
        )
        self.pose_dropout = nn.Dropout(_POSE_DROPOUT)
        self.speed_proj = nn.Linear(_SPEEDS * WINDOW_POSES // 2, width)
        self.out_mlp = nn.Sequential(nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width))

    def forward(self, windows: Tensor) -> Tensor:
        speeds = windows[..., -_SPEEDS:].reshape(-1, WINDOW_POSES // 2, 2, _SPEEDS).mean(dim=2)
        poses = self.pose_conv(windows.transpose(1, 2)) * self.pose_dropout(torch.ones_like(windows[:, 0, :1]))
        encoded: Tensor = self.out_mlp(poses + self.speed_proj(speeds.flatten(1)))
        return encoded


class _MusicEncoder(nn.Module):
    """Encodes the latents of two bars for the space that music shares with dances."""

    def __init__(self, config: ScoreFlowConfig) -> None:
        super().__init__()
        self.part_sizes = (config.vae.drums, config.vae.pitched)
        self.mlp = nn.Sequential(
            nn.Linear(2 * config.vae.latent_dim + 2, config.width // 2),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.width // 2, config.width // 2),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.width // 2, config.shared_dim),
        )

    def forward(self, previous: Tensor, latents: Tensor, parts: Tensor) -> Tensor:
        mask = latent_mask(parts, self.part_sizes)
        encoded: Tensor = self.mlp(torch.cat([previous * mask, latents * mask, parts], dim=1))
        return encoded


class _ModulatedLayer(nn.Module):
    """Residual MLP with adaptive layer norm (adaLN), modulated by the condition and the flow time.

    Peebles and Xie 2023, with their gates.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 3 * width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )

    def forward(self, hidden: Tensor, modulation: Tensor) -> Tensor:
        scale, shift, gate = self.modulation(modulation).chunk(3, dim=-1)
        result: Tensor = hidden + gate * self.mlp(torch.addcmul(shift, self.norm(hidden), 1 + scale))
        return result


def latent_mask(parts: Tensor, sizes: tuple[int, int]) -> Tensor:
    """Mask (B, latent_dim) of the latents whose part plays.  parts: (B, 2).  sizes: latents of each part."""
    return parts.repeat_interleave(torch.tensor(sizes, device=parts.device), dim=1)


def _time_embedding(t: Tensor) -> Tensor:
    """Sinusoidal embedding (B, 2 * _TIME_FREQUENCIES) of times (B,) from 0 to 1."""
    frequencies = torch.exp(torch.linspace(0.0, 5.0, _TIME_FREQUENCIES)).to(t)
    angles = t[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def save(path: Path, network: ScoreFlow) -> None:
    """Write the weight file in half precision, whole or not at all."""
    halves = {name: tensor.half() for name, tensor in network.state_dict().items()}
    save_weights(path, NAME, asdict(network.config), halves)


def load(path: Path) -> ScoreFlow:
    """Read a network from a weight file, in eval mode. Raises ValueError for the weights of another model."""
    config, tensors = read_weights(path, NAME, legacy_keys=LEGACY_KEYS, legacy_config=_LEGACY_CONFIG)
    network = ScoreFlow(ScoreFlowConfig.from_table(config))
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return network.eval()
