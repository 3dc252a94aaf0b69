"""A variational coder of bars (Kingma and Welling 2014): a bar of music to a few numbers, and back to its notes.

Drums have a coder, bass and melody together another. What sounds as the bar begins is told to both ways of it, so that
a code need not hold it, and notes go on over bar lines.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from backend.models.score_flow.bar_features import (
    BAR_STEPS,
    BASS_ROWS,
    CHORD_ROWS,
    DRUM_ROWS,
    PITCHED_ROWS,
    ROWS,
    TUNE_ROWS,
    VELOCITY_DIM,
)

_BEATS, _EACH = 4, BAR_STEPS // 4


class BarTensors(NamedTuple):
    """Bars (B, 16, ...) as tensors: see `score_views.Bars`; or what the coders make of codes, as logits.

    onset: (B, 16, 84).  sustain: (B, 16, 72).  loud: (B, 16, 15).
    """

    onset: Tensor
    sustain: Tensor
    velocity: Tensor

    def probabilities(self) -> "BarTensors":
        """Logits as numbers from 0 to 1."""
        return BarTensors(*(part.sigmoid() for part in self))


@dataclass(frozen=True)
class BarVAEConfig:
    """How many numbers a bar of drums has and one of bass and melody, and how wide the coders are."""

    drums: int = 16
    pitched: int = 64
    width: int = 384
    beat: int = 160

    @property
    def latent_dim(self) -> int:
        """Numbers of a whole bar, the drums' first."""
        return self.drums + self.pitched


class PartVAE(nn.Module):
    """The coder of rows that sound together.

    channels: numbers of a step.  held: rows that may sound as a bar begins.  size: numbers of a code.
    """

    def __init__(self, channels: int, held: int, size: int, config: BarVAEConfig) -> None:
        super().__init__()
        self.channels, self.size = channels, size
        width, beat = config.width, config.beat
        self.read_beat = nn.Linear(_EACH * channels, beat)
        self.read_places = nn.Parameter(torch.zeros(_BEATS, beat))
        self.read_held = nn.Linear(held, width) if held else None
        self.gather = nn.Linear(_BEATS * beat, width)
        self.think = Block(width)
        self.tell = nn.Linear(width, 2 * size)
        self.take = nn.Linear(size, width)
        self.take_held = nn.Linear(held, width) if held else None
        self.unfold = nn.Sequential(Block(width), Block(width))
        self.spread = nn.Linear(width, _BEATS * beat)
        self.write_beat = nn.Sequential(nn.GELU(), nn.Linear(beat, beat), nn.GELU(), nn.Linear(beat, _EACH * channels))

    def encode(self, bars: Tensor, held: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (B, size) of the codes of bars (B, 16, channels) that begin with `held` (B, held)."""
        beats = self.read_beat(bars.reshape(-1, _BEATS, _EACH * self.channels)) + self.read_places
        seen = self.gather(nn.functional.gelu(beats).flatten(1))
        if self.read_held is not None:
            seen = seen + self.read_held(held)
        mean, variance = self.tell(self.think(seen)).chunk(2, dim=-1)
        return mean, variance.clamp(-8.0, 4.0)

    def decode(self, codes: Tensor, held: Tensor) -> Tensor:
        """The bars (B, 16, channels) of codes (B, size) as logits."""
        seen = self.take(codes)
        if self.take_held is not None:
            seen = seen + self.take_held(held)
        beats = self.spread(self.unfold(seen)).unflatten(-1, (_BEATS, -1))
        written: Tensor = self.write_beat(beats).reshape(-1, BAR_STEPS, self.channels)
        return written


class Block(nn.Module):
    """A residual layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, rows: Tensor) -> Tensor:
        """The rows (..., width) after this layer."""
        made: Tensor = rows + self.inner(rows)
        return made


class BarVAE(nn.Module):
    """Both coders as one: whole bars to codes of `config.codes` numbers, the drums' first, and back."""

    def __init__(self, config: BarVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.drums = PartVAE(2 * DRUM_ROWS, 0, config.drums, config)
        self.pitched = PartVAE(2 * PITCHED_ROWS + VELOCITY_DIM - DRUM_ROWS, PITCHED_ROWS, config.pitched, config)

    def encode(self, bars: BarTensors, held: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (B, codes) of bars; held: (B, 72), which of the pitched rows sound right before."""
        told = [self.encode_part(part, bars, held) for part in range(2)]
        mean, variance = (torch.cat(parts, dim=-1) for parts in zip(*told, strict=True))
        return mean, variance

    def decode(self, codes: Tensor, held: Tensor) -> BarTensors:
        """Bars as logits of codes (B, codes)."""
        parts = torch.split(codes, [self.config.drums, self.config.pitched], dim=-1)
        drums, pitched = (self.decode_part(n, part, held) for n, part in enumerate(parts))
        onset, loud = torch.cat([drums.onset, pitched.onset], -1), torch.cat([drums.velocity, pitched.velocity], -1)
        return BarTensors(onset, pitched.sustain, loud)

    def encode_part(self, part: int, bars: BarTensors, held: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the codes of what the drums play, 0, or all others, 1."""
        if part == 0:
            return self.drums.encode(
                torch.cat([bars.onset[..., :DRUM_ROWS], bars.velocity[..., :DRUM_ROWS]], dim=-1), held
            )
        rows = torch.cat([bars.onset[..., DRUM_ROWS:], bars.sustain, bars.velocity[..., DRUM_ROWS:]], dim=-1)
        return self.pitched.encode(rows, held)

    def decode_part(self, part: int, codes: Tensor, held: Tensor) -> BarTensors:
        """What one of them plays, as logits of its own rows alone; the drums sustain nothing."""
        if part == 0:
            onset, loud = torch.split(self.drums.decode(codes, held), [DRUM_ROWS, DRUM_ROWS], dim=-1)
            return BarTensors(onset, onset[..., :0], loud)
        rows = self.pitched.decode(codes, held)
        return BarTensors(*torch.split(rows, [PITCHED_ROWS, PITCHED_ROWS, VELOCITY_DIM - DRUM_ROWS], dim=-1))


def transpose_rows(rows: Tensor, shift: Tensor) -> Tensor:
    """Rows (B, 16, 84 or 72) of bars moved by so many semitones (B,) each, by octaves where they would leave a part."""
    pitched = _moved(rows[..., -PITCHED_ROWS:], shift)
    return torch.cat([rows[..., :-PITCHED_ROWS], pitched], dim=-1) if rows.shape[-1] == ROWS else pitched


def _moved(rows: Tensor, shift: Tensor) -> Tensor:
    parts = []
    for part in torch.split(rows, [BASS_ROWS, CHORD_ROWS, TUNE_ROWS], dim=-1):
        size = part.shape[-1]
        wanted = torch.arange(size, device=rows.device) - shift[:, None]  # (B, rows) where each row comes from
        inside = (wanted >= 0) & (wanted < size)
        index = wanted.clamp(0, size - 1)[:, None].expand(-1, part.shape[1], -1)
        own = part.gather(-1, index) * inside[:, None]
        # What is moved beyond the lowest or the highest row comes in again an octave away.
        low = torch.arange(size, device=rows.device)[None] + 12 * torch.where(shift > 0, 1, -1)[:, None]
        beyond = low - shift[:, None]
        out = (beyond >= 0) & (beyond < size) & ((low < 0) | (low >= size))
        folded = part.gather(-1, beyond.clamp(0, size - 1)[:, None].expand(-1, part.shape[1], -1)) * out[:, None]
        parts.append(torch.maximum(own, folded))
    return torch.cat(parts, dim=-1)
