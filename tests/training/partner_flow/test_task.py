"""Training of partner-flow: its buffers, runs of a few steps, their weights, and resuming."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.models.motion_flow.conditions import MotionFlowConfig
from backend.models.partner_flow.network import PartnerFlow
from rigs.files import BadFile
from tests.training.partner_flow.small_training import (
    CONFIG,
    small_duets,
    small_task,
    small_windows,
    write_small_training,
)
from training.data.duets import Duet
from training.experiment.config import read_config
from training.experiment.fit import Interrupted
from training.partner_flow.task import PartnerFlowTask, PartnerFlowTrainingConfig, train

WEIGHTS = "partner-flow.safetensors"


@pytest.fixture(scope="module")
def duets() -> list[Duet]:
    return small_duets()


def test_the_network_has_the_windows_statistics_and_initial_pasts(duets: list[Duet]) -> None:
    network = small_task(duets, small_windows(duets)).network
    assert torch.isfinite(network.partner_mean).all()
    assert (network.partner_scale >= 0.03).all()
    assert np.allclose(network.bone_offsets[0].numpy(), duets[0].leader.skeleton.offsets, atol=1e-6)
    assert (network.initial_leader_poses[..., 0, :2].norm(dim=-1) < 1e-4).all()
    assert network.initial_pasts.abs().sum() > 0


@pytest.fixture(scope="module")
def run(duets: list[Duet], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `duets`, `config.toml` and a finished training, `whole`."""
    folder = tmp_path_factory.mktemp("partner")
    train(folder / "duets", folder / "whole", write_small_training(duets, folder), resume=False)
    return folder


def test_training_leaves_weights_that_can_be_read(run: Path) -> None:
    trained = PartnerFlow.load(run / "whole" / WEIGHTS)
    assert trained.config.width == 16
    assert torch.isfinite(torch.cat([p.flatten() for p in trained.parameters()])).all()


def test_training_starts_from_weights(run: Path, tmp_path: Path) -> None:
    before = run / "whole" / WEIGHTS
    train(run / "duets", tmp_path / "finer", run / "config.toml", resume=False, weights=before)
    first, second = PartnerFlow.load(before), PartnerFlow.load(tmp_path / "finer" / WEIGHTS)
    assert torch.equal(first.partner_mean, second.partner_mean)
    assert (first.past_proj.weight - second.past_proj.weight).abs().max() < 0.02
    assert not torch.equal(first.past_proj.weight, second.past_proj.weight)


def test_a_config_with_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG.read_text().replace("noise =", "loudness ="))
    with pytest.raises(BadFile, match="missing or unknown settings: loudness, noise"):
        read_config(tmp_path / "config.toml", PartnerFlowTrainingConfig)


def test_settings_have_the_values_of_their_toml_names() -> None:
    tables, config = read_config(CONFIG, PartnerFlowTrainingConfig)
    assert config.perturb_past == tables["augment"]["nudged"]
    assert config.ema_decay == tables["optimise"]["average"]
    assert config.pair == tables["loss"]["pair"]


def test_a_run_from_weights_of_another_shape_is_resumed_with_that_shape(run: Path, tmp_path: Path) -> None:
    PartnerFlow(MotionFlowConfig(width=24, layers=2, heads=2)).save(tmp_path / "wide.safetensors")
    data, out, config = run / "duets", tmp_path / "run", run / "config.toml"
    train(data, out, config, resume=False, weights=tmp_path / "wide.safetensors")
    train(data, out, config, resume=True)
    assert PartnerFlow.load(out / WEIGHTS).config.width == 24


def test_an_interrupted_training_resumes_to_the_same_weights(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(task: PartnerFlowTask, *_: Any) -> None:
        if task.global_step == 1:
            os.kill(os.getpid(), signal.SIGINT)

    data, out, config = run / "duets", tmp_path / "run", run / "config.toml"
    with monkeypatch.context() as patch:
        patch.setattr(PartnerFlowTask, "on_train_batch_start", interrupt)
        with pytest.raises(Interrupted, match="2"):
            train(data, out, config, resume=False)
    train(data, out, config, resume=True)
    whole, resumed = (PartnerFlow.load(folder / WEIGHTS) for folder in (run / "whole", out))
    for name, tensor in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name
