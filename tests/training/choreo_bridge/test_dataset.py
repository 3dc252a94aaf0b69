"""choreo-bridge's windows of pairs and their batches."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.models.choreo_bridge.network import ChoreoBridgeConfig
from backend.music.piano_roll import piano_roll
from rigs.files import BadFile
from tests.training.choreo_bridge.pairs import STEP, pairs
from training.choreo_bridge.dataset import PairWindows, pair_windows
from training.choreo_bridge.task import ChoreoBridgeTrainingConfig, training_batches
from training.experiment.config import CONFIGS, read_config

CONFIG = CONFIGS / "choreo-bridge.toml"
SMALL = ChoreoBridgeConfig(latent=8, bridge=4)


@pytest.fixture(scope="module")
def windows() -> PairWindows:
    return pair_windows(pairs(), joints=29)


@pytest.fixture(scope="module")
def config() -> ChoreoBridgeTrainingConfig:
    return read_config(CONFIG, ChoreoBridgeTrainingConfig)[1]


def test_a_window_holds_the_music_and_the_dance_of_the_same_two_bars(windows: PairWindows) -> None:
    """Four bars of music and six seconds of dance have three windows, each a bar after the one before."""
    assert len(windows) == 9
    assert windows.songs == tuple(f"song{n}" for n in (0, 0, 0, 1, 1, 1, 2, 2, 2))
    pair = pairs()[1]
    music, dance = (part.numpy() for part in windows.windows)
    np.testing.assert_array_equal(music[4], piano_roll(pair.score)[16:48])
    at = 16 * STEP * 30.0  # the second bar's first frame
    assert at == 40.0
    here = pair.dancer.positions[40] - pair.dancer.root[40]
    np.testing.assert_allclose(dance[4, 0], here, atol=1e-6)
    np.testing.assert_array_equal(dance[4, 16], dance[5, 0])


def test_windows_end_with_the_dance() -> None:
    pair = pairs(1)[0]
    short = replace(pair, dancer=pair.dancer[:125])
    assert len(pair_windows([short], 29)) == 2
    with pytest.raises(BadFile, match="take0: two bars of dance and music or more expected"):
        pair_windows([replace(pair, dancer=pair.dancer[:60])], 29)


def test_batches_are_the_same_after_an_interruption(windows: PairWindows, config: ChoreoBridgeTrainingConfig) -> None:
    whole = list(training_batches(windows, replace(config, batch=4, epochs=2)))
    assert len(whole) == 8  # both halves
    later = training_batches(windows, replace(config, batch=4, epochs=2))
    later.start = 5
    assert all(torch.equal(one.dance, two.dance) for one, two in zip(whole[5:], later, strict=True))
