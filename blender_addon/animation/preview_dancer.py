"""A dancer that shows a partner while it is generated: keyed block by block, and removed when the job ends.

It is an object of its own, so that neither the partner nor its action is touched before the result is there. All its
data-blocks bear a mark, by which saved files and undo steps that were made meanwhile are cleared of it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import bpy
import numpy as np

from rigs import Array, rotations
from rigs.motion import Motion
from rigs.skeleton import JOINTS

from ..background_job import main_slot
from ..context_access import armature_data
from . import armatures, mannequin
from .keys import fcurves, keyframes

_MARK = "pas_de_deux_preview"
"""The custom property of the data-blocks that belong to a preview."""
_MAX_KEYS = 1_500  # of a channel; a longer preview is keyed on every second frame, every third...
_RADIUS = 0.05  # m, of the bones' envelopes but these:
_RADII = {
    **dict.fromkeys(("pelvis", "spine1", "spine2", "spine3"), 0.11),
    **dict.fromkeys(("jaw", "left_hip", "right_hip"), 0.085),
    **dict.fromkeys(("left_wrist", "right_wrist", "left_thumb", "right_thumb", "left_middle", "right_middle"), 0.025),
}


class PreviewDancer:
    """The preview of one job: the frames that have arrived, and the dancer that plays them.

    name: of the dancer.  first: the scene's frame of the job's first frame.  rate: the scene's frames a second.
    metres: the metres in one Blender unit.
    """

    def __init__(self, name: str, first: int, rate: float, metres: float) -> None:
        self._name, self._first, self._rate, self._metres = name, first, rate, metres
        self._dancer_name = ""
        self._last: Array | None = None  # (29, 4), the last frame's rotations
        self._times: list[Array] = []
        self._values: list[Array] = []  # (F, n) of each block, the columns of all channels

    def show(self, context: bpy.types.Context, blocks: Sequence[tuple[int, Motion]]) -> None:
        """Key blocks that have arrived: of each the first of its frames, from 0 at its own rate, and its motion.

        The dancer is added with the first block, and again if an undo step has removed it.
        """
        dancer = self._find_dancer() or self._add_dancer(context, blocks[0][1])
        for first, motion in blocks:
            local = motion.rotations
            if self._last is not None:
                local = rotations.unroll(np.concatenate([self._last[None], local]))[1:]
            local = rotations.unroll(local)
            self._last = local[-1]
            channels = armatures.motion_channels(dancer, replace(motion, rotations=local), metres=self._metres)
            self._times.append(self._first + (first + np.arange(len(motion))) * (self._rate / motion.fps))
            self._values.append(np.concatenate([channel.columns for channel in channels]).T)
        times, values = np.concatenate(self._times), np.concatenate(self._values)
        step = 1 + (len(times) - 1) // _MAX_KEYS
        curves = fcurves.action_fcurves(dancer)
        for curve, column in zip(curves, values.T, strict=True):
            fcurves.set_values(curve, times[::step], column[::step])

    def _find_dancer(self) -> bpy.types.Object | None:
        """The dancer, unless it was removed or its F-curves were."""
        dancer = bpy.data.objects.get(self._dancer_name)
        if dancer is None or _MARK not in dancer or len(fcurves.action_fcurves(dancer)) != 3 + 4 * len(JOINTS):
            return None
        return dancer

    def _add_dancer(self, context: bpy.types.Context, motion: Motion) -> bpy.types.Object:
        """Add a dancer whose bones are drawn as capsules, which takes less time than a mannequin."""
        remove_previews()
        dancer = armatures.create_armature(context, self._name, motion.skeleton, metres=self._metres)
        armature = armature_data(dancer)
        armature.display_type = "ENVELOPE"
        dancer.show_in_front, dancer.hide_select = False, True
        for joint in JOINTS:
            bone = armature.bones[joint]
            bone.head_radius = bone.tail_radius = _RADII.get(joint, _RADIUS) / self._metres
            assert bone.color is not None
            bone.color.palette = "CUSTOM"
            assert bone.color.custom is not None
            bone.color.custom.normal = mannequin.TEAL
        channels = armatures.motion_channels(dancer, motion[:1], metres=self._metres)
        action = keyframes.create_action(dancer, self._name, channels, self._first)
        keyframes.assign_action(dancer, action)
        for block in (dancer, armature, action):
            block[_MARK] = True
        self._dancer_name = dancer.name
        return dancer


def remove_previews() -> None:
    """Remove all that belongs to previews."""
    collections: tuple[Any, ...] = (bpy.data.objects, bpy.data.armatures, bpy.data.actions)
    for collection in collections:
        for block in [block for block in collection if _MARK in block]:
            collection.remove(block)


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def _clear_restored_step(*_: object) -> None:
    """Remove a preview that an undo step has brought back after its job has ended."""
    if main_slot.job is None:
        remove_previews()


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def _clear_before_save(*_: object) -> None:
    """Keep previews out of files; the next block that arrives adds the dancer again."""
    remove_previews()


def register_handlers() -> None:
    """Remove previews when their job ends, from undo steps and from saved files."""
    main_slot.end_listeners.append(remove_previews)
    for handlers in (bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        handlers.append(_clear_restored_step)
    bpy.app.handlers.save_pre.append(_clear_before_save)


def unregister_handlers() -> None:
    """Remove what `register_handlers` added."""
    main_slot.end_listeners.remove(remove_previews)
    for handlers in (bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        handlers.remove(_clear_restored_step)
    bpy.app.handlers.save_pre.remove(_clear_before_save)
