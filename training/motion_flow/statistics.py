"""What a flow network is given before its training, and what is left after it: statistics, and weights with a card."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backend.models.motion_flow.features import PARTNER_DIM, floor_frame, floor_frame_of_joints, partner_features
from backend.models.motion_flow.network import INITIAL_PASTS, MotionFlow
from backend.models.partner_flow.network import PartnerFlow
from rigs.contacts import floor_height
from training.data.duets import Duet, DuetSplit
from training.data.music_pairs import PairSplit
from training.experiment.ema import ema_state
from training.experiment.model_card import write_model_card
from training.motion_flow.dataset import MotionFlowWindows, dancer_tensors
from training.partner_flow.validation import HORIZONS, horizon_errors

_BATCH_COUNT = 40
"""Batches whose statistics stand for all."""


def prepare(network: PartnerFlow, windows: MotionFlowWindows, duets: Sequence[Duet], *, statistics: bool) -> None:
    """Let the network know the dancers' bodies, floors and ways to begin, and, where asked, the windows' statistics."""
    if statistics:
        measure_statistics(network, windows)
    history = network.config.history
    for role in range(2):
        motions = [(duet.leader, duet.follower)[role] for duet in duets]
        network.bone_offsets[role] = torch.from_numpy(np.mean([m.skeleton.offsets for m in motions], axis=0)).float()
        network.floor_heights[role] = float(np.mean([floor_height(m.positions) for m in motions]))
        own_parts = [dancer_tensors(motion) for motion in motions]
        other = [dancer_tensors((duet.follower, duet.leader)[role])[1] for duet in duets]
        moments = [(n, f) for n, part in enumerate(own_parts) for f in range(history, len(part[1]), 8)]
        for k, i in enumerate(np.linspace(0, len(moments) - 1, INITIAL_PASTS).astype(int)):
            n, frame = moments[i]
            here = floor_frame_of_joints(other[n][frame - 1])
            network.initial_pasts[role, k] = partner_features(own_parts[n][0][slice(frame - history, frame)], here)
            network.initial_leader_poses[role, k] = here.to_local(other[n][frame - 1])


def measure_statistics(network: MotionFlow, windows: MotionFlowWindows, *, leader_alone: bool = False) -> None:
    """Let the network know the windows' statistics, or where it knows the dancers' already those of what leads them."""
    rng = np.random.default_rng(windows.config.seed)
    config, first = network.config, 1 + network.config.history
    own, led, drawn, speeds = [], [], [], []
    for _ in range(_BATCH_COUNT):
        batch = windows.batch(rng)
        past = batch.poses[slice(1, first)]
        place = floor_frame(past)
        around = slice(first - 1 - config.before * config.block, first + (1 + config.after) * config.block)
        seen, other = network.features(past, batch.offsets, batch.leader[:, around], place)
        own.append(seen.flatten(0, 1))
        led.append(other.flatten(0, 1))
        block = batch.poses[slice(first, first + config.block)]
        drawn.append(torch.cat([seen[..., :PARTNER_DIM], partner_features(block, place)], dim=1).flatten(0, 1))
        speeds.append(block.joint_positions(batch.offsets).diff(dim=1).norm(dim=-1).mean(dim=(1, 2)) * 30.0)
    for name, parts, least in (("leader", led, 0.05), ("partner", own, 0.03)):
        rows = torch.cat(parts)
        getattr(network, f"{name}_mean").copy_(rows.mean(dim=0))
        getattr(network, f"{name}_scale").copy_(rows.std(dim=0).clamp_min(least))
        if leader_alone:
            return
    rows = torch.cat(drawn)
    network.partner_mean[:PARTNER_DIM] = rows.mean(dim=0)
    network.partner_scale[:PARTNER_DIM] = rows.std(dim=0).clamp_min(0.03)
    logs = torch.log(torch.cat(speeds) + 0.05)
    network.energy_stats.copy_(torch.stack([logs.mean(), logs.std()]))


def save_best(
    network: MotionFlow,
    split: DuetSplit | PairSplit,
    out: Path,
    tables: dict[str, Any],
    how: str,
    figures: Callable[[], str],
) -> None:
    """Write the mean network of the run's best checkpoint, and its model card.

    how: what that checkpoint was best at.  figures: gives how good the network then is, in words and tables.
    """
    best = torch.load(out / "best.ckpt", weights_only=True)
    network.load_state_dict(ema_state(best))
    network.save(out / f"{network.name}.safetensors")
    step = f"{best['global_step']:,} of {tables['optimise']['steps']:,}, which {how}"
    write_model_card(out / f"{network.name}.md", tables["card"], network, step, split, figures())


def horizon_table(network: PartnerFlow, duets: Sequence[Duet]) -> str:
    """How far the follower is from the real one, generated beside the real leader, as words and a table."""
    errors = horizon_errors(network.eval(), [(dancer_tensors(d.leader), dancer_tensors(d.follower)) for d in duets])
    shown = errors[[h - 1 for h in HORIZONS]] * 100.0
    return f"""Mean distance of a joint from the truth in centimetres, so many frames (at 30 fps) after
{network.config.history} given ones, the follower generated beside the real leader, over the test recordings:

| frames | {" | ".join(str(h) for h in HORIZONS)} |
| {" | ".join(["---"] * (1 + len(HORIZONS)))} |
| model | {" | ".join(f"{error:.1f}" for error in shown.tolist())} |"""
