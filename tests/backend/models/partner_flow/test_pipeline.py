"""The partner flow: its geometry against the rigs', its drawing, its file, and a request through the engine."""

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.engine import Engine
from backend.model_registry import WEIGHTS_VARIABLE
from backend.models.common.world_frame import WorldFrame
from backend.models.motion_flow.features import (
    JOINTS_DIM,
    PARTNER_DIM,
    PAST_DIM,
    ROTATED_JOINTS,
    PoseSequence,
    floor_frame,
    partner_features,
    poses_from_features,
)
from backend.models.motion_flow.network import TARGET_DIM, MotionFlowConfig
from backend.models.motion_flow.sampler import Keyframe, RolloutOptions, noise_source, rollout
from backend.models.partner_flow.network import NAME, PartnerFlow
from backend.models.motion_flow.features import poses_to_motions
from backend.wire.direction import PARTS, Direction
from backend.wire.messages import PartnerRequest
from rigs import kinematics, rotations
from rigs.motion import Motion, resample, rotate_about_z, translate
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON
from training.motion_flow.dataset import dancer_tensors

SMALL = MotionFlowConfig(width=32, layers=1, heads=2)


@pytest.fixture(scope="module")
def dance() -> Motion:
    return resample(sample_dance()[:240], 30.0)


@pytest.fixture
def network() -> PartnerFlow:
    torch.manual_seed(0)
    made = PartnerFlow(SMALL)
    torch.nn.init.normal_(made.out_proj.weight, std=0.02)
    for role in range(2):
        made.bone_offsets[role] = torch.from_numpy(DEFAULT_SKELETON.offsets)
    made.initial_pasts[..., 2] = 0.95
    made.initial_pasts[..., 3:-4] = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]).repeat(len(ROTATED_JOINTS))
    return made.eval()


def test_joints_are_where_the_rigs_have_them(dance: Motion) -> None:
    made, joints, offsets = dancer_tensors(dance)
    assert np.abs(made.joint_positions(offsets).numpy() - dance.positions).max() < 1e-5
    assert np.abs(joints.numpy() - dance.positions).max() < 1e-5


def test_features_lead_back_to_the_dance(dance: Motion) -> None:
    made, _, _ = dancer_tensors(dance)
    place = floor_frame(made)
    again = poses_from_features(partner_features(made, place), place)
    assert (again.root - made.root).abs().max() < 1e-5
    assert (again.rotations - made.rotations).abs().max() < 1e-5
    seen = partner_features(made, place)[-1]
    assert seen[:2].abs().max() < 1e-5


def test_a_dance_becomes_the_motion_it_was(dance: Motion) -> None:
    made, _, _ = dancer_tensors(dance)
    [again] = poses_to_motions(
        PoseSequence(made.root[None], made.rotations[None], made.contacts[None]), dance.skeleton, WorldFrame(1.0, 0.0)
    )
    assert np.abs(again.positions - dance.positions).max() < 1e-4
    world = [kinematics.global_rotations(motion.rotations)[:, list(ROTATED_JOINTS)] for motion in (again, dance)]
    assert np.degrees(rotations.angle_between(*world)).max() < 0.1


def test_a_clean_block_is_drawn_in_one_step_where_the_network_knows_it() -> None:
    class Knows(PartnerFlow):
        def forward(self, noisy: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
            return torch.full_like(noisy, 3.0)

    network, one = Knows(SMALL), torch.zeros(1)
    given = (
        one,
        one,
        one.long(),
        torch.ones(1, SMALL.leader_blocks, dtype=torch.bool),
        torch.zeros(1, TARGET_DIM),
        torch.zeros(1, 2),
    )
    for steps, guidance in ((1, 1.0), (4, 2.5), (4, 0.0)):
        drawn = network.sample(torch.randn(1, 8, PARTNER_DIM), *given, steps=steps, guidance=guidance)
        assert torch.allclose(drawn, torch.tensor(3.0), atol=1e-5)


def test_a_block_goes_on_where_the_past_leads(network: PartnerFlow) -> None:
    steady = torch.arange(24.0)[:, None] * torch.randn(PAST_DIM) * 0.1
    drawn = network.sample(
        torch.randn(1, 8, PARTNER_DIM),
        steady[None],
        torch.randn(1, 8 * SMALL.leader_blocks, JOINTS_DIM),
        torch.ones(1).long(),
        torch.ones(1, SMALL.leader_blocks, dtype=torch.bool),
        torch.zeros(1, TARGET_DIM),
        torch.zeros(1, 2),
    )
    ahead = steady[-1, : PARTNER_DIM - 4] + (steady[-1] - steady[-2])[: PARTNER_DIM - 4]
    assert (drawn[0, 0, :-4] - ahead).abs().max() < 0.1 * (drawn[0, -1, :-4] - ahead).abs().max()


def test_the_file_holds_the_network(network: PartnerFlow, tmp_path: Path) -> None:
    network.save(tmp_path / "flow.safetensors")
    again = PartnerFlow.load(tmp_path / "flow.safetensors")
    assert again.config == SMALL
    for name, tensor in network.state_dict().items():
        assert torch.allclose(again.state_dict()[name], tensor, rtol=1e-3, atol=1e-6), name


def test_the_file_of_another_model_is_refused() -> None:
    from backend.model_registry import weights_path

    with pytest.raises(ValueError, match="weights of partner-flow expected, those of duet-vae found"):
        PartnerFlow.load(weights_path("duet-vae"))


@pytest.mark.parametrize("frames", [7, 8, 61])
def test_a_rollout_has_the_leader_s_frames(network: PartnerFlow, dance: Motion, frames: int) -> None:
    made, joints, offsets = dancer_tensors(dance)
    danced = rollout(network, joints, range(30, 30 + frames), made[slice(6, 30)], 1, offsets, noise_source(2, 0, 8))
    assert danced.poses.root.shape == (2, frames, 3)
    assert (danced.poses.root[0] - danced.poses.root[1]).abs().max() > 1e-3
    assert danced.seams == list(range(0, frames, 8))


def test_a_partner_who_stands_in_the_leader_s_way_is_led_aside(network: PartnerFlow, dance: Motion) -> None:
    torch.nn.init.zeros_(network.out_proj.weight)  # it would stand where it stands
    made, joints, offsets = dancer_tensors(dance)
    past = made[slice(6, 30)]
    way = torch.linspace(-1.5, 1.5, 90)[:, None] * torch.tensor([1.0, 0.0, 0.0]) + torch.tensor([0.0, 0.05, 0.0])
    leader = (joints[29] - joints[29, 0] + past.root[-1])[None] + way[:, None]
    danced = rollout(network, leader, range(90), past, 1, offsets, noise_source(1, 0, 8)).poses.root[0]
    apart = (danced - leader[:, 0])[:, :2].norm(dim=-1)
    unmoved = (past.root[-1] - leader[:, 0])[:, :2].norm(dim=-1)
    assert unmoved.min() < 0.06
    assert apart.min() > 0.22
    assert danced.diff(dim=0)[:, :2].norm(dim=-1).max() < 0.12


@pytest.mark.parametrize("frame", [31, 37, 38, 44, 61])
def test_a_pose_is_met_with_its_step(network: PartnerFlow, dance: Motion, frame: int) -> None:
    made, joints, offsets = dancer_tensors(dance)
    leader = joints + torch.tensor([0.0, 2.0, 0.0])
    course = RolloutOptions(keyframes=[Keyframe(frame, made[slice(frame, frame + 2)], has_velocity=True)])
    danced = rollout(
        network, leader, range(30, 70), made[slice(6, 30)], 1, offsets, noise_source(2, 0, 8), course
    ).poses
    assert (danced.root[:, frame - 30] - made.root[frame]).abs().max() < 1e-4
    assert (danced.rotations[:, frame - 30] - made.rotations[frame]).abs().max() < 1e-3
    if frame - 30 >= 7:
        step = danced.root[:, frame - 30] - danced.root[:, frame - 31]
        assert (step - (made.root[frame + 1] - made.root[frame])).norm(dim=-1).max() < 0.03


def test_a_leader_who_is_not_followed_changes_nothing(network: PartnerFlow, dance: Motion) -> None:
    made, joints, offsets = dancer_tensors(dance)

    def turned(away: float, guidance: float) -> torch.Tensor:
        leader, course = joints + torch.tensor([away, 0.0, 0.0]), RolloutOptions(guidance=guidance)
        past, noise = made[slice(6, 30)], noise_source(1, 0, 8)
        return rollout(network, leader, range(30, 60), past, 1, offsets, noise, course).poses.rotations

    assert torch.equal(turned(4.0, 0.0), turned(8.0, 0.0))
    assert not torch.equal(turned(4.0, 2.0), turned(8.0, 2.0))


@pytest.fixture
def engine(network: PartnerFlow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    network.save(tmp_path / f"{NAME}.safetensors")
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    return Engine("cpu")


def test_takes_have_the_leader_s_frames_and_rate_and_differ(engine: Engine) -> None:
    leader = sample_dance()[:130]
    takes = engine.partner(PartnerRequest(leader, model=NAME, seed=3, takes=2))
    assert [(len(take), take.fps) for take in takes] == [(130, leader.fps)] * 2
    assert np.abs(takes[0].root - takes[1].root).max() > 1e-3


def test_equal_seeds_give_equal_takes(engine: Engine) -> None:
    first, second = (
        engine.partner(PartnerRequest(sample_dance()[:100], model=NAME, seed=5, takes=takes))[0] for takes in (1, 2)
    )
    assert np.abs(first.positions - second.positions).max() < 2e-3


def test_a_history_is_kept_and_gone_on_from(engine: Engine) -> None:
    leader = sample_dance()[:180]
    history = Motion(leader.fps, leader.skeleton, leader.root + np.array([1.0, 0.0, 0.0]), leader.rotations)[:90]
    [take] = engine.partner(PartnerRequest(leader, model=NAME, history=history))
    assert np.allclose(take.root[:88], history.root[:88])
    assert np.linalg.norm(take.root[90] - take.root[89]) < 0.2


@pytest.mark.parametrize(("ahead", "left", "turned"), [(1.0, 0.0, 0.0), (0.5, 0.8, 90.0), (-1.2, 0.1, -45.0)])
def test_a_partner_starts_where_it_is_told_to(engine: Engine, ahead: float, left: float, turned: float) -> None:
    leader = rotate_about_z(sample_dance()[:40], 0.7)
    direction = Direction(place=(ahead, left, turned), without=PARTS)
    [take] = engine.partner(PartnerRequest(leader, model=NAME, direction=direction))
    hips = leader.positions[0, 1] - leader.positions[0, 2]
    to_left = np.array([hips[0], hips[1]]) / np.hypot(hips[0], hips[1])
    front = np.array([to_left[1], -to_left[0]])
    away = (take.root[0] - leader.root[0])[:2]
    assert np.allclose([away @ front, away @ to_left], [ahead, left], atol=0.12)
    own = take.positions[0, 1] - take.positions[0, 2]
    facing = np.degrees(np.arctan2(-own[0], own[1])) - np.degrees(np.arctan2(-away[1], -away[0]))
    assert abs((facing - turned + 180.0) % 360.0 - 180.0) < 15.0


@pytest.mark.parametrize("rate", [30.0, 60.0, 24.0])
def test_frames_outside_what_is_redone_do_not_change(engine: Engine, rate: float) -> None:
    leader, draft = pair(rate)
    direction = Direction(redo=(40, 90))
    [take] = engine.partner(PartnerRequest(leader, model=NAME, draft=draft, direction=direction))
    outside = np.r_[0:40, 91 : len(leader)]
    assert np.array_equal(take.root[outside], draft.root[outside])
    assert np.array_equal(take.rotations[outside], draft.rotations[outside])
    assert np.abs(take.positions - draft.positions)[41:90].max() > 0.05


@pytest.mark.parametrize("rate", [30.0, 60.0, 24.0])
def test_frames_that_are_kept_are_met(engine: Engine, rate: float) -> None:
    leader, draft = pair(rate)
    for keep in ((0, 33, 90), (50,)):
        request = PartnerRequest(leader, model=NAME, draft=draft, direction=Direction(keep=keep), takes=2)
        for take in engine.partner(request):
            assert np.abs(take.positions - draft.positions)[list(keep)].max() < 1e-3
            assert np.abs(take.positions - draft.positions).max() > 0.05


def test_what_is_danced_is_shown_while_the_rest_is(engine: Engine) -> None:
    seen: list[tuple[int, int, Motion]] = []
    leader = resample(sample_dance()[:120], 30.0)
    direction = Direction(without=PARTS)
    request = PartnerRequest(leader, model=NAME, takes=2, preview=True, direction=direction)
    takes = engine.partner(request, preview=lambda *shown: seen.append(shown))
    for number, take in enumerate(takes, start=1):
        frames = [(first, made) for n, first, made in seen if n == number]
        assert [first for first, _ in frames] == list(range(0, len(leader), 8))
        shown = np.concatenate([made.root for _, made in frames])[: len(leader)]
        assert np.abs(shown - take.root).max() < 1e-5


def pair(rate: float) -> tuple[Motion, Motion]:
    """A leader, and a draft of a partner."""
    leader = resample(sample_dance()[:300], rate)
    draft = translate(rotate_about_z(leader, np.pi), np.array([0.0, -1.2, 0.0]))
    assert len(leader) > 100
    return leader, draft
