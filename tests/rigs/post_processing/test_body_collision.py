"""Partners who stand in the leader, before one's eyes: in a T-pose, whose capsules one can work out."""

import numpy as np
import pytest

from rigs import Array, rotations
from rigs.constraints.arm_reach import move_wrists
from rigs.motion import Motion
from rigs.post_processing.body_collision import arm_separation, body_separation
from rigs.post_processing.capsules import CAPSULES, penetration_depths
from rigs.skeleton import DEFAULT_SKELETON, INDEX

FPS = 30.0
FRAMES = 120
LEADER = np.repeat(DEFAULT_SKELETON.rest_positions()[None], FRAMES, axis=0)
PARTNER = rotations.rotate(rotations.about_z(np.pi), LEADER)
TRUNK = [n for n, (start, _, _) in enumerate(CAPSULES) if start in ("pelvis", "neck")]


def _at(way: Array) -> Array:
    """The partner on a way over the floor (F, 2) m."""
    return PARTNER + np.pad(way, ((0, 0), (0, 1)))[:, None]


def _separate(partner: Array) -> Array:
    return partner + body_separation(partner, LEADER, FPS)[:, None]


def _pelvises(partner: Array) -> Array:
    return np.linalg.norm((partner - LEADER)[:, 0], axis=-1)


@pytest.fixture
def coming() -> Array:
    """A partner who comes to 12 cm before the leader and goes again."""
    away = 0.12 + 0.6 * np.abs(np.linspace(-1.0, 1.0, FRAMES)) ** 1.5
    return _at(np.stack([0.02 + 0.0 * away, -away], axis=1))


def test_pelvises_never_come_under_25_cm(coming: Array) -> None:
    assert _pelvises(coming).min() < 0.13
    assert _pelvises(_separate(coming)).min() > 0.25


def test_a_trunk_leaves_the_other(coming: Array) -> None:
    leaning = coming.copy()
    lean = rotations.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.full(FRAMES, -0.35))
    above = [INDEX[name] for name in ("spine1", "spine2", "spine3", "neck", "jaw", "head")]
    pelvis = leaning[:, :1]
    leaning[:, above] = pelvis + rotations.rotate(lean[:, None], (leaning - pelvis)[:, above])
    assert penetration_depths(leaning, LEADER, TRUNK, TRUNK)[0].max() > 0.1
    assert penetration_depths(_separate(leaning), LEADER, TRUNK, TRUNK)[0].max() < 0.015


def test_giving_way_is_smooth(coming: Array) -> None:
    offset = body_separation(coming, LEADER, FPS)
    assert np.abs(offset).max() > 0.12
    assert np.abs(np.diff(offset, n=2, axis=0)).max() * FPS**2 < 4.0


def test_giving_way_is_along_the_floor_and_away_from_the_leader(coming: Array) -> None:
    offset = body_separation(coming, LEADER, FPS)
    assert not offset[:, 2].any()
    assert (np.sum(offset * (coming - LEADER)[:, 0], axis=-1) >= 0.0).all()


def test_partners_at_a_distance_stay_where_they_are() -> None:
    assert not body_separation(_at(np.tile([0.0, -0.6], (FRAMES, 1))), LEADER, FPS).any()


def test_a_partner_who_walks_through_the_leader_is_led_around() -> None:
    along = np.linspace(-1.2, 1.2, FRAMES)
    through = _at(np.stack([along, 0.01 + 0.0 * along], axis=1))
    separated = _separate(through)
    assert _pelvises(separated).min() > 0.25
    assert np.linalg.norm(np.diff(separated[:, 0], axis=0), axis=-1).max() * FPS < 3.0
    np.testing.assert_allclose(separated[[0, -1]], through[[0, -1]], atol=1e-3)


def test_an_arm_that_runs_through_the_leaders_trunk_comes_out_and_the_other_stays() -> None:
    turned = rotations.identity(FRAMES, 29)
    swing = np.radians(70.0) * np.sin(np.linspace(0.0, np.pi, FRAMES))
    turned[:, INDEX["left_shoulder"]] = rotations.about_z(-swing)
    beside = Motion(
        FPS, DEFAULT_SKELETON, DEFAULT_SKELETON.offsets[0] + np.tile([-0.45, 0.45, 0.0], (FRAMES, 1)), turned
    )
    left, right = ([n for n, (_, end, _) in enumerate(CAPSULES) if end == f"{s}_wrist"] for s in ("left", "right"))
    offsets = arm_separation(beside.positions, LEADER, FPS)
    separated = move_wrists(beside, offsets)
    before, after = (
        penetration_depths(motion.positions, LEADER, left, TRUNK)[0].max() for motion in (beside, separated)
    )
    assert before > 0.04
    assert after < 0.6 * before
    assert not offsets[1].any()
    assert penetration_depths(separated.positions, LEADER, right, TRUNK)[0].max() < 0.0
    assert np.abs(np.diff(offsets, n=2, axis=1)).max() * FPS**2 < 12.0
