"""Training of the partner flow: beside what every flow network learns, how near the couple's bodies and hands are."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from backend.models.motion_flow.network import MotionFlowConfig
from backend.models.partner_flow.network import PartnerFlow
from rigs.skeleton import INDEX
from training.data.duets import DuetSplit, find_duets, split_duets
from training.experiment.config import read_config
from training.motion_flow.dataset import MotionFlowTrainingConfig, duet_windows
from training.motion_flow.statistics import horizon_table, prepare, save_best
from training.motion_flow.task import MotionFlowTask, fit_motion_flow, network_config
from training.partner_flow.validation import PartnerFlowValidation

_PAIR_JOINTS = [INDEX[n] for n in ("pelvis", "jaw", "left_wrist", "right_wrist", "left_elbow", "right_elbow", "left_knee",
                            "right_knee", "left_foot", "right_foot")]  # fmt: skip
"""The joints whose distances to the leader's count."""
_WRISTS = [INDEX["left_wrist"], INDEX["right_wrist"]]
_HOLD_DISTANCE = 0.35
"""m between two wrists within which hands hold or are about to."""


@dataclass(frozen=True)
class PartnerFlowTrainingConfig(MotionFlowTrainingConfig):
    """What `configs/partner-flow.toml` says beyond every flow network's plan: of the loss beside the leader."""

    pair: float
    hold: float
    nearness: float


class PartnerFlowTask(MotionFlowTask[PartnerFlow]):
    """See `FlowTraining`. What leads is the other dancer's joints."""

    plan: PartnerFlowTrainingConfig

    def beside(self, ours: Tensor, theirs: Tensor, leader: Tensor, surely: Tensor) -> dict[str, Tensor]:
        """See `FlowTraining.beside`: the distances of joints that are near the leader's, and the hands that hold."""
        apart, truly_apart = (_pair_distances(joints, leader) for joints in (ours, theirs))
        wrists = (theirs[:, :, _WRISTS, None] - leader[:, :, None, _WRISTS]).norm(dim=-1).amin(dim=-1)
        near = torch.exp(-truly_apart / self.plan.nearness)
        return {
            "pair": ((apart - truly_apart).abs() * near * surely[..., None]).mean(),
            "hold": ((ours - theirs)[:, :, _WRISTS].norm(dim=-1) * (wrists < _HOLD_DISTANCE) * surely).mean(),
        }


def train(
    data: Path, out: Path, config: Path, *, resume: bool, weights: Path | None = None, trial: bool = False
) -> float:
    """Train on a folder of duets into a run's folder, from scratch or from weights, and leave the weights there.

    Returns the best validation metric. A `trial` of a hyperparameter sweep ends with that, without weights.
    """
    tables, plan = read_config(config, PartnerFlowTrainingConfig)
    split: DuetSplit = split_duets(find_duets(data), tables["data"]["validation"], tables["data"]["test"])
    torch.manual_seed(plan.seed)
    network = (
        PartnerFlow(MotionFlowConfig(**network_config(out, tables)))
        if weights is None
        else PartnerFlow.load(weights).train()
    )
    windows = duet_windows(split.train, network.config, plan)
    prepare(network, windows, split.train, statistics=weights is None)
    module = PartnerFlowTask(network, plan, PartnerFlowValidation(split.train, split.validation))
    metric = fit_motion_flow(module, windows, out, resume=resume)
    if trial:
        return metric
    how = "danced most like real couples beside unseen leaders"
    save_best(module.ema.module, split, out, tables, how, lambda: horizon_table(module.ema.module, split.test))
    return metric


def _pair_distances(partner: Tensor, leader: Tensor) -> Tensor:
    """From each of ten joints of the one to each of ten of the other: (B, F, 10, 10) m."""
    return (partner[:, :, _PAIR_JOINTS, None] - leader[:, :, None, _PAIR_JOINTS]).norm(dim=-1)
