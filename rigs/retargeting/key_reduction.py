"""The few key frames that tell a movement within a tolerance, on smooth curves that an animator can edit.

Between two keys a curve is a cubic whose ends have the movement's own slopes there (Hermite 1878). So what lies between
two keys depends on no third one, and every bone's movement can be split where it strays most until nothing does
(Ramer 1972; Douglas and Peucker 1973), all bones at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rigs import Array
from rigs.easing import smoothstep
from rigs.retargeting import rotation_modes

_MIN_TOLERANCE = 1e-9  # a tolerance of zero means this one


@dataclass(frozen=True)
class PropertyCurve:
    """One property of a bone over F frames.

    values: (F, n).  mode: for a rotation, how the bone keeps it, as `rotation_modes` has it; else None.
    tolerance: how far a curve may be from it: radians for a rotation, else the length of a difference of values.
    """

    values: Array
    mode: str | None
    tolerance: float


def reduce_keys(bones: Sequence[Sequence[PropertyCurve]]) -> list[Array]:
    """For each bone the frames, its first and last among them, on which keys keep all its tracks within tolerance.

    All tracks have the same number of frames.
    """
    if not bones:
        return []
    frames = len(bones[0][0].values)
    groups = _group_curves(bones)
    keyed = np.zeros((len(bones), frames), bool)
    keyed[:, [0, -1]] = True
    while (worst := _worst_frames(_errors(groups, keyed), keyed)).any():
        keyed |= worst
    for parity in (1, 0):
        keyed = _remove_redundant_keys(groups, keyed, parity)
    return [np.flatnonzero(row) for row in keyed]


def tangents(values: Array) -> Array:
    """How much values (F, ...) change per frame at each frame, (F, ...)."""
    return np.gradient(values, axis=0) if len(values) > 1 else np.zeros_like(values)


@dataclass(frozen=True)
class _CurveGroup:
    """The tracks of one kind, stacked.

    bones: (k,) which of the bones each is of.  values, slopes: (k, F, n).  turns: (k, F, 4) the rotations meant.
    """

    bones: Array
    values: Array
    tangents: Array
    quaternions: Array | None
    mode: str | None
    tolerance: Array


def _group_curves(bones: Sequence[Sequence[PropertyCurve]]) -> list[_CurveGroup]:
    """Tracks of the same kind and width together; a bone that has two of a kind is in two groups."""
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
    """How far curves with these keys (B, F) are from the movement, in tolerances: (B, F)."""
    errors = np.zeros(keyed.shape)
    before, after = _neighbouring_keys(keyed)
    for group in groups:
        curve = _hermite_interpolation(group, before[group.bones], after[group.bones])
        distance = _distance(curve, group) / np.maximum(group.tolerance, _MIN_TOLERANCE)[:, None]
        errors[group.bones] = np.maximum(errors[group.bones], distance)
    errors[keyed] = 0.0
    return errors


def _neighbouring_keys(keyed: Array) -> tuple[Array, Array]:
    """For each frame the key at or before it and the key at or after it: (B, F) each."""
    frames = np.arange(keyed.shape[1])
    before = np.maximum.accumulate(np.where(keyed, frames, 0), axis=1)
    after = np.minimum.accumulate(np.where(keyed, frames, keyed.shape[1] - 1)[:, ::-1], axis=1)[:, ::-1]
    return before, after


def _hermite_interpolation(group: _CurveGroup, before: Array, after: Array) -> Array:
    """The curves' values (k, F, n) on every frame."""
    span = (after - before)[..., None]
    u = (np.arange(before.shape[1]) - before)[..., None] / np.maximum(span, 1)
    row = np.arange(len(before))[:, None]
    smoothstep = smoothstep(u)
    start, end = group.values[row, before], group.values[row, after]
    tangent_weight = (u * (1.0 - u)) * span
    return (
        start
        + smoothstep * (end - start)
        + tangent_weight * ((1.0 - u) * group.tangents[row, before] - u * group.tangents[row, after])
    )


def _distance(curve: Array, group: _CurveGroup) -> Array:
    """How far the curves' values (k, F, n) are from the movement, as an angle or as a distance: (k, F)."""
    if group.quaternions is None or group.mode is None:
        return np.linalg.norm(curve - group.values, axis=-1)
    cosine = np.abs(np.sum(rotation_modes.to_quaternions(curve, group.mode) * group.quaternions, axis=-1))
    return 2.0 * np.arccos(np.minimum(cosine, 1.0))


def _worst_frames(errors: Array, keyed: Array) -> Array:
    """The worst frame of each span between keys that is out of tolerance somewhere: (B, F) bool."""
    starts = np.flatnonzero(keyed)
    spans = np.cumsum(keyed) - 1
    flat = errors.ravel()
    highest = np.maximum.reduceat(flat, starts)[spans]
    candidates = np.flatnonzero((flat == highest) & (flat > 1.0))
    _, first = np.unique(spans[candidates], return_index=True)
    worst = np.zeros(keyed.shape, bool)
    worst.ravel()[candidates[first]] = True
    return worst


def _remove_redundant_keys(groups: Sequence[_CurveGroup], keyed: Array, parity: int) -> Array:
    """The keys less those of every second one that may go; neighbours never go at once."""
    inner = keyed.copy()
    inner[:, [0, -1]] = False
    removable = inner & (np.cumsum(keyed, axis=1) % 2 == parity)
    fewer = keyed & ~removable
    return fewer | (removable & _spans_over_tolerance(_errors(groups, fewer), fewer))


def _spans_over_tolerance(errors: Array, keyed: Array) -> Array:
    """The frames (B, F) in spans between keys that are out of tolerance somewhere."""
    starts = np.flatnonzero(keyed)
    spans = np.cumsum(keyed) - 1
    return (np.maximum.reduceat(errors.ravel(), starts)[spans] > 1.0).reshape(keyed.shape)
