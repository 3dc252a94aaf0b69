"""Networks with packed linear layers against the same networks unpacked."""

import copy

import pytest
import torch
from torch import nn

from backend.models.common import inference
from backend.models.common.inference import PackedLinear, pack_linear_layers
from backend.models.motion_flow.network import MotionFlowConfig
from backend.models.partner_flow.network import PartnerFlow
from training.partner_flow.export import example_inputs

SMALL = MotionFlowConfig(width=48, layers=3, heads=2)

needs_packing = pytest.mark.skipif(not inference.packing_supported(), reason="this torch cannot pack")


@pytest.fixture
def network() -> PartnerFlow:
    torch.manual_seed(0)
    network = PartnerFlow(SMALL)
    nn.init.normal_(network.out_proj.weight, std=0.1)
    return network.eval()


@needs_packing
def test_a_packed_network_has_the_network_s_outputs(network: PartnerFlow) -> None:
    fast = pack_linear_layers(copy.deepcopy(network))
    for size in (1, 2, 5):
        inputs = example_inputs(network, size)
        with torch.no_grad():
            expected, output = network(*inputs), fast(*inputs)
        assert expected.abs().max() > 0.1
        assert (output - expected).abs().max() < 1e-5
        assert not torch.equal(output, expected), "packed layers round differently"


@needs_packing
@pytest.mark.skipif(not inference.bfloat16_supported(), reason="this processor has no native bfloat16")
def test_a_bfloat16_network_has_nearly_the_same_outputs(network: PartnerFlow) -> None:
    fast = pack_linear_layers(copy.deepcopy(network), bfloat16=True)
    inputs = example_inputs(network, 5)
    with torch.no_grad():
        expected, output = network(*inputs), fast(*inputs)
    assert 1e-5 < (output - expected).abs().max() < 0.05 * expected.abs().max()
    dtypes = {name: part.dtype for name, part in fast.named_modules() if isinstance(part, PackedLinear)}
    assert dtypes["out_proj"] == dtypes["past_proj"] == torch.float32
    assert dtypes["layers.0.qkv"] == torch.bfloat16


@needs_packing
def test_every_linear_layer_is_packed() -> None:
    fast = pack_linear_layers(PartnerFlow(SMALL))
    assert not [name for name, part in fast.named_modules() if isinstance(part, nn.Linear | nn.GELU)]
    fused = [part for part in fast.modules() if isinstance(part, PackedLinear) and part.activation[0] == "gelu"]
    assert len(fused) == SMALL.layers


@needs_packing
def test_only_tanh_gelu_is_fused() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(6, 5), nn.GELU(), nn.Linear(5, 4), nn.SiLU(), nn.Linear(4, 3))
    rows = torch.randn(7, 6)
    with torch.no_grad():
        expected = plain(rows)
        assert (pack_linear_layers(plain)(rows) - expected).abs().max() < 1e-6
    assert isinstance(plain[1], nn.GELU)


def test_a_network_is_left_alone_where_torch_cannot_pack(network: PartnerFlow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    assert pack_linear_layers(network) is network
    assert isinstance(network.out_proj, nn.Linear)
