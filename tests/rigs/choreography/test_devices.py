"""Choreographic devices and formations, against closed forms and against what feet and floor allow."""

import numpy as np
import pytest

from rigs import Array, rotations
from rigs.choreography.devices import (
    DEVICES,
    Choreography,
    canon,
    choreograph,
    collision_warnings,
    opposition,
    question_and_answer,
    retrograde,
)
from rigs.choreography.formations import COLLISION_DISTANCE, FORMATIONS, Formation, nearest_approach
from rigs.contacts import foot_contacts
from rigs.motion import Motion, mirror, rotate_about_z, translate
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import INDEX, JOINTS, MIRROR_JOINTS, Skeleton

FEET = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("ankle", "foot", "bigtoe")]
BALLS = [INDEX["left_foot"], INDEX["right_foot"]]
LEGS = [j for j, name in enumerate(JOINTS) if name.endswith(("_hip", "_knee", "_ankle", "_foot"))]
ABOVE = [j for j in range(1, 29) if j not in LEGS]


@pytest.fixture(scope="module")
def leader() -> Motion:
    """Twenty seconds of salsa, somewhere in the room, on a body whose left and right differ a little."""
    dance = translate(rotate_about_z(sample_dance(), 0.7), np.array([1.0, -2.0, 0.0]))
    offsets = dance.skeleton.offsets * (1.0 + 0.01 * np.random.default_rng(3).normal(size=(29, 1)))
    offsets[LEGS] = dance.skeleton.offsets[LEGS]
    return Motion(dance.fps, Skeleton(offsets), dance.root, dance.rotations)


def assert_moves_alike(one: Motion, other: Motion, tolerance: float = 1e-7) -> None:
    """The two movements differ only in where on the floor they are and where they face."""
    angle = float(rotations.heading(one.rotations[0, 0]) - rotations.heading(other.rotations[0, 0]))
    turned = rotate_about_z(other, angle)
    np.testing.assert_allclose(one.positions - one.root[0], turned.positions - turned.root[0], atol=tolerance)
    np.testing.assert_allclose(one.root[:, 2], other.root[:, 2], atol=tolerance)


def sliding(motion: Motion) -> float:
    """How fast a resting ball of the foot goes along the floor, in m/s; the mean of both feet."""
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
@pytest.mark.parametrize(
    ("formation", "left", "ahead", "facing"),
    [
        ("facing", 0.0, 1.4, 180.0),
        ("side-by-side", -1.4, 0.0, 0.0),
        ("behind", 0.0, -1.4, 0.0),
        ("orbiting", 0.0, 1.4, 180.0),
    ],
)
def test_a_formation_is_kept_in_the_first_frame(
    leader: Motion, device: str, formation: Formation, left: float, ahead: float, facing: float
) -> None:
    partner = choreograph(leader, Choreography(device, formation=formation, distance=1.4))
    angle = float(rotations.heading(leader.rotations[0, 0]))
    away = rotations.rotate(rotations.about_z(-angle), (partner.root[0] - leader.root[0]))
    np.testing.assert_allclose(away[:2], [left, -ahead], atol=1e-6)
    turned = np.degrees(rotations.heading(partner.rotations[0, 0]) - angle)
    assert np.cos(np.radians(turned - facing)) == pytest.approx(1.0)


@pytest.mark.parametrize("device", DEVICES)
def test_partner_has_the_leaders_rate_length_and_bones(leader: Motion, device: str) -> None:
    partner = choreograph(leader, Choreography(device))
    assert (partner.fps, len(partner)) == (leader.fps, len(leader))
    lengths = [np.linalg.norm(m.skeleton.offsets[1:], axis=-1) for m in (partner, leader)]
    order = [j - 1 for j in MIRROR_JOINTS[1:]] if device in ("mirror", "opposition") else list(range(28))
    np.testing.assert_allclose(lengths[0], lengths[1][order])


def test_an_orbit_goes_around_the_leader_at_the_same_distance(leader: Motion) -> None:
    straight, around = (
        choreograph(leader, Choreography("unison", formation=formation)) for formation in ("facing", "orbiting")
    )
    away, orbiting = (m.root[:, :2] - leader.root[0, :2] for m in (straight, around))
    np.testing.assert_allclose(np.linalg.norm(away, axis=-1), np.linalg.norm(orbiting, axis=-1), atol=1e-9)
    turned = np.unwrap(np.arctan2(*orbiting.T[::-1])) - np.unwrap(np.arctan2(*away.T[::-1]))
    assert np.degrees(turned[-1] - turned[0]) > 90.0


def test_dancers_who_pass_through_each_other_are_told_what_keeps_them_apart(leader: Motion) -> None:
    walk = np.zeros((len(leader), 3))
    walk[:, :2] = (
        np.linspace(0.0, 1.0, len(leader))[:, None]
        * rotations.rotate(rotations.about_z(rotations.heading(leader.rotations[0, 0])), np.array([0.0, -1.5, 0.0]))[:2]
    )
    walking = Motion(leader.fps, leader.skeleton, leader.root + walk, leader.rotations)
    wanted = Choreography("mirror", distance=1.0)
    (said,) = collision_warnings(walking, choreograph(walking, wanted), wanted)
    clear = float(said.split("a distance of ")[1].split(" m")[0])
    for distance, apart in ((clear, True), (clear - 0.2, False)):
        again = Choreography("mirror", distance=distance)
        partner = choreograph(walking, again)
        assert (nearest_approach(walking, partner)[0] >= COLLISION_DISTANCE) == apart
        assert (collision_warnings(walking, partner, again) == ()) == apart


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"device": "echo"}, "device: one of unison, mirror, .* expected, echo found"),
        ({"device": "canon", "formation": "line"}, "formation: one of facing, .* expected, line found"),
        ({"device": "canon", "unit": "bars"}, "unit: one of beats, frames expected, bars found"),
        ({"device": "canon", "delay": 0.0}, "delay: a number above 0 expected, 0 found"),
        ({"device": "mirror", "distance": 0.1}, "distance: 0.3 to 100 m expected, 0.1 found"),
        ({"device": "canon", "delay": 600.0, "unit": "frames"}, "delay: 1 to 599 frames expected, 600 found"),
    ],
)
def test_what_cannot_be_danced_is_refused_in_one_sentence(leader: Motion, wanted: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        choreograph(leader, Choreography(**wanted))  # type: ignore[arg-type]
