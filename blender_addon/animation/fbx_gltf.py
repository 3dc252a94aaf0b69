"""FBX and glTF files, read by Blender's own importers: imported to a temporary scene, sampled, and removed again."""

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

from ..context_access import frame_rate, set_frame_rate, window_manager
from . import armatures
from .keys import fcurves
from .pose_sampling import sample_pose

SUFFIXES = (".fbx", ".glb", ".gltf")
_FBX_MAGIC = b"Kaydara FBX Binary  \x00"
_MIN_FBX_VERSION = 7100
_MIN_BLENDER_FOR_GLTF = (4, 5, 0)
_FRAME_TOLERANCE = 1e-3
_SUPPORTED_FBX = "Blender reads only binary FBX 7.1 or later"
_EXPORT_AGAIN = "export it again from the program it comes from"


def read_armatures(context: bpy.types.Context, path: Path, fps: float | None = None) -> Callable[[], files.Clip]:
    """Sample every animated armature of a file; the function returned converts them to a clip, without bpy.

    fps: overrides the file's frame rate. The user's scene stays unchanged. Both steps raise BadFile.
    """
    _require_supported(path)
    with _temporary_scene(context) as scene:
        _import_file(path)
        if path.suffix.lower() != ".fbx" and (rate := _keyframe_rate(scene)) != frame_rate(scene):
            bpy.data.batch_remove(list(scene.objects))
            set_frame_rate(scene, rate)
            _import_file(path)
        recordings = _sample_armatures(path, scene, fps or round(frame_rate(scene), 3))
    return lambda: _to_clip(path, recordings)


def _to_clip(path: Path, recordings: list[Recording]) -> files.Clip:
    """The dancers among the recordings. Raises BadFile, the first recording's, if none is a dancer."""
    clips, errors = [], []
    for recording in recordings:
        try:
            clips.append(to_clip(path, recording))
        except files.BadFile as error:
            errors.append(error)
    if not clips:
        raise errors[0]
    motions = tuple(motion for clip in clips for motion in clip.motions)
    return files.check_frame_rates(replace(clips[0], motions=motions))


def _require_supported(path: Path) -> None:
    """Raise BadFile for a file that the importers cannot read, in plainer words than theirs."""
    if not path.is_file():
        raise files.BadFile(f"{path.name}: {'a file expected, a folder found' if path.is_dir() else 'no such file'}")
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise files.BadFile(f"{path.name}: a readable file expected ({error.strerror})") from None
    if not head:
        raise files.BadFile(f"{path.name}: empty file, a character with a movement expected")
    if path.suffix.lower() == ".fbx":
        if not head.startswith(_FBX_MAGIC):
            found = "text" if head.lstrip().startswith(b";") or b"FBX" in head else "no FBX"
            raise files.BadFile(f"{path.name}: {_SUPPORTED_FBX}, {found} found; {_EXPORT_AGAIN}")
        (version,) = struct.unpack_from("<I", head.ljust(27, b"\0"), 23)
        if version < _MIN_FBX_VERSION:
            found = f"version {version / 1000:.1f}"
            raise files.BadFile(f"{path.name}: {_SUPPORTED_FBX}, {found} found; {_EXPORT_AGAIN}")
    elif head.startswith(b"glTF") and bpy.app.version < _MIN_BLENDER_FOR_GLTF:
        # The importer of Blender 4.2 often crashes Blender on armatures.
        raise files.BadFile(f"{path.name}: Blender 4.5 or later expected for glTF; use FBX or BVH with this one")


@contextmanager
def _temporary_scene(context: bpy.types.Context) -> Iterator[bpy.types.Scene]:
    """An empty scene, shown by a window as importers need; afterwards all new data-blocks are removed."""
    before = _data_blocks()
    window = context.window or window_manager(context).windows[0]
    user_scene, view_layer = window.scene, window.view_layer
    scene = bpy.data.scenes.new("import")
    try:
        window.scene = scene
        with context.temp_override(window=window):
            yield scene
    finally:
        window.scene, window.view_layer = user_scene, view_layer
        bpy.data.batch_remove(_data_blocks() - before)


def _data_blocks() -> set[bpy.types.ID]:
    """All data-blocks of the file."""
    collections = [prop.identifier for prop in bpy.data.bl_rna.properties if prop.type == "COLLECTION"]
    return {block for name in collections for block in getattr(bpy.data, name)}


def _import_file(path: Path) -> None:
    """Run Blender's importer in the current scene. Raises BadFile."""
    importer = bpy.ops.import_scene.fbx if path.suffix.lower() == ".fbx" else bpy.ops.import_scene.gltf
    try:
        with redirect_stdout(io.StringIO()):
            importer(filepath=str(path))
    except (RuntimeError, AttributeError) as error:
        lines = str(error).strip().splitlines()
        is_sentence = bool(lines) and "Traceback" not in lines[0]  # otherwise the importer crashed
        reason = f" ({lines[-1].removeprefix('Error: ').replace(str(path), path.name)})" if is_sentence else ""
        raise files.BadFile(f"{path.name}: a whole file that Blender can import expected{reason}") from None


def _keyframe_rate(scene: bpy.types.Scene) -> float:
    """The frame rate at which the armatures' keyframes, imported at the scene's rate, lie on whole frames."""
    rate = frame_rate(scene)
    curves = [curve for obj in scene.objects if obj.type == "ARMATURE" for curve in fcurves.action_fcurves(obj)]
    longest = max(curves, key=lambda curve: len(curve.keyframe_points), default=None)
    if longest is None or len(longest.keyframe_points) < 2:
        return rate
    points = np.empty(2 * len(longest.keyframe_points), np.float32)
    longest.keyframe_points.foreach_get("co", points)
    step = float(np.median(np.diff(points[::2])))
    return rate if abs(step - 1.0) < _FRAME_TOLERANCE else round(rate / step, 2)


def _sample_armatures(path: Path, scene: bpy.types.Scene, fps: float) -> list[Recording]:
    """Sample each armature of the scene over the frames that their actions cover together. Raises BadFile."""
    context = bpy.context
    assert context.view_layer is not None
    context.view_layer.update()
    objects = [obj for obj in scene.objects if isinstance(obj.data, bpy.types.Armature)]
    if not objects:
        raise files.BadFile(f"{path.name}: an armature with a dancer's bones expected, none found")
    actions = [obj.animation_data.action for obj in objects if obj.animation_data]
    ranges = [action.frame_range for action in actions if action is not None]
    if not ranges:
        raise files.BadFile(f"{path.name}: a movement expected, a character that rests found")
    frames = range(round(min(span[0] for span in ranges)), round(max(span[1] for span in ranges)) + 1)
    recordings = []
    for obj in objects:
        rig = armatures.read_rig(obj)
        pose = sample_pose(context, obj, frames).select(rig.names)
        world = rotations.multiply(pose.world, rotations.inverse(rig.rest_rotations)[:, None])
        recordings.append(Recording(rig.names, rig.parents, fps, world, pose.positions, rig.heads, units=1.0, up="Z"))
    return recordings
