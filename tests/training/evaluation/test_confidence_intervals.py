"""Bootstrap intervals: their coverage, and metrics that are unknown."""

import numpy as np

from training.evaluation.confidence_intervals import Estimate, bootstrap_estimates


def test_intervals_cover_the_mean_as_often_as_they_say() -> None:
    """Means of 40 normal values: their intervals are right in about 90 of 100 samples."""
    rng = np.random.default_rng(1)
    covered = 0
    for sample in range(200):
        values = [{"x": v} for v in rng.normal(size=40)]

        def mean(resample: list[dict[str, float]]) -> dict[str, float]:
            return {"x": float(np.mean([row["x"] for row in resample])) + 10.0}

        estimate = bootstrap_estimates(values, mean, sample)["x"]
        covered += estimate.low <= 10.0 <= estimate.high
    assert 165 <= covered <= 195


def test_a_metric_that_no_frame_has_stays_unknown() -> None:
    assert np.isnan(bootstrap_estimates([1, 2], lambda resample: {"x": float("nan")})["x"].value)
    assert isinstance(bootstrap_estimates([1, 2], lambda resample: {"x": float(sum(resample))})["x"], Estimate)


def test_an_interval_is_never_below_zero() -> None:
    estimate = bootstrap_estimates([0.0, 0.0, 3.0], lambda resample: {"x": float(np.mean(resample))})["x"]
    assert 0.0 <= estimate.low <= estimate.value <= estimate.high
