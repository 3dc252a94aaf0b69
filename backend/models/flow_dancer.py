"""From a score to a dance with the dance flow: what is heard, where it begins, what is danced, how it is finished."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backend.messages import Cancelled, DanceRequest
from backend.models.dance_flow import DanceFlow, led_by
from backend.models.flow_partner import motions_of
from backend.models.flow_rollout import ENERGY, Course, fresh, roll_out
from backend.models.flow_views import FPS, Dance, dance_of, place_at
from backend.models.packing import can_halve, packed
from backend.models.stage import Stage, chosen
from backend.music.hearing import HEARD, counts_of, heard
from rigs.finishing import finished_alone
from rigs.motion import Motion, resample
from rigs.skeleton import Skeleton

GUIDANCE = 2.0
"""How strongly the music is followed, see `FlowNetwork.draw`."""
_LEADS = 0
"""The role of who dances alone: a partner can follow."""
_DANCED = 0.97
"""The part of the work that is done when all is danced and nothing is finished."""
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
        """The dance of a request, from where it begins at the origin; see `Engine.dance`."""
        network = self.network
        frames = int(np.ceil((request.frames - 1) / request.fps * FPS - 1e-6)) + 1
        hearing = torch.from_numpy(heard(request.score, frames, FPS))
        leader = led_by(hearing, torch.zeros(2)).to(self.accelerator)
        stage = Stage(1.0, float(network.floors[_LEADS]))

        def watch(first: int, block: Dance) -> None:
            if cancelled():
                raise Cancelled
            progress(_DANCED * first / frames, "dancing")

        danced = roll_out(
            network,
            leader,
            range(frames),
            self.start(hearing, request.seed),
            _LEADS,
            network.bodies[_LEADS],
            fresh(1, request.seed, network.config.block, self.accelerator),
            Course(guidance=GUIDANCE, energy=ENERGY * request.energy),
            watch,
        )
        skeleton = Skeleton(network.bodies[_LEADS].double().cpu().numpy())
        (made,) = motions_of(danced.dance, skeleton, stage)
        progress(_DANCED, "finishing")
        return resample(finished_alone(made, seams=danced.seams), request.fps, request.frames)

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
