"""The `demo` command: starts a backend and a Blender with the extension, and generates a duet from a leader."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from backend.cli import blender_process
from backend.cli.dispatch import bad_input_from_value_errors, expect_answerable
from backend.cli.motion_files import read_clip, readable_files
from backend.cli.options import AS_STATED, MotionFileOptions
from backend.cli.terminal import BadInput, Fault, expect_parent_folder, print_note, print_notes, staging_folder
from backend.wire.messages import PartnerRequest
from rigs import files
from rigs.sample_dance.salsa import sample_dance

LISTENING = "listening on "
START_TIMEOUT = 120.0
"""s for a backend to start."""
SEED_LIMIT = 2**31
"""Blender's integers are smaller."""


def run_demo(
    out: Path,
    leader: Path | None,
    *,
    model: str,
    seed: int,
    file_options: MotionFileOptions = AS_STATED,
    progress: Callable[[float, str], None],
) -> dict[str, Any]:
    """Write duet.mp4, duet.blend, partner.bvh and report.json into the folder `out`, all or none; return the report.

    leader: any readable file; by default the sample dance, which is written too.  file_options: what it states wrongly.
    Raises BadFile, BadInput and Fault.
    """
    start_time = time.perf_counter()
    clip = read_clip(leader, file_options.read_options) if leader is not None else None
    motions = clip.motions if clip else (sample_dance(),)
    if not 0 <= seed < SEED_LIMIT:
        raise BadInput(f"seed: a whole number of 0 to {SEED_LIMIT - 1} expected, {seed} found")
    with bad_input_from_value_errors():
        expect_answerable(PartnerRequest(motions[0], model=model, seed=seed), None)
    blender_process.blender_command()
    if out.exists() and not out.is_dir():
        raise BadInput(f"{out}: a folder expected, a file found")
    expect_parent_folder(out)
    with staging_folder(out) as folder:
        print_notes(clip.warnings if clip else ())
        results = folder / "results"
        results.mkdir()
        if leader is None:
            source = results / "sample_leader.bvh"
            files.write(source, motions[0])
        elif len(motions) > 1:
            print_note(f"{leader.name}: two dancers, the first is taken as the leader")
            source = folder / f"{leader.stem}.npz"
            files.write(source, motions[0])
        else:
            assert clip is not None
            (source,) = readable_files([leader], [clip], folder)
        progress(0.0, "packing the extension")
        task = {
            "task": "demo",
            "extension": str(blender_process.build_extension()),
            "leader": str(source.absolute()),
            "out": str(results.absolute()),
            "model": model,
            "seed": seed,
            **(file_options.task_entries if source == leader else {}),
        }
        packing_end = time.perf_counter()
        progress(0.0, "starting the backend")
        with running_backend(folder) as (url, log):
            backend_start = time.perf_counter()
            try:
                result = blender_process.run_task(task | {"server": url}, folder, progress)
            except Fault as fault:
                raise Fault(str(fault), fault.log + log.read_text(errors="replace")) from None
        report = {
            "model": model,
            "seed": seed,
            "leader": str(leader or source.name),
            "frames": result["frames"],
            "seconds": {
                "pack": round(packing_end - start_time, 2),
                "start backend": round(backend_start - packing_end, 2),
                **result["seconds"],
                "whole": round(time.perf_counter() - start_time, 2),
            },
            "versions": {
                "pas-de-deux": _version("pas-de-deux"),
                "blender": result["blender"],
                "torch": _version("torch"),
                "python": platform.python_version(),
            },
        }
        (results / "report.json").write_text(json.dumps(report, indent=2) + "\n")
        _move_into(results, out)
    return report


@contextmanager
def running_backend(folder: Path) -> Iterator[tuple[str, Path]]:
    """Run a backend in a process of its own on a free port; yields its address and its log, a file in `folder`.

    Raises Fault with the log's last line if it does not start.
    """
    log = folder / "backend.log"
    command = [sys.executable, "-P", "-m", "backend.cli.main", "serve", "--bind", "tcp://127.0.0.1:*"]
    with (
        log.open("wb") as output,
        blender_process.child_process(command, output, {"PYTHONUNBUFFERED": "1"}) as process,
    ):
        yield _wait_for_address(process, log), log


def _wait_for_address(process: "subprocess.Popen[str]", log: Path) -> str:
    """The address that the backend prints once it listens."""
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end:
        process_ended = process.poll() is not None
        output = log.read_text(errors="replace")
        for line in output.splitlines(keepends=True):
            if LISTENING in line and line.endswith("\n"):
                return line.split(LISTENING, 1)[1].split()[0]
        if process_ended:
            raise Fault(f"The backend did not start: {blender_process.last_line(output)}", output)
        time.sleep(0.05)
    raise Fault(f"The backend did not listen within {START_TIMEOUT:.0f} seconds", log.read_text(errors="replace"))


def _move_into(results: Path, out: Path) -> None:
    """Move results into the folder `out`; other files there stay."""
    if not out.exists():
        results.rename(out)
        return
    for file in sorted(results.iterdir()):
        os.replace(file, out / file.name)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
