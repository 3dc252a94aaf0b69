"""Reference of real couples: feature distributions and samples with which generated partners are compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rigs import Array
from training.data.duets import Duet, pelvis_distance
from training.evaluation import interaction, plausibility
from training.evaluation.classifier_two_sample_test import classifier_features
from training.evaluation.features import window_features, windows
from training.evaluation.frechet import FeatureDistribution

CLASSIFIER_WINDOW, CLASSIFIER_HOP = 30, 10
"""Frames of a window that the classifier sees, and from one to the next, at 30 fps."""
CLIP, CLIP_HOP = 300, 30
"""Frames of a clip for the published FID, and from one to the next. Duolando's are whole recordings of about 70 s, of
which a held-out part has too few: compare values with the real partner's first, then with a paper's."""


@dataclass(frozen=True)
class RealReference:
    """Feature distributions and samples of real couples.

    training: by kind of feature, the windows of the training recordings.  evaluated: those of the evaluated recordings.
    published: by kind of feature, the clips of both, as the published FID is taken; empty without two clips.
    distance, facing: (F,) m and degrees, of the evaluated couples.
    classifier_features: by kind (N, D), of the evaluated couples.
    """

    training: Mapping[str, FeatureDistribution]
    evaluated: Mapping[str, FeatureDistribution]
    published: Mapping[str, FeatureDistribution]
    distance: Array
    facing: Array
    classifier_features: Mapping[str, Array]


def concatenate_by_name(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Concatenate arrays of the same name."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def fit_feature_distributions(duets: Sequence[Duet], dancer: int = 1) -> dict[str, FeatureDistribution]:
    """Fit the feature distributions of real windows by kind.  dancer: 0 for the duets' leaders, 1 for the followers."""
    couples = [duet.positions() for duet in duets]
    features = [window_features(couple[dancer], couple[1 - dancer]) for couple in couples]
    return {kind: FeatureDistribution.fit(rows) for kind, rows in concatenate_by_name(features).items()}


def clip_features(partner: Array, leader: Array) -> dict[str, Array]:
    """Features of all clips of a couple, (F, 29, 3) m each, for the published FID: by kind (N, D)."""
    return window_features(partner, leader, CLIP, CLIP_HOP)


def classifier_windows(partner: Array, leader: Array, fps: float) -> dict[str, Array]:
    """Classifier features of all windows of a couple, (F, 29, 3) m each: by kind (N, D).

    Beside the kinds of `classifier_features` there is "slow": the couple's movement below 6 Hz, without capture noise.
    """
    length, hop = CLASSIFIER_WINDOW, CLASSIFIER_HOP
    features = classifier_features(windows(partner, length, hop), windows(leader, length, hop), fps)
    slow_partner, slow_leader = (
        windows(plausibility.low_pass(dancer, fps), length, hop) for dancer in (partner, leader)
    )
    return {**features, "slow": classifier_features(slow_partner, slow_leader, fps)["couple"]}


def real_reference(train: Sequence[Duet], duets: Sequence[Duet], history: int) -> RealReference:
    """The reference of real training couples and of the evaluated `duets` after their first `history` frames."""
    training = fit_feature_distributions(train)
    fps = duets[0].leader.fps
    couples = [duet.positions()[:, history:] for duet in duets]
    features = concatenate_by_name([window_features(follower, leader) for leader, follower in couples])
    whole = [duet.positions() for duet in [*train, *duets]]
    clips = concatenate_by_name([clip_features(follower, leader) for leader, follower in whole])
    return RealReference(
        training,
        {kind: training[kind].refit(rows) for kind, rows in features.items()},
        {kind: FeatureDistribution.fit_published(rows) for kind, rows in clips.items() if len(rows) > 1},
        np.concatenate([pelvis_distance(follower, leader) for leader, follower in couples]),
        np.concatenate([interaction.facing_angle(follower, leader) for leader, follower in couples]),
        concatenate_by_name([classifier_windows(follower, leader, fps) for leader, follower in couples]),
    )
