"""`training/sweep.py`: several workers on one Optuna study, no trial run twice and none lost."""

import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from backend.model_registry import REGISTRY
from rigs.files import BadFile
from tests.conftest import ROOT
from tests.training.choreo_bridge.pairs import folder_of_pairs
from tests.training.data.duet_files import folder_of_duets
from training import sweep as sweeping
from training.experiment.config import CONFIGS, override, read_tables
from training.experiment.trials import read_space, train_trial
from training.sweep import ENQUEUED, Sweep, load_study, open_study, run_trials

pytestmark = pytest.mark.long

SPACE = {"network.bridge": [4, 8], "loss.distance": [1.0, 10.0], "optimise.rate": [3e-4, 1e-3]}


def metric(settings: dict[str, Any]) -> float:
    """A validation metric in closed form, least at a distance of 4 and a bridge of 4."""
    return abs(settings["loss.distance"] - 4.0) + settings["network.bridge"]


@pytest.fixture(autouse=True)
def _closed_form_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "train_trial", lambda *args: metric(args[-2]))


def opened(file: Path, search: str = "grid", trials: int = 100, *, resume: bool = False) -> Sweep:
    sweep = Sweep("choreo-bridge", Path(), file, search, trials, resume=resume)  # type: ignore[arg-type]
    open_study(sweep, SPACE)
    return sweep


def completed(sweep: Sweep) -> list[tuple[float, ...]]:
    """The settings of the trials that are done."""
    trials = load_study(sweep).get_trials(states=(TrialState.COMPLETE,))
    return sorted(tuple(trial.params[name] for name in SPACE) for trial in trials)


def states(sweep: Sweep) -> list[TrialState]:
    return [trial.state for trial in load_study(sweep).trials]


def run_in_worker_that_dies(sweep: Sweep) -> None:
    """Start a worker process that is killed in its first trial."""
    code = """
import os, sys, time
from pathlib import Path
from training import sweep
def die(*_):
    time.sleep(1.0)  # until the first heartbeat
    os.kill(os.getpid(), 9)
sweep.train_trial = die
sweep.run_trials(sweep.Sweep("choreo-bridge", Path(), Path(sys.argv[1]), sys.argv[2]), 0)
"""
    words = [sys.executable, "-c", code, str(sweep.storage), sweep.search]
    assert subprocess.run(words, cwd=ROOT, timeout=120).returncode == -signal.SIGKILL


@pytest.fixture
def _short_grace_period(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "HEARTBEAT", 1)
    monkeypatch.setattr(sweeping, "GRACE", 2)


def test_a_grid_runs_every_point_once(tmp_path: Path) -> None:
    sweep = opened(tmp_path / "sweep")
    run_trials(sweep, 0)
    assert completed(sweep) == sorted((b, d, r) for b in (4, 8) for d in (1.0, 10.0) for r in (3e-4, 1e-3))
    assert load_study(sweep).best_params["network.bridge"] == 4
    assert load_study(sweep).best_params["loss.distance"] == 1.0


def test_resuming_goes_on_to_the_number_of_trials_and_repeats_none(tmp_path: Path) -> None:
    run_trials(opened(tmp_path / "sweep", trials=3), 0)
    more = opened(tmp_path / "sweep", trials=6, resume=True)
    run_trials(more, 0)
    assert len(completed(more)) == len(set(completed(more))) == 6


def test_bayes_searches_between_the_values_and_finds_the_best(tmp_path: Path) -> None:
    sweep = opened(tmp_path / "sweep", "bayes", 25)
    run_trials(sweep, 0)
    distances = [distance for _, distance, _ in completed(sweep)]
    assert len(set(distances)) == 25
    assert all(1.0 <= distance <= 10.0 for distance in distances)
    assert {bridge for bridge, _, _ in completed(sweep)} == {4, 8}
    assert load_study(sweep).best_value < 4.5


@pytest.mark.usefixtures("_short_grace_period")
def test_a_dead_workers_trial_is_retried(tmp_path: Path) -> None:
    sweep = opened(tmp_path / "sweep")
    run_in_worker_that_dies(sweep)
    [lost] = load_study(sweep).get_trials(states=(TrialState.RUNNING,))
    time.sleep(sweeping.GRACE + 1)
    run_trials(sweep, 0)
    assert states(sweep)[lost.number] == TrialState.FAIL
    assert len(completed(sweep)) == len(set(completed(sweep))) == 8
    assert tuple(lost.params[name] for name in SPACE) in completed(sweep)


def test_a_living_workers_trial_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = opened(tmp_path / "sweep", trials=2)
    folders = []

    def train_while_another_worker_runs(*args: Any) -> float:
        *_, settings, folder = args
        folders.append(folder.name)
        if len(folders) == 1:
            load_study(sweep).optimize(lambda trial: sweeping.run_trial(trial, sweep, SPACE), n_trials=1)
        return metric(settings)

    monkeypatch.setattr(sweeping, "train_trial", train_while_another_worker_runs)
    run_trials(sweep, 0)
    assert states(sweep) == [TrialState.COMPLETE] * 2
    assert folders == ["0", "1"]


@pytest.mark.usefixtures("_short_grace_period")
def test_a_trial_that_kills_its_workers_is_given_up(tmp_path: Path) -> None:
    sweep = opened(tmp_path / "sweep", trials=1)
    for _ in range(1 + sweeping.RETRIES):
        run_in_worker_that_dies(sweep)
        time.sleep(sweeping.GRACE + 2)  # the next worker must find its trial stale
        optuna.storages.fail_stale_trials(load_study(sweep))
    run_trials(sweep, 0)
    assert states(sweep) == [TrialState.FAIL] * 3


def test_a_metric_that_is_no_number_fails_its_trial_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = opened(tmp_path / "sweep")
    nan = float("nan")
    monkeypatch.setattr(sweeping, "train_trial", lambda *args: nan if args[-2]["network.bridge"] == 8 else 1.0)
    run_trials(sweep, 0)
    assert (states(sweep).count(TrialState.FAIL), states(sweep).count(TrialState.COMPLETE)) == (4, 4)


def take_all_trials(sweep: Sweep, taken: Any) -> None:
    """Start every waiting trial of a sweep, and put their numbers in a queue."""
    study = load_study(sweep)
    while ENQUEUED in (trial := study.ask()).user_attrs:
        taken.put(trial.number)
    taken.put(None)


def test_two_workers_never_take_the_same_trial(tmp_path: Path) -> None:
    sweep = opened(tmp_path / "sweep", "bayes", trials=60)
    context = get_context("spawn")
    taken = context.Queue()
    workers = [context.Process(target=take_all_trials, args=(sweep, taken)) for _ in range(3)]
    for worker in workers:
        worker.start()
    numbers = []
    while len(workers) > numbers.count(None):
        numbers.append(taken.get(timeout=120))
    assert sorted(number for number in numbers if number is not None) == list(range(60))


def test_a_second_worker_does_not_add_trials_to_an_empty_queue(tmp_path: Path) -> None:
    sweep = opened(tmp_path / "sweep", trials=2)
    run_trials(sweep, 0)
    load_study(sweep).optimize(lambda trial: sweeping.run_trial(trial, sweep, SPACE), n_trials=1)
    assert states(sweep) == [TrialState.COMPLETE] * 2 + [TrialState.PRUNED]
    opened(tmp_path / "sweep", trials=3, resume=True)
    assert states(sweep)[3:] == [TrialState.WAITING]


@pytest.mark.parametrize(
    ("search", "resume", "sentence"),
    [
        ("grid", False, "holds a sweep already; continue it with --resume"),
        ("bayes", True, "the sweep of another --search or --space, this one expected"),
    ],
)
def test_a_file_is_not_taken_for_another_sweep(tmp_path: Path, search: str, resume: bool, sentence: str) -> None:
    opened(tmp_path / "sweep")
    with pytest.raises(BadFile, match=sentence):
        opened(tmp_path / "sweep", search, resume=resume)


def test_what_is_no_sweep_of_the_model_is_not_resumed(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text\n" * 100)
    optuna.create_study(storage=f"sqlite:///{tmp_path / 'other'}", study_name="duet-vae")
    for name, sentence in (
        ("text", "a sweep over choreo-bridge"),
        ("other", "a sweep over"),
        ("missing", "no such sw"),
    ):
        with pytest.raises(BadFile, match=sentence):
            opened(tmp_path / name, resume=True)


@pytest.mark.parametrize("model", REGISTRY.trainable())
def test_every_model_has_a_space_of_its_configurations_settings(model: str) -> None:
    sweep = Sweep(model, Path(), Path(), "grid")
    space = read_space(sweep.space_file)
    assert "optimise.rate" in space
    override(read_tables(sweep.config_file), {name: values[0] for name, values in space.items()})


def test_settings_that_a_configuration_lacks_are_refused() -> None:
    space = read_space(CONFIGS / "choreo-bridge-sweep.toml")
    assert {"network.latent", "network.bridge", "loss.divergence", "loss.distance", "optimise.rate"} <= space.keys()
    with pytest.raises(BadFile, match=r"loss\.distance: a setting of the training configuration expected"):
        override({"network": {"latent": 128}, "loss": {}}, {"loss.distance": 1.0})


def test_a_trial_trains_with_its_settings(tmp_path: Path) -> None:
    data = folder_of_pairs(tmp_path / "pairs")
    short = {"optimise.epochs": 1, "optimise.batch": 6, "network.latent": 8}
    slow, fast, again = (
        train_trial(
            "choreo-bridge", data, CONFIGS / "choreo-bridge.toml", {**short, "optimise.rate": rate}, tmp_path / str(n)
        )
        for n, rate in enumerate((1e-6, 1e-3, 1e-3))
    )
    assert fast < slow
    assert fast == again
    written = tomllib.loads((tmp_path / "1" / "config.toml").read_text())
    assert written == override(read_tables(CONFIGS / "choreo-bridge.toml"), {**short, "optimise.rate": 1e-3})
    assert {path.name for path in (tmp_path / "1").iterdir()} == {"config.toml", "curves", "log.txt"}


def command(model: str, data: Path, file: Path, space: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, str(ROOT / "training" / "sweep.py"), model, "--data", str(data)),
        *("--storage", str(file), "--search", "grid", "--space", str(space), *more),
    ]


ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def test_a_partner_model_is_swept_too(tmp_path: Path) -> None:
    data = folder_of_duets(tmp_path / "duets", frames=140)
    config, space = tmp_path / "config.toml", tmp_path / "space.toml"
    config.write_text(re.sub(r"(?m)^stride = \d+", "stride = 40", (CONFIGS / "duet-vae.toml").read_text()))
    space.write_text("[optimise]\nrate = [1e-4, 1e-3]\nepochs = [2]\nbatch = [4]\n")
    words = command("duet-vae", data, tmp_path / "sweep", space, "--config", str(config))
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("0.0001") == 1
    trials = optuna.load_study(storage=f"sqlite:///{tmp_path / 'sweep'}", study_name="duet-vae").trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 2


def test_bad_data_ends_the_sweep_with_its_error(tmp_path: Path) -> None:
    space = tmp_path / "space.toml"
    space.write_text("[optimise]\nrate = [1e-4, 1e-3]\n")
    words = command("choreo-bridge", tmp_path / "nowhere", tmp_path / "sweep", space)
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=250)
    assert done.returncode == 2
    assert "nowhere: a folder of dances and music expected" in done.stderr


def running(file: Path) -> int:
    """How many trials have begun to train."""
    return len(list(file.with_name(f"{file.name}.trials").glob("*/curves")))


def test_two_workers_that_are_interrupted_finish_when_resumed(tmp_path: Path) -> None:
    data = folder_of_pairs(tmp_path / "pairs")
    space, file = tmp_path / "space.toml", tmp_path / "sweep"
    space.write_text(
        "[network]\nbridge = [4, 8]\n[loss]\ndistance = [1.0, 10.0]\n[optimise]\nepochs = [8]\nbatch = [3]\n"
    )
    words = command("choreo-bridge", data, file, space, "--workers", "2")
    process = subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    while running(file) < 2:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=120)
    assert process.returncode == 130, text
    assert "of 4 trials done" in text.splitlines()[-1]
    done = subprocess.run([*words, "--resume"], env=ENVIRONMENT, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    assert "validation metric" in done.stdout
    study = optuna.load_study(storage=f"sqlite:///{file}", study_name="choreo-bridge")
    finished = study.get_trials(states=(TrialState.COMPLETE,))
    assert sorted((t.params["network.bridge"], t.params["loss.distance"]) for t in finished) == [
        (4, 1.0), (4, 10.0), (8, 1.0), (8, 10.0)
    ]  # fmt: skip
