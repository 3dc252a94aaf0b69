"""`training/train.py` as its users run it: it trains, can be interrupted, and resumes exactly."""

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

from backend.model_registry import REGISTRY, ModelRegistry, ModelSpec, weights_path
from backend.models.duet_vae.trained import TrainedDuetVae
from backend.models.motion_flow.conditions import MotionFlowConfig
from backend.models.partner_flow.network import PartnerFlow
from rigs.files import BadFile
from tests.conftest import ROOT
from tests.training.data.duet_files import folder_of_duets
from training import train

pytestmark = pytest.mark.long

CONFIG = (ROOT / "training" / "configs" / "duet-vae.toml").read_text()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_duets(tmp_path_factory.mktemp("data") / "duets")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve steps of four windows: four epochs of three."""
    text = CONFIG
    for name, value in (("epochs", 4), ("batch", 4), ("stride", 10)):
        text, changed = re.subn(rf"^{name} = \d+", f"{name} = {value}", text, flags=re.MULTILINE)
        assert changed == 1
    path = tmp_path_factory.mktemp("config") / "config.toml"
    path.write_text(text)
    return path


def command(data: Path, run: Path, *more: str) -> list[str]:
    script = str(ROOT / "training" / "train.py")
    return [sys.executable, script, "duet-vae", "--data", str(data), "--out", str(run), *more]


def finish(data: Path, run: Path, *more: str) -> None:
    result = subprocess.run(command(data, run, *more), capture_output=True, text=True, timeout=250)
    assert result.returncode == 0, result.stderr


@pytest.fixture(scope="module")
def whole_run(data: Path, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    finish(data, run, "--config", str(config))
    return run


def test_a_run_leaves_weights_card_curves_and_checkpoints(whole_run: Path) -> None:
    assert {p.name for p in whole_run.iterdir()} == {
        "best.ckpt", "last.ckpt", "curves", "duet-vae.safetensors", "duet-vae.md"
    }  # fmt: skip
    trained = TrainedDuetVae.load(whole_run / "duet-vae.safetensors", "cpu")
    assert trained.statistics.bodies.shape == (2, 29, 3)
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


def test_an_interrupted_run_resumes_to_the_same_bits(data: Path, config: Path, whole_run: Path, tmp_path: Path) -> None:
    """Stopped in the middle of an epoch; in the end every weight and optimiser moment is the same to the bit."""
    run = tmp_path / "run"
    process = subprocess.Popen(
        command(data, run, "--config", str(config)), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    while not (run / "last.ckpt").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    steps = int(re.search(r"stopped after step (\d+); continue with --resume", errors)[1])
    assert 3 <= steps < 12
    assert torch.load(run / "last.ckpt", weights_only=True)["global_step"] == steps

    finish(data, run, "--config", str(config), "--resume")
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
        (["--config", "missing.toml"], "missing.toml: a TOML file expected"),
        (["--config", "binary.toml"], "binary.toml: a TOML file expected"),
        (["--config", "numbers.toml"], "numbers.toml: [data] expected, with the recordings for validation and test"),
        (["--out", "numbers.toml/run"], "numbers.toml: a folder for the run expected, a file found"),
    ],
)
def test_bad_input_gets_one_line_and_status_2(data: Path, tmp_path: Path, more: list[str], sentence: str) -> None:
    (tmp_path / "binary.toml").write_bytes(bytes(range(128, 256)))
    (tmp_path / "numbers.toml").write_text("[data]\nvalidation = 3\ntest = 4\n")
    words = command(data, tmp_path / "run", *more)
    result = subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert result.returncode == 2
    assert sentence in result.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_a_check_shows_the_recordings_and_trains_nothing(data: Path, tmp_path: Path) -> None:
    result = subprocess.run(command(data, tmp_path / "run", "--check"), capture_output=True, text=True, timeout=120)
    assert result.returncode == 0
    for name, part in (("a", "train"), ("b", "validation"), ("c", "test")):
        assert re.search(rf"│ {name} +│ {part} +│ 6\.6 +│ 6\.6 +│ 0\.\d\d +│ 0\.\d\d +│", result.stdout), result.stdout
    assert "warning: duets: minutes of dance expected, 20 s found" in result.stdout
    assert "can be trained on" in result.stdout
    assert not (tmp_path / "run").exists()


@pytest.fixture
def faulty_folder(tmp_path: Path) -> Path:
    """A folder with two faults."""
    folder = folder_of_duets(tmp_path / "faulty")
    (folder / "a_leader.npz").write_bytes(b"no archive")
    (folder / "b_follower.npz").unlink()
    return folder


FAULTS = [
    "a_leader.npz: a numpy archive of plain arrays expected",
    "b_leader.npz: b_follower expected beside it, not found",
]


def test_fatal_findings_are_printed_before_a_training_and_by_a_check(faulty_folder: Path, tmp_path: Path) -> None:
    result = subprocess.run(command(faulty_folder, tmp_path / "run"), capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr.splitlines()) == (2, FAULTS)
    assert not (tmp_path / "run").exists()
    result = subprocess.run(
        command(faulty_folder, tmp_path / "run", "--check"), capture_output=True, text=True, timeout=120
    )
    assert (result.returncode, result.stderr) == (2, "")
    assert set(FAULTS) < set(result.stdout.splitlines())


def test_warnings_are_printed_and_the_training_starts(data: Path, tmp_path: Path) -> None:
    """As far as to the checkpoint that is not there to resume from."""
    result = subprocess.run(command(data, tmp_path / "run", "--resume"), capture_output=True, text=True, timeout=120)
    *warnings, last = result.stderr.splitlines()
    assert "warning: duets: minutes of dance expected, 20 s found; results will be poor" in warnings
    assert "no such checkpoint" in last


def flow_command(data: Path, run: Path, *more: str) -> list[str]:
    return [word.replace("duet-vae", "partner-flow") for word in command(data, run)] + list(more)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a partner flow far smaller than the configured one."""
    torch.manual_seed(7)
    network = PartnerFlow(MotionFlowConfig(width=16, layers=1, heads=2))
    path = tmp_path_factory.mktemp("weights") / "own.safetensors"
    network.save(path)
    return path


def test_a_training_can_start_from_weights(data: Path, weights: Path, tmp_path: Path) -> None:
    """At a rate of nearly nothing the run ends with the very weights that it began with."""
    text = (ROOT / "training" / "configs" / "partner-flow.toml").read_text()
    for name, value in (("steps", "2"), ("batch", "2"), ("rate", "1e-12")):
        text, changed = re.subn(rf"^{name} = \S+", f"{name} = {value}", text, flags=re.MULTILINE)
        assert changed == 1
    (tmp_path / "config.toml").write_text(text)
    more = ("--config", str(tmp_path / "config.toml"), "--from", str(weights))
    result = subprocess.run(flow_command(data, tmp_path / "run", *more), capture_output=True, text=True, timeout=250)
    assert result.returncode == 0, result.stderr
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
def test_bad_weights_get_one_line(data: Path, weights: Path, tmp_path: Path, file: str, sentence: str) -> None:
    path = tmp_path / f"{file}.safetensors"
    if file == "folder":
        path.mkdir()
    elif file == "text":
        path.write_text("weights")
    elif file == "duet-vae":
        path.write_bytes(weights_path("duet-vae").read_bytes())
    elif file == "older":
        tensors = load_file(weights)
        tensors.popitem()
        with safe_open(weights, framework="pt") as opened:
            save_file(tensors, path, metadata=opened.metadata())
    result = subprocess.run(
        flow_command(data, tmp_path / "run", "--from", str(path)), capture_output=True, text=True, timeout=120
    )
    assert (result.returncode, result.stderr.splitlines()) == (2, [f"{path}: {sentence}"])


def test_help_names_every_registered_model(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    registry = ModelRegistry(
        [*REGISTRY, ModelSpec("throw-away", "Throw-away", {"partner": ""}, "", training="nowhere")]
    )
    monkeypatch.setattr(train, "REGISTRY", registry)
    monkeypatch.setattr(sys, "argv", ["train.py", "--help"])
    with pytest.raises(SystemExit):
        train.main()
    printed = capsys.readouterr().out
    assert all(spec.name in printed for spec in registry)


def test_an_unknown_model_gets_one_line(data: Path, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="nonesuch: a model expected, one of partner-flow, duet-vae"):
        train.run(train.TrainArguments("nonesuch", data, tmp_path / "run"))


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
    result = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert result.returncode == 2
    [error] = result.stderr.splitlines()
    assert sentence in error


def test_a_finished_run_is_not_overwritten(data: Path, config: Path, whole_run: Path) -> None:
    result = subprocess.run(
        command(data, whole_run, "--config", str(config)), capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 2
    assert "holds a run already" in result.stderr
