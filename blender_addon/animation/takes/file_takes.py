"""Takes of a mocap file that holds several: each an action of the dancers that came in, in the list of takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import bpy

from rigs.motion import Motion, resample

from ...context_access import active_scene, metres_per_unit
from ...properties.settings import scene_settings
from .. import armatures
from ..keys import nla
from .take_list import TakeRecord, add_entry
from .take_records import free_action_name

_OWN = "own"


@dataclass(frozen=True)
class FileTake:
    """A take by its name in the file.

    motions: of each dancer that it moves, by the dancer's number among the imported.  shown: who of them dance it now.
    """

    name: str
    motions: Mapping[int, Motion]
    shown: frozenset[int]

    def at_rate(self, fps: float) -> "FileTake":
        """The take, resampled."""
        return replace(self, motions={n: resample(motion, fps) for n, motion in self.motions.items()})

    def scale(self, factor: float) -> "FileTake":
        """The take with all lengths multiplied by a factor."""
        if factor == 1.0:
            return self
        motions = {
            n: Motion(motion.fps, motion.skeleton.scale(factor), motion.root * factor, motion.rotations)
            for n, motion in self.motions.items()
        }
        return replace(self, motions=motions)


def keep_file_takes(
    context: bpy.types.Context, dancers: Sequence[bpy.types.Object], takes: Sequence[FileTake], first: int
) -> None:
    """List the takes, each an action from frame `first` on; the dancers dance those that are shown already.

    Two dancers share an entry; of more, each has one of its own.
    """
    for number, take in enumerate(takes, start=1):
        together = len(take.motions) <= 2
        groups = [list(take.motions)] if together else [[n] for n in take.motions]
        for group in groups:
            name = take.name if together else f"{take.name} {group[0] + 1}"
            actions = [_action(context, dancers[n], take, n, name, first) for n in group]
            entry = add_entry(context, TakeRecord(_OWN, "", 0, number), actions[0].name)
            entry.action, entry.dancer = actions[0], dancers[group[0]]
            if len(group) > 1:
                entry.partner_action, entry.partner = actions[1], dancers[group[1]]
    shown = [index for index, entry in enumerate(scene_settings(context).take_list) if _is_danced(entry, dancers)]
    scene_settings(context).take_index = shown[0] if shown else 0


def _action(
    context: bpy.types.Context, dancer: bpy.types.Object, take: FileTake, n: int, name: str, first: int
) -> bpy.types.Action:
    """The action with which a dancer dances the take, kept in the file though nothing uses it."""
    action = nla.base_action(dancer) if n in take.shown else None
    if action is None:
        metres = metres_per_unit(active_scene(context))
        action = armatures.create_motion_action(dancer, take.motions[n], name, first, metres=metres)
    action.name = free_action_name(name, action, ())
    action.use_fake_user = True
    return action


def _is_danced(entry: object, dancers: Sequence[bpy.types.Object]) -> bool:
    action = getattr(entry, "action", None)
    return action is not None and any(nla.base_action(dancer) == action for dancer in dancers)
