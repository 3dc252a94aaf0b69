"""Operators that retarget several mocap files to one rig, each to an action of its own."""

from pathlib import Path

import bpy

from rigs.motion import resample
from rigs.retargeting.bone_transforms import RigMotion
from rigs.retargeting.retarget import retarget

from ..animation import rig_motion
from ..animation.pose_check.pose_check import HeldBones
from ..animation.sampling import evaluation
from ..background_job import Cancelled, JobFunction, OperatorError, OperatorReturn, Reporter
from ..context_access import active_scene, frame_rate
from ..job_operator import invoke_operator
from ..properties import notices
from ..properties.retarget_settings import option_values
from .editing.release_bones import warn_of_held_bones
from .import_mocap import MocapBrowser, clip_reader, named_motions
from .retarget import RetargetOperator, RetargetTarget, require_editable_armature, require_object

BatchResult = tuple[list[tuple[str, RigMotion]], list[str]]
"""The name and motion of each action, and the files' warnings."""
_NO_FILES = "Select the mocap files to retarget"


class PASDEDEUX_OT_retarget_batch(RetargetOperator):
    """Retarget several mocap files to one rig, each as an action of its own"""

    bl_idname = "pasdedeux.retarget_batch"
    bl_label = "Retarget Files"

    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    files: bpy.props.CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE"})  # type: ignore[valid-type]

    _target = ""
    _metres = 1.0

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        if not self.files:
            choose_takes = bpy.ops.pasdedeux.choose_takes  # type: ignore[attr-defined]
            return choose_takes("INVOKE_DEFAULT", target=self.target, **option_values(self))
        return super().invoke(context, event)

    def rigs(self, context: bpy.types.Context) -> list[bpy.types.Object]:
        target = require_object(context, self.target) if self.target else context.active_object
        if target is None:
            raise OperatorError("Select the armature to animate")
        return [target]

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        (target,) = self.rigs(context)
        require_editable_armature(target)
        self.remember_doubts([target])
        paths = [Path(bpy.path.abspath(self.directory), file.name) for file in self.files]
        if not paths:
            raise OperatorError(_NO_FILES)
        evaluation.update_transforms(context, [target])
        self._metres = rig_motion.body_metres(context, target)
        body, options = rig_motion.target_body(target, metres=self._metres), self.keying_options()
        fps = frame_rate(active_scene(context))
        transform = rig_motion.bone_transformer(target, body, options)
        self._target = target.name
        clip_readers = [clip_reader(context, path) for path in paths]

        def retarget_files(reporter: Reporter) -> BatchResult:
            motions: list[tuple[str, RigMotion]] = []
            warnings: list[str] = []
            for n, (path, read_clip) in enumerate(zip(paths, clip_readers, strict=True)):
                reporter.progress(n / len(paths), f"reading {path.name}")
                clip = read_clip()
                warnings += clip.warnings
                for name, motion in named_motions(clip):
                    if reporter.cancelled():
                        raise Cancelled
                    motions.append((name, transform(retarget(resample(motion, fps), body, options.retargeting))))
            return motions, warnings

        return retarget_files

    def apply(self, context: bpy.types.Context, result: BatchResult) -> None:
        motions, warnings = result
        notices.show_warnings(self, context, [*self.doubts, *warnings])
        target, held = require_object(context, self._target), list[HeldBones]()
        first = active_scene(context).frame_start + self.offset
        for name, motion in motions:
            action, found = self.write(context, target, motion, name, first, self._metres)
            held += found
            # Only the last action stays assigned, and Blender does not save unused data-blocks.
            action.use_fake_user = True
        warn_of_held_bones(self, context, held)
        self.remember_answer(context)


class PASDEDEUX_OT_choose_takes(RetargetTarget, MocapBrowser):
    """Select mocap files and retarget each to the rig, as an action of its own"""

    bl_idname = "pasdedeux.choose_takes"
    bl_label = "Retarget Files"

    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    files: bpy.props.CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        files = [{"name": file.name} for file in self.files if file.name]
        if not files:
            self.report({"ERROR"}, _NO_FILES)
            return {"CANCELLED"}
        retarget_batch = bpy.ops.pasdedeux.retarget_batch  # type: ignore[attr-defined]
        options = option_values(self)
        return invoke_operator(
            self, retarget_batch, directory=self.directory, files=files, target=self.target, **options
        )


CLASSES = (PASDEDEUX_OT_retarget_batch, PASDEDEUX_OT_choose_takes)
