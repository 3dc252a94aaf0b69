"""Statistics of the training data that a motion flow keeps in its buffers: normalization, energy, bodies."""

from collections.abc import Sequence

import numpy as np
import torch

from backend.models.common.energy import log_speed
from backend.models.motion_flow.features import FPS, PARTNER_DIM, floor_frame, partner_features
from backend.models.motion_flow.network import MotionFlow
from rigs.contacts import floor_height
from rigs.motion import Motion
from training.motion_flow.dataset import MotionFlowWindows

_BATCH_COUNT = 40
"""Batches that the statistics are measured on."""


def measure_statistics(network: MotionFlow, windows: MotionFlowWindows, *, leader_only: bool = False) -> None:
    """Set the network's normalization and energy statistics to those of the windows.

    leader_only: only those of the leader's features; the dancer's stay as the initial weights have them.
    """
    rng = np.random.default_rng(windows.config.seed)
    config, first = network.config, 1 + network.config.history
    pasts, leaders, frames, speeds = [], [], [], []
    for _ in range(_BATCH_COUNT):
        batch = windows.batch(rng)
        past = batch.poses[1:first]
        frame = floor_frame(past)
        leader = batch.leader[:, config.leader_window(first)]
        past_features, leader_features = network.features(past, batch.offsets, leader, frame)
        pasts.append(past_features.flatten(0, 1))
        leaders.append(leader_features.flatten(0, 1))
        block = batch.poses[first : first + config.block]
        dancer_features = torch.cat([past_features[..., :PARTNER_DIM], partner_features(block, frame)], dim=1)
        frames.append(dancer_features.flatten(0, 1))
        speeds.append(block.joint_positions(batch.offsets).diff(dim=1).norm(dim=-1).mean(dim=(1, 2)) * FPS)
    for name, parts, least in (("leader", leaders, 0.05), ("partner", pasts, 0.03)):
        rows = torch.cat(parts)
        getattr(network, f"{name}_mean").copy_(rows.mean(dim=0))
        getattr(network, f"{name}_scale").copy_(rows.std(dim=0).clamp_min(least))
        if leader_only:
            return
    rows = torch.cat(frames)
    network.partner_mean[:PARTNER_DIM] = rows.mean(dim=0)
    network.partner_scale[:PARTNER_DIM] = rows.std(dim=0).clamp_min(0.03)
    energies = log_speed(torch.cat(speeds))
    network.energy_stats.copy_(torch.stack([energies.mean(), energies.std()]))


def set_body(network: MotionFlow, role: int, dancers: Sequence[Motion]) -> None:
    """Set a role's bone offsets and floor height to the dancers' means."""
    offsets = np.mean([motion.skeleton.offsets for motion in dancers], axis=0)
    network.bone_offsets[role] = torch.from_numpy(offsets).float()
    network.floor_heights[role] = float(np.mean([floor_height(motion.positions) for motion in dancers]))
