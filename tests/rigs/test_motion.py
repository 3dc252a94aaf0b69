"""Edits of whole motions: resample, mirror, rotate, translate, slice, concatenate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from rigs import rotations
from rigs.motion import Motion, concatenate, mirror, resample, rotate_about_z, translate
from rigs.skeleton import DEFAULT_SKELETON, JOINTS, Skeleton


def dance(frames: int = 61, fps: float = 30.0, seed: int = 1) -> Motion:
    """A smooth movement of every joint, on a body whose left and right differ."""
    generator = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None, None] / fps
    speed, start = generator.uniform(1.0, 5.0, (29, 3, 3)), generator.uniform(0.0, 6.0, (29, 3, 3))
    waves = np.sin(time * speed + start)
    skeleton = Skeleton(DEFAULT_SKELETON.offsets + generator.normal(0.0, 0.01, (29, 3)))
    return Motion(fps, skeleton, waves[:, 0].mean(axis=-1), rotations.from_rotation_vector(0.4 * waves.sum(axis=-1)))


def assert_same(a: Motion, b: Motion, tolerance: float = 1e-9) -> None:
    assert a.fps == b.fps
    np.testing.assert_allclose(a.positions, b.positions, atol=tolerance)
    np.testing.assert_allclose(rotations.angle_between(a.rotations, b.rotations), 0.0, atol=tolerance)


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0, 119.88])
def test_resampled_rotations_are_scipys_slerp(fps: float) -> None:
    motion = dance(fps=60.0)
    slower = resample(motion, fps)
    times = np.arange(len(slower)) / fps
    inside = times <= motion.seconds
    for j in range(29):
        track = Slerp(np.arange(len(motion)) / 60.0, Rotation.from_quat(motion.rotations[:, j][:, [1, 2, 3, 0]]))
        expected = track(times[inside]).as_quat()[:, [3, 0, 1, 2]]
        ours = slower.rotations[inside, j]
        np.testing.assert_allclose(rotations.angle_between(ours, expected), 0.0, atol=1e-6)
    for axis in range(3):
        expected = np.interp(times, np.arange(len(motion)) / 60.0, motion.root[:, axis])
        np.testing.assert_allclose(slower.root[:, axis], expected, atol=1e-9)


@given(st.integers(1, 200), st.sampled_from([15.0, 30.0, 60.0, 90.0, 120.0]))
@settings(deadline=None)
def test_there_and_back_changes_nothing(frames: int, fps: float) -> None:
    motion = dance(frames, 30.0 if fps >= 30.0 else 15.0)
    there = resample(motion, fps)
    back = resample(there, motion.fps, frames)
    assert len(back) == frames
    assert_same(back, motion, 1e-6)


@given(st.integers(1, 400), st.floats(10.0, 240.0), st.floats(10.0, 240.0))
@settings(deadline=None)
def test_frames_reach_the_last_frames_time_and_no_further(frames: int, fps: float, other: float) -> None:
    still = Motion(fps, DEFAULT_SKELETON, np.zeros((frames, 3)), rotations.identity(frames, 29))
    resampled = resample(still, other)
    assert resampled.seconds >= still.seconds - 1e-6
    assert (len(resampled) - 2) / other < still.seconds or len(resampled) == 1


def test_the_last_pose_is_held_past_the_end() -> None:
    motion = dance(31)
    longer = resample(motion, 30.0, 40)
    assert len(longer) == 40
    np.testing.assert_allclose(longer.positions[31:], np.broadcast_to(motion.positions[-1], (9, 29, 3)), atol=1e-9)
    assert_same(longer[:31], motion)


def test_a_quaternions_sign_does_not_change_what_lies_between() -> None:
    motion = dance()
    signs = np.random.default_rng(2).choice([-1.0, 1.0], (61, 29, 1))
    flipped = Motion(motion.fps, motion.skeleton, motion.root, motion.rotations * signs)
    assert_same(resample(flipped, 47.0), resample(motion, 47.0), 1e-7)


def test_a_mirror_shows_every_joint_on_the_other_side() -> None:
    motion = dance()
    mirrored = mirror(motion).positions
    for j, name in enumerate(JOINTS):
        other = name.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right")
        reflected = motion.positions[:, JOINTS.index(other)] * np.array([-1.0, 1.0, 1.0])
        np.testing.assert_allclose(mirrored[:, j], reflected, atol=1e-9, err_msg=name)


def test_a_mirror_in_a_mirror_shows_the_dancer() -> None:
    motion = dance()
    assert_same(mirror(mirror(motion)), motion)
    assert np.abs(mirror(motion).positions - motion.positions).max() > 0.1


@given(st.floats(-10.0, 10.0))
@settings(deadline=None, max_examples=20)
def test_turning_turns_the_joints_about_the_vertical(angle: float) -> None:
    motion = dance(5)
    expected = Rotation.from_euler("z", angle).apply(motion.positions.reshape(-1, 3)).reshape(5, 29, 3)
    np.testing.assert_allclose(rotate_about_z(motion, angle).positions, expected, atol=1e-9)


def test_moving_moves_every_joint() -> None:
    motion = dance(5)
    offset = np.array([1.0, -2.0, 3.0])
    carried = translate(motion, offset)
    np.testing.assert_allclose(carried.positions, motion.positions + offset, atol=1e-9)


def test_what_is_done_to_a_motion_leaves_it_as_it_was() -> None:
    motion = dance(5)
    root, turned = motion.root.copy(), motion.rotations.copy()
    for change in (mirror(motion), rotate_about_z(motion, 1.0), translate(motion, np.ones(3)), resample(motion, 77.0)):
        assert change is not motion
    np.testing.assert_array_equal(motion.root, root)
    np.testing.assert_array_equal(motion.rotations, turned)


def test_pieces_join_to_the_whole() -> None:
    motion = dance()
    assert_same(concatenate(motion[:20], motion[20:]), motion)
    with pytest.raises(ValueError, match="fps"):
        concatenate(motion, resample(motion, 60.0))


@pytest.mark.parametrize(
    ("root", "turned", "fps", "complaint"),
    [((3, 2), (3, 29, 4), 30.0, "root"), ((3, 3), (2, 29, 4), 30.0, "rotations"), ((3, 3), (3, 29, 4), 0.0, "fps")],
)
def test_a_motion_refuses_what_does_not_fit(
    root: tuple[int, ...], turned: tuple[int, ...], fps: float, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        Motion(fps, DEFAULT_SKELETON, np.zeros(root), np.zeros(turned))
