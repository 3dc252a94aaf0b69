"""A video of the pair. With a window it is drawn by a second Blender in the background, so that work can go on."""

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import bpy

from rigs import files
from rigs.motion import Motion

from ..animation import dancers
from ..background_job import Cancelled, JobFunction, JobOperator, OperatorError, Reporter
from ..context_access import EXTENSION_PACKAGE, active_scene
from ..media import preview_scene, soundtrack
from ..properties import settings
from . import retarget

_IN_CHILD = "import addon_utils; addon_utils.enable({0!r}); from {0}.operators.render_preview import main; main({1!r})"


class PASDEDEUX_OT_render_preview(JobOperator):
    """Draw the leader and the partner from first to last frame into an MP4"""

    bl_idname = "pasdedeux.render_preview"
    bl_label = "Render Preview"
    label = "Preview"

    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Video", description="The video to write; empty, the scene's", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )
    size: bpy.props.IntVectorProperty(  # type: ignore[valid-type]
        name="Size", description="Width and height in pixels", size=2, min=16, default=preview_scene.SIZE
    )
    music: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Music",
        description="A sound file that begins with the first frame; empty, the scene's, or what its sequencer plays",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        path, size = self._path(context), (self.size[0], self.size[1])
        pair = dancers.pair_of(context)
        frames = dancers.frames_of(active_scene(context), *pair)
        motions = [retarget.motion_of(context, dancer, frames) for dancer in pair]
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            sound = soundtrack.of(context, self.music or settings.scene_settings(context).sound, frames, folder)
            kept = stack.pop_all()
        here = bpy.app.background or not self.options.is_invoke

        def work(reporter: Reporter) -> int:
            with kept:
                if not here:
                    return render_elsewhere(motions, path, size, reporter, sound=sound)
                with soundtrack.added(sound):
                    return preview_scene.render(context, motions, path, size=size, progress=reporter.progress)

        return work

    def apply(self, context: bpy.types.Context, result: int) -> None:
        self.report({"INFO"}, f"{result} frames written to {self._path(context)}")

    def _path(self, context: bpy.types.Context) -> Path:
        wanted = self.filepath or settings.scene_settings(context).preview or "//duet.mp4"
        if wanted.startswith("//") and not bpy.data.filepath:
            raise OperatorError("Save the .blend file first, or choose another folder for the preview")
        path = Path(bpy.path.abspath(wanted)).absolute().with_suffix(".mp4")
        if not path.parent.is_dir():
            raise OperatorError(f"There is no folder {path.parent} for the preview")
        return path


def render_elsewhere(
    motions: list[Motion], path: Path, size: tuple[int, int], reporter: Reporter, *, sound: Path | None = None
) -> int:
    """Do as `preview_scene.render` in a Blender process of its own, with a sound. Raises OperatorError, Cancelled."""
    with tempfile.TemporaryDirectory() as folder:
        task, pair = Path(folder, "task.json"), Path(folder, "pair.npz")
        files.write(pair, motions)
        wanted = {"motions": str(pair), "out": str(path), "size": size, "sound": str(sound) if sound else None}
        task.write_text(json.dumps(wanted))
        process = subprocess.Popen(_command(task), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            return _followed(process, reporter)
        finally:
            process.kill()
            process.wait()
            preview_scene.unfinished(path).unlink(missing_ok=True)


def main(task: str) -> None:
    """What the second Blender does: draw the task's motions, and say on standard output how far it is."""
    wanted = json.loads(Path(task).read_text())
    motions = files.read(wanted["motions"]).motions

    def say(**message: Any) -> None:
        print(json.dumps(message), flush=True)

    try:
        with soundtrack.added(Path(wanted["sound"]) if wanted["sound"] else None):
            frames = preview_scene.render(
                bpy.context,
                motions,
                Path(wanted["out"]),
                size=tuple(wanted["size"]),
                progress=lambda fraction, what: say(progress=fraction, what=what),
            )
    except Exception as error:
        say(error=str(error))
    else:
        say(frames=frames)


def _command(task: Path) -> list[str]:
    code = _IN_CHILD.format(EXTENSION_PACKAGE, str(task))
    if bpy.app.binary_path:
        return [bpy.app.binary_path, "--background", "--python-expr", code]
    return [sys.executable, "-c", f"import bpy; {code}"]


def _followed(process: "subprocess.Popen[str]", reporter: Reporter) -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if reporter.cancelled():
            raise Cancelled
        if not line.startswith("{"):
            continue
        message = json.loads(line)
        if "error" in message:
            raise OperatorError(message["error"])
        if "frames" in message:
            return int(message["frames"])
        reporter.progress(message["progress"], message["what"])
    raise OperatorError("The Blender that draws the preview ended before it was done")


CLASSES = (PASDEDEUX_OT_render_preview,)
