"""Foot skating cleanup of the sample dance with a drift added."""

import numpy as np
import pytest

from rigs import Array
from rigs.contacts import foot_contacts
from rigs.motion import Motion, translate
from rigs.post_processing.foot_skating import remove_foot_skating
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import INDEX

BALLS = [INDEX["left_foot"], INDEX["right_foot"]]


@pytest.fixture(scope="module")
def drifting() -> Motion:
    """Sample dance with foot skating: the whole dancer drifts by a few centimetres a second."""
    dance = sample_dance()[:480]
    t = np.arange(len(dance)) / dance.fps
    slide = 0.05 * np.stack([np.sin(2.0 * t), np.cos(1.7 * t), 0.0 * t], axis=1)
    return Motion(dance.fps, dance.skeleton, dance.root + slide, dance.rotations)


def _slide(motion: Motion, contacts: Array) -> float:
    """Mean speed of the balls of the feet along the floor while they are in contact, m/s."""
    speed = np.linalg.norm(np.diff(motion.positions[:, BALLS, :2], axis=0), axis=-1) * motion.fps
    both = (contacts[1:] & contacts[:-1])[:, [1, 3]]
    return float(speed[both].mean())


def test_feet_that_rest_stop_sliding(drifting: Motion) -> None:
    contacts = foot_contacts(drifting.positions, drifting.fps, speed=0.3)
    assert _slide(drifting, contacts) > 0.05
    assert _slide(remove_foot_skating(drifting), contacts) < 0.4 * _slide(drifting, contacts)


def test_the_upper_body_stays_as_it_is(drifting: Motion) -> None:
    planted = remove_foot_skating(drifting)
    for joint in ("spine3", "jaw", "left_elbow", "right_wrist"):
        away = (planted.positions - drifting.positions)[:, INDEX[joint]]
        assert np.abs(away[:, :2]).max() < 1e-6, joint
        assert np.abs(away[:, 2]).max() < 0.06, joint


def test_a_dance_that_stands_already_hardly_changes() -> None:
    dance = sample_dance()[:480]
    away = np.linalg.norm(remove_foot_skating(dance).positions - dance.positions, axis=-1)
    assert np.median(away) < 0.01
    assert away.max() < 0.12


def test_a_floor_elsewhere_is_the_floor(drifting: Motion) -> None:
    up = np.array([0.0, 0.0, 0.7])
    raised = remove_foot_skating(translate(drifting, up))
    assert np.abs(raised.positions - remove_foot_skating(drifting).positions - up).max() < 1e-6
