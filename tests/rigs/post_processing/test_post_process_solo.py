"""A generated dancer whom nobody leads, made whole: on the floor that its own feet tell of, and not sliding on it."""

import numpy as np
import pytest

from rigs.contacts import floor_height, foot_contacts
from rigs.motion import Motion, translate
from rigs.post_processing.post_process import post_process_solo
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import INDEX

BALLS = [INDEX["left_foot"], INDEX["right_foot"]]
TOES = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("foot", "bigtoe")]


@pytest.fixture(scope="module")
def spoiled() -> Motion:
    """The sample dance on ice, which floats by 12 cm for two seconds and sinks by 6 cm for a moment."""
    dance = sample_dance()[:480]
    t = np.arange(len(dance)) / dance.fps
    hump = np.where((t > 4.0) & (t < 6.0), np.sin(np.pi * (t - 4.0) / 2.0), 0.0)
    dip = np.where((t > 9.0) & (t < 9.8), np.sin(np.pi * (t - 9.0) / 0.8), 0.0)
    slide = np.stack([0.05 * np.sin(2.0 * t), 0.05 * np.cos(1.7 * t), 0.12 * hump - 0.06 * dip], axis=1)
    return Motion(dance.fps, dance.skeleton, dance.root + slide, dance.rotations)


@pytest.fixture(scope="module")
def done(spoiled: Motion) -> Motion:
    return post_process_solo(spoiled)


def lowest(motion: Motion) -> np.ndarray:
    return np.asarray(motion.positions[:, TOES, 2].min(axis=1))


def test_what_floats_and_what_sinks_comes_to_the_floor(spoiled: Motion, done: Motion) -> None:
    floor = floor_height(sample_dance()[:480].positions)
    floating, sinking = slice(135, 165), slice(278, 288)
    assert lowest(spoiled)[floating].min() > floor + 0.06
    assert lowest(spoiled)[sinking].max() < floor + 0.02
    assert lowest(spoiled).min() < floor - 0.04
    assert np.median(lowest(done)[floating]) < floor + 0.03
    assert lowest(done).min() > floor - 0.025


def test_feet_that_rest_stop_sliding(spoiled: Motion, done: Motion) -> None:
    resting = foot_contacts(sample_dance()[:480].positions, 30.0, speed=0.25)[:, [1, 3]]
    both = resting[1:] & resting[:-1]

    def slide(motion: Motion) -> float:
        way = np.linalg.norm(np.diff(motion.positions[:, BALLS, :2], axis=0), axis=-1) * 30.0
        return float(way[both].mean())

    assert slide(spoiled) > 0.05
    assert slide(done) < 0.5 * slide(spoiled)


def test_a_dance_that_stands_already_hardly_changes() -> None:
    dance = sample_dance()[:480]
    away = np.linalg.norm(post_process_solo(dance).positions - dance.positions, axis=-1)
    assert np.median(away) < 0.015
    assert away.max() < 0.13


def test_nobody_is_moved_along_the_floor(spoiled: Motion, done: Motion) -> None:
    assert len(done) == len(spoiled)
    assert np.abs(done.root - spoiled.root)[:, :2].max() < 1e-6


def test_a_floor_elsewhere_is_the_floor(spoiled: Motion, done: Motion) -> None:
    up = np.array([0.0, 0.0, 0.8])
    assert np.abs(post_process_solo(translate(spoiled, up)).positions - done.positions - up).max() < 1e-6


def test_a_floor_that_is_known_counts_for_more_than_where_most_feet_are() -> None:
    """Who dances mostly too low, as one does who sank and did not come up again, is brought up all the way."""
    dance = sample_dance()[:480]
    sunk = np.where(np.arange(480) > 100, -0.08, 0.0)[:, None] * np.array([0.0, 0.0, 1.0])
    astray = Motion(dance.fps, dance.skeleton, dance.root + sunk, dance.rotations)
    floor = floor_height(dance.positions)
    assert np.median(lowest(astray)) < floor - 0.06
    done = post_process_solo(astray, floor=floor)
    assert lowest(done).min() > floor - 0.025
    assert np.median(lowest(done)) < floor + 0.025
