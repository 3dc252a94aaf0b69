"""duet-vae's validation: rollout errors at several horizons, beside the zero-velocity and mean-pose baselines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backend.models.duet_vae.network import DuetVAE
from backend.models.duet_vae.pose_space import PosePCA, pair_frame
from backend.models.duet_vae.rollout import rollout
from backend.models.duet_vae.trained import DuetStatistics
from rigs.contacts import floor_height
from rigs.files import BadFile
from training.data.duets import Duet, DuetSplit
from training.experiment.model_card import markdown_table

HORIZONS = (1, 10, 30, 60)
"""Frames after the history at which a rollout is compared with the truth, at 30 fps."""


@dataclass(frozen=True)
class RolloutWindows:
    """Windows of real duets to roll out over.

    pairs: (N, 2, history + horizon, 29, 3) m.  history: given frames of each.
    bodies: (N, 2, 29, 3) m, the dancers' bone offsets.  floors: (N, 2) m, the heights at which their feet rest.
    """

    pairs: Tensor
    history: int
    bodies: Tensor
    floors: Tensor

    @classmethod
    def of(cls, duets: Sequence[Duet], history: int, horizon: int, every: int) -> "RolloutWindows":
        """One window every so many frames of each duet. Raises BadFile where no duet is long enough for one."""
        length = history + horizon
        pairs, bodies, floors = [], [], []
        for duet in duets:
            positions = duet.positions()
            offsets = np.stack([duet.leader.skeleton.offsets, duet.follower.skeleton.offsets])
            for first in range(0, len(duet) - length + 1, every):
                pairs.append(positions[:, first : first + length])
                bodies.append(offsets)
                floors.append([floor_height(dancer) for dancer in positions])
        if not pairs:
            names = ", ".join(sorted({duet.name for duet in duets}))
            raise BadFile(f"{names}: {length} frames at 30 fps without a jump expected, fewer found")
        return cls(_tensor(pairs), history, _tensor(bodies), _tensor(floors))

    def other_dancer(self, dancer: int) -> Tensor:
        """The other dancer of `dancer` 1 or 2 over the whole window: (N, T, 29, 3) m."""
        return self.pairs[:, 2 - dancer]

    def history_of(self, dancer: int) -> Tensor:
        """The history of `dancer`: (N, history, 29, 3) m."""
        return self.pairs[:, dancer - 1, : self.history]

    def errors(self, generated: Tensor, dancer: int = 2) -> Tensor:
        """Mean joint position error in m of `generated` (N, T, 29, 3), by frame after the history: (horizon,)."""
        distance = torch.linalg.vector_norm(generated - self.pairs[:, dancer - 1], dim=-1)
        return distance[:, self.history :].mean(dim=(0, 2))


def _tensor(rows: list[Any]) -> Tensor:
    return torch.from_numpy(np.array(rows)).float()


def zero_velocity(windows: RolloutWindows, dancer: int = 2) -> Tensor:
    """Zero-velocity baseline: the dancer holds the history's last pose: (N, T, 29, 3) m."""
    history = windows.history_of(dancer)
    standing = history[:, -1:].expand(-1, windows.pairs.shape[2] - windows.history, -1, -1)
    return torch.cat([history, standing], dim=1)


def rollout_windows(network: DuetVAE, statistics: DuetStatistics, windows: RolloutWindows, dancer: int = 2) -> Tensor:
    """The model's rollout over each window from its history, without sampling: (N, T, 29, 3) m."""
    device = next(network.parameters()).device
    generated: Tensor = rollout(
        network,
        statistics.normalizer,
        windows.other_dancer(dancer).to(device),
        windows.history_of(dancer).to(device),
        dancer,
        body=windows.bodies[:, dancer - 1].to(device),
        pca=PosePCA(*(torch.from_numpy(part).to(device) for part in statistics.pose_pcas[dancer - 1])),
        floor=windows.floors[:, dancer - 1].to(device),
    )
    return generated.cpu()


def mean_pose(windows: RolloutWindows, train: Sequence[Duet], dancer: int = 2) -> Tensor:
    """Mean-pose baseline: the dancer's mean pose in the pair frame at the history's end: (N, T, 29, 3) m."""
    poses = torch.cat([torch.from_numpy(duet.positions()).float().transpose(0, 1) for duet in train])
    mean = pair_frame(poses[:, :1]).to_local(poses[:, dancer - 1, None]).mean(0)
    frame = pair_frame(windows.pairs[:, 0, windows.history - 1 :])
    world: Tensor = frame.to_world(mean[None].expand(len(windows.pairs), windows.pairs.shape[2], -1, -1))
    return world


def horizon_table(network: DuetVAE, statistics: DuetStatistics, split: DuetSplit) -> str:
    """Rollout errors on the test recordings in centimetres, of the model and the baselines, as a Markdown table."""
    windows = RolloutWindows.of(split.test, network.config.window, HORIZONS[-1], every=5)
    errors = {
        "model": windows.errors(rollout_windows(network, statistics, windows)),
        "zero velocity": windows.errors(zero_velocity(windows)),
        "mean pose": windows.errors(mean_pose(windows, split.train)),
    }
    rows = [[name, *(f"{100 * curve[h - 1]:.1f}" for h in HORIZONS)] for name, curve in errors.items()]
    return markdown_table([["frames", *map(str, HORIZONS)], *rows])
