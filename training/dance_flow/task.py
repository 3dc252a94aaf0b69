"""dance-flow's training: a motion flow whose leader is music, often fine-tuned from partner-flow weights (`--from`)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from backend.models.dance_flow.network import DanceFlow
from backend.models.motion_flow.features import floor_frame, partner_features
from backend.models.motion_flow.network import INITIAL_PASTS
from backend.models.partner_flow.network import PartnerFlow
from backend.music.music_features import MUSIC_DIM, phrase_counts
from training.dance_flow.dataset import DanceFlowTrainingConfig, DanceFlowWindows, role_of
from training.dance_flow.validation import DanceFlowValidation, mean_rhythm
from training.data.music_pairs import Pair, PairSplit, find_pairs, split_pairs
from training.experiment.config import read_config
from training.motion_flow.dataset import MotionFlowWindows
from training.motion_flow.statistics import measure_statistics, set_body
from training.motion_flow.task import MotionFlowTask, fit_motion_flow, network_config, save_best

_LEADER_ENTRIES = ("leader_mean", "leader_scale", "leader_proj.weight", "leader_proj.bias", "initial_leader_poses")
"""State-dict entries of a partner-flow that depend on its kind of leader."""


def train(
    data: Path, out: Path, config: Path, *, resume: bool, weights: Path | None = None, trial: bool = False
) -> float:
    """Train on a folder of pairs into a run's folder, and leave the weights there.

    weights: of a dance-flow or a partner-flow, to start from.
    Returns the best validation metric. A `trial` of a hyperparameter sweep ends with that, without weights.
    """
    tables, settings = read_config(config, DanceFlowTrainingConfig)
    split = split_pairs(find_pairs(data), tables["data"]["validation"], tables["data"]["test"])
    torch.manual_seed(settings.seed)
    network = load_initial(weights) if weights is not None else DanceFlow(network_config(out, tables))
    windows = DanceFlowWindows(split.train, network.config, settings)
    set_buffers(network, windows, split.train, statistics=weights is None)
    task = MotionFlowTask(network, settings, DanceFlowValidation(split.train, split.validation))
    metric = fit_motion_flow(task, windows, out, resume=resume)
    if trial:
        return metric
    criterion = "generated dances most like real ones to unseen music"
    save_best(task, split, out, tables, criterion, lambda network: _metrics_table(network, split))
    return metric


def load_initial(weights: Path) -> DanceFlow:
    """Load the weights to start from: a dance-flow's, or a partner-flow's without what depends on its leader."""
    try:
        return DanceFlow.load(weights).train()
    except ValueError:
        partner_flow = PartnerFlow.load(weights)
    network = DanceFlow(partner_flow.config)
    shared = {name: part for name, part in partner_flow.state_dict().items() if name not in _LEADER_ENTRIES}
    network.load_state_dict({**network.state_dict(), **shared})
    return network


def set_buffers(network: DanceFlow, windows: MotionFlowWindows, pairs: Sequence[Pair], *, statistics: bool) -> None:
    """Set the network's rhythm, bodies and initial pasts from the pairs, and the statistics of the windows.

    statistics: also those of the dancers, not only of the music.
    """
    measure_statistics(network, windows, leader_only=not statistics)
    rhythm = mean_rhythm(pairs)
    network.rhythm.copy_(torch.from_numpy(np.stack([rhythm.real, rhythm.imag], axis=1)))
    history = network.config.history
    all_clips = [clip for (clip,) in windows.clips]
    for role in range(2):
        # Where all dancers of a folder have one role, the other role gets them too.
        dancers = [pair.dancer for pair in pairs if role_of(pair) == role] or [pair.dancer for pair in pairs]
        set_body(network, role, dancers)
        clips = [clip for clip in all_clips if clip.role == role] or all_clips
        for k, n in enumerate(np.linspace(0, len(clips) - 1, INITIAL_PASTS).astype(int)):
            clip = clips[n]
            # Initial pasts are spread over all counts of the phrase, so that there is one for any music's start.
            counts = phrase_counts(clip.leader[:, :MUSIC_DIM].numpy())
            target = 8.0 * k / INITIAL_PASTS
            distance = np.abs((counts[history:] - target + 4.0) % 8.0 - 4.0)
            start = history + int(distance.argmin())
            past = clip.poses[start - history : start]
            network.initial_pasts[role, k] = partner_features(past, floor_frame(past))
            network.initial_counts[role, k] = float(counts[start])


def _metrics_table(network: DanceFlow, split: PairSplit) -> str:
    """Markdown table of the validation metrics on the test pairs, with a sentence that explains them."""
    metrics = DanceFlowValidation(split.train, split.test).metrics(network.eval())
    rows = "\n".join(f"| {name} | {value:.3g} |" for name, value in metrics.items())
    return f"""On the test pairs, which are synthetic, generated after a given past of {network.config.history} frames:

| | |
| --- | --- |
{rows}

The Fréchet distances are to the training dances, "frechet" is their geometric mean; "in time" is the share of real
dancers' rhythm on the music's counts that the feet's speed has: 1 as much, 0 none."""
