"""From a score to a dance with the dance flow: what is heard, where it begins, what is danced, how it is finished."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backend.models.common.cpu_inference import bfloat16_supported, pack_linear_layers
from backend.models.common.world_frame import WorldFrame, choose_accelerator
from backend.models.dance_flow.network import DanceFlow, music_leader
from backend.models.motion_flow.features import FPS, PoseSequence, floor_frame_at, poses_from_features
from backend.models.motion_flow.sampler import RolloutOptions, noise_source, rollout
from backend.models.partner_flow.pipeline import poses_to_motions
from backend.music.music_features import BAR_DENSITY, MUSIC_DIM, music_features, phrase_counts
from backend.music.pulse import dance_pulse
from backend.wire.messages import Cancelled, DanceRequest
from rigs.choreography.beat_alignment import align_to_beats, rhythm_curve
from rigs.contacts import FEET
from rigs.motion import Motion, resample
from rigs.post_processing.post_process import post_process_solo
from rigs.post_processing.seam_smoothing import smooth_seams
from rigs.skeleton import Skeleton

GUIDANCE = 1.0
"""How strongly the music is followed, see `FlowNetwork.draw`: as learnt, as more costs twice the time for nothing."""
ENERGY = 1.4
"""Times the usual speed, at which it moves as much as real dancers; see `flow_rollout.ENERGY`."""
_ROLE = 0
"""The role of who dances alone: a partner can follow."""
_ROLLOUT_PROGRESS = 0.97
"""The part of the work that is done when all is danced and nothing is finished."""
_ENERGY_PER_DENSITY = 0.5
"""Deviations of a block's speed for one of the music's liveliness."""
_DENSITY_LIMIT = 1.5
"""Deviations from its mean beyond which liveliness is not answered."""
_CANDIDATES = 4
"""Blocks that are danced for each that is taken, the one that steps with the music best."""
_MEAN_SPEED_UPDATE = 0.15
"""How much of the feet's usual speed is forgotten with each block."""
_CROUCH_HEIGHT, _CROUCH_COST = 0.92, 40.0
"""The part of the pelvis's usual height below which a dancer crouches, and what a metre of that costs beside steps."""
_FEET = list(FEET)
_NEAREST_STARTS = 6
"""Ways to begin, those nearest in count, of which a seed takes one."""


class DanceFlowPipeline:
    """The trained flow on an accelerator."""

    def __init__(self, weights: Path, accelerator: str) -> None:
        self.accelerator = choose_accelerator(accelerator)
        network = DanceFlow.load(weights)
        on_cpu = self.accelerator.type == "cpu"
        self.network = (
            pack_linear_layers(network, bfloat16=bfloat16_supported()) if on_cpu else network.to(self.accelerator)
        )

    def dance(
        self, request: DanceRequest, progress: Callable[[float, str], None], cancelled: Callable[[], bool]
    ) -> Motion:
        """The dance of a request, on the floor z = 0, from where it begins at the origin; see `Engine.dance`."""
        network = self.network
        frames = int(np.ceil((request.frames - 1) / request.fps * FPS - 1e-6)) + 1
        hearing = torch.from_numpy(music_features(request.score, frames, FPS))
        leader = music_leader(hearing, torch.zeros(2)).to(self.accelerator)
        stage = WorldFrame(1.0, float(network.floor_heights[_ROLE]))

        def watch(first: int, block: PoseSequence) -> None:
            if cancelled():
                raise Cancelled
            progress(_ROLLOUT_PROGRESS * first / frames, "dancing")

        counts = dance_pulse(request.score).counts_at(np.arange(frames + network.config.block) / FPS)
        wanted = network.rhythm.double().cpu().numpy() @ [1.0, 1.0j]
        danced = rollout(
            network,
            leader,
            range(frames),
            self.initial_past(hearing, request.seed),
            _ROLE,
            network.bone_offsets[_ROLE],
            noise_source(_CANDIDATES, request.seed, network.config.block, self.accelerator),
            RolloutOptions(
                guidance=GUIDANCE,
                energy=ENERGY * request.energy * self.energy_curve(hearing),
                select_take=self.beat_selector(torch.from_numpy(rhythm_curve(counts, wanted)).to(self.accelerator)),
            ),
            watch,
        )
        skeleton = Skeleton(network.bone_offsets[_ROLE].double().cpu().numpy())
        made = next(poses_to_motions(danced.poses[slice(0, frames)], skeleton, stage))
        progress(_ROLLOUT_PROGRESS, "finishing")
        timed = align_to_beats(smooth_seams(made, danced.seams, np.ones(frames, bool)), counts[:frames], wanted)
        return resample(post_process_solo(timed, floor=0.0), request.fps, request.frames)

    def energy_curve(self, hearing: Tensor) -> Tensor:
        """(F,) by how much more than usual each frame is to move, as lively as what is heard (F, HEARD) is."""
        network = self.network
        mean, scale = (part[BAR_DENSITY].cpu() for part in (network.leader_mean, network.leader_scale))
        lively = ((hearing[:, BAR_DENSITY] - mean) / scale).clamp(-_DENSITY_LIMIT, _DENSITY_LIMIT)
        stirring: Tensor = (_ENERGY_PER_DENSITY * float(network.energy_stats[1]) * lively).exp().to(self.accelerator)
        return stirring

    def beat_selector(self, asked: Tensor) -> Callable[[PoseSequence, int], int]:
        """Which of some blocks steps with the music best and does not crouch.

        asked: (F,) how much faster or slower than usual feet are to be in each frame, see
        `rigs.choreography.beat_alignment.swing`.
        """
        offsets, usual = self.network.bone_offsets[_ROLE], torch.zeros(())
        upright = _CROUCH_HEIGHT * self.network.initial_pasts[_ROLE, ..., 2].median()
        before: Tensor | None = None

        def choose(made: PoseSequence, at: int) -> int:
            nonlocal before, usual
            feet = made.joint_positions(offsets)[:, :, _FEET]
            path = feet if before is None else torch.cat([before.expand(len(feet), -1, -1, -1), feet], dim=1)
            speed = path.diff(dim=1).norm(dim=-1).mean(dim=-1)
            usual = speed.mean() if before is None else usual + _MEAN_SPEED_UPDATE * (speed.mean() - usual)
            beside = speed / usual.clamp_min(1e-3) - 1.0
            steps = (beside * asked[at : at + feet.shape[1]][-speed.shape[1] :]).sum(dim=1)
            crouches = (upright - made.root[..., 2]).clamp_min(0.0).mean(dim=1)
            best = int((steps - _CROUCH_COST * crouches).argmax())
            before = feet[best : best + 1, -1:]
            return best

        return choose

    def initial_past(self, hearing: Tensor, seed: int) -> PoseSequence:
        """A way to begin, at the origin and facing -Y, that was danced in about the count in which the music begins."""
        network = self.network
        count = float(phrase_counts(hearing[:1, :MUSIC_DIM].numpy())[0])
        away = ((network.initial_counts[_ROLE] - count + 4.0) % 8.0 - 4.0).abs().cpu()
        nearest = away.argsort(stable=True)[:_NEAREST_STARTS]
        chosen_one = int(nearest[torch.randint(_NEAREST_STARTS, (), generator=torch.Generator().manual_seed(seed))])
        features = network.initial_pasts[_ROLE, chosen_one]
        zero = torch.zeros(3).to(features)
        return poses_from_features(features, floor_frame_at(zero, zero[0]))
