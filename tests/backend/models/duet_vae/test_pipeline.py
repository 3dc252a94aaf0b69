"""duet-vae's pipeline with the shipped weights: takes fit the request at any frame rate, body size and place."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.engine import Engine
from backend.wire.messages import Cancelled, PartnerRequest
from rigs import Array, rotations
from rigs.files import read
from rigs.motion import Motion, resample, rotate_about_z, translate
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import INDEX, JOINTS


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="module")
def leader() -> Motion:
    return sample_dance()[:75]


def one_take(engine: Engine, leader: Motion, **more: object) -> Motion:
    [take] = engine.partner(PartnerRequest(leader, model="duet-vae", **more))  # type: ignore[arg-type]
    return take


@pytest.mark.parametrize("fps", [24.0, 29.97, 60.0, 120.0])
def test_a_take_has_the_leaders_rate_and_frame_count(engine: Engine, leader: Motion, fps: float) -> None:
    at_fps = resample(leader, fps)
    take = one_take(engine, at_fps)
    assert (take.fps, len(take)) == (fps, len(at_fps))
    assert np.isfinite(take.positions).all()


def test_one_frame_is_enough(engine: Engine, leader: Motion) -> None:
    assert len(one_take(engine, leader[:1])) == 1


def test_equal_seeds_give_equal_takes_and_takes_differ(engine: Engine, leader: Motion) -> None:
    again = [engine.partner(PartnerRequest(leader, model="duet-vae", seed=5, takes=3)) for _ in range(2)]
    for first, second in zip(*again, strict=True):
        assert np.array_equal(first.rotations, second.rotations)
        assert np.array_equal(first.root, second.root)
    a, b, c = again[0]
    for one, other in ((a, b), (b, c)):
        assert np.linalg.norm(one.positions - other.positions, axis=-1).mean() > 0.005
    other_seed = one_take(engine, leader, seed=6)
    assert np.linalg.norm(other_seed.positions - a.positions, axis=-1).mean() > 0.005


def facing(positions: Array) -> Array:
    """The way on the floor (F, 2) that poses (F, 29, 3) face."""
    left = positions[:, INDEX["left_hip"], :2] - positions[:, INDEX["right_hip"], :2]
    return rotations.normalize(np.stack([left[:, 1], -left[:, 0]], axis=-1))


@pytest.mark.parametrize("role", ["follow", "lead"])
def test_without_a_history_the_partner_starts_face_to_face(engine: Engine, leader: Motion, role: str) -> None:
    take = one_take(engine, leader[:5], role=role)
    across = take.root[0, :2] - leader.root[0, :2]
    assert 0.4 < np.linalg.norm(across) < 1.3
    towards = rotations.normalize(across)
    assert facing(leader.positions)[0] @ towards > 0.7
    assert facing(take.positions)[0] @ -towards > 0.7
    assert take.positions[0, INDEX["head"], 2] > 1.2


def test_the_history_is_given_and_continued_without_a_jump(engine: Engine, corpus: Path) -> None:
    leader, follower = (read(corpus / "salsa" / f"salsa_07_{who}.bvh").motions[0] for who in ("leader", "follower"))
    leader, follower = leader[240:540], follower[240:540]
    take = one_take(engine, leader, history=follower)
    given = 1 + (64 - 1) * 2
    np.testing.assert_array_equal(take.root[:given], follower.root[:given])
    np.testing.assert_array_equal(take.rotations[:given], follower.rotations[:given])
    assert np.array_equal(take.skeleton.offsets, follower.skeleton.offsets)
    speed = np.linalg.norm(np.diff(take.positions, axis=0), axis=-1) * take.fps
    assert (
        speed[given - 2 : given + 4].max()
        < 2.0 * np.linalg.norm(np.diff(follower.positions, axis=0), axis=-1).max() * 60
    )
    turned = rotations.angle_between(take.rotations[:-1], take.rotations[1:])[given - 2 : given + 4]
    assert np.degrees(turned.max()) < 25.0


def test_what_comes_after_the_history_is_generated(engine: Engine, corpus: Path) -> None:
    """Only the first 64 frames at 30 fps are looked at: the truth that follows cannot leak."""
    leader, follower = (read(corpus / "salsa" / f"salsa_07_{who}.bvh").motions[0] for who in ("leader", "follower"))
    leader, follower = leader[240:480], follower[240:480]
    whole = one_take(engine, leader, history=follower)
    short = one_take(engine, leader, history=follower[: 1 + 63 * 2])
    np.testing.assert_allclose(whole.positions, short.positions, atol=1e-4)


def test_the_pair_turned_and_moved_gives_the_same_partner_there(engine: Engine, leader: Motion) -> None:
    there = np.array([12.0, -7.0, 0.0])
    here = one_take(engine, leader[:40], seed=1)
    elsewhere = one_take(engine, translate(rotate_about_z(leader[:40], 2.0), there), seed=1)
    np.testing.assert_allclose(elsewhere.positions, translate(rotate_about_z(here, 2.0), there).positions, atol=0.01)


def test_a_raised_floor_and_a_larger_dancer_change_nothing_but_that(engine: Engine, leader: Motion) -> None:
    big = replace(leader, skeleton=leader.skeleton.scale(1.5), root=leader.root * 1.5)
    here = one_take(engine, leader[:40], seed=1)
    there = one_take(engine, translate(big[:40], np.array([0.0, 0.0, 0.8])), seed=1)
    np.testing.assert_allclose(there.positions, here.positions * 1.5 + [0.0, 0.0, 0.8], atol=0.02)


def test_bones_keep_their_lengths_and_feet_stay_near_the_floor(engine: Engine) -> None:
    take = one_take(engine, sample_dance()[:300])
    parents_to = {"left_knee": "left_hip", "right_ankle": "right_knee", "left_elbow": "left_shoulder"}
    for joint, parent in parents_to.items():
        length = np.linalg.norm(take.positions[:, INDEX[joint]] - take.positions[:, INDEX[parent]], axis=-1)
        np.testing.assert_allclose(length, np.linalg.norm(take.skeleton.offsets[INDEX[joint]]), atol=1e-9)
    toes = [JOINTS.index(name) for name in ("left_bigtoe", "right_bigtoe", "left_foot", "right_foot")]
    lowest = take.positions[:, toes, 2].min(axis=1)
    assert np.percentile(lowest, 1) > -0.1
    assert np.percentile(lowest, 99) < 0.15


def test_work_can_be_cancelled_and_reports_progress(engine: Engine, leader: Motion) -> None:
    fractions: list[float] = []
    with pytest.raises(Cancelled):
        engine.partner(
            PartnerRequest(leader, model="duet-vae"),
            progress=lambda fraction, what: fractions.append(fraction),
            cancelled=lambda: bool(fractions) and fractions[-1] > 0.4,
        )
    assert fractions == sorted(fractions)
    assert 0.4 < fractions[-1] < 0.8


def test_an_unknown_model_is_refused_by_name(engine: Engine, leader: Motion) -> None:
    with pytest.raises(ValueError, match="model waltz: no such model, one of partner-flow, duet-vae expected"):
        engine.partner(PartnerRequest(leader, model="waltz"))
