"""A trained duet model as a file: the network, its normalisation, two bodies and poses to start from."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from backend.models.common.weights_file import read_weights, save_weights
from backend.models.duet_vae.network import NAME, DuetConfig, DuetVAE, Normalisation
from backend.models.duet_vae.rollout import Poses


@dataclass(frozen=True)
class TrainedDuet:
    """All that a rollout needs.

    bodies: (2, 29, 3) m, the rest offsets of the leader and the follower trained on.
    floors: (2,) m, the heights at which their lower foot rests.
    poses: what the leader's and the follower's poses span.
    starts: (N, 2, 29, 3) m, poses of pairs that face each other, each in its pair's frame.
    """

    network: DuetVAE
    normalisation: Normalisation
    bodies: Tensor
    floors: Tensor
    poses: tuple[Poses, Poses]
    starts: Tensor


def save(path: Path, trained: TrainedDuet) -> None:
    """Write the file, whole or not at all."""
    tensors = {f"network.{name}": tensor for name, tensor in trained.network.state_dict().items()}
    tensors |= {f"normalisation.{name}": tensor for name, tensor in trained.normalisation.state_dict().items()}
    tensors |= {"bodies": trained.bodies, "floors": trained.floors, "starts": trained.starts}
    for name, tensor in zip(Poses._fields, map(torch.stack, zip(*trained.poses, strict=True)), strict=True):
        tensors[f"poses.{name}"] = tensor
    save_weights(path, NAME, asdict(trained.network.config), tensors)


def load(path: Path) -> TrainedDuet:
    """Read the file, ready to roll out."""
    config, tensors = read_weights(path, NAME)
    network = DuetVAE(DuetConfig(**config))
    network.load_state_dict(_under("network.", tensors))
    normalisation = Normalisation(tensors["normalisation.mean"], tensors["normalisation.deviation"])
    poses = tuple(Poses(*(tensors[f"poses.{name}"][dancer] for name in Poses._fields)) for dancer in (0, 1))
    return TrainedDuet(
        network.eval(), normalisation, tensors["bodies"], tensors["floors"], (poses[0], poses[1]), tensors["starts"]
    )


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
