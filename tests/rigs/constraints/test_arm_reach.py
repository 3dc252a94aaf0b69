"""Arm reach from every pose of the sample dance."""

import numpy as np

from rigs import kinematics, rotations
from rigs.constraints.arm_reach import arm_joint, arm_lengths, move_wrists
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON

DANCE = sample_dance()[:240]
WRISTS = [arm_joint("wrist", side) for side in range(2)]


def _offsets(size: float) -> np.ndarray:
    t = np.arange(len(DANCE)) / DANCE.fps
    curve = np.stack([np.sin(t), np.cos(2.0 * t), np.sin(3.0 * t)], axis=-1)
    return size * np.stack([curve, -curve])


def test_wrists_reach_their_targets_within_easy_reach() -> None:
    offsets = _offsets(0.05)
    moved = move_wrists(DANCE, offsets).positions
    for side, wrist in enumerate(WRISTS):
        target = DANCE.positions[:, wrist] + offsets[side]
        far = np.linalg.norm(target - DANCE.positions[:, arm_joint("shoulder", side)], axis=-1)
        easy = (far < 0.93 * sum(arm_lengths(DEFAULT_SKELETON, side))) & (far > 0.1)
        assert easy.sum() > 100
        np.testing.assert_allclose(moved[easy, wrist], target[easy], atol=1e-6)


def test_arms_stretch_towards_far_targets_but_never_fully() -> None:
    moved = move_wrists(DANCE, _offsets(2.0)).positions
    for side, wrist in enumerate(WRISTS):
        reach = np.linalg.norm(moved[:, wrist] - DANCE.positions[:, arm_joint("shoulder", side)], axis=-1)
        assert reach.max() < 0.99 * sum(arm_lengths(DEFAULT_SKELETON, side))
        assert np.median(reach) > 0.95 * sum(arm_lengths(DEFAULT_SKELETON, side))


def test_hands_keep_their_direction_and_nothing_but_the_arms_moves() -> None:
    moved = move_wrists(DANCE, _offsets(0.1))
    arms = [arm_joint(name, side) for name in ("elbow", "wrist", "thumb", "middle") for side in range(2)]
    rest = [j for j in range(29) if j not in arms]
    np.testing.assert_allclose(moved.positions[:, rest], DANCE.positions[:, rest], atol=1e-9)
    before, after = (kinematics.global_rotations(motion.rotations)[:, WRISTS] for motion in (DANCE, moved))
    assert rotations.angle_between(before, after).max() < 1e-6


def test_a_stretched_arm_with_a_small_offset_hardly_moves() -> None:
    straight = move_wrists(DANCE, _offsets(0.0))
    assert straight is DANCE
    turned = DANCE.rotations.copy()
    turned[:, [arm_joint("elbow", side) for side in range(2)]] = rotations.IDENTITY
    stretched = type(DANCE)(DANCE.fps, DANCE.skeleton, DANCE.root, turned)
    away = np.linalg.norm(move_wrists(stretched, _offsets(0.001)).positions - stretched.positions, axis=-1)
    assert away[:, WRISTS].max() < 0.005
