"""Choreographic devices, against closed forms and the constraints of feet and floor."""

import numpy as np
import pytest

from rigs import Array, rotations
from rigs.choreography.devices import (
    DEVICES,
    Choreography,
    Device,
    canon,
    choreograph,
    collision_warnings,
    device_choices,
    opposition,
    question_and_answer,
    retrograde,
)
from rigs.choreography.formations import COLLISION_DISTANCE, FORMATIONS, Formation, nearest_approach
from rigs.contacts import foot_contacts
from rigs.motion import Motion, mirror, rotate_about_z
from rigs.skeleton import INDEX, JOINTS, MIRROR_JOINTS

FEET = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("ankle", "foot", "bigtoe")]
BALLS = [INDEX["left_foot"], INDEX["right_foot"]]
LEGS = [j for j, name in enumerate(JOINTS) if name.endswith(("_hip", "_knee", "_ankle", "_foot"))]
ABOVE = [j for j in range(1, 29) if j not in LEGS]


def assert_moves_alike(one: Motion, other: Motion, tolerance: float = 1e-7) -> None:
    """The two movements differ only in where on the floor they are and where they face."""
    angle = float(rotations.heading(one.rotations[0, 0]) - rotations.heading(other.rotations[0, 0]))
    turned = rotate_about_z(other, angle)
    np.testing.assert_allclose(one.positions - one.root[0], turned.positions - turned.root[0], atol=tolerance)
    np.testing.assert_allclose(one.root[:, 2], other.root[:, 2], atol=tolerance)


def sliding(motion: Motion) -> float:
    """Mean speed of the balls of resting feet along the floor, m/s: foot skating."""
    rests = foot_contacts(motion.positions, motion.fps, speed=0.2)[:, [1, 3]]
    speed = np.linalg.norm(np.diff(motion.positions[:, BALLS, :2], axis=0), axis=-1) * motion.fps
    both = rests[1:] & rests[:-1]
    assert both.mean() > 0.4, "feet rest as they do in a dance"
    return float((speed * both).sum() / both.sum())


def jerkiness(motion: Motion) -> float:
    """The 99th percentile of the joints' acceleration in m/s^2."""
    return float(np.percentile(np.linalg.norm(np.diff(motion.positions, 2, axis=0), axis=-1), 99.0) * motion.fps**2)


def in_own_frame(motion: Motion, vectors: Array) -> Array:
    """World vectors (F, n, 3) as the dancer has them, x to the left and -y ahead."""
    back = rotations.about_z(-rotations.heading(motion.rotations[:, 0]))
    return rotations.rotate(back[:, None], vectors)


def test_a_mirror_that_faces_is_the_reflection_in_the_plane_halfway(leader: Motion) -> None:
    partner = choreograph(leader, Choreography("mirror", distance=2.0))
    facing = float(rotations.heading(leader.rotations[0, 0]))
    normal = np.array([np.sin(facing), -np.cos(facing), 0.0])
    beyond = (leader.positions - (leader.root[0] + normal)) @ normal
    reflected = leader.positions - 2.0 * beyond[..., None] * normal
    np.testing.assert_allclose(partner.positions, reflected[:, list(MIRROR_JOINTS)], atol=1e-9)


@pytest.mark.parametrize("device", ["mirror", "retrograde", "unison"])
def test_a_device_done_twice_gives_the_dance_back(leader: Motion, device: str) -> None:
    once = choreograph(leader, Choreography(device))
    assert_moves_alike(choreograph(once, Choreography(device)), leader)


def test_a_canon_is_the_dance_so_many_frames_later(leader: Motion) -> None:
    late = canon(leader, 25)
    np.testing.assert_allclose(late.positions[25:], leader.positions[:-25])
    np.testing.assert_allclose(late.positions[:25], leader.positions[:1].repeat(25, axis=0))


def test_a_canon_in_beats_is_late_by_the_dance_s_beats(leader: Motion) -> None:
    partner = choreograph(leader, Choreography("canon", delay=8.0))
    eight_beats = 80  # of a third of a second, at 30 frames a second
    assert_moves_alike(partner[eight_beats:], leader[:-eight_beats])


def test_a_retrograde_ends_where_the_dance_begins(leader: Motion) -> None:
    np.testing.assert_array_equal(retrograde(leader).positions, leader.positions[::-1])


def test_opposite_feet_step_opposite_ways(leader: Motion) -> None:
    partner = opposition(leader)
    steps = [
        in_own_frame(dancer, np.gradient(dancer.positions[:, balls], axis=0) * dancer.fps)[..., :2]
        for dancer, balls in ((leader, BALLS), (partner, BALLS[::-1]))
    ]
    wide = np.linalg.norm(steps[0], axis=-1) > 0.5
    assert wide.sum() > 50
    apart = np.linalg.norm(steps[0] + steps[1], axis=-1)[wide]
    assert np.median(apart) < 0.2 * np.median(np.linalg.norm(steps[0], axis=-1)[wide])


def test_in_opposition_the_body_faces_the_other_way_and_is_mirrored_above_the_hips(leader: Motion) -> None:
    partner, mirrored = opposition(leader), mirror(leader)
    apart = rotations.heading(partner.rotations[:, 0]) - rotations.heading(leader.rotations[:, 0])
    np.testing.assert_allclose(np.cos(apart), -1.0, atol=1e-6)
    np.testing.assert_allclose(partner.rotations[:, ABOVE], mirrored.rotations[:, ABOVE], atol=1e-9)


def test_opposition_twice_puts_the_feet_where_they_were(leader: Motion) -> None:
    twice = opposition(opposition(leader))
    np.testing.assert_allclose(twice.positions[:, FEET], leader.positions[:, FEET], atol=5e-3)
    np.testing.assert_allclose(twice.root[:, :2], leader.root[:, :2], atol=1e-9)


def test_in_opposition_two_who_face_each_other_stay_at_one_distance(leader: Motion) -> None:
    partner = choreograph(leader, Choreography("opposition", distance=1.2))
    gaps = np.linalg.norm((partner.root - leader.root)[:, :2], axis=-1)
    np.testing.assert_allclose(gaps, 1.2, atol=1e-9)


def test_an_answer_is_the_question_one_phrase_later(leader: Motion) -> None:
    partner = question_and_answer(leader, 80, 10)
    for question in range(10, len(leader) - 160, 160):
        assert_moves_alike(partner[question + 80 : question + 160], leader[question : question + 80])


def test_a_listener_stands_still_and_steps_to_the_next_answer(leader: Motion) -> None:
    partner = question_and_answer(leader, 80, 0)
    speed = np.linalg.norm(np.diff(partner.positions, axis=0), axis=-1).max(axis=1) * leader.fps
    assert speed[:60].max() < 1e-6, "before the first answer"
    for listening in range(160, len(leader) - 80, 160):
        assert speed[listening + 41 : listening + 69].max() < 1e-6, "after the steps"
    assert jerkiness(partner) < 1.2 * jerkiness(leader)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("formation", FORMATIONS)
def test_in_every_formation_feet_stay_planted_and_above_the_floor(
    leader: Motion, device: str, formation: Formation
) -> None:
    partner = choreograph(leader, Choreography(device, formation=formation))
    assert sliding(partner) < sliding(leader) + 0.015
    assert partner.positions[:, FEET, 2].min() > leader.positions[:, FEET, 2].min() - 1e-3
    assert jerkiness(partner) < 1.5 * jerkiness(leader)


@pytest.mark.parametrize("device", DEVICES)
def test_partner_has_the_leaders_rate_length_and_bones(leader: Motion, device: str) -> None:
    partner = choreograph(leader, Choreography(device))
    assert (partner.fps, len(partner)) == (leader.fps, len(leader))
    lengths = [np.linalg.norm(m.skeleton.offsets[1:], axis=-1) for m in (partner, leader)]
    order = [j - 1 for j in MIRROR_JOINTS[1:]] if device in ("mirror", "opposition") else list(range(28))
    np.testing.assert_allclose(lengths[0], lengths[1][order])


def test_a_collision_is_reported_with_the_distance_that_avoids_it(leader: Motion) -> None:
    walk = np.zeros((len(leader), 3))
    walk[:, :2] = (
        np.linspace(0.0, 1.0, len(leader))[:, None]
        * rotations.rotate(rotations.about_z(rotations.heading(leader.rotations[0, 0])), np.array([0.0, -1.5, 0.0]))[:2]
    )
    walking = Motion(leader.fps, leader.skeleton, leader.root + walk, leader.rotations)
    options = Choreography("mirror", distance=1.0)
    (message,) = collision_warnings(walking, choreograph(walking, options), options)
    clear = float(message.split("a distance of ")[1].split(" m")[0])
    for distance, apart in ((clear, True), (clear - 0.2, False)):
        again = Choreography("mirror", distance=distance)
        partner = choreograph(walking, again)
        assert (nearest_approach(walking, partner)[0] >= COLLISION_DISTANCE) == apart
        assert (collision_warnings(walking, partner, again) == ()) == apart


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "echo"}, "device: one of unison, mirror, .* expected, echo found"),
        ({"device": "canon", "formation": "line"}, "formation: one of facing, .* expected, line found"),
        ({"device": "canon", "unit": "bars"}, "unit: one of beats, frames expected, bars found"),
        ({"device": "canon", "delay": 0.0}, "delay: a finite number above 0 expected, 0 found"),
        ({"device": "canon", "delay": float("inf")}, "delay: a finite number above 0 expected, inf found"),
        ({"device": "mirror", "distance": 0.1}, "distance: 0.3 to 100 m expected, 0.1 found"),
        ({"device": "canon", "delay": 600.0, "unit": "frames"}, "delay: 1 to 599 frames expected, 600 found"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(leader: Motion, options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choreograph(leader, Choreography(**options))  # type: ignore[arg-type]


def test_adding_a_device_takes_one_entry(leader: Motion, monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device("Still", "The leader's first pose", lambda leader: canon(leader, len(leader)))
    monkeypatch.setitem(DEVICES, "still", device)
    partner = choreograph(leader, Choreography("still"))
    assert np.ptp(partner.positions, axis=0).max() == 0.0
    assert ("still", "Still", "The leader's first pose") in device_choices()
