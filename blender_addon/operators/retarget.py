"""Operator that retargets motion between armatures, one dancer or a pair: sample, retarget in numpy, key in bulk."""

from collections.abc import Sequence

import bpy

from rigs.characters.posed_humanoid import PosedHumanoid
from rigs.retargeting.bone_transforms import RigMotion
from rigs.retargeting.retarget import RetargetOptions, retarget, retarget_pair

from ..animation import armatures, dancers, map_check, rig_motion, rigify, source_checks
from ..animation.keys.channels import Tolerance
from ..animation.pose_check.pose_check import HeldBones, find_unfollowing_bones
from ..animation.sampling import evaluation
from ..background_job import JobFunction, OperatorError, Reporter
from ..context_access import active_scene, armature_data
from ..job_operator import JobOperator
from ..properties import notices
from ..properties.retarget_settings import RetargetProperties, draw_options
from .editing.release_bones import warn_of_held_bones


class RetargetTarget(RetargetProperties):
    """The target and the options of a retargeting operator, and their layout; mixed into the operators."""

    target: bpy.props.StringProperty(name="Target", description="Armature to animate", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def is_pair(self) -> bool:
        """Whether two dancers are retargeted."""
        return False

    def draw(self, context: bpy.types.Context) -> None:
        target = active_scene(context).objects.get(self.target) if self.target else context.active_object
        ik_fk = target is not None and rigify.is_rigify(target)
        draw_options(self.layout, self, pair=self.is_pair(), ik_fk=ik_fk)  # type: ignore[attr-defined]


class RetargetOperator(RetargetTarget, JobOperator):
    """Base of the retargeting operators"""

    bl_options = {"REGISTER", "UNDO"}
    label = "Retargeting"

    # Names, as undo invalidates references to objects.
    _rig_names: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    def rigs(self, context: bpy.types.Context) -> list[bpy.types.Object]:
        """The rigs whose bone maps are used. Raises OperatorError."""
        raise NotImplementedError

    def question(self, context: bpy.types.Context) -> str:
        return map_check.doubt_question(self.rigs(context))

    def remember_doubts(self, rigs: Sequence[bpy.types.Object]) -> None:
        """Remember doubtful bones to warn of, where nobody was asked, as from a script. Raises NotADancer."""
        self._rig_names = tuple(obj.name for obj in rigs)
        self.doubts = () if self._confirmed else tuple(map_check.doubt_warnings(rigs))

    def remember_answer(self, context: bpy.types.Context) -> None:
        """Do not ask again about the doubtful bones that were confirmed."""
        if self._confirmed:
            objects = active_scene(context).objects
            map_check.confirm_bones([objects[name] for name in self._rig_names if name in objects])

    def write(
        self,
        context: bpy.types.Context,
        target: bpy.types.Object,
        motion: RigMotion,
        name: str,
        first: int,
        metres: float,
    ) -> tuple[bpy.types.Action, tuple[HeldBones, ...]]:
        """Key a motion on a target: the action, and what keeps bones from following its keys."""
        options = self.keying_options()
        written = rig_motion.write_rig_motion(context, target, motion, name, first, options, metres=metres)
        if written.rested:
            others = f" and {len(written.rested) - 1} more" if len(written.rested) > 1 else ""
            self.report({"INFO"}, f"{target.name}: {written.rested[0]}{others} had no keys and were put to rest")
        held: tuple[HeldBones, ...] = ()
        if motion.samples is not None:
            held = find_unfollowing_bones(
                context,
                target,
                motion.samples,
                first,
                metres=metres,
                tolerance=options.tolerance,
                in_strip=options.onto == "STRIP",
                ik_limbs=rigify.FK_LIMBS if options.limbs == "IK" and rigify.is_rigify(target) else (),
            )
        return written.action, held

    def keying_options(self) -> rig_motion.KeyingOptions:
        """The operator's options as a value."""
        return rig_motion.KeyingOptions(
            retargeting=RetargetOptions(plant_feet=self.contacts, keep_hand_holds=self.hands),
            root=self.root,
            in_place=self.in_place,
            limbs=self.limbs,
            tolerance=Tolerance(self.angle, self.distance) if self.reduce else None,
            onto=self.onto,
            offset=self.offset,
        )


class PASDEDEUX_OT_retarget(RetargetOperator):
    """Retarget the motion of one rig to another with different bones and proportions"""

    bl_idname = "pasdedeux.retarget"
    bl_label = "Retarget"

    source: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Source", description="Armature whose motion is copied", options={"SKIP_SAVE"}
    )
    partner_source: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Partner Source", description="Source armature of the other dancer of a pair", options={"SKIP_SAVE"}
    )
    partner_target: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Partner Target", description="Target armature of the other dancer of a pair", options={"SKIP_SAVE"}
    )
    _targets: tuple[str, ...] = ()
    _warnings: tuple[str, ...] = ()
    _first = 1
    _metres = 1.0

    def is_pair(self) -> bool:
        return bool(self.partner_source or self.partner_target)

    def rigs(self, context: bpy.types.Context) -> list[bpy.types.Object]:
        return [obj for pair in self._pairs(context) for obj in pair]

    def _pairs(self, context: bpy.types.Context) -> list[tuple[bpy.types.Object, bpy.types.Object]]:
        """The source and the target of each dancer. Raises OperatorError."""
        pairs = [_source_and_target(context, self.source, self.target)]
        if self.is_pair():
            pairs.append((require_object(context, self.partner_source), require_object(context, self.partner_target)))
        return pairs

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        pairs = self._pairs(context)
        sources, targets = [source for source, _ in pairs], [target for _, target in pairs]
        if len({obj.name for obj in (*sources, *targets)}) < 2 * len(pairs):
            raise OperatorError(
                f"{targets[-1].name} is used twice: a different source and target for each dancer expected"
            )
        for target in targets:
            require_editable_armature(target)
        frames = dancers.source_frames(active_scene(context), *sources)
        self.remember_doubts([*sources, *targets])
        sampled = dancers.sample_dancers(context, sources, frames)
        self._warnings = (*source_checks.range_warnings(sources), *sampled.warnings)
        motions = sampled.motions
        evaluation.update_transforms(context, targets)
        # A pair shares one world, and so one scale: the first dancer's.
        self._metres = rig_motion.body_metres(context, targets[0])
        bodies = [rig_motion.target_body(target, metres=self._metres) for target in targets]
        options = self.keying_options()
        transformers = [
            rig_motion.bone_transformer(target, body, options) for target, body in zip(targets, bodies, strict=True)
        ]
        self._targets, self._first = tuple(target.name for target in targets), frames.start + options.offset

        def retarget_motions(reporter: Reporter) -> list[RigMotion]:
            reporter.progress(0.0, "retargeting the motion")
            if len(motions) == 1:
                poses: tuple[PosedHumanoid, ...] = (retarget(motions[0], bodies[0], options.retargeting),)
            else:
                poses = retarget_pair((motions[0], motions[1]), (bodies[0], bodies[1]), options.retargeting)
            return [transform(pose) for transform, pose in zip(transformers, poses, strict=True)]

        return retarget_motions

    def apply(self, context: bpy.types.Context, result: list[RigMotion]) -> None:
        targets = [require_object(context, name) for name in self._targets]
        held: list[HeldBones] = []
        for target, motion in zip(targets, result, strict=True):
            name = f"{target.name} dance"
            held += self.write(context, target, motion, name, self._first, self._metres)[1]
        notices.show_warnings(self, context, [*self.doubts, *self._warnings])
        warn_of_held_bones(self, context, held)
        self.remember_answer(context)


def require_object(context: bpy.types.Context, name: str) -> bpy.types.Object:
    """The scene's object with this name. Raises OperatorError."""
    obj = active_scene(context).objects.get(name)
    if obj is None:
        raise OperatorError(f"{name or 'A partner without a name'}: no such object in the scene")
    return obj


def require_editable_armature(target: bpy.types.Object) -> None:
    """Raise OperatorError or ValueError unless the object is an armature that can be keyed."""
    armature_data(target)
    armatures.require_local(target)


def _source_and_target(
    context: bpy.types.Context, source: str, target: str
) -> tuple[bpy.types.Object, bpy.types.Object]:
    """Source and target by name, else the other selected armature and the active one. Raises OperatorError."""
    target_object = require_object(context, target) if target else context.active_object
    if target_object is None:
        raise OperatorError("Select the source armature, then the target armature")
    if source:
        return require_object(context, source), target_object
    others = [
        obj for obj in context.selected_objects if isinstance(obj.data, bpy.types.Armature) and obj != target_object
    ]
    if len(others) != 1:
        raise OperatorError(
            f"Choose the source for {target_object.name}: one other selected armature expected, found {len(others)}"
        )
    return others[0], target_object


CLASSES = (PASDEDEUX_OT_retarget,)
