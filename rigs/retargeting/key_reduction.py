"""Key reduction: the fewest keyframes that keep F-curves within a tolerance, smooth for an animator to edit.

Between two keys a curve is a cubic Hermite spline with the motion's own slopes at the keys. So each span depends on its
two keys alone, and curves can be split at the worst frame until all are within tolerance (Ramer 1972; Douglas and
Peucker 1973), all bones at once. `pose_reduction` measures the tolerance on the posed body instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rigs import Array
from rigs.easing import smoothstep
from rigs.retargeting import rotation_modes

_MIN_TOLERANCE = 1e-9  # used for a tolerance of zero


@dataclass(frozen=True)
class Tolerance:
    """Largest error of reduced keyframes: `angle` radians for rotations, `distance` m in world space for positions.

    Other properties may be off by `distance` in their own unit.
    """

    angle: float = np.radians(0.5)
    distance: float = 1e-3

    def scale(self, angle: float, distance: float) -> "Tolerance":
        """The tolerance with its angle and distance multiplied by these factors."""
        return Tolerance(self.angle * angle, self.distance * distance)


@dataclass(frozen=True)
class PropertyCurve:
    """One animated property of a bone over F frames.

    values: (F, n).  mode: for a rotation its rotation mode, as in `rotation_modes`; else None.
    tolerance: maximum deviation of the reduced curve: radians for a rotation, else the norm of the difference.
    """

    values: Array
    mode: str | None
    tolerance: float


@dataclass(frozen=True)
class KeyedCurve:
    """The reduced keys of one property: on the frames (K,), its values (K, n) and its slopes (K, n) per frame.

    mode: for a rotation its rotation mode, as in `rotation_modes`; else None.
    """

    frames: Array
    values: Array
    slopes: Array
    mode: str | None = None

    def play(self, frames: int) -> Array:
        """The values (F, n) that the curve has on so many frames; rotations as unit quaternions."""
        keyed = np.isin(np.arange(frames), self.frames)
        values, slopes = np.zeros((2, frames, self.values.shape[1]))
        values[keyed], slopes[keyed] = self.values, self.slopes
        curve = hermite_curve(values, slopes, keyed)
        return curve if self.mode is None else rotation_modes.to_quaternions(curve, self.mode)


PoseKeys = dict[str, tuple[KeyedCurve, KeyedCurve | None]]
"""For each bone the reduced keys of its rotation, and of its location if it has one, on the same frames."""


def reduce_keys(bones: Sequence[Sequence[PropertyCurve]]) -> list[Array]:
    """For each bone the frames to key, the first and last among them, that keep all its curves within tolerance.

    All curves have the same number of frames.
    """
    if not bones:
        return []
    groups = _group_curves(bones)
    keyed = select_keys(lambda keyed: _errors(groups, keyed), (len(bones), len(bones[0][0].values)))
    return [np.flatnonzero(row) for row in keyed]


def select_keys(errors: Callable[[Array], Array], shape: tuple[int, int]) -> Array:
    """The frames to key of B bones, the first and last among them, so that no error is above 1: `shape` (B, F) bool.

    errors: the error (B, F), in tolerances, of curves with keys `keyed` (B, F). That of a keyed frame is not looked at,
    and that of another depends on the keys around it alone.
    """
    keyed = np.zeros(shape, bool)
    keyed[:, [0, -1]] = True
    while (worst := _worst_frames(np.where(keyed, 0.0, errors(keyed)), keyed)).any():
        keyed |= worst
    for parity in (1, 0):
        keyed = _remove_redundant_keys(errors, keyed, parity)
    return keyed


def tangents(values: Array) -> Array:
    """Slopes of values (F, ...) per frame at each frame, (F, ...): central differences, of fourth order inside.

    Those over five frames follow the noise of a capture less than those over three.
    """
    if len(values) < 2:
        return np.zeros_like(values)
    slopes = np.gradient(values, axis=0)
    if len(values) > 4:
        slopes[2:-2] = (values[:-4] - values[4:] + 8.0 * (values[3:-1] - values[1:-3])) / 12.0
    return slopes


def hermite_curve(values: Array, slopes: Array, keyed: Array) -> Array:
    """Evaluate on every frame the cubic Hermite spline through some frames' `values` with their `slopes`: (F, n).

    values: (F, n).  slopes: (F, n) per frame.  keyed: (F,) bool, the frames that it goes through.
    """
    before, after = _neighbouring_keys(keyed[None])
    return _hermite_interpolation(values[None], slopes[None], before, after)[0]


@dataclass(frozen=True)
class _CurveGroup:
    """The curves of one kind, stacked.

    bones: (k,) the bone of each.  values, tangents: (k, F, n).  quaternions: (k, F, 4) of rotations, else None.
    """

    bones: Array
    values: Array
    tangents: Array
    quaternions: Array | None
    mode: str | None
    tolerance: Array


def _group_curves(bones: Sequence[Sequence[PropertyCurve]]) -> list[_CurveGroup]:
    """Group the curves of one kind and width; a bone with two of a kind is in two groups."""
    curves_by_kind: dict[tuple[str | None, int, int], list[tuple[int, PropertyCurve]]] = {}
    for bone, tracks in enumerate(bones):
        for position, track in enumerate(tracks):
            curves_by_kind.setdefault((track.mode, track.values.shape[1], position), []).append((bone, track))
    groups = []
    for (mode, _, _), members in curves_by_kind.items():
        values = np.stack([track.values for _, track in members]).astype(float)
        change = tangents(values.swapaxes(0, 1)).swapaxes(0, 1)
        groups.append(
            _CurveGroup(
                bones=np.array([bone for bone, _ in members]),
                values=values,
                tangents=change,
                quaternions=None if mode is None else rotation_modes.to_quaternions(values, mode),
                mode=mode,
                tolerance=np.array([track.tolerance for _, track in members]),
            )
        )
    return groups


def _errors(groups: Sequence[_CurveGroup], keyed: Array) -> Array:
    """Deviation of curves with these keys (B, F) from the motion, in tolerances: (B, F)."""
    errors = np.zeros(keyed.shape)
    before, after = _neighbouring_keys(keyed)
    for group in groups:
        curve = _hermite_interpolation(group.values, group.tangents, before[group.bones], after[group.bones])
        distance = _distance(curve, group) / np.maximum(group.tolerance, _MIN_TOLERANCE)[:, None]
        errors[group.bones] = np.maximum(errors[group.bones], distance)
    return errors


def _neighbouring_keys(keyed: Array) -> tuple[Array, Array]:
    """For each frame the key at or before it and the key at or after it: (B, F) each."""
    frames = np.arange(keyed.shape[1])
    before = np.maximum.accumulate(np.where(keyed, frames, 0), axis=1)
    after = np.minimum.accumulate(np.where(keyed, frames, keyed.shape[1] - 1)[:, ::-1], axis=1)[:, ::-1]
    return before, after


def _hermite_interpolation(values: Array, slopes: Array, before: Array, after: Array) -> Array:
    """Evaluate Hermite curves on every frame, between the keys `before` and `after` (k, F) each: (k, F, n)."""
    span = (after - before)[..., None]
    u = (np.arange(before.shape[1]) - before)[..., None] / np.maximum(span, 1)
    row = np.arange(len(before))[:, None]
    start, end = values[row, before], values[row, after]
    bend = (1.0 - u) * slopes[row, before] - u * slopes[row, after]
    return start + smoothstep(u) * (end - start) + ((u * (1.0 - u)) * span) * bend


def _distance(curve: Array, group: _CurveGroup) -> Array:
    """Deviation of the curves' values (k, F, n) from the motion, as an angle or a norm: (k, F)."""
    if group.quaternions is None or group.mode is None:
        return np.linalg.norm(curve - group.values, axis=-1)
    cosine = np.abs(np.sum(rotation_modes.to_quaternions(curve, group.mode) * group.quaternions, axis=-1))
    return 2.0 * np.arccos(np.minimum(cosine, 1.0))


def _worst_frames(errors: Array, keyed: Array) -> Array:
    """The worst frame of each span between keys that is out of tolerance: (B, F) bool."""
    starts = np.flatnonzero(keyed)
    spans = np.cumsum(keyed) - 1
    flat = errors.ravel()
    highest = np.maximum.reduceat(flat, starts)[spans]
    candidates = np.flatnonzero((flat == highest) & (flat > 1.0))
    _, first = np.unique(spans[candidates], return_index=True)
    worst = np.zeros(keyed.shape, bool)
    worst.ravel()[candidates[first]] = True
    return worst


def _remove_redundant_keys(errors: Callable[[Array], Array], keyed: Array, parity: int) -> Array:
    """Remove redundant keys of one `parity`, 0 or 1: neighbouring keys are never removed together."""
    inner = keyed.copy()
    inner[:, [0, -1]] = False
    removable = inner & (np.cumsum(keyed, axis=1) % 2 == parity)
    fewer = keyed & ~removable
    return fewer | (removable & _spans_over_tolerance(np.where(fewer, 0.0, errors(fewer)), fewer))


def _spans_over_tolerance(errors: Array, keyed: Array) -> Array:
    """The frames (B, F) of all spans between keys that are out of tolerance somewhere."""
    starts = np.flatnonzero(keyed)
    spans = np.cumsum(keyed) - 1
    return (np.maximum.reduceat(errors.ravel(), starts)[spans] > 1.0).reshape(keyed.shape)
