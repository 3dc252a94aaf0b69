"""Dancers in a scene: an armature with a body, added in a T-pose or with a movement."""

import bpy

from rigs.motion import Motion
from rigs.skeleton import DEFAULT, Skeleton

from ..background_job import Outcome, Refused
from ..context_access import scene_of
from ..properties import settings
from . import armatures, keyframes, mannequin


def add(
    context: bpy.types.Context, name: str, skeleton: Skeleton, *, partner: bool, body: bool = True
) -> bpy.types.Object:
    """Add a T-posed dancer, in the partner's colour or the leader's, and leave its armature active."""
    dancer = armatures.add(context, name, skeleton)
    if body:
        mannequin.add(context, dancer, skeleton, mannequin.TEAL if partner else mannequin.CORAL)
    return dancer


def dance(context: bpy.types.Context, dancer: bpy.types.Object, motion: Motion, name: str, first: int) -> None:
    """Let the dancer move as `motion` does from frame `first` on, and lengthen the scene where it is too short."""
    keyframes.assign(dancer, armatures.key(dancer, motion, name, first))
    scene_of(context).frame_end = max(scene_of(context).frame_end, first + len(motion) - 1)


def frames_of(scene: bpy.types.Scene, *pair: bpy.types.Object | None) -> range:
    """The frames in which any of the dancers has keys; the scene's own without keys."""
    ranges = [frames for dancer in pair if dancer and (frames := keyframes.frame_range(dancer))]
    if not ranges:
        return range(scene.frame_start, scene.frame_end + 1)
    return range(min(frames.start for frames in ranges), max(frames.stop for frames in ranges))


def pair_of(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The scene's leader, or else the active object, and the partner where there is one. Raises Refused."""
    wanted, things = settings.of(context), scene_of(context).objects
    leader, partner = (thing if thing and thing.name in things else None for thing in (wanted.leader, wanted.partner))
    pair = list(dict.fromkeys(dancer for dancer in (leader or context.active_object, partner) if dancer))
    if not pair:
        raise Refused("Choose a leader first: import a mocap file or select a dancer")
    return pair


def any_keyed(scene: bpy.types.Scene) -> bool:
    """Whether a dancer of the scene has keys already, and so a frame rate to keep."""
    return any(armatures.is_dancer(thing) and keyframes.frame_range(thing) for thing in scene.objects)


class PASDEDEUX_OT_add_dancer(bpy.types.Operator):
    """Add a dancer in a T-pose, to be animated by hand"""

    bl_idname = "pasdedeux.add_dancer"
    bl_label = "Add Dancer"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> Outcome:
        pair = settings.of(context)
        dancer = add(context, "Dancer", DEFAULT, partner=pair.leader is not None)
        if pair.leader is None:
            pair.leader = dancer
        return {"FINISHED"}


CLASSES = (PASDEDEUX_OT_add_dancer,)
