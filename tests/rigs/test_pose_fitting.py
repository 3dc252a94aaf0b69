"""Rotations solved from joint positions: against movements whose rotations are known, made here and captured."""

from pathlib import Path

import numpy as np
import pytest

from rigs import Array, kinematics, pose_fitting, rotations
from rigs.files import read
from rigs.motion import Motion, mirror, resample, rotate_about_z
from rigs.skeleton import CHILDREN, DEFAULT_SKELETON, INDEX, PARENTS, Skeleton

LIMBS = ["left_hip", "right_hip", "left_shoulder", "right_shoulder"]
HINGES = {"left_knee": (1, 0, 0), "right_knee": (1, 0, 0), "left_elbow": (0, 0, -1), "right_elbow": (0, 0, 1)}


def bent_dance(frames: int = 200, bend: float = 0.9) -> Motion:
    """A smooth movement of every joint whose knees and elbows are hinges, `bend` radians open on average."""
    generator = np.random.default_rng(1)
    time = np.arange(frames)[:, None, None] / 30.0
    speed, start = generator.uniform(1.0, 4.0, (29, 3)), generator.uniform(0.0, 6.0, (29, 3))
    vector = 0.4 * np.sin(time * speed + start)
    for name, hinge in HINGES.items():
        vector[:, INDEX[name]] = (bend + 0.3 * np.sin(2.0 * time[:, 0])) * np.array(hinge)
    return Motion(30.0, DEFAULT_SKELETON, vector[:, 0], rotations.from_rotation_vector(vector))


def world_errors(solved: Motion, truth: Motion) -> Array:
    """Degrees (F, 29) between the world rotations of two movements."""
    ours, theirs = (kinematics.global_rotations(motion.rotations) for motion in (solved, truth))
    return np.degrees(rotations.angle_between(ours, theirs))


def steps(motion: Motion) -> Array:
    """Degrees (F - 1, J) that each joint that carries a bone turns from frame to frame, in the world."""
    world = kinematics.global_rotations(motion.rotations)[:, [j for j in range(29) if CHILDREN[j]]]
    return np.degrees(rotations.angle_between(world[1:], world[:-1]))


def errors(solved: Motion, positions: Array) -> Array:
    """Metres (F, 29) from the given positions."""
    return np.linalg.norm(solved.positions - positions, axis=-1)


@pytest.fixture(scope="module", params=["salsa_07_leader", "salsa_07_follower", "salsa_05_leader"])
def salsa(request: pytest.FixtureRequest, corpus: Path) -> Motion:
    return resample(read(corpus / "salsa" / f"{request.param}.bvh").motions[0], 30.0)


def test_bent_limbs_and_trunk_get_their_true_rotations() -> None:
    truth = bent_dance()
    solved = pose_fitting.fit_motion(truth.positions, 30.0, skeleton=DEFAULT_SKELETON)
    wrong = world_errors(solved, truth)
    for name in ("pelvis", "spine3", *LIMBS, *HINGES):
        assert wrong[:, INDEX[name]].max() < 0.1, name
    assert errors(solved, truth.positions).max() < 1e-4


def test_the_dancers_own_bones_are_found() -> None:
    generator = np.random.default_rng(3)
    tall = Skeleton(rotations.normalize(DEFAULT_SKELETON.offsets) * generator.uniform(0.1, 0.5, (29, 1)))
    motion = bent_dance()
    truth = Motion(30.0, tall, motion.root, motion.rotations)
    solved = pose_fitting.fit_motion(truth.positions, 30.0)
    lengths = np.linalg.norm(solved.skeleton.offsets, axis=-1)
    np.testing.assert_allclose(lengths[1:], np.linalg.norm(tall.offsets, axis=-1)[1:], atol=1e-6)
    assert errors(solved, truth.positions).max() < 1e-3


def test_the_measured_body_stands_on_the_floor() -> None:
    skeleton = pose_fitting.fit_skeleton(bent_dance().positions)
    np.testing.assert_allclose(skeleton.rest_positions()[:, 2].min(), 0.0, atol=1e-9)


def test_wobbling_bones_become_constant() -> None:
    truth = bent_dance()
    wobbling = truth.positions + np.random.default_rng(4).normal(0.0, 0.01, (200, 29, 3))
    solved = pose_fitting.fit_motion(wobbling, 30.0)
    bones = np.linalg.norm(solved.positions - solved.positions[:, list(PARENTS)], axis=-1)[:, 1:]
    assert np.ptp(bones, axis=0).max() < 1e-9
    assert errors(solved, wobbling).mean() < 0.03


def test_another_body_keeps_the_directions_of_the_bones() -> None:
    truth = bent_dance()
    longer = Skeleton(DEFAULT_SKELETON.offsets * np.random.default_rng(5).uniform(0.7, 1.4, (29, 1)))
    solved = pose_fitting.fit_motion(truth.positions, 30.0, skeleton=longer)
    for motion in (solved, truth):
        np.testing.assert_allclose(motion.root, truth.root)
    ours, theirs = (rotations.normalize(p - p[:, list(PARENTS)])[:, 1:] for p in (solved.positions, truth.positions))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    lengths = np.linalg.norm(solved.positions - solved.positions[:, list(PARENTS)], axis=-1)[:, 1:]
    np.testing.assert_allclose(lengths, np.broadcast_to(np.linalg.norm(longer.offsets, axis=-1)[1:], lengths.shape))


def test_a_t_pose_has_no_rotation() -> None:
    solved = pose_fitting.fit_motion(DEFAULT_SKELETON.rest_positions()[None], 30.0, skeleton=DEFAULT_SKELETON)
    np.testing.assert_allclose(
        np.degrees(rotations.angle_between(solved.rotations, rotations.IDENTITY)), 0.0, atol=1e-4
    )
    np.testing.assert_allclose(rotations.heading(solved.rotations[0, 0]), 0.0, atol=1e-6)


def test_one_frame_is_enough_for_a_bent_limb() -> None:
    truth = bent_dance()
    solved = pose_fitting.fit_motion(truth.positions[50:51], 30.0, skeleton=DEFAULT_SKELETON)
    wrong = world_errors(solved, truth[50:51])
    assert wrong[:, [INDEX[name] for name in LIMBS]].max() < 0.1


@pytest.mark.parametrize("angle", [0.5, 2.0, np.pi])
def test_a_turned_dancer_has_turned_rotations(angle: float) -> None:
    motion = bent_dance(bend=0.2)
    expected = rotate_about_z(pose_fitting.fit_motion(motion.positions, 30.0, skeleton=DEFAULT_SKELETON), angle)
    solved = pose_fitting.fit_motion(rotate_about_z(motion, angle).positions, 30.0, skeleton=DEFAULT_SKELETON)
    np.testing.assert_allclose(world_errors(solved, expected), 0.0, atol=1e-3)


def test_a_mirrored_dancer_has_mirrored_rotations() -> None:
    motion = bent_dance(bend=0.2)
    expected = mirror(pose_fitting.fit_motion(motion.positions, 30.0, skeleton=DEFAULT_SKELETON))
    solved = pose_fitting.fit_motion(mirror(motion).positions, 30.0, skeleton=DEFAULT_SKELETON)
    np.testing.assert_allclose(world_errors(solved, expected), 0.0, atol=1e-3)


def straightening_arm(frames: int = 45) -> Motion:
    """An arm, twisted 80 degrees, whose elbow opens from 1 radian past straight to -0.05 and closes again."""
    turned = rotations.identity(frames, 29)
    bend = 0.475 + 0.525 * np.cos(np.linspace(0.0, 2.0 * np.pi, frames))
    turned[:, INDEX["left_shoulder"]] = rotations.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.radians(80.0))
    turned[:, INDEX["left_elbow"]] = rotations.from_axis_angle(np.array([0.0, 0.0, -1.0]), bend)
    return Motion(30.0, DEFAULT_SKELETON, np.zeros((frames, 3)), turned)


def test_a_straight_arm_remembers_how_it_was_twisted() -> None:
    truth = straightening_arm()
    solved = pose_fitting.fit_motion(truth.positions, 30.0, skeleton=DEFAULT_SKELETON)
    arm = world_errors(solved, truth)[:, INDEX["left_shoulder"]]
    assert arm[0] < 0.1
    assert arm.max() < 15.0


def test_an_arm_that_overstretches_does_not_flip() -> None:
    truth = straightening_arm()
    solved = pose_fitting.fit_motion(truth.positions, 30.0, skeleton=DEFAULT_SKELETON)
    assert steps(solved).max() < 8.0


def test_a_knee_that_noise_bends_forwards_does_not_turn_the_thigh_round() -> None:
    turned = rotations.identity(60, 29)
    turned[:, INDEX["left_knee"]] = rotations.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.full(60, 0.6))
    turned[25:35, INDEX["left_knee"]] = rotations.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.full(10, -0.6))
    truth = Motion(30.0, DEFAULT_SKELETON, np.zeros((60, 3)), turned)
    solved = pose_fitting.fit_motion(truth.positions, 30.0, skeleton=DEFAULT_SKELETON)
    assert world_errors(solved, truth)[:, INDEX["left_hip"]].max() < 1.0


def test_quaternions_stay_on_one_side() -> None:
    whole_turns = np.linspace(0.0, 6.0 * np.pi, 300)
    turned = rotations.identity(300, 29)
    turned[:, 0] = rotations.about_z(whole_turns)
    truth = Motion(30.0, DEFAULT_SKELETON, np.zeros((300, 3)), turned)
    solved = pose_fitting.fit_motion(truth.positions, 30.0, skeleton=DEFAULT_SKELETON).rotations
    assert np.sum(solved[1:] * solved[:-1], axis=-1).min() > 0.99


def test_real_movement_keeps_its_joints(salsa: Motion) -> None:
    solved = pose_fitting.fit_motion(salsa.positions, 30.0, skeleton=salsa.skeleton)
    assert errors(solved, salsa.positions).max() < 1e-3


def test_real_movement_keeps_its_joints_on_measured_bones(salsa: Motion) -> None:
    solved = pose_fitting.fit_motion(salsa.positions, 30.0)
    assert errors(solved, salsa.positions).max() < 1e-3


def test_real_limbs_are_twisted_as_they_were(salsa: Motion) -> None:
    """A capture's rest pose may roll a limb's axes by a constant; what is left must be small."""
    solved = pose_fitting.fit_motion(salsa.positions, 30.0, skeleton=salsa.skeleton)
    ours, theirs = (kinematics.global_rotations(motion.rotations) for motion in (solved, salsa))
    between = rotations.multiply(rotations.inverse(theirs), ours)
    for name in (*LIMBS, *HINGES):
        track = between[:, INDEX[name]]
        constant = np.linalg.eigh(track.T @ track)[1][:, -1]
        wrong = np.degrees(rotations.angle_between(track, constant))
        assert wrong.mean() < 2.0, name
        assert np.percentile(wrong, 99) < 12.0, name


def test_real_movement_turns_no_faster_than_it_did(salsa: Motion) -> None:
    solved = pose_fitting.fit_motion(salsa.positions, 30.0, skeleton=salsa.skeleton)
    ours, theirs = steps(solved), steps(salsa)
    assert ours.max() < 1.5 * theirs.max()
    assert np.percentile(ours, 99) < 1.1 * np.percentile(theirs, 99)


def test_noise_on_real_movement_does_not_flip_the_limbs(salsa: Motion) -> None:
    noisy = salsa.positions + np.random.default_rng(6).normal(0.0, 0.005, salsa.positions.shape)
    solved = pose_fitting.fit_motion(noisy, 30.0, skeleton=salsa.skeleton)
    clean = pose_fitting.fit_motion(salsa.positions, 30.0, skeleton=salsa.skeleton)
    assert world_errors(solved, clean)[:, [INDEX[name] for name in LIMBS]].mean() < 4.0


def test_real_knees_bend_backwards_and_elbows_forwards(salsa: Motion) -> None:
    solved = pose_fitting.fit_motion(salsa.positions, 30.0, skeleton=salsa.skeleton)
    for name, hinge in HINGES.items():
        vector = rotations.to_rotation_vector(solved.rotations[:, INDEX[name]])
        bent = np.linalg.norm(vector, axis=-1) > 0.3
        assert bent.mean() > 0.3
        assert np.mean((vector[bent] @ np.array(hinge)) > 0.0) > 0.99, name


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_broken_number_is_named(broken: float) -> None:
    positions = bent_dance(10).positions.copy()
    positions[3, INDEX["left_knee"], 1] = broken
    with pytest.raises(ValueError, match="frame 3, left_knee: a finite position expected"):
        pose_fitting.fit_motion(positions, 30.0)


@pytest.mark.parametrize("name", ["left_hip", "right_knee", "neck", "left_wrist", "head"])
def test_a_joint_on_its_parent_is_named(name: str) -> None:
    positions = bent_dance(10).positions.copy()
    positions[4, INDEX[name]] = positions[4, PARENTS[INDEX[name]]]
    with pytest.raises(ValueError, match=f"frame 4, {name}: a place apart from"):
        pose_fitting.fit_motion(positions, 30.0)


def test_a_heap_of_points_is_no_dancer() -> None:
    with pytest.raises(ValueError, match="frame 0, left_hip: a place apart from pelvis"):
        pose_fitting.fit_motion(np.zeros((5, 29, 3)), 30.0)


@pytest.mark.parametrize("shape", [(0, 29, 3), (29, 3), (5, 24, 3), (5, 29, 2)])
def test_positions_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        pose_fitting.fit_motion(np.ones(shape), 30.0)


def test_single_precision_is_enough() -> None:
    truth = bent_dance()
    solved = pose_fitting.fit_motion(truth.positions.astype(np.float32), 30.0, skeleton=DEFAULT_SKELETON)
    assert errors(solved, truth.positions).max() < 1e-4
    assert solved.rotations.dtype == np.float64
