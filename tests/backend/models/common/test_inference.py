"""Packed networks beside the ones that they were."""

import copy

import pytest
import torch
from torch import nn

from backend.models.common import inference
from backend.models.common.inference import PackedLinear, pack_linear_layers
from backend.models.motion_flow.network import MotionFlowConfig
from backend.models.partner_flow.network import PartnerFlow
from training.export import example

SMALL = MotionFlowConfig(width=48, layers=3, heads=2)

needs_packing = pytest.mark.skipif(not inference.packing_supported(), reason="this torch cannot pack")


@pytest.fixture
def network() -> PartnerFlow:
    torch.manual_seed(0)
    made = PartnerFlow(SMALL)
    nn.init.normal_(made.out_proj.weight, std=0.1)
    return made.eval()


@needs_packing
def test_a_packed_network_says_what_the_network_says(network: PartnerFlow) -> None:
    quick = pack_linear_layers(copy.deepcopy(network))
    for size in (1, 2, 5):
        given = example(network, size)
        with torch.no_grad():
            wanted, found = network(*given), quick(*given)
        assert wanted.abs().max() > 0.1
        assert (found - wanted).abs().max() < 1e-5
        assert not torch.equal(found, wanted), "packed sums are rounded otherwise"


@needs_packing
@pytest.mark.skipif(not inference.bfloat16_supported(), reason="this processor does not multiply bfloat16")
def test_a_halved_network_says_nearly_the_same(network: PartnerFlow) -> None:
    quick = pack_linear_layers(copy.deepcopy(network), bfloat16=True)
    given = example(network, 5)
    with torch.no_grad():
        wanted, found = network(*given), quick(*given)
    assert 1e-5 < (found - wanted).abs().max() < 0.05 * wanted.abs().max()
    kinds = {name: part.dtype for name, part in quick.named_modules() if isinstance(part, PackedLinear)}
    assert kinds["out_proj"] == kinds["past_proj"] == torch.float32
    assert kinds["layers.0.qkv"] == torch.bfloat16


@needs_packing
def test_no_layer_is_left_out() -> None:
    quick = pack_linear_layers(PartnerFlow(SMALL))
    assert not [name for name, part in quick.named_modules() if isinstance(part, nn.Linear | nn.GELU)]
    curved = [part for part in quick.modules() if isinstance(part, PackedLinear) and part.activation[0] == "gelu"]
    assert len(curved) == SMALL.layers


@needs_packing
def test_only_the_curve_that_can_be_packed_is() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(6, 5), nn.GELU(), nn.Linear(5, 4), nn.SiLU(), nn.Linear(4, 3))
    rows = torch.randn(7, 6)
    with torch.no_grad():
        wanted = plain(rows)
        assert (pack_linear_layers(plain)(rows) - wanted).abs().max() < 1e-6
    assert isinstance(plain[1], nn.GELU)


def test_a_network_is_left_alone_where_torch_cannot_pack(network: PartnerFlow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    assert pack_linear_layers(network) is network
    assert isinstance(network.out_proj, nn.Linear)
