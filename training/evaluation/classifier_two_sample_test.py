"""A classifier that tries to tell real windows of a couple from generated ones."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rigs import Array
from rigs.skeleton import INDEX
from training.evaluation.plausibility import BALLS, TOES

_LOOKED_AT = [
    INDEX[name]
    for name in (
        "pelvis",
        "spine3",
        "jaw",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
        "left_foot",
        "right_foot",
    )
]
_NAMES = ("pelvis", "left_wrist", "right_wrist", "left_foot", "right_foot")
_HANDS = [INDEX[name] for name in _NAMES]
_PENALTY = 10.0
_ROUNDS = 30


def classifier_features(partner: Array, leader: Array, fps: float) -> dict[str, Array]:
    """What the classifier sees of each window: of the partner "alone", and of the "couple".

    partner, leader: (N, T, 29, 3) m.  Returns by kind (N, D): how the partner stands, moves, trembles and treads, and
    for the couple also how it is with the leader; free of where on the floor the couple is and how it is turned.
    """
    own = _into(partner, partner)[:, :, _LOOKED_AT]
    beside = _into(leader, partner)[:, :, _HANDS]
    velocity, acceleration, jerk = (
        np.linalg.norm(np.diff(partner[:, :, _LOOKED_AT], n=n, axis=1), axis=-1) * fps**n for n in (1, 2, 3)
    )
    feet = np.linalg.norm(np.diff(partner[:, :, BALLS, :2], axis=1), axis=-1) * fps
    lowest = partner[:, :, TOES, 2].min(axis=-1)
    hands = np.linalg.norm(partner[:, :, _HANDS, None] - leader[:, :, None, _HANDS], axis=-1)
    alone = [
        own.mean(axis=1),
        own.std(axis=1),
        np.log(1e-2 + velocity.mean(axis=1)),
        np.log(1e-1 + acceleration.mean(axis=1)),
        np.log(1e-1 + acceleration.max(axis=1)),
        np.log(1.0 + jerk.mean(axis=1)),
        np.log(1.0 + jerk.max(axis=1)),
        np.log(1e-2 + np.sort(feet.min(axis=-1), axis=1)[:, :: max(1, feet.shape[1] // 5)]),
        np.quantile(lowest, [0.0, 0.5, 1.0], axis=1).T,
    ]
    together = [beside.mean(axis=1), beside.std(axis=1), hands.min(axis=1), hands.std(axis=1)]
    return {"alone": _rows(alone), "couple": _rows([*alone, *together])}


def _rows(parts: list[Array]) -> Array:
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def _into(positions: Array, dancer: Array) -> Array:
    """Positions (N, T, J, 3) as seen, along the floor, from where `dancer` (N, T, 29, 3) is and faces in each frame."""
    across = dancer[:, :, INDEX["left_hip"], :2] - dancer[:, :, INDEX["right_hip"], :2]
    across = across / np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-9)
    seen = positions.copy()
    level = positions[..., :2] - dancer[:, :, :1, :2]
    x, y = across[:, :, None, 0], across[:, :, None, 1]
    seen[..., 0] = x * level[..., 0] + y * level[..., 1]
    seen[..., 1] = -y * level[..., 0] + x * level[..., 1]
    return seen


@dataclass(frozen=True)
class Classifier:
    """A logistic regression on standardised looks.  centre, spread, weights: (D,).  bias: a number."""

    centre: Array
    spread: Array
    weights: Array
    bias: float

    def suspicion(self, seen: Array) -> Array:
        """How much windows with the looks (N, D) seem generated: (N,) log odds."""
        return np.clip((seen - self.centre) / self.spread, -8.0, 8.0) @ self.weights + self.bias


Classifiers = Mapping[str, Classifier]
"""One classifier for each kind of `looks`."""


def train_classifiers(real: Mapping[str, Array], made: Mapping[str, Array]) -> Classifiers:
    """Learn from each kind of `looks` to tell generated windows from real ones."""
    return {kind: train_classifier(real[kind], made[kind]) for kind in real}


def train_classifier(real: Array, made: Array) -> Classifier:
    """Learn to tell the looks `made` (M, D) from `real` (N, D): logistic regression with a ridge, by Newton's method.

    Both kinds weigh the same, however many windows of each there are (Bishop 2006, 4.3.3).
    """
    seen = np.concatenate([real, made])
    centre, spread = seen.mean(axis=0), np.maximum(seen.std(axis=0), 1e-4)
    x = np.column_stack([np.clip((seen - centre) / spread, -8.0, 8.0), np.ones(len(seen))])
    y = np.repeat([0.0, 1.0], [len(real), len(made)])
    weight = np.where(y == 1.0, 0.5 / len(made), 0.5 / len(real)) * len(seen)
    ridge = np.full(x.shape[1], _PENALTY)
    ridge[-1] = 1e-6
    w = np.zeros(x.shape[1])
    for _ in range(_ROUNDS):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ w, -30.0, 30.0)))
        slope = x.T @ (weight * (p - y)) + ridge * w
        curve = (x.T * (weight * np.maximum(p * (1.0 - p), 1e-6))) @ x + np.diag(ridge)
        step = np.linalg.solve(curve, slope)
        w = w - step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-6:
            break
    return Classifier(centre, spread, w[:-1], float(w[-1]))


def roc_auc(real: Array, made: Array) -> float:
    """The chance that a generated window seems more generated than a real one: (N,) and (M,) log odds.

    The area under the ROC curve as a Mann-Whitney statistic (Hanley and McNeil 1982); half for equal odds.
    """
    order = np.sort(real)
    below = np.searchsorted(order, made, side="left") + np.searchsorted(order, made, side="right")
    return float(below.mean() / (2.0 * len(real)))
