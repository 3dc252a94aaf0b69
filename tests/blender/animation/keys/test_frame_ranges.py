"""The frames that an object's animation covers, with stray keys, strips, slots, cycles and manual ranges."""

from collections.abc import Iterable

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import armatures, dancers, source_checks
from bl_ext.user_default.pas_de_deux.animation.keys import fcurves, frame_ranges, keyframes
from motions import joint_positions

from rigs.motion import resample
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON

LAST = 1_048_574  # Blender's last frame
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


@pytest.fixture
def leader() -> bpy.types.Object:
    """A leader keyed on every frame from 1 to 60."""
    bpy.context.scene.render.fps = 30
    leader = dancers.add_dancer(bpy.context, "leader", DEFAULT_SKELETON, partner=False, body=False)
    dancers.animate_dancer(bpy.context, leader, sample_dance()[:60], "dance", 1)
    dancers.select_only(bpy.context, leader)
    return leader


def key(obj: bpy.types.Object, frames: Iterable[float], *, path: str = "location") -> None:
    for frame in frames:
        setattr(obj, path, (0.01 * frame, 0.0, 0.0))
        obj.keyframe_insert(path, frame=frame)


def stray_pose(leader: bpy.types.Object, frame: int) -> None:
    """Key the whole pose at a frame."""
    for bone in leader.pose.bones:
        bone.keyframe_insert("rotation_quaternion", frame=frame)


def test_the_frame_range_is_that_of_the_keys(obj: bpy.types.Object) -> None:
    assert frame_ranges.frame_range(obj) is None
    keyframes.assign_action(obj, keyframes.create_action(obj, "move", CHANNELS, first=10))
    assert frame_ranges.frame_range(obj) == range(10, 13)


def test_the_frame_range_has_the_unmuted_strips_in_it(obj: bpy.types.Object) -> None:
    for first in (5, 40):
        keyframes.write_keyframes(obj, CHANNELS, name="move", first=first, onto="STRIP")
    assert frame_ranges.frame_range(obj) == range(5, 43)
    obj.animation_data.nla_tracks[0].mute = True
    assert frame_ranges.frame_range(obj) == range(40, 43)


def test_a_solo_track_alone_counts_and_no_strip_with_the_nla_off(obj: bpy.types.Object) -> None:
    for first in (5, 40):
        keyframes.write_keyframes(obj, CHANNELS, name="move", first=first, onto="STRIP")
    keyframes.assign_action(obj, keyframes.create_action(obj, "now", CHANNELS, first=100))
    assert frame_ranges.frame_range(obj) == range(5, 103)
    obj.animation_data.nla_tracks[1].is_solo = True
    assert frame_ranges.frame_range(obj) == range(40, 43)
    obj.animation_data.nla_tracks[1].is_solo = False
    obj.animation_data.use_nla = False
    assert frame_ranges.frame_range(obj) == range(100, 103)


@pytest.mark.parametrize(
    ("keyed", "frames"),
    [
        ([1, 5, 100, LAST], range(1, 101)),
        ([*range(1, 101), 50_000, LAST], range(1, 101)),
        ([-900_000, *range(-50, 51, 10)], range(-50, 51)),
        ([0, *range(5_001, 5_101)], range(5_001, 5_101)),
        ([-1_000_000, *range(1, 301, 3), LAST], range(1, 299)),
        ([1.5, 20.25, LAST], range(1, 22)),
    ],
)
def test_stray_keys_are_left_out(obj: bpy.types.Object, keyed: list[float], frames: range) -> None:
    key(obj, keyed)
    animated = frame_ranges.animated_frames(obj)
    assert animated is not None
    assert animated.frames == frames
    assert animated.stray == tuple(frame for frame in keyed if frame not in frames and frame == int(frame))
    assert animated.stray_path == "location"


def test_a_stray_key_beside_a_strip_is_left_out(leader: bpy.types.Object) -> None:
    channels = armatures.motion_channels(leader, sample_dance()[:60])
    keyframes.write_keyframes(leader, channels, name="before", first=-20, onto="STRIP")
    dancers.animate_dancer(bpy.context, leader, sample_dance()[:60], "now", 1)
    stray_pose(leader, LAST)
    animated = frame_ranges.animated_frames(leader)
    assert animated is not None
    assert (animated.frames, animated.stray) == (range(-20, 61), (LAST,))


@pytest.mark.parametrize("keys", [20, 200])
def test_a_strip_that_plays_long_after_the_action_counts_with_few_and_with_many_keys(
    leader: bpy.types.Object, keys: int
) -> None:
    motion = resample(sample_dance(), 30.0, keys)
    channels = armatures.motion_channels(leader, motion)
    keyframes.write_keyframes(leader, channels, name="later", first=6_000, onto="STRIP")
    dancers.animate_dancer(bpy.context, leader, motion, "now", 1)
    assert frame_ranges.animated_frames(leader) == frame_ranges.AnimatedFrames(range(1, 6_000 + keys))
    stray_pose(leader, LAST)
    animated = frame_ranges.animated_frames(leader)
    assert (animated.frames, animated.stray) == (range(1, 6_000 + keys), (LAST,))


@pytest.mark.parametrize(
    "keyed",
    [
        [1, 100, 1_000],  # a pose that is held
        [*range(1, 11), *range(4_000, 4_011)],  # two takes in one action
        list(range(1, 40_000, 2_000)),  # poses that are spaced out
        [1, 10, 4_000, 8_000, 12_000, 16_000],
        [1, LAST],  # no movement that either could be stray from
        [0, *range(2_000, 12_000, 100)],  # a T-pose long before a long dance
    ],
)
def test_keys_that_may_be_meant_all_count(obj: bpy.types.Object, keyed: list[int]) -> None:
    key(obj, keyed)
    assert frame_ranges.animated_frames(obj) == frame_ranges.AnimatedFrames(range(keyed[0], keyed[-1] + 1))


def test_a_manual_frame_range_says_which_frames_count(obj: bpy.types.Object) -> None:
    key(obj, [1, 50, 100, LAST])
    action = obj.animation_data.action
    action.use_frame_range, action.frame_start, action.frame_end = True, 20, 5_000
    assert frame_ranges.animated_frames(obj) == frame_ranges.AnimatedFrames(range(20, 5_001))


def test_the_keys_of_another_slot_do_not_count(obj: bpy.types.Object) -> None:
    key(obj, [1, 50])
    if not hasattr(obj.animation_data, "action_slot"):
        pytest.skip("actions have no slots before Blender 4.4")
    other = bpy.data.objects.new("other", None)
    other.animation_data_create().action = obj.animation_data.action
    other.animation_data.action_slot = obj.animation_data.action.slots.new("OBJECT", "other")
    key(other, [300, 400])
    assert tuple(obj.animation_data.action.frame_range) == (1.0, 400.0)
    assert frame_ranges.frame_range(obj) == range(1, 51)
    assert frame_ranges.frame_range(other) == range(300, 401)


def test_a_strip_with_a_stray_key_has_the_frames_of_the_movement(obj: bpy.types.Object) -> None:
    key(obj, [1, 5, 100, 900_000])
    action, slot = obj.animation_data.action, getattr(obj.animation_data, "action_slot", None)
    obj.animation_data.action = None
    strip = obj.animation_data.nla_tracks.new().strips.new("move", 11, action)
    if slot is not None:
        strip.action_slot = slot
    strip.scale = 0.5
    assert frame_ranges.frame_range(obj) == range(11, 62)


def test_a_muted_curve_does_not_count(obj: bpy.types.Object) -> None:
    key(obj, [1, 50])
    key(obj, [900_000], path="scale")
    for curve in fcurves.action_fcurves(obj):
        curve.mute = curve.data_path == "scale"
    assert frame_ranges.animated_frames(obj) == frame_ranges.AnimatedFrames(range(1, 51))


def test_keys_that_repeat_are_read_over_the_timeline(leader: bpy.types.Object) -> None:
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 200
    assert dancers.frames_of(scene, leader) == range(1, 61)
    for curve in fcurves.action_fcurves(leader):
        curve.modifiers.new("CYCLES")
    assert dancers.frames_of(scene, leader) == range(1, 201)
    (warning,) = source_checks.range_warnings([leader])
    assert warning.startswith("leader: its keys repeat (F-curve modifiers), so that the frames of the timeline")
    motion = dancers.sample_dancers(bpy.context, [leader], range(1, 201)).motions[0]
    assert np.abs(motion.positions[150] - joint_positions(leader, 151)).max() < 1e-4


def test_curves_of_modifiers_alone_are_read_over_the_timeline(obj: bpy.types.Object) -> None:
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 5, 20
    key(obj, [1])
    for curve in fcurves.action_fcurves(obj):
        curve.modifiers.new("GENERATOR")
        curve.keyframe_points.clear()
    assert dancers.frames_of(scene, obj) == range(5, 21)


@pytest.mark.parametrize("frame", [LAST, -900_000])
def test_retarget_keys_the_movement_alone_and_says_which_key_it_left_out(leader: bpy.types.Object, frame: int) -> None:
    target = dancers.add_dancer(bpy.context, "target", DEFAULT_SKELETON, partner=True, body=False)
    stray_pose(leader, frame)
    assert bpy.ops.pasdedeux.retarget(source="leader", target="target") == {"FINISHED"}
    assert tuple(target.animation_data.action.frame_range) == (1.0, 60.0)
    (notice,) = bpy.context.scene.pas_de_deux.notices
    assert notice.text.startswith(f"leader: a key at frame {frame} (")
    assert notice.text.endswith("frames 1 to 60 are read: to include it, give the action a Manual Frame Range")


def test_a_partner_of_a_leader_with_a_stray_key_dances_as_of_one_without(leader: bpy.types.Object) -> None:
    settings = bpy.context.scene.pas_de_deux
    settings.model, settings.leader = "mirror", leader
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    expected = joint_positions(settings.partner, 40)
    bpy.data.objects.remove(settings.partner)
    stray_pose(leader, LAST)
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    assert tuple(settings.partner.animation_data.action.frame_range) == (1.0, 60.0)
    assert np.abs(joint_positions(settings.partner, 40) - expected).max() < 1e-4
    assert bpy.context.scene.frame_end < 1_000
    assert [notice.text[:36] for notice in settings.notices] == ["leader: a key at frame 1048574 (pose"]


def test_stray_keys_on_both_sides_are_named_together(leader: bpy.types.Object) -> None:
    for frame in (-70_000, LAST):
        stray_pose(leader, frame)
    (warning,) = source_checks.range_warnings([leader])
    assert warning.startswith("leader: keys at frames -70000, 1048574 (pose.bones[")
    assert ") are far from all others and were left out, frames 1 to 60 are read" in warning


def test_two_keys_a_million_frames_apart_are_refused_before_the_work(leader: bpy.types.Object) -> None:
    dancers.add_dancer(bpy.context, "target", DEFAULT_SKELETON, partner=True, body=False)
    leader.animation_data_clear()
    for frame in (1, LAST):
        stray_pose(leader, frame)
    with pytest.raises(RuntimeError, match="leader: keyframes over at most 500000 frames expected, over 1048574 found"):
        bpy.ops.pasdedeux.retarget(source="leader", target="target")


def test_a_source_whose_action_has_no_keys_is_refused(leader: bpy.types.Object) -> None:
    dancers.add_dancer(bpy.context, "target", DEFAULT_SKELETON, partner=True, body=False)
    for curve in fcurves.action_fcurves(leader):
        curve.keyframe_points.clear()
    assert frame_ranges.frame_range(leader) is None
    with pytest.raises(RuntimeError, match="leader has no keyframes: an animated source expected"):
        bpy.ops.pasdedeux.retarget(source="leader", target="target")


def test_a_source_that_nothing_moves_is_refused(leader: bpy.types.Object) -> None:
    dancers.add_dancer(bpy.context, "target", DEFAULT_SKELETON, partner=True, body=False)
    leader.animation_data_clear()
    with pytest.raises(RuntimeError, match="leader has no keyframes: an animated source expected"):
        bpy.ops.pasdedeux.retarget(source="leader", target="target")
