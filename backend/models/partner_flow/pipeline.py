"""partner-flow's pipeline: an autoregressive rollout of the frames that a request leaves open, and post-processing."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np

from backend.models.common.runtime import TrainedNetwork
from backend.models.common.world_frame import WorldFrame, fit_world_frame
from backend.models.motion_flow.features import (
    FPS,
    FloorFrame,
    PoseSequence,
    floor_frame,
    floor_frame_at,
    floor_frame_of_joints,
    motion_to_poses,
    poses_from_features,
    poses_to_motions,
)
from backend.models.motion_flow.rollout import ENERGY, Keyframe, RolloutOptions, rollout
from backend.models.motion_flow.sampler import GUIDANCE, noise_source
from backend.models.motion_flow.trained import TrainedMotionFlow
from backend.models.partner_flow.conditions import NAME, PartnerFlowConditions
from backend.wire.direction import PARTS
from backend.wire.messages import Cancelled, PartnerRequest
from rigs import Array, rotations
from rigs.motion import Motion, concatenate, resample
from rigs.post_processing.post_process import post_process
from rigs.skeleton import Skeleton
from rigs.smoothing import blend_offsets, true_runs

_ROLLOUT_PROGRESS = 0.95
"""Share of the progress bar for the rollout; the rest is for post-processing."""
_BLEND_SECONDS = 0.2
"""s around fixed frames over which generated ones blend into them."""
_METRES_PER_RADIAN = 0.5
"""m of distance that count as much as a radian of heading in choosing an initial past."""

Preview = Callable[[int, int, Motion], None]


@dataclass(frozen=True)
class RolloutSegment:
    """The frames of a request to generate, and what exists around them, at the model's frame rate.

    existing: the partner's given motion from the first frame on, or None.  skeleton: the partner's.
    frames: to generate.  past: the partner's poses before them.  keyframes: poses to pass through.
    fixed: (F,) bool, frames that stay as they are.
    """

    existing: Motion | None
    skeleton: Skeleton
    frames: range
    past: PoseSequence
    keyframes: list[Keyframe]
    fixed: Array

    def splice(self, generated: Motion) -> Motion:
        """Insert the generated frames between the existing ones before and after them."""
        if self.existing is None:
            return generated
        parts = (self.existing[: self.frames.start], generated, self.existing[self.frames.stop :])
        return reduce(concatenate, (part for part in parts if len(part)))


class TrainedPartnerFlow(PartnerFlowConditions, TrainedMotionFlow):
    """partner-flow with its weights, for inference."""

    name = NAME

    def __init__(self, trained: TrainedNetwork) -> None:
        super().__init__(trained)
        self.initial_leader_poses: Array = trained.tensors["initial_leader_poses"]


class PartnerFlowPipeline:
    """Pipeline of partner-flow: generates partners for leaders."""

    def __init__(self, weights: Path, accelerator: str) -> None:
        self.network = TrainedPartnerFlow.load(weights, accelerator)

    def partner(
        self,
        request: PartnerRequest,
        progress: Callable[[float, str], None],
        cancelled: Callable[[], bool],
        preview: Preview,
    ) -> list[Motion]:
        """Generate the takes of a request, see `Engine.partner`. Raises Cancelled."""
        role, direction = 1 if request.role == "follow" else 0, request.direction
        leader = resample(request.leader, FPS)
        world = fit_world_frame(
            leader, self.network.bone_offsets[1 - role], float(self.network.floor_heights[1 - role])
        )
        leader_joints = world.to_model(leader.positions)
        segment = self.segment(request, leader, world, leader_joints, role)
        options = RolloutOptions(
            guidance=GUIDANCE * direction.closeness,
            energy=ENERGY * direction.energy,
            keyframes=segment.keyframes,
        )

        def on_block(first: int, block: PoseSequence) -> None:
            if cancelled():
                raise Cancelled
            progress(_ROLLOUT_PROGRESS * first / len(leader), "generating")
            if request.preview:
                for take, motion in enumerate(poses_to_motions(block, segment.skeleton, world), start=1):
                    preview(take, first, motion)

        offsets = np.asarray(segment.skeleton.offsets * world.scale, np.float32)
        noise = noise_source(request.takes, request.seed, self.network.config.block)
        result = rollout(
            self.network, leader_joints, segment.frames, segment.past, role, offsets, noise, options, on_block
        )
        seams = [segment.frames.start + seam for seam in result.seams]
        parts = [part for part in PARTS if part not in direction.without]
        takes: list[Motion] = []
        for generated in poses_to_motions(result.poses, segment.skeleton, world):
            take = post_process(segment.splice(generated), leader, parts, seams=seams, fixed=segment.fixed)
            takes.append(_restore_fixed_frames(resample(take, request.leader.fps, len(request.leader)), request))
            share = len(takes) / request.takes
            progress(_ROLLOUT_PROGRESS + (1.0 - _ROLLOUT_PROGRESS) * share, "post-processing")
        return takes

    def segment(
        self, request: PartnerRequest, leader: Motion, world: WorldFrame, leader_joints: Array, role: int
    ) -> RolloutSegment:
        """Determine which frames of a request to generate, from which past and through which keyframes."""
        count, fps, direction = len(leader), request.leader.fps, request.direction
        fixed = np.zeros(count, bool)
        if request.history is not None:
            history = resample(request.history, FPS)[:count]
            fixed[: len(history)] = True
            past = self.past_poses(history, world)
            return RolloutSegment(history, history.skeleton, range(len(history), count), past, [], fixed)
        if request.draft is None:
            skeleton = Skeleton(self.network.bone_offsets[role].astype(np.float64)).scale(1.0 / world.scale)
            past = self.initial_past(leader_joints[0], role, direction.place)
            return RolloutSegment(None, skeleton, range(count), past, [], fixed)
        draft = resample(request.draft, FPS, count)
        kept = sorted({min(round(frame / fps * FPS), count - 1) for frame in direction.keep})
        first, last = direction.redo or (0, len(request.leader) - 1)
        start = int(np.floor((first - 1) / fps * FPS + 1e-6)) + 1 if first else int(bool(kept) and kept[0] == 0)
        stop = min(int(np.ceil((last + 1) / fps * FPS - 1e-6)), count)
        keyframes = [
            Keyframe(f, self.keyframe_poses(draft, f, world), f + 1 in kept) for f in kept if start <= f < stop
        ]
        fixed[kept] = fixed[:start] = fixed[stop:] = True
        if stop < count:
            keyframes.append(Keyframe(stop, self.keyframe_poses(draft, stop, world), stop + 1 < count))
            stop += 1
        if start:
            past = self.past_poses(draft[:start], world)
        else:
            past = self.initial_past(leader_joints[0], role, None, floor_frame(self.past_poses(draft[:1], world)))
        return RolloutSegment(draft, draft.skeleton, range(start, stop), past, keyframes, fixed)

    def past_poses(self, history: Motion, world: WorldFrame) -> PoseSequence:
        """Last frames of a motion as the network's past; where there are too few, the first one is repeated."""
        frames = np.maximum(np.arange(len(history) - self.network.config.history, len(history)), 0)
        return motion_to_poses(history, frames, world)

    def keyframe_poses(self, motion: Motion, frame: int, world: WorldFrame) -> PoseSequence:
        """Poses of a keyframe: that of the frame and of the one after it."""
        return motion_to_poses(motion, np.minimum([frame, frame + 1], len(motion) - 1), world)

    def initial_past(
        self,
        leader: Array,
        role: int,
        place: tuple[float, float, float] | None,
        start_frame: FloorFrame | None = None,
    ) -> PoseSequence:
        """Choose the initial past whose leader stood most like this one, (29, 3) m.

        place: m ahead of the leader, m to their left, and degrees turned from facing them; or `start_frame`: the floor
        frame to start from. With either the chosen past is moved there.
        """
        leader_frame = floor_frame_of_joints(leader)
        network = self.network
        difference = network.initial_leader_poses[role] - leader_frame.to_local(leader)
        pose_distance = np.linalg.norm(difference, axis=-1).mean(axis=-1)
        if place is not None:
            ahead, left, turned = place
            position = np.array([left, -ahead, 0.0], np.float32)
            facing = np.arctan2(-position[0], position[1]) + np.float32(np.radians(turned))
            local = floor_frame_at(position, facing)
            origin = leader_frame.to_world(local.origin[None])[0]
            start_frame = FloorFrame(origin, leader_frame.rotation @ local.rotation)
        if start_frame is None:
            return poses_from_features(network.initial_pasts[role, int(pose_distance.argmin())], leader_frame)
        pasts = poses_from_features(network.initial_pasts[role], leader_frame)
        frames = floor_frame(pasts)
        cosine = (frames.rotation[:, :2, 0] * start_frame.rotation[:2, 0]).sum(axis=-1)
        angle = np.arccos(np.clip(cosine, -1.0, 1.0))
        distance = np.linalg.norm(frames.origin - start_frame.origin, axis=-1)
        nearest = int((pose_distance + distance + _METRES_PER_RADIAN * angle).argmin())
        past = pasts.select(nearest)
        own_frame = floor_frame(past)
        turn = start_frame.rotation @ own_frame.rotation.T
        return PoseSequence(start_frame.to_world(own_frame.to_local(past.root)), turn @ past.rotations, past.contacts)


def _restore_fixed_frames(take: Motion, request: PartnerRequest) -> Motion:
    """Put the frames that a request fixes back exactly, and blend the frames around them into these."""
    fixed = np.zeros(len(take), bool)
    given, direction = request.draft, request.direction
    if request.history is not None:
        given = request.history[: len(take)]
        fixed[: len(given)] = True
        given = concatenate(given, take[len(given) :])
    elif given is not None:
        fixed[list(direction.keep)] = True
        if direction.redo is not None:
            fixed[: direction.redo[0]] = fixed[direction.redo[1] + 1 :] = True
    if given is None or not fixed.any():
        return take
    runs, blend = true_runs(fixed, 1), max(1, round(_BLEND_SECONDS * take.fps))
    root = take.root + blend_offsets(np.where(fixed[:, None], given.root - take.root, 0.0), runs, blend)
    offsets = rotations.to_rotation_vector(rotations.multiply(rotations.inverse(take.rotations), given.rotations))
    vectors = np.where(fixed[:, None, None], offsets, 0.0).reshape(len(take), -1)
    turns = rotations.from_rotation_vector(blend_offsets(vectors, runs, blend).reshape(-1, 29, 3))
    blended = rotations.multiply(take.rotations, turns)
    root[fixed], blended[fixed] = given.root[fixed], given.rotations[fixed]
    return Motion(take.fps, take.skeleton, root, blended)
