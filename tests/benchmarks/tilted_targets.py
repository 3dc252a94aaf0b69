"""Retargeting to rigs that lean, lie or hang upside down, by their object or by their rest pose: against upright ones.

Only to be imported after the extension has been installed: `tests.installed`.
"""

from pathlib import Path

import bpy
import mathutils
import numpy as np

from tests.benchmarks import retarget_accuracy
from tests.rig_builders import build, reset_pose

Array = np.ndarray

RIGS = ("Mixamo", "UE-style", "Kenney")
TAKE = "salsa/salsa_07_leader.bvh"
FRAMES = range(1, 200, 20)
TILTS = tuple((axis, degrees) for axis in "XY" for degrees in (10, -10, 45, 90, 180))
MAX_OBJECT, MAX_REST = 0.1, 5.0  # degrees of the trunk; a rest pose alone does not tell its posture better


def table(corpus: Path) -> list[str]:
    """Print by how many degrees the trunk, and cm any joint, are off at most, and return the bounds that are missed."""
    print("degrees of the trunk / cm of any joint, from where they are on the upright rig")
    print(f"{'rig':<10} {'tilted':<8}" + "".join(f"{axis} {degrees:>4}".rjust(12) for axis, degrees in TILTS))
    faults = []
    for name in RIGS:
        retarget_accuracy.empty_scene()
        source = retarget_accuracy.import_dancer(corpus / TAKE)
        rig = build(name, corpus)
        retarget_accuracy.retarget(source=source.name, target=rig.name)
        upright = _places(source, rig, name)
        for tilts_object, limit in ((True, MAX_OBJECT), (False, MAX_REST)):
            row = [_errors(rig, name, source, tilt, upright, tilts_object=tilts_object) for tilt in TILTS]
            what = "object" if tilts_object else "rest"
            print(f"{name:<10} {what:<8}" + "".join(f"{angle:.1f} / {away:.1f}".rjust(12) for angle, away in row))
            worst = max(angle for angle, _ in row)
            if worst > limit:
                faults.append(f"{name}, {what} tilted: trunk {worst:.1f} degrees off, {limit} at most")
    return faults


def _errors(
    rig: bpy.types.Object,
    name: str,
    source: bpy.types.Object,
    tilt: tuple[str, float],
    upright: dict[str, Array],
    *,
    tilts_object: bool,
) -> tuple[float, float]:
    """Degrees of the trunk and cm of any joint, at most; the rig is as before afterwards."""
    reset_pose(rig)
    placed = rig.matrix_world.copy()
    turn = mathutils.Matrix.Rotation(np.radians(tilt[1]), 4, tilt[0])
    local = placed.inverted() @ turn @ placed
    if tilts_object:
        rig.matrix_world = turn @ placed
    else:
        rig.data.transform(local)
    bpy.context.view_layer.update()
    retarget_accuracy.retarget(source=source.name, target=rig.name)
    places = _places(source, rig, name)
    reset_pose(rig)
    if tilts_object:
        rig.matrix_world = placed
    else:
        rig.data.transform(local.inverted())
    bpy.context.view_layer.update()
    cosine = np.sum(_trunk(places) * _trunk(upright), axis=-1)
    away = max(float(np.linalg.norm(places[joint] - upright[joint], axis=-1).max()) for joint in places)
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))).max()), 100.0 * away


def _places(source: bpy.types.Object, rig: bpy.types.Object, name: str) -> dict[str, Array]:
    """Where the rig's joints are in the frames: (F, 3) m each."""
    return dict(retarget_accuracy.joint_positions(source, rig, name, FRAMES)[1])


def _trunk(places: dict[str, Array]) -> Array:
    """The direction (F, 3) from between the hips to the neck."""
    trunk = places["neck"] - (places["left_hip"] + places["right_hip"]) / 2.0
    return np.asarray(trunk / np.linalg.norm(trunk, axis=-1, keepdims=True))
