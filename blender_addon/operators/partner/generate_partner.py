"""Operator that generates a partner for the leader, by a model or a choreographic device, and keys its takes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import bpy

from backend.wire.messages import PartnerRequest
from rigs.choreography.devices import Choreography, choreograph, collision_warnings
from rigs.motion import Motion
from rigs.retargeting.bone_transforms import RigMotion

from ...animation import armatures, dancers, rig_motion
from ...animation.keys import frame_splice, keyframes, nla
from ...background_job import JobFunction, Reporter
from ...properties import notices
from ...properties.direction_settings import direction_of, undirectable_reason, with_draft
from ...properties.settings import PASDEDEUX_PG_settings, is_choreographic_device, key_tolerance, scene_settings
from ..backend.request import backend_connection
from ..editing.release_bones import warn_of_overridden_keys
from . import partner_job
from .partner_job import PartnerOperator, TakeMotion

TakeGenerator = Callable[[Reporter], tuple[Sequence[Motion], tuple[str, ...]]]
"""A job function that generates takes of the partner's motion, and warnings."""


@dataclass(frozen=True)
class _PartnerTakes:
    """Takes for the partner's armature, and warnings."""

    takes: list[TakeMotion]
    warnings: tuple[str, ...]


class PASDEDEUX_OT_generate_partner(PartnerOperator):
    """Generate a partner who dances with the leader"""

    bl_idname = "pasdedeux.generate_partner"
    bl_label = "Generate Partner"
    bl_options = {"UNDO"}
    label = "Generating the partner"
    take_operator = "generate_partner"

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        settings = scene_settings(context)
        leader, partner, frames = self.begin(context)
        keeps = settings.keep_keyed and not undirectable_reason(settings.model)
        if keeps:
            partner = partner_job.require_partner(partner)
            with self.draft_assigned(partner):
                self.choose_kept(frames, self.animators_frames(partner).meant, partner)
                self.require_kept(partner)
                motion, draft = self.sample(context, leader, partner, frames)
        else:
            (motion,) = self.sample(context, leader, None, frames)
        generate_takes: TakeGenerator
        if is_choreographic_device(settings):
            generate_takes = _device_generator(settings, motion)
        elif keeps:
            direction = with_draft(direction_of(settings), tuple(frame - frames.start for frame in self.kept))
            generate_takes = _model_generator(context, self.request(settings, motion, direction, draft))
        else:
            generate_takes = _model_generator(context, self.request(settings, motion, direction_of(settings)))
        # Held poses have keyframes of their own.
        adapt = partner_job.retargeter(partner, self.metres, None if keeps else key_tolerance(settings))

        def generate(reporter: Reporter) -> _PartnerTakes:
            takes, warnings = generate_takes(reporter)
            return _PartnerTakes([adapt(take) for take in takes], warnings)

        return generate

    def apply(self, context: bpy.types.Context, result: _PartnerTakes) -> None:
        leader, partner = self.find_dancers(context)
        name = f"{leader.name} partner"
        if partner is None:
            first_take = result.takes[0]
            assert not isinstance(first_take, RigMotion)
            partner = dancers.add_dancer(context, name, first_take.skeleton, partner=True, metres=self.metres)
            scene_settings(context).partner = partner
        count = len(result.takes)
        names = [name] if count == 1 else [f"{name} take {number}" for number in range(1, count + 1)]
        write = self._write_held_take if self.kept else self._write_take
        with self.shown_take_kept(context, partner):
            actions = [write(context, partner, take, name) for take, name in zip(result.takes, names, strict=True)]
        self.keep_takes(context, partner, actions, self.kept, {})
        warnings = (warning[0].upper() + warning[1:] for warning in result.warnings)
        notices.show_warnings(self, context, [*self.warnings, *warnings])
        warn_of_overridden_keys(self, context, [partner])

    def _write_take(
        self, context: bpy.types.Context, partner: bpy.types.Object, take: TakeMotion, name: str
    ) -> bpy.types.Action:
        """Create an action that plays a take on the partner."""
        if isinstance(take, RigMotion):
            options = rig_motion.KeyingOptions()
            return rig_motion.write_rig_motion(
                context, partner, take, name, self.start, options, metres=self.metres
            ).action
        return armatures.create_motion_action(partner, take, name, self.start, metres=self.metres)

    def _write_held_take(
        self, context: bpy.types.Context, partner: bpy.types.Object, take: TakeMotion, name: str
    ) -> bpy.types.Action:
        """Create an action that plays a take on the partner, with the kept poses exactly as the draft has them."""
        with nla.beneath_corrections(partner):
            keyframes.assign_action(partner, self.require_draft())
            channels = partner_job.take_channels(partner, take, self.metres)
            fixed = self.fixed_frames(range(self.start, self.start + len(channels[0].values)))
            channels = frame_splice.hold_poses(partner, channels, self.start, fixed, self.blend_frames(context))
            return keyframes.write_keyframes(partner, channels, name=name, first=self.start)


def _model_generator(context: bpy.types.Context, request: PartnerRequest) -> TakeGenerator:
    """Generate takes by a model of the backend."""
    connection = backend_connection(context)

    def generate_takes(reporter: Reporter) -> tuple[Sequence[Motion], tuple[str, ...]]:
        return partner_job.request_takes(connection, request, reporter), ()

    return generate_takes


def _device_generator(settings: PASDEDEUX_PG_settings, leader: Motion) -> TakeGenerator:
    """Generate a single take by a choreographic device, without the backend. Raises ValueError for invalid options."""
    device = Choreography(settings.model, settings.delay, settings.delay_in, settings.formation, settings.distance)

    def generate_takes(reporter: Reporter) -> tuple[Sequence[Motion], tuple[str, ...]]:
        reporter.progress(0.0, "choreographing the partner")
        partner = choreograph(leader, device)
        return (partner,), collision_warnings(leader, partner, device)

    return generate_takes


CLASSES = (PASDEDEUX_OT_generate_partner,)
