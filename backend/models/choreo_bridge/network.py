"""choreo-bridge's network: VAEs of two bars of music and of dance, and a bridging VAE that translates between them.

As published: an MLP VAE of MIDI windows and one of pose windows (linear layers of 512, 256 and 128, latent size 128,
tanh output), and between their latents a bridging VAE (256, 128, latent size 32) with an encoder and a decoder for each
modality. Either modality's encoder can be followed by the other's decoder, which translates the one to the other.

What the paper leaves open: ReLU between the layers; no tanh on latents, which are unbounded; posterior means instead of
samples at inference. Poses are metres from the pelvis, oriented as in the world, as camera-based pose extraction gives
them, and the tanh is scaled to the farthest that a hand can be from the pelvis.

    network = ChoreoBridge(ChoreoBridgeConfig())
    poses = network.translate(rolls, "music", "dance")      # (B, 32, 128) to (B, 32, 29, 3)
"""

from dataclasses import asdict, dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from backend.models.choreo_bridge.trained import BODY, MODALITIES, NAME, WEIGHTS_PREFIX, Modality
from backend.models.common.exported_function import ExportedFunction
from backend.models.common.vae import GaussianPosterior
from backend.models.common.weights_file import open_weights, save_weights
from backend.music.piano_roll import WINDOW_STEPS
from backend.music.score import PITCHES
from rigs import Array

MAX_REACH = 1.25
"""m: farther from the pelvis than any joint of an adult."""


@dataclass(frozen=True)
class ChoreoBridgeConfig:
    """Hyperparameters of the network.

    joints: of a pose, 29 or BlazePose's 33.  latent: latent size of the VAEs of music and of dance.  bridge: latent
    size of the bridging VAE.
    """

    joints: int = 29
    latent: int = 128
    bridge: int = 32


class MlpVAE(nn.Module):
    """VAE of multilayer perceptrons (MLPs).

    shape: of an input.  widths: of the encoder's layers; the decoder mirrors them.
    bound: the output's largest absolute value, by tanh, and the input's scale; None leaves both as they are.
    """

    def __init__(self, shape: tuple[int, ...], widths: tuple[int, ...], latent: int, bound: float | None) -> None:
        super().__init__()
        self.shape, self.bound = shape, bound
        sizes = (prod(shape), *widths)
        self.encoder = nn.Sequential(*_relu_layers(sizes))
        self.mean = nn.Linear(sizes[-1], latent)
        self.log_variance = nn.Linear(sizes[-1], latent)
        self.decoder = nn.Sequential(*_relu_layers((latent, *sizes[:0:-1])), nn.Linear(sizes[1], sizes[0]))

    def encode(self, windows: Tensor) -> GaussianPosterior:
        """Encode windows (B, *shape) to the posterior of their latents (B, latent)."""
        rows = windows.flatten(1)
        hidden = self.encoder(rows if self.bound is None else rows / self.bound)
        return GaussianPosterior(self.mean(hidden), self.log_variance(hidden).clamp(-10.0, 10.0))

    def decode(self, latents: Tensor) -> Tensor:
        """Decode latents (B, latent) to windows (B, *shape)."""
        rows: Tensor = self.decoder(latents)
        rows = rows if self.bound is None else self.bound * torch.tanh(rows)
        return rows.reshape(-1, *self.shape)


class ChoreoBridge(nn.Module):
    """The whole network: for each modality a VAE of its windows and its half of the bridging VAE."""

    def __init__(self, config: ChoreoBridgeConfig) -> None:
        super().__init__()
        self.config = config
        widths, bridge_widths = (512, 256, 128), (256, 128)
        shapes = {"music": (WINDOW_STEPS, PITCHES), "dance": (WINDOW_STEPS, config.joints, 3)}
        bounds = {"music": 1.0, "dance": MAX_REACH}
        self.vaes = nn.ModuleDict(
            {modality: MlpVAE(shapes[modality], widths, config.latent, bounds[modality]) for modality in MODALITIES}
        )
        self.bridges = nn.ModuleDict(
            {modality: MlpVAE((config.latent,), bridge_widths, config.bridge, None) for modality in MODALITIES}
        )

    def vae(self, modality: Modality) -> MlpVAE:
        """The VAE of a modality's windows."""
        vae = self.vaes[modality]
        assert isinstance(vae, MlpVAE)
        return vae

    def bridge(self, modality: Modality) -> MlpVAE:
        """A modality's half of the bridging VAE."""
        bridge = self.bridges[modality]
        assert isinstance(bridge, MlpVAE)
        return bridge

    def reconstruct(self, windows: Tensor, modality: Modality) -> Tensor:
        """Reconstruct windows (B, 32, 128) or (B, 32, joints, 3) m by their modality's VAE, without the bridge."""
        vae = self.vae(modality)
        return vae.decode(vae.encode(windows).mean)

    def translate(self, windows: Tensor, source: Modality, target: Modality) -> Tensor:
        """Translate windows of one modality to the other, or to the same, by way of the bridging VAE."""
        embedding = self.bridge(source).encode(self.vae(source).encode(windows).mean).mean
        return self.vae(target).decode(self.bridge(target).decode(embedding))


def _relu_layers(sizes: tuple[int, ...]) -> list[nn.Module]:
    return [layer for before, after in pairwise(sizes) for layer in (nn.Linear(before, after), nn.ReLU())]


def config_of(network: ChoreoBridge) -> dict[str, Any]:
    """The shape of a network, as in its weight file."""
    return asdict(network.config)


def exported_functions(network: ChoreoBridge) -> dict[str, ExportedFunction]:
    """What inference without torch calls: the translations from music to dance and from dance to music."""
    windows = {modality: torch.rand(3, *network.vae(modality).shape) for modality in MODALITIES}

    def music_to_dance(music: Tensor) -> Tensor:
        return network.translate(music, "music", "dance")

    def dance_to_music(dance: Tensor) -> Tensor:
        return network.translate(dance, "dance", "music")

    return {
        "music_to_dance": ExportedFunction(music_to_dance, {"music": windows["music"]}, ("translated",)),
        "dance_to_music": ExportedFunction(dance_to_music, {"dance": windows["dance"]}, ("translated",)),
    }


def save(path: Path, network: ChoreoBridge, body: Array) -> None:
    """Write the weight file, the network in half precision, whole or not at all.

    body: (29, 3) m, the mean bone offsets of the dancers trained on.
    """
    tensors = {f"{WEIGHTS_PREFIX}{name}": tensor.half().numpy() for name, tensor in network.state_dict().items()}
    save_weights(path, NAME, config_of(network), {**tensors, BODY: np.asarray(body, np.float32)})


def load(path: Path) -> ChoreoBridge:
    """Read a network from a weight file, in eval mode. Raises ValueError for another file."""
    with open_weights(path, NAME) as (config, tensors):
        network = ChoreoBridge(ChoreoBridgeConfig(**config))
        network.load_state_dict(
            {
                name.removeprefix(WEIGHTS_PREFIX): torch.from_numpy(values)
                for name, values in tensors.items()
                if name.startswith(WEIGHTS_PREFIX)
            }
        )
    return network.eval()
