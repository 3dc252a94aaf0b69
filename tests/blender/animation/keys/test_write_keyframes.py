"""Writing keyframes in every rotation mode, to actions and NLA strips, against Blender's evaluated pose."""

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation.keys import fcurves, keyframes
from bl_ext.user_default.pas_de_deux.animation.keys.channels import Channel, Tolerance, transform_channels

from rigs import Array, rotations

ROTATION_MODES = ["QUATERNION", "XYZ", "ZXY", "AXIS_ANGLE"]
BONES = ("hips", "left.leg", 'a "quoted" bone')
HALF_A_DEGREE = np.radians(0.5)


@pytest.fixture
def rig() -> bpy.types.Object:
    """Three bones side by side, without parents or movement, a metre long and rolled."""
    rig = bpy.data.objects.new("rig", bpy.data.armatures.new("rig"))
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for b, name in enumerate(BONES):
        bone = rig.data.edit_bones.new(name)
        bone.head, bone.tail, bone.roll = (b, 0.0, 0.0), (b, 0.4, 0.9), 0.7 * b
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.context.view_layer.update()
    return rig


def smooth_rotations(frames: int = 120, seed: int = 0, speed: float = 0.05) -> Array:
    """A smooth rotation that goes far: (F, 4)."""
    random = np.random.default_rng(seed)
    time = np.arange(frames)[:, None]
    vector = sum(random.normal(0.0, 1.0, 3) * np.sin(time * speed * n + random.uniform(0.0, 6.0, 3)) for n in (1, 2, 3))
    return rotations.from_rotation_vector(vector)


def smooth_locations(frames: int = 120) -> Array:
    return np.stack([np.sin(np.arange(frames) * speed) for speed in (0.05, 0.11, 0.02)], axis=-1)


def channels(rig: bpy.types.Object, frames: int = 120, seed: int = 0) -> list[Channel]:
    channels = []
    for b, bone in enumerate(rig.pose.bones):
        locations = smooth_locations(frames) if b == 0 else None
        channels += transform_channels(bone, smooth_rotations(frames, seed + b), locations)
    return channels


def evaluated_pose(rig: bpy.types.Object, frame: float) -> tuple[Array, Array]:
    """What the bones do in a frame since rest: rotations (B, 4) and locations (B, 3), by Blender's evaluation."""
    bpy.context.scene.frame_set(int(np.floor(frame)), subframe=frame % 1.0)
    evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
    moved = [
        bone.bone.matrix_local.inverted() @ bone.matrix
        for bone in (evaluated.pose.bones[bone.name] for bone in rig.data.bones)
    ]
    return np.array([m.to_quaternion() for m in moved]), np.array([m.translation for m in moved])


def max_errors(
    rig: bpy.types.Object, first: float, step: float = 1.0, frames: int = 120, seed: int = 0
) -> tuple[float, float]:
    """How far the rig is from the written movement on any of its frames: as an angle and a distance."""
    angle = distance = 0.0
    for f in range(frames):
        rotation, location = evaluated_pose(rig, first + f * step)
        expected = np.array([smooth_rotations(frames, seed + b)[f] for b in range(len(rotation))])
        angle = max(angle, float(rotations.angle_between(rotation, expected).max()))
        distance = max(distance, float(np.linalg.norm(location[0] - smooth_locations(frames)[f])))
    return angle, distance


def key_times(action: bpy.types.Action, owner: bpy.types.Object) -> dict[str, list[list[float]]]:
    """The times of the keys of each bone's curves."""
    times: dict[str, list[list[float]]] = {}
    for curve in fcurves.action_fcurves(owner):
        times.setdefault(curve.group.name, []).append([key.co[0] for key in curve.keyframe_points])
    return times


@pytest.mark.parametrize("mode", ROTATION_MODES)
def test_a_bone_moves_as_written_in_the_form_it_keeps(rig: bpy.types.Object, mode: str) -> None:
    for bone in rig.pose.bones:
        bone.rotation_mode = mode
    keyframes.write_keyframes(rig, channels(rig), name="move", first=5)
    angle, distance = max_errors(rig, 5)
    assert angle < 1e-5
    assert distance < 1e-5
    assert {bone.rotation_mode for bone in rig.pose.bones} == {mode}


@pytest.mark.parametrize("mode", ROTATION_MODES)
def test_reduced_keys_keep_within_their_tolerance(rig: bpy.types.Object, mode: str) -> None:
    for bone in rig.pose.bones:
        bone.rotation_mode = mode
    keyframes.write_keyframes(rig, channels(rig), name="move", first=5, tolerance=Tolerance())
    angle, distance = max_errors(rig, 5)
    assert angle < 1.01 * HALF_A_DEGREE
    assert distance < 1.01e-3
    for times in key_times(rig.animation_data.action, rig).values():
        assert len(times[0]) < 80
        assert (times[0][0], times[0][-1]) == (5.0, 124.0)


def test_a_finer_tolerance_keeps_more_keys_and_keeps_within_it(rig: bpy.types.Object) -> None:
    keyframes.write_keyframes(rig, channels(rig), name="coarse", first=1, tolerance=Tolerance())
    coarse = key_times(rig.animation_data.action, rig)
    keyframes.write_keyframes(rig, channels(rig), name="fine", first=1, tolerance=Tolerance(0.001, 1e-4))
    fine = key_times(rig.animation_data.action, rig)
    assert all(len(fine[bone][0]) > len(coarse[bone][0]) for bone in BONES)
    angle, distance = max_errors(rig, 1)
    assert angle < 1.01e-3
    assert distance < 1.01e-4


def test_a_bones_reduced_keys_stand_on_the_same_frames_and_are_smooth(rig: bpy.types.Object) -> None:
    keyframes.write_keyframes(rig, channels(rig), name="move", first=1, tolerance=Tolerance())
    for times in key_times(rig.animation_data.action, rig).values():
        assert all(each == times[0] for each in times)
    for curve in fcurves.action_fcurves(rig):
        for key in curve.keyframe_points:
            assert (key.interpolation, key.handle_left_type, key.handle_right_type) == ("BEZIER", "ALIGNED", "ALIGNED")


def test_the_rigs_scale_counts_in_what_a_millimetre_is(rig: bpy.types.Object) -> None:
    counts = []
    for scale in (1.0, 0.01):
        rig.scale = (scale, scale, scale)
        bpy.context.view_layer.update()
        transforms = transform_channels(rig.pose.bones[0], None, smooth_locations())
        keyframes.write_keyframes(rig, transforms, name="move", first=1, tolerance=Tolerance())
        counts.append(len(key_times(rig.animation_data.action, rig)["hips"][0]))
    assert counts[1] < counts[0]


@pytest.mark.parametrize("tolerance", [None, Tolerance()])
def test_a_movement_of_another_rate_is_keyed_between_frames(rig: bpy.types.Object, tolerance: Tolerance | None) -> None:
    keyframes.write_keyframes(rig, channels(rig), name="move", first=10.5, step=0.25, tolerance=tolerance)
    angle, distance = max_errors(rig, 10.5, 0.25)
    assert angle < 1.01 * HALF_A_DEGREE if tolerance else 1e-5
    assert distance < 1.01e-3 if tolerance else 1e-5
    assert tuple(rig.animation_data.action.frame_range) == (10.5, 10.5 + 119 * 0.25)


def test_an_object_moves_as_written_too(rig: bpy.types.Object) -> None:
    transforms = transform_channels(rig, smooth_rotations(), smooth_locations())
    keyframes.write_keyframes(rig, transforms, name="move", first=1)
    bpy.context.scene.frame_set(31)
    assert np.allclose(rig.matrix_world.translation, smooth_locations()[30], atol=1e-6)
    assert rotations.angle_between(np.array(rig.matrix_world.to_quaternion()), smooth_rotations()[30]) < 1e-5


@pytest.mark.parametrize("frames", [1, 2])
def test_the_shortest_movements_are_keyed(rig: bpy.types.Object, frames: int) -> None:
    for onto in ("NEW", "CURRENT", "STRIP"):
        keyframes.write_keyframes(rig, channels(rig, frames), name="move", first=3, onto=onto, tolerance=Tolerance())
        assert max(max_errors(rig, 3, frames=frames)) < 1e-5


def test_a_new_action_replaces_the_one_before_and_loses_nothing(rig: bpy.types.Object) -> None:
    before = keyframes.write_keyframes(rig, channels(rig), name="before", first=1)
    after = keyframes.write_keyframes(rig, channels(rig, seed=5), name="after", first=1)
    assert rig.animation_data.action == after != before
    assert before.use_fake_user
    assert max(max_errors(rig, 1, seed=5)) < 1e-5


def test_onto_the_current_action_other_curves_and_keys_outside_stay(rig: bpy.types.Object) -> None:
    action = keyframes.write_keyframes(rig, channels(rig, frames=300), name="before", first=1)
    rig.pose.bones["hips"].scale = (1.5, 1.0, 1.0)
    rig.pose.bones["hips"].keyframe_insert("scale", frame=1)
    rig["mood"] = 1.0
    rig.keyframe_insert('["mood"]', frame=1)
    others = {name: bone_rotations(rig, name, (20, 150, 290)) for name in BONES[1:]}
    outside = bone_rotations(rig, "hips", (20, 99, 220, 290))
    hips = [channel for channel in channels(rig, seed=9) if channel.group == "hips"]
    assert keyframes.write_keyframes(rig, hips, name="unused", first=100, onto="CURRENT") == action
    assert rig.animation_data.action == action
    assert "unused" not in bpy.data.actions
    assert {curve.data_path for curve in fcurves.action_fcurves(rig)} >= {'["mood"]', 'pose.bones["hips"].scale'}
    for name in BONES[1:]:
        assert np.allclose(bone_rotations(rig, name, (20, 150, 290)), others[name])
    assert rotations.angle_between(bone_rotations(rig, "hips", (20, 99, 220, 290)), outside).max() < 1e-6
    inside = bone_rotations(rig, "hips", range(100, 220))
    assert rotations.angle_between(inside, smooth_rotations(seed=9)).max() < 1e-5


def test_keys_that_stay_keep_their_easing_and_handles(rig: bpy.types.Object) -> None:
    bone = rig.pose.bones["hips"]
    for frame in (1, 20, 200, 240):
        bone.location = (frame * 0.1, 0.0, -frame)
        bone.keyframe_insert("location", frame=frame)
    for curve in fcurves.action_fcurves(rig):
        curve.keyframe_points[0].interpolation = "BOUNCE"
        curve.keyframe_points[2].handle_right_type = "FREE"
        curve.keyframe_points[2].handle_right = (210.0, 3.0)
        curve.update()
    before = [evaluated_pose(rig, frame)[1][0] for frame in (5, 15, 205, 230)]
    transforms = transform_channels(bone, None, smooth_locations())
    keyframes.write_keyframes(rig, transforms, name="move", first=50, onto="CURRENT", tolerance=Tolerance())
    assert np.allclose([evaluated_pose(rig, frame)[1][0] for frame in (5, 15, 205, 230)], before, atol=1e-5)


def test_a_rotations_other_forms_make_way(rig: bpy.types.Object) -> None:
    bone = rig.pose.bones["hips"]
    for mode in ("XYZ", "AXIS_ANGLE"):
        bone.rotation_mode = mode
        keyframes.write_keyframes(
            rig, transform_channels(bone, smooth_rotations()), name="move", first=1, onto="CURRENT"
        )
    bone.rotation_mode = "QUATERNION"
    keyframes.write_keyframes(rig, transform_channels(bone, smooth_rotations()), name="move", first=1, onto="CURRENT")
    assert {curve.data_path for curve in fcurves.action_fcurves(rig)} == {'pose.bones["hips"].rotation_quaternion'}


@pytest.mark.parametrize("mode", ROTATION_MODES)
def test_a_movement_after_another_goes_on_from_it_the_short_way(rig: bpy.types.Object, mode: str) -> None:
    bone = rig.pose.bones["hips"]
    bone.rotation_mode = mode
    spin = rotations.from_axis_angle(np.array([0.0, 1.0, 0.0]), np.linspace(0.0, 20.0, 200))
    keyframes.write_keyframes(rig, transform_channels(bone, spin[:100]), name="first half", first=1, onto="CURRENT")
    keyframes.write_keyframes(rig, transform_channels(bone, spin[100:]), name="second half", first=101, onto="CURRENT")
    between = evaluated_pose(rig, 100.5)[0][0]
    assert rotations.angle_between(between, rotations.slerp(spin[99], spin[100], 0.5)) < 0.01


def test_without_an_action_the_current_one_is_made(rig: bpy.types.Object) -> None:
    action = keyframes.write_keyframes(rig, channels(rig), name="move", first=1, onto="CURRENT")
    assert (action.name, rig.animation_data.action) == ("move", action)
    assert max(max_errors(rig, 1)) < 1e-5


def test_a_strip_plays_the_movement_at_its_frames(rig: bpy.types.Object) -> None:
    action = keyframes.write_keyframes(rig, channels(rig), name="move", first=10.5, onto="STRIP")
    assert rig.animation_data.action is None
    (track,) = rig.animation_data.nla_tracks
    assert [strip.action for strip in track.strips] == [action]
    assert max(max_errors(rig, 10.5)) < 1e-5


def test_a_strip_comes_above_the_owners_action_which_moves_all_else(rig: bpy.types.Object) -> None:
    keyframes.write_keyframes(rig, channels(rig, frames=200), name="before", first=1)
    outside = bone_rotations(rig, "hips", (5, 30))
    other = bone_rotations(rig, "left.leg", (60, 190))
    hips = [channel for channel in channels(rig, seed=9) if channel.group == "hips"]
    keyframes.write_keyframes(rig, hips, name="above", first=50, onto="STRIP")
    assert [track.name for track in rig.animation_data.nla_tracks] == ["before", "above"]
    assert rotations.angle_between(bone_rotations(rig, "hips", range(50, 170)), smooth_rotations(seed=9)).max() < 1e-5
    assert rotations.angle_between(bone_rotations(rig, "hips", (5, 30)), outside).max() < 1e-5
    assert rotations.angle_between(bone_rotations(rig, "left.leg", (60, 190)), other).max() < 1e-5


def test_strips_one_after_another_each_play(rig: bpy.types.Object) -> None:
    keyframes.write_keyframes(rig, channels(rig), name="one", first=1, onto="STRIP")
    keyframes.write_keyframes(rig, channels(rig, seed=7), name="two", first=200, onto="STRIP")
    assert max(max_errors(rig, 1)) < 1e-5
    assert max(max_errors(rig, 200, seed=7)) < 1e-5


def invalid_channels(channels: list[Channel]) -> dict[str, list[Channel]]:
    first, last = channels[0], channels[-1]
    nothing = Channel('pose.bones["tail"].location', last.values[:, :3], "tail")
    return {
        "there is no": [*channels[:-1], nothing],
        "4 finite numbers": [*channels[:-1], Channel(last.path, last.values[:, :3], last.group)],
        "3 finite numbers": [Channel(first.path, first.values * np.nan, first.group), *channels[1:]],
        r"found \(119, 4\)": [*channels[:-1], Channel(last.path, last.values[1:], last.group)],
        "one twice": [*channels, last],
        "found no channels": [],
    }


@pytest.mark.parametrize("onto", ["NEW", "CURRENT", "STRIP"])
@pytest.mark.parametrize("reason", list(invalid_channels([Channel("", np.zeros((2, 4)), "")] * 2)))
def test_what_cannot_be_keyed_is_refused_and_changes_nothing(rig: bpy.types.Object, onto: str, reason: str) -> None:
    action = keyframes.write_keyframes(rig, channels(rig), name="before", first=1)
    with pytest.raises(keyframes.NotKeyable, match=f"^rig.*{reason}"):
        keyframes.write_keyframes(
            rig, invalid_channels(channels(rig, seed=3))[reason], name="after", first=1, onto=onto
        )
    assert list(bpy.data.actions) == [action]
    assert rig.animation_data.action == action
    assert not rig.animation_data.nla_tracks
    assert max(max_errors(rig, 1)) < 1e-5


def test_a_strip_being_tweaked_is_left_alone(rig: bpy.types.Object) -> None:
    keyframes.write_keyframes(rig, channels(rig), name="move", first=1, onto="STRIP")
    rig.animation_data.nla_tracks[0].strips[0].select = True
    rig.animation_data.use_tweak_mode = True
    with pytest.raises(keyframes.NotKeyable, match="tweak mode"):
        keyframes.write_keyframes(rig, channels(rig), name="again", first=1)


def bone_rotations(rig: bpy.types.Object, bone: str, frames: "range | tuple[int, ...]") -> Array:
    """The rotations (F, 4) that Blender shows of a bone."""
    return np.array([evaluated_pose(rig, frame)[0][rig.data.bones.find(bone)] for frame in frames])
