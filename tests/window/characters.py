"""The window's story, second part: a rig with doubtful bones, and an impossible bone map."""

from collections.abc import Iterator

import bpy
import driver
import sidebar
from driver import Wait, area, expect, note, picture, step
from duet import action, action_frames, is_idle, leader


def ask_about_doubtful_bones() -> Iterator[Wait]:
    step("Retarget to a rig whose bones' names say nothing: the dialog names the doubtful bones; Escape, then OK")
    source = leader()
    bpy.ops.pasdedeux.add_dancer()
    rig = bpy.context.view_layer.objects.active
    rig.name = "unnamed rig"
    for n, bone in enumerate(rig.data.bones):
        bone.name = f"Bone.{n:03}"
    rig.location.x = 2.0
    source.select_set(True)
    yield 1.0
    yield from sidebar.open_panel("PASDEDEUX_PT_retarget")
    x, y = yield from sidebar.find_button("pasdedeux.retarget(")
    yield from driver.click(x, y)
    yield 0.7
    picture("09-doubtful-bones")
    expect(is_idle() and rig.animation_data is None, "Retarget did not ask")
    driver.key("ESC")
    yield 1.0
    expect(is_idle() and rig.animation_data is None, "Escape did not stop Retarget")
    yield from driver.click(x, y)
    yield 0.7
    driver.key("RET")
    yield (lambda: rig.animation_data is not None and is_idle()), 60.0
    yield 1.0
    note(f"{action(rig).name}, {action_frames(rig)} frames")
    picture("10-retargeted")
    yield from driver.click(x, y)
    yield 3.0
    yield is_idle, 60.0
    expect(action(rig).name != "unnamed rig dance", "Retarget asked again after it was confirmed")


def see_an_impossible_map() -> Iterator[Wait]:
    step("Map Bones, choose the right hip's bone for the pelvis: both rows turn red and say why; Detect Again mends it")
    rig = bpy.context.view_layer.objects.active
    yield from sidebar.open_panel("PASDEDEUX_PT_bones")
    yield from sidebar.press("pasdedeux.map_bones()")
    joints = rig.data.pas_de_deux.joints
    expect(joints["pelvis"].bone == "Bone.000", "Map Bones left the pelvis open")
    joints["pelvis"].bone = joints["right_hip"].bone
    area().tag_redraw()
    yield 1.0
    picture("11-impossible-map")
    yield from sidebar.press("pasdedeux.map_bones(forget=True)")
    expect(joints["pelvis"].bone == "Bone.000", "Detect Again left the pelvis as it was")
