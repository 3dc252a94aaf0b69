"""Seam smoothing of blocks that do not fit together, against the dance that they were cut from."""

from dataclasses import replace

import numpy as np
import pytest

from rigs import Array, kinematics, rotations
from rigs.motion import Motion
from rigs.post_processing.seam_smoothing import smooth_seams
from rigs.sample_dance.salsa import sample_dance

BLOCK = 8
DANCE = sample_dance()[100:400]
SEAMS = list(range(24, len(DANCE), BLOCK))
ALL_FREE = np.ones(len(DANCE), bool)


@pytest.fixture(scope="module")
def blocks() -> Motion:
    """The sample dance in blocks of eight frames, each a little elsewhere and otherwise turned."""
    rng = np.random.default_rng(3)
    block = np.maximum((np.arange(len(DANCE)) - SEAMS[0]) // BLOCK + 1, 0)
    world = kinematics.global_rotations(DANCE.rotations)
    turns = rotations.from_rotation_vector(rng.normal(0.0, np.radians(1.7), (block.max() + 1, 29, 3)))
    steps = rng.normal(0.0, 0.009, (block.max() + 1, 3))
    local = kinematics.local_rotations(rotations.multiply(turns[block], world))
    return replace(DANCE, root=DANCE.root + steps[block], rotations=local)


def _acceleration(motion: Motion) -> Array:
    """The joints' mean acceleration (F,) m/s², 0 at the ends."""
    second = np.linalg.norm(np.diff(motion.positions, n=2, axis=0), axis=-1).mean(axis=-1)
    return np.pad(second * motion.fps**2, 1)


def _at_seams(motion: Motion) -> float:
    """The acceleration beside the seams over that between them."""
    beside = np.zeros(len(motion), bool)
    beside[SEAMS] = beside[np.array(SEAMS) - 1] = True
    acceleration = _acceleration(motion)
    return float(acceleration[beside].mean() / acceleration[~beside].mean())


def test_seams_are_no_rougher_than_what_is_between_them(blocks: Motion) -> None:
    smooth = smooth_seams(blocks, SEAMS, ALL_FREE)
    assert _at_seams(blocks) > 3.0
    assert _at_seams(smooth) < 1.0
    assert _acceleration(smooth).mean() < 1.2 * _acceleration(DANCE).mean()


def test_the_movement_stays_near_both_the_blocks_and_what_they_were_cut_from(blocks: Motion) -> None:
    smooth = smooth_seams(blocks, SEAMS, ALL_FREE)
    from_blocks, from_dance, before = (
        np.linalg.norm(a.positions - b.positions, axis=-1).mean()
        for a, b in ((smooth, blocks), (smooth, DANCE), (blocks, DANCE))
    )
    assert from_blocks < 0.015
    assert from_dance < 1.05 * before


def test_a_dance_without_jumps_hardly_changes() -> None:
    away = np.linalg.norm(smooth_seams(DANCE, SEAMS, ALL_FREE).positions - DANCE.positions, axis=-1)
    assert away.mean() < 0.005


def test_a_step_of_a_glide_is_spread_around_it_and_nowhere_else() -> None:
    f = np.arange(120)
    root = np.stack([0.01 * f + 0.1 * (f >= 60), 0.0 * f, 0.0 * f + 1.0], axis=1)
    glide = Motion(30.0, DANCE.skeleton, root, rotations.identity(120, 29))
    smooth = smooth_seams(glide, [60], np.ones(120, bool))
    assert np.abs(smooth.root - root)[:40].max() < 1e-3
    assert np.abs(smooth.root - root)[80:].max() < 1e-3
    assert np.abs(np.diff(smooth.root[:, 0], 3)).max() < 0.02 < np.abs(np.diff(root[:, 0], 3)).max() / 5.0
    np.testing.assert_allclose(smooth.root[59:61, 0].mean(), root[59:61, 0].mean(), atol=1e-6)


def test_frames_that_must_stay_are_the_same_bits_and_the_others_join_them(blocks: Motion) -> None:
    free = np.arange(len(blocks)) >= SEAMS[0]
    jump = replace(blocks, root=blocks.root + np.where(free, 0.06, 0.0)[:, None])
    smooth = smooth_seams(jump, SEAMS, free)
    assert np.array_equal(smooth.root[~free], jump.root[~free])
    assert np.array_equal(smooth.rotations[~free], jump.rotations[~free])
    seam = [SEAMS[0] - 1, SEAMS[0]]
    assert _acceleration(jump)[seam].min() > 40.0
    assert _acceleration(smooth)[seam].max() < 10.0


def test_it_does_not_matter_where_a_long_dance_begins(blocks: Motion) -> None:
    whole = smooth_seams(blocks, SEAMS, ALL_FREE)
    later = smooth_seams(blocks[40:], [seam - 40 for seam in SEAMS], ALL_FREE[40:])
    assert np.abs(whole.positions[80:] - later.positions[40:]).max() < 2e-3


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_the_shortest_movements_have_seams_too(frames: int) -> None:
    smooth = smooth_seams(DANCE[:frames], [0, 1, 2, 9], np.ones(frames, bool))
    assert smooth.positions.shape == (frames, 29, 3)
    assert np.isfinite(smooth.positions).all()
