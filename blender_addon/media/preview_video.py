"""Preview video of a scene as its options say, rendered from a copy of its .blend file in a process of its own."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import bpy

from rigs.motion import Motion

from ..animation import dancers
from ..animation.keys import keyframes
from ..animation.takes import take_list as takes
from ..context_access import active_scene, active_view_layer, frame_rate
from . import camera_framing, character_scene, preview_scene, sequencer, side_by_side
from .video_output import Progress, render_to_file

_SAMPLED, _RENDERED = 0.05, 0.9  # progress after sampling the motions and rendering two takes


@dataclass(frozen=True)
class TakeBeside:
    """A take to render beside the current one: its action, and the dancer for an action that is in no list."""

    dancer: str
    action: str


@dataclass(frozen=True)
class PreviewOptions:
    """What a preview shows. Objects, actions and scenes are named, as they are those of the copied .blend file.

    first, last: scene frames.  size: width and height (px).  camera: None for one that follows the dancers,
    empty for the scene's own, with those bound to markers.
    own_characters: the scene as it renders, else mannequins.  solid: by Workbench, else by the scene's render engine.
    names: of the current take and the one beside it.  music: a sound file; empty for the scene's own sound.
    run_scripts: whether the file's own scripts may run, as they may in the Blender that has it open.
    """

    scene: str
    view_layer: str
    dancers: tuple[str, ...]
    first: int
    last: int
    size: tuple[int, int]
    camera: str | None = None
    own_characters: bool = False
    solid: bool = True
    beside: TakeBeside | None = None
    names: tuple[str, ...] = ()
    music: str = ""
    run_scripts: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any]) -> "PreviewOptions":
        lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
        beside = TakeBeside(**values["beside"]) if values["beside"] else None
        return PreviewOptions(**(values | lists | {"beside": beside}))

    @property
    def frames(self) -> range:
        return range(self.first, self.last + 1)

    @property
    def is_staged(self) -> bool:
        """Whether mannequins dance in a scene that is made for them, at a frame rate of its own."""
        return not self.own_characters and self.camera is None


@dataclass(frozen=True)
class _Take:
    """The dancers' motions in a take, in `metres` a Blender unit; their bodies extend beyond their joints by m."""

    motions: tuple[Motion, ...]
    metres: float
    body_radius: float


def render_copy(blend: Path, options: PreviewOptions, path: Path, folder: Path, progress: Progress) -> int:
    """Render a preview of a .blend file, which replaces the open one, and return the number of frames.

    folder: for temporary files. Raises OperatorError and ValueError.
    """
    context = _open(blend, options)
    progress(0.0, "reading the dancers' movement")
    sound = sequencer.video_sound(context, options.music, options.frames, folder)
    take = _sample(context, options)
    if options.beside is None:
        with sequencer.sound_track(sound):
            return _render(context, options, take, [take], path, options.size, _part(progress, _SAMPLED, 1.0))
    _show(context, options.beside)
    both = [take, _sample(context, options)]
    size, middle = side_by_side.half_size(options.size), (_SAMPLED + _RENDERED) / 2.0
    videos = [folder / "current.mp4", folder / "beside.mp4"]
    parts = [_part(progress, _SAMPLED, middle), _part(progress, middle, _RENDERED)]
    for take, video, part in zip(both, videos, parts, strict=True):
        context = _open(blend, options)
        if take is both[1]:
            _show(context, options.beside)
        frames = _render(context, options, take, both, video, size, part)
    fps = frame_rate(active_scene(context))
    if options.is_staged:
        fps = min(fps, preview_scene.MAX_FPS)
    part = _part(progress, _RENDERED, 1.0)
    with sequencer.sound_track(sound):
        return side_by_side.join_videos(
            videos, options.names, path, frames=frames, fps=fps, size=options.size, progress=part
        )


def _open(blend: Path, options: PreviewOptions) -> bpy.types.Context:
    """Open the file with the scene and view layer of the options."""
    bpy.ops.wm.open_mainfile(filepath=str(blend), load_ui=False, use_scripts=options.run_scripts)
    window = bpy.context.window
    assert window is not None
    window.scene = bpy.data.scenes[options.scene]
    window.view_layer = window.scene.view_layers[options.view_layer]
    return bpy.context


def _show(context: bpy.types.Context, take: TakeBeside) -> None:
    """Show a take of the scene's list, or let another action move the dancer. Raises OperatorError."""
    action = bpy.data.actions[take.action]
    entry = takes.find_take(context, action)
    if entry is not None:
        takes.show_take(context, entry)
    else:
        keyframes.assign_action(_object(context, take.dancer), action)
    active_view_layer(context).update()


def _sample(context: bpy.types.Context, options: PreviewOptions) -> _Take:
    """Sample the dancers' motions as the scene shows them now."""
    actors = _actors(context, options)
    sampled = dancers.sample_dancers(context, actors, options.frames)
    motions, metres = sampled.motions, sampled.metres
    if not options.own_characters:
        return _Take(tuple(motions), metres, camera_framing.BODY_RADIUS)
    active_scene(context).frame_set(options.first)
    return _Take(tuple(motions), metres, character_scene.body_radius(context, actors, motions, metres))


def _render(
    context: bpy.types.Context,
    options: PreviewOptions,
    take: _Take,
    filmed: Sequence[_Take],
    path: Path,
    size: tuple[int, int],
    progress: Progress,
) -> int:
    """Render a take with a camera that has all those filmed in frame, and return the number of frames."""
    everyone = [motion for each in filmed for motion in each.motions]
    if options.is_staged:
        return preview_scene.render_video(context, take.motions, path, size=size, progress=progress, filmed=everyone)
    if options.camera != "":
        for marker in active_scene(context).timeline_markers:
            marker.camera = None
    if options.camera:
        active_scene(context).camera = _object(context, options.camera)
    character_scene.prepare_scene(
        context,
        _actors(context, options),
        take.motions,
        options.frames,
        size,
        metres=take.metres,
        filmed=everyone,
        body_radius=max(each.body_radius for each in filmed),
        follow=options.camera is None,
        own_characters=options.own_characters,
        solid=options.solid or not options.own_characters,
    )
    return render_to_file(active_scene(context), path, progress)


def _actors(context: bpy.types.Context, options: PreviewOptions) -> list[bpy.types.Object]:
    return [_object(context, name) for name in options.dancers]


def _object(context: bpy.types.Context, name: str) -> bpy.types.Object:
    return active_scene(context).objects[name]


def _part(progress: Progress, start: float, end: float) -> Progress:
    """The progress of a part of the work, from `start` to `end` of the whole."""
    return lambda fraction, text: progress(start + (end - start) * fraction, text)
