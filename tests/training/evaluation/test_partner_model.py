"""`pasdedeux evaluate` on a partner model: its tables, its JSON file, its picture."""

import json
from pathlib import Path

import pytest

from backend.wire.direction import PARTS, UNDIRECTED, Direction
from tests.training.data.duet_files import folder_of_duets
from tests.training.evaluation.test_partner_evaluation import drifting_partner
from training.data.duets import find_duets
from training.evaluate import evaluate
from training.evaluation import baselines, confidence_intervals
from training.evaluation.baselines import PartnerGenerator


def test_evaluate_prints_and_writes_its_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(confidence_intervals, "RESAMPLES", 3)

    def model_generator(name: str, direction: Direction = UNDIRECTED) -> PartnerGenerator:
        return PartnerGenerator(name, drifting_partner().generate, stochastic=True)

    monkeypatch.setattr(baselines, "model_generator", model_generator)
    data = folder_of_duets(tmp_path / "duets")
    assert [len(d) for d in find_duets(data)] == [200, 200, 200]
    evaluate(data, "partner-flow", json=tmp_path / "metrics.json", plot=tmp_path / "metrics.png")
    printed = capsys.readouterr().out
    for text in (
        "validation: b",
        "test: c",
        "Fréchet kinetic",
        "not the published FID",
        "FID_cd",
        "BED",
        "duet-vae",
        "stitching",
        "another leader",
        "without feet",
        "nearer the real partner's value is better",
    ):
        assert text in printed
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["aims"]["BED"] == "real"
    assert written["test"]["recordings"] == ["c"]
    assert written["test"]["partners"]["real"]["told apart"]["value"] == 0.5
    assert set(written["test"]["other leaders"]["partner-flow"]) == {"swapped", "late", "gone"}
    ablations = written["test"]["unfinished"]
    assert list(ablations) == ["without any", *(f"without {part}" for part in PARTS)]
    assert ablations["without feet"]["floating"] == written["test"]["partners"]["partner-flow"]["floating"]
    assert (tmp_path / "metrics.png").stat().st_size > 10_000
    assert {path.name for path in tmp_path.iterdir()} == {"duets", "metrics.json", "metrics.png"}
