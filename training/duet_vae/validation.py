"""How far the duet model's rollout is from the truth, for its training and its card; `training.judge` measures more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backend.models.duet_vae.checkpoint import TrainedDuet
from backend.models.duet_vae.network import place
from backend.models.duet_vae.rollout import HIPS, Poses, rollout
from rigs.contacts import floor_height
from rigs.files import BadFile
from training.data.duets import Duet, DuetSplit

HORIZONS = (1, 10, 30, 60)
"""Frames after the history at which a rollout is compared with the truth, at 30 fps."""


@dataclass(frozen=True)
class Starts:
    """Stretches of real duets to roll out over.

    pairs: (N, 2, history + horizon, 29, 3) m.  history: frames of each that are given.
    bodies: (N, 2, 29, 3) m, the dancers' rest offsets.  floors: (N, 2) m, the heights at which their feet rest.
    """

    pairs: Tensor
    history: int
    bodies: Tensor
    floors: Tensor

    @classmethod
    def of(cls, duets: Sequence[Duet], history: int, horizon: int, every: int) -> "Starts":
        """One stretch every so many frames of each duet. Raises BadFile where no duet is long enough for one."""
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

    def known(self, dancer: int) -> Tensor:
        """The other dancer of `dancer` 1 or 2 over the whole stretch: (N, T, 29, 3) m."""
        return self.pairs[:, 2 - dancer]

    def given(self, dancer: int) -> Tensor:
        """The history of `dancer`: (N, history, 29, 3) m."""
        return self.pairs[:, dancer - 1, : self.history]

    def errors(self, made: Tensor, dancer: int = 2) -> Tensor:
        """Mean joint distance in m of `made` (N, T, 29, 3) from the truth, a frame after the history: (horizon,)."""
        distance = torch.linalg.vector_norm(made - self.pairs[:, dancer - 1], dim=-1)
        return distance[:, self.history :].mean(dim=(0, 2))


def _tensor(rows: list[Any]) -> Tensor:
    return torch.from_numpy(np.array(rows)).float()


def zero_velocity(starts: Starts, dancer: int = 2) -> Tensor:
    """The dancer stays as the history left it: (N, T, 29, 3) m."""
    given = starts.given(dancer)
    stay = given[:, -1:].expand(-1, starts.pairs.shape[2] - starts.history, -1, -1)
    return torch.cat([given, stay], dim=1)


def rolled_out(trained: TrainedDuet, starts: Starts, dancer: int = 2) -> Tensor:
    """The model's own rollout of each stretch, nothing sampled: (N, T, 29, 3) m."""
    there = trained.normalisation.mean.device
    made = rollout(
        trained.network,
        trained.normalisation,
        starts.known(dancer).to(there),
        starts.given(dancer).to(there),
        dancer,
        body=starts.bodies[:, dancer - 1].to(there),
        poses=Poses(*(part.to(there) for part in trained.poses[dancer - 1])),
        floor=starts.floors[:, dancer - 1].to(there),
    )
    return made.cpu()


def mean_pose(starts: Starts, train: Sequence[Duet], dancer: int = 2) -> Tensor:
    """The dancer's average pose in the frame that dancer one stands in when the history ends: (N, T, 29, 3) m."""
    poses = torch.cat([torch.from_numpy(duet.positions()).float().transpose(0, 1) for duet in train])
    average = place(poses[:, :1], HIPS).into(poses[:, dancer - 1, None]).mean(0)
    there = place(starts.pairs[:, 0, starts.history - 1 :], HIPS)
    frames = starts.pairs.shape[2]
    return there.out_of(average[None].expand(len(starts.pairs), frames, -1, -1))


def error_curves(trained: TrainedDuet, split: DuetSplit, duets: list[Duet]) -> dict[str, Tensor]:
    """Mean joint error in metres at each frame after the history, (60,), of the model and of the baselines."""
    starts = Starts.of(duets, trained.network.config.window, HORIZONS[-1], every=5)
    return {
        "model": starts.errors(rolled_out(trained, starts)),
        "zero velocity": starts.errors(zero_velocity(starts)),
        "mean pose": starts.errors(mean_pose(starts, split.train)),
    }


def horizon_table(trained: TrainedDuet, split: DuetSplit) -> str:
    """The errors on the test recordings in centimetres, as the rows of a Markdown table."""
    head = "| frames | " + " | ".join(str(h) for h in HORIZONS) + " |\n| --- |" + " --- |" * len(HORIZONS)
    curves = error_curves(trained, split, split.test)
    rows = [
        f"| {name} | " + " | ".join(f"{100 * curve[h - 1]:.1f}" for h in HORIZONS) + " |"
        for name, curve in curves.items()
    ]
    return "\n".join([head, *rows])
