"""The steps of the duet model's training: what each one trains, and on which statistics."""

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.models.common.runtime import TORCH_CPU
from backend.models.duet_vae.network import DuetVAE, DuetVaeConfig, load, save
from backend.models.duet_vae.trained import TrainedDuetVae
from rigs.skeleton import INDEX, MIRROR_JOINTS
from tests.training.data.duet_files import duet
from training.data.duets import Duet, DuetWindows
from training.duet_vae.statistics import facing_starts, measure_statistics, normalize_pairs
from training.duet_vae.task import (
    DuetVaeTraining,
    DuetVaeTrainingConfig,
    bernoulli,
    mirror_windows,
    sample_drift,
    velocity_change_loss,
)
from training.experiment.config import CONFIGS, read_config

CONFIG = CONFIGS / "duet-vae.toml"


@pytest.fixture(scope="module")
def duets() -> list[Duet]:
    return [Duet("a", *duet(200))]


@pytest.fixture(scope="module")
def windows(duets: list[Duet]) -> DuetWindows:
    return DuetWindows(duets, length=65, stride=10, batch=4, epochs=1, seed=1)


@pytest.fixture
def training(duets: list[Duet], windows: DuetWindows) -> DuetVaeTraining:
    torch.manual_seed(0)
    _, config = read_config(CONFIG, DuetVaeTrainingConfig)
    statistics = measure_statistics(windows, duets)
    module = DuetVaeTraining(DuetVAE(DuetVaeConfig()), statistics, config, duets, steps=10)
    module.log = lambda *_, **__: None  # type: ignore[method-assign]  # there is no trainer to log to
    return module


def trained_parts(training: DuetVaeTraining) -> set[str]:
    """The parts of the network that have a gradient."""
    named = training.network.named_parameters()
    return {name.split(".")[0] for name, p in named if p.grad is not None and p.grad.abs().max() > 0}


def test_the_hyperparameters_are_the_published_ones() -> None:
    tables, config = read_config(CONFIG, DuetVaeTrainingConfig)
    assert (config.error_weight, config.kl_weight, config.velocity_weight) == (0.5, 5e-5, 0.05)
    assert (config.velocity_frames, config.vae_step_probability) == (1, 0.1)
    assert (config.epochs, config.noise_std) == (100, 0.01)
    assert "network" not in tables
    assert DuetVaeConfig() == DuetVaeConfig(29, 64, 64, 64, 64, 8)


def test_an_ordinary_step_trains_every_part(training: DuetVaeTraining, windows: DuetWindows) -> None:
    poses = normalize_pairs(next(iter(windows)), training.normalizer)
    terms = training.loss_terms(poses[:, 0, :-1], poses[:, 1, :-1], poses[:, :, :-1], poses[:, :, 1:])
    (terms["error"] + terms["divergence"]).backward()
    assert trained_parts(training) == {"vae_one", "vae_two", "vae_duet", "next_one", "next_two"}


def test_an_elbo_step_trains_one_vae_and_nothing_else(training: DuetVaeTraining, windows: DuetWindows) -> None:
    poses = normalize_pairs(next(iter(windows)), training.normalizer)[:, :, :-1]
    parts = set()
    for seed in range(12):
        torch.manual_seed(seed)
        training.zero_grad()
        training.vae_loss(poses[:, 0], poses[:, 1], poses).backward()
        [part] = trained_parts(training)
        parts.add(part)
    assert parts == {"vae_one", "vae_two"}


def test_inputs_and_targets_share_the_training_windows_statistics(
    training: DuetVaeTraining, windows: DuetWindows
) -> None:
    every = torch.cat(
        [normalize_pairs(windows.window(i)[None], training.normalizer) for i in range(len(windows.window_starts))]
    )
    poses = every.flatten(0, 2)
    torch.testing.assert_close(poses.mean(0), torch.zeros(87), rtol=0, atol=1e-3)
    wide = torch.from_numpy(training.normalizer.std) > 0.021
    torch.testing.assert_close(poses.std(0)[wide], torch.ones(int(wide.sum())), rtol=0, atol=1e-3)
    later = normalize_pairs(windows.window(0)[None], training.normalizer)
    torch.testing.assert_close(later[:, :, 5:9], every[:1, :, 5:9])


def test_starts_face_each_other_at_arms_length(duets: list[Duet]) -> None:
    starts = facing_starts(duets)
    apart = np.linalg.norm(starts[:, 0, 0, :2] - starts[:, 1, 0, :2], axis=-1)
    assert ((apart > 0.6) & (apart < 1.1)).all()
    np.testing.assert_allclose(starts[:, 0, 0, :2], 0.0, rtol=0, atol=1e-5)


def test_weights_come_back_as_they_were_saved(training: DuetVaeTraining, tmp_path: Path) -> None:
    weights, state = tmp_path / "duet-vae.safetensors", training.network.state_dict()
    save(weights, training.network, training.statistics)
    assert [path.name for path in tmp_path.iterdir()] == ["duet-vae.safetensors"]
    for name, tensor in load(weights).state_dict().items():
        assert torch.equal(state[name], tensor), name
    for accelerator in ("cpu", TORCH_CPU):
        again = TrainedDuetVae.load(weights, accelerator).statistics
        assert np.array_equal(again.starts, training.statistics.starts)
        assert np.array_equal(again.normalizer, training.normalizer)
        for ours, theirs in zip(again.pose_pcas, training.statistics.pose_pcas, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_mirroring_keeps_the_distances_between_the_dancers() -> None:
    windows = torch.randn(8, 2, 5, 29, 3)
    mirrored = mirror_windows(windows, 1.0)
    swapped = list(MIRROR_JOINTS)
    between = torch.cdist(windows[:, 0], windows[:, 1])
    torch.testing.assert_close(torch.cdist(mirrored[:, 0], mirrored[:, 1]), between[:, :, swapped][..., swapped])
    left, right = INDEX["left_wrist"], INDEX["right_wrist"]
    torch.testing.assert_close(mirrored[..., left, 0], -windows[..., right, 0])


def test_a_probability_of_one_in_ten_comes_true_once_in_ten() -> None:
    """A normal sample would be below 0.1 in 54 of 100 times."""
    torch.manual_seed(0)
    assert abs(sum(bernoulli(0.1) for _ in range(5000)) / 5000 - 0.1) < 0.015


def test_the_probability_of_mirroring_is_that_of_a_uniform_sample() -> None:
    """Of a normal sample, 84 in 100 would be below 1 and 50 in 100 below 0."""
    torch.manual_seed(0)
    windows = torch.randn(4000, 2, 1, 29, 3)
    for probability in (0.1, 0.5):
        changed = (mirror_windows(windows, probability) != windows).flatten(1).any(1).float().mean()
        assert abs(float(changed) - probability) < 0.03
    assert torch.equal(mirror_windows(windows, 0.0), windows)


def test_one_dancer_of_some_pairs_drifts_part_of_the_way_to_another_pose() -> None:
    torch.manual_seed(0)
    poses = torch.randn(500, 2, 1, 87).expand(-1, -1, 65, -1)
    drift = sample_drift(poses, 0.7)
    assert drift.shape == poses.shape
    drifts = drift.norm(dim=-1).amax(-1) > 0
    assert not drifts.all(-1).any()
    assert abs(float(drifts.any(-1).float().mean()) - 0.7) < 0.06
    torch.testing.assert_close(drift.diff(n=2, dim=2), torch.zeros(500, 2, 63, 87), rtol=0, atol=1e-5)
    others = poses[:, :, 0].flatten(0, 1)
    pair = drifts.nonzero()[0]
    difference = others.unflatten(0, (500, 2))[:, pair[1]] - poses[pair[0], pair[1], 0]
    along = torch.nn.functional.cosine_similarity(difference, drift[pair[0], pair[1], -1], dim=-1)
    assert along.nan_to_num().max() > 0.9999
    assert (drift.norm(dim=-1).amax() <= (poses[:, :, 0].norm(dim=-1).amax() * 2)).all()


def test_real_movement_costs_no_velocity_loss() -> None:
    truth = torch.randn(2, 64, 87)
    assert velocity_change_loss(truth, truth, 1) == 0.0
    assert velocity_change_loss(truth + torch.randn(2, 1, 87), truth, 1) < 1e-6


def test_velocity_loss_is_the_norm_of_the_change_of_velocity() -> None:
    """One joint that gains 3, 0, 4 a frame more than the truth does, from one frame on, changes velocity once."""
    truth = torch.zeros(1, 10, 87)
    predicted = truth.clone()
    predicted[0, 6:, :3] = torch.arange(1, 5)[:, None] * torch.tensor([3.0, 0.0, 4.0])
    expected = 5.0 / (8 * 29)
    torch.testing.assert_close(velocity_change_loss(predicted, truth, 1), torch.tensor(expected))
