"""Run the installed extension in a Blender without a window, for the demo, rendering, FBX, glTF and tests.

    python blender_addon/headless.py TASK.json                      a Python that has bpy
    blender --background --python blender_addon/headless.py -- TASK.json

A task is a JSON object with {"task": NAME, "extension": ZIP} and, by the name,
    demo    "leader": FILE, "server": URL, "out": FOLDER, "model", "seed"  writes duet.mp4, duet.blend and partner.bvh
    render  "motions": [FILE] or [FILE, FILE], "out": VIDEO, and optionally "music": a sound file
    export  "motions": [FILE...], of one dancer each, "out": as many .fbx or .glb files
    import  "motion": an .fbx or .glb FILE, "out": a folder, for a .npz of each dancer
and optionally "size": [width, height], and "fps", "up" and "unit" as `files.read` has them. It writes lines of JSON to
standard output, among Blender's own output: {"progress": 0.4, "what": ...} and at the end {"result": ...} or {"error":
one sentence}. Exit status: 0 done, 2 bad input, 1 a fault. Blender's user folder is a temporary one, so the user's own
extensions stay as they are.
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
    """A task or a file that cannot be used; the text is one sentence."""


class Fault(Exception):
    """A failure that is not the input's; the text is one sentence."""


def main(arguments: list[str]) -> int:
    """Run the task file in `arguments` and return the exit status."""
    with tempfile.TemporaryDirectory(prefix="pas-de-deux-") as user_folder:
        os.environ["BLENDER_USER_RESOURCES"] = user_folder
        try:
            task = _read_task(arguments)
            result = _TASKS[task["task"]](task)
        except BadInput as error:
            return _send_last(2, error=str(error))
        except Fault as error:
            return _send_last(1, error=str(error))
        except Exception as error:
            return _send_last(1, error=f"{type(error).__name__}: {error}")
        return _send_last(0, result=result)


def demo(task: Task) -> Task:
    """Import a leader, generate the partner, and write the video, the .blend file and the partner's motion."""
    bpy = _import_bpy()
    out = Path(task["out"]).absolute()
    out.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}
    with _measure_time(seconds, "install"):
        _install_extension(task)
    settings = bpy.context.scene.pas_de_deux
    preferences = bpy.context.preferences.addons[PACKAGE].preferences
    preferences.location, preferences.address = "SERVER", task["server"]
    settings.model, settings.seed = task.get("model", settings.model), task.get("seed", settings.seed)
    with _measure_time(seconds, "import"), _operator_errors_as(BadInput), _report_progress(0.05, 0.1):
        bpy.ops.pasdedeux.import_mocap(filepath=str(task["leader"]), **_import_options(task))
    with _measure_time(seconds, "generate"), _operator_errors_as(Fault), _report_progress(0.1, 0.3):
        bpy.ops.pasdedeux.generate_partner()
    frames = _write_partner(task, out / "partner.bvh")
    _send(progress=0.3, what="saving duet.blend")
    bpy.ops.wm.save_as_mainfile(filepath=str(out / "duet.blend"), check_existing=False, compress=True)
    with _measure_time(seconds, "render"), _operator_errors_as(Fault), _report_progress(0.3, 1.0):
        bpy.ops.pasdedeux.render_preview(filepath=str(out / "duet.mp4"), **_size_option(task))
    return {"blender": bpy.app.version_string, "frames": frames, "seconds": seconds}


def render(task: Task) -> Task:
    """Render one or two dancers' motion files to a video, with optional music."""
    bpy = _import_bpy()
    seconds: dict[str, float] = {}
    with _measure_time(seconds, "install"):
        _install_extension(task)
    music = {"music": str(Path(task["music"]).absolute())} if task.get("music") else {}
    if music:
        _require_playable(Path(music["music"]))
    settings = bpy.context.scene.pas_de_deux
    with _measure_time(seconds, "import"), _operator_errors_as(BadInput), _report_progress(0.05, 0.1):
        dancers = []
        for file in task["motions"]:
            before = set(bpy.data.armatures)
            bpy.ops.pasdedeux.import_mocap(filepath=str(file), body=False, **_import_options(task))
            dancers += [obj for obj in bpy.context.scene.objects if obj.data in set(bpy.data.armatures) - before]
    settings.leader, settings.partner = dancers[0], dancers[1] if len(dancers) > 1 else None
    with _measure_time(seconds, "render"), _operator_errors_as(Fault), _report_progress(0.1, 1.0):
        bpy.ops.pasdedeux.render_preview(filepath=str(Path(task["out"]).absolute()), **_size_option(task), **music)
    return {"blender": bpy.app.version_string, "seconds": seconds}


def export_motions(task: Task) -> Task:
    """Write dancers as FBX or glTF, each as an armature with a mannequin."""
    _install_extension(task)
    export = import_module(f"{PACKAGE}.animation.interchange.fbx_gltf_export").export_dancer
    from rigs import files

    if len(task["motions"]) != len(task["out"]):
        raise BadInput(f"as many motions as results expected, {len(task['motions'])} and {len(task['out'])} found")
    count = len(task["motions"])
    for n, (source, out) in enumerate(zip(task["motions"], task["out"], strict=True)):
        _send(progress=round((n + 0.5) / (count + 1), 4), what=f"writing {Path(out).name}")
        (motion,) = files.read(source).motions
        with _errors_as(BadInput):
            export(Path(out), motion, Path(out).stem)
    return {"blender": _import_bpy().app.version_string}


def import_motion(task: Task) -> Task:
    """Read the dancers of an FBX or glTF file, in its liveliest take, and write each as .npz."""
    bpy = _import_bpy()
    _install_extension(task)
    from rigs import files

    read_armatures = import_module(f"{PACKAGE}.animation.interchange.fbx_gltf").read_armatures
    path = Path(task["motion"])
    _send(progress=0.3, what=f"reading {path.name}")
    options = files.ReadOptions(*(task.get(name) or None for name in _FILE_OPTIONS))
    try:
        clip = read_armatures(bpy.context, path, options)()
    except files.BadFile as error:
        raise BadInput(str(error)) from None
    results = [str(Path(task["out"], f"{number}.npz")) for number in range(1, len(clip.motions) + 1)]
    for result, motion in zip(results, clip.motions, strict=True):
        files.write(result, motion)
    return {"motions": results, "warnings": clip.warnings, "filled_joints": clip.source.filled_joints}


_TASKS: dict[str, Callable[[Task], Task]] = {
    "demo": demo,
    "render": render,
    "export": export_motions,
    "import": import_motion,
}
_FILE_OPTIONS = ("fps", "up", "unit")
"""What a task may say of its motion files, in the order of `files.ReadOptions`."""
_REQUIRED_KEYS = {
    "demo": ("leader", "server", "out"),
    "render": ("motions", "out"),
    "export": ("motions", "out"),
    "import": ("motion", "out"),
}


def _read_task(arguments: list[str]) -> Task:
    """Read and check the task file. Raises BadInput."""
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
    for key in ("extension", *_REQUIRED_KEYS[task["task"]]):
        if key not in task:
            raise BadInput(f'{path.name}: "{key}" expected')
    if not Path(task["extension"]).is_file():
        raise BadInput(f"{task['extension']}: the extension's zip expected, no such file")
    return task


def _install_extension(task: Task) -> None:
    """Install the extension's zip into an empty Blender by its own operator. Raises Fault."""
    bpy = _import_bpy()
    _send(progress=0.0, what="installing the extension")
    # `rigs` and `backend` must come from the extension's wheels, not from the checkout with this file.
    checkout = Path(__file__).resolve().parent.parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != checkout]
    bpy.ops.wm.read_homefile(use_empty=True)
    if bpy.app.binary_path:
        # Blender has read the path of the user folder before this file could set another.
        repositories = bpy.context.preferences.extensions.repos
        repository = next(repository for repository in repositories if repository.module == "user_default")
        repository.custom_directory = str(Path(os.environ["BLENDER_USER_RESOURCES"], "extensions", "user_default"))
        repository.use_custom_directory = True
    with _operator_errors_as(Fault):
        bpy.ops.extensions.package_install_files(
            filepath=str(Path(task["extension"]).absolute()), repo="user_default", enable_on_install=True
        )
    if PACKAGE not in bpy.context.preferences.addons:
        raise Fault(f"{Path(task['extension']).name} could not be enabled in Blender {bpy.app.version_string}")


def _require_playable(music: Path) -> None:
    """Raise BadInput unless this Blender can play a sound file."""
    with _errors_as(BadInput):
        import_module(f"{PACKAGE}.media.sequencer").require_playable(music)


def _write_partner(task: Task, path: Path) -> int:
    """Write the partner's motion with the leader file's units, rate and length; the number of frames."""
    bpy = _import_bpy()
    from rigs import files

    armatures = import_module(f"{PACKAGE}.animation.armatures")
    dancers = import_module(f"{PACKAGE}.animation.dancers")
    partner = bpy.context.scene.pas_de_deux.partner
    source = files.read(task["leader"], files.ReadOptions(*(task.get(name) or None for name in _FILE_OPTIONS))).source
    motion = armatures.sample_motion(bpy.context, partner, dancers.frames_of(bpy.context.scene, partner))
    files.write(path, motion, like=source)
    return source.frames


def _import_bpy() -> Any:
    """The bpy module, which reads BLENDER_USER_RESOURCES on its first import."""
    return import_module("bpy")


def _import_options(task: Task) -> Task:
    """What the task says of its motion files, as options of the import."""
    fps, up, unit = (task.get(name) for name in _FILE_OPTIONS)
    return {"fps": fps or 0.0, "up_axis": up or "AUTO", "unit": unit or "AUTO"}


def _size_option(task: Task) -> Task:
    return {"size": tuple(task["size"])} if "size" in task else {}


@contextmanager
def _measure_time(seconds: dict[str, float], key: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[key] = round(time.perf_counter() - start, 2)


@contextmanager
def _operator_errors_as(error_type: type[Exception]) -> Iterator[None]:
    """Raise an operator's error report as `error_type`."""
    try:
        yield
    except RuntimeError as error:
        raise error_type(str(error).strip().removeprefix("Error: ").splitlines()[0]) from None


@contextmanager
def _errors_as(error_type: type[Exception]) -> Iterator[None]:
    """Raise an OperatorError of the extension as `error_type`."""
    operator_error: type[Exception] = import_module(f"{PACKAGE}.background_job").OperatorError
    try:
        yield
    except operator_error as error:
        raise error_type(str(error)) from None


@contextmanager
def _report_progress(start: float, end: float) -> Iterator[None]:
    """Send an operator's progress, scaled to the interval from `start` to `end` of the whole task."""

    def listener(fraction: float, text: str) -> None:
        _send(progress=round(start + (end - start) * fraction, 4), what=text)

    listeners = import_module(f"{PACKAGE}.background_job").progress_listeners
    listeners.append(listener)
    try:
        yield
    finally:
        listeners.remove(listener)


def _send(**message: Any) -> None:
    """Write a message as a line of JSON."""
    print(f"\n{json.dumps(message)}", flush=True)


def _send_last(status: int, **message: Any) -> int:
    """Write the last message and return the exit status."""
    _send(**message)
    return status


if __name__ == "__main__":
    separator = sys.argv.index("--") if "--" in sys.argv else 0
    status = main(sys.argv[separator + 1 :])
    sys.stdout.flush()
    # Blender would exit with status 0, and bpy may crash while Python shuts down.
    os._exit(status)
