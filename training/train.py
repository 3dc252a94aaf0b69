"""Train a model on a folder of duets, or of dances and their music.

    python training/train.py MODEL --data DIR --out RUN [--resume | --from WEIGHTS.safetensors]
    python training/train.py MODEL --data DIR --check

RUN gets TensorBoard curves, `last.ckpt` and `best.ckpt`, and in the end the weights with their model card.
Interrupt it (Ctrl-C) whenever you like: it ends with the step in hand and `--resume` goes on as if nothing had been.
The folder is checked before the first step; `--check` tells what it finds and stops.
"""

import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from math import isnan
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.table import Table

from rigs.files import BadFile
from training.data.duets import PARTS
from training.data.folder_check import FolderReport, check_folder
from training.data.music_pairs import find_pairs, split_pairs

CONFIGS = Path(__file__).resolve().parent / "configs"
PAIRED = ("dance-flow", "score-flow", "choreo-bridge")
"""The models that learn from dances and their music; the others learn from duets."""
BEGUN = {"partner-flow": ("partner-flow",), "dance-flow": ("dance-flow", "partner-flow")}
"""The models that can begin with weights, and whose these may be."""


@dataclass(frozen=True)
class Train:
    """Train a model on a folder of duets, or of dances and their music."""

    model: Annotated[
        Literal["duet-vae", "partner-flow", "dance-flow", "score-flow", "choreo-bridge"], tyro.conf.Positional
    ]
    """What to train."""
    data: Path
    """Folder of NAME_leader.* and NAME_follower.* files, or of NAME.bvh and NAME.mid files."""
    out: Path | None = None
    """Folder of the run: curves, checkpoints, weights, model card."""
    resume: bool = False
    """Go on from RUN's last checkpoint."""
    start_from: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Begin with these weights, shipped ones or your own, instead of with none (partner-flow, or dance-flow, which can
    also begin with a partner-flow's)."""
    music: Path | None = None
    """Folder of MIDI files that teach music alone, without a dance (score-flow)."""
    check: bool = False
    """Only tell what is wrong with the folder: status 0 where it can be trained on, 2 where not."""
    config: Path | None = None
    """A plan other than configs/MODEL.toml."""


def main() -> int:
    """Run the command; 0 done, 2 bad input, 130 interrupted."""
    asked = tyro.cli(Train)
    try:
        return run(asked)
    except BadFile as bad:
        print(bad, file=sys.stderr)
        return 2


def run(asked: Train) -> int:
    """Check the folder and train on it; the exit status. Raises BadFile."""
    expect_sense(asked)
    config = asked.config or CONFIGS / f"{asked.model}.toml"
    validation, test = held_out(config)
    if asked.model in PAIRED:
        return show_pairs(asked.data, validation, test) if asked.check else train(asked, config)
    with Console(stderr=True).status("") as status:
        report = check_folder(asked.data, validation, test, status.update)
    if asked.check:
        show(report)
        return 0 if report.trainable else 2
    for finding in report.findings:
        if finding.fatal or report.trainable:
            print(finding if finding.fatal else f"warning: {finding}", file=sys.stderr)
    return train(asked, config) if report.trainable else 2


def expect_sense(asked: Train) -> None:
    """Raise BadFile for options that contradict each other, and for weights to begin with that are none."""
    if asked.out is None and not asked.check:
        raise BadFile("--out: a folder for the run expected, or --check to look at the data alone")
    if asked.music is not None and asked.model != "score-flow":
        raise BadFile(f"--music: score-flow expected, {asked.model} learns from pairs or duets alone")
    if asked.start_from is None:
        return
    if asked.resume:
        raise BadFile("--from begins a run and --resume goes on with one: only one of the two expected")
    if asked.model not in BEGUN:
        raise BadFile(f"--from: {' or '.join(BEGUN)} expected, {asked.model} trains from its beginning only")
    expect_weights(asked.start_from, BEGUN[asked.model])


def expect_weights(path: Path, models: Sequence[str]) -> None:
    """Raise BadFile for a file that does not hold the weights of one of these flow networks."""
    from safetensors import SafetensorError, safe_open

    from backend.models.dance_flow.network import DanceFlow
    from backend.models.partner_flow.network import PartnerFlow

    wanted = " or ".join(models)
    try:
        with safe_open(path, framework="pt") as file:
            model = (file.metadata() or {}).get("model")
        if model not in models:
            raise BadFile(f"{path}: weights of {wanted} expected, those of {model or 'nothing known'} found")
        (DanceFlow if model == DanceFlow.name else PartnerFlow).load(path)
    except FileNotFoundError:
        raise BadFile(f"{path}: no such file, weights of {wanted} expected") from None
    except (OSError, SafetensorError):
        raise BadFile(f"{path}: a .safetensors file with weights of {wanted} expected") from None
    except (KeyError, TypeError, RuntimeError):
        raise BadFile(f"{path}: weights of this version's {model} expected, those of another version found") from None


def held_out(config: Path) -> tuple[list[str], list[str]]:
    """The recordings that a plan names for validation and for the test. Raises BadFile."""
    try:
        named = tomllib.loads(config.read_text())["data"]
        return named["validation"], named["test"]
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadFile(f"{config}: a TOML plan expected, {error}") from None
    except KeyError:
        raise BadFile(f"{config}: [data] expected, which names recordings for validation and test") from None


def train(asked: Train, config: Path) -> int:
    """Train the model; the exit status. Raises BadFile."""
    from training.experiment.fit import (
        Interrupted,  # lightning takes seconds to load, which a check alone need not wait for
    )

    module = import_module(f"training.{asked.model.replace('-', '_')}.task")
    more = {"weights": asked.start_from} if asked.start_from else {}
    more |= {"music": asked.music} if asked.music else {}
    try:
        module.train(asked.data, asked.out, config, resume=asked.resume, **more)
    except Interrupted as interrupted:
        print(f"stopped after step {interrupted}; --resume goes on from there", file=sys.stderr)
        return 130
    return 0


def show(report: FolderReport) -> None:
    """Print a report: the takes as a table, and what was found, a line each."""
    console = Console(width=None if Console().is_terminal else 200, highlight=False)
    table = Table("take", "for", "seconds", "usable", "closest, m", "median, m", "findings")
    for take in report.recordings:
        figures = (take.seconds, take.usable, take.closest, take.median)
        cells = ("-" if isnan(x) else f"{x:.{places}f}" for x, places in zip(figures, (1, 1, 2, 2), strict=True))
        colour = "red" if take.fatal else "yellow" if take.findings else "green"
        table.add_row(take.name, take.part or "-", *cells, f"[{colour}]{len(take.findings) or 'none'}")
    if report.recordings:
        console.print(table)
    for finding in report.findings:
        said = str(finding) if finding.fatal else f"warning: {finding}"
        console.print(said, style="red" if finding.fatal else "", markup=False, soft_wrap=True)
    usable = {part: sum(take.usable for take in report.recordings if take.part == part) for part in PARTS}
    shares = ", ".join(f"{seconds:.0f} s for {part}" for part, seconds in usable.items())
    verdict = "can be trained on" if report.trainable else "cannot be trained on yet"
    console.print(f"takes: {len(report.recordings)}, usable: {shares}; {verdict}")


def show_pairs(data: Path, validation: list[str], test: list[str]) -> int:
    """Print what each part of a folder of pairs holds; the exit status. Raises BadFile."""
    split = split_pairs(find_pairs(data), validation, test)
    table = Table("part", "pairs", "dances", "songs", "minutes")
    for part in PARTS:
        pairs = getattr(split, part)
        minutes = sum(pair.seconds for pair in pairs) / 60.0
        counts = (len(pairs), len({pair.recording for pair in pairs}), len({pair.song for pair in pairs}))
        table.add_row(part, *map(str, counts), f"{minutes:.1f}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
