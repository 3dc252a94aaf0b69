"""duet-vae's pipeline: from a request to takes, by a rollout of joint positions to which Motions are fitted.

The model knows 30 fps, dancers of one size and their floor: the request is resampled, scaled and moved to that world
frame, and the takes are transformed back.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from backend.models.common.noise import NoiseGenerator
from backend.models.common.world_frame import fit_world_frame
from backend.models.duet_vae.pose_space import pair_frame
from backend.models.duet_vae.rollout import rollout
from backend.models.duet_vae.trained import FPS, TrainedDuetVae
from backend.wire.messages import Cancelled, PartnerRequest
from rigs import Array, rotations
from rigs.easing import smoothstep
from rigs.motion import Motion, concatenate, resample
from rigs.pose_fitting import fit_motion
from rigs.skeleton import Skeleton

_TWIST_BLEND = 0.5
"""s over which the joints' twist blends from that of the history to that of the fitted poses."""


class DuetVaePipeline:
    """Pipeline of duet-vae: generates partners for leaders."""

    def __init__(self, weights: Path, accelerator: str) -> None:
        self.trained = TrainedDuetVae.load(weights, accelerator)

    def partner(
        self,
        request: PartnerRequest,
        progress: Callable[[float, str], None],
        cancelled: Callable[[], bool],
        preview: Callable[[int, int, Motion], None],
    ) -> list[Motion]:
        """Generate the takes of a request, see `Engine.partner`. Raises Cancelled.

        There are no previews: Motions are fitted when all positions are generated.
        """
        trained, statistics = self.trained, self.trained.statistics
        dancer = 2 if request.role == "follow" else 1
        leader = resample(request.leader, FPS)
        world = fit_world_frame(leader, statistics.bodies[2 - dancer], float(statistics.floors[2 - dancer]))
        other = world.to_model(leader.positions)[None]
        history = None
        if request.history is not None:
            history = resample(request.history, FPS)[: min(trained.window, len(leader))]
            first_frames, skeleton = world.to_model(history.positions)[None], history.skeleton
        else:
            first_frames = self.choose_start(other[:, :1], dancer)
            skeleton = Skeleton(statistics.bodies[dancer - 1].astype(np.float64)).scale(1.0 / world.scale)

        def on_frame(frame: int) -> None:
            if cancelled():
                raise Cancelled
            if frame % 10 == 0:
                progress(frame / len(leader), "generating")

        takes = rollout(
            trained,
            statistics.normalizer,
            np.repeat(other, request.takes, axis=0),
            np.repeat(first_frames, request.takes, axis=0),
            dancer,
            body=np.asarray(skeleton.offsets * world.scale, np.float32),
            pca=statistics.pose_pcas[dancer - 1],
            floor=float(statistics.floors[dancer - 1]),
            noise=self.sample_noise(request.seed, request.takes, len(leader)),
            on_frame=on_frame,
        )
        progress(1.0, "fitting joint rotations")
        motions = [fit_motion(world.to_world(take), FPS, skeleton=skeleton) for take in takes]
        return [match_leader(motion, history, request) for motion in motions]

    def choose_start(self, other: Array, dancer: int) -> Array:
        """Choose a first pose (1, 1, 29, 3) for `dancer`, facing the other dancer's first pose (1, 1, 29, 3).

        It is taken from the training set's moment in which the other dancer's pose is the most similar one.
        """
        moments = self.trained.statistics.starts[:, :, None]
        stored, here = pair_frame(moments[:, 2 - dancer]), pair_frame(other)
        difference = stored.to_local(moments[:, 2 - dancer]) - here.to_local(other)
        nearest = int(np.linalg.norm(difference, axis=-1).mean(axis=(1, 2)).argmin())
        return np.asarray(here.to_world(stored.to_local(moments[:, dancer - 1])[nearest][None]))

    def sample_noise(self, seed: int, takes: int, frames: int) -> Array:
        """Latent noise (3, takes, frames, latent); a take's does not depend on the number of takes."""
        generators = [NoiseGenerator(hash((seed, take)) % 2**63) for take in range(takes)]
        return np.stack([generator.normal(3, frames, self.trained.latent) for generator in generators], axis=1)


def match_leader(take: Motion, history: Motion | None, request: PartnerRequest) -> Motion:
    """Resample a take at 30 fps to the leader's frames, and put the history's own frames back in."""
    leader = request.leader
    if history is None or request.history is None:
        return resample(take, leader.fps, len(leader))
    given = len(history)
    blended = concatenate(history, blend_twist(take, history)[given:])
    result = resample(blended, leader.fps, len(leader))
    own = min(int((given - 1) / FPS * leader.fps + 1e-6) + 1, len(request.history), len(leader))
    return concatenate(request.history[:own], result[own:])


def blend_twist(take: Motion, history: Motion) -> Motion:
    """Blend joint rotations from the history's last ones: fitting to positions leaves the twist undetermined."""
    last = len(history) - 1
    offset = rotations.multiply(rotations.inverse(take.rotations[last]), history.rotations[last])
    seconds = np.arange(len(take) - last) / FPS
    weight = smoothstep(np.clip(1.0 - seconds / _TWIST_BLEND, 0.0, 1.0)[:, None])
    blended = take.rotations.copy()
    blended[last:] = rotations.multiply(
        blended[last:], rotations.slerp(rotations.identity(1, 29), offset[None], weight)
    )
    return replace(take, rotations=blended)
