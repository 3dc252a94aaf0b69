"""Dancers of a scene: adding and animating them, the duet's leader and partner, and the frames that they cover."""

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from backend.wire.validation import MAX_FRAMES, MAX_SECONDS
from rigs.files.takes.key_times import usual_rate
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
from . import armatures, mannequin, rig_motion, source_checks
from .keys import fcurves, frame_ranges, keyframes
from .sampling import evaluation
from .scene_animation import holds_animation

NO_LEADER = "Choose a leader first: import a mocap file or select a dancer"
"""The error of operators that need a leader."""
_MAX_SOURCE_FRAMES = 500_000
"""Frames of a motion to retarget: over two hours at 60 frames per second."""


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
    """The frames that the dancers' animation covers together; the scene's frame range without animation.

    A dancer without keys of its own has the frames of what moves it. Stray keys far from the movement do not count; a
    movement that repeats goes on over the scene's range. Raises OperatorError for an action that plays nothing.
    """
    timeline = range(scene.frame_start, scene.frame_end + 1)
    ranges: list[range] = []
    for dancer in dancers:
        if dancer is None:
            continue
        _require_slot(dancer)
        animated = frame_ranges.animated_frames(dancer)
        if animated is None:
            moved = [frame_ranges.frame_range(other) for other in source_checks.movers(dancer)]
            ranges += [frames for frames in moved if frames]
            continue
        ranges += [frames for frames in (animated.frames, timeline if animated.repeats else range(0)) if frames]
    if not ranges:
        return timeline
    return range(min(frames.start for frames in ranges), max(frames.stop for frames in ranges))


def _require_slot(dancer: bpy.types.Object) -> None:
    """Raise OperatorError for an action none of whose slots is assigned, so that it moves nothing."""
    animation = dancer.animation_data
    if animation is None or animation.action is None or not hasattr(animation, "action_slot"):
        return
    if animation.action_slot is None and any(True for _ in fcurves.all_fcurves(animation.action)):
        raise OperatorError(
            f"{dancer.name}: no slot of its action {animation.action.name} is assigned, so that it plays nothing: "
            "choose the slot in the Action Editor"
        )


def requested_frames(scene: bpy.types.Scene, *dancers: bpy.types.Object | None) -> range:
    """The frames of `frames_of`. Raises OperatorError for more than a request may have, before they are sampled."""
    return _require_at_most(frames_of(scene, *dancers), min(MAX_FRAMES, int(MAX_SECONDS * frame_rate(scene))), *dancers)


def source_frames(scene: bpy.types.Scene, *sources: bpy.types.Object) -> range:
    """The frames of `frames_of` to retarget. Raises OperatorError for too many, and for a source that nothing moves."""
    for source in sources:
        if not (frame_ranges.is_animated(source) or source_checks.may_move(source)):
            _require_slot(source)
            raise OperatorError(f"{source.name} has no keyframes: an animated source expected")
    return _require_at_most(frames_of(scene, *sources), _MAX_SOURCE_FRAMES, *sources)


def _require_at_most(frames: range, most: int, *dancers: bpy.types.Object | None) -> range:
    """The frames. Raises OperatorError for more than `most`."""
    if len(frames) > most:
        names = " and ".join(dancer.name for dancer in dancers if dancer)
        raise OperatorError(
            f"{names}: keyframes over at most {most} frames expected, over {len(frames)} found; a Manual Frame Range "
            "of the action chooses others"
        )
    return frames


@dataclass(frozen=True)
class SampledDancers:
    """The motions of dancers in one world, the metres in one Blender unit there, and warnings on what was sampled."""

    motions: list[Motion]
    metres: float
    warnings: tuple[str, ...] = ()


def sample_dancers(context: bpy.types.Context, dancers: Sequence[bpy.types.Object], frames: range) -> SampledDancers:
    """Sample the dancers' motions in one world, the first one a person's size, as if all of them showed.

    Raises ValueError.
    """
    with evaluation.pose_position(dancers) as at_rest:
        evaluation.update_transforms(context, dancers)
        metres = rig_motion.body_metres(context, dancers[0])
        motions = [rig_motion.sample_rig_motion(context, dancer, frames, metres=metres) for dancer in dancers]
    warnings = [f"{dancer.name} is shown in Rest Position: its pose was read all the same" for dancer in at_rest]
    for dancer, motion in zip(dancers, motions, strict=True):
        warnings += [source_checks.size_warning(dancer), source_checks.driver_warning(dancer)]
        warnings.append(source_checks.still_warning(dancer, motion, frames))
    return SampledDancers(motions, metres, tuple(filter(None, warnings)))


def missing_dancers(context: bpy.types.Context) -> tuple[str, ...]:
    """Warnings on a Leader and a Partner that are set but are not in the scene, and so are not used."""
    settings = scene_settings(context)
    return tuple(
        f"{dancer.name}, which is set as {role}, is not in this scene and was not used"
        for role, dancer in (("Leader", settings.leader), ("Partner", settings.partner))
        if is_missing(context, dancer)
    )


def is_missing(context: bpy.types.Context, dancer: bpy.types.Object | None) -> bool:
    """Whether a dancer is set that cannot be used, as it is not in the scene."""
    return dancer is not None and _in_scene(context, dancer) is None


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
