"""Hyperparameter search with Optuna: a grid or TPE over a model's training configuration, by several workers.

    python training/sweep.py MODEL --data DIR --storage FILE --search {grid,bayes} [--trials N] [--workers K]
    python training/sweep.py MODEL --data DIR --storage FILE --search {grid,bayes} ... --resume

FILE is an Optuna study in SQLite, which tools such as optuna-dashboard open too. A trial is a run of `train.py` in the
folder FILE.trials/NUMBER, with its own config.toml, and is scored by its best validation metric. The search space is
`configs/MODEL-sweep.toml`, or else `configs/default-sweep.toml`.
After Ctrl-C or a crash, `--resume` continues the trials without a worker from their last checkpoints, up to N trials in
all. The same command with `--resume` in another terminal adds workers.
"""

import math
import random
import signal
import sys
import time
import warnings
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal

import optuna
import tyro
from optuna.samplers import RandomSampler, TPESampler
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, event

from backend.model_registry import REGISTRY
from rigs.files import BadFile
from training.experiment.config import CONFIGS, override, read_tables
from training.experiment.trials import Space, read_space, suggest, train_trial

HEARTBEAT, GRACE = 2, 12
"""s between two heartbeats of a running trial, and without one after which its worker counts as dead."""
RETRIES = 2
"""Times that a dead worker's trial is retried at most: the trial itself may have killed its worker."""
_SQLITE = b"SQLite format 3\0"
_POLL = 0.5
"""s between two polls of the workers."""
_BEST = 10
"""Trials listed at the end."""
ENQUEUED = "enqueued"
"""Marks the trials of the queue: where two workers reach for the last one, Optuna gives the second a new trial."""
_SEED = 1


@dataclass(frozen=True)
class Sweep:
    """Search for better training settings of a model."""

    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """Model whose settings are searched."""
    data: Path
    """Folder of training data, as for train.py."""
    storage: Path
    """SQLite file of the Optuna study."""
    search: Literal["grid", "bayes"]
    """Search method: every combination of values, or Bayesian optimization (TPE)."""
    trials: int = 32
    """Number of trials in all; a grid may have fewer."""
    workers: int = 1
    """Number of worker processes."""
    resume: bool = False
    """Continue the study in FILE."""
    config: Path | None = None
    """Training configuration other than configs/MODEL.toml."""
    space: Path | None = None
    """Search space other than configs/MODEL-sweep.toml."""

    @property
    def config_file(self) -> Path:
        """The training configuration whose settings a trial overrides."""
        return self.config or CONFIGS / f"{self.model}.toml"

    @property
    def space_file(self) -> Path:
        """The search space: `--space`, or the model's own, or the default one."""
        own = CONFIGS / f"{self.model}-sweep.toml"
        return self.space or (own if own.exists() else CONFIGS / "default-sweep.toml")


def main() -> int:
    """Run the command; 0 done, 2 bad input, 130 interrupted, 1 where a worker failed."""
    sweep = tyro.cli(
        Sweep, description=f"Search for better training settings of a model: {', '.join(REGISTRY.trainable())}."
    )
    try:
        return run(sweep)
    except BadFile as error:
        print(error, file=sys.stderr)
        return 2


def run(sweep: Sweep) -> int:
    """Open the study and run its trials; the exit status. Raises BadFile."""
    if sweep.model not in REGISTRY.trainable():
        raise BadFile(f"{sweep.model}: a model expected, one of {', '.join(REGISTRY.trainable())}")
    if sweep.trials < 1 or sweep.workers < 1:
        raise BadFile("--trials, --workers: 1 or more expected")
    space = read_space(sweep.space_file)
    override(read_tables(sweep.config_file), {setting: values[0] for setting, values in space.items()})
    study = open_study(sweep, space)
    status = run_workers(sweep, study)
    print_best_trials(study)
    return status


def open_study(sweep: Sweep, space: Space) -> optuna.Study:
    """Create the study, or load the one to resume, and enqueue its trials. Raises BadFile."""
    file = sweep.storage
    if sweep.resume and not file.exists():
        raise BadFile(f"{file}: no such sweep to resume")
    if not sweep.resume and file.exists():
        raise BadFile(f"{file}: holds a sweep already; continue it with --resume, or name another --storage")
    about = {"search": sweep.search, "space": {setting: list(values) for setting, values in space.items()}}
    if sweep.resume:
        try:
            study = load_study(sweep)
        except KeyError:
            raise BadFile(f"{file}: the SQLite file of a sweep over {sweep.model} expected") from None
        if study.user_attrs != about:
            raise BadFile(f"{file}: the sweep of another --search or --space, this one expected")
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        study = optuna.create_study(storage=_storage(file), study_name=sweep.model, direction="minimize")
        for name, value in about.items():
            study.set_user_attr(name, value)
    enqueue_trials(study, sweep, space)
    return study


def load_study(sweep: Sweep, sampler: optuna.samplers.BaseSampler | None = None) -> optuna.Study:
    """Load the study. Raises KeyError for a file without it."""
    with sweep.storage.open("rb") as file:
        if file.read(len(_SQLITE)) != _SQLITE:
            raise KeyError(sweep.model)
    return optuna.load_study(storage=_storage(sweep.storage), study_name=sweep.model, sampler=sampler)


def _storage(file: Path) -> RDBStorage:
    """SQLite storage whose running trials have heartbeats, so that a dead worker's trial is found and retried."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    storage = RDBStorage(
        f"sqlite:///{file.resolve()}",
        engine_kwargs={"connect_args": {"timeout": 60.0}},
        heartbeat_interval=HEARTBEAT,
        grace_period=GRACE,
        heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=RETRIES),
    )

    # SQLite has no row locks, with which Optuna keeps two workers from taking the same trial: lock each transaction.
    @event.listens_for(storage.engine, "connect")
    def _leave_begin_to_us(connection: Any, record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(storage.engine, "begin")
    def _begin_with_lock(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    storage.engine.dispose()  # connections from before
    return storage


def enqueue_trials(study: optuna.Study, sweep: Sweep, space: Space) -> None:
    """Enqueue trials up to `--trials`, so that no two workers run the same one.

    Trials of a grid have fixed settings, shuffled so that a part of them covers the grid evenly; the settings of the
    others are sampled when they start.
    """
    enqueued = len(_first_attempts(study))
    points: list[dict[str, Any]] = [{}] * sweep.trials
    if sweep.search == "grid":
        points = [dict(zip(space, point, strict=True)) for point in product(*space.values())]
        random.Random(_SEED).shuffle(points)
    for point in points[enqueued : sweep.trials]:
        study.enqueue_trial(point, user_attrs={ENQUEUED: True})


def _first_attempts(study: optuna.Study) -> list[FrozenTrial]:
    """The trials without their retries."""
    retried = RetryHeartbeatStaleTrialCallback.retried_trial_number
    trials = study.get_trials(deepcopy=False)
    return [trial for trial in trials if ENQUEUED in trial.user_attrs and retried(trial) is None]


def run_workers(sweep: Sweep, study: optuna.Study) -> int:
    """Run all trials in worker processes; the exit status. A killed worker is replaced and its trial retried."""
    context = get_context("spawn")
    workers: list[BaseProcess] = []
    next_number, limit, status, last_alive = 0, sweep.workers, 0, time.monotonic()
    signal.signal(signal.SIGTERM, _raise_interrupt)
    try:
        with Console(stderr=True).status("starting") as status_line:
            while True:
                for worker in [worker for worker in workers if worker.exitcode is not None]:
                    workers.remove(worker)
                    if worker.exitcode:
                        status, limit = (worker.exitcode, limit - 1) if worker.exitcode > 0 else (status, limit)
                fail_stale_trials(study)
                states = {trial.state for trial in study.get_trials(deepcopy=False)}
                while TrialState.WAITING in states and len(workers) < limit:
                    workers.append(context.Process(target=run_worker, args=(sweep, next_number)))
                    workers[-1].start()
                    next_number += 1
                now = time.monotonic()
                last_alive = now if workers else last_alive
                # Trials that run without a worker of ours are another sweep's, or become stale.
                if not workers and (TrialState.RUNNING not in states or not limit or now > last_alive + 2 * GRACE):
                    return status
                status_line.update(progress(study))
                time.sleep(_POLL)
    except KeyboardInterrupt:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()
        print(f"stopped, {progress(study)}; continue with --resume", file=sys.stderr)
        return 130


def _raise_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def progress(study: optuna.Study) -> str:
    """How many trials are done, and the best metric so far."""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    best = f", the best {study.best_value:.4f}" if done else ""
    return f"{len(done)} of {len(_first_attempts(study))} trials done{best}"


def run_worker(sweep: Sweep, number: int) -> None:
    """Run one worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the sweep ends its workers
    if sweep.workers > 1:
        import torch

        torch.set_num_threads(1)  # the workers share the cores already
    run_trials(sweep, number)


def run_trials(sweep: Sweep, number: int) -> None:
    """Run waiting trials one after another.  number: of the worker, part of its sampler's seed."""
    study = load_study(sweep)
    space: Space = study.user_attrs["space"]
    # Samplers with equal seeds would choose the same settings, in two workers and in a resumed sweep.
    seed = _SEED + 1009 * number + sum(trial.state != TrialState.WAITING for trial in study.get_trials(deepcopy=False))
    study.sampler = TPESampler(seed=seed, constant_liar=True) if sweep.search == "bayes" else RandomSampler(seed)
    parent = parent_process()
    while study.get_trials(deepcopy=False, states=(TrialState.WAITING,)) and (parent is None or parent.is_alive()):
        study.optimize(lambda trial: run_trial(trial, sweep, space), n_trials=1)


def run_trial(trial: optuna.Trial, sweep: Sweep, space: Space) -> float:
    """Train with a trial's settings, from its last checkpoint where it is a retry; the best validation metric."""
    if ENQUEUED not in trial.user_attrs:
        raise optuna.TrialPruned("another worker took the last trial of the queue")
    settings = suggest(trial, sweep.search, space)
    frozen = trial.study.get_trials(deepcopy=False)[trial.number]
    original = RetryHeartbeatStaleTrialCallback.retried_trial_number(frozen)
    number = trial.number if original is None else original
    folder = sweep.storage.with_name(f"{sweep.storage.name}.trials") / str(number)
    metric = train_trial(sweep.model, sweep.data, sweep.config_file, settings, folder)
    return metric if math.isfinite(metric) else math.nan  # which fails the trial, but not its worker


def print_best_trials(study: optuna.Study) -> None:
    """Print the best trials and their settings."""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not done:
        print("no trial is done yet")
        return
    names = sorted(done[0].params)
    table = Table("trial", "validation metric", *names)
    for trial in sorted(done, key=lambda trial: trial.values[0])[:_BEST]:
        table.add_row(str(trial.number), f"{trial.values[0]:.4f}", *(_short(trial.params.get(name)) for name in names))
    console = Console(width=None if Console().is_terminal else 200)
    console.print(table)
    console.print("validation metric: the best one of the training, by which it keeps best.ckpt; less is better")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
