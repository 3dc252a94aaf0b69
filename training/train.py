"""Train a model on a folder of duets, or of dances and their music.

    python training/train.py MODEL --data DIR --out RUN [--resume | --from WEIGHTS.safetensors]
    python training/train.py MODEL --data DIR --check

RUN gets TensorBoard curves, `last.ckpt`, `best.ckpt`, and at the end the weights with their model card.
Ctrl-C stops the training after the current step, and `--resume` continues it exactly where it stopped.
The folder is checked before the first step; `--check` only prints what it finds.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from backend.model_registry import REGISTRY, ModelSpec
from rigs.files import BadFile
from training.data.duets import PARTS
from training.data.folder_check import FolderReport, check_folder
from training.data.music_pairs import find_pairs, split_pairs
from training.experiment.config import CONFIGS, read_tables


@dataclass(frozen=True)
class TrainArguments:
    """The command line of `train.py`."""

    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """The model to train."""
    data: Path
    """Folder of NAME_leader.* and NAME_follower.* files, or of NAME.bvh and NAME.mid files."""
    out: Path | None = None
    """Folder of the run: curves, checkpoints, weights, model card."""
    resume: bool = False
    """Continue from RUN's last checkpoint."""
    start_from: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Fine-tune these weights, shipped ones or your own, instead of training from scratch (flow models of movement)."""
    music: Path | None = None
    """Folder of MIDI files from which a model that composes learns music without a dance."""
    check: bool = False
    """Only check the folder: status 0 if it can be trained on, 2 if not."""
    config: Path | None = None
    """A training configuration other than configs/MODEL.toml."""


def main() -> int:
    """Run the command; 0 done, 2 bad input, 130 interrupted."""
    args = tyro.cli(TrainArguments, description=f"Train a model: {', '.join(REGISTRY.trainable())}.")
    try:
        return run(args)
    except BadFile as bad:
        print(bad, file=sys.stderr)
        return 2


def run(args: TrainArguments) -> int:
    """Check the folder and train on it; return the exit status. Raises BadFile."""
    if args.model not in REGISTRY.trainable():
        raise BadFile(f"{args.model}: a model expected, one of {', '.join(REGISTRY.trainable())}")
    spec = REGISTRY.get(args.model)
    check_arguments(args, spec)
    config = args.config or CONFIGS / f"{args.model}.toml"
    validation, test = held_out_recordings(config)
    if spec.learns_from == "music pairs":
        return print_pairs(args.data, validation, test) if args.check else train(args, spec, config)
    with Console(stderr=True).status("") as status:
        report = check_folder(args.data, validation, test, status.update)
    if args.check:
        print_report(report)
        return 0 if report.trainable else 2
    for finding in report.findings:
        if finding.fatal or report.trainable:
            print(finding if finding.fatal else f"warning: {finding}", file=sys.stderr)
    return train(args, spec, config) if report.trainable else 2


def check_arguments(args: TrainArguments, spec: ModelSpec) -> None:
    """Raise BadFile for options that contradict each other or that the model does not have, and for bad weights."""
    if args.out is None and not args.check:
        raise BadFile("--out: a folder for the run expected, or --check to check the data alone")
    if args.out is not None:
        existing = next(path for path in (args.out, *args.out.absolute().parents) if path.exists())
        if not existing.is_dir():
            raise BadFile(f"{existing}: a folder for the run expected, a file found")
    if args.music is not None and not spec.learns_from_midi:
        models = " or ".join(s.name for s in REGISTRY if s.learns_from_midi)
        raise BadFile(f"--music: {models} expected, {spec.name} learns from {spec.learns_from} alone")
    if args.start_from is None:
        return
    if args.resume:
        raise BadFile("--from starts a run and --resume continues one: only one of the two expected")
    if not spec.starts_from:
        models = " or ".join(s.name for s in REGISTRY if s.starts_from)
        raise BadFile(f"--from: {models} expected, {spec.name} trains from scratch only")
    check_weights(args.start_from, spec.starts_from)


def check_weights(path: Path, models: Sequence[str]) -> None:
    """Raise BadFile for a file that does not hold loadable weights of one of these models."""
    from backend.models.common.weights_file import read_metadata  # torch takes seconds to import

    try:
        model = read_metadata(path, models)["model"]
        REGISTRY.get(model).load_pipeline("cpu", path)
    except ValueError as error:
        raise BadFile(str(error)) from None


def held_out_recordings(config: Path) -> tuple[list[str], list[str]]:
    """The recordings that a training configuration holds out for validation and for the test. Raises BadFile."""
    try:
        data = read_tables(config)["data"]
        return list(data["validation"]), list(data["test"])
    except (KeyError, TypeError):
        raise BadFile(f"{config}: [data] expected, with the recordings for validation and test") from None


def train(args: TrainArguments, spec: ModelSpec, config: Path) -> int:
    """Train the model; return the exit status. Raises BadFile."""
    from training.experiment.fit import Interrupted

    paths = {"weights": args.start_from, "music": args.music}
    options = {name: path for name, path in paths.items() if path is not None}  # which not every model has
    try:
        spec.import_training().train(args.data, args.out, config, resume=args.resume, **options)
    except Interrupted as interrupted:
        print(f"stopped after step {interrupted}; continue with --resume", file=sys.stderr)
        return 130
    if spec.network:
        export_missing_graphs(spec, args.out)
    return 0


def export_missing_graphs(spec: ModelSpec, out: Path | None) -> None:
    """Export the network of a training whose shape is not the shipped one, so that it too runs without torch."""
    from backend.models.common.runtime import OnnxNetwork, load_network
    from training.export import export_graphs

    assert out is not None
    weights = out / f"{spec.name}.safetensors"
    if not isinstance(load_network(spec.name, weights, "cpu"), OnnxNetwork):
        export_graphs(weights, out)


def print_report(report: FolderReport) -> None:
    """Print a report: the recordings as a table, and the findings, one per line."""
    console = Console(width=None if Console().is_terminal else 200, highlight=False)
    table = Table("recording", "part", "seconds", "usable", "closest, m", "median, m", "findings")
    for recording in report.recordings:
        numbers = (recording.seconds, recording.usable, recording.closest, recording.median)
        cells = ("-" if isnan(x) else f"{x:.{places}f}" for x, places in zip(numbers, (1, 1, 2, 2), strict=True))
        colour = "red" if recording.fatal else "yellow" if recording.findings else "green"
        findings = f"[{colour}]{len(recording.findings) or 'none'}"
        table.add_row(recording.name, recording.part or "-", *cells, findings)
    if report.recordings:
        console.print(table)
    for finding in report.findings:
        text = str(finding) if finding.fatal else f"warning: {finding}"
        console.print(text, style="red" if finding.fatal else "", markup=False, soft_wrap=True)
    usable = {part: sum(r.usable for r in report.recordings if r.part == part) for part in PARTS}
    shares = ", ".join(f"{seconds:.0f} s for {part}" for part, seconds in usable.items())
    verdict = "can be trained on" if report.trainable else "cannot be trained on yet"
    console.print(f"recordings: {len(report.recordings)}, usable: {shares}; {verdict}")


def print_pairs(data: Path, validation: list[str], test: list[str]) -> int:
    """Print the number of pairs in each part of a folder; return the exit status. Raises BadFile."""
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
