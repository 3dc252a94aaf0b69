"""The trials of a sweep in a file that several workers share: who takes the next one, and what becomes of the dead's.

The file is Optuna's journal, to which lines are only ever added. One lock lets one worker at a time take a trial, so
that no two get the same point of a grid. Each worker holds a lock of its own for as long as it lives: the system frees
it however the worker ends, which is how a running trial is known to be nobody's.
"""

import math
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.samplers import RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from rigs.files import BadFile

Space = Mapping[str, Sequence[Any]]
Settings = dict[str, Any]
Judge = Callable[[Settings, Callable[[], None]], float]

_STUDY = "sweep"
_WORKER, _AGAIN = "worker", "taken again"
"""What a trial says of itself: who works on it, and how often it was taken up again."""
_OFTEN = 2
"""Times that a trial is taken up again whose worker died: perhaps it was the trial that killed it."""
_SEED = 1


class Queue:
    """The trials in a file, which any number of processes may share."""

    def __init__(self, file: Path, search: str, space: Space, trials: int) -> None:
        self.file, self.search, self.space, self.trials = file.resolve(), search, space, trials

    def begin(self, resume: bool) -> None:
        """Make the file, or look whether this sweep can go on with it. Raises BadFile."""
        if resume and not self.file.exists():
            raise BadFile(f"{self.file}: no such sweep to resume")
        if not resume and self.file.exists():
            raise BadFile(f"{self.file}: holds a sweep already; --resume goes on with it, another --storage begins one")
        about = {"search": self.search, "space": {name: list(values) for name, values in self.space.items()}}
        if not resume:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            study = optuna.create_study(storage=self._storage(), study_name=_STUDY, direction="minimize")
            for name, value in about.items():
                study.set_user_attr(name, value)
            return
        try:
            held = self.study().user_attrs
        except (ValueError, KeyError, OSError):
            raise BadFile(f"{self.file}: the file of a sweep expected") from None
        if {name: held.get(name) for name in about} != about:
            raise BadFile(f"{self.file}: the sweep of another --search or --space, this one expected")

    def study(self) -> optuna.Study:
        """What the file holds."""
        return optuna.load_study(storage=self._storage(), study_name=_STUDY)

    def told(self) -> str:
        """How far the sweep has come."""
        study = self.study()
        done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        best = f", the best {min(trial.values[0] for trial in done):.4f}" if done else ""
        return f"{len(done)} of {self.goal()} trials done{best}"

    def goal(self) -> int:
        """How many trials there are to be."""
        return self.trials if self.search == "bayes" else min(self.trials, math.prod(map(len, self.space.values())))

    def left(self) -> bool:
        """Whether there is something to do that no worker works on."""
        study = self.study()
        with self._lock():
            self._bury(study)
            return bool(_waiting(study)) or _begun(study) < self.goal()

    def work(self, judge: Judge) -> None:
        """Take trial after trial until none is left."""
        study, me = self.study(), uuid.uuid4().hex
        with self._alive(me) as living:
            while (trial := self._take(study, me)) is not None:
                try:
                    error = judge(trial.params, _end_with_parent)
                except Exception:
                    study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
                    raise
                if math.isfinite(error):
                    study.tell(trial, error, skip_if_finished=True)
                else:
                    study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            Path(living.lock_file).unlink()

    def _take(self, study: optuna.Study, me: str) -> optuna.Trial | None:
        """The next trial with its settings chosen, or None where all have begun."""
        with self._lock():
            self._bury(study)
            begun = _begun(study)
            if not _waiting(study):
                if begun >= self.goal():
                    return None
                if self.search == "grid":
                    study.enqueue_trial(self._point(study))
            # A sampler of its own for each trial: workers whose samplers began alike would draw alike.
            seed = _SEED * 1_000_003 + len(study.get_trials(deepcopy=False))
            study.sampler = TPESampler(seed=seed) if self.search == "bayes" else RandomSampler(seed=seed)
            trial = study.ask()
            trial.set_user_attr(_WORKER, me)
            for name, values in self.space.items():
                if self.search == "bayes" and len(values) > 1 and all(isinstance(value, float) for value in values):
                    low, high = min(values), max(values)
                    trial.suggest_float(name, low, high, log=low > 0.0)
                else:
                    trial.suggest_categorical(name, values)
            return trial

    def _point(self, study: optuna.Study) -> Settings:
        """The next point of the grid, in an order that covers it evenly if it is left off."""
        points = [dict(zip(self.space, point, strict=True)) for point in product(*self.space.values())]
        random.Random(_SEED).shuffle(points)
        begun = [_given(trial) for trial in study.get_trials(deepcopy=False)]
        return next(point for point in points if point not in begun)

    def _bury(self, study: optuna.Study) -> None:
        """End the trials of dead workers, and put them in the queue again. To be called under the lock."""
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if self._lives(trial):
                continue
            study.tell(trial.number, state=TrialState.FAIL)
            again = trial.user_attrs.get(_AGAIN, 0) + 1
            if again <= _OFTEN:
                study.enqueue_trial(_given(trial), user_attrs={_AGAIN: again})

    def _lives(self, trial: FrozenTrial) -> bool:
        """Whether somebody works on a running trial; they say who before they let the lock go."""
        worker = trial.user_attrs.get(_WORKER)
        if worker is None:
            return False
        try:
            with self._alive(worker):
                return False
        except Timeout:
            return True

    def _storage(self) -> JournalStorage:
        return JournalStorage(JournalFileBackend(str(self.file)))

    def _lock(self) -> FileLock:
        return FileLock(f"{self.file}.taking")

    def _alive(self, worker: str) -> FileLock:
        """What a worker holds while it lives; there is no waiting for it."""
        folder = self.file.with_name(f"{self.file.name}.workers")
        folder.mkdir(exist_ok=True)
        return FileLock(folder / f"{worker}.lock", timeout=0)


def _waiting(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.WAITING,))


def _begun(study: optuna.Study) -> int:
    """Trials, each counted once however often it was taken up again."""
    return sum(_AGAIN not in trial.user_attrs for trial in study.get_trials(deepcopy=False))


def _given(trial: FrozenTrial) -> Settings:
    """The settings of a trial, also where its worker died before it had noted them all."""
    return dict(trial.system_attrs.get("fixed_params") or trial.params)


def _end_with_parent() -> None:
    """Leave when the sweep that started this process is gone, which could not end it."""
    parent = parent_process()
    if parent is not None and not parent.is_alive():
        raise SystemExit("the sweep is gone")
