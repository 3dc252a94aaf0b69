"""The training task of a motion flow: loss, recovery from drift, training rollouts, and dropped conditions."""

import numpy as np
import pytest
import torch

from backend.models.motion_flow.features import floor_frame
from tests.training.partner_flow.small_training import SMALL, small_duets, small_task, small_windows
from training.data.duets import Duet
from training.motion_flow.dataset import MotionFlowWindows
from training.motion_flow.task import perturb_past
from training.partner_flow.task import PartnerFlowTask

FIRST = 1 + SMALL.history


@pytest.fixture(scope="module")
def duets() -> list[Duet]:
    return small_duets()


@pytest.fixture
def windows(duets: list[Duet]) -> MotionFlowWindows:
    return small_windows(duets)


@pytest.fixture
def task(duets: list[Duet], windows: MotionFlowWindows) -> PartnerFlowTask:
    return small_task(duets, windows)


def test_the_loss_falls(task: PartnerFlowTask, windows: MotionFlowWindows) -> None:
    optimizer = torch.optim.Adam(task.network.parameters(), lr=3e-3)
    losses = []
    for step in range(150):
        torch.manual_seed(step)
        batch = windows.batch(np.random.default_rng(step))
        terms = task.loss_terms(batch.poses[1:FIRST], batch, FIRST)
        optimizer.zero_grad()
        (terms["flow"] + 2.0 * terms["position"]).backward()
        optimizer.step()
        losses.append(float(terms["position"].detach()))
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:5])


def test_a_past_that_drifted_returns_to_the_real_motion(task: PartnerFlowTask, windows: MotionFlowWindows) -> None:
    torch.manual_seed(0)
    batch = windows.batch(np.random.default_rng(0))
    past = perturb_past(batch.poses[1:FIRST])
    truth = batch.poses[FIRST : FIRST + SMALL.block]
    target = task.recovery_target(past, batch, floor_frame(past), FIRST, torch.full((16,), 8))
    error = (target.root - truth.root).norm(dim=-1)
    drift = (past.root[:, -1] - batch.poses.root[:, FIRST - 1]).norm(dim=-1)
    assert (error[:, 0] < drift).all()
    assert (error.diff(dim=1) <= 1e-6).all()
    assert error[:, -1].max() < 1e-5
    assert (target.rotations[:, -1] - truth.rotations[:, -1]).abs().max() < 1e-4


def test_training_rollouts_are_whole_bodies(task: PartnerFlowTask, windows: MotionFlowWindows) -> None:
    batch = windows.batch(np.random.default_rng(0))
    torch.manual_seed(0)
    block = task.rollout_block(batch.poses[1:FIRST], batch, FIRST)
    assert block.root.shape == (16, SMALL.block, 3)
    assert torch.isfinite(block.joint_positions(batch.offsets)).all()


def test_leader_and_future_are_dropped_as_often_as_configured(task: PartnerFlowTask) -> None:
    torch.manual_seed(0)
    shown = task.random_leader_mask(4000).float().mean(dim=0)
    leader, future = 1.0 - task.config.drop_leader, 1.0 - task.config.drop_future
    assert torch.allclose(shown[: SMALL.before + 1], torch.tensor(leader), atol=0.03)
    assert torch.allclose(shown[SMALL.before + 1 :], torch.tensor(leader * future), atol=0.03)
