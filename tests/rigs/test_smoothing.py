"""Moving averages and maxima, runs of frames and blended offsets, against their definitions and scipy."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from rigs.smoothing import (
    blend_offsets,
    debounced_runs,
    gaussian_average,
    hann_average,
    moving_maximum,
    true_runs,
    upper_envelope,
)

VALUES = np.random.default_rng(0).normal(size=(40, 3))


def test_the_average_of_a_constant_is_the_constant() -> None:
    np.testing.assert_allclose(hann_average(np.full((9, 2), 3.0), 4), 3.0)


def test_a_hann_average_weighs_values_by_a_raised_cosine() -> None:
    weights = np.sin(np.pi * np.arange(1, 6) / 6.0) ** 2
    expected = (VALUES[8:13] * weights[:, None]).sum(axis=0) / weights.sum()
    np.testing.assert_allclose(hann_average(VALUES, 2)[10], expected)


def test_a_gaussian_average_is_scipys_filter() -> None:
    expected = gaussian_filter1d(VALUES, 2.0, axis=0, mode="nearest", truncate=3.0)
    np.testing.assert_allclose(gaussian_average(VALUES, 2.0), expected)
    mirrored = gaussian_filter1d(VALUES, 2.0, axis=0, mode="reflect", truncate=4.0)
    np.testing.assert_allclose(gaussian_average(VALUES, 2.0, reach=8, pad="symmetric"), mirrored)


def test_a_moving_maximum_is_scipys_filter() -> None:
    assert np.array_equal(moving_maximum(VALUES, 3), maximum_filter1d(VALUES, 7, axis=0, mode="nearest"))


@pytest.mark.parametrize("reach", [0, 1, 5])
def test_an_upper_envelope_is_nowhere_below_the_values(reach: int) -> None:
    assert (upper_envelope(VALUES[:, 0], reach) >= VALUES[:, 0] - 1e-12).all()


def test_an_upper_envelope_rises_smoothly_to_a_single_peak() -> None:
    peak = np.zeros(41)
    peak[20] = 1.0
    envelope = upper_envelope(peak, 4)
    assert envelope[20] == pytest.approx(1.0)
    assert envelope[[11, 29]] == pytest.approx(0.0)
    assert (np.diff(envelope[:21]) >= -1e-12).all()


def test_runs_are_those_of_true_that_are_long_enough() -> None:
    mask = np.array([1, 1, 0, 1, 0, 0, 1, 1, 1], bool)
    assert true_runs(mask) == [(0, 2), (3, 4), (6, 9)]
    assert true_runs(mask, 2) == [(0, 2), (6, 9)]
    assert true_runs(np.zeros(3, bool)) == []


def test_debounced_runs_close_short_gaps_and_drop_short_runs() -> None:
    mask = np.array([1, 1, 0, 1, 0, 0, 1, 0, 0, 1, 1], bool)
    assert debounced_runs(mask, 2) == [(0, 4), (9, 11)]


def test_offsets_hold_in_their_runs_and_fade_around_them() -> None:
    offsets = np.ones((30, 1))
    blended = blend_offsets(offsets, [(12, 15)], 4)[:, 0]
    assert (blended[12:15] == 1.0).all()
    assert (blended[:8] == 0.0).all()
    assert (blended[19:] == 0.0).all()
    assert (np.diff(blended[8:12]) > 0.0).all()
    assert (np.diff(blended[15:19]) < 0.0).all()


def test_offsets_of_near_runs_go_over_into_each_other() -> None:
    offsets = np.where(np.arange(30) < 12, 1.0, 3.0)[:, None]
    blended = blend_offsets(offsets, [(5, 10), (14, 20)], 4)[:, 0]
    assert (np.diff(blended[9:15]) > 0.0).all()
    assert blended[9] == 1.0
    assert blended[14] == 3.0
