"""Two-bone IK: bone lengths kept, targets reached, elbows and knees towards their pole."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rigs import Array, rotations
from rigs.two_bone_ik import bone_rotation, hinge_axis, two_bone_ik

LENGTHS = 0.42, 0.35
seeds = st.integers(0, 2**32 - 1)


def limb(seed: int, reach: float) -> tuple[Array, Array, Array]:
    """A root, a target that is `reach` m away and a pole well off the line between them."""
    generator = np.random.default_rng(seed)
    root, along, pole = generator.normal(size=(3, 3))
    along /= np.linalg.norm(along)
    assume(np.linalg.norm(np.cross(along, pole)) > 0.1)
    return root, root + reach * along, pole


@given(seeds, st.floats(0.08, 0.765))
def test_a_target_within_reach_is_reached_with_both_lengths_kept(seed: int, reach: float) -> None:
    root, target, pole = limb(seed, reach)
    middle, end = two_bone_ik(root, target, LENGTHS, pole)
    np.testing.assert_allclose(end, target, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(middle - root), LENGTHS[0], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(end - middle), LENGTHS[1], atol=1e-12)


@given(seeds, st.floats(0.1, 0.76))
def test_the_middle_joint_lies_towards_the_pole(seed: int, reach: float) -> None:
    root, target, pole = limb(seed, reach)
    middle, _ = two_bone_ik(root, target, LENGTHS, pole)
    across = pole - np.dot(pole, target - root) / reach**2 * (target - root)
    assert np.dot(middle - root, across) > 0.0
    np.testing.assert_allclose(np.dot(np.cross(target - root, pole), middle - root), 0.0, atol=1e-12)


@pytest.mark.parametrize("reach", [0.001, 0.03, 0.9, 5.0])
def test_a_target_out_of_reach_keeps_the_bones_whole(reach: float) -> None:
    root, target = np.zeros(3), np.array([0.0, 0.0, -reach])
    middle, end = two_bone_ik(root, target, LENGTHS, np.array([0.0, -1.0, 0.0]))
    assert np.isfinite(middle).all()
    assert np.linalg.norm(middle - root) == pytest.approx(LENGTHS[0])
    assert np.linalg.norm(end - middle) == pytest.approx(LENGTHS[1])
    np.testing.assert_allclose(end / np.linalg.norm(end), target / reach, atol=1e-12)


@given(seeds, st.floats(0.1, 0.76))
def test_rotations_carry_the_rest_bones_onto_the_limb_and_flex_it_forwards(seed: int, reach: float) -> None:
    root, target, pole = limb(seed, reach)
    middle, end = two_bone_ik(root, target, LENGTHS, pole)
    hinge = hinge_axis(root, target, pole)
    down, left = np.array([0.0, 0.0, -1.0]), np.array([1.0, 0.0, 0.0])
    upper = bone_rotation(down, left, middle - root, hinge)
    lower = bone_rotation(down, left, end - middle, hinge)
    np.testing.assert_allclose(root + LENGTHS[0] * rotations.rotate(upper, down), middle, atol=1e-9)
    np.testing.assert_allclose(middle + LENGTHS[1] * rotations.rotate(lower, down), end, atol=1e-9)
    flexion = rotations.to_rotation_vector(rotations.multiply(rotations.inverse(upper), lower))
    np.testing.assert_allclose(flexion[1:], 0.0, atol=1e-7)
    assert flexion[0] > 0.0


def test_many_limbs_are_solved_at_once() -> None:
    generator = np.random.default_rng(4)
    roots, poles = generator.normal(size=(5, 7, 3)), generator.normal(size=(7, 3))
    targets = roots + generator.normal(0.0, 0.2, (5, 7, 3))
    middles, ends = two_bone_ik(roots, targets, LENGTHS, poles)
    for i in np.ndindex(5, 7):
        middle, end = two_bone_ik(roots[i], targets[i], LENGTHS, poles[i[1]])
        np.testing.assert_allclose(middles[i], middle, atol=1e-12)
        np.testing.assert_allclose(ends[i], end, atol=1e-12)
