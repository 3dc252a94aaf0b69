"""Variational autoencoder (VAE) of bars (Kingma and Welling 2014): a bar of music to a latent vector and back.

Drums have a VAE of their own, bass and melody share another. Both encoder and decoder are given the *tied* notes, which
sound as the bar begins, so that latents need not hold them and notes can continue over bar lines.
"""

import torch
from torch import Tensor, nn

from backend.models.common.vae import GaussianPosterior
from backend.models.score_flow.bar_features import BAR_STEPS, DRUM_ROWS, PITCHED_ROWS, VELOCITY_DIM, VOICE_SIZES
from backend.models.score_flow.conditions import BarTensors, BarVAEConfig

_BEATS, _STEPS_PER_BEAT = 4, BAR_STEPS // 4
_OCTAVE = 12


class PartVAE(nn.Module):
    """VAE of rows that sound together.

    channels: features of a step.  tied: rows that may be tied over the bar line.  latents: latent dimensions.
    """

    def __init__(self, channels: int, tied: int, latents: int, config: BarVAEConfig) -> None:
        super().__init__()
        self.channels = channels
        width, beat = config.width, config.beat
        self.encoder_beats = nn.Linear(_STEPS_PER_BEAT * channels, beat)
        self.encoder_positions = nn.Parameter(torch.zeros(_BEATS, beat))
        self.encoder_tied = nn.Linear(tied, width) if tied else None
        self.encoder_in = nn.Linear(_BEATS * beat, width)
        self.encoder_mlp = ResidualMLP(width)
        self.posterior = nn.Linear(width, 2 * latents)
        self.decoder_in = nn.Linear(latents, width)
        self.decoder_tied = nn.Linear(tied, width) if tied else None
        self.decoder_mlp = nn.Sequential(ResidualMLP(width), ResidualMLP(width))
        self.decoder_beats = nn.Linear(width, _BEATS * beat)
        self.decoder_out = nn.Sequential(
            nn.GELU(), nn.Linear(beat, beat), nn.GELU(), nn.Linear(beat, _STEPS_PER_BEAT * channels)
        )

    def encode(self, bars: Tensor, tied: Tensor) -> GaussianPosterior:
        """Posterior, (B, latents), of bars (B, 16, channels) with tied notes (B, tied)."""
        beats = self.encoder_beats(bars.reshape(-1, _BEATS, _STEPS_PER_BEAT * self.channels)) + self.encoder_positions
        hidden = self.encoder_in(nn.functional.gelu(beats).flatten(1))
        if self.encoder_tied is not None:
            hidden = hidden + self.encoder_tied(tied)
        mean, log_variance = self.posterior(self.encoder_mlp(hidden)).chunk(2, dim=-1)
        return GaussianPosterior(mean, log_variance.clamp(-8.0, 4.0))

    def decode(self, latents: Tensor, tied: Tensor) -> Tensor:
        """Logits (B, 16, channels) of the bars of latents (B, latents) with tied notes (B, tied)."""
        hidden = self.decoder_in(latents)
        if self.decoder_tied is not None:
            hidden = hidden + self.decoder_tied(tied)
        beats = self.decoder_beats(self.decoder_mlp(hidden)).unflatten(-1, (_BEATS, -1))
        logits: Tensor = self.decoder_out(beats).reshape(-1, BAR_STEPS, self.channels)
        return logits


class ResidualMLP(nn.Module):
    """Residual MLP block with layer norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, hidden: Tensor) -> Tensor:
        """Transform hidden states (..., width)."""
        result: Tensor = hidden + self.mlp(hidden)
        return result


class BarVAE(nn.Module):
    """VAE of whole bars: the VAEs of drums and of pitched voices side by side, the drums' latents first."""

    def __init__(self, config: BarVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.drums = PartVAE(2 * DRUM_ROWS, 0, config.drums, config)
        self.pitched = PartVAE(2 * PITCHED_ROWS + VELOCITY_DIM - DRUM_ROWS, PITCHED_ROWS, config.pitched, config)

    def encode(self, bars: BarTensors, tied: Tensor) -> GaussianPosterior:
        """Posterior, (B, latent_dim), of bars.  tied: (B, 72), pitched rows that sound before the bar."""
        posteriors = [self.encode_part(part, bars, tied) for part in range(2)]
        return GaussianPosterior(*(torch.cat(parts, dim=-1) for parts in zip(*posteriors, strict=True)))

    def decode(self, latents: Tensor, tied: Tensor) -> BarTensors:
        """Logits of the bars of latents (B, latent_dim) with tied notes (B, 72)."""
        parts = torch.split(latents, [self.config.drums, self.config.pitched], dim=-1)
        drums, pitched = (self.decode_part(n, part, tied) for n, part in enumerate(parts))
        onset = torch.cat([drums.onset, pitched.onset], -1)
        return BarTensors(onset, pitched.sustain, torch.cat([drums.velocity, pitched.velocity], -1))

    def encode_part(self, part: int, bars: BarTensors, tied: Tensor) -> GaussianPosterior:
        """Posterior of part 0, the drums, or part 1, the pitched voices."""
        if part == 0:
            drums = torch.cat([bars.onset[..., :DRUM_ROWS], bars.velocity[..., :DRUM_ROWS]], dim=-1)
            return self.drums.encode(drums, tied)
        rows = torch.cat([bars.onset[..., DRUM_ROWS:], bars.sustain, bars.velocity[..., DRUM_ROWS:]], dim=-1)
        return self.pitched.encode(rows, tied)

    def decode_part(self, part: int, latents: Tensor, tied: Tensor) -> BarTensors:
        """Logits of one part's own rows; drums have no sustain."""
        if part == 0:
            onset, velocity = torch.split(self.drums.decode(latents, tied), [DRUM_ROWS, DRUM_ROWS], dim=-1)
            return BarTensors(onset, onset[..., :0], velocity)
        rows = self.pitched.decode(latents, tied)
        return BarTensors(*torch.split(rows, [PITCHED_ROWS, PITCHED_ROWS, VELOCITY_DIM - DRUM_ROWS], dim=-1))


def note_probabilities(logits: BarTensors) -> BarTensors:
    """Probabilities of notes from their logits."""
    return BarTensors(*(part.sigmoid() for part in logits))


def transpose_rows(rows: Tensor, shift: Tensor) -> Tensor:
    """Transpose rows (B, 16, 84 or 72) of bars by less than an octave of semitones (B,).

    Rows that leave the range of their voice come in again an octave away.
    """
    voices = [rows[..., :-PITCHED_ROWS]]
    for voice in torch.split(rows[..., -PITCHED_ROWS:], list(VOICE_SIZES), dim=-1):
        size = voice.shape[-1]
        target = torch.arange(size, device=rows.device) + shift[:, None]
        target = target - _OCTAVE * (target >= size).int() + _OCTAVE * (target < 0).int()
        index = target[:, None].expand_as(voice)
        voices.append(torch.zeros_like(voice).scatter_reduce(-1, index, voice, "amax"))
    return torch.cat(voices, dim=-1)
