"""Hand holds on bodies of other proportions, of a real couple and of one dancer twice."""

from pathlib import Path

import numpy as np
import pytest

from rigs import files
from rigs.characters.humanoid import Humanoid, humanoid_from_rig
from rigs.characters.posed_humanoid import PosedHumanoid
from rigs.constraints.hand_holds import HandHold, approach_for_holds, detect_hand_holds, join_hands
from rigs.motion import Motion, rotate_about_z, translate
from rigs.retargeting.retarget import RetargetOptions, retarget_pair
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import INDEX
from tests.rigs.characters.synthetic_characters import a_pose_bones, bone_map_of, make_rig, t_pose_bones

Couple = tuple[Motion, Motion]
WRISTS = [INDEX["left_wrist"], INDEX["right_wrist"]]
SIZES = [(1.0, 1.0), (0.8, 1.2), (1.2, 0.8)]


@pytest.fixture(scope="module")
def salsa(corpus: Path) -> Couple:
    """Twenty seconds of the real couple, in which they hold hands."""
    leader, follower = (files.read(corpus / f"salsa/salsa_07_{who}.bvh").motions[0] for who in ("leader", "follower"))
    return leader[300:1500], follower[300:1500]


def _bodies(sizes: tuple[float, float]) -> tuple[Humanoid, Humanoid]:
    first, second = (make_rig(a_pose_bones(t_pose_bones(size)), seed=n) for n, size in enumerate(sizes))
    return humanoid_from_rig(first, bone_map_of(first)), humanoid_from_rig(second, bone_map_of(second))


def _detect(couple: Couple) -> list[HandHold]:
    return detect_hand_holds(couple[0].positions, couple[1].positions, couple[0].fps)


def _errors(figures: tuple[PosedHumanoid, PosedHumanoid], hold: HandHold) -> np.ndarray:
    """How much nearer or further than in the source two held wrists are, (n,) m."""
    first, second = (f.positions[:, WRISTS[side]] for f, side in zip(figures, hold.sides, strict=True))
    apart = np.linalg.norm(first - second, axis=-1) - np.linalg.norm(hold.wrist_offset, axis=-1)
    return np.abs(apart[hold.mask])


@pytest.mark.parametrize("sizes", SIZES)
def test_hands_of_the_real_couple_hold_on_bodies_of_any_size(salsa: Couple, sizes: tuple[float, float]) -> None:
    figures = retarget_pair(salsa, _bodies(sizes))
    free = retarget_pair(salsa, _bodies(sizes), RetargetOptions(keep_hand_holds=False))
    holds = _detect(salsa)
    assert sum(hold.mask.sum() for hold in holds) > 300
    for hold in holds:
        assert _errors(figures, hold).max() < 0.02
        assert np.median(_errors(free, hold)) > 0.02


def test_hands_that_never_meet_stay_where_they_are() -> None:
    dance = sample_dance()[:120]
    couple = dance, translate(rotate_about_z(dance, np.pi), np.array([3.0, 0.0, 0.0]))
    assert not _detect(couple)
    held, free = (
        retarget_pair(couple, _bodies((0.8, 1.2)), RetargetOptions(keep_hand_holds=hands)) for hands in (True, False)
    )
    for a, b in zip(held, free, strict=True):
        assert np.array_equal(a.positions, b.positions)


def test_a_touch_of_a_moment_is_no_hold() -> None:
    first, second = np.zeros((60, 29, 3)), np.zeros((60, 29, 3))
    first[:, WRISTS[0]] = [0.0, 0.0, 1.0]
    first[:, WRISTS[1]] = [9.0, 0.0, 1.0]
    second[:, WRISTS[1]] = [0.0, 5.0, 1.0]
    second[:, WRISTS[0]] = [0.0, 0.5, 1.0]
    second[20:24, WRISTS[0]] = [0.0, 0.1, 1.0]
    assert not detect_hand_holds(first, second, 30.0)
    second[20:40, WRISTS[0]] = [0.0, 0.1, 1.0]
    (hold,) = detect_hand_holds(first, second, 30.0)
    assert hold.sides == (0, 0)
    assert np.array_equal(np.flatnonzero(hold.mask), np.arange(20, 40))


@pytest.mark.parametrize("sizes", SIZES)
def test_holding_bends_arms_without_stretching_or_shaking_them(salsa: Couple, sizes: tuple[float, float]) -> None:
    bodies = _bodies(sizes)
    held, free = (retarget_pair(salsa, bodies, RetargetOptions(keep_hand_holds=hands)) for hands in (True, False))
    for posed, loose, body in zip(held, free, bodies, strict=True):
        for side in ("left", "right"):
            for upper, lower in (("shoulder", "elbow"), ("elbow", "wrist")):
                pair = [INDEX[f"{side}_{upper}"], INDEX[f"{side}_{lower}"]]
                bone = np.linalg.norm(np.diff(posed.positions[:, pair], axis=1)[:, 0], axis=-1)
                assert np.allclose(bone, np.linalg.norm(np.diff(body.rest_positions[pair], axis=0)), atol=1e-6)
        jolts = [np.percentile(np.abs(np.diff(f.positions[:, WRISTS], 2, axis=0)), 99.5) for f in (posed, loose)]
        assert jolts[0] < 2.5 * jolts[1]


@pytest.mark.parametrize("sizes", [(0.6, 0.6), (0.8, 1.1)])
def test_dancers_come_nearer_where_their_arms_are_too_short(salsa: Couple, sizes: tuple[float, float]) -> None:
    bodies = _bodies(sizes)
    far = translate(salsa[1], np.array([0.35, 0.0, 0.0]))
    couple = salsa[0], far
    wrists = [m.positions[:, WRISTS] for m in couple]
    every = np.ones(len(far), bool)
    requested = [HandHold((0, 1), every, 0.1 * (wrists[0][:, 0] - wrists[1][:, 1]))]
    free = retarget_pair(couple, bodies, RetargetOptions(keep_hand_holds=False))
    nearer = approach_for_holds(free, bodies, requested)
    assert _errors(join_hands(free, bodies, requested), requested[0]).max() > 0.02
    assert _errors(join_hands(nearer, bodies, requested), requested[0]).max() < 0.02
