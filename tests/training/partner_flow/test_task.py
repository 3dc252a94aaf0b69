"""Training the partner flow on little: that it learns, repeats itself, and leaves weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.models.motion_flow.features import floor_frame
from backend.models.motion_flow.network import MotionFlowConfig
from backend.models.partner_flow.network import PartnerFlow
from rigs import files
from rigs.files import BadFile
from rigs.motion import Motion, resample, rotate_about_z, translate
from rigs.sample_dance.salsa import sample_dance
from training.data.duets import Duet
from training.experiment.config import read_config
from training.motion_flow.dataset import MotionFlowWindows, duet_windows
from training.motion_flow.statistics import prepare
from training.motion_flow.task import perturb_past
from training.partner_flow.task import PartnerFlowTask, PartnerFlowTrainingConfig, train
from training.partner_flow.validation import PartnerFlowValidation

CONFIG = Path(__file__).resolve().parents[3] / "training" / "configs" / "partner-flow.toml"
SMALL = MotionFlowConfig(width=48, layers=1, heads=2)


@pytest.fixture(scope="module")
def duets() -> list[Duet]:
    leader = resample(sample_dance(), 30.0)
    follower: Motion = translate(rotate_about_z(leader, np.pi), np.array([0.0, -1.2, 0.0]))
    return [Duet(name, leader[:300], follower[:300]) for name in ("a", "b")]


@pytest.fixture
def windows(duets: list[Duet]) -> MotionFlowWindows:
    _, plan = read_config(CONFIG, PartnerFlowTrainingConfig)
    return duet_windows(duets, SMALL, replace(plan, speeds=[1.0], steps=150, batch=16))


@pytest.fixture
def module(duets: list[Duet], windows: MotionFlowWindows) -> PartnerFlowTask:
    torch.manual_seed(1)
    network = PartnerFlow(SMALL)
    prepare(network, windows, duets, statistics=True)
    assert isinstance(windows.config, PartnerFlowTrainingConfig)
    return PartnerFlowTask(network, windows.config, PartnerFlowValidation(duets, []))


def test_equal_steps_see_equal_windows(windows: MotionFlowWindows) -> None:
    first = [batch.leader for batch, _ in zip(windows, range(3), strict=False)]
    windows.start = 2
    again = next(iter(windows))
    assert torch.equal(first[2], again.leader)
    assert not torch.equal(first[0], first[1])


def test_either_dancer_is_the_partner(windows: MotionFlowWindows) -> None:
    batch = windows.batch(np.random.default_rng(0))
    assert set(batch.roles.tolist()) == {0, 1}
    for dance, leader in zip(batch.poses.root, batch.leader, strict=True):
        assert (dance - leader[:, 0]).norm(dim=-1).min() > 0.5


def test_the_network_knows_the_windows_statistics_and_ways_to_begin(
    module: PartnerFlowTask, windows: MotionFlowWindows, duets: list[Duet]
) -> None:
    network = module.network
    assert torch.isfinite(network.partner_mean).all()
    assert (network.partner_scale >= 0.03).all()
    assert np.allclose(network.bone_offsets[0].numpy(), duets[0].leader.skeleton.offsets, atol=1e-6)
    assert (network.initial_leader_poses[..., 0, :2].norm(dim=-1) < 1e-4).all()
    assert network.initial_pasts.abs().sum() > 0


def test_a_network_learns(module: PartnerFlowTask, windows: MotionFlowWindows) -> None:
    optimiser = torch.optim.Adam(module.network.parameters(), lr=3e-3)
    seen = []
    first = 1 + SMALL.history
    for step in range(150):
        torch.manual_seed(step)
        batch = windows.batch(np.random.default_rng(step))
        past = batch.poses[slice(1, first)]
        terms = module.loss_terms(past, batch, first)
        loss = terms["flow"] + 2.0 * terms["position"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seen.append(float(terms["position"].detach()))
    assert np.mean(seen[-10:]) < 0.6 * np.mean(seen[:5])


def test_a_partner_astray_comes_back_to_what_was_danced(module: PartnerFlowTask, windows: MotionFlowWindows) -> None:
    torch.manual_seed(0)
    batch, first = windows.batch(np.random.default_rng(0)), 1 + SMALL.history
    past = perturb_past(batch.poses[slice(1, first)])
    truth = batch.poses[slice(first, first + SMALL.block)]
    target = module.recovery_target(past, batch, floor_frame(past), first, torch.full((16,), 8))
    away = (target.root - truth.root).norm(dim=-1)
    at_first = (past.root[:, -1] - batch.poses.root[:, first - 1]).norm(dim=-1)
    assert (away[:, 0] < at_first).all()
    assert (away.diff(dim=1) <= 1e-6).all()
    assert away[:, -1].max() < 1e-5
    assert (target.rotations[:, -1] - truth.rotations[:, -1]).abs().max() < 1e-4


def test_the_network_dances_near_the_truth_when_it_begins_there(
    module: PartnerFlowTask, windows: MotionFlowWindows
) -> None:
    batch, first = windows.batch(np.random.default_rng(0)), 1 + SMALL.history
    torch.manual_seed(0)
    made = module.rollout_block(batch.poses[slice(1, first)], batch, first)
    assert made.root.shape == (16, SMALL.block, 3)
    assert torch.isfinite(made.joint_positions(batch.offsets)).all()


def test_sometimes_the_leader_is_not_heard_and_sometimes_not_foreseen(module: PartnerFlowTask) -> None:
    torch.manual_seed(0)
    heard = module.random_leader_mask(4000).float().mean(dim=0)
    plan = module.plan
    assert torch.allclose(heard[: SMALL.before + 1], torch.tensor(1.0 - plan.unheard), atol=0.03)
    assert torch.allclose(
        heard[SMALL.before + 1 :], torch.tensor((1.0 - plan.unheard) * (1.0 - plan.unforeseen)), atol=0.03
    )


def test_weights_can_be_trained_on(duets: list[Duet], tmp_path: Path) -> None:
    config = little(duets, tmp_path)
    train(tmp_path / "duets", tmp_path / "run", config, resume=False)
    before = tmp_path / "run" / "partner-flow.safetensors"
    train(tmp_path / "duets", tmp_path / "finer", config, resume=False, weights=before)
    first, second = PartnerFlow.load(before), PartnerFlow.load(tmp_path / "finer" / "partner-flow.safetensors")
    assert torch.equal(first.partner_mean, second.partner_mean)
    assert (first.past_proj.weight - second.past_proj.weight).abs().max() < 0.02
    assert not torch.equal(first.past_proj.weight, second.past_proj.weight)


def little(duets: list[Duet], folder: Path) -> Path:
    """A folder of duets, and a plan of a few steps on them."""
    (folder / "duets").mkdir()
    for name in ("one", "salsa_10", "salsa_07"):
        for role in ("leader", "follower"):
            files.write(folder / "duets" / f"{name}_{role}.npz", getattr(duets[0], role))
    text = CONFIG.read_text().replace("steps = 8000", "steps = 4").replace("batch = 64", "batch = 4")
    config = folder / "plan.toml"
    config.write_text(text + "\n[network]\nwidth = 16\nlayers = 1\nheads = 2\n")
    return config


def test_a_training_leaves_weights_that_can_be_read(duets: list[Duet], tmp_path: Path) -> None:
    config = little(duets, tmp_path)
    train(tmp_path / "duets", tmp_path / "run", config, resume=False)
    shipped = PartnerFlow.load(tmp_path / "run" / "partner-flow.safetensors")
    assert shipped.config.width == 16
    assert torch.isfinite(torch.cat([p.flatten() for p in shipped.parameters()])).all()


def test_a_plan_with_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(CONFIG.read_text().replace("noise =", "loudness ="))
    with pytest.raises(BadFile, match="missing or unknown settings: loudness, noise"):
        read_config(tmp_path / "plan.toml", PartnerFlowTrainingConfig)


def test_a_run_begun_with_weights_of_another_shape_can_be_gone_on_with(duets: list[Duet], tmp_path: Path) -> None:
    config, run = little(duets, tmp_path), tmp_path / "run"
    PartnerFlow(MotionFlowConfig(width=24, layers=2, heads=2)).save(tmp_path / "wide.safetensors")
    train(tmp_path / "duets", run, config, resume=False, weights=tmp_path / "wide.safetensors")
    train(tmp_path / "duets", run, config, resume=True)
    assert PartnerFlow.load(run / "partner-flow.safetensors").config.width == 24
