"""Hand snapping of a real couple whose follower's arms are turned off their holds, and of bare wrists."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rigs import Array, files, kinematics, rotations
from rigs.constraints.arm_reach import move_wrists
from rigs.constraints.hand_holds import HandHold, detect_hand_holds
from rigs.motion import Motion, resample, rotate_about_z, translate
from rigs.post_processing.hand_snapping import detect_near_holds, lean_offsets, wrist_offsets
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import INDEX

FPS = 30.0
WRISTS = [INDEX["left_wrist"], INDEX["right_wrist"]]
ARMS = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("elbow", "wrist", "thumb", "middle")]


@pytest.fixture(scope="module")
def couple(corpus: Path) -> tuple[Motion, Motion]:
    """Twenty seconds of a real leader and his follower."""
    leader, follower = (files.read(corpus / f"salsa/salsa_05_{who}.bvh").motions[0] for who in ("leader", "follower"))
    return resample(leader, FPS)[120:720], resample(follower, FPS)[120:720]


@pytest.fixture(scope="module")
def hovering(couple: tuple[Motion, Motion]) -> Motion:
    """The follower with both arms turned at the shoulder, so that the hands are about 14 cm off."""
    follower = couple[1]
    world = kinematics.global_rotations(follower.rotations)
    t = np.arange(len(follower)) / FPS
    for side, axis in (("left", [0.6, 0.0, 0.8]), ("right", [0.0, 0.8, -0.6])):
        off = rotations.from_axis_angle(np.array(axis), 0.45 + 0.08 * np.sin(1.3 * t))
        arm = [INDEX[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist", "thumb", "middle")]
        world[:, arm] = rotations.multiply(off[:, None], world[:, arm])
    return replace(follower, rotations=kinematics.local_rotations(world))


def _held(partner: Motion, leader: Motion) -> Array:
    held = np.zeros(len(partner), bool)
    for hold in detect_hand_holds(partner.positions, leader.positions, FPS):
        held |= hold.mask
    return held


def _snap_hands(partner: Motion, leader: Motion) -> Motion:
    holds = detect_near_holds(partner.positions, leader.positions, FPS)
    return move_wrists(partner, wrist_offsets(partner.positions, leader.positions, holds, FPS))


def test_hands_that_hover_where_the_real_ones_held_hold_again(couple: tuple[Motion, Motion], hovering: Motion) -> None:
    leader, follower = couple
    real = _held(follower, leader)
    assert _held(hovering, leader)[real].mean() < 0.8
    snapped = _held(_snap_hands(hovering, leader), leader)
    assert snapped[real].mean() > 0.9
    assert snapped.mean() < real.mean() + 0.15


def test_held_hands_are_as_far_apart_as_real_ones(couple: tuple[Motion, Motion], hovering: Motion) -> None:
    leader = couple[0]
    snapped = _snap_hands(hovering, leader)
    distances = []
    for hold in detect_near_holds(hovering.positions, leader.positions, FPS):
        apart = snapped.positions[:, WRISTS[hold.sides[0]]] - leader.positions[:, WRISTS[hold.sides[1]]]
        distances.append(np.linalg.norm(apart, axis=-1)[hold.mask])
    distance = np.concatenate(distances)
    assert (distance < 0.2).mean() > 0.85
    assert 0.14 < np.median(distance) < 0.2


def test_nothing_pops(couple: tuple[Motion, Motion], hovering: Motion) -> None:
    jerks, jolts = [], []
    for motion in (hovering, _snap_hands(hovering, couple[0])):
        jerks.append(np.linalg.norm(np.diff(motion.positions, n=3, axis=0), axis=-1).mean())
        jolts.append(np.abs(np.diff(motion.positions[:, ARMS], n=2, axis=0)).max())
    assert jerks[1] < 1.1 * jerks[0]
    assert jolts[1] < 1.5 * jolts[0]


def test_only_the_arms_move_and_keep_their_lengths_and_the_planes_of_their_elbows(
    couple: tuple[Motion, Motion], hovering: Motion
) -> None:
    snapped = _snap_hands(hovering, couple[0])
    away = np.linalg.norm(snapped.positions - hovering.positions, axis=-1)
    rest = [j for j in range(29) if j not in ARMS]
    assert away[:, rest].max() < 1e-9
    assert away[:, WRISTS].max() > 0.05
    before, after = hovering.positions, snapped.positions
    for side in ("left", "right"):
        shoulder, elbow, wrist = (INDEX[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist"))
        normals = [np.cross(p[:, elbow] - p[:, shoulder], p[:, wrist] - p[:, shoulder]) for p in (before, after)]
        turned = rotations.between(before[:, wrist] - before[:, shoulder], after[:, wrist] - after[:, shoulder])
        same = np.sum(rotations.normalize(rotations.rotate(turned, normals[0])) * rotations.normalize(normals[1]), -1)
        assert np.percentile(same, 1.0) > 0.9


def test_real_holds_hardly_change(couple: tuple[Motion, Motion]) -> None:
    leader, follower = couple
    away = np.linalg.norm(_snap_hands(follower, leader).positions - follower.positions, axis=-1)
    assert away.mean() < 0.015
    assert away[_held(follower, leader)][:, WRISTS].mean() < 0.05


def test_hands_far_from_the_leaders_stay_where_they_are() -> None:
    dance = sample_dance()[:120]
    leader = translate(rotate_about_z(dance, np.pi), np.array([3.0, 0.0, 0.0]))
    assert not detect_near_holds(dance.positions, leader.positions, FPS)
    assert _snap_hands(dance, leader) is dance


def _wrists_at(distance: Array) -> tuple[Array, Array]:
    """Two dancers of whom only the left wrists are near each other, at a distance (F,) m."""
    first, second = np.zeros((len(distance), 29, 3)), np.zeros((len(distance), 29, 3))
    first[:, WRISTS[1]] = [9.0, 0.0, 1.0]
    second[:, WRISTS[1]] = [0.0, 9.0, 1.0]
    first[:, WRISTS[0], 0] = distance
    return first, second


def _held_frames(distance: Array) -> list[int]:
    holds = detect_near_holds(*_wrists_at(distance), FPS)
    return [int(f) for hold in holds for f in np.flatnonzero(hold.mask)]


def test_a_hand_that_passes_by_is_not_meant_to_hold() -> None:
    distance = np.full(90, 0.8)
    distance[40:45] = 0.2
    assert _held_frames(distance) == []
    distance[40:55] = 0.2
    assert _held_frames(distance) == list(range(40, 55))


def test_a_hand_that_stays_at_a_distance_is_not_meant_to_hold() -> None:
    assert _held_frames(np.full(90, 0.28)) == []
    assert _held_frames(np.r_[np.full(45, 0.28), np.full(45, 0.22)]) == list(range(90))


def test_a_hold_that_is_lost_for_a_moment_goes_on() -> None:
    distance = np.full(90, 0.2)
    distance[40:46] = 0.45
    assert _held_frames(distance) == list(range(90))
    distance[40:46] = 0.7
    assert _held_frames(distance) == [*range(40), *range(46, 90)]


def test_a_hand_holds_one_hand_at_a_time_and_the_nearer_one() -> None:
    first, second = _wrists_at(np.full(60, 0.2))
    second[:, WRISTS[1]] = [0.2, 0.1, 0.0]
    assert [hold.sides for hold in detect_near_holds(first, second, FPS)] == [(0, 1)]
    first[:, WRISTS[1]] = [0.3, 0.1, 0.0]
    second[:, WRISTS[0]] = [0.45, 0.1, 0.0]
    assert [hold.sides for hold in detect_near_holds(first, second, FPS)] == [(0, 1), (1, 0)]


def test_a_dancer_leans_a_few_centimetres_towards_a_hand_out_of_reach() -> None:
    dance = sample_dance()[:120]
    leader = np.zeros((120, 29, 3))
    shoulder = dance.positions[:, INDEX["left_shoulder"]].mean(axis=0)
    leader[:] = shoulder + np.array([0.8, 0.0, 0.0])
    held = np.abs(np.arange(120) - 60) < 30
    hold = HandHold((0, 0), held, np.zeros((120, 3)))
    lean = lean_offsets(dance.positions, leader, dance.skeleton, [hold], FPS)
    assert 0.04 < lean[60, 0] <= 0.08
    assert not lean[:, 2].any()
    assert not lean[[0, -1]].any()
    assert np.abs(np.diff(lean, n=2, axis=0)).max() * FPS**2 < 3.0


def test_no_hand_is_worth_leaning_into_the_leader() -> None:
    partner, leader = np.zeros((120, 29, 3)), np.zeros((120, 29, 3))
    partner[:, 0, 0] = 0.3 + 0.01 * np.abs(np.arange(120) - 60)
    leader[:, WRISTS[0], 0] = -2.0
    hold = HandHold((0, 0), np.ones(120, bool), np.zeros((120, 3)))
    lean = lean_offsets(partner, leader, sample_dance().skeleton, [hold], FPS)
    assert lean[0, 0] < -0.05
    assert (partner + lean[:, None])[:, 0, 0].min() >= 0.3
