"""The `export.py` command: which weights it exports, and what it refuses."""

import sys
from pathlib import Path

import pytest

from backend.model_registry import REGISTRY, weights_path
from training import export


def run(weights: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["export.py", str(weights), "--out", str(out)])
    return export.main()


def test_weights_are_exported_by_the_module_that_their_model_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = REGISTRY.get("partner-flow").import_export()
    monkeypatch.setattr(module, "export_onnx", lambda weights, out: out.touch())
    assert run(weights_path("partner-flow"), tmp_path / "flow.onnx", monkeypatch) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["flow.onnx"]


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        (weights_path("duet-vae"), "weights of partner-flow expected, those of duet-vae found"),
        (Path("missing.safetensors"), "no such file, weights of partner-flow expected"),
    ],
)
def test_other_weights_are_refused(
    weights: Path, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(weights, tmp_path / "flow.onnx", monkeypatch) == 2
    assert capsys.readouterr().err == f"{weights}: {sentence}\n"
    assert not list(tmp_path.iterdir())
