"""The partner flow: its geometry against the rigs', its drawing, its file, and a request through the engine."""

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.engine import Engine
from backend.models import OWN
from backend.models.duet_partner import Stage
from backend.models.flow_partner import motion_of, roll_out
from backend.models.partner_flow import (
    NAME,
    PARTNER,
    TURNED,
    FlowConfig,
    PartnerFlow,
    dance_of,
    load,
    partner_features,
    place_of,
    save,
)
from backend.protocol import PartnerRequest
from rigs import kinematics, rotations
from rigs.motion import Motion, resample
from rigs.sample_dance import sample_dance
from rigs.skeleton import DEFAULT
from training.flow_windows import dance_parts

SMALL = FlowConfig(width=32, layers=1, heads=2)


@pytest.fixture(scope="module")
def dance() -> Motion:
    return resample(sample_dance()[:240], 30.0)


@pytest.fixture
def network() -> PartnerFlow:
    torch.manual_seed(0)
    made = PartnerFlow(SMALL)
    torch.nn.init.normal_(made.write.weight, std=0.02)
    for role in range(2):
        made.bodies[role] = torch.from_numpy(DEFAULT.offsets)
    made.starts[..., 2] = 0.95
    made.starts[..., 3:-4] = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]).repeat(len(TURNED))
    return made


def test_joints_are_where_the_rigs_have_them(dance: Motion) -> None:
    made, joints, offsets = dance_parts(dance)
    assert np.abs(made.joints(offsets).numpy() - dance.positions).max() < 1e-5
    assert np.abs(joints.numpy() - dance.positions).max() < 1e-5


def test_features_lead_back_to_the_dance(dance: Motion) -> None:
    made, _, _ = dance_parts(dance)
    place = place_of(made)
    again = dance_of(partner_features(made, place), place)
    assert (again.root - made.root).abs().max() < 1e-5
    assert (again.turned - made.turned).abs().max() < 1e-5
    seen = partner_features(made, place)[-1]
    assert seen[:2].abs().max() < 1e-5


def test_a_dance_becomes_the_motion_it_was(dance: Motion) -> None:
    made, _, _ = dance_parts(dance)
    again = motion_of(made, dance.skeleton, Stage(1.0, 0.0), None)
    assert np.abs(again.positions - dance.positions).max() < 1e-4
    world = [kinematics.global_rotations(motion.rotations)[:, list(TURNED)] for motion in (again, dance)]
    assert np.degrees(rotations.angle_between(*world)).max() < 0.1


def test_a_clean_block_is_drawn_in_one_step_where_the_network_knows_it() -> None:
    class Knows(PartnerFlow):
        def forward(self, noisy: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
            return torch.full_like(noisy, 3.0)

    network, one = Knows(SMALL), torch.zeros(1)
    for steps, guidance in ((1, 1.0), (4, 2.5)):
        drawn = network.draw(torch.randn(1, 8, PARTNER), one, one, one.long(), steps=steps, guidance=guidance)
        assert torch.allclose(drawn, torch.tensor(3.0), atol=1e-5)


def test_the_file_holds_the_network(network: PartnerFlow, tmp_path: Path) -> None:
    save(tmp_path / "flow.safetensors", network)
    again = load(tmp_path / "flow.safetensors")
    assert again.config == SMALL
    for name, tensor in network.state_dict().items():
        assert torch.allclose(again.state_dict()[name], tensor, rtol=1e-3, atol=1e-6), name


def test_the_file_of_another_model_is_refused() -> None:
    from backend.models import weights_of

    with pytest.raises(ValueError, match="weights of partner-flow expected, those of duet-vae found"):
        load(weights_of("duet-vae"))


@pytest.mark.parametrize("frames", [7, 8, 61])
def test_a_rollout_has_the_leader_s_frames(network: PartnerFlow, dance: Motion, frames: int) -> None:
    made, joints, offsets = dance_parts(dance)
    noise = torch.randn(2, -(-frames // 8), 8, PARTNER)
    danced = roll_out(network, joints[: 30 + frames], 30, made[slice(6, 30)], 1, offsets, noise)
    assert danced.root.shape == (2, frames, 3)
    assert (danced.root[0] - danced.root[1]).abs().max() > 1e-3


def test_pelvises_stay_apart(network: PartnerFlow, dance: Motion) -> None:
    made, joints, offsets = dance_parts(dance)
    danced = roll_out(network, joints, 30, made[slice(6, 30)], 1, offsets, torch.randn(1, 8, 8, PARTNER))
    frames = danced.root.shape[1]
    apart = (danced.root[0] - joints[30 : 30 + frames, 0])[:, :2].norm(dim=-1)
    assert apart.min() > 0.29


@pytest.fixture
def engine(network: PartnerFlow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    save(tmp_path / f"{NAME}.safetensors", network)
    monkeypatch.setenv(OWN, str(tmp_path))
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
