"""Generated movements that are made whole beside their leader, and made to stand on their feet."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rigs import Array, files, rotations
from rigs.constraints.hand_holds import detect_hand_holds
from rigs.contacts import floor_height, foot_contacts
from rigs.motion import Motion, resample, translate
from rigs.post_processing.capsules import deepest_penetration
from rigs.post_processing.foot_skating import remove_foot_skating
from rigs.post_processing.post_process import PARTS, post_process
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import INDEX

BALLS = [INDEX["left_foot"], INDEX["right_foot"]]
TOES = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("foot", "bigtoe")]
FPS = 30.0
FIRST, BLOCK = 24, 8
SEAMS = range(FIRST, 600, BLOCK)
GIVEN = np.arange(600) < FIRST


@pytest.fixture(scope="module")
def drifting() -> Motion:
    """The sample dance on ice: the whole dancer swims about by a few centimetres a second."""
    dance = sample_dance()[:480]
    t = np.arange(len(dance)) / dance.fps
    slide = 0.05 * np.stack([np.sin(2.0 * t), np.cos(1.7 * t), 0.0 * t], axis=1)
    return Motion(dance.fps, dance.skeleton, dance.root + slide, dance.rotations)


def _slide(motion: Motion, resting: Array) -> float:
    way = np.linalg.norm(np.diff(motion.positions[:, BALLS, :2], axis=0), axis=-1) * motion.fps
    both = (resting[1:] & resting[:-1])[:, [1, 3]]
    return float(way[both].mean())


def test_feet_that_rest_stop_sliding(drifting: Motion) -> None:
    resting = foot_contacts(drifting.positions, drifting.fps, speed=0.3)
    assert _slide(drifting, resting) > 0.05
    assert _slide(remove_foot_skating(drifting), resting) < 0.4 * _slide(drifting, resting)


def test_the_upper_body_stays_as_it_is(drifting: Motion) -> None:
    done = remove_foot_skating(drifting)
    for joint in ("spine3", "jaw", "left_elbow", "right_wrist"):
        away = (done.positions - drifting.positions)[:, INDEX[joint]]
        assert np.abs(away[:, :2]).max() < 1e-6, joint
        assert np.abs(away[:, 2]).max() < 0.06, joint


def test_a_dance_that_stands_already_hardly_changes() -> None:
    dance = sample_dance()[:480]
    away = np.linalg.norm(remove_foot_skating(dance).positions - dance.positions, axis=-1)
    assert np.median(away) < 0.01
    assert away.max() < 0.12


def test_a_floor_elsewhere_is_the_floor(drifting: Motion) -> None:
    up = np.array([0.0, 0.0, 0.7])
    assert (
        np.abs(
            remove_foot_skating(translate(drifting, up)).positions - remove_foot_skating(drifting).positions - up
        ).max()
        < 1e-6
    )


@pytest.fixture(scope="module")
def couple(corpus: Path) -> tuple[Motion, Motion]:
    """Twenty seconds of a real leader and his follower."""
    leader, follower = (files.read(corpus / f"salsa/salsa_03_{who}.bvh").motions[0] for who in ("leader", "follower"))
    start = len(leader) // 3
    leader, follower = (resample(one[start:], FPS)[:600] for one in (leader, follower))
    return leader, follower


@pytest.fixture(scope="module")
def spoiled(couple: tuple[Motion, Motion]) -> Motion:
    """The follower as a poor model would make her after her first frames.

    Blocks of eight frames jump, she comes 20 cm too near and goes as far again, and she floats 10 cm above the floor.
    """
    leader, follower = couple
    rng = np.random.default_rng(5)
    f = np.arange(len(follower))
    begun = np.clip((f - FIRST) / 15.0, 0.0, 1.0)[:, None]
    block = np.maximum((f - FIRST) // BLOCK + 1, 0)
    steps, turns = rng.normal(0.0, 0.01, (block.max() + 1, 3)), rng.normal(0.0, 0.03, (block.max() + 1, 29, 3))
    steps[0], turns[0] = 0.0, 0.0
    towards = rotations.normalize((leader.root - follower.root) * [1.0, 1.0, 0.0])
    pushed = begun * (0.2 * np.sin(0.8 * f / FPS)[:, None] * towards + [0.0, 0.0, 0.1])
    turned = rotations.multiply(rotations.from_rotation_vector(turns[block]), follower.rotations)
    return replace(follower, root=follower.root + pushed + steps[block], rotations=turned)


def _hand_in_hand(partner: Motion, leader: Motion) -> float:
    held = np.zeros(len(partner), bool)
    for hold in detect_hand_holds(partner.positions, leader.positions, FPS):
        held |= hold.held
    return float(held.mean())


def _accelerations(motion: Motion) -> tuple[float, float]:
    """The joints' mean acceleration beside seams and between them, m/s²."""
    acceleration = np.linalg.norm(np.diff(motion.positions, n=2, axis=0), axis=-1).mean(axis=-1) * FPS**2
    at = np.arange(1, len(motion) - 1)
    beside = (at >= FIRST - 1) & np.isin(at % BLOCK, (0, BLOCK - 1))
    return float(acceleration[beside].mean()), float(acceleration[~beside].mean())


def test_a_spoiled_partner_is_made_whole(couple: tuple[Motion, Motion], spoiled: Motion) -> None:
    leader, follower = couple
    done = post_process(spoiled, leader, seams=SEAMS, fixed=GIVEN)
    before, after = _accelerations(spoiled), _accelerations(done)
    assert before[0] > 2.0 * before[1]
    assert after[0] < after[1] < 1.2 * before[1]
    assert np.linalg.norm((done.positions - leader.positions)[:, 0], axis=-1).min() > 0.25
    assert (
        deepest_penetration(done.positions, leader.positions).mean()
        < deepest_penetration(spoiled.positions, leader.positions).mean()
    )
    assert _hand_in_hand(done, leader) > _hand_in_hand(spoiled, leader) + 0.1
    floor = floor_height(follower.positions)
    heights = [motion.positions[2 * FIRST :, TOES, 2].min(axis=1) - floor for motion in (spoiled, done)]
    assert (heights[0] > 0.08).mean() > 0.5
    assert (heights[1] > 0.08).mean() < 0.02
    assert heights[1].min() > -0.03
    ways = [np.linalg.norm(motion.positions - follower.positions, axis=-1).mean() for motion in (spoiled, done)]
    assert ways[1] < ways[0]


def test_a_real_partner_hardly_changes(couple: tuple[Motion, Motion]) -> None:
    leader, follower = couple
    done = post_process(follower, leader, seams=SEAMS, fixed=GIVEN)
    away = np.linalg.norm(done.positions - follower.positions, axis=-1)
    assert away.mean() < 0.04
    assert _accelerations(done)[0] > 0.7 * _accelerations(follower)[0]


def test_without_parts_nothing_changes(couple: tuple[Motion, Motion], spoiled: Motion) -> None:
    done = post_process(spoiled, couple[0], (), seams=SEAMS)
    assert np.array_equal(done.root, spoiled.root)
    assert np.array_equal(done.rotations, spoiled.rotations)


@pytest.mark.parametrize("part", PARTS)
def test_each_part_changes_what_it_should_and_no_more(
    couple: tuple[Motion, Motion], spoiled: Motion, part: str
) -> None:
    done = post_process(spoiled, couple[0], [part], seams=SEAMS, fixed=GIVEN)
    turned = rotations.angle_between(done.rotations, spoiled.rotations).max(axis=0) > 0.02
    changed = {
        "floor": np.abs(done.root - spoiled.root)[:, :2].max() > 0.01,
        "height": np.abs(done.root - spoiled.root)[:, 2].max() > 0.01,
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


def test_frames_that_must_stay_are_the_same_bits_and_no_step_leads_to_them(
    couple: tuple[Motion, Motion], spoiled: Motion
) -> None:
    fixed = GIVEN | ((np.arange(600) >= 300) & (np.arange(600) < 340))
    seams = [*(seam for seam in SEAMS if seam < 300 or seam > 340), 300, 340]
    done = post_process(spoiled, couple[0], seams=seams, fixed=fixed)
    assert np.array_equal(done.root[fixed], spoiled.root[fixed])
    assert np.array_equal(done.rotations[fixed], spoiled.rotations[fixed])
    assert not np.array_equal(done.root[~fixed], spoiled.root[~fixed])
    speed = np.linalg.norm(np.diff(done.positions, axis=0), axis=-1).mean(axis=-1) * FPS
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
