"""`training/train.py` as its users run it: it trains, it can be interrupted, and it goes on exactly."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from backend.model_registry import weights_path
from backend.models.duet_vae.checkpoint import load
from backend.models.motion_flow.network import MotionFlowConfig
from backend.models.partner_flow.network import PartnerFlow
from tests.conftest import ROOT
from tests.training.data.duet_files import folder_of_duets

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
    assert trained.bone_offsets.shape == (2, 29, 3)
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


def test_a_check_shows_the_takes_and_trains_nothing(data: Path, tmp_path: Path) -> None:
    done = subprocess.run(command(data, tmp_path / "run", "--check"), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    for name, part in (("a", "train"), ("b", "validation"), ("c", "test")):
        assert re.search(rf"│ {name} +│ {part} +│ 6\.6 +│ 6\.6 +│ 0\.\d\d +│ 0\.\d\d +│", done.stdout), done.stdout
    assert "warning: duets: 20 s of dance in all, minutes expected" in done.stdout
    assert "can be trained on" in done.stdout
    assert not (tmp_path / "run").exists()


@pytest.fixture
def spoilt(tmp_path: Path) -> Path:
    """A folder with two faults."""
    folder = folder_of_duets(tmp_path / "spoilt")
    (folder / "a_leader.npz").write_bytes(b"no archive")
    (folder / "b_follower.npz").unlink()
    return folder


FAULTS = ["a_leader.npz: a numpy archive of plain arrays expected", "b_leader.npz: no b_follower beside it"]


def test_all_that_is_fatal_is_said_before_a_training_and_in_a_check(spoilt: Path, tmp_path: Path) -> None:
    done = subprocess.run(command(spoilt, tmp_path / "run"), capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr.splitlines()) == (2, FAULTS)
    assert not (tmp_path / "run").exists()
    done = subprocess.run(command(spoilt, tmp_path / "run", "--check"), capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (2, "")
    assert set(FAULTS) < set(done.stdout.splitlines())


def test_warnings_are_said_and_the_training_goes_on(data: Path, tmp_path: Path) -> None:
    """As far as to the checkpoint that is not there to resume from."""
    done = subprocess.run(command(data, tmp_path / "run", "--resume"), capture_output=True, text=True, timeout=120)
    *warnings, last = done.stderr.splitlines()
    assert "warning: duets: 20 s of dance in all, minutes expected; expect a poor dancer" in warnings
    assert "no such checkpoint" in last


def flow_command(data: Path, run: Path, *more: str) -> list[str]:
    return [word.replace("duet-vae", "partner-flow") for word in command(data, run)] + list(more)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a partner flow far smaller than the plan's."""
    torch.manual_seed(7)
    network = PartnerFlow(MotionFlowConfig(width=16, layers=1, heads=2))
    path = tmp_path_factory.mktemp("weights") / "own.safetensors"
    network.save(path)
    return path


def test_a_training_can_begin_with_weights(data: Path, weights: Path, tmp_path: Path) -> None:
    """At a rate of nearly nothing the run ends with the very weights that it began with."""
    text = (ROOT / "training" / "configs" / "partner-flow.toml").read_text()
    for name, value in (("steps", "2"), ("batch", "2"), ("rate", "1e-12")):
        text, changed = re.subn(rf"^{name} = \S+", f"{name} = {value}", text, flags=re.MULTILINE)
        assert changed == 1
    (tmp_path / "plan.toml").write_text(text)
    more = ("--config", str(tmp_path / "plan.toml"), "--from", str(weights))
    done = subprocess.run(flow_command(data, tmp_path / "run", *more), capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    before, after = (PartnerFlow.load(p) for p in (weights, tmp_path / "run" / "partner-flow.safetensors"))
    assert after.config.width == 16
    for (name, old), now in zip(before.named_parameters(), after.parameters(), strict=True):
        torch.testing.assert_close(now, old, atol=1e-6, rtol=1e-3, msg=name)


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("missing", "no such file, weights of partner-flow expected"),
        ("folder", "a .safetensors file with weights of partner-flow expected"),
        ("text", "a .safetensors file with weights of partner-flow expected"),
        ("duet-vae", "weights of partner-flow expected, those of duet-vae found"),
        ("older", "weights of this version's partner-flow expected, those of another version found"),
    ],
)
def test_weights_that_are_none_get_one_line(
    data: Path, weights: Path, tmp_path: Path, file: str, sentence: str
) -> None:
    path = tmp_path / f"{file}.safetensors"
    if file == "folder":
        path.mkdir()
    elif file == "text":
        path.write_text("weights")
    elif file == "duet-vae":
        path.write_bytes(weights_path("duet-vae").read_bytes())
    elif file == "older":
        tensors = load_file(weights)
        del tensors["write.bias"]
        with safe_open(weights, framework="pt") as opened:
            save_file(tensors, path, metadata=opened.metadata())
    done = subprocess.run(
        flow_command(data, tmp_path / "run", "--from", str(path)), capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr.splitlines()) == (2, [f"{path}: {sentence}"])


@pytest.mark.parametrize(
    ("model", "more", "sentence"),
    [
        ("duet-vae", ["--out", "run", "--from", "w"], "--from: partner-flow or dance-flow expected"),
        ("partner-flow", ["--out", "run", "--from", "w", "--resume"], "only one of the two expected"),
        ("partner-flow", [], "--out: a folder for the run expected"),
        ("dance-flow", ["--out", "run", "--music", "midi"], "--music: score-flow expected"),
    ],
)
def test_options_that_make_no_sense_get_one_line(data: Path, model: str, more: list[str], sentence: str) -> None:
    words = [sys.executable, str(ROOT / "training" / "train.py"), model, "--data", str(data), *more]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    [said] = done.stderr.splitlines()
    assert sentence in said


def test_a_finished_run_is_not_overwritten(data: Path, plan: Path, whole_run: Path) -> None:
    done = subprocess.run(command(data, whole_run, "--config", str(plan)), capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "holds a run already" in done.stderr
