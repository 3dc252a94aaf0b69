"""duet-vae's network: three sequence VAEs and two causal transformer decoders that predict both dancers' next frames.

After Wang, Zerkowski, Vidrin and Pettee, "Dyads: Artist-Centric, AI-Generated Dance Duets" (2025), with its errors
corrected:

* time is the sequence axis: attention runs over it, positional encodings index it, convolution outputs are transposed
  to it;
* everything is causal. A causal mask on the decoder's self-attention alone is not enough: |one - two| one frame later
  and the other dancer's pose give the answer away through the cross-attention, so the encoders, the convolutions and
  the memory are masked too. Training is teacher-forced on whole windows, each frame conditioned as in a rollout;
* one normalization, from the training set, for inputs and targets of both dancers (`PoseNormalizer`);
* a frame is predicted as the change from the one before (`predict_change`), so that the baseline of standing still is
  the starting point.

    network = DuetVAE(DuetVaeConfig())
    out = network(one, two)          # each (B, T, 87), normalized; out.one and out.two are one frame later
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from backend.models.common.exported_function import ExportedFunction
from backend.models.common.vae import GaussianPosterior
from backend.models.common.weights_file import open_weights, save_weights
from backend.models.duet_vae.trained import NAME, WEIGHTS_PREFIX, DuetStatistics


@dataclass(frozen=True)
class DuetVaeConfig:
    """Hyperparameters of the network.

    joints: of a pose.  window: context length in frames.  width: embedding size of attention.  latent: latent size of
    each VAE, per frame.  units: hidden size of each LSTM.  heads, layers: of each transformer decoder.
    predict_change: add the last frame to the output (residual prediction).
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
        """Numbers per pose."""
        return self.joints * 3


class DuetOutput(NamedTuple):
    """The network's output for a window.

    one, two: (B, T, 87), each dancer's predicted next frames.
    reconstructed_one, reconstructed_two: (B, T, 87), VAE 1's and VAE 2's reconstructions of their dancer.
    posteriors: of VAE 1, VAE 2 and the duet VAE, each (B, T, latent).
    """

    one: Tensor
    two: Tensor
    reconstructed_one: Tensor
    reconstructed_two: Tensor
    posteriors: tuple[GaussianPosterior, GaussianPosterior, GaussianPosterior]


def sinusoidal_positions(frames: int, width: int) -> Tensor:
    """Sinusoidal positional encoding (frames, width), after Vaswani et al. 2017, section 3.5."""
    frame = torch.arange(frames)[:, None]
    frequency = torch.exp(torch.arange(0, width, 2) * (-torch.log(torch.tensor(10000.0)) / width))
    return torch.stack([torch.sin(frame * frequency), torch.cos(frame * frequency)], dim=-1).reshape(frames, width)


def causal_mask(frames: int, device: torch.device) -> Tensor:
    """Causal attention mask (frames, frames), true where attention is forbidden: at later frames."""
    return torch.ones(frames, frames, dtype=torch.bool, device=device).triu(1)


class SequenceEncoder(nn.Module):
    """VAE encoder: embedding, positions, causal self-attention, 2-layer LSTM, mean and log-variance of each frame."""

    positions: Tensor

    def __init__(self, config: DuetVaeConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(config.coordinates, config.width)
        self.register_buffer("positions", sinusoidal_positions(config.window, config.width), persistent=False)
        self.attention = nn.MultiheadAttention(config.width, config.heads, batch_first=True)
        self.lstm = nn.LSTM(config.width, config.units, num_layers=2, batch_first=True)
        self.mean = nn.Linear(config.units, config.latent)
        self.log_variance = nn.Linear(config.units, config.latent)

    def forward(self, poses: Tensor) -> GaussianPosterior:
        """Encode poses (B, T, 87)."""
        frames = poses.shape[1]
        x = self.linear(poses) + self.positions[:frames]
        attended, _ = self.attention(x, x, x, attn_mask=causal_mask(frames, x.device), need_weights=False)
        hidden, _ = self.lstm(x + attended)
        return GaussianPosterior(self.mean(hidden), self.log_variance(hidden).clamp(-10.0, 10.0))


class SequenceDecoder(nn.Module):
    """VAE decoder: linear layer, LSTM, causal 1-D convolution over a frame and the two before it."""

    KERNEL = 3

    def __init__(self, config: DuetVaeConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(config.latent, config.width)
        self.lstm = nn.LSTM(config.width, config.units, batch_first=True)
        self.convolution = nn.Conv1d(config.units, config.coordinates, self.KERNEL)

    def forward(self, latents: Tensor) -> Tensor:
        """Decode latents (B, T, latent) to poses (B, T, 87)."""
        hidden, _ = self.lstm(self.linear(latents))
        channels_first = nn.functional.pad(hidden.transpose(1, 2), (self.KERNEL - 1, 0))
        return self.convolution(channels_first).transpose(1, 2)


class SequenceVAE(nn.Module):
    """VAE of pose sequences."""

    def __init__(self, config: DuetVaeConfig) -> None:
        super().__init__()
        self.encoder = SequenceEncoder(config)
        self.decoder = SequenceDecoder(config)

    def forward(self, poses: Tensor, noise: Tensor | None) -> tuple[Tensor, GaussianPosterior]:
        """Reconstruct poses (B, T, 87) from a posterior sample, or without noise (B, T, latent) from its mean."""
        posterior: GaussianPosterior = self.encoder(poses)
        return self.decoder(posterior.mean if noise is None else posterior.sample(noise)), posterior


class NextFrameDecoder(nn.Module):
    """Causal transformer decoder that predicts a dancer's next frames, with cross-attention to a memory sequence."""

    positions: Tensor

    def __init__(self, config: DuetVaeConfig) -> None:
        super().__init__()
        self.predict_change = config.predict_change
        self.target = nn.Linear(config.coordinates, config.width)
        self.memory = nn.Linear(config.coordinates, config.width)
        self.register_buffer("positions", sinusoidal_positions(config.window, config.width), persistent=False)
        layer = nn.TransformerDecoderLayer(
            config.width, config.heads, 4 * config.width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.decoder = nn.TransformerDecoder(layer, config.layers, norm=nn.LayerNorm(config.width))
        self.out = nn.Linear(config.width, config.coordinates)

    def forward(self, dancer: Tensor, memory: Tensor) -> Tensor:
        """Predict the dancer (B, T, 87) one frame later from its window and the memory, each (B, T, 87)."""
        frames = dancer.shape[1]
        mask = causal_mask(frames, dancer.device)
        x = self.decoder(
            self.target(dancer) + self.positions[:frames],
            self.memory(memory) + self.positions[:frames],
            tgt_mask=mask,
            memory_mask=mask,
            tgt_is_causal=True,  # otherwise torch compares the mask, which cannot be exported
        )
        output: Tensor = self.out(x)
        return dancer + output if self.predict_change else output


class DuetVAE(nn.Module):
    """The whole network: a VAE for each dancer, one for their difference, and a next-frame decoder for each dancer."""

    def __init__(self, config: DuetVaeConfig) -> None:
        super().__init__()
        self.config = config
        self.vae_one = SequenceVAE(config)
        self.vae_two = SequenceVAE(config)
        self.vae_duet = SequenceVAE(config)
        self.next_one = NextFrameDecoder(config)
        self.next_two = NextFrameDecoder(config)

    def sample_noise(self, one: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal noise for the three VAEs over a window: (3, B, T, latent)."""
        shape = (3, *one.shape[:2], self.config.latent)
        return torch.randn(shape, generator=generator, device=one.device)

    def forward(self, one: Tensor, two: Tensor, noise: Tensor | None = None) -> DuetOutput:
        """Predict both dancers' next frames.

        one, two: (B, T, 87) normalized, T at most the window.  noise: of `sample_noise`; None takes posterior means.
        """
        noise_one, noise_two, noise_duet = (None, None, None) if noise is None else noise
        reconstructed_one, posterior_one = self.vae_one(one, noise_one)
        reconstructed_two, posterior_two = self.vae_two(two, noise_two)
        difference, posterior_duet = self.vae_duet((one - two).abs(), noise_duet)
        return DuetOutput(
            one=self.next_one(one, reconstructed_two + difference),
            two=self.next_two(two, reconstructed_one + difference),
            reconstructed_one=reconstructed_one,
            reconstructed_two=reconstructed_two,
            posteriors=(posterior_one, posterior_two, posterior_duet),
        )

    @property
    def window(self) -> int:
        """Context length in frames."""
        return self.config.window

    @torch.no_grad()
    def predict_next_frame(self, one: Tensor, two: Tensor, dancer: int, noise: Tensor | None = None) -> Tensor:
        """Predict the frame (B, 87) after the window for `dancer` 1 or 2: as `forward`, without the other dancer's."""
        return self.predict_next_frames(one, two, dancer, noise)[:, -1]

    def predict_next_frames(self, one: Tensor, two: Tensor, dancer: int, noise: Tensor | None = None) -> Tensor:
        """Predict the frame after each of the window's (B, T, 87) for `dancer` 1 or 2."""
        noise_one, noise_two, noise_duet = (None, None, None) if noise is None else noise
        difference, _ = self.vae_duet((one - two).abs(), noise_duet)
        if dancer == 1:
            reconstructed, _ = self.vae_two(two, noise_two)
            predicted: Tensor = self.next_one(one, reconstructed + difference)
        else:
            reconstructed, _ = self.vae_one(one, noise_one)
            predicted = self.next_two(two, reconstructed + difference)
        return predicted


def config_of(network: DuetVAE) -> dict[str, Any]:
    """The shape of a network, as in its weight file."""
    return asdict(network.config)


def exported_functions(network: DuetVAE) -> dict[str, ExportedFunction]:
    """What inference without torch calls: the next frames of either dancer, from whole windows."""
    config, batch = network.config, 2
    inputs = {
        "one": torch.randn(batch, config.window, config.coordinates),
        "two": torch.randn(batch, config.window, config.coordinates),
        "noise": torch.randn(3, batch, config.window, config.latent),
    }

    def predict_one(one: Tensor, two: Tensor, noise: Tensor) -> Tensor:
        return network.predict_next_frames(one, two, 1, noise)

    def predict_two(one: Tensor, two: Tensor, noise: Tensor) -> Tensor:
        return network.predict_next_frames(one, two, 2, noise)

    return {
        "predict_one": ExportedFunction(predict_one, inputs, ("next_frames",), {"noise": {1: "batch"}}),
        "predict_two": ExportedFunction(predict_two, inputs, ("next_frames",), {"noise": {1: "batch"}}),
    }


def save(path: Path, network: DuetVAE, statistics: DuetStatistics) -> None:
    """Write the weight file, whole or not at all."""
    tensors = {f"{WEIGHTS_PREFIX}{name}": tensor.numpy() for name, tensor in network.state_dict().items()}
    save_weights(path, NAME, config_of(network), {**tensors, **statistics.to_tensors()})


def load(path: Path) -> DuetVAE:
    """Read a network from a weight file, in eval mode. Raises ValueError for another file."""
    with open_weights(path, NAME) as (config, tensors):
        network = DuetVAE(DuetVaeConfig(**config))
        network.load_state_dict(
            {
                name.removeprefix(WEIGHTS_PREFIX): torch.from_numpy(values)
                for name, values in tensors.items()
                if name.startswith(WEIGHTS_PREFIX)
            }
        )
    return network.eval()
