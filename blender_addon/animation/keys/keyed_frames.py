"""Frames whose poses the animator means: those of selected keyframes, and of keyframes edited since their generation.

A generated action remembers a hash of the keyframes of each of its frames, in a custom property that is saved with it.
Moving, inserting or deleting keyframes changes the hash of their frames.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from rigs import Array

from . import fcurves

_HASHES = "pas_de_deux_keys"
"""The action's custom property: each frame with keyframes, and the hash of these."""
_MIX = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio's 64 bits, which spread over all bits of a product
_SPARSE = 0.5  # keyframes on no more than this share of the frames were set by hand


def remember_keys(action: bpy.types.Action, obj: bpy.types.Object, *, edited: Iterable[int] = ()) -> None:
    """Remember the keyframes of the object's bones as generated, except at the frames that stay `edited` by hand."""
    hashes = _frame_hashes(_bone_curves(fcurves.copied_channelbag(action, obj).fcurves))
    for frame in edited:
        hashes.pop(frame, None)
    action[_HASHES] = [value for item in hashes.items() for value in item]


@dataclass(frozen=True)
class AnimatorsFrames:
    """The frames of an action whose poses the animator means, in rising order.

    selected: those of the selected keyframes of its bones; none if all are selected.
    edited: those with keyframes that were edited since their generation; in an action that was not generated, all with
    keyframes if these are sparse.
    """

    selected: tuple[int, ...] = ()
    edited: tuple[int, ...] = ()

    @classmethod
    def of(cls, obj: bpy.types.Object) -> "AnimatorsFrames":
        """The frames of the object's assigned action."""
        curves = _bone_curves(fcurves.action_fcurves(obj))
        return cls(_selected_frames(curves), _edited_frames(obj, curves))

    def __or__(self, other: "AnimatorsFrames") -> "AnimatorsFrames":
        return AnimatorsFrames(
            tuple(sorted({*self.selected, *other.selected})), tuple(sorted({*self.edited, *other.edited}))
        )

    @property
    def meant(self) -> tuple[int, ...]:
        """The selected frames; with none selected, those edited by hand."""
        return self.selected or self.edited


NO_FRAMES = AnimatorsFrames()


def _selected_frames(curves: Sequence[bpy.types.FCurve]) -> tuple[int, ...]:
    selected: set[int] = set()
    every: set[int] = set()
    for curve in curves:
        frames, _ = _keys(curve)
        is_selected = np.empty(len(frames), bool)
        curve.keyframe_points.foreach_get("select_control_point", is_selected)
        every.update(frames.tolist())
        selected.update(frames[is_selected].tolist())
    return () if selected == every else tuple(sorted(selected))


def _edited_frames(obj: bpy.types.Object, curves: Sequence[bpy.types.FCurve]) -> tuple[int, ...]:
    hashes = _frame_hashes(curves)
    if not hashes:
        return ()
    assert obj.animation_data is not None
    assert obj.animation_data.action is not None
    remembered = obj.animation_data.action.get(_HASHES)
    if remembered is None:
        frames = sorted(hashes)
        is_sparse = len(frames) == 1 or len(frames) <= _SPARSE * (frames[-1] - frames[0] + 1)
        return tuple(frames) if is_sparse else ()
    known = np.array(remembered, np.int64).reshape(-1, 2).tolist()
    return tuple(sorted(hashes.keys() - {frame for frame, value in known if hashes.get(frame) == value}))


def _bone_curves(curves: Iterable[bpy.types.FCurve]) -> list[bpy.types.FCurve]:
    """The F-curves that move bones."""
    return [curve for curve in curves if curve.data_path.startswith("pose.bones[") and len(curve.keyframe_points)]


def _keys(curve: bpy.types.FCurve) -> tuple[Array, Array]:
    """The nearest frames (K,) int and the values (K,) float32 of an F-curve's keyframes."""
    co = np.empty((len(curve.keyframe_points), 2), np.float32)
    curve.keyframe_points.foreach_get("co", co.ravel())
    return np.rint(co[:, 0]).astype(np.int64), np.ascontiguousarray(co[:, 1])


def _frame_hashes(curves: Sequence[bpy.types.FCurve]) -> dict[int, int]:
    """A 31-bit hash of all keyframes at each frame that has some; it does not depend on the F-curves' order."""
    keys = [(_curve_hash(curve), *_keys(curve)) for curve in curves]
    if not keys:
        return {}
    first = min(int(frames.min()) for _, frames, _ in keys)
    count = max(int(frames.max()) for _, frames, _ in keys) - first + 1
    sums, keyed = np.zeros(count, np.uint64), np.zeros(count, bool)
    for curve_hash, frames, values in keys:
        bits = (values + np.float32(0.0)).view(np.uint32).astype(np.uint64)  # -0 becomes 0
        mixed = (bits + curve_hash) * _MIX
        sums[frames - first] += mixed ^ (mixed >> np.uint64(29))
        keyed[frames - first] = True
    return {int(f) + first: int(sums[f] >> np.uint64(33)) for f in np.flatnonzero(keyed)}


def _curve_hash(curve: bpy.types.FCurve) -> np.uint64:
    return np.uint64(zlib.crc32(f"{curve.data_path}[{curve.array_index}]".encode()) << 32)
