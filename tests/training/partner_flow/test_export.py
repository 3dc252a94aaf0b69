"""The partner flow exported to ONNX against the network itself."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from backend.model_registry import weights_path
from backend.models.motion_flow.network import MotionFlowConfig
from backend.models.partner_flow.network import PartnerFlow
from training.partner_flow.export import INPUT_NAMES, OUTPUT_NAME, example_inputs, export_onnx


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
    export_onnx(weights, tmp_path / "flow.onnx")
    network = PartnerFlow.load(weights)
    session = onnxruntime.InferenceSession(tmp_path / "flow.onnx", providers=["CPUExecutionProvider"])
    for size in (1, 2, 5):
        torch.manual_seed(size)
        inputs = example_inputs(network, size)
        with torch.no_grad():
            expected = network(*inputs).numpy()
        [output] = session.run(
            [OUTPUT_NAME], {name: part.numpy() for name, part in zip(INPUT_NAMES, inputs, strict=True)}
        )
        assert output.shape == expected.shape
        assert np.abs(expected).max() > 0.1
        assert np.abs(output - expected).max() < 1e-3
