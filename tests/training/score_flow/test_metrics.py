"""Metrics of score-flow on music and predictions whose result is known."""

import numpy as np
import pytest
import torch

from backend.models.score_flow.bar_features import DRUM_ROWS, PITCHED_ROWS, ROWS, Bars
from backend.music.score import Note, Score, part_from_notes
from rigs import Array
from rigs.choreography.beat_tracking import track_beats
from rigs.sample_dance.salsa import sample_dance
from training.score_flow.metrics import (
    GALLERY_SIZE,
    GridMetrics,
    OnsetScores,
    RetrievalRecall,
    best_f1,
    f1,
    foot_speed_at_drums,
    format_metrics,
    gallery_recall,
    share_within_range,
)


def random_bars(seed: int, density: float, bars: int = 8) -> Bars:
    rng = np.random.default_rng(seed)
    onset = rng.random((bars, 16, ROWS)) < density
    return Bars(onset, onset[..., DRUM_ROWS:], np.zeros((bars, 16, DRUM_ROWS + 3)))


def test_f1_counts_notes_that_both_have() -> None:
    predicted, real = torch.tensor([True, True, False, False]), torch.tensor([True, False, True, False])
    assert f1(predicted, real) == pytest.approx(0.5)
    assert f1(real, real) == 1.0
    assert f1(predicted & ~predicted, real) == 0.0


def test_the_best_threshold_is_found() -> None:
    real = torch.rand(50, 40, generator=torch.Generator().manual_seed(0)) < 0.1
    assert best_f1(0.3 * real + 0.2, real) == 1.0
    everything = best_f1(torch.full(real.shape, 0.5), real)
    assert everything == pytest.approx(2 * real.float().mean().item() / (1 + real.float().mean().item()), rel=1e-4)


def test_recall_of_the_nearest_is_1_and_of_noise_by_chance() -> None:
    others = ~np.eye(200, dtype=bool)
    assert gallery_recall(np.eye(200), others) == RetrievalRecall(1.0, 1.0)
    noise = np.random.default_rng(0).random((200, 200))
    found = gallery_recall(noise, others)
    assert found.at_1 == pytest.approx(1 / GALLERY_SIZE, abs=0.02)
    assert found.at_5 == pytest.approx(5 / GALLERY_SIZE, abs=0.05)


def test_the_gain_that_another_dance_loses() -> None:
    assert OnsetScores(
        mean=0.2, predicted=0.4, other_pair=0.25, other_dance=0.3, sampled=0.3, variance_ratio=1.0
    ).lost_gain == pytest.approx(0.75)
    assert np.isnan(
        OnsetScores(mean=0.4, predicted=0.3, other_pair=0.2, other_dance=0.2, sampled=0.2, variance_ratio=1.0).lost_gain
    )


def test_pieces_like_real_ones_are_within_range() -> None:
    real = [random_bars(seed, 0.05 + 0.002 * seed) for seed in range(20)]
    like = share_within_range([random_bars(100 + seed, 0.07) for seed in range(5)], real)
    dense = share_within_range([random_bars(100 + seed, 0.5) for seed in range(5)], real)
    assert like["drums, notes a bar"] == like["melody, notes a bar"] == 1.0
    assert like["bass, rhythm"] > 0.7
    assert dense["drums, notes a bar"] == dense["bass, notes a bar"] == 0.0


def test_a_shifted_register_is_out_of_range() -> None:
    real = [random_bars(seed, 0.1) for seed in range(20)]
    low = random_bars(50, 0.1)
    onset = low.onset.copy()
    onset[..., DRUM_ROWS + 24 + 12 + 12 :] = False
    moved = share_within_range([Bars(onset, np.zeros((8, 16, PITCHED_ROWS), bool), low.velocity)], real)
    assert moved["melody, median pitch"] == 0.0


def test_metrics_are_formatted_by_part() -> None:
    text = format_metrics(
        GridMetrics(
            {"drums": OnsetScores(0.2, 0.4, 0.25, 0.3, 0.35, 0.9)},
            RetrievalRecall(0.1, 0.3),
            RetrievalRecall(0.1, 0.2),
            7,
        )
    )
    assert "| drums | 0.200 | 0.400 | 0.250 | 0.300 | 75% | 0.350 | 0.90 |" in text
    assert "7 bars" in text


def test_feet_are_slow_at_drums_in_time() -> None:
    dancer = sample_dance()
    beats = track_beats(dancer).times
    halfway = (beats[1:] + beats[:-1]) / 2.0

    def struck(moments: Array) -> Score:
        seconds = np.append(moments, moments[-1] + 0.1)
        kicks = part_from_notes([Note(36, 90, step, step + 1) for step in range(len(moments))], len(moments))
        return Score(kicks, part_from_notes([], len(moments)), part_from_notes([], len(moments)), seconds)

    assert foot_speed_at_drums(struck(beats), dancer) < 0.8 < 1.0 < foot_speed_at_drums(struck(halfway), dancer)
