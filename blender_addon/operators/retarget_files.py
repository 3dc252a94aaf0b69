"""Several mocap files onto one rig, each as a take of its own."""

from pathlib import Path

import bpy

from rigs import files
from rigs.motion import resample
from rigs.retargeting.bone_transforms import RigMotion
from rigs.retargeting.retarget import retarget

from .. import context_access
from ..animation import fbx_gltf
from ..background_job import Cancelled, JobFunction, OperatorError, OperatorReturn, Reporter, invoke_operator
from ..context_access import active_scene, window_manager
from ..properties.retarget_settings import Options, draw, values
from . import import_mocap
from .retarget import Retargeting, body_for, expect_editable, has_controls, key, named, way_to_pose

_FILES = ";".join(f"*{suffix}" for suffix in (*files.READ, *fbx_gltf.SUFFIXES))
Takes = tuple[list[tuple[str, RigMotion]], list[str]]
"""Each take's name and movement, and what is doubtful about the files."""
_NO_FILES = "Choose the mocap files to bring onto the rig"


class PASDEDEUX_OT_retarget_batch(Retargeting):
    """Bring several mocap files onto one rig, each as a take of its own"""

    bl_idname = "pasdedeux.retarget_batch"
    bl_label = "Retarget Files"

    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    files: bpy.props.CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE"})  # type: ignore[valid-type]
    target: bpy.props.StringProperty(name="Target", description="The armature to be moved", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    _target = ""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        if not self.files:
            return bpy.ops.pasdedeux.choose_takes("INVOKE_DEFAULT", target=self.target, **values(self))  # type: ignore[attr-defined]
        return super().invoke(context, event)

    def draw(self, context: bpy.types.Context) -> None:
        assert self.layout
        draw(self.layout, self, pair=False, controls=has_controls(context, self.target))

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        target = named(context, self.target) if self.target else context.active_object
        if target is None:
            raise OperatorError("Select the armature to be moved")
        expect_editable(target)
        paths = [Path(bpy.path.abspath(self.directory), file.name) for file in self.files]
        if not paths:
            raise OperatorError(_NO_FILES)
        body, wishes, rate = body_for(target), self.wishes(), context_access.frame_rate(active_scene(context))
        way = way_to_pose(target, body, wishes)
        self._target = target.name
        readings = [import_mocap.reading(context, path) for path in paths]

        def work(reporter: Reporter) -> Takes:
            takes: list[tuple[str, RigMotion]] = []
            warnings: list[str] = []
            for n, (path, read) in enumerate(zip(paths, readings, strict=True)):
                reporter.progress(n / len(paths), f"reading {path.name}")
                clip = read()
                warnings += clip.warnings
                for number, motion in enumerate(clip.motions, start=1):
                    if reporter.cancelled():
                        raise Cancelled
                    name = path.stem if len(clip.motions) == 1 else f"{path.stem} {number}"
                    takes.append((name, way(retarget(resample(motion, rate), body, wishes.finish))))
            return takes, warnings

        return work

    def apply(self, context: bpy.types.Context, result: Takes) -> None:
        takes, warnings = result
        for warning in warnings:
            self.report({"WARNING"}, warning)
        target, wishes = named(context, self._target), self.wishes()
        first = active_scene(context).frame_start + wishes.offset
        for name, motion in takes:
            # Only the last take moves the rig, and Blender drops what nothing uses when it saves.
            key(context, target, motion, name, first, wishes).use_fake_user = True


class PASDEDEUX_OT_choose_takes(Options, bpy.types.Operator):
    """Choose mocap files and bring each onto the rig, as a take of its own"""

    bl_idname = "pasdedeux.choose_takes"
    bl_label = "Retarget Files"

    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    files: bpy.props.CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE"})  # type: ignore[valid-type]
    filter_glob: bpy.props.StringProperty(default=_FILES, options={"HIDDEN"})  # type: ignore[valid-type]
    target: bpy.props.StringProperty(name="Target", description="The armature to be moved", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return PASDEDEUX_OT_retarget_batch.poll(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        window_manager(context).fileselect_add(self)
        return {"RUNNING_MODAL"}

    def draw(self, context: bpy.types.Context) -> None:
        assert self.layout
        draw(self.layout, self, pair=False, controls=has_controls(context, self.target))

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        chosen = [{"name": file.name} for file in self.files if file.name]
        if not chosen:
            self.report({"ERROR"}, _NO_FILES)
            return {"CANCELLED"}
        batch = bpy.ops.pasdedeux.retarget_batch  # type: ignore[attr-defined]
        return invoke_operator(self, batch, directory=self.directory, files=chosen, target=self.target, **values(self))


CLASSES = (PASDEDEUX_OT_retarget_batch, PASDEDEUX_OT_choose_takes)
