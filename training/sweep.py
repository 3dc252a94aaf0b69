"""Search for better settings of a model: a grid or Bayes (Optuna), by several workers that share one file.

    python training/sweep.py choreo-bridge --data PAIRS --storage FILE --search {grid,bayes} [--trials N] [--workers K]
    python training/sweep.py choreo-bridge --data PAIRS --storage FILE --search {grid,bayes} ... --resume

FILE is a journal to which every worker adds. What is searched is in `configs/MODEL-sweep.toml`. Interrupt it (Ctrl-C)
or let it be killed: `--resume` takes up the trials that nobody works on any more, and goes on to N in all. The same
command with `--resume` in another terminal adds workers. A trial is judged by the validation pairs alone.
"""

import signal
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal

import optuna
import tyro
from optuna.trial import TrialState
from rich.console import Console
from rich.table import Table

from rigs.files import BadFile
from training.choreo_bridge.trials import Trials, changed
from training.experiment.trial_queue import Queue, Space

CONFIGS = Path(__file__).resolve().parent / "configs"
_LOOK = 0.2
"""s between two looks at the workers."""
_BEST = 10
"""Trials that are shown in the end."""


@dataclass(frozen=True)
class Sweep:
    """Search for better settings of a model."""

    model: Annotated[Literal["choreo-bridge"], tyro.conf.Positional]
    """Whose settings."""
    data: Path
    """Folder of NAME.bvh and NAME.mid files."""
    storage: Path
    """The file that keeps the trials."""
    search: Literal["grid", "bayes"]
    """How the next settings are chosen."""
    trials: int = 32
    """How many there are to be in all; a grid may have fewer."""
    workers: int = 1
    """Processes that work on them."""
    resume: bool = False
    """Go on with what FILE holds."""
    config: Path | None = None
    """A plan other than configs/MODEL.toml."""
    space: Path | None = None
    """What is searched, other than configs/MODEL-sweep.toml."""

    @property
    def plan(self) -> Path:
        """The plan whose settings are changed."""
        return self.config or CONFIGS / f"{self.model}.toml"


def main() -> int:
    """Run the command; 0 done, 2 bad input, 130 interrupted, 1 where a worker failed."""
    asked = tyro.cli(Sweep)
    try:
        return run(asked)
    except BadFile as bad:
        print(bad, file=sys.stderr)
        return 2


def run(asked: Sweep) -> int:
    """Search; the exit status. Raises BadFile."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if asked.trials < 1 or asked.workers < 1:
        raise BadFile("--trials, --workers: 1 or more expected")
    space = read_space(asked.space or CONFIGS / f"{asked.model}-sweep.toml")
    trials = Trials(asked.data, asked.plan)
    changed(trials.tables, {place: values[0] for place, values in space.items()})
    queue = Queue(asked.storage, asked.search, space, asked.trials)
    queue.begin(asked.resume)
    status = worked(asked, queue)
    show(queue.study())
    return status


def read_space(path: Path) -> Space:
    """The values to choose from by table and name. Raises BadFile."""
    try:
        tables = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadFile(f"{path}: a TOML table of settings expected, {error}") from None
    space = {}
    for table, settings in tables.items():
        for name, values in settings.items() if isinstance(settings, Mapping) else [("", settings)]:
            if not isinstance(values, list) or not values:
                raise BadFile(f"{path}, {table}.{name}: a list of values expected")
            space[f"{table}.{name}"] = values
    if not space:
        raise BadFile(f"{path}: at least one setting to search expected")
    return space


def worked(asked: Sweep, queue: Queue) -> int:
    """Let the workers do all that is to do; the exit status. Who is killed is replaced, the trial taken up again."""
    context = get_context("spawn")
    workers: list[BaseProcess] = []

    def start() -> None:
        workers.append(context.Process(target=work, args=(asked, queue)))
        workers[-1].start()

    signal.signal(signal.SIGTERM, _interrupt)
    status = 0
    try:
        with Console(stderr=True).status("starting") as shown:
            for _ in range(asked.workers):
                start()
            while workers:
                workers[0].join(_LOOK)
                for ended in [worker for worker in workers if worker.exitcode is not None]:
                    workers.remove(ended)
                    if ended.exitcode and ended.exitcode > 0:
                        status = 1
                    elif ended.exitcode and queue.left():
                        start()
                shown.update(queue.told())
    except KeyboardInterrupt:
        for worker in workers:
            worker.terminate()
            worker.join()
        print(f"stopped, {queue.told()}; --resume goes on from there", file=sys.stderr)
        return 130
    return status


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def work(asked: Sweep, queue: Queue) -> None:
    """One worker: trial after trial until there is none left or the sweep is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the sweep ends its workers, and keeps their trials for later
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    trials = Trials(asked.data, asked.plan)
    queue.work(trials.error)


def show(study: optuna.Study) -> None:
    """Print the best trials."""
    done = sorted(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)), key=lambda trial: trial.values[0])
    if not done:
        print("no trial is done yet")
        return
    names = sorted(done[0].params)
    table = Table("trial", "relative error", *names)
    for trial in done[:_BEST]:
        table.add_row(str(trial.number), f"{trial.values[0]:.4f}", *(_short(trial.params.get(name)) for name in names))
    console = Console(width=None if Console().is_terminal else 200)
    console.print(table)
    console.print("relative error: the table's errors as parts of the mean predictor's, averaged")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
