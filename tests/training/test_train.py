"""`training/train.py` as its users run it: it trains, it can be interrupted, and it goes on exactly."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from backend.models.duet_weights import load
from tests.conftest import ROOT
from tests.training.duets import folder_of_duets

PLAN = (ROOT / "training" / "configs" / "duet-vae.toml").read_text()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_duets(tmp_path_factory.mktemp("data") / "duets")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve steps of four windows: four epochs of three."""
    text = PLAN
    for name, value in (("epochs", 4), ("batch", 4), ("stride", 10)):
        text, changed = re.subn(rf"^{name} = \d+", f"{name} = {value}", text, flags=re.MULTILINE)
        assert changed == 1
    path = tmp_path_factory.mktemp("plan") / "plan.toml"
    path.write_text(text)
    return path


def command(data: Path, run: Path, *more: str) -> list[str]:
    script = str(ROOT / "training" / "train.py")
    return [sys.executable, script, "duet-vae", "--data", str(data), "--out", str(run), *more]


def finish(data: Path, run: Path, *more: str) -> None:
    done = subprocess.run(command(data, run, *more), capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def whole_run(data: Path, plan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    finish(data, run, "--config", str(plan))
    return run


def test_a_run_leaves_weights_card_curves_and_checkpoints(whole_run: Path) -> None:
    assert {p.name for p in whole_run.iterdir()} == {
        "best.ckpt", "last.ckpt", "curves", "duet-vae.safetensors", "duet-vae.md"
    }  # fmt: skip
    trained = load(whole_run / "duet-vae.safetensors")
    assert trained.bodies.shape == (2, 29, 3)
    card = (whole_run / "duet-vae.md").read_text()
    for part in (
        "| train | a |",
        "| validation | b |",
        "| test | c |",
        "zero velocity",
        "Licence and credit",
        "## Limits",
    ):
        assert part in card
    curves = EventAccumulator(str(whole_run / "curves"))
    curves.Reload()
    tags = set(curves.Tags()["scalars"])
    assert {"train/error", "train/velocity", "train/divergence"} <= tags
    assert {"validation/rollout_60", "validation/zero_velocity_60"} <= tags


def test_an_interrupted_run_goes_on_as_if_nothing_had_been(
    data: Path, plan: Path, whole_run: Path, tmp_path: Path
) -> None:
    """Stopped in the middle of an epoch; in the end every weight and optimiser moment is the same to the bit."""
    run = tmp_path / "run"
    process = subprocess.Popen(
        command(data, run, "--config", str(plan)), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    while not (run / "last.ckpt").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    steps = int(re.search(r"stopped after step (\d+); --resume goes on from there", said)[1])
    assert 3 <= steps < 12
    assert torch.load(run / "last.ckpt", weights_only=True)["global_step"] == steps

    finish(data, run, "--config", str(plan), "--resume")
    ours, theirs = (torch.load(r / "last.ckpt", weights_only=True) for r in (run, whole_run))
    assert ours["global_step"] == theirs["global_step"] == 12
    assert ours["state_dict"].keys() == theirs["state_dict"].keys()
    for name, tensor in theirs["state_dict"].items():
        assert torch.equal(ours["state_dict"][name], tensor), name
    for number, state in theirs["optimizer_states"][0]["state"].items():
        for name, tensor in state.items():
            assert torch.equal(ours["optimizer_states"][0]["state"][number][name], tensor), (number, name)
    assert ours["lr_schedulers"] == theirs["lr_schedulers"]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--resume"], "last.ckpt: no such checkpoint to resume from"),
        (["--config", "missing.toml"], "missing.toml: a TOML plan expected"),
    ],
)
def test_bad_input_gets_one_line_and_status_2(data: Path, tmp_path: Path, more: list[str], sentence: str) -> None:
    done = subprocess.run(command(data, tmp_path / "run", *more), capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert sentence in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_a_finished_run_is_not_overwritten(data: Path, plan: Path, whole_run: Path) -> None:
    done = subprocess.run(command(data, whole_run, "--config", str(plan)), capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "holds a run already" in done.stderr
