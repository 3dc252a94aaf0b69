"""Floor alignment of dancers at known heights above and below the floor."""

from dataclasses import replace

import numpy as np
import pytest

from rigs import Array
from rigs.contacts import floor_height
from rigs.motion import Motion
from rigs.post_processing.floor_alignment import estimate_floor, level_offsets, lift_offsets
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import INDEX

FPS = 30.0
DANCE = sample_dance()[:300]
FLOOR = floor_height(DANCE.positions)
TOES = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("foot", "bigtoe")]
F = np.arange(300)


def _raised(height: Array) -> Motion:
    """The sample dance at another height (F,) m."""
    return replace(DANCE, root=DANCE.root + height[:, None] * [0.0, 0.0, 1.0])


def _lowest(motion: Motion, offsets: Array) -> Array:
    """How high the lower toe is above the floor (F,) m, when the dancer is carried up by `offsets` (F,)."""
    return motion.positions[:, TOES, 2].min(axis=1) + offsets - FLOOR


@pytest.mark.parametrize("height", [0.05, 0.12])
def test_a_dancer_who_floats_for_long_comes_down(height: float) -> None:
    motion = _raised(height * np.clip(np.minimum(F - 60, 240 - F) / 20.0, 0.0, 1.0))
    offsets = level_offsets(motion.positions, FLOOR, FPS)
    assert np.median(_lowest(motion, offsets)[90:210]) < 0.03
    assert np.abs(np.diff(offsets, n=2)).max() * FPS**2 < 1.5


def test_a_jump_stays_a_jump() -> None:
    jump = 0.25 * np.clip(1.0 - ((F - 150) / 8.0) ** 2, 0.0, None)
    assert np.abs(level_offsets(_raised(jump).positions, FLOOR, FPS)).max() < 0.005


def test_a_dancer_who_sinks_for_long_comes_up() -> None:
    motion = _raised(np.full(300, -0.06))
    assert _lowest(motion, level_offsets(motion.positions, FLOOR, FPS)).min() > -0.025


def test_no_toe_sinks_even_for_a_moment() -> None:
    motion = _raised(-0.05 * (np.abs(F - 150) < 3))
    offsets = lift_offsets(motion.positions, FLOOR, FPS)
    assert _lowest(motion, 0.0 * offsets).min() < -0.04
    assert _lowest(motion, offsets).min() > -0.0151
    assert not offsets[:120].any()


def test_a_dance_on_the_floor_is_left_alone() -> None:
    assert not level_offsets(DANCE.positions, FLOOR, FPS).any()
    assert not lift_offsets(DANCE.positions, FLOOR, FPS).any()


def test_the_floor_is_the_leaders_unless_frames_of_the_partner_are_known() -> None:
    nothing, beginning = np.zeros(300, bool), F < 24
    floating = _raised(np.where(beginning, 0.0, 0.07))
    assert estimate_floor(floating, DANCE, nothing) == pytest.approx(FLOOR, abs=0.011)
    elsewhere = _raised(np.full(300, -0.4))
    assert estimate_floor(elsewhere, DANCE, beginning) == pytest.approx(FLOOR - 0.4, abs=0.011)


def test_the_floor_under_a_smaller_partner_is_the_leaders_floor() -> None:
    small = replace(DANCE, root=0.7 * DANCE.root, skeleton=DANCE.skeleton.scale(0.7))
    floor = estimate_floor(small, DANCE, np.zeros(300, bool))
    assert floor == pytest.approx(floor_height(small.positions), abs=0.011)
