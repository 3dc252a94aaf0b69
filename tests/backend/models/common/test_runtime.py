"""Networks run by ONNX Runtime and by torch, from the same weights and inputs."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.model_registry import REGISTRY, WEIGHTS
from backend.models.common import runtime
from backend.models.common.runtime import (
    TORCH_CPU,
    OnnxNetwork,
    TorchNetwork,
    TrainedNetwork,
    graph_path,
    load_network,
    manifest_path,
)
from backend.models.motion_flow.conditions import MotionFlowConfig
from rigs import Array
from tests.backend.models.small_networks import SMALL, small_partner_flow
from training.export import export_graphs

NAME = "partner-flow"
EVERY_TASK_WITHOUT_TORCH = """
import sys
sys.modules.update(dict.fromkeys(["torch", "scipy", "tyro", "rich"]))
import numpy as np
from backend.engine import Engine
from backend.music.score import Note, Score, part_from_notes
from backend.wire.messages import ComposeRequest, DanceRequest, PartnerRequest
from rigs.sample_dance.salsa import sample_dance

engine, dancer, rest = Engine("auto"), sample_dance(), part_from_notes([], 32)
score = Score(part_from_notes([Note(36, 90, n, n + 1) for n in range(0, 32, 4)], 32), rest, rest, np.arange(33) / 8)
for model in ("partner-flow", "duet-vae"):
    print(len(engine.partner(PartnerRequest(dancer[:40], model=model))[0]))
for model in ("dance-flow", "choreo-bridge"):
    print(len(engine.dance(DanceRequest(score, model=model))[0]))
for model in ("score-flow", "choreo-bridge"):
    print(engine.compose(ComposeRequest((dancer,), model=model)).steps > 16)
"""


def example(network: TrainedNetwork, function: str) -> list[Array]:
    assert isinstance(network, TorchNetwork)
    return [tensor.numpy() for tensor in network._functions[function].inputs.values()]


@pytest.mark.parametrize("model", REGISTRY.names())
def test_shipped_graphs_compute_what_torch_computes(model: str) -> None:
    torch.manual_seed(0)
    reference = load_network(model, WEIGHTS / f"{model}.safetensors", TORCH_CPU)
    network = load_network(model, WEIGHTS / f"{model}.safetensors", "cpu")
    assert isinstance(network, OnnxNetwork)
    assert isinstance(reference, TorchNetwork)
    assert network.config == json.loads(json.dumps(reference.config))
    for function in reference._functions:
        inputs = example(reference, function)
        for ours, expected in zip(network.run(function, *inputs), reference.run(function, *inputs), strict=True):
            assert np.abs(ours - expected).max() < 2e-5 * max(1.0, np.abs(expected).max()), function


@pytest.mark.parametrize("model", REGISTRY.names())
def test_a_batch_has_any_size(model: str) -> None:
    network = load_network(model, WEIGHTS / f"{model}.safetensors", "cpu")
    reference = load_network(model, WEIGHTS / f"{model}.safetensors", TORCH_CPU)
    assert isinstance(reference, TorchNetwork)
    for name, function in reference._functions.items():
        for rows in (1, 17):
            inputs = [
                np.take(tensor.numpy(), [0] * rows, axis=next(iter(function.dynamic_axes(argument))))
                for argument, tensor in function.inputs.items()
            ]
            for ours, expected in zip(network.run(name, *inputs), reference.run(name, *inputs), strict=True):
                assert ours.shape == expected.shape
                assert rows in ours.shape
                assert np.abs(ours - expected).max() < 2e-5 * max(1.0, np.abs(expected).max()), name


def test_graphs_fit_other_weights_of_the_shape(tmp_path: Path) -> None:
    torch.manual_seed(1)
    trained = small_partner_flow(MotionFlowConfig())
    trained.save(tmp_path / f"{NAME}.safetensors")
    network = load_network(NAME, tmp_path / f"{NAME}.safetensors", "cpu")
    assert isinstance(network, OnnxNetwork)
    reference = load_network(NAME, tmp_path / f"{NAME}.safetensors", TORCH_CPU)
    inputs = example(reference, "predict")
    assert np.abs(network.run("predict", *inputs)[0] - reference.run("predict", *inputs)[0]).max() < 2e-5


def test_weights_of_another_shape_run_by_torch_until_they_are_exported(tmp_path: Path) -> None:
    weights = tmp_path / f"{NAME}.safetensors"
    small_partner_flow(SMALL).save(weights)
    assert isinstance(load_network(NAME, weights, "cpu"), TorchNetwork)
    export_graphs(weights, tmp_path)
    assert isinstance(load_network(NAME, weights, "cpu"), OnnxNetwork)


def test_without_torch_weights_of_another_shape_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_partner_flow(SMALL).save(tmp_path / f"{NAME}.safetensors")
    monkeypatch.setattr(runtime, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"partner-flow\.safetensors: graphs of its shape expected beside it"):
        load_network(NAME, tmp_path / f"{NAME}.safetensors", "auto")
    with pytest.raises(ValueError, match="accelerator: cpu or auto expected without torch, cuda found"):
        load_network(NAME, WEIGHTS / f"{NAME}.safetensors", "cuda")


@pytest.mark.parametrize("name", ["cuda:99", "nonsense"])
def test_an_accelerator_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"accelerator: auto, cpu or a GPU of this machine expected, {name} found"):
        load_network(NAME, WEIGHTS / f"{NAME}.safetensors", name)


def test_a_damaged_graph_is_named(tmp_path: Path) -> None:
    for path in (graph_path(WEIGHTS, NAME, "predict"), manifest_path(WEIGHTS, NAME), WEIGHTS / f"{NAME}.safetensors"):
        shutil.copy(path, tmp_path)
    graph = graph_path(tmp_path, NAME, "predict")
    graph.write_bytes(graph.read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"partner-flow\.predict\.onnx"):
        load_network(NAME, tmp_path / f"{NAME}.safetensors", "cpu")


def test_every_task_is_answered_without_torch() -> None:
    result = subprocess.run([sys.executable, "-c", EVERY_TASK_WITHOUT_TORCH], capture_output=True, text=True)
    assert result.stdout.split() == ["40", "40", "121", "121", "True", "True"], result.stderr
