"""Ways to get a partner for a leader, all of one form: the models by name, and baselines that cost nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from backend.engine import Engine
from backend.protocol import PartnerRequest
from backend.wire.direction import DIRECTED, PARTS, UNDIRECTED, Direction
from rigs import Array, rotations
from rigs.easing import smoothstep
from rigs.motion import Motion, concatenate, rotate_about_z, translate
from rigs.skeleton import INDEX, Skeleton
from training.data.duets import Duet

CROSSFADE = 0.5
"""s over which a dancer goes over from one movement into another."""

GenerateTakes = Callable[[Motion, Motion, int], list[Motion]]
"""From a leader, a partner's first frames and a number of takes to the takes, each with the leader's frames."""


@dataclass(frozen=True)
class PartnerGenerator:
    """A way to get a partner.

    name: as the table shows it.  dance: see `Dance`.  varies: whether takes of one request differ.
    listens: whether it depends on the leader after the history.  block: frames that it makes at a time.
    """

    name: str
    generate: GenerateTakes
    stochastic: bool = False
    uses_leader: bool = True
    block: int = 8


@dataclass(frozen=True)
class FloorPlacement:
    """Where a dancer stands on the floor.  at: (2,) m.  heading: radians from facing -Y, counter-clockwise."""

    position: Array
    heading: float


ORIGIN = FloorPlacement(np.zeros(2), 0.0)


def floor_placement(pose: Array) -> FloorPlacement:
    """Where the dancer of a pose (29, 3) m stands and faces, by pelvis and hips."""
    across = pose[INDEX["left_hip"]] - pose[INDEX["right_hip"]]
    return FloorPlacement(pose[0, :2], float(np.arctan2(across[1], across[0])))


def align_placement(motion: Motion, here: FloorPlacement, there: FloorPlacement) -> Motion:
    """A movement carried and turned on the floor so that what stood `here` stands `there`."""
    at_origin = translate(motion, -np.append(here.position, 0.0))
    return translate(rotate_about_z(at_origin, there.heading - here.heading), np.append(there.position, 0.0))


def crossfade(past: Motion, following: Motion) -> Motion:
    """`past`, and after it `following`, whose first frame is the moment of the past's last.

    The difference between the two poses of that moment fades within `BLEND` seconds.
    """
    left = 1.0 - smoothstep(np.arange(1, len(following)) / (CROSSFADE * past.fps))
    root = following.root[1:] + left[:, None] * (past.root[-1] - following.root[0])
    away = rotations.multiply(rotations.inverse(following.rotations[0]), past.rotations[-1])
    part = rotations.slerp(rotations.identity(1, 29), away[None], np.repeat(left[:, None], 29, axis=1))
    turned = rotations.multiply(following.rotations[1:], part)
    return concatenate(past, replace(following, skeleton=past.skeleton, root=root, rotations=turned))


def hold_pose(pose: Motion, frames: int) -> Motion:
    """A single frame, held for so many."""
    return replace(pose, root=np.repeat(pose.root, frames, axis=0), rotations=np.repeat(pose.rotations, frames, axis=0))


def model_generator(name: str, direction: Direction = UNDIRECTED) -> PartnerGenerator:
    """A model by the name that the engine knows it by, directed as told."""
    engine = _shared_engine()

    def dance(leader: Motion, history: Motion, takes: int) -> list[Motion]:
        return engine.partner(PartnerRequest(leader, history=history, model=name, takes=takes, direction=direction))

    return PartnerGenerator(name, dance, stochastic=True)


def post_processing_ablations(name: str) -> dict[str, PartnerGenerator]:
    """A model that takes direction with nothing of its finishing, and with all but one part of it."""
    if name not in DIRECTED:
        return {}
    without = {"without any": PARTS, **{f"without {part}": (part,) for part in PARTS}}
    return {said: model_generator(name, Direction(without=parts)) for said, parts in without.items()}


@cache
def _shared_engine() -> Engine:
    return Engine()


def zero_velocity() -> PartnerGenerator:
    """The partner stays as the history leaves it."""

    def dance(leader: Motion, history: Motion, takes: int) -> list[Motion]:
        return [concatenate(history, hold_pose(history[-1:], len(leader) - len(history)))] * takes

    return PartnerGenerator("zero velocity", dance, uses_leader=False)


def mean_pose(train: Sequence[Duet]) -> PartnerGenerator:
    """The average partner of the training takes, standing where on average it stands as seen from the leader."""
    roots, turned = [], []
    for duet in train:
        for f in range(0, len(duet), 5):
            moved = align_placement(duet.follower[f : f + 1], floor_placement(duet.leader.positions[f]), ORIGIN)
            roots.append(moved.root[0])
            turned.append(moved.rotations[0])
    root = np.mean(roots, axis=0)
    stacked = np.array(turned)
    moments = np.einsum("fjk,fjl->jkl", stacked, stacked)
    mean = np.linalg.eigh(moments)[1][..., -1]

    def dance(leader: Motion, history: Motion, takes: int) -> list[Motion]:
        there = floor_placement(leader.positions[len(history) - 1])
        pose = Motion(leader.fps, history.skeleton, root[None], mean[None])
        standing = align_placement(pose, ORIGIN, there)
        return [crossfade(history, hold_pose(standing, len(leader) - len(history) + 1))] * takes

    return PartnerGenerator("mean pose", dance, uses_leader=False)


def copy_of_the_leader() -> PartnerGenerator:
    """The partner does what the leader does, from its own place, on its own legs."""

    def dance(leader: Motion, history: Motion, takes: int) -> list[Motion]:
        last = len(history) - 1
        following = leader[last:]
        scale = _leg_length(history.skeleton) / _leg_length(leader.skeleton)
        lifted = replace(following, skeleton=history.skeleton, root=following.root * [1.0, 1.0, scale])
        here, there = floor_placement(lifted.positions[0]), floor_placement(history.positions[-1])
        return [crossfade(history, align_placement(lifted, here, there))] * takes

    return PartnerGenerator("copy of the leader", dance)


def another_takes_follower(train: Sequence[Duet]) -> PartnerGenerator:
    """A real follower, but of another take: brought to where its own leader would stand as this one does."""

    def dance(leader: Motion, history: Motion, takes: int) -> list[Motion]:
        missing = len(leader) - len(history)
        longest = sorted(train, key=len, reverse=True)
        found = [duet for duet in longest if len(duet) > missing] or longest[:1]
        return [_transplant_follower(found[take % len(found)], leader, history) for take in range(takes)]

    return PartnerGenerator("another take's follower", dance, stochastic=True, uses_leader=False)


def _transplant_follower(duet: Duet, leader: Motion, history: Motion) -> Motion:
    """The follower of `duet` after the history, played to and fro where it is too short."""
    missing = len(leader) - len(history) + 1
    there_and_back = np.concatenate([np.arange(len(duet)), np.arange(len(duet) - 2, 0, -1)])
    at = np.resize(there_and_back, missing)
    follower = replace(duet.follower, root=duet.follower.root[at], rotations=duet.follower.rotations[at])
    here, there = floor_placement(duet.leader.positions[0]), floor_placement(leader.positions[len(history) - 1])
    return crossfade(history, align_placement(follower, here, there))


def _leg_length(skeleton: Skeleton) -> float:
    bones = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("knee", "ankle")]
    return float(np.linalg.norm(skeleton.offsets[bones], axis=-1).sum())
