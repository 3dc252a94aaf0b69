"""Actions of bulk-written F-curves, against Blender's own evaluation."""

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation.keys import keyframes

CHANNELS = [
    keyframes.Channel("location", np.array([[0.0, 1.0, 2.0], [1.0, 1.5, -2.0], [4.0, 0.5, 0.0]]), "place"),
    keyframes.Channel("rotation_euler", np.array([[0.0, 0.1, 0.2], [0.3, 0.4, 0.5], [0.6, 0.7, 0.8]]), "turn"),
]


@pytest.fixture
def obj() -> bpy.types.Object:
    obj = bpy.data.objects.new("obj", None)
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.update()
    return obj


def curves_of(action: bpy.types.Action) -> list[bpy.types.FCurve]:
    if hasattr(action, "fcurves"):
        return list(action.fcurves)
    return list(action.layers[0].strips[0].channelbags[0].fcurves)


def test_an_assigned_action_moves_its_owner_as_written(obj: bpy.types.Object) -> None:
    keyframes.assign_action(obj, keyframes.create_action(obj, "move", CHANNELS, first=10))
    for row, frame in enumerate((10, 11, 12)):
        bpy.context.scene.frame_set(frame)
        assert np.allclose(obj.location, CHANNELS[0].values[row], atol=1e-6)
        assert np.allclose(obj.rotation_euler, CHANNELS[1].values[row], atol=1e-6)


def test_between_keys_the_movement_is_straight(obj: bpy.types.Object) -> None:
    keyframes.assign_action(obj, keyframes.create_action(obj, "move", CHANNELS, first=1))
    bpy.context.scene.frame_set(2, subframe=0.25)
    assert np.allclose(obj.location, CHANNELS[0].values[1] * 0.75 + CHANNELS[0].values[2] * 0.25, atol=1e-5)
    assert {key.interpolation for curve in curves_of(obj.animation_data.action) for key in curve.keyframe_points} == {
        "LINEAR"
    }


def test_curves_stand_in_their_groups(obj: bpy.types.Object) -> None:
    action = keyframes.create_action(obj, "move", CHANNELS, first=1)
    assert [curve.group.name for curve in curves_of(action)] == ["place"] * 3 + ["turn"] * 3


def test_no_key_is_selected_until_the_animator_selects_it(obj: bpy.types.Object) -> None:
    keys = [
        key
        for curve in curves_of(keyframes.create_action(obj, "move", CHANNELS, first=1))
        for key in curve.keyframe_points
    ]
    assert not any(key.select_control_point or key.select_left_handle or key.select_right_handle for key in keys)


def test_creating_an_action_leaves_the_owner_alone(obj: bpy.types.Object) -> None:
    keyframes.create_action(obj, "move", CHANNELS, first=1)
    assert obj.animation_data is None


def test_a_slot_is_assigned_even_when_its_name_is_another(obj: bpy.types.Object) -> None:
    action = keyframes.create_action(obj, "move", CHANNELS, first=1)
    other = bpy.data.objects.new("another name", None)
    bpy.context.scene.collection.objects.link(other)
    keyframes.assign_action(other, action)
    bpy.context.scene.frame_set(3)
    assert other.location.x == pytest.approx(4.0)
    if hasattr(action, "slots"):
        assert other.animation_data.action_slot == action.slots[0]
