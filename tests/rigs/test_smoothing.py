"""Running means and running highest values, against their definitions."""

import numpy as np

from rigs.smoothing import averaged, highest

VALUES = np.random.default_rng(0).normal(size=(40, 3))


def test_what_does_not_change_is_its_own_mean() -> None:
    np.testing.assert_allclose(averaged(np.full((9, 2), 3.0), 4), 3.0)


def test_a_mean_weighs_the_values_around_by_their_nearness() -> None:
    near = np.sin(np.pi * np.arange(1, 6) / 6.0) ** 2
    expected = (VALUES[8:13] * near[:, None]).sum(axis=0) / near.sum()
    np.testing.assert_allclose(averaged(VALUES, 2)[10], expected)


def test_the_highest_is_that_of_the_frames_around() -> None:
    found = highest(VALUES, 3)
    assert np.array_equal(found[10], VALUES[7:14].max(axis=0))
    assert np.array_equal(found[0], VALUES[:4].max(axis=0))
