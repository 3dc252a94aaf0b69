"""choreo-bridge's evaluation: the published table and its baselines."""

import math
from dataclasses import replace

import pytest
import torch

from backend.models.choreo_bridge.network import ChoreoBridge, ChoreoBridgeConfig
from tests.training.choreo_bridge.pairs import pairs
from training.choreo_bridge.dataset import PairWindows, pair_windows
from training.choreo_bridge.evaluate import (
    TRANSLATIONS,
    error_table,
    f1_score,
    mean_window,
    mismatched_windows,
    window_metrics,
)
from training.experiment.config import CONFIGS

CONFIG = CONFIGS / "choreo-bridge.toml"
SMALL = ChoreoBridgeConfig(latent=8, bridge=4)


@pytest.fixture(scope="module")
def windows() -> PairWindows:
    return pair_windows(pairs(), joints=29)


@pytest.fixture
def network() -> ChoreoBridge:
    torch.manual_seed(0)
    return ChoreoBridge(SMALL)


def test_the_table_has_the_published_rows_and_the_mean_window_scores_by_its_closed_form(
    network: ChoreoBridge, windows: PairWindows
) -> None:
    table = error_table(network, windows, mean_window(windows.windows))
    assert list(table) == [row.name for row in TRANSLATIONS]
    assert len(table) == 7
    for row in TRANSLATIONS:
        metrics = table[row.name]
        variance = float(windows.windows.modality(row.target).var(0, correction=0).mean())
        assert metrics.mean.error == pytest.approx(variance, rel=1e-4)
        assert metrics.mean.variance == pytest.approx(0.0, abs=1e-9)
        assert math.isnan(metrics.model.notes) == (row.target == "dance")


def test_a_perfect_translator_is_better_than_both_baselines(windows: PairWindows) -> None:
    """It looks every window up, and fails when it is given another pair's."""

    class PerfectTranslator(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.nothing = torch.nn.Parameter(torch.zeros(1))

        def reconstruct(self, given: torch.Tensor, side: str) -> torch.Tensor:
            return given

        def translate(self, given: torch.Tensor, source: str, target: str) -> torch.Tensor:
            sources = windows.windows.modality(source).flatten(1)
            nearest = torch.cdist(given.flatten(1), sources).argmin(dim=1)
            return windows.windows.modality(target)[nearest]

    table = error_table(PerfectTranslator(), windows, mean_window(windows.windows))  # type: ignore[arg-type]
    for metrics in table.values():
        assert metrics.model.error == pytest.approx(0.0, abs=1e-12)
        assert metrics.model.variance == pytest.approx(1.0)
        assert metrics.shuffled.error > 0.5 * metrics.mean.error


def test_other_windows_have_other_music_and_other_dancers(windows: PairWindows) -> None:
    order = mismatched_windows(windows).tolist()
    assert all(windows.songs[here] != windows.songs[there] for here, there in enumerate(order))
    same_dance = replace(windows, recordings=("take0",) * 6 + ("take1",) * 3)
    for here, there in enumerate(mismatched_windows(same_dance).tolist()):
        assert same_dance.recordings[here] != same_dance.recordings[there]


def test_notes_are_scored_where_they_sound_at_the_published_threshold() -> None:
    truth = torch.zeros(1, 32, 128)
    truth[0, :4, 60] = 0.1  # quiet, but it sounds
    predicted = torch.zeros(1, 32, 128)
    predicted[0, :2, 60], predicted[0, 2, 60], predicted[0, 9, 60] = 0.3, 0.25, 0.3
    assert window_metrics(predicted, truth, "music").notes == pytest.approx(2 * 2 / (3 + 4))
    assert f1_score(torch.zeros(3, dtype=torch.bool), torch.zeros(3, dtype=torch.bool)) == 1.0
