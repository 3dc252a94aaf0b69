"""The sample dance measured from joint positions like mocap, and compared with real salsa leaders."""

from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from rigs import Array, files, kinematics, rotations
from rigs.motion import Motion, resample
from rigs.sample_dance.salsa import BEAT, sample_dance
from rigs.skeleton import INDEX, JOINTS, PARENTS

SIDES = ("left", "right")
REAL = ("salsa_01", "salsa_02", "salsa_05", "salsa_07")


@pytest.fixture(scope="module")
def dance() -> Motion:
    return sample_dance()


@pytest.fixture(scope="module")
def leaders(corpus: Path) -> list[Motion]:
    """Real leaders at 30 fps, without the walk with which every take begins."""
    takes = [resample(files.read(corpus / "salsa" / f"{name}_leader.bvh").motions[0], 30.0) for name in REAL]
    return [take[len(take) // 3 :] for take in takes]


def track(motion: Motion, name: str) -> Array:
    return motion.positions[:, INDEX[name]]


def derivative(motion: Motion, name: str, order: int) -> Array:
    """The length of a joint's velocity (1), acceleration (2) or jerk (3), in m and s."""
    return np.linalg.norm(np.diff(track(motion, name), order, axis=0), axis=-1) * motion.fps**order


def on_floor(motion: Motion, side: str) -> Array:
    """(F,) bool: the ball of the foot within 1 mm of its lowest height."""
    height = track(motion, f"{side}_foot")[:, 2]
    return height < height.min() + 0.001


def stands(motion: Motion, side: str) -> list[tuple[int, int]]:
    """First frame and one past the last frame of every time the ball of a foot is on the floor."""
    intervals, f = [], 0
    for planted, run in groupby(on_floor(motion, side)):
        length = len(list(run))
        if planted:
            intervals.append((f, f + length))
        f += length
    return intervals


def flexion(motion: Motion, upper: str, middle: str, lower: str) -> Array:
    """How far a limb is bent, degrees (F,)."""
    a = rotations.normalize(track(motion, middle) - track(motion, upper))
    b = rotations.normalize(track(motion, lower) - track(motion, middle))
    return np.degrees(np.arccos(np.clip(np.sum(a * b, axis=-1), -1.0, 1.0)))


def hip_tilt(motion: Motion) -> Array:
    line = rotations.normalize(track(motion, "left_hip") - track(motion, "right_hip"))
    return np.degrees(np.arcsin(line[:, 2]))


def test_it_lasts_twenty_seconds_and_is_the_same_every_time(dance: Motion) -> None:
    assert (len(dance), dance.fps) == (600, 30.0)
    again = sample_dance()
    np.testing.assert_array_equal(dance.root, again.root)
    np.testing.assert_array_equal(dance.rotations, again.rotations)
    np.testing.assert_allclose(np.linalg.norm(dance.rotations, axis=-1), 1.0, atol=1e-9)


def test_it_starts_at_the_origin_facing_its_partner_and_stays_near(dance: Motion) -> None:
    assert np.linalg.norm(dance.root[0, :2]) < 0.1
    assert abs(np.degrees(rotations.heading(dance.rotations[0, 0]))) < 15.0
    assert np.linalg.norm(dance.root[:, :2], axis=-1).max() < 1.5


@pytest.mark.parametrize("side", SIDES)
def test_a_planted_foot_stays_where_it_is(dance: Motion, side: str) -> None:
    """Slide: how far the ball strays along the floor from where it was put, while within 1 mm of the floor."""
    place = track(dance, f"{side}_foot")[:, :2]
    runs = stands(dance, side)
    slides = [np.linalg.norm(place[a:b] - place[(a + b) // 2], axis=-1).max() for a, b in runs]
    assert max(slides) < 0.005
    assert min(b - a for a, b in runs[1:-1]) >= 3
    assert 0.5 < on_floor(dance, side).mean() < 0.9


def test_one_foot_is_always_on_the_floor(dance: Motion) -> None:
    assert (on_floor(dance, "left") | on_floor(dance, "right")).all()


def test_nothing_sinks_into_the_floor_and_swings_stay_low(dance: Motion) -> None:
    assert dance.positions[..., 2].min() > -0.01
    for side in SIDES:
        lift = np.ptp(track(dance, f"{side}_foot")[:, 2])
        assert 0.02 < lift < 0.06


def test_steps_land_on_counts_one_two_three_and_five_six_seven(dance: Motion) -> None:
    landings = {side: np.array([a for a, _ in stands(dance, side)[1:]]) / dance.fps for side in SIDES}
    everything = np.sort(np.concatenate(list(landings.values()))) / BEAT
    assert np.abs(everything - np.round(everything)).max() * BEAT < 0.05
    counts = [2 + 8 * bar + count for bar in range(7) for count in (0, 1, 2, 4, 5, 6)]
    assert list(np.round(everything).astype(int)) == [1, *counts, 58]
    for side, own in (("left", {0, 2, 5}), ("right", {1, 4, 6})):
        beats = np.round(landings[side] / BEAT).astype(int)
        assert {int(beat - 2) % 8 for beat in beats if 2 <= beat < 58} == own


def test_a_landed_foot_takes_the_weight(dance: Motion) -> None:
    """Over each bar's pauses, count 4 and 8, the pelvis is nearer the foot that stepped last."""
    for bar in range(7):
        for count, standing, free in ((3, "left", "right"), (7, "right", "left")):
            f = round((2 + 8 * bar + count) * BEAT * dance.fps)
            pelvis = dance.root[f, :2]
            near, far = (np.linalg.norm(pelvis - track(dance, f"{s}_ankle")[f, :2]) for s in (standing, free))
            assert near < far


def test_it_turns_once_to_each_side_and_crosses_twice(dance: Motion) -> None:
    facing = np.degrees(np.unwrap(rotations.heading(dance.rotations[:, 0])))
    pauses = [round((1 + 8 * bar) * BEAT * dance.fps) for bar in range(8)]
    turns = np.diff(facing[pauses])
    np.testing.assert_allclose(turns, [0, 0, 0, 180, -360, 180, 360], atol=25.0)


def test_the_eyes_return_to_the_partner_while_the_body_spins(dance: Motion) -> None:
    """Spotting: the head's heading leaves and regains its direction in less time than the body's."""
    world = kinematics.global_rotations(dance.rotations)
    body = np.degrees(np.unwrap(rotations.heading(world[:, INDEX["pelvis"]])))
    head = np.degrees(np.unwrap(rotations.heading(world[:, INDEX["jaw"]])))
    for bar in (4, 6):
        frames = slice(round((1 + 8 * bar) * BEAT * 30), round((9 + 8 * bar) * BEAT * 30))
        away = [np.ptp(np.flatnonzero(np.abs((t[frames] - t[frames][0] + 180) % 360 - 180) > 60)) for t in (body, head)]
        assert away[1] < 0.8 * away[0]


def test_bones_keep_their_lengths(dance: Motion) -> None:
    bones = dance.positions[:, 1:] - dance.positions[:, list(PARENTS[1:])]
    expected = np.linalg.norm(dance.skeleton.offsets[1:], axis=-1)
    np.testing.assert_allclose(np.linalg.norm(bones, axis=-1), np.broadcast_to(expected, bones.shape[:2]), atol=1e-9)


@pytest.mark.parametrize("side", SIDES)
def test_knees_and_elbows_bend_only_the_way_they_can(dance: Motion, side: str) -> None:
    sign = 1.0 if side == "left" else -1.0
    shin = rotations.rotate(dance.rotations[:, INDEX[f"{side}_knee"]], np.array([0.0, 0.0, -1.0]))
    forearm = rotations.rotate(dance.rotations[:, INDEX[f"{side}_elbow"]], np.array([sign, 0.0, 0.0]))
    np.testing.assert_allclose(shin[:, 0], 0.0, atol=1e-6)
    np.testing.assert_allclose(forearm[:, 2], 0.0, atol=1e-6)
    knee, elbow = (
        np.degrees(np.arctan2(shin[:, 1], -shin[:, 2])),
        np.degrees(np.arctan2(-forearm[:, 1], sign * forearm[:, 0])),
    )
    assert knee.min() > 8.0
    assert knee.max() < 100.0
    assert elbow.min() > 15.0
    assert elbow.max() < 145.0


def test_no_joint_turns_faster_than_a_dancer_can(dance: Motion) -> None:
    step = rotations.angle_between(dance.rotations[:-1], dance.rotations[1:])
    fastest = dict(zip(JOINTS, np.degrees(step.max(axis=0)) * dance.fps, strict=True))
    assert max(fastest.values()) < 650.0, fastest
    world = kinematics.global_rotations(dance.rotations)
    whole = rotations.angle_between(world[:-1], world[1:]).max() * dance.fps
    assert np.degrees(whole) < 1300.0


def test_legs_do_not_pass_through_each_other(dance: Motion) -> None:
    s = np.linspace(0.0, 1.0, 9)[:, None, None]

    def shin(side: str) -> Array:
        knee, ankle = track(dance, f"{side}_knee"), track(dance, f"{side}_ankle")
        return knee + s * (ankle - knee)

    gap = np.linalg.norm(shin("left")[:, None] - shin("right")[None], axis=-1).min(axis=(0, 1))
    assert gap.min() > 0.02
    assert (gap < 0.07).mean() < 0.02


@pytest.mark.parametrize("joint", ["pelvis", "left_wrist", "right_wrist", "head"])
def test_it_is_no_jerkier_than_real_salsa(dance: Motion, leaders: list[Motion], joint: str) -> None:
    real = np.concatenate([derivative(leader, joint, 3) for leader in leaders])
    assert np.percentile(derivative(dance, joint, 3), 99) < np.percentile(real, 99)


@pytest.mark.parametrize("joint", ["pelvis", "left_wrist", "right_wrist", "left_foot", "right_foot", "head"])
def test_it_moves_as_much_as_real_salsa(dance: Motion, leaders: list[Motion], joint: str) -> None:
    """Feet may cover less floor: the real couple performs, with steps half as long again."""
    real = np.concatenate([derivative(leader, joint, 1) for leader in leaders]).mean()
    least = 0.4 if joint.endswith("foot") else 0.6
    assert least < derivative(dance, joint, 1).mean() / real < 1.5


def test_knees_hips_and_hands_are_carried_as_real_leaders_carry_them(dance: Motion, leaders: list[Motion]) -> None:
    for side in SIDES:
        for limb in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
            names = [f"{side}_{part}" for part in limb]
            real = np.concatenate([flexion(leader, *names) for leader in leaders])
            low, high = np.percentile(real, [20, 80])
            assert low < np.median(flexion(dance, *names)) < high, names
    spread = [np.subtract(*np.percentile(hip_tilt(motion), [95, 5])) for motion in (dance, *leaders)]
    assert 0.6 * min(spread[1:]) < spread[0] < 1.5 * max(spread[1:])
