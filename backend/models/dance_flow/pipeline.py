"""dance-flow's pipeline: from a request to a dance, by a rollout to the score's features, fitted to its beats."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from backend.models.common.noise import NoiseGenerator
from backend.models.common.runtime import TrainedNetwork
from backend.models.common.world_frame import WorldFrame
from backend.models.dance_flow.conditions import NAME, DanceFlowConditions, music_leader
from backend.models.motion_flow.features import FPS, PoseSequence, floor_frame_at, poses_from_features, poses_to_motions
from backend.models.motion_flow.rollout import ENERGY, RolloutOptions, rollout
from backend.models.motion_flow.sampler import noise_source
from backend.models.motion_flow.trained import TrainedMotionFlow
from backend.music.music_features import BAR_DENSITY, MUSIC_DIM, music_features, phrase_counts
from backend.music.pulse import dance_pulse
from backend.wire.messages import Cancelled, DanceRequest
from rigs import Array
from rigs.choreography.beat_alignment import align_to_beats, rhythm_curve
from rigs.contacts import FEET
from rigs.motion import Motion, resample
from rigs.post_processing.post_process import post_process_solo
from rigs.post_processing.seam_smoothing import smooth_seams
from rigs.skeleton import Skeleton

GUIDANCE = 1.0
"""Classifier-free guidance scale of the music: as trained, since more takes twice the time and gains nothing."""
_ROLE = 0
"""Role of a dancer alone: the leader's, so that a partner can follow."""
_ROLLOUT_PROGRESS = 0.97
"""Share of the progress bar for the rollout; the rest is for post-processing."""
_ENERGY_PER_DENSITY = 0.5
"""Standard deviations of a block's log speed per standard deviation of the music's note density."""
_DENSITY_LIMIT = 1.5
"""Standard deviations at which note density is clamped."""
_CANDIDATES = 4
"""Candidates sampled for each block, of which the best is used."""
_MEAN_SPEED_UPDATE = 0.15
"""Weight of a block in the moving average of the feet's speed."""
_CROUCH_HEIGHT, _CROUCH_COST = 0.92, 40.0
"""Share of the usual pelvis height below which a dancer crouches, and what a metre of it costs of the beat score."""
_NEAREST_PASTS = 6
"""Initial pasts, those nearest in count, of which the seed takes one."""


class TrainedDanceFlow(DanceFlowConditions, TrainedMotionFlow):
    """dance-flow with its weights, for inference."""

    name = NAME

    def __init__(self, trained: TrainedNetwork) -> None:
        super().__init__(trained)
        self.initial_counts: Array = trained.tensors["initial_counts"]
        self.rhythm: Array = trained.tensors["rhythm"]


class DanceFlowPipeline:
    """Pipeline of dance-flow: generates dances to scores."""

    def __init__(self, weights: Path, accelerator: str) -> None:
        self.network = TrainedDanceFlow.load(weights, accelerator)

    def dance(
        self, request: DanceRequest, progress: Callable[[float, str], None], cancelled: Callable[[], bool]
    ) -> Motion:
        """Generate the dance of a request, see `Engine.dance`: it begins at the origin. Raises Cancelled."""
        network = self.network
        frames = int(np.ceil((request.frames - 1) / request.fps * FPS - 1e-6)) + 1
        music = music_features(request.score, frames, FPS)
        leader = music_leader(music, np.zeros(2, np.float32))

        def on_block(first: int, block: PoseSequence) -> None:
            if cancelled():
                raise Cancelled
            progress(_ROLLOUT_PROGRESS * first / frames, "generating")

        counts = dance_pulse(request.score).counts_at(np.arange(frames + network.config.block) / FPS)
        rhythm = network.rhythm.astype(np.float64) @ [1.0, 1.0j]
        result = rollout(
            network,
            leader,
            range(frames),
            self.initial_past(music, request.seed),
            _ROLE,
            network.bone_offsets[_ROLE],
            noise_source(_CANDIDATES, request.seed, network.config.block),
            RolloutOptions(
                guidance=GUIDANCE,
                energy=ENERGY * request.energy * self.energy_curve(music),
                select_take=self.beat_selector(rhythm_curve(counts, rhythm)),
            ),
            on_block,
        )
        skeleton = Skeleton(network.bone_offsets[_ROLE].astype(np.float64))
        world = WorldFrame(1.0, float(network.floor_heights[_ROLE]))
        dance = next(poses_to_motions(result.poses, skeleton, world))
        progress(_ROLLOUT_PROGRESS, "post-processing")
        dance = align_to_beats(smooth_seams(dance, result.seams, np.ones(frames, bool)), counts[:frames], rhythm)
        return resample(post_process_solo(dance, floor=0.0), request.fps, request.frames)

    def energy_curve(self, music: Array) -> Array:
        """Energy (F,), as a multiple of the usual speed, that follows the note density of music (F, MUSIC_DIM)."""
        network = self.network
        mean, scale = (part[BAR_DENSITY] for part in (network.leader_mean, network.leader_scale))
        density = ((music[:, BAR_DENSITY] - mean) / scale).clip(-_DENSITY_LIMIT, _DENSITY_LIMIT)
        return np.exp(_ENERGY_PER_DENSITY * float(network.energy_stats[1]) * density)

    def beat_selector(self, rhythm_curve: Array) -> Callable[[PoseSequence, int], int]:
        """Selector of the candidate block whose feet step best with the music without crouching.

        rhythm_curve: (F,) the relative foot speed asked for, see `rigs.choreography.beat_alignment.rhythm_curve`.
        """
        offsets, mean_speed = self.network.bone_offsets[_ROLE], 0.0
        heights = np.sort(self.network.initial_pasts[_ROLE, ..., 2].ravel())
        upright = _CROUCH_HEIGHT * heights[(len(heights) - 1) // 2]  # the lower median
        last_feet: Array | None = None

        def select(block: PoseSequence, at: int) -> int:
            nonlocal last_feet, mean_speed
            feet = block.joint_positions(offsets)[:, :, FEET]
            path = feet
            if last_feet is not None:
                path = np.concatenate([np.broadcast_to(last_feet, (len(feet), *last_feet.shape[1:])), feet], axis=1)
            speed = np.linalg.norm(np.diff(path, axis=1), axis=-1).mean(axis=-1)
            first = last_feet is None
            mean_speed = speed.mean() if first else mean_speed + _MEAN_SPEED_UPDATE * (speed.mean() - mean_speed)
            relative = speed / max(mean_speed, 1e-3) - 1.0
            beat_score = (relative * rhythm_curve[at : at + feet.shape[1]][-speed.shape[1] :]).sum(axis=1)
            crouch = np.maximum(upright - block.root[..., 2], 0.0).mean(axis=1)
            best = int((beat_score - _CROUCH_COST * crouch).argmax())
            last_feet = feet[best : best + 1, -1:]
            return best

        return select

    def initial_past(self, music: Array, seed: int) -> PoseSequence:
        """Choose by the seed an initial past of about the music's first count; at the origin, facing -Y."""
        network = self.network
        count = float(phrase_counts(music[:1, :MUSIC_DIM])[0])
        distance = np.abs((network.initial_counts[_ROLE] - count + 4.0) % 8.0 - 4.0)
        nearest = np.argsort(distance, kind="stable")[:_NEAREST_PASTS]
        features = network.initial_pasts[_ROLE, nearest[NoiseGenerator(seed).integer(_NEAREST_PASTS)]]
        zero = np.zeros(3, np.float32)
        return poses_from_features(features, floor_frame_at(zero, zero[0]))
