"""Operators leave alone what is the user's: mode, selection, active object, current frame, other objects' actions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import pytest
from bl_ext.user_default.pas_de_deux.animation import dancers
from motions import swaying_motion

from rigs import files
from rigs.skeleton import DEFAULT_SKELETON


def add_animated(name: str, x: float, *, partner: bool) -> bpy.types.Object:
    dancer = dancers.add_dancer(bpy.context, name, DEFAULT_SKELETON, partner=partner, body=False)
    dancers.animate_dancer(bpy.context, dancer, swaying_motion(x=x), name, 1)
    return dancer


@pytest.fixture
def pair() -> list[bpy.types.Object]:
    """An animated leader and partner, and a cube with an action of its own."""
    bpy.context.scene.render.fps = 30
    leader, partner = add_animated("leader", 0.0, partner=False), add_animated("partner", 0.9, partner=True)
    settings = bpy.context.scene.pas_de_deux
    settings.leader, settings.partner, settings.model = leader, partner, "mirror"
    bpy.ops.mesh.primitive_cube_add()
    bpy.context.object.keyframe_insert("location", frame=1)
    bpy.context.scene.frame_set(17)
    return [leader, partner]


def edit_cube(pair: list[bpy.types.Object]) -> None:
    bpy.ops.object.mode_set(mode="EDIT")


def sculpt_cube(pair: list[bpy.types.Object]) -> None:
    bpy.ops.object.mode_set(mode="SCULPT")


def pose_leader(pair: list[bpy.types.Object]) -> None:
    dancers.select_only(bpy.context, pair[0])
    bpy.ops.object.mode_set(mode="POSE")
    pair[0].data.bones.active = pair[0].data.bones["left_knee"]


def hide_active_cube(pair: list[bpy.types.Object]) -> None:
    bpy.context.object.hide_set(True)


def activate_nothing(pair: list[bpy.types.Object]) -> None:
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = None


def generate_new(pair: list[bpy.types.Object]) -> None:
    bpy.context.scene.pas_de_deux.partner = None
    bpy.ops.pasdedeux.generate_partner()


def generate_again(pair: list[bpy.types.Object]) -> None:
    bpy.ops.pasdedeux.generate_partner()


def retarget_onto_others(pair: list[bpy.types.Object]) -> None:
    names = [add_animated(name, 3.0, partner=True).name for name in ("one", "other")]
    bpy.ops.pasdedeux.retarget_pair(leader_target=names[0], partner_target=names[1])


def follow(pair: list[bpy.types.Object]) -> None:
    bpy.ops.pasdedeux.frame_pair()
    bpy.ops.pasdedeux.add_follow_camera()


def user_state() -> dict[str, Any]:
    layer, scene = bpy.context.view_layer, bpy.context.scene
    active = layer.objects.active
    leader = bpy.data.objects["leader"]
    return {
        "active": active and active.name,
        "modes": {obj.name: obj.mode for obj in scene.objects if obj.mode != "OBJECT"},
        "selected": sorted(obj.name for obj in layer.objects.selected),
        "active bone": leader.data.bones.active and leader.data.bones.active.name,
        "frame": scene.frame_current,
        "cube's action": bpy.data.objects["Cube"].animation_data.action.name,
        "leader's action": leader.animation_data.action.name,
        "rate": scene.render.fps,
        "scenes": len(bpy.data.scenes),
    }


@pytest.mark.parametrize("prepare", [edit_cube, sculpt_cube, pose_leader, hide_active_cube, activate_nothing])
@pytest.mark.parametrize("operate", [generate_new, generate_again, retarget_onto_others, follow])
def test_what_is_the_users_stays(
    pair: list[bpy.types.Object],
    prepare: Callable[[list[bpy.types.Object]], None],
    operate: Callable[[list[bpy.types.Object]], None],
) -> None:
    prepare(pair)
    before = user_state()
    operate(pair)
    assert user_state() == before


def test_the_frame_and_other_actions_stay_through_an_import(pair: list[bpy.types.Object], tmp_path: Path) -> None:
    files.write(tmp_path / "dance.bvh", swaying_motion())
    before = user_state()
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "dance.bvh"))
    changed = {name for name, value in user_state().items() if value != before[name]}
    assert changed == {"active", "selected"}
