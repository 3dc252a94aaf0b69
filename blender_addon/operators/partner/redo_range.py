"""Operator that generates a range of the partner's frames again and keeps all others as they are."""

from collections.abc import Sequence

import bpy
import numpy as np

from ...animation import rig_motion
from ...animation.keys import frame_splice, keyed_frames, keyframes, nla
from ...animation.keys.channels import Channel, Tolerance
from ...background_job import JobFunction, OperatorError, Reporter
from ...context_access import active_scene
from ...properties import notices
from ...properties.direction_settings import direction_of, undirectable_reason, with_draft
from ...properties.settings import key_tolerance, scene_settings
from ..backend.request import backend_connection
from ..editing.release_bones import warn_of_overridden_keys
from . import partner_job
from .partner_job import PartnerOperator, TakeMotion


class PASDEDEUX_OT_redo_range(PartnerOperator):
    """Generate a range of the partner's frames again"""

    bl_idname = "pasdedeux.redo_range"
    bl_label = "Redo Range"
    bl_description = (
        "Generate a range of the partner's frames again as a new take, and keep all others as they are: the timeline's "
        "preview range, else the range of the selected keyframes, else From to To"
    )
    bl_options = {"UNDO"}
    label = "Redoing the range"
    take_operator = "redo_range"

    first: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="First", description="First frame to generate again; 0: the leader's first", options={"SKIP_SAVE"}
    )
    last: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Last", description="Last frame to generate again; 0: the leader's last", options={"SKIP_SAVE"}
    )

    _redone = range(0)
    _tolerance: Tolerance | None = None

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        settings = scene_settings(context)
        reason = undirectable_reason(settings.model)
        if reason:
            raise OperatorError(f"{reason}: choose it as Model to redo a range")
        leader, partner, frames = self.begin(context)
        if partner is None:
            raise OperatorError("There is no partner yet to redo a range of: press Generate Partner first")
        with self.draft_assigned(partner):
            means = self.animators_frames(partner)
            self._redone, by_selection = self._choose_range(context, partner, frames, means.selected)
            if settings.keep_keyed or self.keep:
                self.choose_kept(self._redone, means.edited if by_selection else means.meant, partner)
            motion, draft = self.sample(context, leader, partner, frames)
        self._tolerance = key_tolerance(settings)
        keep = tuple(frame - frames.start for frame in self.kept)
        redo = (self._redone.start - frames.start, self._redone.stop - 1 - frames.start)
        request = self.request(settings, motion, with_draft(direction_of(settings), keep, redo), draft)
        connection = backend_connection(context)
        adapt = partner_job.retargeter(partner, self.metres, None)

        def generate(reporter: Reporter) -> list[TakeMotion]:
            return [adapt(take) for take in partner_job.request_takes(connection, request, reporter)]

        return generate

    def apply(self, context: bpy.types.Context, result: list[TakeMotion]) -> None:
        leader, partner = self.find_dancers(context)
        assert partner is not None
        name = f"{leader.name} partner {self._redone[0]}-{self._redone[-1]}"
        tolerance = None if self.kept else self._tolerance  # held poses have keyframes of their own
        with self.shown_take_kept(context, partner), nla.beneath_corrections(partner):
            keyframes.assign_action(partner, self.require_draft())
            edited = keyed_frames.AnimatorsFrames.of(partner).edited
            actions = []
            for take in result:
                channels = self._redone_channels(context, partner, take)
                if tolerance is not None:
                    channels = rig_motion.reduce_channels(partner, channels, tolerance, metres=self.metres)
                actions.append(frame_splice.splice_action(partner, channels, self._redone.start, name, tolerance))
        still_edited = [frame for frame in edited if frame not in self._redone or frame in self.kept]
        properties = {"first": self._redone[0], "last": self._redone[-1]}
        self.keep_takes(context, partner, actions, still_edited, properties)
        notices.show_warnings(self, context, self.warnings)
        warn_of_overridden_keys(self, context, [partner])

    def _choose_range(
        self, context: bpy.types.Context, partner: bpy.types.Object, frames: range, selected: Sequence[int]
    ) -> tuple[range, bool]:
        """The frames to generate again, and whether the selected keyframes chose them. Raises OperatorError."""
        scene, settings = active_scene(context), scene_settings(context)
        by_selection = False
        if self.first or self.last:
            first, last = self.first, self.last
        elif scene.use_preview_range:
            first, last = scene.frame_preview_start, scene.frame_preview_end
        elif len(selected) > 1:
            first, last, by_selection = selected[0], selected[-1], True
        elif settings.range_from or settings.range_to:
            first, last = settings.range_from, settings.range_to
        else:
            raise OperatorError(
                "Choose the frames to redo: set a preview range in the timeline, select keyframes of "
                f"{partner.name}, or fill in From and To"
            )
        redone = range(max(first or frames.start, frames.start), min(last or frames[-1], frames[-1]) + 1)
        if not redone:
            raise OperatorError(
                f"The range to redo: frames of {frames[0]} to {frames[-1]}, where the leader dances, expected, "
                f"found {first} to {last}"
            )
        return redone, by_selection

    def _redone_channels(
        self, context: bpy.types.Context, partner: bpy.types.Object, take: TakeMotion
    ) -> list[Channel]:
        """The channels of the redone frames of a take, which join the assigned draft's frames beside them."""
        channels = partner_job.take_channels(partner, take, self.metres)
        frames = range(self.start, self.start + len(channels[0].values))
        window = range(max(self._redone.start - 1, frames.start), min(self._redone.stop + 1, frames.stop))
        cut = slice(window.start - self.start, window.stop - self.start)
        channels = [Channel(channel.path, channel.values[cut], channel.group) for channel in channels]
        fixed = self.fixed_frames(window) | ~np.isin(np.arange(window.start, window.stop), self._redone)
        held = frame_splice.hold_poses(partner, channels, window.start, fixed, self.blend_frames(context))
        inner = slice(self._redone.start - window.start, self._redone.stop - window.start)
        return [Channel(channel.path, channel.values[inner], channel.group) for channel in held]


CLASSES = (PASDEDEUX_OT_redo_range,)
