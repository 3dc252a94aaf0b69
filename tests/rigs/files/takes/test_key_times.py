"""The frame rate of keyframes: dense ones tell it, sparse and uneven ones do not."""

import numpy as np
import pytest

from rigs.files.takes.key_times import keyed_frame_rate, sampling_rate, usual_rate


@pytest.mark.parametrize(
    "rate", [23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 59.94, 60.0, 100.0, 119.875, 119.88, 120.0, 240.0]
)
@pytest.mark.parametrize("start", [0.0, 1.0 / 30.0, 100.0])
def test_keyframes_on_every_frame_tell_the_rate(rate: float, start: float) -> None:
    times = (start + np.arange(300) / rate).astype(np.float32)
    assert keyed_frame_rate(times) == pytest.approx(rate, rel=2e-5)


def test_gaps_of_whole_frames_do_not_matter() -> None:
    frames = np.delete(np.arange(300), np.random.default_rng(1).choice(300, 90, replace=False))
    assert keyed_frame_rate(frames / 30.0) == 30.0


@pytest.mark.parametrize("spacing", [0.4, 0.08, 1.0 / 15.0, 0.5, 2.0])
def test_sparse_keyframes_tell_none(spacing: float) -> None:
    assert keyed_frame_rate(np.arange(30) * spacing) is None


def test_uneven_and_few_keyframes_tell_none() -> None:
    assert keyed_frame_rate(np.cumsum(np.random.default_rng(2).uniform(0.01, 0.1, 200))) is None
    assert keyed_frame_rate(np.array([0.0, 1.0 / 30.0])) is None
    assert keyed_frame_rate(np.array([])) is None


@pytest.mark.parametrize(
    ("stated", "expected"),
    [(30.0, 30.0), (29.97, 29.97), (20.0, 20.0), (12.5, 25.0), (2.5, 25.0), (12.0, 24.0), (15.0, 30.0), (10.0, 30.0)],
)
def test_slow_rates_are_sampled_at_a_usual_multiple(stated: float, expected: float) -> None:
    assert sampling_rate(stated) == expected


def test_slow_rates_without_a_usual_multiple_are_still_sampled_often_enough() -> None:
    rate = sampling_rate(3.37)
    assert 24.0 <= rate <= 60.0
    assert rate / 3.37 == pytest.approx(round(rate / 3.37))


@pytest.mark.parametrize("rate", [2.5, 12.5, 15.0, 47.3, 22.5])
def test_odd_rates_are_not_usual(rate: float) -> None:
    assert usual_rate(rate) is None


def test_rates_within_rounding_are_usual() -> None:
    assert usual_rate(1.0 / 0.0333333) == 30.0
    assert usual_rate(1.0 / 0.0333) == pytest.approx(30.03, abs=1e-3)
    assert usual_rate(119.88012) == 119.88
