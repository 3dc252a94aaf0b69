"""The leader that the streams carry."""

import pytest

from rigs.motion import Motion
from rigs.sample_dance.salsa import sample_dance


@pytest.fixture(scope="session")
def leader() -> Motion:
    """The first five seconds of the sample dance."""
    return sample_dance()[:150]
