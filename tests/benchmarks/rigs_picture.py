"""Render one frame of a dance on five rigs: `python -m tests.benchmarks.rigs_picture [OUT.png [FRAME]]`.

The source is on the left, then the rigs that it was retargeted to, each with its own body or, without one, a mannequin
on its own bones. Without OUT it is docs/pictures/rigs.png.
"""

import os
import sys
import tempfile
from pathlib import Path

from tests import installed
from tests.benchmarks.quiet_output import quiet

RIGS = {"Rigify": 1.0, "Mixamo": 1.0, "UE-style": 1.0, "HumanIK": 1.0, "Kenney": 0.5}
"""Rigs and their scale."""
TAKE, FRAME = "bvh_zoo/AD_rokoko_jesse_dance.bvh", 940
SIZE = (1440, 420)
APART, LENS, SENSOR = 1.45, 80.0, 36.0  # m, mm, mm
VIEW = 0.35  # radians from the dancer's front
LOOK_HEIGHT, ELEVATION = 0.92, 0.16  # m, radians


def main(arguments: list[str]) -> int:
    frame = int(arguments[1]) if len(arguments) > 1 else FRAME
    out = Path(arguments[0] if arguments else installed.ROOT / "docs" / "pictures" / "rigs.png").absolute()
    corpus = Path(os.environ.get("PASDEDEUX_DATA", installed.ROOT.parent / "shared" / "data"))
    with tempfile.TemporaryDirectory(prefix="pas-de-deux-") as scratch, quiet():
        installed.install(installed.build(), Path(scratch))
        render_picture(out, corpus, frame)
    print(f"{out}: {out.stat().st_size // 1024} kB")
    return 0


def render_picture(out: Path, corpus: Path, frame: int) -> None:
    """Retarget the take to each rig and render one frame of them all."""
    import bpy
    import numpy as np
    from bl_ext.user_default.pas_de_deux.animation import mannequin

    from tests.benchmarks import evaluated_bones, retarget_accuracy
    from tests.rig_builders import CHARACTERS, build

    retarget_accuracy.empty_scene()
    bpy.ops.pasdedeux.import_mocap(filepath=str(corpus / TAKE))
    source = bpy.context.object
    things = [source]
    for name, size in RIGS.items():
        rig = build(name, corpus, body=True)
        rig.scale *= size
        bpy.context.view_layer.update()
        bodies = [thing for thing in rig.children if thing.type == "MESH"]
        if not bodies:
            add_mannequin(rig, name)
        for body in bodies:
            with bpy.context.temp_override(object=body, active_object=body):
                bpy.ops.mesh.customdata_custom_splitnormals_clear()
            mannequin.set_vertex_colours(body.data, np.tile(mannequin.TEAL, (len(body.data.vertices), 1)))
        retarget_accuracy.retarget(source=source.name, target=rig.name)
        things.append(rig)
    marks = [evaluated_bones.joint_points(thing, CHARACTERS.get(thing.name)) for thing in things]
    found = evaluated_bones.evaluate([mark for _, mark in marks], [frame])
    at = [dict(zip(names, places[0], strict=True)) for (names, _), places in zip(marks, found, strict=True)]
    across = at[0]["left_hip"] - at[0]["right_hip"]
    azimuth = np.arctan2(across[1], across[0]) + VIEW
    right = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    for n, (thing, places) in enumerate(zip(things, at, strict=True)):
        place = (n - (len(things) - 1) / 2.0) * APART * right
        shift = place - places["pelvis"]
        thing.location.x += shift[0]
        thing.location.y += shift[1]
    set_up_scene(right, (len(things) + 0.3) * APART)
    scene = bpy.context.scene
    scene.frame_set(frame)
    scene.render.filepath = str(out)
    bpy.ops.render.render(write_still=True)


def add_mannequin(rig: "bpy.types.Object", name: str) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Add to a rig that rests at the world's origin a mannequin in its rest pose, deformed by its own bones."""
    import bpy
    from bl_ext.user_default.pas_de_deux.animation import mannequin

    from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS, PARENTS, Skeleton
    from tests.benchmarks import evaluated_bones
    from tests.rig_builders import CHARACTERS

    names, marks = evaluated_bones.joint_points(rig, CHARACTERS[name])
    [[places]] = evaluated_bones.evaluate([marks], [bpy.context.scene.frame_start])
    at = dict(zip(names, places, strict=True))
    size = at["pelvis"][2] / DEFAULT_SKELETON.offsets[0, 2]
    offsets = size * DEFAULT_SKELETON.offsets
    for joint, place in at.items():
        parent = JOINTS[PARENTS[INDEX[joint]]] if joint != "pelvis" else ""
        if not parent or parent in at:
            offsets[INDEX[joint]] = place - at[parent] if parent else place
    body = mannequin.add_mannequin(bpy.context, rig, Skeleton(offsets), mannequin.TEAL)
    body.matrix_parent_inverse = rig.matrix_world.inverted()
    for group in body.vertex_groups:
        group.name = CHARACTERS[name].places.get(group.name, (group.name, ""))[0]


def set_up_scene(right: "np.ndarray", width: float) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Set up floor, light and camera, which looks across `right` (3,), for `width` m of dancers."""
    import bpy
    import numpy as np
    from bl_ext.user_default.pas_de_deux.media import studio, studio_floor
    from mathutils import Matrix

    scene = bpy.context.scene
    middle = np.zeros(3)
    for ground in (studio_floor._floor_disc(middle), studio_floor._floor_grid(middle)):
        scene.collection.objects.link(ground)
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.resolution_percentage = 100
    studio.set_studio_shading(scene, "VERTEX")
    image = scene.render.image_settings
    if hasattr(image, "media_type"):
        image.media_type = "IMAGE"
    image.file_format, image.color_mode, image.compression = "PNG", "RGB", 100
    scene.render.dither_intensity = 0.0  # which only makes the file large
    back = np.array([-right[1], right[0], 0.0])
    forward = np.cos(ELEVATION) * back - np.array([0.0, 0.0, np.sin(ELEVATION)])
    eye = np.array([0.0, 0.0, LOOK_HEIGHT]) - width / SENSOR * LENS * forward
    up = np.cross(right, forward)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.lens, camera.data.sensor_width, camera.data.clip_end = LENS, SENSOR, 1000.0
    camera.location = eye
    camera.rotation_euler = Matrix(np.stack([right, up, -forward], axis=-1).tolist()).to_euler()
    scene.collection.objects.link(camera)
    scene.camera = camera
    studio.set_light(scene, forward=forward, right=right)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    # Blender as a module may hang in taking itself down after an FBX import.
    os._exit(status)
