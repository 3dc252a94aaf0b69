"""Training of the dance flow: a flow network that hears music instead of seeing a leader.

What a dancer's body can do it may have learnt before, beside a leader: `--from` takes a partner flow's weights.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backend.models.dance_flow.network import DanceFlow
from backend.models.motion_flow.features import floor_frame, partner_features
from backend.models.motion_flow.network import INITIAL_PASTS, MotionFlowConfig
from backend.models.partner_flow.network import PartnerFlow
from backend.music.music_features import MUSIC_DIM, phrase_counts
from rigs.contacts import floor_height
from training.dance_flow.dataset import DanceFlowTrainingConfig, DanceFlowWindows, role_of
from training.dance_flow.validation import DanceFlowValidation, usual_rhythm
from training.data.music_pairs import Pair, PairSplit, find_pairs, split_pairs
from training.experiment.config import read_config
from training.motion_flow.dataset import MotionFlowWindows
from training.motion_flow.statistics import measure_statistics, save_best
from training.motion_flow.task import MotionFlowTask, fit_motion_flow, network_config

_LEADER_ENTRIES = ("leader_mean", "leader_scale", "leader_proj.weight", "leader_proj.bias", "initial_leader_poses")
"""What a partner flow knows of a leader it sees, which is of no use for one that is heard."""


def train(
    data: Path, out: Path, config: Path, *, resume: bool, weights: Path | None = None, trial: bool = False
) -> float:
    """Train on a folder of pairs into a run's folder, and leave the weights there.

    weights: of either flow network, to begin with.
    Returns the best validation metric. A `trial` of a hyperparameter sweep ends with that, without weights.
    """
    tables, plan = read_config(config, DanceFlowTrainingConfig)
    split = split_pairs(find_pairs(data), tables["data"]["validation"], tables["data"]["test"])
    torch.manual_seed(plan.seed)
    network = (
        _initialize(weights) if weights is not None else DanceFlow(MotionFlowConfig(**network_config(out, tables)))
    )
    windows = DanceFlowWindows(split.train, network.config, plan)
    prepare(network, windows, split.train, statistics=weights is None)
    module = MotionFlowTask(network, plan, DanceFlowValidation(split.train, split.validation))
    metric = fit_motion_flow(module, windows, out, resume=resume)
    if trial:
        return metric
    how = "danced most like real dancers to unheard music"
    save_best(module.ema.module, split, out, tables, how, lambda: _metrics_table(module.ema.module, split))
    return metric


def _initialize(weights: Path) -> DanceFlow:
    """A network with what the weights of a dance flow, or of a partner flow, know."""
    try:
        return DanceFlow.load(weights).train()
    except ValueError:
        known = PartnerFlow.load(weights)
    network = DanceFlow(known.config)
    kept = {name: part for name, part in known.state_dict().items() if name not in _LEADER_ENTRIES}
    network.load_state_dict({**network.state_dict(), **kept})
    return network


def prepare(network: DanceFlow, windows: MotionFlowWindows, pairs: Sequence[Pair], *, statistics: bool) -> None:
    """Let the network know the dancers' bodies, floors and ways to begin, and the windows' statistics.

    statistics: also the dancers', not only those of what is heard.
    """
    measure_statistics(network, windows, leader_alone=not statistics)
    kept = usual_rhythm(pairs)
    network.rhythm.copy_(torch.from_numpy(np.stack([kept.real, kept.imag], axis=1)))
    history = network.config.history
    takes = [take for (take,) in windows.clips]
    for role in range(2):
        # A folder in which all dancers have one role gives them to the other too.
        mine = [pair for pair in pairs if role_of(pair) == role] or list(pairs)
        network.bone_offsets[role] = torch.from_numpy(
            np.mean([p.dancer.skeleton.offsets for p in mine], axis=0)
        ).float()
        network.floor_heights[role] = float(np.mean([floor_height(p.dancer.positions) for p in mine]))
        own = [take for take in takes if take.role == role] or takes
        for k, n in enumerate(np.linspace(0, len(own) - 1, INITIAL_PASTS).astype(int)):
            take = own[n]
            # Ways to begin come from all counts of the phrase, so that any music finds one for its first moment.
            counts = phrase_counts(take.leader[:, :MUSIC_DIM].numpy())
            wanted = 8.0 * k / INITIAL_PASTS
            away = np.abs((counts[history:] - wanted + 4.0) % 8.0 - 4.0)
            frame = history + int(away.argmin())
            past = take.dance[slice(frame - history, frame)]
            network.initial_pasts[role, k] = partner_features(past, floor_frame(past))
            network.initial_counts[role, k] = float(counts[frame])


def _metrics_table(network: DanceFlow, split: PairSplit) -> str:
    found: dict[str, Any] = DanceFlowValidation(split.train, split.test).metrics(network.eval())
    rows = "\n".join(f"| {name} | {value:.3g} |" for name, value in found.items())
    return f"""On the test pairs, which are synthetic, danced on from their first {network.config.history} frames:

| | |
| --- | --- |
{rows}

The Fréchet distances are from the training dances; "in time" is how far the feet's speed keeps to the music's counts as
real dancers' does in these pairs: 1 as much, 0 not at all."""
