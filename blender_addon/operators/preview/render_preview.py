"""Operator that renders a preview video of the duet; from the interface in a second Blender, beside other jobs."""

from pathlib import Path

import bpy

from ...animation import dancers, source_checks
from ...animation.keys import nla
from ...animation.takes import take_list as takes
from ...background_job import JobFunction, OperatorError, Reporter, preview_slot
from ...context_access import active_scene, active_view_layer, is_in_scene
from ...job_operator import JobOperator
from ...media import preview_scene, sequencer
from ...media.preview_video import PreviewOptions, TakeBeside
from ...media.video_output import is_preview
from ...properties import notices
from ...properties.settings import scene_settings
from ..output_files import output_path
from .preview_process import TemporaryFolder, copy_blend_file, render_in_child


class PASDEDEUX_OT_render_preview(JobOperator):
    """Render the leader and the partner to an MP4 video, while you go on working"""

    bl_idname = "pasdedeux.render_preview"
    bl_label = "Render Preview"
    label = "Rendering the preview"
    slot = preview_slot
    changes_scene = False

    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Video",
        description="Video file to write; empty: the scene's setting",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    size: bpy.props.IntVectorProperty(  # type: ignore[valid-type]
        name="Size",
        description="Width and height in pixels; not given: the scene's setting",
        size=2,
        min=16,
        default=preview_scene.SIZE,
        options={"SKIP_SAVE"},
    )
    music: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Music",
        description="Sound file that starts with the first frame; empty: the scene's setting, or its Video Sequencer",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    _path = ""
    _warnings: tuple[str, ...] = ()

    def question(self, context: bpy.types.Context) -> str:
        path = self._video_path(context)
        if not path.exists() or is_preview(path):
            return ""
        return f"{path.name} is there already and is no preview of Pas de Deux. Overwrite it?"

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        path = self._video_path(context)
        from_script = bpy.app.background or not (self.options.is_invoke or self._confirmed)
        if from_script and not self.filepath and self.question(context):
            raise OperatorError(f"{path.name} is there already and is no preview: choose another file for the preview")
        options = self._options(context)
        self._path = str(path)
        if from_script and options.is_staged and options.beside is None:
            return _render_here(context, options, path)
        folder = copy_blend_file()

        def render(reporter: Reporter) -> int:
            with folder:
                return render_in_child(Path(folder.name), options, path, reporter)

        return render

    def apply(self, context: bpy.types.Context, result: int) -> None:
        notices.show_warnings(self, context, self._warnings)
        self.report({"INFO"}, f"{result} frames written to {self._path}")

    def _video_path(self, context: bpy.types.Context) -> Path:
        """The video file to write. Raises OperatorError."""
        filepath = self.filepath or scene_settings(context).preview or "//duet.mp4"
        path = output_path(filepath, "preview").with_suffix(".mp4")
        if path.is_dir():
            raise OperatorError(f"{path.name} is a folder: choose another file for the preview")
        return path

    def _options(self, context: bpy.types.Context) -> PreviewOptions:
        """The preview that the scene's settings describe. Raises OperatorError."""
        scene, settings = active_scene(context), scene_settings(context).preview_settings
        pair = dancers.scene_dancers(context)
        frames = _frames(context, pair)
        self._warnings = dancers.missing_dancers(context)
        if settings.frames == "DANCE":
            self._warnings += source_checks.range_warnings(pair)
        music = self.music or scene_settings(context).sound
        if music:
            music = str(Path(bpy.path.abspath(music)).absolute())
            sequencer.require_playable(Path(music))
        beside = _take_beside(context, pair)
        size = (self.size[0], self.size[1])
        options = PreviewOptions(
            scene=scene.name,
            view_layer=active_view_layer(context).name,
            dancers=tuple(dancer.name for dancer in pair),
            first=frames.start,
            last=frames.stop - 1,
            size=size if self.properties.is_property_set("size") else _size(context),
            camera=_camera(context),
            own_characters=settings.characters == "OWN",
            solid=settings.shading == "SOLID",
            beside=beside,
            names=_take_names(context, beside) if beside else (),
            music=music,
            run_scripts=not bpy.app.autoexec_fail,
        )
        if frames.start < 0 and not options.is_staged:
            raise OperatorError("Blender renders no frames before 0: set Frames to Timeline or to later frames")
        return options


def _render_here(context: bpy.types.Context, options: PreviewOptions, path: Path) -> JobFunction:
    """A job function that renders mannequins in this process."""
    actors = [active_scene(context).objects[name] for name in options.dancers]
    motions = dancers.sample_dancers(context, actors, options.frames).motions
    folder = TemporaryFolder()
    sound = sequencer.video_sound(context, options.music, options.frames, Path(folder.name))

    def render(reporter: Reporter) -> int:
        with folder, sequencer.sound_track(sound):
            return preview_scene.render_video(context, motions, path, size=options.size, progress=reporter.progress)

    return render


def _frames(context: bpy.types.Context, pair: list[bpy.types.Object]) -> range:
    """The scene frames to render. Raises OperatorError."""
    scene, settings = active_scene(context), scene_settings(context).preview_settings
    if settings.frames == "DANCE":
        return dancers.frames_of(scene, *pair)
    if settings.frames == "CUSTOM":
        if settings.last < settings.first:
            raise OperatorError("The preview's last frame is before its first: change From or To")
        return range(settings.first, settings.last + 1)
    if scene.use_preview_range:
        return range(scene.frame_preview_start, scene.frame_preview_end + 1)
    return range(scene.frame_start, scene.frame_end + 1)


def _size(context: bpy.types.Context) -> tuple[int, int]:
    """Width and height (px) by the settings."""
    resolution, render = scene_settings(context).preview_settings.resolution, active_scene(context).render
    if resolution == "SCENE":
        share = render.resolution_percentage / 100.0
        return max(16, int(render.resolution_x * share)), max(16, int(render.resolution_y * share))
    width, height = resolution.split("x")
    return int(width), int(height)


def _camera(context: bpy.types.Context) -> str | None:
    """The camera as in `PreviewOptions`. Raises OperatorError."""
    scene, settings = active_scene(context), scene_settings(context).preview_settings
    if settings.camera == "AUTO":
        return None
    if settings.camera == "SCENE":
        if scene.camera is None:
            raise OperatorError("The scene has no camera: add one, or set the preview's Camera to Automatic")
        return ""
    camera: bpy.types.Object | None = settings.camera_object
    if camera is None or not is_in_scene(scene, camera):
        raise OperatorError("Choose a camera of this scene for the preview, or set its Camera to Automatic")
    return camera.name


def _take_beside(context: bpy.types.Context, pair: list[bpy.types.Object]) -> TakeBeside | None:
    """The take to render beside, of the dancer whose take it is, else of the partner. Raises OperatorError."""
    action: bpy.types.Action | None = scene_settings(context).preview_settings.beside
    if action is None:
        return None
    take = takes.find_take(context, action)
    dancer = (take.dancer if take else None) or pair[-1]
    if dancer not in pair:
        raise OperatorError(f"{action.name} is a take of {dancer.name}, which is neither the leader nor the partner")
    if nla.base_action(dancer) == action:
        raise OperatorError(f"{action.name} is the take shown now: choose another one to render beside it")
    return TakeBeside(dancer.name, action.name)


def _take_names(context: bpy.types.Context, beside: TakeBeside) -> tuple[str, str]:
    """The names of the take that is shown now and of the one beside it."""
    shown = nla.base_action(active_scene(context).objects[beside.dancer])
    return shown.name if shown else "", beside.action


CLASSES = (PASDEDEUX_OT_render_preview,)
