"""Spliced actions against Blender's evaluation of the F-curves before, for every interpolation and rotation mode."""

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation.keys import fcurves, frame_splice, keyframes
from bl_ext.user_default.pas_de_deux.animation.keys.channels import Channel

from rigs import Array

FIRST, COUNT = 20, 11
INSIDE = range(FIRST, FIRST + COUNT)
OUTSIDE = [*range(-5, FIRST), *range(FIRST + COUNT, 60)]


@pytest.fixture
def obj() -> bpy.types.Object:
    obj = bpy.data.objects.new("obj", None)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def key_location(obj: bpy.types.Object, interpolation: str, frames: tuple[float, ...]) -> None:
    for n, frame in enumerate(frames):
        obj.location = (float(n % 3), -0.5 * n, 2.0 - (n - 1.5) ** 2)
        obj.keyframe_insert("location", frame=frame)
    for curve in fcurves.action_fcurves(obj):
        for key in curve.keyframe_points:
            key.interpolation = interpolation
        curve.update()


def evaluated(obj: bpy.types.Object, frames: list[int] | range) -> Array:
    curves = fcurves.fcurves_by_path(obj)
    return np.array([[curves["location", index].evaluate(frame) for index in range(3)] for frame in frames])


@pytest.mark.parametrize("interpolation", ["BEZIER", "LINEAR", "CONSTANT"])
@pytest.mark.parametrize(
    "frames",
    [(1, 10, 25, 40), (1, 40), (1, 19, 31, 40), (1, 20, 30, 50), (1, 10), (35, 50), (22, 27), (10,)],
    ids=["between", "one segment", "on the edges", "on the ends", "before", "after", "inside", "single"],
)
def test_frames_outside_play_as_before(obj: bpy.types.Object, interpolation: str, frames: tuple[float, ...]) -> None:
    key_location(obj, interpolation, frames)
    before = evaluated(obj, OUTSIDE)
    values = np.random.default_rng(0).normal(0.0, 1.0, (COUNT, 3))
    action = frame_splice.splice_action(obj, [Channel("location", values, "place")], FIRST, "spliced")
    old = obj.animation_data.action
    assert action != old
    keyframes.assign_action(obj, action)
    np.testing.assert_allclose(evaluated(obj, INSIDE), values, atol=1e-5)
    np.testing.assert_allclose(evaluated(obj, OUTSIDE), before, atol=2e-4)


def test_handles_that_an_animator_set_stay_where_the_segment_is_not_cut(obj: bpy.types.Object) -> None:
    key_location(obj, "BEZIER", (1, 5, 10, 40, 50))
    keys = fcurves.fcurves_by_path(obj)["location", 0].keyframe_points
    keys[1].handle_left_type = keys[1].handle_right_type = "FREE"
    keys[1].handle_right = (6.5, 9.0)
    before = evaluated(obj, OUTSIDE)
    action = frame_splice.splice_action(obj, [Channel("location", np.zeros((COUNT, 3)), "")], FIRST, "spliced")
    keyframes.assign_action(obj, action)
    np.testing.assert_allclose(evaluated(obj, OUTSIDE), before, atol=2e-4)
    assert tuple(fcurves.fcurves_by_path(obj)["location", 0].keyframe_points[1].handle_right) == (6.5, 9.0)


def test_what_was_not_animated_holds_its_value_outside(obj: bpy.types.Object) -> None:
    key_location(obj, "LINEAR", (1, 50))
    obj.scale = (2.0, 3.0, 4.0)
    action = frame_splice.splice_action(obj, [Channel("scale", np.ones((COUNT, 3)), "")], FIRST, "spliced")
    keyframes.assign_action(obj, action)
    curve = fcurves.fcurves_by_path(obj)["scale", 1]
    assert [curve.evaluate(frame) for frame in (1, FIRST - 1, FIRST, FIRST + COUNT, 60)] == [3, 3, 1, 3, 3]


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "ZYX", "AXIS_ANGLE"])
def test_held_rotations_are_exact_and_reached_the_short_way(obj: bpy.types.Object, mode: str) -> None:
    obj.rotation_mode = mode
    path = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}.get(mode, "rotation_euler")
    random = np.random.default_rng(1)
    present = random.normal(0.0, 0.4, (40, 4 if path != "rotation_euler" else 3))
    if mode == "QUATERNION":
        present[:, 0] = -1.0  # as if unrolled to the other sign
    keyframes.assign_action(obj, keyframes.create_action(obj, "present", [Channel(path, present, "")], 1))
    smooth = 0.1 * np.sin(np.arange(40) / 8.0)[:, None] * np.ones(present.shape[1])
    if path != "rotation_euler":
        smooth[:, 0] = 1.0
    fixed = np.zeros(40, bool)
    fixed[:10] = fixed[25] = True
    (held,) = frame_splice.hold_poses(obj, [Channel(path, smooth, "")], 1, fixed, 6)
    np.testing.assert_allclose(held.values[fixed], present[fixed], atol=1e-6)
    if mode == "QUATERNION":
        assert (np.sum(held.values[1:] * held.values[:-1], axis=-1)[9:24] > 0.0).all()
    far = np.s_[33:]
    quaternions = [rotation(obj, mode, path, values) for values in (held.values[far], smooth[far])]
    assert (np.abs(np.sum(quaternions[0] * quaternions[1], axis=-1)) > 1.0 - 1e-6).all()


def rotation(obj: bpy.types.Object, mode: str, path: str, values: Array) -> Array:
    """Blender's own quaternions of rotation values."""
    quaternions = []
    for row in values:
        setattr(obj, path, row.tolist())
        quaternions.append(np.array(obj.matrix_basis.to_quaternion()))
    return np.array(quaternions)


def test_custom_properties_switch_without_fading(obj: bpy.types.Object) -> None:
    obj["IK"] = 0.0
    fixed = np.array([True, True, False, False, True])
    (held,) = frame_splice.hold_poses(obj, [Channel('["IK"]', np.ones((5, 1)), "")], 1, fixed, 3)
    assert held.values[:, 0].tolist() == [0.0, 0.0, 1.0, 1.0, 0.0]
