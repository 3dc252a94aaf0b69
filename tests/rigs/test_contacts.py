"""Foot contacts and floor height, on steps at known times and on real salsa."""

from pathlib import Path

import numpy as np
import pytest

from rigs import Array
from rigs.contacts import FEET, floor_height, foot_contacts, stand_on_floor
from rigs.files import read
from rigs.motion import Motion, resample, translate
from rigs.rotations import from_axis_angle, identity
from rigs.skeleton import DEFAULT_SKELETON, INDEX

LEFT = [INDEX[name] for name in ("left_ankle", "left_foot", "left_bigtoe")]
RIGHT = [INDEX[name] for name in ("right_ankle", "right_foot", "right_bigtoe")]


def walk() -> tuple[Array, Array]:
    """Positions (120, 29, 3) of a dancer whose left and right foot step in turn, and which feet move (120, 2)."""
    positions = np.repeat(DEFAULT_SKELETON.rest_positions()[None], 120, axis=0)
    stepping = np.zeros((120, 2), bool)
    for start in range(10, 110, 20):
        foot, joints = (0, LEFT) if start % 40 == 10 else (1, RIGHT)
        t = np.clip((np.arange(120) - start) / 10.0, 0.0, 1.0)
        positions[:, joints, 1] -= 0.5 * t[:, None]
        positions[:, joints, 2] += 0.15 * np.sin(np.pi * t)[:, None]
        stepping[start + 1 : start + 10, foot] = True
    return positions, stepping


@pytest.fixture(scope="module", params=["01", "05", "07", "11"])
def pair(request: pytest.FixtureRequest, corpus: Path) -> list[Motion]:
    files = [corpus / "salsa" / f"salsa_{request.param}_{role}.bvh" for role in ("leader", "follower")]
    return [resample(read(file).motions[0], 30.0) for file in files]


def test_a_foot_rests_except_while_it_steps() -> None:
    positions, stepping = walk()
    contacts = foot_contacts(positions, 30.0)
    assert contacts.shape == (120, 4)
    assert contacts.dtype == bool
    for foot, columns in enumerate(([0, 1], [2, 3])):
        assert not contacts[stepping[:, foot]][:, columns].any()
        still = ~(stepping[:, foot] | np.roll(stepping[:, foot], 1) | np.roll(stepping[:, foot], -1))
        assert contacts[still][:, columns].all()


def test_a_lifted_or_a_sliding_foot_does_not_rest() -> None:
    positions = np.repeat(DEFAULT_SKELETON.rest_positions()[None], 90, axis=0)
    positions[30:60, LEFT, 2] += 0.2
    positions[:, RIGHT, 0] += np.cumsum(np.r_[np.zeros(30), np.full(30, 1.0 / 30.0), np.zeros(30)])[:, None]
    contacts = foot_contacts(positions, 30.0)
    assert not contacts[31:59].any()
    assert contacts[:29].all()
    assert contacts[61:].all()


def test_a_foot_that_is_up_for_the_whole_clip_never_rests() -> None:
    positions = np.repeat(DEFAULT_SKELETON.rest_positions()[None], 30, axis=0)
    positions[:, LEFT, 2] += 0.3
    np.testing.assert_array_equal(foot_contacts(positions, 30.0).all(axis=0), [False, False, True, True])


def test_contacts_do_not_depend_on_where_the_floor_is() -> None:
    positions, _ = walk()
    elsewhere = positions + np.array([3.0, 2.0, -1.0])
    np.testing.assert_array_equal(foot_contacts(elsewhere, 30.0), foot_contacts(positions, 30.0))


def test_heels_rest_too() -> None:
    positions, _ = walk()
    positions[:, [FEET[0], FEET[2]], 2] += 0.06
    np.testing.assert_array_equal(foot_contacts(positions, 30.0), foot_contacts(walk()[0], 30.0))


def test_one_frame_on_the_floor_rests() -> None:
    assert foot_contacts(DEFAULT_SKELETON.rest_positions()[None], 30.0).all()


def test_the_floor_is_under_the_toes_whatever_single_frames_say() -> None:
    positions, _ = walk()
    np.testing.assert_allclose(floor_height(positions), 0.0, atol=1e-9)
    positions[50] -= [0.0, 0.0, 0.7]
    np.testing.assert_allclose(floor_height(positions), 0.0, atol=1e-3)


def test_two_dancers_come_down_to_the_floor_together() -> None:
    standing = Motion(30.0, DEFAULT_SKELETON, np.repeat(DEFAULT_SKELETON.offsets[:1], 20, axis=0), identity(20, 29))
    low, high = stand_on_floor(
        translate(standing, np.array([0.0, 0.0, 0.4])), translate(standing, np.array([1.0, 0.0, 0.5]))
    )
    np.testing.assert_allclose(floor_height(low.positions), 0.0, atol=1e-9)
    np.testing.assert_allclose(floor_height(high.positions), 0.1, atol=1e-9)
    np.testing.assert_allclose(high.root[:, 0], 1.0)


def test_a_dancer_who_is_always_in_a_handstand_has_the_hands_on_the_floor() -> None:
    upside_down = identity(20, 29)
    upside_down[:, 0] = from_axis_angle(np.array([1.0, 0.0, 0.0]), np.pi)
    upside_down[:, INDEX["left_shoulder"]] = from_axis_angle(np.array([0.0, 1.0, 0.0]), -np.pi / 2.0)
    motion = Motion(30.0, DEFAULT_SKELETON, np.repeat(DEFAULT_SKELETON.offsets[:1], 20, axis=0), upside_down)
    (grounded,) = stand_on_floor(motion)
    np.testing.assert_allclose(grounded.positions[..., 2].min(), 0.0, atol=1e-9)
    np.testing.assert_allclose(grounded.positions[:, INDEX["left_middle"], 2], 0.0, atol=1e-9)


def test_real_dancers_always_stand_on_something_and_step(pair: list[Motion]) -> None:
    for dancer in pair:
        contacts = foot_contacts(dancer.positions, dancer.fps)
        left, right = contacts[:, 1], contacts[:, 3]
        assert (left | right).mean() > 0.88
        assert 0.3 < left.mean() < 0.9
        assert 0.3 < right.mean() < 0.9
        for foot in (left, right):
            assert np.count_nonzero(np.diff(foot.astype(int)) == 1) / dancer.seconds > 0.5


def test_real_feet_stay_in_place_while_they_rest(pair: list[Motion]) -> None:
    """From touch-down to lift-off a foot travels some centimetres: it rolls. A step travels 20 to 60."""
    for dancer in pair:
        contacts = foot_contacts(dancer.positions, dancer.fps)
        for column in (1, 3):
            place = dancer.positions[:, FEET[column], :2]
            edges = np.flatnonzero(np.diff(np.r_[0, contacts[:, column], 0])).reshape(-1, 2)
            travels = [np.linalg.norm(place[end - 1] - place[start]) for start, end in edges if end - start > 5]
            assert np.median(travels) < 0.04


def test_real_dancers_stand_near_the_floor_of_their_file(pair: list[Motion]) -> None:
    for dancer in pair:
        assert -0.03 < floor_height(dancer.positions) < 0.06
