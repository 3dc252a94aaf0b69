"""The leader of the tests of choreography."""

import numpy as np
import pytest

from rigs.motion import Motion, rotate_about_z, translate
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import JOINTS, Skeleton


@pytest.fixture(scope="module")
def leader() -> Motion:
    """Twenty seconds of salsa, somewhere in the room, on a body whose left and right differ a little."""
    dance = translate(rotate_about_z(sample_dance(), 0.7), np.array([1.0, -2.0, 0.0]))
    legs = [j for j, name in enumerate(JOINTS) if name.endswith(("_hip", "_knee", "_ankle", "_foot"))]
    offsets = dance.skeleton.offsets * (1.0 + 0.01 * np.random.default_rng(3).normal(size=(29, 1)))
    offsets[legs] = dance.skeleton.offsets[legs]
    return Motion(dance.fps, Skeleton(offsets), dance.root, dance.rotations)
