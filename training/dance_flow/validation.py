"""dance-flow's validation: Fréchet distances of rollouts to unseen music, by which checkpoints are selected."""

from collections.abc import Sequence

import numpy as np

from backend.models.common.runtime import TorchNetwork
from backend.models.dance_flow.network import DanceFlow
from backend.models.dance_flow.pipeline import TrainedDanceFlow
from backend.models.motion_flow.features import FPS
from backend.models.motion_flow.rollout import rollout
from backend.models.motion_flow.sampler import noise_source
from backend.music.pulse import dance_pulse
from backend.music.score import Score
from rigs import Array
from rigs.choreography.beat_alignment import speed_rhythm
from training.dance_flow.dataset import role_of, score_leader
from training.data.music_pairs import Pair, evenly_spaced
from training.evaluation import features
from training.evaluation.frechet import FeatureDistribution
from training.motion_flow.dataset import dancer_arrays

_REFERENCE_COUNT = 120
"""Training dances that the reference distributions are fitted to."""
_PAIR_COUNT = 12
_TAKES = 2


class DanceFlowValidation:
    """Validation of dance-flow on pairs, with the real dances of the training data as reference."""

    def __init__(self, train: Sequence[Pair], pairs: Sequence[Pair]) -> None:
        reference = evenly_spaced(train, _REFERENCE_COUNT)
        self.references, self.rhythm = fit_references(reference), mean_rhythm(reference)
        self.pairs = evenly_spaced(pairs, _PAIR_COUNT)

    def metrics(self, network: DanceFlow) -> dict[str, float]:
        """Metrics of rollouts over whole pairs.

        frechet: geometric mean of the Fréchet distances to real dances; each distance also by its name.
        in time: see `rhythm_match`.
        """
        log_distances, rhythms = [], []
        trained, history = TrainedDanceFlow(TorchNetwork(network)), network.config.history
        for pair in self.pairs:
            dancer, frames = dancer_arrays(pair.dancer), len(pair.dancer)
            leader = score_leader(pair.score, frames, dancer.poses.root[:, :2].mean(axis=0))
            past, noise = dancer.poses[:history], noise_source(_TAKES, 0, network.config.block)
            result = rollout(trained, leader, range(history, frames), past, role_of(pair), dancer.offsets, noise)
            for joints in result.poses.joint_positions(dancer.offsets).astype(np.float64):
                rows = dance_window_features(joints)
                log_distances.append(
                    [np.log(real.frechet_distance(rows[kind])) for kind, real in self.references.items()]
                )
                rhythms.append(speed_rhythm(joints, frame_counts(pair.score, frames)[history:], FPS))
        by_kind = dict(zip(self.references, np.exp(np.mean(log_distances, axis=0)).tolist(), strict=True))
        in_time = rhythm_match(np.mean(rhythms, axis=0), self.rhythm)
        return {"frechet": float(np.exp(np.mean(log_distances))), "in time": in_time, **by_kind}


def fit_references(pairs: Sequence[Pair]) -> dict[str, FeatureDistribution]:
    """Fit the distribution of each kind of `dance_window_features` to the dances of pairs."""
    rows = [dance_window_features(pair.dancer.positions) for pair in pairs]
    return {kind: FeatureDistribution.fit(np.concatenate([row[kind] for row in rows])) for kind in rows[0]}


def dance_window_features(positions: Array) -> dict[str, Array]:
    """Kinetic and geometric features (N, D), by kind, of all windows of a dance (F, 29, 3) m."""
    windows = features.windows(positions, features.WINDOW, features.HOP)
    return {"kinetic": features.kinetic_features(windows), "geometric": features.geometric_features(windows)}


def rhythm_match(rhythm: Array, real: Array) -> float:
    """Share of the `real` dancers' rhythm (4,) in another one: 1 as much, 0 none. See `beat_alignment.speed_rhythm`."""
    return float((rhythm * real.conj()).real.sum() / (np.abs(real) ** 2).sum())


def mean_rhythm(pairs: Sequence[Pair]) -> Array:
    """Mean rhythm (4,) complex of the dances of pairs, see `rigs.choreography.beat_alignment.speed_rhythm`."""
    rhythms = [speed_rhythm(p.dancer.positions, frame_counts(p.score, len(p.dancer)), FPS) for p in pairs]
    return np.asarray(np.mean(rhythms, axis=0))


def frame_counts(score: Score, frames: int) -> Array:
    """Count in the dancer's phrase (F,) at each frame of a dance to a score."""
    return dance_pulse(score).counts_at(np.arange(frames) / FPS)
