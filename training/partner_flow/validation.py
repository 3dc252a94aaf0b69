"""partner-flow's validation: Fréchet distances of rollouts beside unseen leaders, by which checkpoints are selected.

The validation loss does not select them: it rises long before the rollouts are at their best.
"""

from collections.abc import Sequence

import numpy as np

from backend.models.common.runtime import TorchNetwork
from backend.models.motion_flow.features import FPS
from backend.models.motion_flow.rollout import rollout
from backend.models.motion_flow.sampler import noise_source
from backend.models.partner_flow.network import PartnerFlow
from backend.models.partner_flow.pipeline import TrainedPartnerFlow
from rigs import Array
from training.data.duets import Duet
from training.evaluation import features, interaction, real_reference
from training.experiment.model_card import markdown_table
from training.motion_flow.dataset import DancerArrays, dancer_arrays

HORIZONS = (1, 10, 30, 60)
"""Frames after the past at which a partner is compared with the real one."""
_TAKES = 4
_STRIDE = 45
"""Frames from the start of one short rollout to the next."""


class PartnerFlowValidation:
    """Validation of partner-flow on duets, with the real couples of the training data as reference."""

    def __init__(self, train: Sequence[Duet], duets: Sequence[Duet]) -> None:
        self.references = [real_reference.fit_feature_distributions(train, role) for role in range(2)]
        self.duets = [(dancer_arrays(duet.leader), dancer_arrays(duet.follower)) for duet in duets]

    def metrics(self, network: PartnerFlow) -> dict[str, float]:
        """Metrics of rollouts over whole takes in both roles, and of short ones.

        frechet: geometric mean of the three Fréchet distances to real couples, over takes and roles; each distance also
        by its name.  holding: share of frames in which the follower holds the leader's hand.
        rollout: m, mean of `horizon_errors`.
        """
        log_distances, holding = [], []
        trained, history = TrainedPartnerFlow(TorchNetwork(network)), network.config.history
        for pair in self.duets:
            for role in range(2):
                leader, partner = pair[1 - role], pair[role]
                frames, noise = range(history, len(leader.joints)), noise_source(_TAKES, 0, network.config.block)
                past, offsets = partner.poses[:history], partner.offsets
                result = rollout(trained, leader.joints, frames, past, role, offsets, noise)
                leader_joints = leader.joints[history:]
                for joints in result.poses.joint_positions(offsets).astype(np.float64):
                    rows = features.window_features(joints, leader_joints)
                    distances = [real.frechet_distance(rows[kind]) for kind, real in self.references[role].items()]
                    log_distances.append(np.log(distances))
                    if role:
                        holding.append(interaction.hands_held(joints, leader_joints, FPS).mean())
        by_kind = dict(zip(self.references[0], np.exp(np.mean(log_distances, axis=0)).tolist(), strict=True))
        return {
            "frechet": float(np.exp(np.mean(log_distances))),
            "holding": float(np.mean(holding)),
            "rollout": float(horizon_errors(network, self.duets).mean()),
            **by_kind,
        }


def horizon_errors(network: PartnerFlow, duets: Sequence[tuple[DancerArrays, DancerArrays]]) -> Array:
    """Mean distance (60,) m of the follower's joints from the real ones, by the number of frames after the past."""
    trained, history = TrainedPartnerFlow(TorchNetwork(network)), network.config.history
    errors = []
    for leader, follower in duets:
        for start in range(history, len(follower.joints) - HORIZONS[-1], _STRIDE):
            past, frames = follower.poses[start - history : start], range(start, start + HORIZONS[-1])
            noise = noise_source(1, start, network.config.block)
            result = rollout(trained, leader.joints, frames, past, 1, follower.offsets, noise)
            joints = result.poses.joint_positions(follower.offsets)[0]
            errors.append(np.linalg.norm(joints - follower.joints[start : frames.stop], axis=-1).mean(axis=-1))
    return np.asarray(np.mean(errors, axis=0)) if errors else np.zeros(HORIZONS[-1])


def horizon_table(network: PartnerFlow, duets: Sequence[Duet]) -> str:
    """Markdown table of `horizon_errors` at `HORIZONS`, with a sentence that explains it."""
    errors = horizon_errors(network.eval(), [(dancer_arrays(d.leader), dancer_arrays(d.follower)) for d in duets])
    centimetres = errors[[horizon - 1 for horizon in HORIZONS]] * 100.0
    return f"""Mean joint position error in centimetres of followers generated beside the real leader, over the test
recordings, by the number of frames (at 30 fps) after {network.config.history} given ones:

{markdown_table([["frames", *map(str, HORIZONS)], ["model", *(f"{cm:.1f}" for cm in centimetres.tolist())]])}"""
