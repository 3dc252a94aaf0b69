"""From a score to a dance with the dance flow: what is heard, where it begins, what is danced, how it is finished."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backend.models.common.cpu_inference import can_halve, packed
from backend.models.common.world_frame import Stage, chosen
from backend.models.dance_flow.network import DanceFlow, led_by
from backend.models.motion_flow.features import FPS, Dance, dance_of, place_at
from backend.models.motion_flow.sampler import Course, fresh, roll_out
from backend.models.partner_flow.pipeline import motions_of
from backend.music.music_features import HEARD, LIVELY, counts_of, heard
from backend.music.pulse import pulse
from backend.wire.messages import Cancelled, DanceRequest
from rigs.choreography.beat_alignment import in_time, swing
from rigs.contacts import FEET
from rigs.motion import Motion, resample
from rigs.post_processing.post_process import finished_alone
from rigs.post_processing.seam_smoothing import blended
from rigs.skeleton import Skeleton

GUIDANCE = 1.0
"""How strongly the music is followed, see `FlowNetwork.draw`: as learnt, as more costs twice the time for nothing."""
ENERGY = 1.4
"""Times the usual speed, at which it moves as much as real dancers; see `flow_rollout.ENERGY`."""
_LEADS = 0
"""The role of who dances alone: a partner can follow."""
_DANCED = 0.97
"""The part of the work that is done when all is danced and nothing is finished."""
_ANSWER = 0.5
"""Deviations of a block's speed for one of the music's liveliness."""
_LIVELIEST = 1.5
"""Deviations from its mean beyond which liveliness is not answered."""
_TRIED = 4
"""Blocks that are danced for each that is taken, the one that steps with the music best."""
_FORGETS = 0.15
"""How much of the feet's usual speed is forgotten with each block."""
_UPRIGHT, _CROUCHING = 0.92, 40.0
"""The part of the pelvis's usual height below which a dancer crouches, and what a metre of that costs beside steps."""
_FEET = list(FEET)
_NEAREST = 6
"""Ways to begin, those nearest in count, of which a seed takes one."""


class FlowDancer:
    """The trained flow on an accelerator."""

    def __init__(self, weights: Path, accelerator: str) -> None:
        self.accelerator = chosen(accelerator)
        network = DanceFlow.load(weights)
        on_cpu = self.accelerator.type == "cpu"
        self.network = packed(network, halved=can_halve()) if on_cpu else network.to(self.accelerator)

    def dance(
        self, request: DanceRequest, progress: Callable[[float, str], None], cancelled: Callable[[], bool]
    ) -> Motion:
        """The dance of a request, on the floor z = 0, from where it begins at the origin; see `Engine.dance`."""
        network = self.network
        frames = int(np.ceil((request.frames - 1) / request.fps * FPS - 1e-6)) + 1
        hearing = torch.from_numpy(heard(request.score, frames, FPS))
        leader = led_by(hearing, torch.zeros(2)).to(self.accelerator)
        stage = Stage(1.0, float(network.floors[_LEADS]))

        def watch(first: int, block: Dance) -> None:
            if cancelled():
                raise Cancelled
            progress(_DANCED * first / frames, "dancing")

        counts = pulse(request.score).counted(np.arange(frames + network.config.block) / FPS)
        wanted = network.rhythm.double().cpu().numpy() @ [1.0, 1.0j]
        danced = roll_out(
            network,
            leader,
            range(frames),
            self.start(hearing, request.seed),
            _LEADS,
            network.bodies[_LEADS],
            fresh(_TRIED, request.seed, network.config.block, self.accelerator),
            Course(
                guidance=GUIDANCE,
                energy=ENERGY * request.energy * self.stirring(hearing),
                choose=self.in_step(torch.from_numpy(swing(counts, wanted)).to(self.accelerator)),
            ),
            watch,
        )
        skeleton = Skeleton(network.bodies[_LEADS].double().cpu().numpy())
        made = next(motions_of(danced.dance[slice(0, frames)], skeleton, stage))
        progress(_DANCED, "finishing")
        timed = in_time(blended(made, danced.seams, np.ones(frames, bool)), counts[:frames], wanted)
        return resample(finished_alone(timed, floor=0.0), request.fps, request.frames)

    def stirring(self, hearing: Tensor) -> Tensor:
        """(F,) by how much more than usual each frame is to move, as lively as what is heard (F, HEARD) is."""
        network = self.network
        mean, scale = (part[LIVELY].cpu() for part in (network.leader_mean, network.leader_scale))
        lively = ((hearing[:, LIVELY] - mean) / scale).clamp(-_LIVELIEST, _LIVELIEST)
        stirring: Tensor = (_ANSWER * float(network.energy[1]) * lively).exp().to(self.accelerator)
        return stirring

    def in_step(self, asked: Tensor) -> Callable[[Dance, int], int]:
        """Which of some blocks steps with the music best and does not crouch.

        asked: (F,) how much faster or slower than usual feet are to be in each frame, see
        `rigs.choreography.beat_alignment.swing`.
        """
        offsets, usual = self.network.bodies[_LEADS], torch.zeros(())
        upright = _UPRIGHT * self.network.starts[_LEADS, ..., 2].median()
        before: Tensor | None = None

        def choose(made: Dance, at: int) -> int:
            nonlocal before, usual
            feet = made.joints(offsets)[:, :, _FEET]
            path = feet if before is None else torch.cat([before.expand(len(feet), -1, -1, -1), feet], dim=1)
            speed = path.diff(dim=1).norm(dim=-1).mean(dim=-1)
            usual = speed.mean() if before is None else usual + _FORGETS * (speed.mean() - usual)
            beside = speed / usual.clamp_min(1e-3) - 1.0
            steps = (beside * asked[at : at + feet.shape[1]][-speed.shape[1] :]).sum(dim=1)
            crouches = (upright - made.root[..., 2]).clamp_min(0.0).mean(dim=1)
            best = int((steps - _CROUCHING * crouches).argmax())
            before = feet[best : best + 1, -1:]
            return best

        return choose

    def start(self, hearing: Tensor, seed: int) -> Dance:
        """A way to begin, at the origin and facing -Y, that was danced in about the count in which the music begins."""
        network = self.network
        count = float(counts_of(hearing[:1, :HEARD].numpy())[0])
        away = ((network.counts[_LEADS] - count + 4.0) % 8.0 - 4.0).abs().cpu()
        nearest = away.argsort(stable=True)[:_NEAREST]
        chosen_one = int(nearest[torch.randint(_NEAREST, (), generator=torch.Generator().manual_seed(seed))])
        features = network.starts[_LEADS, chosen_one]
        zero = torch.zeros(3).to(features)
        return dance_of(features, place_at(zero, zero[0]))
