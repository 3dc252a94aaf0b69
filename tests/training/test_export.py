"""The `export.py` command: the graphs that it writes, that they hold no weights, and what it refuses."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from backend.model_registry import weights_path
from backend.models.common.runtime import OnnxNetwork, load_network
from backend.models.motion_flow.features import PARTNER_DIM
from tests.backend.models.small_networks import SMALL, small_dance_flow
from training import export


def run(weights: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["export.py", str(weights), *arguments])
    return export.main()


def test_graphs_without_weights_are_written_beside_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "dance-flow.safetensors"
    network = small_dance_flow()
    network.save(weights)
    assert run(weights, monkeypatch) == 0
    graph, manifest = tmp_path / "dance-flow.predict.onnx", tmp_path / "dance-flow.graphs.json"
    assert capsys.readouterr().out == f"{graph}\n{manifest}\n"
    assert sorted(tmp_path.iterdir()) == sorted([weights, graph, manifest])
    assert network.past_proj.weight.detach().numpy().tobytes() not in graph.read_bytes()
    contents = json.loads(manifest.read_text())
    assert contents["config"]["width"] == SMALL.width
    assert "past_proj.weight" in contents["weights"]["predict"]
    assert contents["tensors"]["initial_pasts"][-1] == PARTNER_DIM
    loaded = load_network("dance-flow", weights, "cpu")
    assert isinstance(loaded, OnnxNetwork)
    assert np.abs(loaded.tensors["bone_offsets"] - network.bone_offsets.numpy()).max() < 1e-3


@pytest.mark.parametrize("name", ["missing.safetensors", "partner-flow.md"])
def test_other_files_are_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = weights_path("partner-flow").with_name(name)
    assert run(weights, monkeypatch, "--out", str(tmp_path)) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"{weights}: ")
    assert line.count("\n") == 1
    assert not list(tmp_path.iterdir())
