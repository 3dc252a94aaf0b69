"""NLA tracks: strips that play actions, and the correction layer, an additive action above a take.

The correction layer is the object's assigned action, combined with a strip below it that plays the take. All that
assigns or rewrites a take does so `beneath_corrections`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
import numpy as np

from . import fcurves

_MARK = "pas_de_deux_correction"
"""The custom property of actions that are correction layers."""


def has_correction_layer(obj: bpy.types.Object) -> bool:
    """Whether the object's assigned action is a correction layer."""
    animation = obj.animation_data
    if animation is None or animation.action is None or animation.use_tweak_mode:
        return False
    return bool(animation.action.get(_MARK))


def has_solo_track(animation: bpy.types.AnimData) -> bool:
    """Whether an NLA track is solo, so that neither the other tracks nor the assigned action play."""
    return animation.use_nla and any(track.is_solo for track in animation.nla_tracks)


def played_strips(obj: bpy.types.Object) -> Iterator[bpy.types.NlaStrip]:
    """The object's NLA strips that Blender plays: of the solo track, else of the unmuted ones; none with NLA off."""
    animation = obj.animation_data
    if animation is None or not animation.use_nla:
        return
    solo = [track for track in animation.nla_tracks if track.is_solo]
    for track in solo or [track for track in animation.nla_tracks if not track.mute]:
        yield from (strip for strip in track.strips if not strip.mute)


def base_action(obj: bpy.types.Object) -> bpy.types.Action | None:
    """The action that moves the object: below its correction layer the take's, else the assigned one."""
    if not has_correction_layer(obj):
        return obj.animation_data.action if obj.animation_data else None
    track = _take_track(obj)
    return track.strips[0].action if track else None


def add_correction_layer(obj: bpy.types.Object) -> bpy.types.Action:
    """Push the assigned action down to a strip and assign a new, empty action that combines with it: keys correct it.

    The object has an action or strips, and no correction layer.
    """
    animation = obj.animation_data
    assert animation is not None
    take = animation.action
    correction = bpy.data.actions.new(f"{take.name if take else obj.name} correction")
    correction[_MARK] = True
    fcurves.create_channelbag(correction, obj)
    if take is not None:
        push_down(animation)
    _assign_correction(animation, correction)
    return correction


def remove_correction_layer(obj: bpy.types.Object) -> bpy.types.Action | None:
    """Assign the take again in place of its correction layer, which stays in the file; return the take's action."""
    animation = obj.animation_data
    assert animation is not None
    correction, track = animation.action, _take_track(obj)
    assert correction is not None
    _lift(animation, track)
    if track is not None:
        animation.nla_tracks.remove(track)
    correction.use_fake_user = True
    return animation.action


@contextmanager
def beneath_corrections(obj: bpy.types.Object) -> Iterator[None]:
    """Assign the take in place of the correction layer meanwhile; afterwards what is assigned then lies below it."""
    if not has_correction_layer(obj):
        yield
        return
    animation = obj.animation_data
    assert animation is not None
    correction, track = animation.action, _take_track(obj)
    assert correction is not None
    slot, influence = getattr(animation, "action_slot", None), animation.action_influence
    kept = correction.use_fake_user
    correction.use_fake_user = True
    _lift(animation, track)
    try:
        yield
    finally:
        if animation.action is not None:
            push_down(animation, track)
        elif track is not None:
            animation.nla_tracks.remove(track)
        _assign_correction(animation, correction)
        if slot is not None:
            animation.action_slot = slot
        animation.action_influence = influence
        correction.use_fake_user = kept


def push_down(animation: bpy.types.AnimData, track: bpy.types.NlaTrack | None = None) -> None:
    """Move the assigned action to a strip that plays it as before, on a new track above the others or on `track`."""
    action = animation.action
    assert action is not None
    slot = getattr(animation, "action_slot", None)
    strip = add_strip(animation, action, slot, track)
    strip.blend_type, strip.extrapolation = animation.action_blend_type, animation.action_extrapolation
    if animation.action_influence < 1.0:
        strip.use_animated_influence, strip.influence = True, animation.action_influence
    animation.action = None
    animation.action_blend_type, animation.action_influence = "REPLACE", 1.0


def add_strip(
    animation: bpy.types.AnimData,
    action: bpy.types.Action,
    slot: "bpy.types.ActionSlot | None",
    track: bpy.types.NlaTrack | None = None,
) -> bpy.types.NlaStrip:
    """Add a strip that plays the action at the frames of its keyframes, on a new track or on an empty one."""
    start, end = action.curve_frame_range[0], action.curve_frame_range[1]
    track = track or animation.nla_tracks.new()
    track.name = action.name
    strip = track.strips.new(action.name, int(np.floor(start)), action)
    strip.action_frame_start, strip.action_frame_end = start, end
    strip.frame_start, strip.frame_end = start, max(end, start + 1.0)
    if slot is not None:
        strip.action_slot = slot
    return strip


def _assign_correction(animation: bpy.types.AnimData, correction: bpy.types.Action) -> None:
    animation.action = correction
    if hasattr(animation, "action_slot"):
        animation.action_slot = correction.slots[0]
    animation.action_blend_type, animation.action_extrapolation = "COMBINE", "HOLD"


def _take_track(obj: bpy.types.Object) -> bpy.types.NlaTrack | None:
    """The track whose strip plays the take below the correction layer: the topmost one that is not additive."""
    assert obj.animation_data is not None
    for track in reversed(obj.animation_data.nla_tracks):
        if not track.mute and len(track.strips) == 1 and track.strips[0].blend_type == "REPLACE":
            return track
    return None


def _lift(animation: bpy.types.AnimData, track: bpy.types.NlaTrack | None) -> None:
    """Assign the action of the take's strip as it was before it was pushed down, and remove the strip."""
    animation.action = None
    animation.action_blend_type, animation.action_influence = "REPLACE", 1.0
    if track is None:
        return
    strip = track.strips[0]
    action, slot, extrapolation = strip.action, getattr(strip, "action_slot", None), strip.extrapolation
    track.strips.remove(strip)
    animation.action = action
    if slot is not None:
        animation.action_slot = slot
    animation.action_extrapolation = extrapolation
