"""The partner flow as ONNX against the network itself."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from backend.model_registry import weights_path
from backend.models.motion_flow.network import MotionFlowConfig
from backend.models.partner_flow.network import PartnerFlow
from rigs.files import BadFile
from training.export import INPUTS, OUTPUT, example, export


@pytest.fixture(params=["small", "shipped"])
def weights(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "shipped":
        return weights_path("partner-flow")
    torch.manual_seed(0)
    network = PartnerFlow(MotionFlowConfig(width=32, layers=2, heads=2))
    torch.nn.init.normal_(network.out_proj.weight, std=0.1)
    network.save(tmp_path / "small.safetensors")
    return tmp_path / "small.safetensors"


def test_onnx_gives_what_the_network_gives(weights: Path, tmp_path: Path) -> None:
    export(weights, tmp_path / "flow.onnx")
    network = PartnerFlow.load(weights)
    session = onnxruntime.InferenceSession(tmp_path / "flow.onnx", providers=["CPUExecutionProvider"])
    for size in (1, 2, 5):
        torch.manual_seed(size)
        given = example(network, size)
        with torch.no_grad():
            wanted = network(*given).numpy()
        [found] = session.run([OUTPUT], {name: part.numpy() for name, part in zip(INPUTS, given, strict=True)})
        assert found.shape == wanted.shape
        assert np.abs(wanted).max() > 0.1
        assert np.abs(found - wanted).max() < 1e-3


def test_what_is_no_partner_flow_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="weights of partner-flow expected"):
        export(weights_path("duet-vae"), tmp_path / "flow.onnx")
    with pytest.raises(BadFile, match="no such file"):
        export(tmp_path / "missing.safetensors", tmp_path / "flow.onnx")
    assert not list(tmp_path.iterdir())
