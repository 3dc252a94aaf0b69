"""Mocap files onto new armatures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from rigs import files
from rigs.motion import resample

from .. import context_access
from ..animation import dancers, fbx_gltf
from ..background_job import JobFunction, JobOperator, OperatorError, OperatorReturn, Reporter, invoke_operator
from ..context_access import active_scene, active_view_layer, window_manager
from ..properties import settings

_BODY: dict[str, Any] = {
    "name": "Body",
    "description": "Give each dancer a simple body to look at",
    "default": True,
}
_FPS: dict[str, Any] = {
    "name": "Frame Rate",
    "description": "Frames a second, for a file that states them wrongly or not at all; 0 takes the file's own",
    "default": 0.0,
    "min": 0.0,
    "soft_max": 240.0,
}


def reading(context: bpy.types.Context, path: Path, fps: float | None = None) -> Callable[[], files.Clip]:
    """What reads the dancers of any mocap file away from bpy; what only Blender can read it has read already.

    Raises BadFile, now or when it reads.
    """
    if path.suffix.lower() in fbx_gltf.SUFFIXES:
        return fbx_gltf.read(context, path, fps)
    return lambda: files.read(path, fps=fps)


class PASDEDEUX_OT_import_mocap(JobOperator):
    """Bring the dancers of a mocap file into the scene, each on a new armature"""

    bl_idname = "pasdedeux.import_mocap"
    bl_label = "Import Mocap"
    bl_options = {"UNDO"}
    label = "Importing"

    filepath: bpy.props.StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    body: bpy.props.BoolProperty(**_BODY)  # type: ignore[valid-type]
    fps: bpy.props.FloatProperty(**_FPS)  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        if not self.filepath:
            return bpy.ops.pasdedeux.choose_mocap("INVOKE_DEFAULT", body=self.body, fps=self.fps)  # type: ignore[attr-defined]
        return super().invoke(context, event)

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        if not self.filepath:
            raise OperatorError("Choose a mocap file to import")
        path = Path(bpy.path.abspath(self.filepath))

        read = reading(context, path, self.fps or None)

        def work(reporter: Reporter) -> files.Clip:
            reporter.progress(0.0, f"reading {path.name}")
            return read()

        return work

    def apply(self, context: bpy.types.Context, result: files.Clip) -> None:
        for warning in result.warnings:
            self.report({"WARNING"}, warning)
        scene, pair = active_scene(context), settings.scene_settings(context)
        motions = list(result.motions)
        if dancers.any_keyed(scene):
            motions = [resample(motion, context_access.frame_rate(scene)) for motion in motions]
        else:
            context_access.set_frame_rate(scene, motions[0].fps)
        stem = result.source.path.stem
        added = []
        for number, motion in enumerate(motions, start=1):
            name = stem if len(motions) == 1 else f"{stem} {number}"
            partner = number > 1 or pair.leader is not None
            dancer = dancers.add(context, name, motion.skeleton, partner=partner, body=self.body)
            dancers.dance(context, dancer, motion, name, scene.frame_start)
            added.append(dancer)
        for dancer in added[1:]:
            dancer.select_set(False)
        added[0].select_set(True)
        active_view_layer(context).objects.active = added[0]
        if pair.leader is None:
            pair.leader = added[0]


class PASDEDEUX_OT_choose_mocap(bpy.types.Operator):
    """Choose a mocap file and bring its dancers into the scene"""

    bl_idname = "pasdedeux.choose_mocap"
    bl_label = "Import Mocap"

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        default=";".join(f"*{suffix}" for suffix in (*files.READ, *fbx_gltf.SUFFIXES)), options={"HIDDEN"}
    )
    body: bpy.props.BoolProperty(**_BODY)  # type: ignore[valid-type]
    fps: bpy.props.FloatProperty(**_FPS)  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return PASDEDEUX_OT_import_mocap.poll(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        window_manager(context).fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        importer = bpy.ops.pasdedeux.import_mocap  # type: ignore[attr-defined]
        return invoke_operator(self, importer, filepath=self.filepath, body=self.body, fps=self.fps)


CLASSES = (PASDEDEUX_OT_import_mocap, PASDEDEUX_OT_choose_mocap)
