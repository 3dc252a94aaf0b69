"""Dancers of a scene: adding and animating them, the duet's leader and partner, and the frames that they cover."""

from collections.abc import Sequence

import bpy
import numpy as np

from backend.wire.validation import MAX_FRAMES, MAX_SECONDS
from rigs.files.key_times import usual_rate
from rigs.motion import Motion
from rigs.retargeting.pose_reduction import KeyedMotion
from rigs.skeleton import Skeleton

from ..background_job import OperatorError
from ..context_access import (
    active_scene,
    active_view_layer,
    extend_frame_range,
    frame_rate,
    is_in_scene,
    metres_per_unit,
    set_frame_rate,
    window_manager,
)
from ..properties.settings import scene_settings
from ..properties.take_list import GHOST
from . import armatures, mannequin, rig_motion
from .keys import keyframes
from .scene_animation import holds_animation

NO_LEADER = "Choose a leader first: import a mocap file or select a dancer"
"""The error of operators that need a leader."""


def add_dancer(
    context: bpy.types.Context,
    name: str,
    skeleton: Skeleton,
    *,
    partner: bool,
    body: bool = True,
    metres: float | None = None,
) -> bpy.types.Object:
    """Add a dancer in its T-pose, with a mannequin in the leader's or partner's colour; the selection stays.

    metres: the metres in one Blender unit; the scene's if it is not given.
    """
    metres = metres or metres_per_unit(active_scene(context))
    dancer = armatures.create_armature(context, name, skeleton, metres=metres)
    if body:
        colour = mannequin.TEAL if partner else mannequin.CORAL
        mannequin.add_mannequin(context, dancer, skeleton, colour, metres=metres)
    return dancer


def animate_dancer(
    context: bpy.types.Context, dancer: bpy.types.Object, motion: Motion | KeyedMotion, name: str, first: int
) -> None:
    """Assign an action that plays the motion from frame `first`, and extend the scene's frame range to its end.

    The dancer is one that `add_dancer` added at the scene's unit.
    """
    metres = metres_per_unit(active_scene(context))
    keyframes.assign_action(dancer, armatures.create_motion_action(dancer, motion, name, first, metres=metres))
    extend_frame_range(active_scene(context), first + len(motion) - 1)


def select_only(context: bpy.types.Context, dancer: bpy.types.Object) -> None:
    """Make a dancer the active and only selected object, in Object Mode, and show it in local views."""
    layer = active_view_layer(context)
    # A hidden object cannot leave its mode, and need not.
    if context.mode != "OBJECT" and bpy.ops.object.mode_set.poll():  # type: ignore[call-arg]
        bpy.ops.object.mode_set(mode="OBJECT")
    for obj in list(layer.objects.selected):
        obj.select_set(False)
    dancer.select_set(True)
    layer.objects.active = dancer
    show_in_local_views(context, dancer)


def show_in_local_views(context: bpy.types.Context, dancer: bpy.types.Object) -> None:
    """Show a dancer and its body in the viewports that are in local view and would hide a new object."""
    for window in window_manager(context).windows:
        for area in window.screen.areas:
            for space in area.spaces:
                if isinstance(space, bpy.types.SpaceView3D) and space.local_view is not None:
                    for obj in (dancer, *dancer.children):
                        obj.local_view_set(space, True)


def frames_of(scene: bpy.types.Scene, *dancers: bpy.types.Object | None) -> range:
    """The frames that the dancers' animation covers together; the scene's frame range without animation."""
    ranges = [frames for dancer in dancers if dancer and (frames := keyframes.frame_range(dancer))]
    if not ranges:
        return range(scene.frame_start, scene.frame_end + 1)
    return range(min(frames.start for frames in ranges), max(frames.stop for frames in ranges))


def requested_frames(scene: bpy.types.Scene, *dancers: bpy.types.Object | None) -> range:
    """The frames of `frames_of`. Raises OperatorError for more than a request may have, before they are sampled."""
    frames = frames_of(scene, *dancers)
    most = min(MAX_FRAMES, int(MAX_SECONDS * frame_rate(scene)))
    if len(frames) > most:
        names = " and ".join(dancer.name for dancer in dancers if dancer)
        raise OperatorError(f"{names}: keyframes over at most {most} frames expected, over {len(frames)} found")
    return frames


def sample_dancers(
    context: bpy.types.Context, dancers: Sequence[bpy.types.Object], frames: range
) -> tuple[list[Motion], float]:
    """The dancers' motions in one world, the first one a person's size, and the metres in one Blender unit there.

    Raises ValueError.
    """
    metres = rig_motion.body_metres(context, dancers[0])
    motions = [rig_motion.sample_rig_motion(context, dancer, frames, metres=metres) for dancer in dancers]
    return motions, metres


def scene_partner(context: bpy.types.Context) -> bpy.types.Object | None:
    """The dancer set as the partner, if it is in the scene."""
    return _in_scene(context, scene_settings(context).partner)


def require_leader(context: bpy.types.Context) -> bpy.types.Object:
    """The dancer set as the leader, else the active armature, but never the partner. Raises OperatorError."""
    leader = _in_scene(context, scene_settings(context).leader)
    if leader is not None:
        return leader
    active, partner = context.active_object, scene_partner(context)
    armature = active if active is None or active.type == "ARMATURE" else active.find_armature()
    if active is None or active.get(GHOST):
        raise OperatorError(NO_LEADER)
    if armature is not None and armature == partner:
        raise OperatorError(f"{partner.name} is the partner: choose the other dancer as Leader in the Leader panel")
    return armature or active


def scene_dancers(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The scene's leader, by `require_leader`, then the partner if there is one. Raises OperatorError."""
    leader, partner = require_leader(context), scene_partner(context)
    return [leader] if partner is None or partner == leader else [leader, partner]


def _in_scene(context: bpy.types.Context, dancer: bpy.types.Object | None) -> bpy.types.Object | None:
    """The dancer, or None for one that is not, or no longer, in the scene, and for a take's ghost."""
    if dancer is None or not is_in_scene(active_scene(context), dancer) or dancer.get(GHOST):
        return None
    return dancer


def new_leader(context: bpy.types.Context, leader: bpy.types.Object) -> None:
    """Set the leader; a dancer that was another leader's partner stays that one's, so the partner field is cleared."""
    settings = scene_settings(context)
    if settings.leader is not None and armatures.is_dancer(settings.partner):
        settings.partner = None
    settings.leader = leader


def choose_frame_rate(scene: bpy.types.Scene, fps: float, *, match: bool = True) -> tuple[float, str]:
    """The scene's frame rate, set before to a file's `fps` if nothing in it is animated and that is a usual rate.

    match: whether it may be set.  Also one sentence for the user on what was done, empty if the rates agree.
    """
    rate = frame_rate(scene)
    if np.isclose(fps, rate, rtol=1e-5):
        return rate, ""
    resampled = f"Resampled from {fps:g} to {rate:g} frames per second"
    if holds_animation(scene):
        return rate, f"{resampled}: the scene holds animation, its rate stays"
    if not match or usual_rate(fps) is None:
        return rate, f"{resampled}: the scene's rate stays"
    set_frame_rate(scene, fps)
    return frame_rate(scene), f"The scene's frame rate was {rate:g} and is now {fps:g}, as in the file"
