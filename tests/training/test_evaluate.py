"""`evaluate` on models that only the registry knows: a partner model, and a model with an evaluation of its own."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from backend.model_registry import REGISTRY, ModelSpec
from backend.wire.direction import UNDIRECTED, Direction
from rigs.files import BadFile
from tests.training.data.duet_files import folder_of_duets
from training.evaluate import evaluate
from training.evaluation import baselines, confidence_intervals
from training.evaluation.baselines import PartnerGenerator, copy_of_the_leader


def register(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    spec = ModelSpec("throw-away", "Throw-away", pipeline="", **fields)
    monkeypatch.setitem(REGISTRY._specs, spec.name, spec)


def test_a_partner_model_is_evaluated_beside_the_published_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def model_generator(name: str, direction: Direction = UNDIRECTED) -> PartnerGenerator:
        return PartnerGenerator(name, copy_of_the_leader().generate)

    monkeypatch.setattr(confidence_intervals, "RESAMPLES", 2)
    monkeypatch.setattr(baselines, "model_generator", model_generator)
    register(monkeypatch, tasks={"partner": "Repeats the leader"})
    reports = evaluate(folder_of_duets(tmp_path / "duets"), "throw-away", parts=("test",))
    assert list(reports["test"].partners)[-2:] == ["throw-away", "duet-vae"]
    assert "throw-away" in capsys.readouterr().out


def test_a_model_with_its_own_evaluation_is_evaluated_by_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("throw_away_evaluation")
    module.evaluate = lambda data, **options: (data, options)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    register(monkeypatch, tasks={"dance": "Stands"}, learns_from="music pairs", evaluation=module.__name__)
    assert evaluate(tmp_path, "throw-away", parts=("test",)) == (tmp_path, {"json": None, "parts": ("test",)})
    with pytest.raises(BadFile, match="--plot: a model that generates partners expected, throw-away has no picture"):
        evaluate(tmp_path, "throw-away", plot=tmp_path / "metrics.png")
