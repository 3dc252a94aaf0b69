"""Operator that renders a preview video of the duet; from the interface in a second, background Blender."""

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
from ..background_job import Cancelled, JobFunction, JobOperator, OperatorError, Reporter, preview_slot
from ..context_access import EXTENSION_PACKAGE, active_scene
from ..media import preview_scene, sequencer
from ..properties.settings import scene_settings
from .output_files import output_path

_CHILD_CODE = "import addon_utils; addon_utils.enable({0!r}); from {1} import render_task; render_task({2!r})"


class PASDEDEUX_OT_render_preview(JobOperator):
    """Render the leader and the partner over all their frames to an MP4 video"""

    bl_idname = "pasdedeux.render_preview"
    bl_label = "Render Preview"
    label = "Rendering the preview"
    slot = preview_slot

    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Video",
        description="Video file to write; empty: the scene's setting",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    size: bpy.props.IntVectorProperty(  # type: ignore[valid-type]
        name="Size", description="Width and height in pixels", size=2, min=16, default=preview_scene.SIZE
    )
    music: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Music",
        description="Sound file that starts with the first frame; empty: the scene's setting, or its Video Sequencer",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        path, size = self._video_path(context), (self.size[0], self.size[1])
        pair = dancers.scene_dancers(context)
        frames = dancers.frames_of(active_scene(context), *pair)
        motions, _ = dancers.sample_dancers(context, pair, frames)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            sound = sequencer.video_sound(context, self.music or scene_settings(context).sound, frames, folder)
            temporary_folder = stack.pop_all()
        in_this_process = bpy.app.background or not self.options.is_invoke

        def render(reporter: Reporter) -> int:
            with temporary_folder:
                if not in_this_process:
                    return render_in_child(motions, path, size, reporter, sound=sound)
                with sequencer.sound_track(sound):
                    return preview_scene.render_video(context, motions, path, size=size, progress=reporter.progress)

        return render

    def apply(self, context: bpy.types.Context, result: int) -> None:
        self.report({"INFO"}, f"{result} frames written to {self._video_path(context)}")

    def _video_path(self, context: bpy.types.Context) -> Path:
        filepath = self.filepath or scene_settings(context).preview or "//duet.mp4"
        return output_path(filepath, "preview").with_suffix(".mp4")


def render_in_child(
    motions: list[Motion], path: Path, size: tuple[int, int], reporter: Reporter, *, sound: Path | None = None
) -> int:
    """Run `preview_scene.render_video` in a background Blender, with a sound. Raises OperatorError, Cancelled."""
    with tempfile.TemporaryDirectory() as folder:
        task_file, motions_file = Path(folder, "task.json"), Path(folder, "motions.npz")
        files.write(motions_file, motions)
        task = {"motions": str(motions_file), "out": str(path), "size": size, "sound": str(sound) if sound else None}
        task_file.write_text(json.dumps(task))
        process = subprocess.Popen(
            _child_command(task_file), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            return _read_child_messages(process, reporter)
        finally:
            process.kill()
            process.wait()
            preview_scene.temporary_path(path).unlink(missing_ok=True)


def render_task(task_file: str) -> None:
    """Entry point of the child process: render a task, and write JSON messages with its progress to standard output."""
    task = json.loads(Path(task_file).read_text())
    motions = files.read(task["motions"]).motions

    def send(**message: Any) -> None:
        print(json.dumps(message), flush=True)

    try:
        with sequencer.sound_track(Path(task["sound"]) if task["sound"] else None):
            frames = preview_scene.render_video(
                bpy.context,
                motions,
                Path(task["out"]),
                size=tuple(task["size"]),
                progress=lambda fraction, text: send(progress=fraction, text=text),
            )
    except Exception as error:
        send(error=str(error))
    else:
        send(frames=frames)


def _child_command(task_file: Path) -> list[str]:
    code = _CHILD_CODE.format(EXTENSION_PACKAGE, __name__, str(task_file))
    if bpy.app.binary_path:
        return [bpy.app.binary_path, "--background", "--python-expr", code]
    return [sys.executable, "-c", f"import bpy; {code}"]


def _read_child_messages(process: "subprocess.Popen[str]", reporter: Reporter) -> int:
    """Pass on the child's progress until it has finished; the number of frames. Raises OperatorError, Cancelled."""
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
        reporter.progress(message["progress"], message["text"])
    raise OperatorError("The background Blender that renders the preview ended before it was done")


CLASSES = (PASDEDEUX_OT_render_preview,)
