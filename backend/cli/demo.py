"""Everything, once: a backend, a Blender with the extension, a leader, and the duet that comes of them."""

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
from backend.cli.terminal import BadInput, Fault, print_note, staging_folder
from backend.model_registry import MODELS, weights_path
from backend.protocol import PartnerRequest, encode
from rigs import files
from rigs.sample_dance.salsa import sample_dance

LISTENING = "listening on "
PATIENCE = 120.0
"""s for a backend to start."""
SEEDS = 2**31
"""Blender keeps a seed below it."""


def demo(
    out: Path,
    leader: Path | None,
    *,
    model: str,
    seed: int,
    fps: float | None = None,
    progress: Callable[[float, str], None],
) -> dict[str, Any]:
    """Leave duet.mp4, duet.blend, partner.bvh and report.json in the folder `out`, all or none; return the report.

    leader: any readable file; without it the sample dance, which is left there too.  fps: its true rate, if it states
    another.
    Raises BadFile, BadInput and Fault.
    """
    began = time.perf_counter()
    clip = files.read(leader, fps=fps) if leader is not None else None
    motions = clip.motions if clip else (sample_dance(),)
    if not 0 <= seed < SEEDS:
        raise BadInput(f"seed: a whole number of 0 to {SEEDS - 1} expected, {seed} found")
    try:
        encode("demo", PartnerRequest(motions[0], model=model, seed=seed))
        weights_path(model, MODELS)
    except ValueError as error:
        raise BadInput(str(error)) from None
    blender_process.blender_command()
    if out.exists() and not out.is_dir():
        raise BadInput(f"{out}: a folder expected, a file found")
    with staging_folder(out) as folder:
        for warning in clip.warnings if clip else ():
            print_note(warning)
        made = folder / "made"
        made.mkdir()
        if leader is None:
            given = made / "sample_leader.bvh"
            files.write(given, motions[0])
        elif len(motions) > 1:
            print_note(f"{leader.name}: two dancers, the first is taken as the leader")
            given = folder / f"{leader.stem}.npz"
            files.write(given, motions[0])
        else:
            given = leader
        progress(0.0, "packing the extension")
        task = {
            "task": "demo",
            "extension": str(blender_process.build_extension()),
            "leader": str(given.absolute()),
            "out": str(made.absolute()),
            "model": model,
            "seed": seed,
            "fps": fps or 0.0,
        }
        packed = time.perf_counter()
        progress(0.0, "starting the backend")
        with running_backend(folder) as (url, log):
            started = time.perf_counter()
            try:
                result = blender_process.run_task(task | {"server": url}, folder, progress)
            except Fault as fault:
                raise Fault(str(fault), fault.log + log.read_text(errors="replace")) from None
        report = {
            "model": model,
            "seed": seed,
            "leader": str(leader or given.name),
            "frames": result["frames"],
            "seconds": {
                "pack": round(packed - began, 2),
                "start backend": round(started - packed, 2),
                **result["seconds"],
                "whole": round(time.perf_counter() - began, 2),
            },
            "versions": {
                "pas-de-deux": _version("pas-de-deux"),
                "blender": result["blender"],
                "torch": _version("torch"),
                "python": platform.python_version(),
            },
        }
        (made / "report.json").write_text(json.dumps(report, indent=2) + "\n")
        _put_in_place(made, out)
    return report


@contextmanager
def running_backend(folder: Path) -> Iterator[tuple[str, Path]]:
    """A backend in a process of its own on a free port: its address, and the file with what it says in `folder`.

    Raises Fault with its own last words when it does not start.
    """
    log = folder / "backend.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "backend.cli.main", "serve", "--bind", "tcp://127.0.0.1:*"],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
    try:
        yield _address(process, log), log
    finally:
        blender_process.terminate(process)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Where the backend listens, once it does."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        ended = process.poll() is not None
        said = log.read_text(errors="replace")
        for line in said.splitlines(keepends=True):
            if LISTENING in line and line.endswith("\n"):
                return line.split(LISTENING, 1)[1].split()[0]
        if ended:
            raise Fault(f"The backend did not start: {(said.splitlines() or ['it said nothing'])[-1]}", said)
        time.sleep(0.05)
    raise Fault(f"The backend did not listen within {PATIENCE:.0f} seconds", log.read_text(errors="replace"))


def _put_in_place(made: Path, out: Path) -> None:
    """Move what is made into `out`; what is there already and was not made now stays."""
    if not out.exists():
        made.rename(out)
        return
    for file in sorted(made.iterdir()):
        os.replace(file, out / file.name)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
