"""Easing curves, against their definitions."""

import numpy as np
import pytest

from rigs.easing import bump, minimum_jerk, minimum_jerk_path, smoothstep

T = np.linspace(-0.5, 1.5, 2001)


def test_smoothstep_is_the_cubic_between_its_ends() -> None:
    np.testing.assert_allclose(smoothstep(T), np.interp(T, T, 3 * np.clip(T, 0, 1) ** 2 - 2 * np.clip(T, 0, 1) ** 3))
    assert smoothstep(np.array([-1.0, 0.0, 0.5, 1.0, 2.0])).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]


def test_smoothstep_of_a_tensor_is_that_of_an_array() -> None:
    torch = pytest.importorskip("torch")
    assert np.array_equal(smoothstep(torch.from_numpy(T)).numpy(), smoothstep(T))


def test_a_minimum_jerk_move_starts_and_ends_at_rest() -> None:
    x = minimum_jerk(T, 0.0, 1.0)
    assert (x[T <= 0.0] == 0.0).all()
    assert (x[T >= 1.0] == 1.0).all()
    for derivative in (1, 2):
        change = np.diff(x, n=derivative) / (T[1] - T[0]) ** derivative
        assert np.abs(change[np.searchsorted(T, [0.0, 1.0])]).max() < 0.2
    assert np.diff(x).max() / (T[1] - T[0]) == pytest.approx(1.875, abs=1e-3)  # the peak speed of Flash and Hogan


def test_a_path_reaches_each_of_its_keys() -> None:
    keys = np.array([[0.0, 1.0], [2.0, -1.0], [1.0, 0.0]])
    path = minimum_jerk_path(np.array([0.0, 1.5, 2.5]), [0.0, 1.0, 2.0], keys, 0.25, 0.25)
    np.testing.assert_allclose(path, keys)


def test_a_bump_is_one_halfway_and_zero_outside() -> None:
    x = bump(np.array([0.0, 1.0, 2.0, 3.0, 9.0]), 1.0, 3.0)
    np.testing.assert_allclose(x, [0.0, 0.0, 1.0, 0.0, 0.0])
