"""choreo-bridge's training: its loss terms, what each phase trains, and whole runs."""

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from scipy.stats import wasserstein_distance

from backend.models.choreo_bridge.network import ChoreoBridge, ChoreoBridgeConfig, load
from rigs.files import BadFile
from tests.conftest import ROOT
from tests.training.choreo_bridge.pairs import folder_of_pairs, pairs
from training.choreo_bridge.dataset import PairWindows, pair_windows
from training.choreo_bridge.evaluate import TRANSLATIONS
from training.choreo_bridge.task import (
    ChoreoBridgeTrainingConfig,
    bridge_terms,
    loss_terms,
    reconstruction_error,
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


def test_blazepose_landmarks_can_be_trained_on(config: ChoreoBridgeTrainingConfig) -> None:
    blazepose_windows = pair_windows(pairs(1), joints=33)
    assert blazepose_windows.windows.dance.shape == (3, 32, 33, 3)
    network = ChoreoBridge(replace(SMALL, joints=33))
    torch.stack(list(vae_terms(network, blazepose_windows.windows, config).values())).sum().backward()
    assert (
        network.translate(blazepose_windows.windows.music, "music", "dance").shape
        == blazepose_windows.windows.dance.shape
    )


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


def test_both_phases_learn(network: ChoreoBridge, windows: PairWindows, config: ChoreoBridgeTrainingConfig) -> None:
    """On nine windows that they see again and again, each phase ends far below where it began."""
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
    # Graphs too, as this network has not the shipped one's shape.
    names |= {f"choreo-bridge.{name}" for name in ("graphs.json", "dance_to_music.onnx", "music_to_dance.onnx")}
    assert {path.name for path in whole_run.iterdir()} == names
    assert load(whole_run / "choreo-bridge.safetensors").config == SMALL
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
