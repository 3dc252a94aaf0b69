"""Latent flow matching network: composes music to a dance bar by bar, in the latent space of a bar VAE.

A window has two bars, of which the second is sampled from noise in a few Euler steps of a rectified flow (Liu et al.
2023). The condition is the dance over both bars, the tempo, the dancers' energy, the place in a phrase of eight bars,
and the latents of the bar before and the one four before. Classifier-free guidance (Ho and Salimans 2022) strengthens
the dance's influence.

Two further losses shape the dance encoder: a contrastive one (InfoNCE, Oord et al. 2018), which brings a dance near the
music that it was danced to in a shared space, and a head that predicts onset probabilities from the dance directly.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backend.models.common.adaptive_layers import AdaptiveMLP
from backend.models.common.exported_function import ExportedFunction
from backend.models.common.time_embedding import TIME_DIM, time_embedding
from backend.models.common.weights_file import open_weights, save_weights
from backend.models.score_flow.bar_features import BAR_STEPS, PART_SLICES, PITCHED_ROWS, ROWS, VELOCITY_DIM, VOICE_SIZES
from backend.models.score_flow.conditions import (
    NAME,
    PHRASE_BARS,
    BarTensors,
    ScoreCondition,
    ScoreFlowConfig,
    ScoreFlowStatistics,
)
from backend.models.score_flow.dance_features import POSE_DIM, WINDOW_POSES
from backend.models.score_flow.legacy_names import LEGACY_CONFIG, LEGACY_KEYS
from backend.models.score_flow.network.bar_vae import BarVAE, note_probabilities
from backend.models.score_flow.network.encoders import DanceEncoder, MusicEncoder
from backend.models.score_flow.sampler import GUIDANCE, STEPS, sample_latents

_MAX_LOG_FREQUENCY = 5.0
"""Of the time embedding, see `time_embedding`."""


class ScoreFlow(nn.Module, ScoreFlowStatistics):
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
    def sample(
        self, noise: Tensor, condition: ScoreCondition, *, steps: int = STEPS, guidance: float = GUIDANCE
    ) -> Tensor:
        """Sample normalized latents (B, latent_dim) from noise, see `sample_latents`."""
        latents: Tensor = sample_latents(self, noise, condition, steps=steps, guidance=guidance)
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


def config_of(network: ScoreFlow) -> dict[str, Any]:
    """The shape of a network, as in its weight file."""
    return asdict(network.config)


def exported_functions(network: ScoreFlow) -> dict[str, ExportedFunction]:
    """What inference without torch calls: the dance encoder, the flow, and the VAE of bars."""
    config, size = network.config, 3
    latents = torch.randn(size, config.vae.latent_dim)
    tied = (torch.rand(size, PITCHED_ROWS) < 0.1).float()
    condition = ScoreCondition(
        dance=torch.randn(size, config.dance_width),
        has_dance=torch.ones(size),
        tempo=torch.randn(size, 2),
        energy=torch.randn(size, 2),
        phrase=nn.functional.one_hot(torch.arange(size), PHRASE_BARS).float(),
        previous=torch.randn(size, config.vae.latent_dim),
        has_previous=torch.ones(size),
        repeated=torch.randn(size, config.vae.latent_dim),
        has_repeated=torch.zeros(size),
        parts=torch.ones(size, 2),
    )
    rows = {"onset": ROWS, "sustain": PITCHED_ROWS, "velocity": VELOCITY_DIM}
    bars = {name: (torch.rand(size, BAR_STEPS, count) < 0.1).float() for name, count in rows.items()}

    def predict(noisy: Tensor, t: Tensor, *parts: Tensor) -> Tensor:
        clean: Tensor = network(noisy, t, ScoreCondition(*parts))
        return clean

    def decode_bars(latents: Tensor, tied: Tensor) -> tuple[Tensor, ...]:
        return tuple(note_probabilities(network.vae.decode(latents, tied)))

    def encode_bars(onset: Tensor, sustain: Tensor, velocity: Tensor, tied: Tensor) -> Tensor:
        return network.vae.encode(BarTensors(onset, sustain, velocity), tied).mean

    windows = {"windows": torch.randn(size, WINDOW_POSES, POSE_DIM)}
    noisy = {"noisy": latents, "t": torch.rand(size), **condition._asdict()}
    return {
        "encode_dance": ExportedFunction(network.encode_dance, windows, ("encoded",)),
        "predict": ExportedFunction(predict, noisy, ("clean",)),
        "decode_bars": ExportedFunction(decode_bars, {"latents": latents, "tied": tied}, tuple(rows)),
        "encode_bars": ExportedFunction(encode_bars, {**bars, "tied": tied}, ("latents",)),
    }


def save(path: Path, network: ScoreFlow) -> None:
    """Write the weight file in half precision, whole or not at all."""
    halves = {name: tensor.half().numpy() for name, tensor in network.state_dict().items()}
    save_weights(path, NAME, config_of(network), halves)


def load(path: Path) -> ScoreFlow:
    """Read a network from a weight file, in eval mode. Raises ValueError for other files."""
    with open_weights(path, NAME, legacy_keys=LEGACY_KEYS, legacy_config=LEGACY_CONFIG) as (config, tensors):
        network = ScoreFlow(ScoreFlowConfig.from_table(config))
        network.load_state_dict({name: torch.from_numpy(values) for name, values in tensors.items()})
    return network.eval()
