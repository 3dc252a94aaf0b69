"""Operators that import a mocap file: each of its dancers becomes an animated armature."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import bpy

from rigs import files
from rigs.files.conventions.axes import UNIT_NAMES, UNITS, UP_AXES
from rigs.files.other_formats import file_advice
from rigs.files.takes.takes import ClipOfTakes
from rigs.motion import Motion, resample

from ..animation import dancers
from ..animation.interchange import fbx_gltf
from ..animation.takes.file_takes import FileTake, keep_file_takes
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
    up_axis: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Up Axis",
        description="The file's axis that points up, for files whose dancers lie or stand on their heads",
        items=[
            ("AUTO", "Auto", "As the file states it, unless the movement tells another"),
            *((axis, f"{axis} Up", f"The file's {axis} axis points up") for axis in UP_AXES),
        ],
    )
    unit: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Unit",
        description="The file's unit of lengths, for files whose dancers are too tall or too small",
        items=[
            ("AUTO", "Auto", "As the file states it, unless the dancers' height tells another"),
            *(
                (unit, name.capitalize(), f"One unit of the file is {UNITS[unit]:g} m")
                for unit, name in UNIT_NAMES.items()
            ),
        ],
    )
    match_rate: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Match Frame Rate",
        description="Set the scene's frame rate to the file's, as long as nothing in the scene is animated",
        default=True,
    )

    def option_values(self) -> dict[str, object]:
        """The options by name, to call another operator with."""
        return {name: getattr(self, name) for name in ImportOptions.__annotations__}

    def read_options(self) -> files.ReadOptions:
        """What the user says of the file."""
        up, unit = (None if value == "AUTO" else value for value in (self.up_axis, self.unit))
        return files.ReadOptions(self.fps or None, up, unit)


def clip_reader(
    context: bpy.types.Context, path: Path, options: files.ReadOptions = files.AS_STATED
) -> Callable[[], files.Clip]:
    """A function that reads a mocap file on a worker thread; what needs Blender's importers is read at once.

    options: what the user says of the file. Both steps raise BadFile.
    """
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES and path.is_file():
        known = f"{', '.join(_SUFFIXES[:-1])} or {_SUFFIXES[-1]}"
        raise files.BadFile(f"{path.name}: {known} file extension expected{file_advice(path)}")
    if suffix in fbx_gltf.SUFFIXES:
        return fbx_gltf.read_armatures(context, path, options)
    return lambda: files.read(path, options)


class ImportOperator(ImportOptions, JobOperator):
    """Base of the operators that import dancers"""

    bl_options = {"UNDO"}
    label = "Importing mocap"

    def add_dancers(
        self,
        context: bpy.types.Context,
        motions: Sequence[Motion],
        names: Sequence[str],
        takes: Sequence[FileTake],
        *,
        has_rate: bool,
    ) -> list[bpy.types.Object]:
        """Add an animated dancer for each motion; the first one becomes the leader and alone selected.

        takes: all takes of files with several, which are listed.  has_rate: whether the scene may take on the motions'
        frame rate.
        """
        scene = active_scene(context)
        rate, message = dancers.choose_frame_rate(scene, motions[0].fps, match=self.match_rate and has_rate)
        if message:
            self.report({"INFO"}, message)
        imported: list[bpy.types.Object] = []
        for name, motion in zip(names, motions, strict=True):
            dancer = dancers.add_dancer(context, name, motion.skeleton, partner=bool(imported), body=self.body)
            dancers.animate_dancer(context, dancer, resample(motion, rate), name, scene.frame_start)
            imported.append(dancer)
        keep_file_takes(context, imported, [take.at_rate(rate) for take in takes], scene.frame_start)
        dancers.select_only(context, imported[0])
        dancers.new_leader(context, imported[0])
        return imported


class PASDEDEUX_OT_import_mocap(ImportOperator):
    """Import the dancers of a mocap file, each as a new armature"""

    bl_idname = "pasdedeux.import_mocap"
    bl_label = "Import Mocap"

    filepath: bpy.props.StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        if not self.filepath:
            return bpy.ops.pasdedeux.choose_mocap("INVOKE_DEFAULT", **self.option_values())  # type: ignore[attr-defined]
        return super().invoke(context, event)

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        if not self.filepath:
            raise OperatorError("Select a mocap file to import")
        path = Path(bpy.path.abspath(self.filepath))
        read_clip = clip_reader(context, path, self.read_options())

        def read(reporter: Reporter) -> files.Clip:
            reporter.progress(0.0, f"reading {path.name}")
            return read_clip()

        return read

    def apply(self, context: bpy.types.Context, result: files.Clip) -> None:
        notices.show_warnings(self, context, result.warnings)
        stem, count = result.source.path.stem, len(result.motions)
        names = [stem] if count == 1 else [f"{stem} {number}" for number in range(1, count + 1)]
        self.add_dancers(context, result.motions, names, clip_takes(result, range(count)), has_rate=has_rate(result))


def named_motions(clip: files.Clip) -> Iterator[tuple[str, Motion]]:
    """Each dancer's motion in each take of a file, with a name for its action; the motions that are shown come last."""
    stem = clip.source.path.stem
    if isinstance(clip, ClipOfTakes) and len(clip.takes) > 1:
        named = [(take.name, d, take.motions[d]) for take in clip.takes for d in sorted(take.moved)]
    else:
        named = [("", d, motion) for d, motion in enumerate(clip.motions)]
    for take, d, motion in sorted(named, key=lambda entry: entry[2] is clip.motions[entry[1]]):
        yield " ".join(filter(None, [stem, take, str(d + 1) if len(clip.motions) > 1 else ""])), motion


def has_rate(clip: files.Clip) -> bool:
    """Whether a file states a frame rate, or its keyframes tell it."""
    return not isinstance(clip, ClipOfTakes) or clip.has_rate


def clip_takes(clip: files.Clip, numbers: Sequence[int]) -> list[FileTake]:
    """The takes of a clip that has several, for dancers that have these numbers among the imported."""
    if not isinstance(clip, ClipOfTakes) or len(clip.takes) < 2:
        return []
    return [
        FileTake(
            take.name,
            {numbers[dancer]: take.motions[dancer] for dancer in sorted(take.moved)},
            frozenset(numbers[dancer] for dancer in take.moved if clip.shown[dancer] == n),
        )
        for n, take in enumerate(clip.takes)
    ]


class PASDEDEUX_OT_choose_mocap(ImportOptions, MocapBrowser):
    """Select a mocap file and import its dancers"""

    bl_idname = "pasdedeux.choose_mocap"
    bl_label = "Import Mocap"

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        import_mocap = bpy.ops.pasdedeux.import_mocap  # type: ignore[attr-defined]
        return invoke_operator(self, import_mocap, filepath=self.filepath, **self.option_values())


CLASSES = (PASDEDEUX_OT_import_mocap, PASDEDEUX_OT_choose_mocap)
