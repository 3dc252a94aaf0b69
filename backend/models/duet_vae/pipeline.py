"""From a request to takes with the duet model: the leader is brought to what the model knows, the partner back from it.

The model knows 30 fps, dancers of one size and their floor. So the pair is resampled, scaled and lowered as one, the
partner is rolled out as joint positions, solved into a Motion, and everything is undone.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backend.models.common.inference import choose_accelerator
from backend.models.common.world_frame import fit_world_frame
from backend.models.duet_vae.checkpoint import load
from backend.models.duet_vae.network import FPS, place
from backend.models.duet_vae.rollout import HIPS, Poses, rollout
from backend.protocol import Cancelled, PartnerRequest
from rigs import rotations
from rigs.easing import smoothstep
from rigs.motion import Motion, concatenate, resample
from rigs.pose_fitting import fit_motion
from rigs.skeleton import Skeleton

SETTLE = 0.5
"""s: over which the joints' twist goes from the history's to that of the solved positions."""


class DuetVaePipeline:
    """The trained duet model on an accelerator."""

    def __init__(self, weights: Path, accelerator: str) -> None:
        self.accelerator = choose_accelerator(accelerator)
        self.trained = load(weights)
        self.trained.network.to(self.accelerator)
        self.trained.normalisation.to(self.accelerator)

    def partner(
        self,
        request: PartnerRequest,
        progress: Callable[[float, str], None],
        cancelled: Callable[[], bool],
        preview: Callable[[int, int, Motion], None],
    ) -> list[Motion]:
        """See `Engine.partner`. There are no previews: joints are solved when all positions are there."""
        dancer = 2 if request.role == "follow" else 1
        leader = resample(request.leader, FPS)
        trained = self.trained
        stage = fit_world_frame(leader, trained.bodies[2 - dancer], trained.floors[2 - dancer])
        known = stage.to_model(leader.positions)[None]
        history = None
        if request.history is not None:
            history = resample(request.history, FPS)[: min(self.trained.network.config.window, len(leader))]
            given, skeleton = stage.to_model(history.positions)[None], history.skeleton
        else:
            given = self.start(known[:, :1], dancer)
            skeleton = Skeleton(self.trained.bodies[dancer - 1].double().numpy()).scale(1.0 / stage.scale)

        def watch(frame: int) -> None:
            if cancelled():
                raise Cancelled
            if frame % 10 == 0:
                progress(frame / len(leader), "dancing")

        made = rollout(
            self.trained.network,
            self.trained.normalisation,
            known.expand(request.takes, -1, -1, -1).to(self.accelerator),
            given.expand(request.takes, -1, -1, -1).to(self.accelerator),
            dancer,
            body=torch.from_numpy(skeleton.offsets * stage.scale).float().to(self.accelerator),
            poses=Poses(*(part.to(self.accelerator) for part in self.trained.poses[dancer - 1])),
            floor=float(self.trained.floors[dancer - 1]),
            noise=self.noise(request.seed, request.takes, len(leader)),
            watch=watch,
        )
        progress(1.0, "solving joints")
        solved = [fit_motion(stage.to_world(take), FPS, skeleton=skeleton) for take in made]
        return [finish(take, history, request) for take in solved]

    def start(self, known: Tensor, dancer: int) -> Tensor:
        """A pose (1, 1, 29, 3) for `dancer` that faces the other's first pose `known` (1, 1, 29, 3).

        It is the one that stood, among the moments the model has kept, opposite the pose most like that one.
        """
        moments = self.trained.starts[:, :, None]
        there = place(moments[:, 2 - dancer], HIPS)
        here = place(known, HIPS)
        apart = (there.into(moments[:, 2 - dancer]) - here.into(known)).norm(dim=-1).mean(dim=(1, 2))
        nearest = int(apart.argmin())
        return here.out_of(there.into(moments[:, dancer - 1])[nearest][None])

    def noise(self, seed: int, takes: int, frames: int) -> Tensor:
        """The latents' noise (3, takes, frames, latent): a take's own, however many others are asked for."""
        shape = (3, frames, self.trained.network.config.latent)
        generators = [torch.Generator().manual_seed(hash((seed, take)) % 2**63) for take in range(takes)]
        return torch.stack([torch.randn(shape, generator=g) for g in generators], dim=1).to(self.accelerator)


def finish(solved: Motion, history: Motion | None, request: PartnerRequest) -> Motion:
    """A solved take at 30 fps to the leader's frames; the history's own frames as they were given."""
    leader = request.leader
    if history is None or request.history is None:
        return resample(solved, leader.fps, len(leader))
    kept = len(history)
    settled = concatenate(history, settle(solved, history)[kept:])
    take = resample(settled, leader.fps, len(leader))
    own = min(int((kept - 1) / FPS * leader.fps + 1e-6) + 1, len(request.history), len(leader))
    return concatenate(request.history[:own], take[own:])


def settle(solved: Motion, history: Motion) -> Motion:
    """Let the joints go on from the rotations that the history ends with: positions alone do not know the twist."""
    last = len(history) - 1
    away = rotations.multiply(rotations.inverse(solved.rotations[last]), history.rotations[last])
    seconds = np.arange(len(solved) - last) / FPS
    left = np.clip(1.0 - seconds / SETTLE, 0.0, 1.0)[:, None]
    part = rotations.slerp(rotations.identity(1, 29), away[None], smoothstep(left))
    turned = solved.rotations.copy()
    turned[last:] = rotations.multiply(turned[last:], part)
    return replace(solved, rotations=turned)
