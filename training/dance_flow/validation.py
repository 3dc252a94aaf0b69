"""How well a dance flow dances by itself to music that it has not heard: what its checkpoints are chosen by."""

from collections.abc import Sequence

import numpy as np

from backend.models.dance_flow.network import DanceFlow
from backend.models.motion_flow.features import FPS
from backend.models.motion_flow.sampler import noise_source, rollout
from backend.music.pulse import dance_pulse
from backend.music.score import Score
from rigs import Array
from rigs.choreography.beat_alignment import speed_rhythm
from training.dance_flow.dataset import role_of, score_leader
from training.data.music_pairs import Pair
from training.evaluation import features
from training.evaluation.frechet import FeatureDistribution
from training.motion_flow.dataset import dancer_tensors

_REFERENCE_COUNT = 120
"""Training dances that stand for all."""
_PAIR_COUNT = 12
_TAKES = 2


class DanceFlowValidation:
    """The pairs to dance, and what real dances of the training pairs are like."""

    def __init__(self, train: Sequence[Pair], pairs: Sequence[Pair]) -> None:
        known = [train[i] for i in np.linspace(0, len(train) - 1, min(_REFERENCE_COUNT, len(train))).astype(int)]
        rows = [described(pair.dancer.positions) for pair in known]
        self.references = {
            kind: FeatureDistribution.fit(np.concatenate([row[kind] for row in rows])) for kind in rows[0]
        }
        self.rhythm = usual_rhythm(known)
        self.pairs = [pairs[i] for i in np.linspace(0, len(pairs) - 1, min(_PAIR_COUNT, len(pairs))).astype(int)]

    def metrics(self, network: DanceFlow) -> dict[str, float]:
        """Whole pairs danced.

        unlikeness: the geometric mean of the Fréchet distances from real dances.
        in time: how far the feet keep to the music's counts as real ones do, 1 as much, 0 not at all.
        """
        found, rhythms = [], []
        for pair in self.pairs:
            dance, _, offsets = dancer_tensors(pair.dancer)
            first, frames = network.config.history, len(pair.dancer)
            leader = score_leader(pair.score, frames, dance.root[:, :2].mean(dim=0))
            past, noise = dance[slice(0, first)], noise_source(_TAKES, 0, network.config.block)
            danced = rollout(network, leader, range(first, frames), past, role_of(pair), offsets, noise)
            for made in danced.poses.joint_positions(offsets).double().numpy():
                seen = described(made)
                found.append([np.log(known.frechet_distance(seen[kind])) for kind, known in self.references.items()])
                rhythms.append(speed_rhythm(made, counts_in(pair.score, frames)[first:], FPS))
        kinds = dict(zip(self.references, np.exp(np.mean(found, axis=0)).tolist(), strict=True))
        kept = alike(np.mean(rhythms, axis=0), self.rhythm)
        return {"unlikeness": float(np.exp(np.mean(found))), "in time": kept, **kinds}


def described(positions: Array) -> dict[str, Array]:
    """The features by kind of all windows of a dance (F, 29, 3) m: kinetic and geometric, (N, D)."""
    windows = features.windows(positions, features.WINDOW, features.HOP)
    return {"kinetic": features.kinetic_features(windows), "geometric": features.geometric_features(windows)}


def alike(made: Array, real: Array) -> float:
    """How much of the `real` rhythm (N,) there is in the `made` one."""
    return float((made * real.conj()).real.sum() / (np.abs(real) ** 2).sum())


def usual_rhythm(pairs: Sequence[Pair]) -> Array:
    """The mean rhythm (4,) of pairs, see `rigs.choreography.beat_alignment`."""
    return np.asarray(
        np.mean([speed_rhythm(p.dancer.positions, counts_in(p.score, len(p.dancer)), FPS) for p in pairs], axis=0)
    )


def counts_in(score: Score, frames: int) -> Array:
    """(F,) where in a dancer's phrase each frame of a dance to the score is."""
    return dance_pulse(score).counts_at(np.arange(frames) / FPS)
