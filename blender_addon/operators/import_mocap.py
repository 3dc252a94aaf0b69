"""Operators that import a mocap file: each of its dancers becomes an animated armature."""

from collections.abc import Callable, Sequence
from pathlib import Path

import bpy

from rigs import files
from rigs.motion import Motion

from ..animation import dancers, fbx_gltf
from ..background_job import JobFunction, OperatorError, OperatorReturn, Reporter
from ..context_access import active_scene, window_manager
from ..job_operator import JobOperator, invoke_operator
from ..properties import notices

_SUFFIXES = (*files.READ_SUFFIXES, *fbx_gltf.SUFFIXES)
MOCAP_GLOB = ";".join(f"*{suffix}" for suffix in _SUFFIXES)
"""File browser filter of the formats that can be read."""


class MocapBrowser(bpy.types.Operator):
    """Base of operators that open the file browser on mocap files."""

    filter_glob: bpy.props.StringProperty(default=MOCAP_GLOB, options={"HIDDEN"})  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return PASDEDEUX_OT_import_mocap.poll(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        window_manager(context).fileselect_add(self)
        return {"RUNNING_MODAL"}


class ImportOptions:
    """How dancers are imported; mixed into the operators."""

    body: bpy.props.BoolProperty(name="Body", description="Add a simple mannequin to each dancer", default=True)  # type: ignore[valid-type]
    fps: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Frame Rate",
        description="Frames per second, for files that state a wrong rate or none; 0: the file's own",
        min=0.0,
        soft_max=240.0,
    )


def clip_reader(context: bpy.types.Context, path: Path, fps: float | None = None) -> Callable[[], files.Clip]:
    """A function that reads a mocap file on a worker thread; what needs Blender's importers is read at once.

    fps: overrides the file's frame rate. Both steps raise BadFile.
    """
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES and path.is_file():
        raise files.BadFile(f"{path.name}: {', '.join(_SUFFIXES[:-1])} or {_SUFFIXES[-1]} file extension expected")
    if suffix in fbx_gltf.SUFFIXES:
        return fbx_gltf.read_armatures(context, path, fps)
    return lambda: files.read(path, fps=fps)


class ImportOperator(ImportOptions, JobOperator):
    """Base of the operators that import dancers"""

    bl_options = {"UNDO"}
    label = "Importing mocap"


class PASDEDEUX_OT_import_mocap(ImportOperator):
    """Import the dancers of a mocap file, each as a new armature"""

    bl_idname = "pasdedeux.import_mocap"
    bl_label = "Import Mocap"

    filepath: bpy.props.StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        if not self.filepath:
            return bpy.ops.pasdedeux.choose_mocap("INVOKE_DEFAULT", body=self.body, fps=self.fps)  # type: ignore[attr-defined]
        return super().invoke(context, event)

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        if not self.filepath:
            raise OperatorError("Select a mocap file to import")
        path = Path(bpy.path.abspath(self.filepath))
        read_clip = clip_reader(context, path, self.fps or None)

        def read(reporter: Reporter) -> files.Clip:
            reporter.progress(0.0, f"reading {path.name}")
            return read_clip()

        return read

    def apply(self, context: bpy.types.Context, result: files.Clip) -> None:
        notices.show_warnings(self, context, result.warnings)
        stem, count = result.source.path.stem, len(result.motions)
        names = [stem] if count == 1 else [f"{stem} {number}" for number in range(1, count + 1)]
        add_imported_dancers(self, context, result.motions, names)


def add_imported_dancers(
    operator: ImportOperator, context: bpy.types.Context, motions: Sequence[Motion], names: Sequence[str]
) -> list[bpy.types.Object]:
    """Add an animated dancer for each motion; the first one becomes the leader and alone selected."""
    scene = active_scene(context)
    matched, message = dancers.match_frame_rate(scene, motions)
    if message:
        operator.report({"INFO"}, message)
    imported: list[bpy.types.Object] = []
    for name, motion in zip(names, matched, strict=True):
        dancer = dancers.add_dancer(context, name, motion.skeleton, partner=bool(imported), body=operator.body)
        dancers.animate_dancer(context, dancer, motion, name, scene.frame_start)
        imported.append(dancer)
    dancers.select_only(context, imported[0])
    dancers.new_leader(context, imported[0])
    return imported


class PASDEDEUX_OT_choose_mocap(ImportOptions, MocapBrowser):
    """Select a mocap file and import its dancers"""

    bl_idname = "pasdedeux.choose_mocap"
    bl_label = "Import Mocap"

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        import_mocap = bpy.ops.pasdedeux.import_mocap  # type: ignore[attr-defined]
        return invoke_operator(self, import_mocap, filepath=self.filepath, body=self.body, fps=self.fps)


CLASSES = (PASDEDEUX_OT_import_mocap, PASDEDEUX_OT_choose_mocap)
