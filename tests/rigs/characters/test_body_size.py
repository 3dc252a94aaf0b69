"""The size of a dancer's body, estimated from the steps."""

from dataclasses import replace

import numpy as np
import pytest

from rigs.characters.body_size import size_from_steps
from rigs.motion import Motion
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON


def dance_on_a_body_of_size(size: float) -> Motion:
    """The sample dance of a body of `size`, but on the skeleton of the original."""
    dance = sample_dance()
    return replace(dance, root=dance.root * size)


@pytest.mark.parametrize("size", [0.8, 0.9, 1.0, 1.1, 1.25])
def test_planted_feet_tell_the_size(size: float) -> None:
    expected = size * size_from_reference()
    found = size_from_steps(dance_on_a_body_of_size(size))
    assert found is not None
    assert abs(found / expected - 1.0) < 0.01


def size_from_reference() -> float:
    found = size_from_steps(sample_dance())
    assert found is not None
    assert abs(found - 1.0) < 0.04
    return found


def test_who_stands_still_tells_no_size() -> None:
    dance = sample_dance()
    assert size_from_steps(replace(dance, root=np.repeat(dance.root[:1], len(dance), axis=0))) is None
    assert size_from_steps(dance[:3]) is None
    still = Motion(
        30.0, DEFAULT_SKELETON, np.repeat(dance.root[:1], 90, axis=0), dance.rotations[:1].repeat(90, axis=0)
    )
    assert size_from_steps(still) is None
