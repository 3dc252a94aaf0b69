"""partner-flow's training: the motion flow's losses, and how near the couple's joints and hands are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backend.models.motion_flow.features import floor_frame_of_joints, partner_features
from backend.models.motion_flow.network import INITIAL_PASTS
from backend.models.partner_flow.network import PartnerFlow
from rigs.skeleton import INDEX
from training.data.duets import Duet, DuetSplit, find_duets, split_duets
from training.experiment.config import read_config
from training.motion_flow.dataset import MotionFlowTrainingConfig, MotionFlowWindows, dancer_tensors
from training.motion_flow.statistics import measure_statistics, set_body
from training.motion_flow.task import MotionFlowTask, fit_motion_flow, network_config, save_best
from training.partner_flow.dataset import duet_windows
from training.partner_flow.validation import PartnerFlowValidation, horizon_table

_PAIR_JOINTS = [INDEX[name] for name in ("pelvis", "jaw", "left_wrist", "right_wrist", "left_elbow", "right_elbow",
                                         "left_knee", "right_knee", "left_foot", "right_foot")]  # fmt: skip
"""Joints whose distances to the leader's are trained."""
_WRISTS = [INDEX["left_wrist"], INDEX["right_wrist"]]
_HOLD_DISTANCE = 0.35
"""m between two wrists within which hands are held or about to be."""


@dataclass(frozen=True)
class PartnerFlowTrainingConfig(MotionFlowTrainingConfig):
    """Settings of `configs/partner-flow.toml`: those of every motion flow, and of the losses beside the leader."""

    pair: float
    hold: float
    nearness: float


class PartnerFlowTask(MotionFlowTask[PartnerFlow]):
    """Training task of partner-flow, whose leader is the other dancer's joints (B, F, 29, 3) m."""

    config: PartnerFlowTrainingConfig

    def pair_loss_terms(
        self, joints: Tensor, true_joints: Tensor, leader: Tensor, time_weight: Tensor
    ) -> dict[str, Tensor]:
        """Loss of distances to the leader's joints, weighted to near ones, and of wrists that hold the leader's."""
        distance, true_distance = (_pair_distances(block, leader) for block in (joints, true_joints))
        wrist_distance = (true_joints[:, :, _WRISTS, None] - leader[:, :, None, _WRISTS]).norm(dim=-1).amin(dim=-1)
        near = torch.exp(-true_distance / self.config.nearness)
        wrist_error = (joints - true_joints)[:, :, _WRISTS].norm(dim=-1)
        return {
            "pair": ((distance - true_distance).abs() * near * time_weight[..., None]).mean(),
            "hold": (wrist_error * (wrist_distance < _HOLD_DISTANCE) * time_weight).mean(),
        }


def train(
    data: Path, out: Path, config: Path, *, resume: bool, weights: Path | None = None, trial: bool = False
) -> float:
    """Train on a folder of duets into a run's folder, from scratch or from weights, and leave the weights there.

    Returns the best validation metric. A `trial` of a hyperparameter sweep ends with that, without weights.
    """
    tables, settings = read_config(config, PartnerFlowTrainingConfig)
    split: DuetSplit = split_duets(find_duets(data), tables["data"]["validation"], tables["data"]["test"])
    torch.manual_seed(settings.seed)
    network = PartnerFlow(network_config(out, tables)) if weights is None else PartnerFlow.load(weights).train()
    windows = duet_windows(split.train, network.config, settings)
    set_buffers(network, windows, split.train, statistics=weights is None)
    task = PartnerFlowTask(network, settings, PartnerFlowValidation(split.train, split.validation))
    metric = fit_motion_flow(task, windows, out, resume=resume)
    if trial:
        return metric
    criterion = "generated partners most like real ones beside unseen leaders"
    save_best(task, split, out, tables, criterion, lambda network: horizon_table(network, split.test))
    return metric


def set_buffers(network: PartnerFlow, windows: MotionFlowWindows, duets: Sequence[Duet], *, statistics: bool) -> None:
    """Set the network's bodies and initial pasts from the duets, and with `statistics` those of the windows."""
    if statistics:
        measure_statistics(network, windows)
    history = network.config.history
    for role in range(2):
        pairs = [((duet.leader, duet.follower)[role], (duet.follower, duet.leader)[role]) for duet in duets]
        set_body(network, role, [dancer for dancer, _ in pairs])
        tensors = [(dancer_tensors(dancer).poses, dancer_tensors(leader).joints) for dancer, leader in pairs]
        starts = [(n, f) for n, (_, leader) in enumerate(tensors) for f in range(history, len(leader), 8)]
        for k, i in enumerate(np.linspace(0, len(starts) - 1, INITIAL_PASTS).astype(int)):
            n, start = starts[i]
            poses, leader = tensors[n][0][start - history : start], tensors[n][1][start - 1]
            frame = floor_frame_of_joints(leader)
            network.initial_pasts[role, k] = partner_features(poses, frame)
            network.initial_leader_poses[role, k] = frame.to_local(leader)


def _pair_distances(partner: Tensor, leader: Tensor) -> Tensor:
    """Distances between each pair of `_PAIR_JOINTS` of two dancers (B, F, 29, 3) m: (B, F, 10, 10) m."""
    return (partner[:, :, _PAIR_JOINTS, None] - leader[:, :, None, _PAIR_JOINTS]).norm(dim=-1)
