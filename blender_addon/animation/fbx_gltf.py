"""Movement in files that Blender's own importers read, FBX and glTF: brought in, read off the armatures, taken out.

An importer works in a scene of its own for this, so that the animator's has nothing of it before, during or after.
"""

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np

from rigs import files, rotations
from rigs.files.recording import Recording, to_clip

from .. import context_access
from ..context_access import manager_of
from . import armatures, fcurves
from .pose_sampling import movement_of

SUFFIXES = (".fbx", ".glb", ".gltf")
_FBX_BINARY = b"Kaydara FBX Binary  \x00"
_FBX_OLDEST = 7100
_GLTF_OLDEST = (4, 5, 0)
_ON_FRAME = 1e-3
_FBX_ONLY = "Blender reads only binary FBX 7.1 or later"
_ADVICE = "export it again from the program it comes from"


def read(context: bpy.types.Context, path: Path, fps: float | None = None) -> Callable[[], files.Clip]:
    """Read every armature of a file as it moves there; what is returned makes them a clip, away from bpy.

    fps: the frames' true rate where the file states another. The scene stays as it is. Raises BadFile, now or then.
    """
    _expect_readable(path)
    with _elsewhere(context) as scene:
        _bring_in(path)
        if path.suffix.lower() != ".fbx" and (rate := _rate_of_keys(scene)) != context_access.frame_rate(scene):
            _clear(scene)
            context_access.set_frame_rate(scene, rate)
            _bring_in(path)
        recordings = _recordings(path, scene, fps or round(context_access.frame_rate(scene), 3))
    return lambda: _clip(path, recordings)


def _clip(path: Path, recordings: list[Recording]) -> files.Clip:
    """The dancers among the recordings; where there is none, the first one's complaint."""
    clips, complaints = [], []
    for recording in recordings:
        try:
            clips.append(to_clip(path, recording))
        except files.BadFile as error:
            complaints.append(error)
    if not clips:
        raise complaints[0]
    motions = tuple(motion for clip in clips for motion in clip.motions)
    return files.doubted(replace(clips[0], motions=motions))


def _expect_readable(path: Path) -> None:
    """Raise BadFile for what the importers refuse, in other words than theirs."""
    if not path.is_file():
        raise files.BadFile(f"{path.name}: {'a folder, a file expected' if path.is_dir() else 'no such file'}")
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise files.BadFile(f"{path.name}: a readable file expected ({error.strerror})") from None
    if not head:
        raise files.BadFile(f"{path.name}: empty file, a character with a movement expected")
    if path.suffix.lower() == ".fbx":
        if not head.startswith(_FBX_BINARY):
            found = "text" if head.lstrip().startswith(b";") or b"FBX" in head else "no FBX"
            raise files.BadFile(f"{path.name}: {_FBX_ONLY}, {found} found; {_ADVICE}")
        (version,) = struct.unpack_from("<I", head.ljust(27, b"\0"), 23)
        if version < _FBX_OLDEST:
            found = f"version {version / 1000:.1f}"
            raise files.BadFile(f"{path.name}: {_FBX_ONLY}, {found} found; {_ADVICE}")
    elif head.startswith(b"glTF") and bpy.app.version < _GLTF_OLDEST:
        # Blender 4.2's importer often crashes Blender itself where a dancer's bones are made
        raise files.BadFile(f"{path.name}: Blender 4.5 or later expected for glTF; use FBX or BVH with this one")


@contextmanager
def _elsewhere(context: bpy.types.Context) -> Iterator[bpy.types.Scene]:
    """Work in an empty scene, which a window has to show; all data-blocks that come into being there are gone then."""
    before = {name: set(_blocks(name)) for name in _collections()}
    window = context.window or manager_of(context).windows[0]
    shown, layer = window.scene, window.view_layer
    scene = bpy.data.scenes.new("import")
    try:
        window.scene = scene
        with context.temp_override(window=window):
            yield scene
    finally:
        window.scene, window.view_layer = shown, layer
        new = [block for name in _collections() for block in _blocks(name) if block not in before.get(name, ())]
        bpy.data.batch_remove(new)


def _collections() -> list[str]:
    """The names under which bpy.data keeps its blocks."""
    return [each.identifier for each in bpy.data.bl_rna.properties if each.type == "COLLECTION"]


def _blocks(name: str) -> list[bpy.types.ID]:
    return list(getattr(bpy.data, name))


def _clear(scene: bpy.types.Scene) -> None:
    for thing in list(scene.objects):
        bpy.data.objects.remove(thing)


def _bring_in(path: Path) -> None:
    """Let Blender import the file into the current scene. Raises BadFile where it cannot."""
    importer = bpy.ops.import_scene.fbx if path.suffix.lower() == ".fbx" else bpy.ops.import_scene.gltf
    try:
        with redirect_stdout(io.StringIO()):
            importer(filepath=str(path))
    except (RuntimeError, AttributeError) as error:
        said = str(error).strip().splitlines()[-1:] or ["nothing said"]
        reason = said[0].removeprefix("Error: ").replace(str(path), path.name)
        raise files.BadFile(f"{path.name}: a whole file that Blender can import expected ({reason})") from None


def _rate_of_keys(scene: bpy.types.Scene) -> float:
    """Frames a second at which the keys of the armatures, brought in at the scene's rate, lie on whole frames."""
    curves = [curve for thing in scene.objects if thing.type == "ARMATURE" for curve in fcurves.curves_of(thing)]
    longest = max(curves, key=lambda curve: len(curve.keyframe_points), default=None)
    if longest is None or len(longest.keyframe_points) < 2:
        return context_access.frame_rate(scene)
    points = np.empty(2 * len(longest.keyframe_points), np.float32)
    longest.keyframe_points.foreach_get("co", points)
    step = float(np.median(np.diff(points[::2])))
    return (
        context_access.frame_rate(scene)
        if abs(step - 1.0) < _ON_FRAME
        else round(context_access.frame_rate(scene) / step, 2)
    )


def _recordings(path: Path, scene: bpy.types.Scene, fps: float) -> list[Recording]:
    """Each armature of the scene over the frames in which any has keys."""
    context = bpy.context
    assert context.view_layer is not None
    context.view_layer.update()
    rigs = [thing for thing in scene.objects if isinstance(thing.data, bpy.types.Armature)]
    if not rigs:
        raise files.BadFile(f"{path.name}: an armature with a dancer's bones expected, none found")
    actions = [thing.animation_data.action for thing in rigs if thing.animation_data]
    ranges = [action.frame_range for action in actions if action is not None]
    if not ranges:
        raise files.BadFile(f"{path.name}: a movement expected, a character that rests found")
    frames = range(round(min(covered[0] for covered in ranges)), round(max(covered[1] for covered in ranges)) + 1)
    recordings = []
    for thing in rigs:
        rig = armatures.rig_of(thing)
        moved = movement_of(context, thing, frames).of(rig.names)
        turned = rotations.multiply(moved.world, rotations.inverse(rig.turned)[:, None])
        recordings.append(Recording(rig.names, rig.parents, fps, turned, moved.places, rig.heads, units=1.0, up="Z"))
    return recordings
