"""Nearest-neighbour stitching: a follower joined from clips of real recordings, a strong baseline on small data.

Motion matching (Büttner and Clavet 2015; Holden et al. 2020) with a leader instead of a gamepad: every 0.8 s the moment
of the training recordings is searched whose leader and follower move most like now, and its follower continues.
"""

from collections.abc import Sequence

import numpy as np

from rigs import Array
from rigs.motion import Motion
from rigs.skeleton import INDEX, both_sides
from training.data.duets import Duet
from training.evaluation.baselines import PartnerGenerator, align_placement, crossfade, floor_placement

CLIP_FRAMES = 24
"""Frames that follow one moment of the training recordings."""
_FUTURE_WEIGHT, _FOLLOWER_WEIGHT = 0.5, 2.0
"""Weights of the leader's future and of the follower's pose and velocity, beside 1 for the leader now."""
_FUTURE_FRAMES = (8, 16)
"""Frames ahead at which the leader's pose counts; where the leader ends, the last frame."""
_JOINTS = [INDEX["pelvis"], INDEX["spine3"], *both_sides("wrist", "ankle", "foot")]
_CANDIDATES = 4
"""Takes after the first choose among so many of the nearest moments."""


def nearest_neighbour_stitching(train: Sequence[Duet]) -> PartnerGenerator:
    """The baseline on these recordings."""
    features = [_take_features(duet.leader.positions, duet.follower.positions) for duet in train]
    moments = [(n, f) for n, duet in enumerate(train) for f in range(len(duet) - CLIP_FRAMES - 1)]
    database = np.concatenate([rows[: len(rows) - CLIP_FRAMES - 1] for rows in features if len(rows) > CLIP_FRAMES + 1])
    centre, scale = database.mean(axis=0), _feature_scale(database)
    database = (database - centre) / scale

    def stitch(leader: Motion, history: Motion, take: int) -> Motion:
        rng = np.random.default_rng(take)
        partner = history
        while len(partner) < len(leader):
            now = len(partner) - 1
            query = (_moment_features(leader.positions, partner.positions[-2:], now) - centre) / scale
            distances = np.sum((database - query) ** 2, axis=1)
            nearest = int(np.argmin(distances)) if take == 0 else _random_near_moment(distances, rng)
            n, f = moments[nearest]
            clip = train[n].follower[f : f + CLIP_FRAMES + 1]
            source, target = (floor_placement(pose) for pose in (train[n].leader.positions[f], leader.positions[now]))
            clip = align_placement(clip, source, target)
            partner = crossfade(partner, clip[: len(leader) - len(partner) + 1])
        return partner

    def generate(leader: Motion, history: Motion, takes: int) -> list[Motion]:
        return [stitch(leader, history, take) for take in range(takes)]

    return PartnerGenerator("stitching", generate, stochastic=True, block=CLIP_FRAMES)


def _random_near_moment(distances: Array, rng: np.random.Generator) -> int:
    """One of the nearest moments (N,), no two of them within a clip of each other."""
    remaining, nearest = distances.copy(), []
    for _ in range(_CANDIDATES):
        nearest.append(int(np.argmin(remaining)))
        remaining[max(0, nearest[-1] - CLIP_FRAMES) : nearest[-1] + CLIP_FRAMES] = np.inf
    return nearest[int(rng.integers(_CANDIDATES))]


def _take_features(leader: Array, follower: Array) -> Array:
    """Matching features of every frame of a recording: (F, D)."""
    return np.stack([_moment_features(leader, follower[max(0, f - 1) : f + 1], f) for f in range(len(leader))])


def _moment_features(leader: Array, follower: Array, f: int) -> Array:
    """Matching features (D,) of a moment in the leader's floor coordinates.

    leader: (F, 29, 3) m, taken at frame `f`.  follower: (2, 29, 3) m, its poses in the frame before and in that frame.
    """
    placement = floor_placement(leader[f])
    cosine, sine = np.cos(placement.heading), np.sin(placement.heading)
    to_local = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]]).T
    origin = np.append(placement.position, 0.0)
    future = [leader[min(f + n, len(leader) - 1)] for n in _FUTURE_FRAMES]
    parts = [
        (leader[f][_JOINTS] - origin) @ to_local,
        (leader[f] - leader[max(0, f - 1)])[_JOINTS] @ to_local * 10.0,
        *((pose[_JOINTS] - origin) @ to_local for pose in future),
        (follower[-1][_JOINTS] - origin) @ to_local,
        (follower[-1] - follower[0])[_JOINTS] @ to_local * 10.0,
    ]
    return np.concatenate([part.ravel() for part in parts])


def _feature_scale(database: Array) -> Array:
    """One scale (D,) for all coordinates of a part of the features, so that a part counts by its total variance."""
    parts = database.reshape(len(database), -1, 3 * len(_JOINTS))
    deviation = np.sqrt(parts.var(axis=0).mean(axis=-1))
    weights = np.array([1.0, 1.0, *(_FUTURE_WEIGHT for _ in _FUTURE_FRAMES), _FOLLOWER_WEIGHT, _FOLLOWER_WEIGHT])
    return np.repeat(np.maximum(deviation, 1e-6) / weights, 3 * len(_JOINTS))
