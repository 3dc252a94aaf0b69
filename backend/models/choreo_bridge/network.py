"""The choreographic bridge: three kinds of VAE that translate two bars of music into two bars of dance, and back.

As published: a VAE of MIDI windows and a VAE of pose windows (linear layers of 512, 256 and 128, a latent of 128, TanH
out), and between their latents a bridging VAE (256, 128, a latent of 32) with an encoder and a decoder for each side.
What comes of either side's encoder can be decoded by the other's, which is how one is translated into the other.

Where the paper says nothing we took: ReLU between the layers; no TanH between latents, which have no bounds; means
instead of samples wherever nothing is trained. Poses are metres from the pelvis, turned as the dancer is in the world,
as pose extraction from a camera gives them, and TanH is stretched to as far as a hand can be from the pelvis.

    network = ChoreoBridge(BridgeConfig())
    poses = network.translate(rolls, "music", "dance")      # (B, 32, 128) to (B, 32, 29, 3)
"""

from dataclasses import asdict, dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from backend.models.common.weights_file import read_weights, save_weights
from backend.models.duet_vae.network import Latent
from backend.music.piano_roll import WINDOW_STEPS
from backend.music.score import PITCHES

NAME = "choreo-bridge"
SIDES: tuple["Side", "Side"] = ("music", "dance")
Side = Literal["music", "dance"]
NOTE_ON = 0.25
"""How loud a row is, of 1, from which a note is played."""
REACH = 1.25
"""m: farther from the pelvis than any joint of an adult."""


@dataclass(frozen=True)
class BridgeConfig:
    """The sizes of the network.

    joints: of a pose, 29 or BlazePose's 33.  latent: of the VAEs of music and of dance.  bridge: of the one between.
    """

    joints: int = 29
    latent: int = 128
    bridge: int = 32


class VAE(nn.Module):
    """Linear layers from a window to a posterior, and from a latent to a window.

    shape: of what it rebuilds.  widths: of its layers, from the outside to the inside.
    bound: the largest number it can give, by TanH; without one it gives any.
    """

    def __init__(self, shape: tuple[int, ...], widths: tuple[int, ...], latent: int, bound: float | None) -> None:
        super().__init__()
        self.shape, self.bound = shape, bound
        sizes = (prod(shape), *widths)
        self.encoder = nn.Sequential(*_layers(sizes))
        self.mean = nn.Linear(sizes[-1], latent)
        self.log_variance = nn.Linear(sizes[-1], latent)
        self.decoder = nn.Sequential(*_layers((latent, *sizes[:0:-1])), nn.Linear(sizes[1], sizes[0]))

    def encode(self, windows: Tensor) -> Latent:
        """windows: (B, *shape).  Mean and log-variance, each (B, latent)."""
        rows = windows.flatten(1)
        hidden = self.encoder(rows if self.bound is None else rows / self.bound)
        return Latent(self.mean(hidden), self.log_variance(hidden).clamp(-10.0, 10.0))

    def decode(self, z: Tensor) -> Tensor:
        """z: (B, latent).  Returns (B, *shape)."""
        rows: Tensor = self.decoder(z)
        rows = rows if self.bound is None else self.bound * torch.tanh(rows)
        return rows.reshape(-1, *self.shape)


class ChoreoBridge(nn.Module):
    """The whole network: for each side a VAE of its windows, and that side of the bridge between their latents."""

    def __init__(self, config: BridgeConfig) -> None:
        super().__init__()
        self.config = config
        outer, inner = (512, 256, 128), (256, 128)
        shapes = {"music": (WINDOW_STEPS, PITCHES), "dance": (WINDOW_STEPS, config.joints, 3)}
        bounds = {"music": 1.0, "dance": REACH}
        self.vaes = nn.ModuleDict({side: VAE(shapes[side], outer, config.latent, bounds[side]) for side in SIDES})
        self.bridges = nn.ModuleDict({side: VAE((config.latent,), inner, config.bridge, None) for side in SIDES})

    def vae(self, side: Side) -> VAE:
        """The VAE of a side's windows."""
        found = self.vaes[side]
        assert isinstance(found, VAE)
        return found

    def bridge(self, side: Side) -> VAE:
        """That side of the bridging VAE."""
        found = self.bridges[side]
        assert isinstance(found, VAE)
        return found

    def rebuild(self, windows: Tensor, side: Side) -> Tensor:
        """What a side's own VAE makes of its windows, each (B, 32, 128) or (B, 32, joints, 3) m, without the bridge."""
        vae = self.vae(side)
        return vae.decode(vae.encode(windows).mean)

    def translate(self, windows: Tensor, source: Side, target: Side) -> Tensor:
        """Windows of one side as windows of the other, or of the same, by way of the bridge."""
        crossing = self.bridge(source).encode(self.vae(source).encode(windows).mean).mean
        return self.vae(target).decode(self.bridge(target).decode(crossing))


def _layers(sizes: tuple[int, ...]) -> list[nn.Module]:
    return [layer for before, after in pairwise(sizes) for layer in (nn.Linear(before, after), nn.ReLU())]


@dataclass(frozen=True)
class TrainedBridge:
    """A network and the bones (29, 3) m of the mean dancer it was trained on."""

    network: ChoreoBridge
    body: Tensor


def save(path: Path, trained: TrainedBridge) -> None:
    """Write the file, the network in half precision, whole or not at all."""
    tensors = {f"network.{name}": tensor.half() for name, tensor in trained.network.state_dict().items()}
    save_weights(path, NAME, asdict(trained.network.config), {**tensors, "body": trained.body})


def load(path: Path) -> TrainedBridge:
    """Read the file, ready to translate."""
    config, tensors = read_weights(path, NAME)
    network = ChoreoBridge(BridgeConfig(**config))
    body = tensors.pop("body")
    network.load_state_dict({name.removeprefix("network."): tensor.float() for name, tensor in tensors.items()})
    return TrainedBridge(network.eval(), body)
