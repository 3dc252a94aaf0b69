"""The duet model: three VAEs and two transformer decoders that give either dancer from the other.

After Wang, Zerkowski, Vidrin and Pettee, "Dyads: Artist-Centric, AI-Generated Dance Duets" (2025), as it was meant:

* time is an axis of its own: attention runs over it, positions index it, convolution outputs are transposed to it;
* nothing looks ahead. A causal mask on the target decoder alone is not enough: |one - two| one frame later and the
  other dancer's place give the answer away through the memory, so the encoders, the convolutions and the memory are
  causal too, and every frame of a training window is asked what a rollout asks of its last;
* one normalisation, from the training set, for inputs and targets of both dancers (`Normalisation`);
* a frame is told as its change from the one before (`predict_change`), so that standing still is the least it can do.

    network = DuetVAE(DuetConfig())
    out = network(one, two)          # each (B, T, 87), normalised; out.one and out.two are one frame later
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

NAME = "duet-vae"
FPS = 30.0


@dataclass(frozen=True)
class DuetConfig:
    """The sizes of the network.

    joints: joints of a pose.  window: frames seen at once.  width: of attention.  latent: of each VAE, a frame.
    units: of each LSTM.  layers: of each transformer decoder.  predict_change: add the last frame to the output.
    """

    joints: int = 29
    window: int = 64
    width: int = 64
    latent: int = 64
    units: int = 64
    heads: int = 8
    layers: int = 2
    predict_change: bool = True

    @property
    def coordinates(self) -> int:
        return self.joints * 3


class Latent(NamedTuple):
    """A VAE's posterior: mean and log-variance, each (B, T, latent)."""

    mean: Tensor
    log_variance: Tensor


class DuetOutput(NamedTuple):
    """What the network says of a window.

    one, two: (B, T, 87), each dancer one frame later.
    rebuilt_one, rebuilt_two: (B, T, 87), what VAE 1 and VAE 2 make of their own dancer.
    latents: the posteriors of VAE 1, VAE 2 and the duet VAE.
    """

    one: Tensor
    two: Tensor
    rebuilt_one: Tensor
    rebuilt_two: Tensor
    latents: tuple[Latent, Latent, Latent]


def sinusoids(frames: int, width: int) -> Tensor:
    """Positions in time (frames, width), after Vaswani et al. 2017, section 3.5."""
    at = torch.arange(frames)[:, None]
    rate = torch.exp(torch.arange(0, width, 2) * (-torch.log(torch.tensor(10000.0)) / width))
    return torch.stack([torch.sin(at * rate), torch.cos(at * rate)], dim=-1).reshape(frames, width)


def no_look_ahead(frames: int, device: torch.device) -> Tensor:
    """A mask (frames, frames), true where a frame may not look: at those after it."""
    return torch.ones(frames, frames, dtype=torch.bool, device=device).triu(1)


class Encoder(nn.Module):
    """Poses to a posterior: linear, positions, self-attention over time, 2-layer LSTM, mean and log-variance."""

    positions: Tensor

    def __init__(self, config: DuetConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(config.coordinates, config.width)
        self.register_buffer("positions", sinusoids(config.window, config.width), persistent=False)
        self.attention = nn.MultiheadAttention(config.width, config.heads, batch_first=True)
        self.lstm = nn.LSTM(config.width, config.units, num_layers=2, batch_first=True)
        self.mean = nn.Linear(config.units, config.latent)
        self.log_variance = nn.Linear(config.units, config.latent)

    def forward(self, poses: Tensor) -> Latent:
        """poses: (B, T, 87)."""
        frames = poses.shape[1]
        x = self.linear(poses) + self.positions[:frames]
        attended, _ = self.attention(x, x, x, attn_mask=no_look_ahead(frames, x.device), need_weights=False)
        hidden, _ = self.lstm(x + attended)
        return Latent(self.mean(hidden), self.log_variance(hidden).clamp(-10.0, 10.0))


class Decoder(nn.Module):
    """A latent sequence to poses: linear, LSTM, 1-D convolution over this frame and the two before."""

    KERNEL = 3

    def __init__(self, config: DuetConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(config.latent, config.width)
        self.lstm = nn.LSTM(config.width, config.units, batch_first=True)
        self.convolution = nn.Conv1d(config.units, config.coordinates, self.KERNEL)

    def forward(self, latent: Tensor) -> Tensor:
        """latent: (B, T, latent).  Returns (B, T, 87)."""
        hidden, _ = self.lstm(self.linear(latent))
        channels_first = nn.functional.pad(hidden.transpose(1, 2), (self.KERNEL - 1, 0))
        return self.convolution(channels_first).transpose(1, 2)


class VAE(nn.Module):
    """One encoder and one decoder."""

    def __init__(self, config: DuetConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    def forward(self, poses: Tensor, noise: Tensor | None) -> tuple[Tensor, Latent]:
        """poses: (B, T, 87).  noise: (B, T, latent) standard normal; without it the mean is decoded."""
        latent = self.encoder(poses)
        z = latent.mean
        if noise is not None:
            z = z + noise * torch.exp(0.5 * latent.log_variance)
        return self.decoder(z), latent


class NextFrame(nn.Module):
    """A transformer decoder from one dancer's window and a memory to that dancer's window one frame later."""

    positions: Tensor

    def __init__(self, config: DuetConfig) -> None:
        super().__init__()
        self.predict_change = config.predict_change
        self.target = nn.Linear(config.coordinates, config.width)
        self.memory = nn.Linear(config.coordinates, config.width)
        self.register_buffer("positions", sinusoids(config.window, config.width), persistent=False)
        layer = nn.TransformerDecoderLayer(
            config.width, config.heads, 4 * config.width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.decoder = nn.TransformerDecoder(layer, config.layers, norm=nn.LayerNorm(config.width))
        self.out = nn.Linear(config.width, config.coordinates)

    def forward(self, dancer: Tensor, memory: Tensor) -> Tensor:
        """dancer and memory: (B, T, 87).  Returns (B, T, 87)."""
        frames = dancer.shape[1]
        mask = no_look_ahead(frames, dancer.device)
        x = self.decoder(
            self.target(dancer) + self.positions[:frames],
            self.memory(memory) + self.positions[:frames],
            tgt_mask=mask,
            memory_mask=mask,
        )
        told: Tensor = self.out(x)
        return dancer + told if self.predict_change else told


class DuetVAE(nn.Module):
    """The whole network."""

    def __init__(self, config: DuetConfig) -> None:
        super().__init__()
        self.config = config
        self.vae_one = VAE(config)
        self.vae_two = VAE(config)
        self.vae_duet = VAE(config)
        self.next_one = NextFrame(config)
        self.next_two = NextFrame(config)

    def noise(self, one: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal noise for the three VAEs over a window: (3, B, T, latent)."""
        shape = (3, *one.shape[:2], self.config.latent)
        return torch.randn(shape, generator=generator, device=one.device)

    def forward(self, one: Tensor, two: Tensor, noise: Tensor | None = None) -> DuetOutput:
        """one, two: (B, T, 87) normalised, T at most the window.  noise: as `noise` gives it; none takes the means."""
        of_one, of_two, of_duet = (None, None, None) if noise is None else noise
        rebuilt_one, latent_one = self.vae_one(one, of_one)
        rebuilt_two, latent_two = self.vae_two(two, of_two)
        between, latent_duet = self.vae_duet((one - two).abs(), of_duet)
        return DuetOutput(
            one=self.next_one(one, rebuilt_two + between),
            two=self.next_two(two, rebuilt_one + between),
            rebuilt_one=rebuilt_one,
            rebuilt_two=rebuilt_two,
            latents=(latent_one, latent_two, latent_duet),
        )

    def next_frame(self, one: Tensor, two: Tensor, dancer: int, noise: Tensor | None = None) -> Tensor:
        """The frame (B, 87) that follows the window for `dancer` 1 or 2: what `forward` says, without the rest."""
        of_one, of_two, of_duet = (None, None, None) if noise is None else noise
        between, _ = self.vae_duet((one - two).abs(), of_duet)
        if dancer == 1:
            rebuilt, _ = self.vae_two(two, of_two)
            return self.next_one(one, rebuilt + between)[:, -1]
        rebuilt, _ = self.vae_one(one, of_one)
        return self.next_two(two, rebuilt + between)[:, -1]


class Normalisation(nn.Module):
    """The training set's mean and spread (87,) of placed poses, one pair of them for every input and target."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    def into(self, positions: Tensor) -> Tensor:
        """(..., 29, 3) m to (..., 87)."""
        return (positions.flatten(-2) - self.mean) / self.deviation

    def out_of(self, poses: Tensor) -> Tensor:
        """(..., 87) to (..., 29, 3) m."""
        metres = poses * self.deviation + self.mean
        return metres.reshape(*metres.shape[:-1], -1, 3)


class Placement(NamedTuple):
    """The frame of the pair: dancer one's place (B, 2) m on the floor and heading (B,) in a window's first frame."""

    origin: Tensor
    heading: Tensor

    def into(self, positions: Tensor) -> Tensor:
        """World positions (B, T, 29, 3) as seen from this frame."""
        origin = nn.functional.pad(self.origin, (0, 1))[:, None, None]
        return _turn(positions - origin, -self.heading)

    def out_of(self, positions: Tensor) -> Tensor:
        """Positions (B, T, 29, 3) of this frame in the world."""
        origin = nn.functional.pad(self.origin, (0, 1))[:, None, None]
        return _turn(positions, self.heading) + origin


def place(one: Tensor, hips: tuple[int, int]) -> Placement:
    """The frame that dancer one (B, T, 29, 3) stands in at first: both dancers are turned and moved into it as one.

    hips: the indices of the left and the right hip.
    """
    first = one[:, 0]
    across = first[:, hips[0]] - first[:, hips[1]]
    return Placement(first[:, 0, :2], torch.atan2(across[:, 1], across[:, 0]))


def _turn(positions: Tensor, angle: Tensor) -> Tensor:
    """Turn (B, T, 29, 3) about the vertical by (B,)."""
    cosine, sine = (f(angle)[:, None, None] for f in (torch.cos, torch.sin))
    x, y, z = positions.unbind(-1)
    return torch.stack([cosine * x - sine * y, sine * x + cosine * y, z], dim=-1)
