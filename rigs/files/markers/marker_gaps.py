"""Fill the frames in which markers were hidden, along with the body that carries them."""

from collections.abc import Sequence

import numpy as np

from rigs import Array, rotations
from rigs.characters.trunk_joints import trunk_rotation


def fill_marker_gaps(points: dict[str, Array], hips: Sequence[str], shoulders: Sequence[str]) -> dict[str, int]:
    """Interpolate points (F, 3) where they are nan, in place; each is seen in some frame.

    hips, shoulders: the names of the left and the right point. These four are interpolated where they are; from them
    follows a frame of the trunk, in which all others are interpolated, so that they turn and travel with the body.
    Returns in how many frames each point was hidden, without those that never were.
    """
    hidden = {name: int(np.isnan(places).any(axis=1).sum()) for name, places in points.items()}
    hidden = {name: frames for name, frames in hidden.items() if frames}
    for name in (*hips, *shoulders):
        _interpolate(points[name])
    (left_hip, right_hip), (left_shoulder, right_shoulder) = (
        [points[name] for name in pair] for pair in (hips, shoulders)
    )
    middle = (left_hip + right_hip) / 2.0
    turn = trunk_rotation((left_shoulder + right_shoulder) / 2.0 - middle, left_hip - right_hip)
    for name in hidden:
        places = points[name]
        gaps = np.isnan(places).any(axis=1)
        in_trunk = rotations.rotate(rotations.inverse(turn), places - middle)
        _interpolate(in_trunk)
        places[gaps] = (rotations.rotate(turn, in_trunk) + middle)[gaps]
    return hidden


def _interpolate(places: Array) -> None:
    """Interpolate (F, 3) linearly where they are nan, in place; at the ends the nearest place is held."""
    seen = np.isfinite(places).all(axis=1)
    frames = np.arange(len(places))
    for axis in range(3):
        places[~seen, axis] = np.interp(frames[~seen], frames[seen], places[seen, axis])
