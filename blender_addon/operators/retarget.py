"""Movement from one armature to another: read, adapt in numpy, key in bulk."""

from collections.abc import Callable
from dataclasses import dataclass

import bpy
import numpy as np

from rigs import Array, rotations
from rigs.characters import to_motion
from rigs.characters.humanoid import Humanoid, humanoid_from_rig
from rigs.characters.posed_humanoid import PosedHumanoid
from rigs.motion import Motion
from rigs.retargeting.bone_transforms import RigMotion, RootMode, bone_transforms
from rigs.retargeting.retarget import RetargetOptions, retarget, retarget_pair

from .. import context_access
from ..animation import armatures, keyframes, rigify
from ..animation.pose_sampling import movement_of
from ..background_job import JobFunction, JobOperator, OperatorError, Reporter
from ..context_access import active_scene
from ..properties.retarget_settings import Options, draw
from . import bone_map


@dataclass(frozen=True)
class Wishes:
    """How the animator wants a movement carried over and keyed."""

    finish: RetargetOptions
    root: RootMode
    in_place: bool
    limbs: rigify.Limbs
    tolerance: keyframes.Tolerance | None
    onto: keyframes.Onto
    offset: int


class Retargeting(Options, JobOperator):
    """What the operators that retarget have in common"""

    bl_options = {"REGISTER", "UNDO"}
    label = "Retargeting"

    def wishes(self, *, hands: bool = True) -> Wishes:
        """The settings as they are now."""
        tolerance = keyframes.Tolerance(self.angle, self.distance) if self.reduce else None
        finish = RetargetOptions(plant_feet=self.contacts, keep_hand_holds=hands)
        return Wishes(finish, self.root, self.in_place, self.limbs, tolerance, self.onto, self.offset)


class PASDEDEUX_OT_retarget(Retargeting):
    """Let one rig move as another one does, whatever its bones and proportions"""

    bl_idname = "pasdedeux.retarget"
    bl_label = "Retarget"

    source: bpy.props.StringProperty(name="Source", description="The armature that moves", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    target: bpy.props.StringProperty(name="Target", description="The armature to be moved", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    partner_source: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Partner's Source", description="The source of the other dancer of a pair", options={"SKIP_SAVE"}
    )
    partner_target: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Partner's Target", description="The armature of the other dancer of a pair", options={"SKIP_SAVE"}
    )
    _targets: tuple[str, ...] = ()
    _first = 1

    def draw(self, context: bpy.types.Context) -> None:
        assert self.layout
        pair = bool(self.partner_source or self.partner_target)
        draw(self.layout, self, pair=pair, controls=has_controls(context, self.target))

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        pairs = [_chosen(context, self.source, self.target)]
        if self.partner_source or self.partner_target:
            pairs.append((named(context, self.partner_source), named(context, self.partner_target)))
        sources, targets = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        if len({thing.name for thing in (*sources, *targets)}) < 2 * len(pairs):
            raise OperatorError(
                f"{targets[-1].name} is named twice: a source and a target of its own for each dancer expected"
            )
        for target in targets:
            expect_editable(target)
        ranges = [_frames(source) for source in sources]
        frames = range(min(r.start for r in ranges), max(r.stop for r in ranges))
        motions = [motion_of(context, source, frames) for source in sources]
        bodies = [body_for(target) for target in targets]
        wishes = self.wishes(hands=self.hands)
        ways = [way_to_pose(target, body, wishes) for target, body in zip(targets, bodies, strict=True)]
        self._targets, self._first = tuple(target.name for target in targets), frames.start + wishes.offset

        def work(reporter: Reporter) -> list[RigMotion]:
            reporter.progress(0.0, "adapting the movement")
            if len(motions) == 1:
                figures: tuple[PosedHumanoid, ...] = (retarget(motions[0], bodies[0], wishes.finish),)
            else:
                figures = retarget_pair((motions[0], motions[1]), (bodies[0], bodies[1]), wishes.finish)
            return [way(figure) for way, figure in zip(ways, figures, strict=True)]

        return work

    def apply(self, context: bpy.types.Context, result: list[RigMotion]) -> None:
        targets = [named(context, name) for name in self._targets]
        for target, motion in zip(targets, result, strict=True):
            key(context, target, motion, f"{target.name} dance", self._first, self.wishes())


def motion_of(context: bpy.types.Context, source: bpy.types.Object, frames: range) -> Motion:
    """The movement of any armature with a dancer's bones, as it is seen in the scene. Raises ValueError."""
    if armatures.is_dancer(source):
        return armatures.motion_of(context, source, frames)
    rig = armatures.rig_of(source)
    mapping = bone_map.mapping_of(source, rig)
    moved = movement_of(context, source, frames).of(rig.names)
    turned = rotations.multiply(moved.world, rotations.inverse(rig.turned)[:, None])
    rate = context_access.frame_rate(active_scene(context))
    return to_motion.motion_from_bones(rate, mapping.bones, turned, moved.places, rig.heads)


def key(
    context: bpy.types.Context, target: bpy.types.Object, motion: RigMotion, name: str, first: int, wishes: Wishes
) -> bpy.types.Action:
    """Let the rig move as `motion` does from frame `first` on, and lengthen the scene where it is too short."""
    assert target.pose is not None
    channels: list[keyframes.Channel] = []
    for bone, turns in motion.rotations.items():
        channels += keyframes.channels_for(target.pose.bones[bone], turns, motion.locations.get(bone))
    if motion.object_transform is not None:
        turns, places = _carried(target, *motion.object_transform)
        channels += keyframes.channels_for(target, turns, places)
    frames = len(next(iter(motion.rotations.values())))
    if rigify.is_rigify(target):
        for bone, switch, value in rigify.switches(target, wishes.limbs):
            path = f'pose.bones["{bone}"]["{switch}"]'
            channels.append(keyframes.Channel(path, np.full((frames, 1), value), bone))
    scene = active_scene(context)
    scene.frame_end = max(scene.frame_end, first + frames - 1)
    return keyframes.write(target, channels, name=name, first=first, onto=wishes.onto, tolerance=wishes.tolerance)


def way_to_pose(target: bpy.types.Object, body: Humanoid, wishes: Wishes) -> Callable[[PosedHumanoid], RigMotion]:
    """How a figure becomes the movement of this rig; needs no Blender any more."""
    solved = wishes.limbs == "IK" and rigify.is_rigify(target)

    def to_pose(figure: PosedHumanoid) -> RigMotion:
        controls = rigify.controls(figure, body) if solved else ()
        motion = bone_transforms(figure, body, root=wishes.root, in_place=wishes.in_place, controls=controls)
        return rigify.without_fk(motion) if solved else motion

    return to_pose


def _carried(target: bpy.types.Object, turn: Array, shift: Array) -> tuple[Array, Array]:
    """The object's rotation (F, 4) and location (F, 3), carried from where it is in the world."""
    if target.parent is not None:
        raise OperatorError(f"{target.name} hangs on {target.parent.name}: clear its parent, or let the hips carry the way")
    matrix = np.array(target.matrix_world)
    own = rotations.from_matrix(matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0))
    return rotations.multiply(turn, own), rotations.rotate(turn, matrix[:3, 3]) + shift


def body_for(target: bpy.types.Object) -> Humanoid:
    """What a rig is to a dancer, by its bone map. Raises NotADancer."""
    rig = armatures.rig_of(target)
    return humanoid_from_rig(rig, bone_map.mapping_of(target, rig))


def _chosen(context: bpy.types.Context, source: str, target: str) -> tuple[bpy.types.Object, bpy.types.Object]:
    """The source and the target by name; unnamed, from the other selected armature to the active one."""
    chosen = named(context, target) if target else context.active_object
    if chosen is None:
        raise OperatorError("Select the armature that moves, then the one to be moved")
    if source:
        return named(context, source), chosen
    others = [
        thing for thing in context.selected_objects if isinstance(thing.data, bpy.types.Armature) and thing != chosen
    ]
    if len(others) != 1:
        raise OperatorError(
            f"Choose the source of {chosen.name}'s movement: one other selected armature expected, found {len(others)}"
        )
    return others[0], chosen


def named(context: bpy.types.Context, name: str) -> bpy.types.Object:
    """The object of the scene with this name. Raises OperatorError."""
    thing = active_scene(context).objects.get(name)
    if thing is None:
        raise OperatorError(f"{name or 'A partner without a name'}: no such object in the scene")
    return thing


def has_controls(context: bpy.types.Context, target: str) -> bool:
    """Whether the rig to be moved, the active one where none is named, has controls for both FK and IK."""
    thing = active_scene(context).objects.get(target) if target else context.active_object
    return thing is not None and rigify.is_rigify(thing)


def expect_editable(target: bpy.types.Object) -> None:
    """Let only an armature pass that may be keyed. Raises OperatorError."""
    if not isinstance(target.data, bpy.types.Armature):
        raise OperatorError(f"{target.name}: an armature expected, found a {target.type.lower()}")
    if target.library is not None:
        raise OperatorError(f"{target.name} is linked from another file: make it local, or a library override")


def _frames(source: bpy.types.Object) -> range:
    frames = keyframes.frame_range(source)
    if frames is None:
        raise OperatorError(f"{source.name} has no action: a source that moves expected")
    return frames


CLASSES = (PASDEDEUX_OT_retarget,)
