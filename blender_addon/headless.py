"""Drives the installed extension in a Blender without a window, for the demo, rendering and tests.

    python blender_addon/headless.py TASK.json                      a Python that has bpy
    blender --background --python blender_addon/headless.py -- TASK.json

A task says {"task": "demo" or "render", "extension": ZIP} and
    demo    "leader": FILE, "server": URL, "out": FOLDER, "model", "seed"  leaves duet.mp4, duet.blend and partner.bvh
    render  "motions": [FILE] or [FILE, FILE], "out": VIDEO, "music": a sound file, which it can do without
and, as it likes, "size": [width, height]. Answers are lines of JSON on standard output, among Blender's own lines:
{"progress": 0.4, "what": ...} and at the end {"result": ...} or {"error": one sentence}. Exit status: 0 done, 2 bad
input, 1 a fault. Blender's user folder is a scratch folder, so the user's own extensions stay as they are.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

PACKAGE = "bl_ext.user_default.pas_de_deux"
Task = dict[str, Any]


class BadInput(Exception):
    """A task or a file that cannot be used; its text is one sentence."""


class Fault(Exception):
    """Something went wrong on the way; its text is one sentence."""


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="pas-de-deux-") as scratch:
        os.environ["BLENDER_USER_RESOURCES"] = scratch
        try:
            task = _task_of(arguments)
            result = _TASKS[task["task"]](task)
        except BadInput as error:
            return _answer(2, error=str(error))
        except Fault as error:
            return _answer(1, error=str(error))
        except Exception as error:
            return _answer(1, error=f"{type(error).__name__}: {error}")
        return _answer(0, result=result)


def demo(task: Task) -> Task:
    """A leader's file to a duet: video, .blend and the partner's file."""
    bpy = _blender()
    out = Path(task["out"]).absolute()
    out.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}
    with _timed(seconds, "install"):
        _install(task)
    duet = bpy.context.scene.pas_de_deux
    addons = bpy.context.preferences.addons
    addons[PACKAGE].preferences.address = task["server"]
    duet.model, duet.seed = task.get("model", duet.model), task.get("seed", duet.seed)
    with _timed(seconds, "import"), _refusing(BadInput), _telling(0.05, 0.1):
        bpy.ops.pasdedeux.import_mocap(filepath=str(task["leader"]), fps=task.get("fps", 0.0))
    with _timed(seconds, "generate"), _refusing(Fault), _telling(0.1, 0.3):
        bpy.ops.pasdedeux.generate_partner()
    frames = _write_partner(Path(task["leader"]), task.get("fps"), out / "partner.bvh")
    _say(progress=0.3, what="saving duet.blend")
    bpy.ops.wm.save_as_mainfile(filepath=str(out / "duet.blend"), check_existing=False, compress=True)
    with _timed(seconds, "render"), _refusing(Fault), _telling(0.3, 1.0):
        bpy.ops.pasdedeux.render_preview(filepath=str(out / "duet.mp4"), **_size(task))
    return {"blender": bpy.app.version_string, "frames": frames, "seconds": seconds}


def render(task: Task) -> Task:
    """One or two dancers' files to a video, with its music where there is any."""
    bpy = _blender()
    seconds: dict[str, float] = {}
    with _timed(seconds, "install"):
        _install(task)
    music = {"music": str(Path(task["music"]).absolute())} if task.get("music") else {}
    if music:
        _expect_heard(Path(music["music"]))
    duet = bpy.context.scene.pas_de_deux
    with _timed(seconds, "import"), _refusing(BadInput), _telling(0.05, 0.1):
        imported = []
        for file in task["motions"]:
            before = set(bpy.data.armatures)
            bpy.ops.pasdedeux.import_mocap(filepath=str(file), body=False, fps=task.get("fps", 0.0))
            imported += [thing for thing in bpy.context.scene.objects if thing.data in set(bpy.data.armatures) - before]
    duet.leader, duet.partner = imported[0], imported[1] if len(imported) > 1 else None
    with _timed(seconds, "render"), _refusing(Fault), _telling(0.1, 1.0):
        bpy.ops.pasdedeux.render_preview(filepath=str(Path(task["out"]).absolute()), **_size(task), **music)
    return {"blender": bpy.app.version_string, "seconds": seconds}


_TASKS: dict[str, Callable[[Task], Task]] = {"demo": demo, "render": render}
_NEEDED = {"demo": ("leader", "server", "out"), "render": ("motions", "out")}


def _task_of(arguments: list[str]) -> Task:
    """Read the task file and check that all is there. Raises BadInput."""
    if len(arguments) != 1:
        raise BadInput("One task file expected")
    path = Path(arguments[0])
    try:
        task = json.loads(path.read_text())
    except OSError as error:
        raise BadInput(f"{path.name}: a readable file expected ({error.strerror})") from None
    except ValueError as error:
        raise BadInput(f"{path.name}: JSON expected ({error})") from None
    if not isinstance(task, dict) or task.get("task") not in _TASKS:
        raise BadInput(f'{path.name}: "task" expected to be one of {", ".join(_TASKS)}')
    for key in ("extension", *_NEEDED[task["task"]]):
        if key not in task:
            raise BadInput(f'{path.name}: "{key}" expected')
    if not Path(task["extension"]).is_file():
        raise BadInput(f"{task['extension']}: the extension's zip expected, no such file")
    return task


def _install(task: Task) -> None:
    """Install the extension's zip in an empty Blender, by Blender's own operator."""
    bpy = _blender()
    _say(progress=0.0, what="installing the extension")
    # What the extension brings counts here, not the checkout that this file lies in.
    checkout = Path(__file__).resolve().parent.parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != checkout]
    bpy.ops.wm.read_homefile(use_empty=True)
    if bpy.app.binary_path:
        # Blender itself has looked for the user's extensions before this file could name another folder.
        repositories = bpy.context.preferences.extensions.repos
        repository = next(repository for repository in repositories if repository.module == "user_default")
        repository.custom_directory = str(Path(os.environ["BLENDER_USER_RESOURCES"], "extensions", "user_default"))
        repository.use_custom_directory = True
    with _refusing(Fault):
        bpy.ops.extensions.package_install_files(
            filepath=str(Path(task["extension"]).absolute()), repo="user_default", enable_on_install=True
        )
    if PACKAGE not in bpy.context.preferences.addons:
        raise Fault(f"{Path(task['extension']).name} could not be enabled in Blender {bpy.app.version_string}")


def _expect_heard(music: Path) -> None:
    """Raise BadInput unless this Blender can play a sound file."""
    refused: type[Exception] = import_module(f"{PACKAGE}.background_job").OperatorError
    try:
        import_module(f"{PACKAGE}.media.soundtrack").expect_heard(music)
    except refused as error:
        raise BadInput(str(error)) from None


def _write_partner(leader: Path, fps: float | None, path: Path) -> int:
    """Write the keyed partner in the leader's units, rate and length, and return the number of frames."""

    bpy = _blender()
    from rigs import files

    armatures = import_module(f"{PACKAGE}.animation.armatures")
    dancers = import_module(f"{PACKAGE}.animation.dancers")
    partner = bpy.context.scene.pas_de_deux.partner
    source = files.read(leader, fps=fps or None).source
    motion = armatures.motion_of(bpy.context, partner, dancers.frames_of(bpy.context.scene, partner))
    files.write(path, motion, like=source)
    return source.frames


def _blender() -> Any:
    """The bpy module, which reads the user folder's place when it is first imported."""
    return import_module("bpy")


def _size(task: Task) -> Task:
    return {"size": tuple(task["size"])} if "size" in task else {}


@contextmanager
def _timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[what] = round(time.perf_counter() - start, 2)


@contextmanager
def _refusing(kind: type[Exception]) -> Iterator[None]:
    """Turn what an operator reports as an error into `kind`."""
    try:
        yield
    except RuntimeError as error:
        raise kind(str(error).strip().removeprefix("Error: ").splitlines()[0]) from None


@contextmanager
def _telling(start: float, end: float) -> Iterator[None]:
    """Say how far an operator is, as the part of the whole from `start` to `end`."""

    def listener(fraction: float, what: str) -> None:
        _say(progress=round(start + (end - start) * fraction, 4), what=what)

    listeners = import_module(f"{PACKAGE}.background_job").listeners
    listeners.append(listener)
    try:
        yield
    finally:
        listeners.remove(listener)


def _say(**message: Any) -> None:
    print(f"\n{json.dumps(message)}", flush=True)


def _answer(status: int, **message: Any) -> int:
    _say(**message)
    return status


if __name__ == "__main__":
    after = sys.argv.index("--") if "--" in sys.argv else 0
    status = main(sys.argv[after + 1 :])
    sys.stdout.flush()
    # Blender would exit with 0 and, as a module, may crash in taking itself down.
    os._exit(status)
