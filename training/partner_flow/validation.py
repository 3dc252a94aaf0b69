"""How well a partner flow dances by itself beside leaders that it has not seen: what its checkpoints are chosen by.

The loss says little about it: it rises long before the dances are at their best.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from backend.models.motion_flow.sampler import noise_source, rollout
from backend.models.partner_flow.network import PartnerFlow
from rigs import Array
from training.data.duets import Duet
from training.evaluation import features, interaction, real_reference
from training.motion_flow.dataset import DancerTensors, dancer_tensors

HORIZONS = (1, 10, 30, 60)
"""Frames after the given ones at which a partner is compared with the real one."""
_TAKES = 4
_STRIDE = 45
"""Frames from the start of one short rollout to the next."""


class PartnerFlowValidation:
    """The takes to dance, and what real couples of the training takes are like."""

    def __init__(self, train: Sequence[Duet], duets: Sequence[Duet]) -> None:
        self.references = [real_reference.fit_feature_distributions(train, role) for role in range(2)]
        self.duets = [(dancer_tensors(duet.leader), dancer_tensors(duet.follower)) for duet in duets]

    def metrics(self, network: PartnerFlow) -> dict[str, float]:
        """Whole takes danced in both roles, and short ones.

        unlikeness: the geometric mean of the three Fréchet distances from real couples, over takes and roles.
        holding: the part of the frames in which the follower holds the leader's hand.  rollout: m from the real one.
        """
        found, holding = [], []
        for pair in self.duets:
            for role in range(2):
                leader, partner = pair[1 - role], pair[role]
                first = network.config.history
                past = partner[0][slice(0, first)]
                noise = noise_source(_TAKES, 0, network.config.block)
                danced = rollout(network, leader[1], range(first, len(leader[1])), past, role, partner[2], noise)
                beside = leader[1][first:].numpy()
                for made in _positions(danced.poses.joint_positions(partner[2])):
                    seen = features.window_features(made, beside)
                    away = [known.frechet_distance(seen[kind]) for kind, known in self.references[role].items()]
                    found.append(np.log(away))
                    if role:
                        holding.append(interaction.hands_held(made, beside, 30.0).mean())
        kinds = dict(zip(self.references[0], np.exp(np.mean(found, axis=0)).tolist(), strict=True))
        error = float(horizon_errors(network, self.duets).mean())
        unlikeness = float(np.exp(np.mean(found)))
        return {"unlikeness": unlikeness, "holding": float(np.mean(holding)), "rollout": error, **kinds}


def horizon_errors(network: PartnerFlow, duets: Sequence[tuple[DancerTensors, DancerTensors]]) -> Tensor:
    """The mean distance (60,) m of the follower's joints from the real ones, so many frames after the given ones."""
    history = network.config.history
    errors = []
    for leader, follower in duets:
        for start in range(history, len(follower[1]) - HORIZONS[-1], _STRIDE):
            past, frames = follower[0][slice(start - history, start)], range(start, start + HORIZONS[-1])
            noise = noise_source(1, start, network.config.block)
            made = rollout(network, leader[1], frames, past, 1, follower[2], noise).poses
            joints = made.joint_positions(follower[2])[0]
            errors.append((joints - follower[1][start : frames.stop]).norm(dim=-1).mean(dim=-1))
    return torch.stack(errors).mean(dim=0) if errors else torch.zeros(HORIZONS[-1])


def _positions(joints: Tensor) -> Array:
    return joints.double().numpy()
