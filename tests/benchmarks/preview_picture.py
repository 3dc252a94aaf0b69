"""Render two takes side by side with own characters: `python -m tests.benchmarks.preview_picture OUT.mp4 [FRAMES]`.

The leader is a mannequin; the partner is Rigify's human with a body in a dress and a hat, which are made here.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests import installed
from tests.benchmarks.quiet_output import quiet

if TYPE_CHECKING:
    import bpy


FRAMES = 180
SIZE = (1280, 640)
HEIGHT = 0.86  # of Rigify's human
VOXEL = 0.018  # m
COLOURS = {"skin": (0.80, 0.50, 0.35), "dress": (0.45, 0.04, 0.25), "hat": (0.90, 0.62, 0.10)}  # linear RGB
RADII = {
    "thigh": 0.085,
    "shin": 0.055,
    "foot": 0.045,
    "toe": 0.035,
    "spine": 0.12,
    "spine.004": 0.055,
    "spine.005": 0.055,
}
RADII |= {"spine.006": 0.1, "shoulder": 0.06, "upper_arm": 0.048, "forearm": 0.038, "hand": 0.035}
"""m, of the body around the bones whose names begin so; the longest name counts."""


def main(arguments: list[str]) -> int:
    out = Path(arguments[0]).absolute()
    frames = int(arguments[1]) if len(arguments) > 1 else FRAMES
    with tempfile.TemporaryDirectory(prefix="pas-de-deux-") as scratch, quiet():
        installed.install(installed.build(), Path(scratch))
        render_two_takes(out, frames, Path(scratch))
    print(f"{out}: {out.stat().st_size // 1024} kB")
    return 0


def render_two_takes(out: Path, frames: int, scratch: Path) -> None:
    """Let the Rigify character mirror the leader in one take and follow it in canon in the other."""
    import bpy

    from rigs import files
    from rigs.sample_dance.salsa import sample_dance
    from tests.rig_builders import build

    bpy.ops.wm.read_homefile(use_empty=True)
    files.write(scratch / "leader.bvh", sample_dance()[:frames])
    bpy.ops.pasdedeux.import_mocap(filepath=str(scratch / "leader.bvh"))
    duet, leader = bpy.context.scene.pas_de_deux, bpy.context.object
    character = build("Rigify", scratch)
    add_body(character)
    character.scale *= HEIGHT
    bpy.context.view_layer.update()
    duet.leader, duet.partner = leader, character
    takes = []
    for device in ("canon", "mirror"):
        duet.model, duet.delay_in, duet.delay = device, "frames", 45.0
        bpy.ops.pasdedeux.generate_partner()
        takes.append(character.animation_data.action)
        takes[-1].name = device.title()
    duet.preview_settings.characters, duet.preview_settings.beside = "OWN", takes[0]
    bpy.ops.pasdedeux.render_preview(filepath=str(out), size=SIZE)


def add_body(rig: "bpy.types.Object") -> None:
    """Add a body around the deforming bones, in a dress and a hat, with Blender's automatic weights."""
    import bmesh
    import bpy
    from mathutils import Matrix, Vector

    shape = bmesh.new()
    for bone in rig.data.bones:
        radius = bone_radius(bone.name)
        if radius:
            axis = bone.tail_local - bone.head_local
            matrix = (
                Matrix.Translation((bone.head_local + bone.tail_local) / 2)
                @ axis.to_track_quat("Z", "Y").to_matrix().to_4x4()
            )
            bmesh.ops.create_cone(
                shape,
                cap_ends=True,
                segments=16,
                radius1=radius,
                radius2=radius * 0.9,
                depth=axis.length * 1.1,
                matrix=matrix,
            )
            for end in (bone.head_local, bone.tail_local):
                bmesh.ops.create_icosphere(shape, subdivisions=2, radius=radius, matrix=Matrix.Translation(end))
    hips, head = rig.data.bones["DEF-spine"], rig.data.bones["DEF-spine.006"]
    face = Matrix.Translation(head.head_local.lerp(head.tail_local, 0.55)) @ Matrix.Diagonal((0.085, 0.1, 0.125, 1.0))
    bmesh.ops.create_icosphere(shape, subdivisions=3, radius=1.0, matrix=face)
    nose = Matrix.Translation(head.head_local.lerp(head.tail_local, 0.45) + Vector((0.0, -0.1, 0.0)))
    bmesh.ops.create_icosphere(shape, subdivisions=2, radius=0.022, matrix=nose)
    skirt = Matrix.Translation(hips.head_local + Vector((0.0, 0.0, -0.12)))
    bmesh.ops.create_cone(shape, cap_ends=True, segments=32, radius1=0.27, radius2=0.13, depth=0.4, matrix=skirt)
    body = add_mesh("body", shape, rig)
    remesh = body.modifiers.new("Remesh", "REMESH")
    remesh.mode, remesh.voxel_size, remesh.use_smooth_shade = "VOXEL", VOXEL, True
    body.modifiers.new("Smooth", "SMOOTH").iterations = 6
    depsgraph = bpy.context.evaluated_depsgraph_get()
    body.data = bpy.data.meshes.new_from_object(body.evaluated_get(depsgraph))
    body.modifiers.clear()
    paint(body, hips.head_local.z - 0.33, head.head_local.z - 0.12)
    bpy.ops.object.select_all(action="DESELECT")
    body.select_set(True)
    rig.select_set(True)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.parent_set(type="ARMATURE_AUTO")
    shape = bmesh.new()
    top = Matrix.Translation(head.tail_local + Vector((0.0, 0.02, 0.02)))
    bmesh.ops.create_cone(shape, cap_ends=True, segments=32, radius1=0.2, radius2=0.19, depth=0.02, matrix=top)
    crown = Matrix.Translation(head.tail_local + Vector((0.0, 0.02, 0.08)))
    bmesh.ops.create_cone(shape, cap_ends=True, segments=32, radius1=0.115, radius2=0.1, depth=0.12, matrix=crown)
    hat = add_mesh("hat", shape, rig)
    hat.data.materials.append(material("hat"))
    hat.data.shade_smooth()
    hat.parent = rig
    hat.vertex_groups.new(name=head.name).add(range(len(hat.data.vertices)), 1.0, "REPLACE")
    hat.modifiers.new("Armature", "ARMATURE").object = rig


def bone_radius(name: str) -> float:
    """The radius (m) of the body around a bone; 0 for bones that do not deform it."""
    part = name.removeprefix("DEF-")
    starts = [start for start in RADII if part != name and part.startswith(start)]
    return RADII[max(starts, key=len)] if starts else 0.0


def add_mesh(name: str, shape: "bmesh.types.BMesh", rig: "bpy.types.Object") -> "bpy.types.Object":  # type: ignore[name-defined]  # noqa: F821
    import bpy

    mesh = bpy.data.meshes.new(name)
    shape.to_mesh(mesh)
    shape.free()
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def material(name: str) -> "bpy.types.Material":
    """A material of a base colour, as an artist would make it."""
    import bpy

    made = bpy.data.materials.new(name)
    made.use_nodes = True
    made.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (*COLOURS[name], 1.0)
    return made


def paint(body: "bpy.types.Object", hem: float, neckline: float) -> None:
    """Give the faces between two heights (m), and not on the forearms, the dress, and all others skin."""
    body.data.materials.append(material("skin"))
    body.data.materials.append(material("dress"))
    for face in body.data.polygons:
        centre = face.center
        face.material_index = int(hem < centre.z < neckline and abs(centre.x) < 0.34)
        face.use_smooth = True


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)
