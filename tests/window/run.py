"""Install the built extension in a real Blender window and use it: `make window`, or `python -m tests.window.run`.

Blender 5.2 and an X server without a screen run in a Debian of their own, which is prepared once by debootstrap; it
needs root. `story.py` is what is done there, by simulated events; its pictures and report.json are written to --out.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from rigs import files
from rigs.motion import Motion
from rigs.sample_dance.salsa import sample_dance
from tests.installed import ROOT, NotInstalled, build

HERE = Path(__file__).parent
PACKAGES = [
    "blender",
    "xvfb",
    "xauth",
    "libgl1-mesa-dri",
    "libegl1",
    "imagemagick",
    "python3-numpy",
    "python3-cattr",
    "python3-jsonschema",
    "python3-requests",
    "python3-certifi",
    "python3-zstandard",
]
DISPLAY, SIZE = ":97", (1600, 1000)
_TIME_LIMIT = 1500
"""s for everything that is done in the window."""
_TIMES = 5
"""How often the leader dances the sample dance, so that there is time to do something while a job runs."""
_WORK = "root/window"
"""The folder in the Debian root in which Blender finds the zip and the story."""


class CannotRun(Exception):
    """What is missing for a window, as one sentence."""


def main() -> int:
    """Prepare the Debian, run the story, copy its pictures; 0 if every step went as expected."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--root", type=Path, default=ROOT / ".venv" / "window", help="folder of the Debian")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "window", help="folder for pictures and report")
    parser.add_argument("--zip", type=Path, help="the extension's zip; without it, one is built")
    parser.add_argument("--model", default="", help="model to generate with; empty: the default one")
    parser.add_argument("--steps", nargs="+", default=[], help="functions of story.py to run instead of all")
    arguments = parser.parse_args()
    try:
        prepare(arguments.root)
        failure = run(arguments.root, arguments.out, arguments.zip or build(), arguments.model, arguments.steps)
    except (CannotRun, NotInstalled) as error:
        print(f"make window: {error}", file=sys.stderr)
        return 2
    print(failure or f"Every step went as expected; pictures in {arguments.out}", file=sys.stderr)
    return 1 if failure else 0


def prepare(root: Path) -> None:
    """Install Debian with Blender in a folder, once. Raises CannotRun."""
    if os.geteuid() != 0:
        raise CannotRun("a Debian of its own needs root: sudo make window")
    if all(os.path.lexists(root / "usr" / "bin" / program) for program in ("blender", "Xvfb", "import")):
        return
    debootstrap = shutil.which("debootstrap", path=f"{os.environ['PATH']}:/usr/sbin")
    if debootstrap is None:
        raise CannotRun("debootstrap is missing: apt-get install debootstrap")
    print(f"Preparing Debian with Blender in {root}, 2 GB, a few minutes", file=sys.stderr)
    if not (root / "usr" / "bin" / "apt-get").exists():
        _run([debootstrap, "--variant=minbase", "sid", str(root)])
    install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *PACKAGES]
    _in_root(
        root,
        "export DEBIAN_FRONTEND=noninteractive; apt-get update --quiet --option Acquire::Check-Valid-Until=false && "
        + " ".join(install),
    )


def run(root: Path, out: Path, extension: Path, model: str, steps: list[str]) -> str:
    """Run the story in the Debian's Blender and copy its pictures to `out`; what failed, or nothing."""
    work = root / _WORK
    shutil.rmtree(work, ignore_errors=True)
    (work / "out").mkdir(parents=True)
    for source in (*HERE.glob("*.py"), extension):
        shutil.copy(source, work)
    files.write(work / "leader.bvh", _repeat(sample_dance(), _TIMES))
    environment = {
        "HOME": "/root",
        "DISPLAY": DISPLAY,
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "BLENDER_USER_RESOURCES": f"/{_WORK}/user",
        "WINDOW_OUT": f"/{_WORK}/out",
        "WINDOW_ZIP": f"/{_WORK}/{extension.name}",
        "WINDOW_LEADER": f"/{_WORK}/leader.bvh",
        "WINDOW_MODEL": model,
        "WINDOW_STEPS": " ".join(steps),
    }
    width, height = SIZE
    script = [
        *(f"export {name}='{value}'" for name, value in environment.items()),
        f"Xvfb {DISPLAY} -screen 0 {width}x{height}x24 -nolisten tcp & server=$!",
        "sleep 2",
        f"timeout {_TIME_LIMIT} blender --factory-startup --enable-event-simulate"
        f" --window-geometry 0 0 {width} {height} --python /{_WORK}/story.py",
        "kill $server",
    ]
    _in_root(root, "\n".join(script))
    out.mkdir(parents=True, exist_ok=True)
    for picture in (work / "out").iterdir():
        shutil.copy(picture, out)
    report = work / "out" / "report.json"
    if not report.exists():
        return "Blender ended before the story did"
    failure = json.loads(report.read_text("utf-8"))["failure"]
    return f"Failed: {failure}" if failure else ""


def _repeat(dance: Motion, times: int) -> Motion:
    """A dance several times over."""
    root, rotations = np.tile(dance.root, (times, 1)), np.tile(dance.rotations, (times, 1, 1))
    return replace(dance, root=root, rotations=rotations)


def _in_root(root: Path, script: str) -> None:
    """Run a shell script in the Debian, its /proc and /dev mounted for that time alone. Raises CannotRun."""
    mounted = f'mount -t proc proc "{root}/proc" && mount --rbind /dev "{root}/dev" && exec chroot "{root}" sh -c "$1"'
    _run(["unshare", "--mount", "sh", "-c", mounted, "sh", script])


def _run(command: list[str]) -> None:
    result = subprocess.run(command)
    if result.returncode != 0:
        raise CannotRun(f"{command[0]} failed with {result.returncode}")


if __name__ == "__main__":
    sys.exit(main())
