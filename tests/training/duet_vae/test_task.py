"""The steps of the duet model's training: what each one trains, and on which statistics."""

from pathlib import Path

import pytest
import torch

from backend.models.duet_vae.checkpoint import TrainedDuet, load, save
from backend.models.duet_vae.network import DuetConfig, DuetVAE
from tests.conftest import ROOT
from tests.training.data.duet_files import duet
from training.data.duets import Duet, DuetWindows
from training.duet_vae.task import (
    DuetTraining,
    DuetVaeTrainingConfig,
    bodies,
    facing_starts,
    floors,
    measure,
    placed,
    spanned,
)
from training.experiment.config import read_config

PLAN = ROOT / "training" / "configs" / "duet-vae.toml"


@pytest.fixture(scope="module")
def duets() -> list[Duet]:
    return [Duet("a", *duet(200))]


@pytest.fixture(scope="module")
def windows(duets: list[Duet]) -> DuetWindows:
    return DuetWindows(duets, length=65, stride=10, batch=4, epochs=1, seed=1)


@pytest.fixture
def training(duets: list[Duet], windows: DuetWindows) -> DuetTraining:
    torch.manual_seed(0)
    _, plan = read_config(PLAN, DuetVaeTrainingConfig)
    spans = (spanned(duets, 0), spanned(duets, 1))
    trained = TrainedDuet(
        DuetVAE(DuetConfig()), measure(windows), bodies(duets), floors(duets), spans, facing_starts(duets)
    )
    module = DuetTraining(trained, plan, duets, steps=10)
    module.log = lambda *_, **__: None  # type: ignore[method-assign]  # there is no trainer to log to
    return module


def trained_parts(training: DuetTraining) -> set[str]:
    """The parts of the network that have a gradient."""
    named = training.network.named_parameters()
    return {name.split(".")[0] for name, p in named if p.grad is not None and p.grad.abs().max() > 0}


def test_the_plan_is_the_published_one() -> None:
    tables, plan = read_config(PLAN, DuetVaeTrainingConfig)
    assert (plan.error, plan.divergence, plan.velocity, plan.frames, plan.rebuild_only) == (0.5, 5e-5, 0.05, 1, 0.1)
    assert (plan.epochs, plan.noise) == (100, 0.01)
    assert "network" not in tables
    assert DuetConfig() == DuetConfig(29, 64, 64, 64, 64, 8)


def test_an_ordinary_step_trains_every_part(training: DuetTraining, windows: DuetWindows) -> None:
    poses = placed(next(iter(windows)), training.normalisation)
    terms = training.terms(poses[:, 0, :-1], poses[:, 1, :-1], poses[:, :, :-1], poses[:, :, 1:])
    (terms["error"] + terms["divergence"]).backward()
    assert trained_parts(training) == {"vae_one", "vae_two", "vae_duet", "next_one", "next_two"}


def test_a_rebuilding_step_trains_one_vae_and_nothing_else(training: DuetTraining, windows: DuetWindows) -> None:
    poses = placed(next(iter(windows)), training.normalisation)[:, :, :-1]
    seen = set()
    for seed in range(12):
        torch.manual_seed(seed)
        training.zero_grad()
        training.rebuild(poses[:, 0], poses[:, 1], poses).backward()
        [part] = trained_parts(training)
        seen.add(part)
    assert seen == {"vae_one", "vae_two"}


def test_inputs_and_targets_share_the_training_windows_statistics(training: DuetTraining, windows: DuetWindows) -> None:
    every = torch.cat([placed(windows.window(i)[None], training.normalisation) for i in range(len(windows.places))])
    poses = every.flatten(0, 2)
    torch.testing.assert_close(poses.mean(0), torch.zeros(87), rtol=0, atol=1e-3)
    wide = training.normalisation.deviation > 0.021
    torch.testing.assert_close(poses.std(0)[wide], torch.ones(int(wide.sum())), rtol=0, atol=1e-3)
    later = placed(windows.window(0)[None], training.normalisation)
    torch.testing.assert_close(later[:, :, 5:9], every[:1, :, 5:9])


def test_starts_face_each_other_at_arms_length(duets: list[Duet]) -> None:
    starts = facing_starts(duets)
    apart = (starts[:, 0, 0, :2] - starts[:, 1, 0, :2]).norm(dim=-1)
    assert ((apart > 0.6) & (apart < 1.1)).all()
    torch.testing.assert_close(starts[:, 0, 0, :2], torch.zeros(len(starts), 2), rtol=0, atol=1e-5)


def test_weights_come_back_as_they_were_saved(training: DuetTraining, tmp_path: Path) -> None:
    save(tmp_path / "duet-vae.safetensors", training.trained)
    assert [path.name for path in tmp_path.iterdir()] == ["duet-vae.safetensors"]
    again = load(tmp_path / "duet-vae.safetensors")
    for name, tensor in training.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name], tensor), name
    assert torch.equal(again.starts, training.trained.starts)
    for ours, theirs in zip(again.poses, training.trained.poses, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
