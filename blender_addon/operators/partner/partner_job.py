"""What the operators share that generate the partner's movement: request, preview, retargeting, and keeping takes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import bpy
import numpy as np

from backend.model_registry import REGISTRY
from backend.wire.direction import Direction
from backend.wire.messages import MotionResult, PartnerRequest, PreviewFrames
from backend.wire.validation import MAX_KEEP_FRAMES
from rigs import Array
from rigs.characters.rig import Rig
from rigs.constraints.foot_planting import plant_feet
from rigs.motion import Motion
from rigs.retargeting.bone_transforms import RigMotion
from rigs.retargeting.key_reduction import Tolerance
from rigs.retargeting.pose_reduction import KeyedMotion
from rigs.retargeting.retarget import transfer_motion
from rigs.skeleton import JOINTS, PARENTS

from ...animation import armatures, dancers, map_check, rig_motion, rigify, source_checks
from ...animation.keys import fcurves, keyed_frames, keyframes, nla
from ...animation.keys.channels import Channel
from ...animation.preview_dancer import PreviewDancer
from ...animation.sampling import evaluation
from ...animation.takes import take_list as takes
from ...animation.takes.take_list import TakeRecord
from ...background_job import OperatorError, Reporter
from ...context_access import active_scene, extend_frame_range, find_again, frame_rate
from ...job_operator import JobOperator
from ...properties.direction_settings import DIRECTION_NAMES
from ...properties.setting_values import take_settings
from ...properties.settings import PASDEDEUX_PG_settings, scene_settings
from ..backend.request import BackendConnection, request_backend

_BLEND_SECONDS = 0.2
"""s around held poses over which the generated ones blend into them."""
_TAKE_SETTINGS = (
    *("model", "role", "takes", "fewer_keys", "delay", "delay_in", "formation", "distance"),
    *DIRECTION_NAMES,
)
"""The scene's settings that make a take."""
_LENGTH_TOLERANCE = 1e-3  # m by which equally long bones may differ
_MAX_SEED = 2**31 - 1  # of Blender's whole numbers
_OBJECT_PATHS = ("location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale")

TakeMotion = Motion | KeyedMotion | RigMotion
"""A take on the partner's armature: its joints' motion, on every frame or with reduced keys, or its bones' motion."""


class PartnerOperator(JobOperator):
    """Base of the operators that generate the partner's movement"""

    new_seed: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="New Seed",
        description="Take the next seed that no take in the list has; otherwise the scene's seed as it is",
        options={"SKIP_SAVE"},
    )
    draft: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Draft",
        description="Action of the partner that kept frames are taken from; empty: the assigned one",
        options={"SKIP_SAVE"},
    )
    keep: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Keep",
        description="Frames whose poses are kept, such as 31, 60; empty: by Keep Keyed Poses",
        options={"SKIP_SAVE"},
    )

    # Identifiers, as an undo step while the backend works invalidates references to data-blocks.
    _leader, _partner, _draft = 0, 0, 0
    take_operator: ClassVar[str]
    """The operator's name, for making its takes again."""
    start = 1
    metres = 1.0
    kept: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    _layer_frames = keyed_frames.NO_FRAMES
    _seed = 0
    _preview: PreviewDancer | None = None

    def question(self, context: bpy.types.Context) -> str:
        _require_mapped_rig(dancers.require_leader(context))
        return map_check.doubt_question(dancers.scene_dancers(context))

    def begin(self, context: bpy.types.Context) -> tuple[bpy.types.Object, bpy.types.Object | None, range]:
        """Check the dancers and choose the seed: leader, partner if there is one, and the leader's frames."""
        leader = dancers.require_leader(context)
        _require_mapped_rig(leader)
        partner = _partner_armature(context, leader)
        rigs = [leader] if partner is None else [leader, partner]
        if self._confirmed:
            map_check.confirm_bones(rigs)
        frames = dancers.requested_frames(active_scene(context), leader)
        self.warnings = (*dancers.missing_dancers(context), *map_check.doubt_warnings(rigs))
        self.warnings += source_checks.range_warnings([leader])
        evaluation.update_transforms(context, rigs)
        self._leader, self._partner, self.start = leader.session_uid, _identifier(partner), frames.start
        self._seed = self._choose_seed(scene_settings(context))
        self._scene_values = take_settings(context, self.take_operator, _TAKE_SETTINGS)["scene"]
        return leader, partner, frames

    def sample(
        self, context: bpy.types.Context, leader: bpy.types.Object, draft: bpy.types.Object | None, frames: range
    ) -> list[Motion]:
        """The motions of the leader and, if given, of the partner, and make ready for previews beside them."""
        sampled = [leader] if draft is None else [leader, draft]
        result = dancers.sample_dancers(context, sampled, frames)
        self.metres = result.metres
        self.warnings += result.warnings
        rate = frame_rate(active_scene(context))
        self._preview = PreviewDancer("Partner preview", self.start, rate, self.metres)
        return result.motions

    def request(
        self, settings: PASDEDEUX_PG_settings, leader: Motion, direction: Direction, draft: Motion | None = None
    ) -> PartnerRequest:
        """The request to the backend. Raises ValueError for an invalid one."""
        return PartnerRequest(
            leader,
            model=settings.model,
            role=settings.role,
            seed=self._seed,
            takes=settings.takes,
            draft=draft,
            direction=direction,
            preview=REGISTRY.get(settings.model).previews,
        )

    def apply_previews(self, context: bpy.types.Context, previews: list[PreviewFrames]) -> None:
        blocks = [(frames.first, frames.motion) for frames in previews if frames.take == 1]
        if blocks and self._preview is not None:
            self._preview.show(context, blocks)

    @contextmanager
    def draft_assigned(self, partner: bpy.types.Object) -> Iterator[None]:
        """Assign the draft to the partner, without its correction layer, for a while.

        Raises OperatorError if frames of it cannot be held.
        """
        is_layered = nla.has_correction_layer(partner)
        self._layer_frames = keyed_frames.AnimatorsFrames.of(partner) if is_layered else keyed_frames.NO_FRAMES
        with nla.beneath_corrections(partner):
            shown = partner.animation_data.action if partner.animation_data else None
            draft = bpy.data.actions.get(self.draft) if self.draft else shown
            if draft is None and self.draft:
                raise OperatorError(f"{self.draft}: there is no such action any more, from which frames could be kept")
            if draft is None:
                raise OperatorError(f"{partner.name} has no keyframes yet: press Generate Partner first")
            self._draft = draft.session_uid
            if draft != shown:
                keyframes.assign_action(partner, draft)
            try:
                _require_holdable(partner)
                yield
            finally:
                if draft != shown and shown is not None:
                    keyframes.assign_action(partner, shown)

    def require_draft(self) -> bpy.types.Action:
        """The draft's action. Raises OperatorError if it was deleted."""
        draft = find_again(bpy.data.actions, self._draft)
        if draft is None:
            raise OperatorError("The action from which frames are kept was deleted meanwhile")
        return draft

    def animators_frames(self, partner: bpy.types.Object) -> keyed_frames.AnimatorsFrames:
        """The frames of the assigned draft and of the correction layer above it whose poses the animator means."""
        return keyed_frames.AnimatorsFrames.of(partner) | self._layer_frames

    def choose_kept(self, frames: range, chosen: Sequence[int], partner: bpy.types.Object) -> None:
        """Choose the frames whose poses are kept: by `keep`, else those `chosen`. Raises OperatorError for too many."""
        self.kept = tuple(sorted({frame for frame in _read_frames(self.keep) or chosen if frame in frames}))
        if len(self.kept) > MAX_KEEP_FRAMES:
            raise OperatorError(
                f"{partner.name}: at most {MAX_KEEP_FRAMES} keyed frames to keep expected, found {len(self.kept)}"
            )

    def require_kept(self, partner: bpy.types.Object) -> None:
        """Raise OperatorError if there are no poses to keep."""
        if not self.kept:
            raise OperatorError(
                f"{partner.name} has no keyed poses to keep: select their keyframes, or turn off Keep Keyed Poses"
            )

    def fixed_frames(self, frames: range) -> Array:
        """Mark the kept ones of some frames: (F,) bool."""
        return np.isin(np.arange(frames.start, frames.stop), self.kept)

    def blend_frames(self, context: bpy.types.Context) -> int:
        """The frames around held poses over which generated ones blend into them."""
        return max(1, round(_BLEND_SECONDS * frame_rate(active_scene(context))))

    def find_dancers(self, context: bpy.types.Context) -> tuple[bpy.types.Object, bpy.types.Object | None]:
        """Leader and partner, for the result. Raises OperatorError if they are no longer those of the request."""
        leader = self._find_leader(context)
        partner = _partner_armature(context, leader)
        if _identifier(partner) != self._partner:
            raise OperatorError("The partner was changed meanwhile: generate it again")
        return leader, partner

    def keep_takes(
        self,
        context: bpy.types.Context,
        partner: bpy.types.Object,
        actions: Sequence[bpy.types.Action],
        edited: Sequence[int],
        properties: Mapping[str, Any],
    ) -> None:
        """Keep the actions as takes of the partner and show the first one.

        edited: the frames whose keyframes count as edited by hand.  properties: the operator's own, to make them again.
        """
        leader = self._find_leader(context)
        scene = self._scene_values | {"seed": self._seed, "leader": leader.name, "partner": partner.name}
        if self._draft:
            properties = {"draft": self.require_draft().name, "keep": ", ".join(map(str, self.kept)), **properties}
        settings = {"operator": self.take_operator, "properties": dict(properties), "scene": scene}
        uids = []
        for number, action in enumerate(actions, start=1):
            keyed_frames.remember_keys(action, partner, edited=edited)
            record = TakeRecord("partner", scene["model"], self._seed, number, settings)
            uids.append(takes.keep_take(context, partner, action, record, action.name).uid)
        takes.show_take(context, next(take for take in scene_settings(context).take_list if take.uid == uids[0]))
        scene_settings(context).seed = self._seed
        extend_frame_range(active_scene(context), int(actions[0].frame_range[1]))

    @contextmanager
    def shown_take_kept(self, context: bpy.types.Context, partner: bpy.types.Object) -> Iterator[None]:
        """Keep the partner's present action in the list, and assign it again after others were written."""
        takes.keep_assigned(context, partner)
        shown = nla.base_action(partner)
        try:
            yield
        finally:
            if shown is not None:
                keyframes.assign_action(partner, shown)
            elif partner.animation_data is not None and not nla.has_correction_layer(partner):
                partner.animation_data.action = None

    def _find_leader(self, context: bpy.types.Context) -> bpy.types.Object:
        leader = find_again(active_scene(context).objects, self._leader)
        if leader is None:
            raise OperatorError("The leader was deleted meanwhile")
        return leader

    def _choose_seed(self, settings: PASDEDEUX_PG_settings) -> int:
        seed: int = settings.seed
        used = {take.seed for take in settings.take_list if take.kind == "partner"} if self.new_seed else set()
        while seed in used:
            seed = seed + 1 if seed < _MAX_SEED else 0
        return seed


def _identifier(data_block: bpy.types.ID | None) -> int:
    return data_block.session_uid if data_block is not None else 0


def require_partner(partner: bpy.types.Object | None) -> bpy.types.Object:
    """The partner, for what needs one that is there. Raises OperatorError."""
    if partner is None:
        raise OperatorError("There is no partner yet to keep anything of: turn off Keep Keyed Poses, or choose one")
    return partner


def request_takes(connection: BackendConnection, request: PartnerRequest, reporter: Reporter) -> Sequence[Motion]:
    """Send a request to the backend and wait for its takes."""
    result = request_backend(connection, request, reporter)
    assert isinstance(result, MotionResult)
    return result.takes


def retargeter(
    partner: bpy.types.Object | None, metres: float, tolerance: Tolerance | None
) -> Callable[[Motion], TakeMotion]:
    """A function that retargets a motion to the partner's armature, or keeps it for one with the same bone lengths.

    partner: None for a dancer that is yet to be added.  metres: the metres in one Blender unit.
    tolerance: reduce the keys. Both dancers share one floor, so the path along it is not scaled with the body.
    """
    if partner is None:
        return lambda motion: rig_motion.reduce_dancer_keys(motion, tolerance)
    rig = armatures.read_rig(partner, metres=metres)
    lengths = _bone_lengths(rig) if armatures.is_dancer(partner) else None
    body = rig_motion.target_body(partner, metres=metres)
    options = rig_motion.KeyingOptions(tolerance=tolerance)
    transform = rig_motion.bone_transformer(partner, body, options)

    def retarget(motion: Motion) -> TakeMotion:
        motion_lengths = np.linalg.norm(motion.skeleton.offsets[1:], axis=-1)
        if lengths is not None and np.allclose(lengths, motion_lengths, atol=_LENGTH_TOLERANCE):
            return rig_motion.reduce_dancer_keys(motion, tolerance)
        return transform(plant_feet(transfer_motion(motion, body, path_scale=1.0), body))

    return retarget


def take_channels(partner: bpy.types.Object, take: TakeMotion, metres: float) -> list[Channel]:
    """The channels with which the partner plays a take."""
    if isinstance(take, RigMotion):
        return rig_motion.rig_channels(partner, take, "FK", metres=metres)
    return armatures.motion_channels(partner, take, metres=metres)


def _bone_lengths(rig: Rig) -> Array:
    """The distance (28,) m of each joint but the pelvis from its parent at rest, in an armature of the 29 joints."""
    heads = rig.heads[[rig.names.index(joint) for joint in JOINTS]]
    return np.asarray(np.linalg.norm(heads[1:] - heads[list(PARENTS[1:])], axis=-1))


def _require_mapped_rig(obj: bpy.types.Object) -> None:
    """Raise ValueError unless the object is an armature whose bones map to the joints."""
    if not armatures.is_dancer(obj):
        rig_motion.rig_bone_map(obj)


def _partner_armature(context: bpy.types.Context, leader: bpy.types.Object) -> bpy.types.Object | None:
    """The armature set as the partner, if any. Raises OperatorError or ValueError if it cannot be animated."""
    partner = dancers.scene_partner(context)
    if partner is None:
        return None
    if partner == leader:
        raise OperatorError(f"{leader.name} is both leader and partner: clear the partner or choose another dancer")
    _require_mapped_rig(partner)
    armatures.require_local(partner)
    return partner


def _require_holdable(partner: bpy.types.Object) -> None:
    """Raise OperatorError unless the assigned action alone moves the partner's bones, and nothing else them."""
    animation = partner.animation_data
    assert animation is not None
    if animation.use_tweak_mode:
        raise OperatorError(f"{partner.name}: exit the tweak mode of its NLA strip first")
    if any(not (track.mute or strip.mute) for track in animation.nla_tracks for strip in track.strips):
        raise OperatorError(f"{partner.name} plays NLA strips, too: mute their tracks to keep frames of its action")
    if _has_ik_limbs(partner):
        # Frames are written between the keys of FK controls, which do not move an IK limb.
        raise OperatorError(f"{partner.name} is keyed by IK controls: retarget it with FK limbs to keep frames of it")
    for curve in fcurves.action_fcurves(partner):
        if any(not modifier.mute for modifier in curve.modifiers):
            raise OperatorError(f"{partner.name}: the F-curve {curve.data_path} has modifiers, bake them first")
        if curve.data_path in _OBJECT_PATHS and np.ptp([point.co.y for point in curve.keyframe_points] or [0.0]) > 1e-6:
            raise OperatorError(f"{partner.name} moves as an object, too: retarget it with Root Motion set to Hips")


def _has_ik_limbs(partner: bpy.types.Object) -> bool:
    """Whether the IK controls of a Rigify rig move a limb of it in some frame."""
    if not rigify.is_rigify(partner):
        return False
    curves = fcurves.fcurves_by_path(partner)
    for bone, switch, _ in rigify.ik_fk_switches(partner, "FK"):
        path = f'pose.bones["{bone}"]["{switch}"]'
        curve = curves.get((path, 0))
        values = [point.co.y for point in curve.keyframe_points] if curve else [partner.path_resolve(path)]
        if switch == "IK_FK" and min(values) < 0.5:
            return True
    return False


def _read_frames(text: str) -> list[int]:
    """The frames of a text such as "31, 60". Raises OperatorError."""
    try:
        return [int(number) for number in text.replace(",", " ").split()]
    except ValueError:
        raise OperatorError(f"Keep: frames such as 31, 60 expected, found {text}") from None
