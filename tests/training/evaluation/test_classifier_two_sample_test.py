"""The classifier two-sample test: what can be told apart, and what cannot."""

import numpy as np
import pytest

from rigs import rotations
from rigs.sample_dance.salsa import sample_dance
from tests.training.data.duet_files import duet
from training.evaluation.classifier_two_sample_test import classifier_features, roc_auc, train_classifier
from training.evaluation.features import windows


def test_auc_is_the_share_of_pairs_in_which_the_generated_one_scores_higher() -> None:
    rng = np.random.default_rng(1)
    real, generated = rng.integers(0, 9, 40).astype(float), rng.integers(2, 12, 25).astype(float)
    pairs = [(g > r) + 0.5 * (g == r) for g in generated for r in real]
    assert roc_auc(real, generated) == pytest.approx(np.mean(pairs))


def test_equal_windows_cannot_be_told_apart_and_far_ones_always() -> None:
    same = np.random.default_rng(2).normal(size=50)
    assert roc_auc(same, same) == 0.5
    assert roc_auc(same, same + 100.0) == 1.0
    assert np.isnan(roc_auc(same, same[:0]))


def test_one_distribution_gives_a_half_on_windows_unseen_in_training() -> None:
    rng = np.random.default_rng(3)
    areas = []
    for _ in range(10):
        classifier = train_classifier(rng.normal(size=(200, 20)), rng.normal(size=(150, 20)))
        areas.append(roc_auc(*(classifier.decision_function(rng.normal(size=(300, 20))) for _ in range(2))))
    assert np.mean(areas) == pytest.approx(0.5, abs=0.04)


def test_a_shift_is_told_as_well_as_it_can_be() -> None:
    """Normals 2 deviations apart: the best area is that of the normal distribution at 2 / sqrt 2."""
    rng = np.random.default_rng(4)
    classifier = train_classifier(rng.normal(size=(500, 5)), rng.normal(size=(500, 5)) + 2.0 * np.eye(5)[0])
    scores = [classifier.decision_function(rng.normal(size=(4000, 5)) + shift * np.eye(5)[0]) for shift in (0.0, 2.0)]
    assert roc_auc(*scores) == pytest.approx(0.921, abs=0.015)


def test_both_classes_weigh_the_same_however_many_windows_each_has() -> None:
    rng = np.random.default_rng(6)
    classifier = train_classifier(rng.normal(size=(900, 1)), rng.normal(size=(100, 1)) + 2.0)
    middle = float(classifier.decision_function(np.array([[1.0]]))[0])
    assert abs(middle) < 0.5  # unweighted, it would be about -log 9


def test_a_dancer_who_trembles_is_told_apart() -> None:
    leader, follower = (dancer.positions for dancer in duet(600))
    rng = np.random.default_rng(5)
    real = classifier_features(windows(follower, 30, 10), windows(leader, 30, 10), 30.0)["alone"]
    trembling = follower + rng.normal(size=follower.shape) * 0.01
    generated = classifier_features(windows(trembling, 30, 10), windows(leader, 30, 10), 30.0)["alone"]
    score = train_classifier(real[::2], generated[::2]).decision_function
    assert roc_auc(score(real[1::2]), score(generated[1::2])) > 0.99


def test_features_do_not_depend_on_where_the_couple_is() -> None:
    first, second = (windows(p, 30, 30) for p in (sample_dance().positions[:90], sample_dance().positions[100:190]))
    turned = [rotations.rotate(rotations.about_z(2.0), p) + np.array([5.0, 1.0, 0.0]) for p in (first, second)]
    for kind, features in classifier_features(first, second, 30.0).items():
        np.testing.assert_allclose(classifier_features(*turned, 30.0)[kind], features, atol=1e-6)


def test_features_of_the_partner_alone_do_not_depend_on_the_leader() -> None:
    first, second = (windows(p, 30, 30) for p in (sample_dance().positions[:90], sample_dance().positions[100:190]))
    here, there = classifier_features(first, second, 30.0), classifier_features(first, second + 1.0, 30.0)
    np.testing.assert_array_equal(here["alone"], there["alone"])
    assert np.abs(here["couple"] - there["couple"]).max() > 0.5
