"""Baselines: what each one keeps of history and leader, and that stitching retrieves what it was given."""

from collections.abc import Callable

import numpy as np
import pytest

from rigs.motion import Motion, rotate_about_z, translate
from tests.training.data.duet_files import duet
from training.data.duets import Duet
from training.evaluation.baselines import (
    PartnerGenerator,
    align_placement,
    another_takes_follower,
    copy_of_the_leader,
    crossfade,
    floor_placement,
    mean_pose,
    zero_velocity,
)
from training.evaluation.nearest_neighbour import nearest_neighbour_stitching
from training.evaluation.partner_evaluation import delayed_leader, training_baselines

HISTORY = 40


@pytest.fixture(scope="module")
def pair() -> Duet:
    return Duet("a", *duet(300))


@pytest.fixture(scope="module")
def generated(pair: Duet) -> dict[str, list[Motion]]:
    return {p.name: p.generate(pair.leader, pair.follower[:HISTORY], 3) for p in training_baselines([pair])}


def moved(motion: Motion, angle: float, offset: tuple[float, float]) -> Motion:
    return translate(rotate_about_z(motion, angle), np.array([*offset, 0.0]))


def test_every_baseline_goes_on_from_the_history_for_the_leaders_frames(
    pair: Duet, generated: dict[str, list[Motion]]
) -> None:
    assert len(generated) == 5
    for name, takes in generated.items():
        assert len(takes) == 3, name
        for take in takes:
            assert len(take) == len(pair)
            assert take.skeleton is pair.follower.skeleton
            np.testing.assert_array_equal(take.root[:HISTORY], pair.follower.root[:HISTORY])
            speed = np.linalg.norm(np.diff(take.positions[HISTORY - 1 :], axis=0), axis=-1).max() * 30.0
            assert speed < 20.0, name


def test_zero_velocity_stays(pair: Duet, generated: dict[str, list[Motion]]) -> None:
    [take, *_] = generated["zero velocity"]
    assert np.ptp(take.positions[HISTORY - 1 :], axis=0).max() == 0.0


def test_the_mean_of_one_pose_is_that_pose_beside_the_leader(pair: Duet) -> None:
    single = Duet("single", pair.leader[7:8], pair.follower[7:8])
    [take] = mean_pose([single]).generate(pair.leader, pair.follower[:HISTORY], 1)
    source, target = floor_placement(single.leader.positions[0]), floor_placement(pair.leader.positions[HISTORY - 1])
    expected = align_placement(single.follower, source, target).positions[0]
    np.testing.assert_allclose(take.positions[-1], expected, atol=1e-6)


def test_a_copy_does_what_the_leader_does(pair: Duet) -> None:
    [take] = copy_of_the_leader().generate(pair.leader, pair.follower[:HISTORY], 1)
    later = HISTORY + 20
    np.testing.assert_allclose(np.abs(np.sum(take.rotations[later:, 1:] * pair.leader.rotations[later:, 1:], -1)), 1.0)


def test_a_followers_relation_to_the_leader_is_carried_over(pair: Duet) -> None:
    """The same take, elsewhere: after the blend the follower is just where it was beside its leader."""
    leader, follower = (
        translate(rotate_about_z(m, 1.0), np.array([3.0, 0.0, 0.0])) for m in (pair.leader, pair.follower)
    )
    other = Duet("b", leader[HISTORY - 1 :], follower[HISTORY - 1 :])
    [take] = another_takes_follower([other]).generate(pair.leader, pair.follower[:HISTORY], 1)
    np.testing.assert_allclose(take.positions[HISTORY:], pair.follower.positions[HISTORY:], atol=1e-6)


def test_stitching_retrieves_the_recording_that_it_has(pair: Duet) -> None:
    [take] = nearest_neighbour_stitching([pair]).generate(pair.leader, pair.follower[:HISTORY], 1)
    np.testing.assert_allclose(take.positions[:200], pair.follower.positions[:200], atol=1e-3)


def test_stitching_follows_the_leader_wherever_the_couple_is(pair: Duet) -> None:
    leader, follower = (
        translate(rotate_about_z(m, -2.0), np.array([1.0, 4.0, 0.0])) for m in (pair.leader, pair.follower)
    )
    [there] = nearest_neighbour_stitching([pair]).generate(leader, follower[:HISTORY], 1)
    np.testing.assert_allclose(there.positions[:200], follower.positions[:200], atol=1e-3)


def test_takes_of_stitching_differ_and_are_reproducible(pair: Duet) -> None:
    partner = nearest_neighbour_stitching([pair])
    first, second = (partner.generate(pair.leader, pair.follower[:HISTORY], 2) for _ in range(2))
    assert np.linalg.norm(first[0].positions - first[1].positions, axis=-1).mean() > 0.02
    np.testing.assert_array_equal(first[1].root, second[1].root)


def test_a_crossfade_starts_where_the_past_ends_and_ends_where_the_following_does(pair: Duet) -> None:
    past, following = pair.follower[:HISTORY], pair.leader[100:200]
    whole = crossfade(past, following)
    assert np.linalg.norm(whole.root[HISTORY] - past.root[-1]) < 0.05
    np.testing.assert_allclose(whole.root[-1], following.root[-1])


@pytest.mark.parametrize("make", [zero_velocity, copy_of_the_leader])
def test_only_partners_that_use_the_leader_change_with_it(pair: Duet, make: Callable[[], PartnerGenerator]) -> None:
    partner = make()
    before, after = (
        partner.generate(m, pair.follower[:HISTORY], 1)[0].root
        for m in (pair.leader, delayed_leader(pair)[: len(pair)])
    )
    assert np.array_equal(before, after) != partner.uses_leader
