"""From a request to takes with the partner flow: what there is of the partner, what is danced, how they are joined."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backend.models.common.cpu_inference import bfloat16_supported, pack_linear_layers
from backend.models.common.world_frame import WorldFrame, choose_accelerator, fit_world_frame
from backend.models.motion_flow.features import (
    FPS,
    ROTATED_JOINTS,
    FloorFrame,
    PoseSequence,
    floor_frame,
    floor_frame_at,
    floor_frame_of_joints,
    poses_from_features,
)
from backend.models.motion_flow.sampler import ENERGY, GUIDANCE, Keyframe, RolloutOptions, noise_source, rollout
from backend.models.partner_flow.network import PartnerFlow
from backend.wire.direction import PARTS
from backend.wire.messages import Cancelled, PartnerRequest
from rigs import Array, kinematics, rotations
from rigs.contacts import foot_contacts
from rigs.motion import Motion, concatenate, resample
from rigs.post_processing.post_process import post_process
from rigs.skeleton import PARENTS, Skeleton
from rigs.smoothing import blend_offsets, true_runs

_ROLLOUT_PROGRESS = 0.95
"""The part of the work that is done when all is danced and nothing is finished."""
_BLEND_SECONDS = 0.2
"""s around frames that are given within which what was danced goes over into them."""
_METRES_PER_RADIAN = 0.5
"""m that a radian counts for in choosing a way to begin."""

Preview = Callable[[int, int, Motion], None]


@dataclass(frozen=True)
class RolloutSegment:
    """What is to be danced, at the model's rate.

    given: what is there of the partner, from the first frame on, or nothing.  skeleton: the partner's.
    frames: those to be danced.
    past: how the partner comes to them.  aims: poses to meet.  fixed: (F,) bool, the frames that stay as they are.
    """

    existing: Motion | None
    skeleton: Skeleton
    frames: range
    past: PoseSequence
    keyframes: list[Keyframe]
    fixed: Array

    def splice(self, made: Motion) -> Motion:
        """What was danced between what is there before and after it."""
        if self.existing is None:
            return made
        parts = (self.existing[: self.frames.start], made, self.existing[self.frames.stop :])
        return reduce(concatenate, (part for part in parts if len(part)))


class PartnerFlowPipeline:
    """The trained flow on an accelerator."""

    def __init__(self, weights: Path, accelerator: str) -> None:
        self.accelerator = choose_accelerator(accelerator)
        network = PartnerFlow.load(weights)
        on_cpu = self.accelerator.type == "cpu"
        self.network = (
            pack_linear_layers(network, bfloat16=bfloat16_supported()) if on_cpu else network.to(self.accelerator)
        )

    def partner(
        self,
        request: PartnerRequest,
        progress: Callable[[float, str], None],
        cancelled: Callable[[], bool],
        preview: Preview,
    ) -> list[Motion]:
        """See `Engine.partner`."""
        role, direction = 1 if request.role == "follow" else 0, request.direction
        leader = resample(request.leader, FPS)
        stage = fit_world_frame(leader, self.network.bone_offsets[1 - role], self.network.floor_heights[1 - role])
        led = stage.to_model(leader.positions).to(self.accelerator)
        script = self.segment(request, leader, stage, led, role)
        course = RolloutOptions(
            guidance=GUIDANCE * direction.closeness,
            energy=ENERGY * direction.energy,
            keyframes=script.keyframes,
        )

        def watch(first: int, block: PoseSequence) -> None:
            if cancelled():
                raise Cancelled
            progress(_ROLLOUT_PROGRESS * first / len(leader), "dancing")
            if request.preview:
                for n, made in enumerate(poses_to_motions(block, script.skeleton, stage), start=1):
                    preview(n, first, made)

        offsets = torch.from_numpy(script.skeleton.offsets * stage.scale).float().to(self.accelerator)
        noise = noise_source(request.takes, request.seed, self.network.config.block, self.accelerator)
        danced = rollout(self.network, led, script.frames, script.past, role, offsets, noise, course, watch)
        seams = [script.frames.start + seam for seam in danced.seams]
        parts = [part for part in PARTS if part not in direction.without]
        takes: list[Motion] = []
        for made in poses_to_motions(danced.poses, script.skeleton, stage):
            done = post_process(script.splice(made), leader, parts, seams=seams, fixed=script.fixed)
            takes.append(_restore_fixed_frames(resample(done, request.leader.fps, len(request.leader)), request))
            progress(_ROLLOUT_PROGRESS + (1.0 - _ROLLOUT_PROGRESS) * len(takes) / request.takes, "finishing")
        return takes

    def segment(
        self, request: PartnerRequest, leader: Motion, stage: WorldFrame, led: Tensor, role: int
    ) -> RolloutSegment:
        """What of a request there is, and what is to be danced."""
        count, fps, direction = len(leader), request.leader.fps, request.direction
        fixed = np.zeros(count, bool)
        body = Skeleton(self.network.bone_offsets[role].double().cpu().numpy()).scale(1.0 / stage.scale)
        if request.history is not None:
            given = resample(request.history, FPS)[:count]
            fixed[: len(given)] = True
            return RolloutSegment(
                given, given.skeleton, range(len(given), count), self.past_poses(given, stage), [], fixed
            )
        if request.draft is None:
            return RolloutSegment(None, body, range(count), self.initial_past(led[0], role, direction.place), [], fixed)
        draft = resample(request.draft, FPS, count)
        kept = sorted({min(round(frame / fps * FPS), count - 1) for frame in direction.keep})
        first, last = direction.redo or (0, len(request.leader) - 1)
        start = int(np.floor((first - 1) / fps * FPS + 1e-6)) + 1 if first else int(bool(kept) and kept[0] == 0)
        stop = min(int(np.ceil((last + 1) / fps * FPS - 1e-6)), count)
        aims = [Keyframe(f, self.keyframe_poses(draft, f, stage), f + 1 in kept) for f in kept if start <= f < stop]
        fixed[kept] = fixed[:start] = fixed[stop:] = True
        if stop < count:
            aims.append(Keyframe(stop, self.keyframe_poses(draft, stop, stage), stop + 1 < count))
            stop += 1
        if start:
            past = self.past_poses(draft[:start], stage)
        else:
            past = self.initial_past(led[0], role, None, floor_frame(self.past_poses(draft[:1], stage)))
        return RolloutSegment(draft, draft.skeleton, range(start, stop), past, aims, fixed)

    def past_poses(self, history: Motion, stage: WorldFrame) -> PoseSequence:
        """The history's last frames as the network sees them; one that is too short stands still before it."""
        frames = np.maximum(np.arange(len(history) - self.network.config.history, len(history)), 0)
        return self._poses(history, frames, stage)

    def keyframe_poses(self, motion: Motion, frame: int, stage: WorldFrame) -> PoseSequence:
        """A pose of a movement and the one after it."""
        return self._poses(motion, np.minimum([frame, frame + 1], len(motion) - 1), stage)

    def _poses(self, motion: Motion, frames: Array, stage: WorldFrame) -> PoseSequence:
        world = kinematics.global_rotations(motion.rotations[frames])[:, list(ROTATED_JOINTS)]
        contacts = foot_contacts(motion.positions, motion.fps)[frames]
        return PoseSequence(
            stage.to_model(motion.root)[frames].to(self.accelerator),
            torch.from_numpy(rotations.to_matrix(world)).float().to(self.accelerator),
            torch.from_numpy(contacts).float().to(self.accelerator),
        )

    def initial_past(
        self, leader: Tensor, role: int, asked: tuple[float, float, float] | None, there: FloorFrame | None = None
    ) -> PoseSequence:
        """The way to begin that was danced opposite the pose most like the leader's first one, (29, 3) m.

        asked: m ahead of the leader, m to its left, and degrees turned away from facing it.  there: the place itself.
        """
        here = floor_frame_of_joints(leader)
        apart = (self.network.initial_leader_poses[role] - here.to_local(leader)).norm(dim=-1).mean(dim=-1)
        if asked is not None:
            at = torch.tensor([asked[1], -asked[0], 0.0]).to(leader)
            facing = torch.atan2(-at[0], at[1]) + np.radians(asked[2])
            seen = floor_frame_at(at, facing)
            there = FloorFrame(here.to_world(seen.origin[None])[0], here.rotation @ seen.rotation)
        if there is None:
            return poses_from_features(self.network.initial_pasts[role, int(apart.argmin())], here)
        begun = poses_from_features(self.network.initial_pasts[role], here)
        places = floor_frame(begun)
        turned = (places.rotation[:, :2, 0] * there.rotation[:2, 0]).sum(dim=-1).clamp(-1.0, 1.0).acos()
        nearest = int((apart + (places.origin - there.origin).norm(dim=-1) + _METRES_PER_RADIAN * turned).argmin())
        one = PoseSequence(begun.root[nearest], begun.rotations[nearest], begun.contacts[nearest])
        stood = floor_frame(one)
        turn = there.rotation @ stood.rotation.T
        return PoseSequence(there.to_world(stood.to_local(one.root)), turn @ one.rotations, one.contacts)


def poses_to_motions(dance: PoseSequence, skeleton: Skeleton, stage: WorldFrame) -> Iterator[Motion]:
    """Takes of the model's world (takes, F) as Motions in the leader's, one by one."""
    carrier = [ROTATED_JOINTS.index(j if j in ROTATED_JOINTS else PARENTS[j]) for j in range(29)]
    for root, turned in zip(dance.root, dance.rotations, strict=True):
        world: Array = rotations.from_matrix(turned.double().cpu().numpy())[:, carrier]
        local = rotations.unroll(kinematics.local_rotations(world))
        yield Motion(FPS, skeleton, stage.to_world(root), local)


def _restore_fixed_frames(take: Motion, request: PartnerRequest) -> Motion:
    """The take with the frames that the request fixes exactly as they came, the rest going over into them."""
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
    away = rotations.to_rotation_vector(rotations.multiply(rotations.inverse(take.rotations), given.rotations))
    vectors = np.where(fixed[:, None, None], away, 0.0).reshape(len(take), -1)
    turns = rotations.from_rotation_vector(blend_offsets(vectors, runs, blend).reshape(-1, 29, 3))
    turned = rotations.multiply(take.rotations, turns)
    root[fixed], turned[fixed] = given.root[fixed], given.rotations[fixed]
    return Motion(take.fps, take.skeleton, root, turned)
