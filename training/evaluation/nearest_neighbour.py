"""Nearest-neighbour stitching: the follower is put together from clips of real takes. Strong where data is small.

Motion matching (Büttner and Clavet 2015; Holden et al. 2020) with a leader instead of a gamepad: every 0.8 s
the moment of the training takes is sought whose leader moves, and whose follower stands, most like now; its follower
goes on from there as that follower did, as seen from the leader, and the seam is blended.
"""

from collections.abc import Sequence

import numpy as np

from rigs import Array
from rigs.motion import Motion
from rigs.skeleton import INDEX
from training.data.duets import Duet
from training.evaluation.baselines import PartnerGenerator, align_placement, crossfade, floor_placement

CLIP_FRAMES = 24
"""Frames that follow one moment of the training takes."""
_FUTURE, _FOLLOWER = 0.5, 2.0
"""How much it counts where the leader goes, and how the follower stands and moves, beside what the leader does now."""
_AHEAD = (8, 16)
"""Frames ahead at which it matters where the leader goes; of a leader that ends, the last frame."""
_JOINTS = [
    INDEX[name]
    for name in (
        "pelvis",
        "spine3",
        "left_wrist",
        "right_wrist",
        "left_ankle",
        "right_ankle",
        "left_foot",
        "right_foot",
    )
]
_CHOICE = 4
"""Takes after the first choose among so many of the best moments."""


def nearest_neighbour_stitching(train: Sequence[Duet]) -> PartnerGenerator:
    """The baseline on these takes."""
    described = [_described(duet.leader.positions, duet.follower.positions) for duet in train]
    moments = [(n, f) for n, duet in enumerate(train) for f in range(len(duet) - CLIP_FRAMES - 1)]
    table = np.concatenate([rows[: len(rows) - CLIP_FRAMES - 1] for rows in described if len(rows) > CLIP_FRAMES + 1])
    centre, spread = table.mean(axis=0), _spread(table)
    table = (table - centre) / spread

    def one(leader: Motion, history: Motion, take: int) -> Motion:
        rng = np.random.default_rng(take)
        made = history
        while len(made) < len(leader):
            now = len(made) - 1
            wanted = (_moment(leader.positions, made.positions[-2:], now) - centre) / spread
            away = np.sum((table - wanted) ** 2, axis=1)
            best = int(np.argmin(away)) if take == 0 else _among_the_best(away, rng)
            n, f = moments[best]
            clip = train[n].follower[f : f + CLIP_FRAMES + 1]
            there = floor_placement(leader.positions[now])
            clip = align_placement(clip, floor_placement(train[n].leader.positions[f]), there)
            made = crossfade(made, clip[: len(leader) - len(made) + 1])
        return made

    def dance(leader: Motion, history: Motion, takes: int) -> list[Motion]:
        return [one(leader, history, take) for take in range(takes)]

    return PartnerGenerator("stitching", dance, stochastic=True, block=CLIP_FRAMES)


def _among_the_best(away: Array, rng: np.random.Generator) -> int:
    """One of the nearest moments (N,), no two of them within a clip of each other."""
    left, best = away.copy(), []
    for _ in range(_CHOICE):
        best.append(int(np.argmin(left)))
        left[max(0, best[-1] - CLIP_FRAMES) : best[-1] + CLIP_FRAMES] = np.inf
    return best[int(rng.integers(_CHOICE))]


def _described(leader: Array, follower: Array) -> Array:
    """Every moment of a take: (F, D)."""
    return np.stack([_moment(leader, follower[max(0, f - 1) : f + 1], f) for f in range(len(leader))])


def _moment(leader: Array, follower: Array, f: int) -> Array:
    """A moment (D,) as seen from the leader.

    leader: (F, 29, 3) m, looked at in frame `f`.  follower: (2, 29, 3) m, its pose before and its pose in that frame.
    """
    here = floor_placement(leader[f])
    before = max(0, f - 1)
    cosine, sine = np.cos(here.heading), np.sin(here.heading)
    unturned = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]]).T
    origin = np.append(here.position, 0.0)
    ahead = [leader[min(f + n, len(leader) - 1)] for n in _AHEAD]
    parts = [
        (leader[f][_JOINTS] - origin) @ unturned,
        (leader[f] - leader[before])[_JOINTS] @ unturned * 10.0,
        *((pose[_JOINTS] - origin) @ unturned for pose in ahead),
        (follower[-1][_JOINTS] - origin) @ unturned,
        (follower[-1] - follower[0])[_JOINTS] @ unturned * 10.0,
    ]
    return np.concatenate([part.ravel() for part in parts])


def _spread(table: Array) -> Array:
    """One spread (D,) for all coordinates of a part, so that a part counts by how much it varies as a whole."""
    parts = table.reshape(len(table), -1, 3 * len(_JOINTS))
    whole = np.sqrt(parts.var(axis=0).mean(axis=-1))
    counts = np.array([1.0, 1.0, *(_FUTURE for _ in _AHEAD), _FOLLOWER, _FOLLOWER])
    return np.repeat(np.maximum(whole, 1e-6) / counts, 3 * len(_JOINTS))
