"""Physical plausibility metrics on movements for which the value is known."""

import numpy as np
import pytest
from scipy.signal import butter, filtfilt

from rigs.contacts import TOES
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, INDEX
from training.evaluation import plausibility

STANDING = np.repeat(DEFAULT_SKELETON.rest_positions()[None], 60, axis=0)


def test_standing_feet_do_not_slide_and_dragged_ones_do() -> None:
    dragged = STANDING + np.arange(60)[:, None, None] * np.array([0.1 / 30, 0.0, 0.0])
    assert np.nanmax(plausibility.foot_slide(STANDING, 30.0)) == 0.0
    np.testing.assert_allclose(plausibility.foot_slide(dragged, 30.0), 10.0)
    np.testing.assert_allclose(plausibility.foot_skate(dragged, 30.0), 10.0)
    assert plausibility.feet_planted(dragged, 30.0).all()


def test_feet_too_fast_to_be_planted_skate_all_the_same() -> None:
    dragged = STANDING + np.arange(60)[:, None, None] * np.array([1.0 / 30, 0.0, 0.0])
    assert np.isnan(plausibility.foot_slide(dragged, 30.0)).all()
    np.testing.assert_allclose(plausibility.foot_skate(dragged, 30.0), 100.0)


def test_foot_contact_score_is_its_definition_frame_by_frame() -> None:
    positions = sample_dance().positions[:50]
    root = positions[:, 0]
    feet = [INDEX[n] for n in ("left_ankle", "left_foot", "right_ankle", "right_foot")]
    scores, pushes = [], []
    for f in range(1, 49):
        push = (root[f + 1] - 2 * root[f] + root[f - 1]) * 900
        pushes.append(np.linalg.norm([push[0], push[1], max(push[2], 0.0)]))
        moved = [np.linalg.norm((positions[f + 1, j] - positions[f, j])[:2]) for j in feet]
        scores.append(min(moved[:2]) * min(moved[2:]) * pushes[-1])
    score = plausibility.physical_foot_contact(positions, 30.0)
    np.testing.assert_allclose(score[1:-1], 1e4 * np.array(scores) / max(pushes))
    assert np.isnan(score[[0, -1]]).all()


def test_a_planted_foot_excuses_every_push() -> None:
    hopping = STANDING.copy()
    hopping[:, 0, 2] += np.sin(np.arange(60))
    hopping[:, INDEX["right_foot"], 0] += np.arange(60)
    assert np.nanmax(plausibility.physical_foot_contact(hopping, 30.0)) == 0.0


def test_speed_acceleration_and_jerk_are_the_derivatives() -> None:
    t = np.arange(60) / 30.0
    cubic = STANDING + (t**3)[:, None, None] * np.array([0.0, 2.0, 0.0])
    np.testing.assert_allclose(plausibility.jerk(cubic, 30.0)[1:-2], 12.0, rtol=1e-6)
    np.testing.assert_allclose(plausibility.acceleration(cubic, 30.0)[1:-1], 12.0 * t[1:-1], rtol=1e-6)
    gliding = STANDING + t[:, None, None] * np.array([0.0, 0.0, 2.0])
    np.testing.assert_allclose(plausibility.speed(gliding, 30.0)[:-1], 2.0)


def test_toes_over_8_cm_float_and_under_3_cm_sink() -> None:
    floor = float(STANDING[0, TOES, 2].min())
    for lift, floats, sinks in ((0.0, 0, 0), (0.07, 0, 0), (0.09, 1, 0), (-0.02, 0, 0), (-0.04, 0, 1)):
        moved = STANDING + np.array([0.0, 0.0, lift])
        assert plausibility.toes_floating(moved, floor).mean() == floats
        assert plausibility.toes_sinking(moved, floor).mean() == sinks
    one_leg_up = STANDING.copy()
    one_leg_up[:, [INDEX["left_foot"], INDEX["left_bigtoe"]], 2] += 0.5
    assert not plausibility.toes_floating(one_leg_up, floor).any()


def test_bones_of_a_dancer_do_not_change_and_those_of_a_cloud_do() -> None:
    assert plausibility.bone_stretch(sample_dance().positions[:100]).max() < 1e-9
    grown = STANDING.copy()
    grown[30] *= 1.1
    np.testing.assert_allclose(plausibility.bone_stretch(grown)[[29, 30]], [0.0, 10.0], atol=1e-9)


def test_seams_are_the_two_frames_beside_each_change_of_block() -> None:
    assert np.flatnonzero(plausibility.block_seams(30, 10, 8)).tolist() == [9, 10, 17, 18, 25, 26]


def test_a_path_that_jumps_between_blocks_is_rough_at_its_seams() -> None:
    jumpy = STANDING + (np.arange(60) // 8)[:, None, None] * np.array([0.1, 0.0, 0.0])
    rough = plausibility.acceleration(jumpy, 30.0)
    seam = plausibility.block_seams(60, 0, 8)
    assert np.nanmax(rough[~seam]) < 1e-9
    assert np.nanmean(rough[seam]) > 50.0
    assert plausibility.jerk(jumpy, 30.0)[20] >= 0.0


def test_measures_of_real_movement_are_finite_but_at_the_ends() -> None:
    positions = sample_dance().positions[:200]
    for track in (plausibility.jerk, plausibility.acceleration, plausibility.physical_foot_contact):
        assert np.isfinite(track(positions, 30.0)[1:-2]).all()
    assert plausibility.jerk(positions, 30.0)[1:-2].mean() == pytest.approx(
        np.linalg.norm(np.diff(positions, 3, axis=0), axis=-1).mean() * 27000
    )


def test_low_pass_keeps_slow_movement_and_removes_trembling() -> None:
    """Against scipy's filter in its other form, apart from the ends."""
    t = np.arange(300) / 30.0
    sway, tremble = np.sin(2.0 * np.pi * 1.0 * t), 0.1 * np.sin(2.0 * np.pi * 12.0 * t)
    course = np.repeat((sway + tremble)[:, None, None], 3, axis=2)
    calm = plausibility.low_pass(course, 30.0)[:, 0, 0]
    middle = slice(60, -60)
    assert np.abs(calm - sway)[middle].max() < 0.02
    b, a = butter(2, 6.0 / 15.0)
    assert np.abs(calm - filtfilt(b, a, sway + tremble))[middle].max() < 0.02
