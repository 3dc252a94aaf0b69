"""Key reduction of a limb's IK control: the joints that the solver places stay within tolerance.

The straighter a limb, the farther its middle joint moves for the same error of the control: its bend is measured by the
law of cosines.
"""

import numpy as np

from rigs import Array, rotations
from rigs.retargeting.key_reduction import KeyedCurve, Tolerance, hermite_curve, select_keys, tangents

_MIN_TOLERANCE = 1e-9
"""Used for a tolerance of zero."""


def reduce_control(
    location: Array, rotation: Array, axes: Array, chain: Array, tolerance: Tolerance
) -> tuple[KeyedCurve, KeyedCurve]:
    """The reduced keys of a control's location and rotation, on the same frames.

    location: (F, 3) in the control's axes at rest.  rotation: (F, 4) quaternions without sign flips.
    axes: (4,) the control's rest rotation.  chain: (F, 3, 3) the positions of the limb's three joints; the control
    places the last one.  Location, chain and the tolerance's distance have one unit.
    """
    start, middle, end = chain.swapaxes(0, 1)
    lengths = np.linalg.norm(middle - start, axis=-1), np.linalg.norm(end - middle, axis=-1)
    bend = _bend(np.linalg.norm(end - start, axis=-1), *lengths)
    location_slopes, rotation_slopes = tangents(location), tangents(rotation)

    def errors(keyed: Array) -> Array:
        shift = rotations.rotate(axes, hermite_curve(location, location_slopes, keyed[0]) - location)
        moved_bend = _bend(np.linalg.norm(end + shift - start, axis=-1), *lengths)
        distance = np.maximum(np.linalg.norm(shift, axis=-1), np.abs(moved_bend - bend))
        turned = rotations.normalize(hermite_curve(rotation, rotation_slopes, keyed[0]))
        angle = 2.0 * np.arccos(np.minimum(np.abs(np.sum(turned * rotation, axis=-1)), 1.0))
        return np.maximum(
            distance / max(tolerance.distance, _MIN_TOLERANCE), angle / max(tolerance.angle, _MIN_TOLERANCE)
        )[None]

    frames = np.flatnonzero(select_keys(errors, (1, len(location)))[0])
    return (
        KeyedCurve(frames, location[frames], location_slopes[frames]),
        KeyedCurve(frames, rotation[frames], rotation_slopes[frames], "QUATERNION"),
    )


def _bend(reach: Array, upper: Array, lower: Array) -> Array:
    """The distance (F,) of a limb's middle joint from the line between its ends, which are `reach` (F,) apart."""
    reach = np.clip(reach, np.abs(upper - lower) + 1e-9, upper + lower)
    along = (upper**2 + reach**2 - lower**2) / (2.0 * reach)
    return np.sqrt(np.maximum(upper**2 - along**2, 0.0))
