"""FBX and glTF files, read by Blender's own importers: imported to a temporary scene, sampled, and removed again.

All takes of a file are sampled, see `imported_takes`. Key times are seconds in both formats. A movement is sampled at
the rate that an FBX states or on whose frames a glTF's keyframes lie, and poses far apart more often than they are, so
that it lasts as long as in the file.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np

from rigs import files, rotations
from rigs.files.conventions.axes import from_z_up, quaternions_from_z_up
from rigs.files.recording import Recording
from rigs.files.takes.fbx_header import FbxHeader, read_header
from rigs.files.takes.fbx_nodes import expect_sound_nodes
from rigs.files.takes.key_times import keyed_frame_rate, keyframe_spacing, sampling_rate
from rigs.files.takes.takes import ClipOfTakes, RecordedTake, to_clip_of_takes

from ...context_access import active_scene, frame_rate, window_manager
from .. import armatures
from ..sampling.pose_sampling import sample_pose
from . import imported_takes
from .imported_takes import ImportedTake

SUFFIXES = (".fbx", ".glb", ".gltf")
_MIN_FBX_VERSION = 7100  # of the importer that is a Python add-on
_MIN_BLENDER_FOR_GLTF = (4, 5, 0)
_LAST_FRAME = 1_048_574  # of Blender's scenes
_MAX_FRAMES = 400_000
"""Frames of one take beyond any recording; a forgotten keyframe far away would fill all memory."""
_END_TOLERANCE = 0.02  # frames by which the last keyframe may lie past a frame
_RATE_TOLERANCE = 1e-4  # relative difference of two frame rates that is rounding
_GLTF_HEADER = FbxHeader(0, False, up="Y", metres=1.0)
"""The up axis and unit of every glTF file."""
_SUPPORTED_FBX = "Blender reads only binary FBX 7.1 or later"
_EXPORT_AGAIN = "export it again from the program it comes from"


def read_armatures(
    context: bpy.types.Context, path: Path, options: files.ReadOptions = files.AS_STATED
) -> Callable[[], ClipOfTakes]:
    """Sample every take of a file's armatures; the function returned converts them to a clip, without bpy.

    options: the frame rate, up axis and unit that the user gives. The user's scene stays unchanged. Both steps raise
    BadFile.
    """
    header = _require_supported(path)
    user_rate = frame_rate(active_scene(context))
    with _temporary_scene(context) as scene:
        before = set(bpy.data.actions)
        ticks = _import_file(path, header)
        objects = [obj for obj in scene.objects if isinstance(obj.data, bpy.types.Armature)]
        if not objects:
            raise files.BadFile(f"{path.name}: an armature with a dancer's bones expected, none found")
        is_gltf = path.suffix.lower() != ".fbx"
        # Blender's glTF importer begins with the last animation.
        actions = sorted(set(bpy.data.actions) - before, key=lambda action: action.session_uid, reverse=is_gltf)
        takes = imported_takes.find_takes(list(scene.objects), actions)
        if not takes:
            raise files.BadFile(f"{path.name}: a movement expected, a character that rests found")
        if not all((np.abs(imported_takes.key_times(take)) <= _LAST_FRAME).all() for take in takes):
            raise files.BadFile(f"{path.name}: keyframes within {_LAST_FRAME:,} frames expected, one beyond them found")
        rate, has_rate = frame_rate(scene), True
        if is_gltf:
            times = max((imported_takes.key_times(take) for take in takes), key=len) / ticks
            keyed_rate, spacing = keyed_frame_rate(times), keyframe_spacing(times)
            rate, has_rate = keyed_rate or options.fps or (1.0 / spacing if spacing else user_rate), bool(keyed_rate)
        names = [obj.name for obj in objects]
        recorded = []
        poses = imported_takes.current_poses(list(scene.objects))
        for take in takes:
            if len(takes) > 1:
                imported_takes.play(bpy.context, take, poses)
            recorded.append(_sample_take(path, take, objects, sampling_rate(rate), ticks))
    fps = options.fps if options.fps and has_rate else round(sampling_rate(rate), 3)
    recorded = [take.adapt(lambda recording: _in_given_axes(recording, header, options, fps)) for take in recorded]
    given = files.ReadOptions(up=options.up, unit=options.unit)
    warnings = _layer_warnings(path, takes)
    return lambda: to_clip_of_takes(path, recorded, names, given, has_rate=has_rate, warnings=warnings)


def _layer_warnings(path: Path, takes: Sequence[ImportedTake]) -> tuple[str, ...]:
    """A warning about layers, which Blender's importers do not add together."""
    layers = [f'"{take.layer}"' for take in takes if take.layer]
    if not layers:
        return ()
    found = f"{path.name}: animation layers {', '.join(layers[:-1])} and {layers[-1]} found"
    return (f"{found}; each is a take of its own: merge them in the program the file comes from to have them together",)


def _require_supported(path: Path) -> FbxHeader:
    """The file's header. Raises BadFile for a file that the importers cannot read, in plainer words than theirs."""
    if not path.is_file():
        raise files.BadFile(f"{path.name}: {'a file expected, a folder found' if path.is_dir() else 'no such file'}")
    try:
        if path.stat().st_size == 0:
            raise files.BadFile(f"{path.name}: empty file, a character with a movement expected")
        if path.suffix.lower() == ".fbx":
            return _require_supported_fbx(path, read_header(path))
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise files.BadFile(f"{path.name}: a readable file expected ({error.strerror})") from None
    if bpy.app.version < _MIN_BLENDER_FOR_GLTF and (head == b"glTF" or path.suffix.lower() == ".gltf"):
        # The importer of Blender 4.2 often crashes Blender on armatures.
        raise files.BadFile(f"{path.name}: Blender 4.5 or later expected for glTF; use FBX or BVH with this one")
    return _GLTF_HEADER


def _require_supported_fbx(path: Path, header: FbxHeader) -> FbxHeader:
    """Raise BadFile for no FBX, and for FBX that only the importer of later Blenders reads."""
    if header.version == 0:
        raise files.BadFile(f"{path.name}: {_SUPPORTED_FBX}, no FBX found; {_EXPORT_AGAIN}")
    if _is_old_fbx(header) and not _has_later_fbx_importer():
        found = "text" if header.is_text else f"version {header.version / 1000:.1f}"
        raise files.BadFile(f"{path.name}: {_SUPPORTED_FBX}, {found} found; {_EXPORT_AGAIN}")
    if not _is_old_fbx(header):
        expect_sound_nodes(path, header.version)
    return header


def _is_old_fbx(header: FbxHeader) -> bool:
    """Whether the importer that is a Python add-on refuses the file."""
    return header.is_text or header.version < _MIN_FBX_VERSION


def _has_later_fbx_importer() -> bool:
    """Whether this Blender, 4.5 or later, has a second importer, which reads text and old versions, too."""
    return "fbx_import" in dir(bpy.ops.wm)


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


def _import_file(path: Path, header: FbxHeader) -> float:
    """Run Blender's importer in the current scene; the frames in one second of its keyframes. Raises BadFile."""
    scene = active_scene(bpy.context)
    if path.suffix.lower() != ".fbx":
        _run_importer(path, bpy.ops.import_scene.gltf)
        return scene.render.fps * scene.render.fps_base  # which is 1 in a scene that was made for this
    if not _is_old_fbx(header):
        _run_importer(path, bpy.ops.import_scene.fbx)
        return float(scene.render.fps)  # the importer leaves the base out
    _run_importer(path, bpy.ops.wm.fbx_import)
    return frame_rate(scene)


def _run_importer(path: Path, importer: Callable[..., object]) -> None:
    """Call an import operator. Raises BadFile."""
    try:
        with redirect_stdout(io.StringIO()):
            importer(filepath=str(path))
    except (RuntimeError, AttributeError) as error:
        lines = str(error).strip().splitlines()
        is_sentence = bool(lines) and "Traceback" not in lines[0]  # otherwise the importer crashed
        reason = f" ({lines[-1].removeprefix('Error: ').replace(str(path), path.name)})" if is_sentence else ""
        raise files.BadFile(f"{path.name}: a whole file that Blender can import expected{reason}") from None


def _sample_take(
    path: Path, take: ImportedTake, objects: Sequence[bpy.types.Object], rate: float, ticks: float
) -> RecordedTake:
    """Sample each armature over the frames that a take's keyframes cover together. Raises BadFile.

    rate: frames a second to sample.  ticks: frames in one second of the keyframes.
    """
    times = imported_takes.key_times(take)
    start, end = float(times[0]), float(times[-1])
    frames = range(round(start), round(end) + 1)
    if abs(rate / ticks - 1.0) > _RATE_TOLERANCE:
        imported_takes.retime(take, start, rate / ticks)
        frames = range(int(np.ceil((end - start) * rate / ticks - _END_TOLERANCE)) + 1)
    if len(frames) > _MAX_FRAMES:
        raise files.BadFile(f"{path.name}: keyframes over at most {_MAX_FRAMES} frames expected, {len(frames)} found")
    recordings = []
    for obj in objects:
        rig = armatures.read_rig(obj)
        pose = sample_pose(bpy.context, obj, frames).select(rig.names)
        world = rotations.multiply(pose.world, rotations.inverse(rig.rest_rotations)[:, None])
        recordings.append(Recording(rig.names, rig.parents, rate, world, pose.positions, rig.heads, 1.0, "Z", True))
    parts = {part.obj.name: part for part in take.armature_parts()}
    keyed = (parts[obj.name].keyed_bones() if obj.name in parts else frozenset[str]() for obj in objects)
    return RecordedTake(take.name, tuple(recordings), tuple(keyed))


def _in_given_axes(recording: Recording, header: FbxHeader, options: files.ReadOptions, fps: float) -> Recording:
    """The recording at a frame rate, and in the file's own axes and unit as far as the user says what they are."""
    recording = replace(recording, fps=fps)
    if options.up is not None:
        recording = replace(
            recording,
            world_rotations=quaternions_from_z_up(recording.world_rotations, header.up),
            positions=from_z_up(recording.positions, header.up),
            rest_positions=from_z_up(recording.rest_positions, header.up),
        )
    if options.unit is not None:
        recording = replace(
            recording,
            positions=recording.positions / header.metres,
            rest_positions=recording.rest_positions / header.metres,
        )
    return recording
