"""Write a dancer as FBX or glTF by Blender's own exporters, from a scene that holds nothing else.

Both files begin at time 0 and stand upright at a person's size in Blender, Unity and Unreal. FBX is in centimetres, as
Unreal expects without any option, with no scale on the armature; glTF in metres, as it always is.
"""

import io
import json
import struct
from contextlib import redirect_stdout
from pathlib import Path

import bpy

from rigs.motion import Motion

from ...background_job import OperatorError
from ...context_access import active_scene, set_frame_rate
from .. import dancers

SUFFIXES = (".fbx", ".glb")
MIN_BLENDER_FOR_GLTF = (4, 5, 0)
"""The version before which the glTF exporter often crashes Blender on armatures."""
_CENTIMETRES = 0.01


def export_dancer(path: Path, motion: Motion, name: str) -> None:
    """Write a motion, frame by frame at its own rate, on an armature of the 29 joints with a mannequin.

    Everything else in Blender is lost. Raises OperatorError.
    """
    if path.suffix.lower() == ".glb" and bpy.app.version < MIN_BLENDER_FOR_GLTF:
        raise OperatorError(f"{path.name}: Blender 4.5 or later expected to write glTF; write FBX with this one")
    bpy.ops.wm.read_homefile(use_empty=True)
    context, is_fbx = bpy.context, path.suffix.lower() == ".fbx"
    scene = active_scene(context)
    scene.name = name  # of the take in an FBX
    scene.unit_settings.scale_length = _CENTIMETRES if is_fbx else 1.0
    set_frame_rate(scene, motion.fps)
    scene.frame_start, scene.frame_end = 0, len(motion) - 1
    dancer = dancers.add_dancer(context, name, motion.skeleton, partner=True)
    dancers.animate_dancer(context, dancer, motion, name, 0)
    try:
        with redirect_stdout(io.StringIO()):
            (_export_fbx if is_fbx else _export_gltf)(path, scene)
    except RuntimeError as error:
        raise OperatorError(f"{path.name}: {str(error).strip().splitlines()[-1].removeprefix('Error: ')}") from None
    if not is_fbx:
        _expect_seconds(path, motion.seconds)


def _export_fbx(path: Path, scene: bpy.types.Scene) -> None:
    bpy.ops.export_scene.fbx(
        filepath=str(path),
        object_types={"ARMATURE", "MESH"},
        add_leaf_bones=False,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_simplify_factor=0.0,
    )


def _export_gltf(path: Path, scene: bpy.types.Scene) -> None:
    # Blender's exporter multiplies by the base where it should divide.
    scene.render.fps_base = 1.0 / scene.render.fps_base
    bpy.ops.export_scene.gltf(
        filepath=str(path),
        export_format="GLB",
        export_animation_mode="ACTIVE_ACTIONS",
        export_optimize_animation_size=False,
        export_morph=False,
    )


def _expect_seconds(path: Path, seconds: float) -> None:
    """Raise OperatorError unless a glTF file's animation ends at this time."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<12xI4x", file.read(20))
        document = json.loads(file.read(length))
    accessors = [
        document["accessors"][sampler["input"]]
        for animation in document.get("animations", ())
        for sampler in animation["samplers"]
    ]
    end = max((accessor["max"][0] for accessor in accessors), default=0.0)
    if abs(end - seconds) > 1e-3 * max(1.0, seconds):
        raise OperatorError(f"{path.name}: {seconds:.3f} seconds expected, this Blender has written {end:.3f}")
