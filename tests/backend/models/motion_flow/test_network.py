"""The continuity of the network's blocks, and its weight file."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from backend.model_registry import weights_path
from backend.models.motion_flow.conditions import TARGET_DIM, MotionCondition, MotionFlowConfig
from backend.models.motion_flow.features import JOINTS_DIM, PARTNER_DIM, PAST_DIM
from backend.models.motion_flow.legacy_names import LEGACY_KEYS
from backend.models.motion_flow.sampler import sample_block
from backend.models.partner_flow.network import PartnerFlow
from tests.backend.models.small_networks import SMALL, small_partner_flow


def test_a_block_continues_the_past_s_velocity() -> None:
    past = torch.arange(24.0)[:, None] * torch.randn(PAST_DIM) * 0.1
    noise = torch.randn(1, 8, PARTNER_DIM)
    condition = MotionCondition(
        past[None],
        torch.randn(1, 8 * SMALL.leader_blocks, JOINTS_DIM),
        torch.ones(1).long(),
        torch.ones(1, SMALL.leader_blocks, dtype=torch.bool),
        torch.zeros(1, TARGET_DIM),
        torch.zeros(1, 2),
    )
    sample = sample_block(small_partner_flow(), noise, condition)
    extrapolated = past[-1, : PARTNER_DIM - 4] + (past[-1] - past[-2])[: PARTNER_DIM - 4]
    assert (sample[0, 0, :-4] - extrapolated).abs().max() < 0.1 * (sample[0, -1, :-4] - extrapolated).abs().max()


def test_a_weight_file_holds_the_network(tmp_path: Path) -> None:
    network = small_partner_flow()
    network.save(tmp_path / "flow.safetensors")
    again = PartnerFlow.load(tmp_path / "flow.safetensors")
    assert again.config == SMALL
    for name, tensor in network.state_dict().items():
        assert torch.allclose(again.state_dict()[name], tensor, rtol=1e-3, atol=1e-6), name


def test_weights_of_version_0_1_0_load_under_todays_names(tmp_path: Path) -> None:
    old_names = {new: old for old, new in LEGACY_KEYS.items()}
    assert not set(old_names) & set(LEGACY_KEYS)
    with safe_open(weights_path("partner-flow"), framework="pt") as file:
        metadata = file.metadata() | {"config": file.metadata()["config"].replace('"blend"', '"over"')}
        tensors = {
            ".".join(old_names.get(part, part) for part in name.split(".")): file.get_tensor(name)
            for name in file.keys()  # noqa: SIM118
        }
    assert {"read_past.weight", "layers.4.look.bias", "unheard", "stances"} <= tensors.keys()
    save_file(tensors, tmp_path / "old.safetensors", metadata=metadata)
    old, shipped = (PartnerFlow.load(p) for p in (tmp_path / "old.safetensors", weights_path("partner-flow")))
    assert old.config == shipped.config == MotionFlowConfig()
    for name, tensor in shipped.state_dict().items():
        assert torch.equal(old.state_dict()[name], tensor), name


def test_a_config_of_version_0_1_0_is_read() -> None:
    assert MotionFlowConfig.from_table({"over": 4, "width": 16}) == MotionFlowConfig(blend=4, width=16)


def test_the_weights_of_another_model_are_refused() -> None:
    with pytest.raises(ValueError, match="weights of partner-flow expected, those of duet-vae found"):
        PartnerFlow.load(weights_path("duet-vae"))
