"""The score flow: a rectified flow in the space of the bar coder that composes bar after bar to a dance.

A window is two bars: one that is there already, and one that is drawn from noise in a few steps (Liu et al. 2023),
given the dance over both, the tempo, the dancer's energy, the place in a phrase of eight bars, the bar before and the
one four before. What the dance becomes is learnt twice over: for drawing, and in a space in which the music's windows
lie too, where a dance is near the music that it was danced to (InfoNCE, Oord et al. 2018). From the dance the network
also tells directly how likely each note begins, so that what it reads is about notes.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from backend.models.common.weights_file import read_weights, save_weights
from backend.models.score_flow.bar_features import BAR_STEPS, DRUM_ROWS, PART_SLICES, ROWS, VELOCITY_DIM
from backend.models.score_flow.bar_vae import BarVAE, BarVAEConfig
from backend.models.score_flow.dance_features import POSE_DIM, SPEED_INDEX, WINDOW_POSES

NAME = "score-flow"
PHRASE_BARS = 8
"""Bars in a phrase."""
REPEAT_BARS = 4
"""How many bars before a bar the one is that it may repeat."""
_WAVES = 32
_SPEEDS = 3
"""How many of a pose's numbers, its last, are speeds."""
_UNSEEN = 0.6
"""How often the poses of a dance are not seen in training."""


@dataclass(frozen=True)
class ScoreFlowConfig:
    """The network's shape.

    coder: of bars.  width, layers: of the flow.  reader: width of what reads the dance.  shared: numbers of the space
    in which dance and music lie.  dropout: of what reads.
    """

    coder: BarVAEConfig = field(default_factory=BarVAEConfig)
    width: int = 256
    layers: int = 3
    reader: int = 32
    shared: int = 64
    dropout: float = 0.2


class ScoreCondition(NamedTuple):
    """What is known of B bars before they are drawn.

    dance: (B, reader), what `ScoreFlow.read` makes of the dance, and zeros where there is none.  danced: (B,) 1 or 0.
    tempo: (B, 2) see `tempo_of`.  energy: (B, 2) see `ScoreFlow.stirred`.  phrase: (B, 8) one of them is 1, or none.
    before, earlier: (B, codes), the codes of the bar before and of the one four before, normalised, or zeros.
    follows, recalls: (B,) 1 where there are those.  parts: (B, 2) 1 where there are drums, and bass and melody.
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
        """The same, with nothing known of the dance."""
        nothing = torch.zeros_like(self.has_dance)
        return self._replace(dance=self.dance * 0.0, has_dance=nothing, energy=self.energy * 0.0)

    def repeat(self, times: int) -> "ScoreCondition":
        """The same, each so many times one after the other."""
        return ScoreCondition(*(part.repeat_interleave(times, dim=0) for part in self))

    def concat(self, other: "ScoreCondition") -> "ScoreCondition":
        """These and those, one after the other."""
        return ScoreCondition(*(torch.cat(pair) for pair in zip(self, other, strict=True)))


class ScoreFlow(nn.Module):
    """Where a noisy code is going, given what is asked: the clean code, from which the flow's velocity follows.

    The buffers keep the statistics that normalise codes (codes,), what is seen of a dance (TRACK,), and the log of a
    window's speed; the usual seconds of a bar; mean and spread (3, 2) of the log of songs' notes a bar, by part; and,
    calibrated after the training, the chances from which on each drum, the bass, a chord and the tune begin (15,), and
    from which on the latter three sound on (3,).
    """

    code_mean: Tensor
    code_scale: Tensor
    track_mean: Tensor
    track_scale: Tensor
    energy: Tensor
    usual: Tensor
    density: Tensor
    begins: Tensor
    sounds: Tensor

    def __init__(self, config: ScoreFlowConfig) -> None:
        super().__init__()
        self.config = config
        codes, width, reader = config.coder.latent_dim, config.width, config.reader
        self.register_buffer("code_mean", torch.zeros(codes))
        self.register_buffer("code_scale", torch.ones(codes))
        self.register_buffer("track_mean", torch.zeros(POSE_DIM))
        self.register_buffer("track_scale", torch.ones(POSE_DIM))
        self.register_buffer("energy", torch.tensor([0.0, 1.0]))
        self.register_buffer("usual", torch.tensor(2.0))
        self.register_buffer("density", torch.tensor([[0.0, 1.0]] * len(PART_SLICES)))
        self.register_buffer("begins", torch.full((VELOCITY_DIM,), 0.5))
        self.register_buffer("sounds", torch.full((VELOCITY_DIM - DRUM_ROWS,), 0.5))
        self.coders = BarVAE(config.coder)
        self.reader = _Reader(reader, config.dropout)
        self.share_dance = nn.Linear(reader, config.shared)
        self.share_music = _Listener(config)
        self.warmth = nn.Parameter(torch.tensor(2.0))
        known = reader + 1 + 2 + 2 + PHRASE_BARS + 2 * (codes + 1) + 2 + 2 * _WAVES
        self.know = nn.Sequential(nn.Linear(known, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.take = nn.Linear(codes, width)
        self.layers = nn.ModuleList(_Layer(width, config.dropout) for _ in range(config.layers))
        self.write = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, codes))
        self.tell = nn.Linear(reader + 1 + 2 + 2, BAR_STEPS * ROWS)
        for last in (self.write[1], self.tell):
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, noisy: Tensor, t: Tensor, asked: ScoreCondition) -> Tensor:
        """The clean codes (B, codes), normalised, behind `noisy` of that shape at the times `t` (B,) from 0 to 1."""
        flags = (asked.has_dance, asked.has_previous, asked.has_repeated)
        rows = [part for part in asked if part.ndim == 2]
        known = torch.cat([*rows, torch.stack(flags, dim=1), _waves(t)], dim=1)
        mood = self.know(known)
        seen = self.take(noisy)
        for layer in self.layers:
            seen = layer(seen, mood)
        clean: Tensor = self.write(seen)
        return clean

    def onset_logits(self, asked: ScoreCondition) -> Tensor:
        """Logits (B, 16, 84) of each note's beginning in bars of which only dance, tempo and energy are looked at."""
        known = torch.cat([asked.dance, asked.has_dance[:, None], asked.tempo, asked.energy], dim=1)
        told: Tensor = self.tell(known).reshape(-1, BAR_STEPS, ROWS)
        return told

    @torch.no_grad()
    def sample(self, noise: Tensor, asked: ScoreCondition, *, steps: int = 12, guidance: float = 1.5) -> Tensor:
        """Codes (B, codes), normalised, drawn from noise; guidance: 1 as learnt, more to follow the dance more."""
        drawn, guided = noise, guidance != 1.0
        known = asked.concat(asked.drop_dance()) if guided else asked
        for step in range(steps):
            t = torch.full((len(noise),), step / steps, device=noise.device)
            if guided:
                with_dance, without = self(torch.cat([drawn, drawn]), torch.cat([t, t]), known).chunk(2)
                clean = without + guidance * (with_dance - without)
            else:
                clean = self(drawn, t, known)
            drawn = drawn + (clean - drawn) / (steps - step)
        return drawn

    def encode_dance(self, windows: Tensor) -> Tensor:
        """What dances over two bars (B, POSES, TRACK) become for drawing: (B, reader)."""
        read: Tensor = self.reader((windows - self.track_mean) / self.track_scale)
        return read

    def embed_dance(self, read: Tensor) -> Tensor:
        """Dances (B, reader) in the space that they share with music: (B, shared), of length 1."""
        return nn.functional.normalize(self.share_dance(read), dim=-1)

    def embed_music(self, before: Tensor, codes: Tensor, parts: Tensor) -> Tensor:
        """Two bars' codes (B, codes) each, normalised, in that space; parts: (B, 2) which of them there are."""
        return nn.functional.normalize(self.share_music(before, codes, parts), dim=-1)

    def energy_condition(self, windows: Tensor) -> Tensor:
        """The energy (B, 2) of dances over two bars (B, POSES, TRACK): its log, normalised, and 1 for being known."""
        value = (torch.log(windows[..., SPEED_INDEX].mean(dim=1) + 0.05) - self.energy[0]) / self.energy[1]
        return torch.stack([value, torch.ones_like(value)], dim=1)

    def normalize(self, codes: Tensor) -> Tensor:
        """Codes (..., codes) with a mean of 0 and a deviation of 1."""
        return (codes - self.code_mean) / self.code_scale

    def denormalize(self, codes: Tensor) -> Tensor:
        """The codes that `normalised` has normalised."""
        return codes * self.code_scale + self.code_mean


def tempo_condition(seconds: Tensor) -> Tensor:
    """The tempo (B, 2) of bars that last so many seconds (B,): in octaves around 2 s, and 1 for being known."""
    return torch.stack([torch.log2(seconds / 2.0), torch.ones_like(seconds)], dim=1)


class _Reader(nn.Module):
    """Reads the dance of two bars: its poses, from half sixteenths to beats; and how fast it is in every sixteenth.

    There are few dances to learn from, so in training the poses are often not seen at all.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.steps = nn.Sequential(
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
        self.unseen = nn.Dropout(_UNSEEN)
        self.pace = nn.Linear(_SPEEDS * WINDOW_POSES // 2, width)
        self.gather = nn.Sequential(nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width))

    def forward(self, windows: Tensor) -> Tensor:
        speeds = windows[..., -_SPEEDS:].reshape(-1, WINDOW_POSES // 2, 2, _SPEEDS).mean(dim=2)
        seen = self.steps(windows.transpose(1, 2)) * self.unseen(torch.ones_like(windows[:, 0, :1]))
        read: Tensor = self.gather(seen + self.pace(speeds.flatten(1)))
        return read


class _Listener(nn.Module):
    """Hears two bars of music by their codes."""

    def __init__(self, config: ScoreFlowConfig) -> None:
        super().__init__()
        self.parts = (config.coder.drums, config.coder.pitched)
        self.layers = nn.Sequential(
            nn.Linear(2 * config.coder.latent_dim + 2, config.width // 2),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.width // 2, config.width // 2),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.width // 2, config.shared),
        )

    def forward(self, before: Tensor, codes: Tensor, parts: Tensor) -> Tensor:
        counts = latent_mask(parts, self.parts)
        heard: Tensor = self.layers(torch.cat([before * counts, codes * counts, parts], dim=1))
        return heard


class _Layer(nn.Module):
    """A residual layer whose norm what is known moves (Peebles and Xie 2023)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.mood = nn.Linear(width, 3 * width)
        self.inner = nn.Sequential(
            nn.Linear(width, 2 * width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )

    def forward(self, rows: Tensor, mood: Tensor) -> Tensor:
        scale, shift, gate = self.mood(mood).chunk(3, dim=-1)
        made: Tensor = rows + gate * self.inner(torch.addcmul(shift, self.norm(rows), 1 + scale))
        return made


def latent_mask(parts: Tensor, sizes: tuple[int, int]) -> Tensor:
    """(B, codes): for each number of a code whether its part is there; parts: (B, 2)."""
    return parts.repeat_interleave(torch.tensor(sizes, device=parts.device), dim=1)


def _waves(t: Tensor) -> Tensor:
    speeds = torch.exp(torch.linspace(0.0, 5.0, _WAVES)).to(t)
    angles = t[:, None] * speeds
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def save(path: Path, network: ScoreFlow) -> None:
    """Write the weights, as halves, whole or not at all."""
    halves = {name: tensor.half() for name, tensor in network.state_dict().items()}
    save_weights(path, NAME, asdict(network.config), halves)


def config_from_dict(shape: dict[str, Any]) -> ScoreFlowConfig:
    """The shape that `asdict` made a dictionary of."""
    return ScoreFlowConfig(**{**shape, "coder": BarVAEConfig(**shape.get("coder", {}))})


def load(path: Path) -> ScoreFlow:
    """Read the weights, ready to compose. Raises ValueError for those of another model."""
    shape, tensors = read_weights(path, NAME)
    network = ScoreFlow(config_from_dict(shape))
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return network.eval()
