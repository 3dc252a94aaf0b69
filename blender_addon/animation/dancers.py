"""Dancers of a scene: adding and animating them, the duet's leader and partner, and the frames that they cover."""

import bpy

from rigs.motion import Motion
from rigs.skeleton import Skeleton

from ..background_job import OperatorError
from ..context_access import active_scene, active_view_layer, extend_frame_range, window_manager
from ..properties.settings import scene_settings
from . import armatures, keyframes, mannequin

NO_LEADER = "Choose a leader first: import a mocap file or select a dancer"
"""The error of operators that need a leader."""


def add_dancer(
    context: bpy.types.Context, name: str, skeleton: Skeleton, *, partner: bool, body: bool = True
) -> bpy.types.Object:
    """Add a dancer in its T-pose, with a mannequin in the leader's or partner's colour; the selection stays."""
    dancer = armatures.create_armature(context, name, skeleton)
    if body:
        mannequin.add_mannequin(context, dancer, skeleton, mannequin.TEAL if partner else mannequin.CORAL)
    return dancer


def animate_dancer(context: bpy.types.Context, dancer: bpy.types.Object, motion: Motion, name: str, first: int) -> None:
    """Assign an action that plays the motion from frame `first`, and extend the scene's frame range to its end."""
    keyframes.assign_action(dancer, armatures.create_motion_action(dancer, motion, name, first))
    extend_frame_range(active_scene(context), first + len(motion) - 1)


def select_only(context: bpy.types.Context, dancer: bpy.types.Object) -> None:
    """Make a dancer the active and only selected object, in Object Mode, and show it in local views."""
    layer = active_view_layer(context)
    if context.mode != "OBJECT":
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


def scene_dancers(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The scene's leader, else the active object, then the partner if there is one. Raises OperatorError."""
    settings, objects = scene_settings(context), active_scene(context).objects
    leader, partner = (obj if obj and obj.name in objects else None for obj in (settings.leader, settings.partner))
    dancers = list(dict.fromkeys(dancer for dancer in (leader or context.active_object, partner) if dancer))
    if not dancers:
        raise OperatorError(NO_LEADER)
    return dancers


def has_animated_dancer(scene: bpy.types.Scene) -> bool:
    """Whether any dancer of the scene has keyframes, so that the frame rate must stay."""
    return any(armatures.is_dancer(obj) and keyframes.frame_range(obj) for obj in scene.objects)
