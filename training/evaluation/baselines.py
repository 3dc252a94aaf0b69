"""Partner generators of one interface: the models by name, and baselines that need no training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from backend.engine import Engine
from backend.model_registry import REGISTRY
from backend.wire.direction import PARTS, UNDIRECTED, Direction
from backend.wire.messages import PartnerRequest
from rigs import Array, rotations
from rigs.easing import smoothstep
from rigs.motion import Motion, concatenate, rotate_about_z, translate
from rigs.skeleton import HIPS, Skeleton, both_sides
from training.data.duets import Duet

CROSSFADE = 0.5
"""s over which one movement blends into the next."""

GenerateTakes = Callable[[Motion, Motion, int], list[Motion]]
"""Generates takes: from a leader, the partner's history and a number of takes; each has the leader's frame count."""


@dataclass(frozen=True)
class PartnerGenerator:
    """A way to generate a partner.

    name: as tables show it.  generate: see `GenerateTakes`.  stochastic: whether takes of one request differ.
    uses_leader: whether it depends on the leader after the history.  block: frames that it generates at once.
    ablation_of: the model that it is a part of, if it is one without some of its post-processing.
    """

    name: str
    generate: GenerateTakes
    stochastic: bool = False
    uses_leader: bool = True
    block: int = 8
    ablation_of: str = ""


@dataclass(frozen=True)
class FloorPlacement:
    """Position and heading of a dancer on the floor.

    position: (2,) m.  heading: radians from facing -Y, counter-clockwise.
    """

    position: Array
    heading: float


ORIGIN = FloorPlacement(np.zeros(2), 0.0)


def floor_placement(pose: Array) -> FloorPlacement:
    """Position and heading of a dancer in a pose (29, 3) m, by pelvis and hips."""
    across = pose[HIPS[0]] - pose[HIPS[1]]
    return FloorPlacement(pose[0, :2], float(np.arctan2(across[1], across[0])))


def align_placement(motion: Motion, source: FloorPlacement, target: FloorPlacement) -> Motion:
    """Move and turn a motion on the floor so that the placement `source` comes to lie on `target`."""
    at_origin = translate(motion, -np.append(source.position, 0.0))
    return translate(rotate_about_z(at_origin, target.heading - source.heading), np.append(target.position, 0.0))


def crossfade(past: Motion, following: Motion) -> Motion:
    """Append `following` to `past`; its first frame is the same moment as the past's last.

    The difference between the two poses of that moment fades out within `CROSSFADE` seconds.
    """
    weight = 1.0 - smoothstep(np.arange(1, len(following)) / (CROSSFADE * past.fps))
    root = following.root[1:] + weight[:, None] * (past.root[-1] - following.root[0])
    difference = rotations.multiply(rotations.inverse(following.rotations[0]), past.rotations[-1])
    fading = rotations.slerp(rotations.identity(1, 29), difference[None], np.repeat(weight[:, None], 29, axis=1))
    blended = rotations.multiply(following.rotations[1:], fading)
    return concatenate(past, replace(following, skeleton=past.skeleton, root=root, rotations=blended))


def hold_pose(pose: Motion, frames: int) -> Motion:
    """Repeat a single frame."""
    return replace(pose, root=np.repeat(pose.root, frames, axis=0), rotations=np.repeat(pose.rotations, frames, axis=0))


def model_generator(name: str, direction: Direction = UNDIRECTED) -> PartnerGenerator:
    """A model as the engine runs it, with a direction."""
    engine = _shared_engine()

    def generate(leader: Motion, history: Motion, takes: int) -> list[Motion]:
        return engine.partner(PartnerRequest(leader, history=history, model=name, takes=takes, direction=direction))

    return PartnerGenerator(name, generate, stochastic=True)


def post_processing_ablations(name: str) -> list[PartnerGenerator]:
    """A model without any post-processing, and without each single part of it; none if it takes no direction."""
    if not REGISTRY.get(name).direction:
        return []
    without = {"without any": PARTS, **{f"without {part}": (part,) for part in PARTS}}
    return [
        replace(model_generator(name, Direction(without=parts)), name=label, ablation_of=name)
        for label, parts in without.items()
    ]


@cache
def _shared_engine() -> Engine:
    return Engine()


def zero_velocity() -> PartnerGenerator:
    """Zero-velocity baseline: the partner holds the history's last pose."""

    def generate(leader: Motion, history: Motion, takes: int) -> list[Motion]:
        return [concatenate(history, hold_pose(history[-1:], len(leader) - len(history)))] * takes

    return PartnerGenerator("zero velocity", generate, uses_leader=False)


def mean_pose(train: Sequence[Duet]) -> PartnerGenerator:
    """Mean-pose baseline: the average pose and placement, relative to the leader, of the training followers.

    Rotations are averaged by the quaternion method of Markley et al. 2007.
    """
    roots, samples = [], []
    for duet in train:
        for f in range(0, len(duet), 5):
            relative = align_placement(duet.follower[f : f + 1], floor_placement(duet.leader.positions[f]), ORIGIN)
            roots.append(relative.root[0])
            samples.append(relative.rotations[0])
    mean_root = np.mean(roots, axis=0)
    quaternions = np.array(samples)
    moments = np.einsum("fjk,fjl->jkl", quaternions, quaternions)
    mean_rotations = np.linalg.eigh(moments)[1][..., -1]

    def generate(leader: Motion, history: Motion, takes: int) -> list[Motion]:
        pose = Motion(leader.fps, history.skeleton, mean_root[None], mean_rotations[None])
        beside_leader = align_placement(pose, ORIGIN, floor_placement(leader.positions[len(history) - 1]))
        return [crossfade(history, hold_pose(beside_leader, len(leader) - len(history) + 1))] * takes

    return PartnerGenerator("mean pose", generate, uses_leader=False)


def copy_of_the_leader() -> PartnerGenerator:
    """Copy baseline: the partner repeats the leader's movement from its own placement and on its own leg length."""

    def generate(leader: Motion, history: Motion, takes: int) -> list[Motion]:
        following = leader[len(history) - 1 :]
        scale = _leg_length(history.skeleton) / _leg_length(leader.skeleton)
        scaled = replace(following, skeleton=history.skeleton, root=following.root * [1.0, 1.0, scale])
        source, target = floor_placement(scaled.positions[0]), floor_placement(history.positions[-1])
        return [crossfade(history, align_placement(scaled, source, target))] * takes

    return PartnerGenerator("copy of the leader", generate)


def another_takes_follower(train: Sequence[Duet]) -> PartnerGenerator:
    """Random-follower baseline: a real follower of another recording, placed by its own leader's placement."""

    def generate(leader: Motion, history: Motion, takes: int) -> list[Motion]:
        missing = len(leader) - len(history)
        longest = sorted(train, key=len, reverse=True)
        candidates = [duet for duet in longest if len(duet) > missing] or longest[:1]
        return [_transplant_follower(candidates[take % len(candidates)], leader, history) for take in range(takes)]

    return PartnerGenerator("another take's follower", generate, stochastic=True, uses_leader=False)


def _transplant_follower(duet: Duet, leader: Motion, history: Motion) -> Motion:
    """The follower of `duet` after the history, played forwards and backwards where it is too short."""
    missing = len(leader) - len(history) + 1
    ping_pong = np.concatenate([np.arange(len(duet)), np.arange(len(duet) - 2, 0, -1)])
    frames = np.resize(ping_pong, missing)
    follower = replace(duet.follower, root=duet.follower.root[frames], rotations=duet.follower.rotations[frames])
    source = floor_placement(duet.leader.positions[0])
    target = floor_placement(leader.positions[len(history) - 1])
    return crossfade(history, align_placement(follower, source, target))


def _leg_length(skeleton: Skeleton) -> float:
    return float(np.linalg.norm(skeleton.offsets[both_sides("knee", "ankle")], axis=-1).sum())
