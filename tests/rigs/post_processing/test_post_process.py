"""Post-processing of generated partners beside their leader, and of dancers alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rigs import Array, files, rotations
from rigs.constraints.hand_holds import detect_hand_holds
from rigs.contacts import TOES, floor_height, foot_contacts
from rigs.motion import Motion, resample, translate
from rigs.post_processing.capsules import deepest_penetration
from rigs.post_processing.post_process import PARTS, post_process, post_process_solo
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import INDEX

BALLS = [INDEX["left_foot"], INDEX["right_foot"]]
FPS = 30.0
FIRST, BLOCK = 24, 8
SEAMS = range(FIRST, 600, BLOCK)
GIVEN = np.arange(600) < FIRST


@pytest.fixture(scope="module")
def couple(corpus: Path) -> tuple[Motion, Motion]:
    """Twenty seconds of a real leader and his follower."""
    leader, follower = (files.read(corpus / f"salsa/salsa_03_{who}.bvh").motions[0] for who in ("leader", "follower"))
    start = len(leader) // 3
    leader, follower = (resample(one[start:], FPS)[:600] for one in (leader, follower))
    return leader, follower


@pytest.fixture(scope="module")
def degraded(couple: tuple[Motion, Motion]) -> Motion:
    """The follower with the defects of a poor model after her first frames.

    Jumps between blocks of eight frames, up to 20 cm too near or too far, floating 10 cm above the floor.
    """
    leader, follower = couple
    rng = np.random.default_rng(5)
    f = np.arange(len(follower))
    onset = np.clip((f - FIRST) / 15.0, 0.0, 1.0)[:, None]
    block = np.maximum((f - FIRST) // BLOCK + 1, 0)
    steps, turns = rng.normal(0.0, 0.01, (block.max() + 1, 3)), rng.normal(0.0, 0.03, (block.max() + 1, 29, 3))
    steps[0], turns[0] = 0.0, 0.0
    towards = rotations.normalize((leader.root - follower.root) * [1.0, 1.0, 0.0])
    offset = onset * (0.2 * np.sin(0.8 * f / FPS)[:, None] * towards + [0.0, 0.0, 0.1])
    turned = rotations.multiply(rotations.from_rotation_vector(turns[block]), follower.rotations)
    return replace(follower, root=follower.root + offset + steps[block], rotations=turned)


def _hand_in_hand(partner: Motion, leader: Motion) -> float:
    held = np.zeros(len(partner), bool)
    for hold in detect_hand_holds(partner.positions, leader.positions, FPS):
        held |= hold.mask
    return float(held.mean())


def _accelerations(motion: Motion) -> tuple[float, float]:
    """The joints' mean acceleration beside seams and between them, m/s²."""
    acceleration = np.linalg.norm(np.diff(motion.positions, n=2, axis=0), axis=-1).mean(axis=-1) * FPS**2
    at = np.arange(1, len(motion) - 1)
    beside = (at >= FIRST - 1) & np.isin(at % BLOCK, (0, BLOCK - 1))
    return float(acceleration[beside].mean()), float(acceleration[~beside].mean())


def test_a_degraded_partner_is_repaired(couple: tuple[Motion, Motion], degraded: Motion) -> None:
    leader, follower = couple
    result = post_process(degraded, leader, seams=SEAMS, fixed=GIVEN)
    before, after = _accelerations(degraded), _accelerations(result)
    assert before[0] > 2.0 * before[1]
    assert after[0] < after[1] < 1.2 * before[1]
    assert np.linalg.norm((result.positions - leader.positions)[:, 0], axis=-1).min() > 0.25
    assert (
        deepest_penetration(result.positions, leader.positions).mean()
        < deepest_penetration(degraded.positions, leader.positions).mean()
    )
    assert _hand_in_hand(result, leader) > _hand_in_hand(degraded, leader) + 0.1
    floor = floor_height(follower.positions)
    heights = [motion.positions[2 * FIRST :, TOES, 2].min(axis=1) - floor for motion in (degraded, result)]
    assert (heights[0] > 0.08).mean() > 0.5
    assert (heights[1] > 0.08).mean() < 0.02
    assert heights[1].min() > -0.03
    distances = [np.linalg.norm(motion.positions - follower.positions, axis=-1).mean() for motion in (degraded, result)]
    assert distances[1] < distances[0]


def test_a_real_partner_hardly_changes(couple: tuple[Motion, Motion]) -> None:
    leader, follower = couple
    result = post_process(follower, leader, seams=SEAMS, fixed=GIVEN)
    away = np.linalg.norm(result.positions - follower.positions, axis=-1)
    assert away.mean() < 0.04
    assert _accelerations(result)[0] > 0.7 * _accelerations(follower)[0]


def test_without_parts_nothing_changes(couple: tuple[Motion, Motion], degraded: Motion) -> None:
    result = post_process(degraded, couple[0], (), seams=SEAMS)
    assert np.array_equal(result.root, degraded.root)
    assert np.array_equal(result.rotations, degraded.rotations)


@pytest.mark.parametrize("part", PARTS)
def test_each_part_changes_what_it_should_and_no_more(
    couple: tuple[Motion, Motion], degraded: Motion, part: str
) -> None:
    result = post_process(degraded, couple[0], [part], seams=SEAMS, fixed=GIVEN)
    turned = rotations.angle_between(result.rotations, degraded.rotations).max(axis=0) > 0.02
    changed = {
        "floor": np.abs(result.root - degraded.root)[:, :2].max() > 0.01,
        "height": np.abs(result.root - degraded.root)[:, 2].max() > 0.01,
        "trunk": turned[INDEX["spine2"]],
        "arms": turned[[INDEX["left_shoulder"], INDEX["right_shoulder"]]].any(),
        "legs": turned[[INDEX["left_hip"], INDEX["right_hip"]]].any(),
    }
    assert {name for name, has in changed.items() if has} == {
        "seams": {"floor", "height", "trunk", "arms", "legs"},
        "bodies": {"floor", "arms"},
        "hands": {"floor", "arms"},
        "feet": {"height", "legs"},
        "floor": {"height"},
    }[part]


def test_fixed_frames_stay_bit_equal_without_a_jump_beside_them(
    couple: tuple[Motion, Motion], degraded: Motion
) -> None:
    fixed = GIVEN | ((np.arange(600) >= 300) & (np.arange(600) < 340))
    seams = [*(seam for seam in SEAMS if seam < 300 or seam > 340), 300, 340]
    result = post_process(degraded, couple[0], seams=seams, fixed=fixed)
    assert np.array_equal(result.root[fixed], degraded.root[fixed])
    assert np.array_equal(result.rotations[fixed], degraded.rotations[fixed])
    assert not np.array_equal(result.root[~fixed], degraded.root[~fixed])
    speed = np.linalg.norm(np.diff(result.positions, axis=0), axis=-1).mean(axis=-1) * FPS
    for edge in (FIRST, 300, 340):
        assert speed[edge - 1] < speed[edge - 12 : edge + 12].mean() + 0.6


def test_bad_post_processing_requests_are_reported(couple: tuple[Motion, Motion]) -> None:
    leader, follower = couple
    with pytest.raises(ValueError, match="seams, bodies, hands, feet, floor expected, toes found"):
        post_process(follower, leader, ["toes"])
    with pytest.raises(ValueError, match="600 frames at 30 fps expected as in the partner, 599"):
        post_process(follower, leader[:599])


@pytest.mark.parametrize("frames", [1, 2, 4, 9])
def test_the_shortest_partners_can_be_post_processed(couple: tuple[Motion, Motion], frames: int) -> None:
    leader, follower = (one[:frames] for one in couple)
    assert np.isfinite(post_process(follower, leader, seams=[1, 3]).positions).all()
    stays = post_process(follower, leader, seams=[1, 3], fixed=np.ones(frames, bool))
    assert np.array_equal(stays.rotations, follower.rotations)


@pytest.fixture(scope="module")
def degraded_solo() -> Motion:
    """Sample dance with foot skating that floats by 12 cm for two seconds and sinks by 6 cm for a moment."""
    dance = sample_dance()[:480]
    t = np.arange(len(dance)) / dance.fps
    hump = np.where((t > 4.0) & (t < 6.0), np.sin(np.pi * (t - 4.0) / 2.0), 0.0)
    dip = np.where((t > 9.0) & (t < 9.8), np.sin(np.pi * (t - 9.0) / 0.8), 0.0)
    slide = np.stack([0.05 * np.sin(2.0 * t), 0.05 * np.cos(1.7 * t), 0.12 * hump - 0.06 * dip], axis=1)
    return Motion(dance.fps, dance.skeleton, dance.root + slide, dance.rotations)


@pytest.fixture(scope="module")
def result_solo(degraded_solo: Motion) -> Motion:
    return post_process_solo(degraded_solo)


def lowest(motion: Motion) -> Array:
    """Height (F,) m of the lower toe."""
    return np.asarray(motion.positions[:, TOES, 2].min(axis=1))


def test_a_solo_dancer_who_floats_or_sinks_is_aligned_to_the_floor(degraded_solo: Motion, result_solo: Motion) -> None:
    floor = floor_height(sample_dance()[:480].positions)
    floating, sinking = slice(135, 165), slice(278, 288)
    assert lowest(degraded_solo)[floating].min() > floor + 0.06
    assert lowest(degraded_solo)[sinking].max() < floor + 0.02
    assert lowest(degraded_solo).min() < floor - 0.04
    assert np.median(lowest(result_solo)[floating]) < floor + 0.03
    assert lowest(result_solo).min() > floor - 0.025


def test_a_solo_dancer_skates_less(degraded_solo: Motion, result_solo: Motion) -> None:
    resting = foot_contacts(sample_dance()[:480].positions, 30.0, speed=0.25)[:, [1, 3]]
    both = resting[1:] & resting[:-1]

    def slide(motion: Motion) -> float:
        speed = np.linalg.norm(np.diff(motion.positions[:, BALLS, :2], axis=0), axis=-1) * 30.0
        return float(speed[both].mean())

    assert slide(degraded_solo) > 0.05
    assert slide(result_solo) < 0.5 * slide(degraded_solo)


def test_a_solo_dance_without_defects_hardly_changes() -> None:
    dance = sample_dance()[:480]
    away = np.linalg.norm(post_process_solo(dance).positions - dance.positions, axis=-1)
    assert np.median(away) < 0.015
    assert away.max() < 0.13


def test_a_solo_dancer_is_not_moved_along_the_floor(degraded_solo: Motion, result_solo: Motion) -> None:
    assert len(result_solo) == len(degraded_solo)
    assert np.abs(result_solo.root - degraded_solo.root)[:, :2].max() < 1e-6


def test_a_solo_dance_on_a_raised_floor_stays_on_it(degraded_solo: Motion, result_solo: Motion) -> None:
    up = np.array([0.0, 0.0, 0.8])
    assert np.abs(post_process_solo(translate(degraded_solo, up)).positions - result_solo.positions - up).max() < 1e-6


def test_a_known_floor_overrides_where_most_feet_are() -> None:
    """A dancer who is mostly too low, after sinking without coming up again, is raised all the way."""
    dance = sample_dance()[:480]
    sunk = np.where(np.arange(480) > 100, -0.08, 0.0)[:, None] * np.array([0.0, 0.0, 1.0])
    low = Motion(dance.fps, dance.skeleton, dance.root + sunk, dance.rotations)
    floor = floor_height(dance.positions)
    assert np.median(lowest(low)) < floor - 0.06
    result_solo = post_process_solo(low, floor=floor)
    assert lowest(result_solo).min() > floor - 0.025
    assert np.median(lowest(result_solo)) < floor + 0.025
