"""Fuzz all readers: `python -m tests.fuzz.run [PART OF A READER'S NAME ...]`, or `make fuzz`.

Each reader gets the same share of FUZZ_SECONDS (600 by default) in a process of its own, FUZZ_JOBS (the number of
cores) at a time, with mutations drawn from FUZZ_SEED (by default the clock; printed, so that a run can be repeated).
PASDEDEUX_DATA is the folder of real files. Prints a line for each reader, then its faults; the smallest input of each
fault is kept in runs/fuzz. Exit status 1 if there is a fault.

    reader   files  seconds  refused  s/MB  MiB  x file  faults

seconds: wall time.  refused: share of the files that got a sentence.  s/MB: the most CPU time above the allowance for
files of any size, for a megabyte.  MiB: the most memory that a file took.  x file: the same in sizes of its file, for
files of 100 kB or more.
"""

import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from random import Random
from typing import Any

from tests.conftest import ROOT
from tests.fuzz.blender_targets import blender_targets
from tests.fuzz.fuzzer import Fuzzer, first_faults
from tests.fuzz.targets import targets
from tests.fuzz.trial import Target, Trial

FAULTS_FOLDER = ROOT / "runs" / "fuzz"
_MAX_ADDRESS_SPACE = 12 * 2**30
"""Bytes that a process may claim, so that a reader that claims all memory ends alone."""
_MAX_SILENCE = 120.0
"""s after which a process that has tried no further file hangs."""
_LARGE = 100_000
_MEGABYTE = 1e6


@dataclass
class Report:
    """What was tried of a reader."""

    name: str
    files: int = 0
    seconds: float = 0.0
    refused: int = 0
    seconds_per_megabyte: float = 0.0
    peak: int = 0
    ratio: float = 0.0
    faults: tuple[tuple[bytes, Trial], ...] = ()

    def add(self, trial: Trial, seconds_allowed: float) -> None:
        """Count a trial; seconds_allowed: for a file of any size."""
        self.files += 1
        self.refused += trial.refused
        self.seconds_per_megabyte = max(
            self.seconds_per_megabyte, (trial.seconds - seconds_allowed) / (trial.size / _MEGABYTE or 1.0)
        )
        self.peak = max(self.peak, trial.peak)
        if trial.size >= _LARGE:
            self.ratio = max(self.ratio, trial.peak / trial.size)

    def line(self) -> str:
        """A row of the table."""
        return (
            f"{self.name:18} {self.files:8,} {self.seconds:8.0f} {self.refused / max(self.files, 1):8.0%} "
            f"{self.seconds_per_megabyte:6.2f} {self.peak / 2**20:6.1f} {self.ratio:7.1f} {len(self.faults):7}"
        )


def main(names: list[str]) -> int:
    """Fuzz the readers whose names contain one of `names`, all without any; returns the exit status."""
    seconds, seed = float(os.environ.get("FUZZ_SECONDS", "600")), int(os.environ.get("FUZZ_SEED", time.time()))
    jobs = int(os.environ.get("FUZZ_JOBS", os.cpu_count() or 1))
    corpus = Path(os.environ.get("PASDEDEUX_DATA", ROOT.parent / "shared" / "data"))
    chosen = [target for target in all_targets() if not names or any(name in target.name for name in names)]
    share = seconds * min(jobs, len(chosen)) / max(len(chosen), 1)
    real = f"real files of {corpus}" if corpus.is_dir() else f"built files alone (no {corpus})"
    print(f"seed {seed}, {len(chosen)} readers, {share:.0f} s each, {jobs} at a time, mutations of {real}")
    print(
        f"{'reader':18} {'files':>8} {'seconds':>8} {'refused':>8} {'s/MB':>6} {'MiB':>6} {'x file':>7} {'faults':>7}"
    )
    reports = run_all(chosen, share, seed, jobs, corpus if corpus.is_dir() else None)
    total = sum(report.files for report in reports)
    faults = sum(len(report.faults) for report in reports)
    print(f"{total:,} files, {faults} faults")
    for report in reports:
        for content, trial in report.faults:
            path = keep_fault(report.name, content, trial)
            print(f"{report.name}: {trial.fault}\n    {path}")
    return 1 if faults else 0


def all_targets() -> list[Target]:
    """The readers, Blender's too."""
    return [*targets(), *blender_targets()]


def run_all(chosen: list[Target], share: float, seed: int, jobs: int, corpus: Path | None) -> list[Report]:
    """Fuzz the targets, `jobs` processes at a time; prints the line of each as it ends."""
    context = multiprocessing.get_context("spawn")
    waiting, reports = list(chosen), []
    running: dict[Connection, tuple[Any, Target, Path, float]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            target, folder = waiting.pop(0), Path(tempfile.mkdtemp(prefix="fuzz-"))
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=fuzz_target, args=(target.name, folder, share, seed, corpus, theirs))
            process.start()
            theirs.close()
            running[ours] = process, target, folder, time.monotonic()
        ready = wait(list(running), timeout=1.0)
        for pipe in list(running):
            process, target, folder, start = running[pipe]
            tried = folder / f"fuzzed{target.suffix}"
            silence = time.time() - tried.stat().st_mtime if tried.exists() else 0.0
            if pipe not in ready and silence < _MAX_SILENCE:
                continue
            reports.append(_end_process(process, pipe, target, tried, time.monotonic() - start))
            print(reports[-1].line(), flush=True)
            del running[pipe]
            shutil.rmtree(folder)
    return reports


def _end_process(process: Any, pipe: Connection, target: Target, tried: Path, seconds: float) -> Report:
    """The report of a process that has ended, or that hangs and is ended."""
    try:
        report: Report = pipe.recv() if pipe.poll() else _lost(target, tried, f"no answer in {_MAX_SILENCE:.0f} s")
    except EOFError:
        process.join()
        report = _lost(target, tried, f"the process ended with status {process.exitcode}")
    process.kill()
    process.join()
    report.seconds = seconds
    return report


def _lost(target: Target, tried: Path, fault: str) -> Report:
    content = tried.read_bytes() if tried.exists() else b""
    return Report(target.name, faults=((content, Trial(len(content), 0.0, 0, False, fault)),))


def fuzz_target(name: str, folder: Path, seconds: float, seed: int, corpus: Path | None, pipe: Connection) -> None:
    """Fuzz one target for some seconds, in a process of its own, and send its report."""
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_ADDRESS_SPACE, _MAX_ADDRESS_SPACE))
    warnings.simplefilter("ignore")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)  # of Blender's importers, which print what they meet
    os.dup2(silence, 2)
    target = next(target for target in all_targets() if target.name == name)
    report, faults, end = Report(name), [], time.monotonic() + seconds
    fuzzer, random = Fuzzer(target, folder, corpus), Random(f"{seed} {name}")
    for seed_file, trial in fuzzer.try_seeds():
        report.add(trial, target.seconds_allowed)
        if trial.fault and "CPU time" not in trial.fault:  # the first ones load the modules
            faults.append((seed_file.content, trial))
    while time.monotonic() < end:
        content, trial = fuzzer.try_mutation(random)
        report.add(trial, target.seconds_allowed)
        if trial.fault:
            faults.append((content, trial))
    report.faults = tuple(first_faults(faults))
    pipe.send(report)


def keep_fault(name: str, content: bytes, trial: Trial) -> Path:
    """Keep the input of a fault."""
    suffix = next(target.suffix for target in all_targets() if target.name == name)
    FAULTS_FOLDER.mkdir(parents=True, exist_ok=True)
    number = len(list(FAULTS_FOLDER.iterdir()))
    path = FAULTS_FOLDER / f"{name.replace(' ', '-')}-{number}{suffix}"
    path.write_bytes(content)
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
