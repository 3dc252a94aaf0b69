"""Formations of a partner beside its leader, against closed forms."""

import numpy as np
import pytest

from rigs import rotations
from rigs.choreography.devices import DEVICES, Choreography, choreograph
from rigs.choreography.formations import Formation
from rigs.motion import Motion


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


def test_an_orbit_goes_around_the_leader_at_the_same_distance(leader: Motion) -> None:
    straight, around = (
        choreograph(leader, Choreography("unison", formation=formation)) for formation in ("facing", "orbiting")
    )
    away, orbiting = (m.root[:, :2] - leader.root[0, :2] for m in (straight, around))
    np.testing.assert_allclose(np.linalg.norm(away, axis=-1), np.linalg.norm(orbiting, axis=-1), atol=1e-9)
    turned = np.unwrap(np.arctan2(*orbiting.T[::-1])) - np.unwrap(np.arctan2(*away.T[::-1]))
    assert np.degrees(turned[-1] - turned[0]) > 90.0
