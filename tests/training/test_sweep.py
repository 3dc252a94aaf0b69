"""`training/sweep.py` as its users run it: several workers, one file, nothing done twice, nothing lost."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from rigs.files import BadFile
from tests.conftest import ROOT
from tests.training.choreo_bridge.pairs import folder_of_pairs
from training.choreo_bridge.trials import Trials, changed
from training.experiment.trial_queue import Queue
from training.sweep import read_space

SPACE = {"network.bridge": [4, 8], "loss.distance": [1.0, 10.0], "optimise.rate": [3e-4, 1e-3]}
PLAN = ROOT / "training" / "configs" / "choreo-bridge.toml"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_pairs(tmp_path_factory.mktemp("data") / "pairs")


def queue(file: Path, search: str = "grid", trials: int = 100, *, resume: bool = False) -> Queue:
    made = Queue(file, search, SPACE, trials)
    made.begin(resume)
    return made


def error(settings: dict[str, float], watch: object) -> float:
    return abs(settings["loss.distance"] - 4.0) + settings["network.bridge"]


def points(study: optuna.Study) -> list[tuple[float, ...]]:
    """The settings of the trials that are done."""
    done = study.get_trials(states=(TrialState.COMPLETE,))
    return sorted(tuple(trial.params[name] for name in SPACE) for trial in done)


def begun_and_left(queue: Queue) -> None:
    """What a worker does that is killed: it takes a trial, and is gone."""
    code = """
import os, sys
from pathlib import Path
from training.sweep_queue import Queue
queue = Queue(Path(sys.argv[1]), sys.argv[2], eval(sys.argv[3]), int(sys.argv[4]))
queue.work(lambda settings, watch: os.kill(os.getpid(), 9))
"""
    words = [sys.executable, "-c", code, str(queue.file), queue.search, repr(SPACE), str(queue.trials)]
    assert subprocess.run(words, cwd=ROOT, timeout=120).returncode == -signal.SIGKILL


def test_a_grid_goes_through_every_point_once(tmp_path: Path) -> None:
    sweep = queue(tmp_path / "sweep")
    sweep.work(error)
    assert points(sweep.study()) == sorted((b, d, r) for b in (4, 8) for d in (1.0, 10.0) for r in (3e-4, 1e-3))
    assert sweep.study().best_params["network.bridge"] == 4
    assert sweep.study().best_params["loss.distance"] == 1.0


def test_resuming_goes_on_to_the_number_asked_for_and_repeats_nothing(tmp_path: Path) -> None:
    queue(tmp_path / "sweep", trials=3).work(error)
    more = queue(tmp_path / "sweep", trials=6, resume=True)
    more.work(error)
    assert len(points(more.study())) == len(set(points(more.study()))) == 6


def test_bayes_goes_between_the_values_and_learns_where_it_is_good(tmp_path: Path) -> None:
    sweep = queue(tmp_path / "sweep", "bayes", 25)
    sweep.work(error)
    distances = [distance for _, distance, _ in points(sweep.study())]
    assert len(set(distances)) == 25
    assert all(1.0 <= distance <= 10.0 for distance in distances)
    assert {bridge for bridge, _, _ in points(sweep.study())} == {4, 8}
    assert sweep.study().best_value < 4.5


def test_a_dead_workers_trial_is_taken_up_again(tmp_path: Path) -> None:
    sweep = queue(tmp_path / "sweep")
    begun_and_left(sweep)
    [lost] = sweep.study().get_trials(states=(TrialState.RUNNING,))
    sweep.work(error)
    study = sweep.study()
    assert study.trials[lost.number].state == TrialState.FAIL
    assert len(points(study)) == len(set(points(study))) == 8
    assert tuple(lost.params[name] for name in SPACE) in points(study)


def test_a_living_workers_trial_is_left_alone(tmp_path: Path) -> None:
    sweep = queue(tmp_path / "sweep", trials=2)

    def judge(settings: dict[str, float], watch: object) -> float:
        if len(sweep.study().trials) == 1:
            sweep.work(error)  # another worker meanwhile
        return error(settings, watch)

    sweep.work(judge)
    assert [trial.state for trial in sweep.study().trials] == [TrialState.COMPLETE] * 2


def test_a_trial_that_kills_its_workers_is_given_up(tmp_path: Path) -> None:
    sweep = queue(tmp_path / "sweep", trials=1)
    for _ in range(3):
        begun_and_left(sweep)
    assert not sweep.left()
    assert {trial.state for trial in sweep.study().trials} == {TrialState.FAIL}


def test_an_error_that_is_no_number_fails_its_trial_alone(tmp_path: Path) -> None:
    sweep = queue(tmp_path / "sweep")
    sweep.work(lambda settings, watch: float("nan") if settings["network.bridge"] == 8 else 1.0)
    states = [trial.state for trial in sweep.study().trials]
    assert (states.count(TrialState.FAIL), states.count(TrialState.COMPLETE)) == (4, 4)


@pytest.mark.parametrize(
    ("search", "resume", "sentence"),
    [
        ("grid", False, "holds a sweep already; --resume goes on with it"),
        ("bayes", True, "the sweep of another --search or --space, this one expected"),
    ],
)
def test_a_file_is_not_taken_for_another_sweep(tmp_path: Path, search: str, resume: bool, sentence: str) -> None:
    queue(tmp_path / "sweep")
    with pytest.raises(BadFile, match=sentence):
        queue(tmp_path / "sweep", search, resume=resume)


def test_what_is_no_sweep_is_not_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text\n")
    for name, sentence in (("text", "the file of a sweep expected"), ("missing", "no such sweep to resume")):
        with pytest.raises(BadFile, match=sentence):
            queue(tmp_path / name, resume=True)


def test_the_shipped_space_is_of_the_shipped_plans_settings() -> None:
    space = read_space(PLAN.with_name("choreo-bridge-sweep.toml"))
    tables = {"network": {"latent": 128, "bridge": 32}, "loss": {}, "optimise": {}}
    assert {"network.latent", "network.bridge", "loss.divergence", "loss.distance", "optimise.rate"} <= space.keys()
    with pytest.raises(BadFile, match=r"loss\.distance: a setting of the plan expected"):
        changed(tables, {"loss.distance": 1.0})


def test_a_trial_trains_with_its_settings(data: Path) -> None:
    trials = Trials(data, PLAN)
    short = {"optimise.epochs": 1, "optimise.batch": 6, "network.latent": 8}
    steps = []
    slow, fast, again = (
        trials.error({**short, "optimise.rate": rate}, lambda: steps.append(1)) for rate in (1e-6, 1e-3, 1e-3)
    )
    assert fast < slow
    assert fast == again
    assert len(steps) == 3 * 2


def workers(file: Path) -> set[str]:
    """The names of those who have taken a trial, as the journal has them so far."""
    return set(re.findall(r'"worker": ?"(\w+)"', file.read_text())) if file.exists() else set()


def test_two_workers_that_are_interrupted_finish_when_resumed(data: Path, tmp_path: Path) -> None:
    space = tmp_path / "space.toml"
    space.write_text(
        "[network]\nbridge = [4, 8]\n[loss]\ndistance = [1.0, 10.0]\n[optimise]\nepochs = [4]\nbatch = [3]\n"
    )
    words = [
        *(sys.executable, str(ROOT / "training" / "sweep.py"), "choreo-bridge", "--data", str(data)),
        *("--storage", str(tmp_path / "sweep"), "--search", "grid", "--workers", "2", "--space", str(space)),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    while len(workers(tmp_path / "sweep")) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "of 4 trials done" in said.splitlines()[-1]
    done = subprocess.run([*words, "--resume"], env=environment, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    assert "relative error" in done.stdout
    study = Queue(tmp_path / "sweep", "grid", {}, 1).study()
    finished = study.get_trials(states=(TrialState.COMPLETE,))
    assert sorted((t.params["network.bridge"], t.params["loss.distance"]) for t in finished) == [
        (4, 1.0), (4, 10.0), (8, 1.0), (8, 10.0)
    ]  # fmt: skip
