"""Classifier two-sample test: how well a classifier tells generated windows of a couple from real ones (ROC AUC)."""

from collections.abc import Mapping

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from rigs import Array
from rigs.contacts import TOES
from rigs.skeleton import BALLS, HIPS, INDEX, both_sides

_JOINTS = [
    *(INDEX[name] for name in ("pelvis", "spine3", "jaw")),
    *both_sides("shoulder", "elbow", "wrist", "knee", "ankle", "foot"),
]
_CONTACT_JOINTS = [INDEX["pelvis"], *both_sides("wrist", "foot")]
"""Joints whose distances between the dancers are features of the couple."""
_L2_PENALTY = 10.0
_OUTLIER = 8.0
"""Standard deviations at which a feature is clipped."""

Classifiers = Mapping[str, Pipeline]
"""A classifier for each kind of `classifier_features`."""


def classifier_features(partner: Array, leader: Array, fps: float) -> dict[str, Array]:
    """Features of each window for the classifiers: of the partner "alone", and of the "couple".

    partner, leader: (N, T, 29, 3) m.  Returns by kind (N, D): statistics of the pose, speed, acceleration and jerk of
    joints, of the feet's speed and height, and for the couple also of the leader's pose and the distances to it. They
    are invariant to where on the floor the couple is and to its heading.
    """
    own = _in_dancer_frame(partner, partner)[:, :, _JOINTS]
    other = _in_dancer_frame(leader, partner)[:, :, _CONTACT_JOINTS]
    velocity, acceleration, jerk = (
        np.linalg.norm(np.diff(partner[:, :, _JOINTS], n=n, axis=1), axis=-1) * fps**n for n in (1, 2, 3)
    )
    feet = np.linalg.norm(np.diff(partner[:, :, BALLS, :2], axis=1), axis=-1) * fps
    lowest = partner[:, :, TOES, 2].min(axis=-1)
    distances = np.linalg.norm(partner[:, :, _CONTACT_JOINTS, None] - leader[:, :, None, _CONTACT_JOINTS], axis=-1)
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
    interaction = [other.mean(axis=1), other.std(axis=1), distances.min(axis=1), distances.std(axis=1)]
    return {"alone": _flatten(alone), "couple": _flatten([*alone, *interaction])}


def _flatten(parts: list[Array]) -> Array:
    """Arrays (N, ...) side by side as (N, D)."""
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def _in_dancer_frame(positions: Array, dancer: Array) -> Array:
    """Positions (N, T, J, 3) in each frame's floor coordinates of `dancer` (N, T, 29, 3): pelvis and heading."""
    across = dancer[:, :, HIPS[0], :2] - dancer[:, :, HIPS[1], :2]
    across = across / np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-9)
    local = positions.copy()
    floor = positions[..., :2] - dancer[:, :, :1, :2]
    x, y = across[:, :, None, 0], across[:, :, None, 1]
    local[..., 0] = x * floor[..., 0] + y * floor[..., 1]
    local[..., 1] = -y * floor[..., 0] + x * floor[..., 1]
    return local


def train_classifiers(real: Mapping[str, Array], generated: Mapping[str, Array]) -> Classifiers:
    """Train a classifier on each kind of `classifier_features`."""
    return {kind: train_classifier(real[kind], generated[kind]) for kind in real}


def train_classifier(real: Array, generated: Array) -> Pipeline:
    """Train scikit-learn's logistic regression to tell generated features (M, D) from real ones (N, D).

    Features are standardised and clipped; the loss has an L2 penalty, and both classes weigh the same however many
    windows each has.
    """
    classifier = make_pipeline(
        StandardScaler(),
        FunctionTransformer(np.clip, kw_args={"a_min": -_OUTLIER, "a_max": _OUTLIER}),
        LogisticRegression(C=1.0 / _L2_PENALTY, class_weight="balanced", solver="newton-cholesky"),
    )
    return classifier.fit(np.concatenate([real, generated]), np.repeat([0, 1], [len(real), len(generated)]))


def roc_auc(real: Array, generated: Array) -> float:
    """ROC AUC of the classifier's scores of real (N,) and generated (M,) windows; 0.5 cannot be told apart."""
    if len(generated) == 0:
        return float("nan")
    labels = np.repeat([0, 1], [len(real), len(generated)])
    return float(roc_auc_score(labels, np.concatenate([real, generated])))
