"""The training of the choreographic bridge: what it sees, what each half trains, its table, and a whole run."""

import json
import math
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from backend.models.choreo_bridge.network import ChoreoBridge, ChoreoBridgeConfig, load
from backend.music.piano_roll import piano_roll
from rigs.files import BadFile
from tests.conftest import ROOT
from tests.training.choreo_bridge.pairs import STEP, folder_of_pairs, pairs
from training.choreo_bridge.dataset import PairWindows, pair_windows
from training.choreo_bridge.evaluate import (
    TRANSLATIONS,
    error_table,
    f1_score,
    mean_window,
    mismatched_windows,
    window_metrics,
)
from training.choreo_bridge.task import (
    ChoreoBridgeTrainingConfig,
    bridge_terms,
    loss_terms,
    reconstruction_error,
    training_batches,
    vae_terms,
)
from training.experiment.config import CONFIGS, read_config
from training.experiment.losses import sliced_wasserstein_distance

CONFIG = CONFIGS / "choreo-bridge.toml"
SMALL = ChoreoBridgeConfig(latent=8, bridge=4)


@pytest.fixture(scope="module")
def windows() -> PairWindows:
    return pair_windows(pairs(), joints=29)


@pytest.fixture
def network() -> ChoreoBridge:
    torch.manual_seed(0)
    return ChoreoBridge(SMALL)


@pytest.fixture(scope="module")
def config() -> ChoreoBridgeTrainingConfig:
    return read_config(CONFIG, ChoreoBridgeTrainingConfig)[1]


def trained_parts(network: ChoreoBridge) -> set[str]:
    """The parts of the network that have a gradient."""
    named = network.named_parameters()
    return {name.rsplit(".", 1)[0].split(".")[0] for name, p in named if p.grad is not None and p.grad.abs().max() > 0}


def test_the_hyperparameters_are_the_published_ones(config: ChoreoBridgeTrainingConfig) -> None:
    tables, _ = read_config(CONFIG, ChoreoBridgeTrainingConfig)
    assert (config.kl_weight, config.bridge_kl_weight, config.wasserstein_weight) == (0.1, 0.005, 10.0)
    assert (config.epochs, config.learning_rate) == (50, 1e-3)
    assert ChoreoBridgeConfig(**tables["network"]) == ChoreoBridgeConfig(29, 128, 32)


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


def test_blazepose_landmarks_can_be_trained_on(config: ChoreoBridgeTrainingConfig) -> None:
    seen = pair_windows(pairs(1), joints=33)
    assert seen.windows.dance.shape == (3, 32, 33, 3)
    network = ChoreoBridge(replace(SMALL, joints=33))
    torch.stack(list(vae_terms(network, seen.windows, config).values())).sum().backward()
    assert network.translate(seen.windows.music, "music", "dance").shape == seen.windows.dance.shape


def test_batches_are_the_same_after_an_interruption(windows: PairWindows, config: ChoreoBridgeTrainingConfig) -> None:
    whole = list(training_batches(windows, replace(config, batch=4, epochs=2)))
    assert len(whole) == 8  # both halves
    later = training_batches(windows, replace(config, batch=4, epochs=2))
    later.start = 5
    assert all(torch.equal(one.dance, two.dance) for one, two in zip(whole[5:], later, strict=True))


def test_the_first_half_trains_the_vaes_and_the_second_the_bridge_alone(
    network: ChoreoBridge, windows: PairWindows, config: ChoreoBridgeTrainingConfig
) -> None:
    for step, part in ((0, "vaes"), (10, "bridges")):
        network.zero_grad()
        torch.stack(list(loss_terms(network, windows.windows, config, step, 10).values())).sum().backward()
        assert trained_parts(network) == {part}


def test_terms_have_the_configurations_weights(
    network: ChoreoBridge, windows: PairWindows, config: ChoreoBridgeTrainingConfig
) -> None:
    def terms(**changes: float) -> dict[str, float]:
        torch.manual_seed(1)
        losses = bridge_terms(network, windows.windows, replace(config, **changes))
        return {name: float(term.detach()) for name, term in losses.items()}

    configured, more = terms(), terms(wasserstein_weight=30.0, bridge_kl_weight=0.05)
    assert more["distance"] == pytest.approx(3.0 * configured["distance"])
    assert more["dance_bridge_divergence"] == pytest.approx(10.0 * configured["dance_bridge_divergence"])
    assert more["dance_bridged"] == configured["dance_bridged"]


def test_a_summed_error_is_that_of_a_whole_window() -> None:
    reconstructed, truth = torch.zeros(5, 32, 128), torch.full((5, 32, 128), 0.5)
    assert float(reconstruction_error(reconstructed, truth, summed=False)) == 0.25
    assert float(reconstruction_error(reconstructed, truth, summed=True)) == 0.25 * 4096


def test_the_sliced_distance_is_that_of_sorted_projections() -> None:
    """Beside scipy's distance, which for points moved all one way is what they were moved by."""
    generator = torch.Generator().manual_seed(2)
    one, axes = torch.randn(200, 3, generator=generator), torch.eye(3)
    two = one[torch.randperm(200, generator=generator)] + torch.tensor([0.3, -0.2, 0.0])
    first = wasserstein_distance(one[:, 0].numpy(), two[:, 0].numpy())
    assert first == pytest.approx(0.3, abs=1e-5)
    assert float(sliced_wasserstein_distance(one, two, axes)) == pytest.approx((0.3**2 + 0.2**2) / 3, rel=1e-4)
    assert float(sliced_wasserstein_distance(one, one[torch.randperm(200)], axes)) == pytest.approx(0.0, abs=1e-9)


def test_both_halves_learn(network: ChoreoBridge, windows: PairWindows, config: ChoreoBridgeTrainingConfig) -> None:
    """On nine windows that they see again and again, each half ends far below where it began."""
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    for bridge_start, names in ((99, ("music", "dance")), (0, ("music_bridged", "dance_bridged"))):
        course = []
        for step in range(25):
            optimizer.zero_grad()
            terms = loss_terms(network, windows.windows, config, step, bridge_start)
            torch.stack(list(terms.values())).sum().backward()
            optimizer.step()
            course.append(sum(float(terms[name].detach()) for name in names))
        assert course[-1] < 0.7 * course[0]


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


def test_an_input_that_counts_is_told_from_another_ones(windows: PairWindows) -> None:
    """A perfect translator, which knows every window by heart, fails when it is given another pair's."""

    class Knowing(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.nothing = torch.nn.Parameter(torch.zeros(1))

        def reconstruct(self, given: torch.Tensor, side: str) -> torch.Tensor:
            return given

        def translate(self, given: torch.Tensor, source: str, target: str) -> torch.Tensor:
            known = windows.windows.modality(source).flatten(1)
            nearest = torch.cdist(given.flatten(1), known).argmin(dim=1)
            return windows.windows.modality(target)[nearest]

    table = error_table(Knowing(), windows, mean_window(windows.windows))  # type: ignore[arg-type]
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


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_pairs(tmp_path_factory.mktemp("data") / "pairs")


@pytest.fixture(scope="module")
def short_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve small steps, half of them for the bridge."""
    text = CONFIG.read_text()
    for name, value in (("epochs", 3), ("batch", 3), ("latent", 8), ("bridge", 4)):
        text, changed = re.subn(rf"^{name} = \d+", f"{name} = {value}", text, flags=re.MULTILINE)
        assert changed == 1
    path = tmp_path_factory.mktemp("config") / "config.toml"
    path.write_text(text)
    return path


def command(data: Path, run: Path, *more: str) -> list[str]:
    script = str(ROOT / "training" / "train.py")
    return [sys.executable, script, "choreo-bridge", "--data", str(data), "--out", str(run), *more]


@pytest.fixture(scope="module")
def whole_run(data: Path, short_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    done = subprocess.run(
        command(data, run, "--config", str(short_config)), capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stderr
    return run


def test_a_run_leaves_weights_and_a_card_with_the_table(whole_run: Path) -> None:
    names = {"best.ckpt", "last.ckpt", "curves", "choreo-bridge.safetensors", "choreo-bridge.md"}
    assert {path.name for path in whole_run.iterdir()} == names
    assert load(whole_run / "choreo-bridge.safetensors").network.config == SMALL
    card = (whole_run / "choreo-bridge.md").read_text()
    for part in (
        "| train | take0, take1 |",
        "| test | take3 |",
        "| cycle: dance to music to dance |",
        "Synthetic pairs",
    ):
        assert part in card


def test_an_interrupted_run_goes_on_as_if_nothing_had_been(
    data: Path, short_config: Path, whole_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    process = subprocess.Popen(
        command(data, run, "--config", str(short_config)), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    while not (run / "last.ckpt").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=120)
    assert process.returncode == 130, text
    again = command(data, run, "--config", str(short_config), "--resume")
    done = subprocess.run(again, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    ours, theirs = (torch.load(r / "last.ckpt", weights_only=True) for r in (run, whole_run))
    assert ours["global_step"] == theirs["global_step"] == 12
    for name, tensor in theirs["state_dict"].items():
        assert torch.equal(ours["state_dict"][name], tensor), name


def test_evaluating_prints_the_table_with_its_controls(
    data: Path, whole_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from training.evaluate import evaluate

    monkeypatch.setenv("PASDEDEUX_WEIGHTS", str(whole_run))
    evaluate(data, "choreo-bridge", json=tmp_path / "metrics.json", parts=("validation",))
    output = capsys.readouterr().out
    assert "validation: 3 windows, 1 songs, take2" in output
    for row in TRANSLATIONS:
        assert row.name in output
    report = json.loads((tmp_path / "metrics.json").read_text())
    row = report["validation"]["rows"]["bridge: music to dance"]
    assert row.keys() == {"model", "mean", "shuffled"}
    assert row["model"]["error"] > 0.0
    assert row["model"]["notes"] is None
    with pytest.raises(BadFile, match="--plot: a model that generates partners expected"):
        evaluate(data, "choreo-bridge", plot=tmp_path / "metrics.png")
