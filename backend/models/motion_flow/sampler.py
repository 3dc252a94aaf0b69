"""Dancing for long with a flow network: block after block beside what leads, on the floor, apart and on course."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from backend.models.motion_flow.features import (
    PARTNER,
    Dance,
    Place,
    dance_of,
    heading,
    joined,
    partner_features,
    place_at,
    place_of,
)
from backend.models.motion_flow.network import FARTHEST, GOAL, FlowNetwork
from rigs.easing import smoothstep
from rigs.skeleton import INDEX

GUIDANCE = 2.0
ENERGY = 1.4
"""Times the usual speed of the training takes. Asked for nothing, the network dances at four fifths of their speed;
asked for this, at all of it, and its figures are the more like real ones."""
STEPS = 4
_AIMING = 4.0
"""How strongly a pose to meet is headed for, see `FlowNetwork.draw`."""
_APPROACH = 32
"""Frames, at most, over which what is still missing to the pose is made up."""
_SHARE = 4
"""Rows at least, of which guidance takes two a take, that are worth a core of their own."""
_FIRM = 0.65
"""The least length of a pelvis's axis for which a block is not drawn again; usually it is over 0.85."""
_TOES = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("foot", "bigtoe")]
_LOWERED = 0.7
"""The part of a block's mean height above the floor that is taken away at once."""
_MOST = 0.05
"""m that a block is lowered or raised at most."""


@dataclass(frozen=True)
class Aim:
    """A pose that is to be met.

    frame: of the leader.  poses: two frames, the pose and the one after it.  stepped: whether the later one counts.
    """

    frame: int
    poses: Dance
    stepped: bool


@dataclass(frozen=True)
class Course:
    """How a dance goes beside what the leader does.

    guidance: how strongly the leader is followed, see `FlowNetwork.draw`.
    energy: times the usual speed, for the whole dance or for each of the leader's frames (F,).
    aims: poses to meet, in the order of their frames.  foreseen: whether the leader's next frames are known.
    choose: is given a block of every take and its first frame, and says which of them all takes go on with; without it
    each goes on with its own.
    """

    guidance: float = GUIDANCE
    energy: float | Tensor = ENERGY
    aims: Sequence[Aim] = ()
    foreseen: bool = True
    choose: Callable[[Dance, int], int] | None = None


class Pull(NamedTuple):
    """How strongly the leader is followed and a goal headed for, see `FlowNetwork.draw`."""

    guidance: float
    aiming: float


@dataclass(frozen=True)
class Danced:
    """What comes of it: the takes' dance and the first frames of its blocks, counted from the first one."""

    dance: Dance
    seams: list[int]


@torch.inference_mode()
def roll_out(
    network: FlowNetwork,
    leader: Tensor,
    frames: range,
    past: Dance,
    role: int,
    offsets: Tensor,
    draw: Callable[[int], Tensor],
    course: Course = Course(),
    watch: Callable[[int, Dance], None] = lambda first, made: None,
) -> Danced:
    """Dance beside the frames `frames` of the leader (F, ...), of the kind that the network is led by.

    past: the partner's `history` frames before them.  offsets: (29, 3) m, the partner's bones.
    draw: gives the noise (takes, block, PARTNER) of the n-th block.  watch: is told each block as it is made, and the
    leader's frame that it begins with.
    """
    config, noise = network.config, draw(0)
    block, takes, device = config.block, len(noise), leader.device
    recent = _for_each(past, takes)
    rest = recent.joints(offsets)[:, :, _TOES, 2].amin(dim=2).median(dim=1).values
    roles = torch.full((takes,), role, device=device)
    heard = torch.ones(takes, config.seen, dtype=torch.bool, device=device)
    heard[:, config.before + 1 :] = course.foreseen
    stirring = torch.as_tensor(course.energy, device=device).expand(len(leader))
    at, free, danced, seams = frames.start, frames.start, list[Dance](), list[int]()
    while at < frames.stop:
        around = torch.arange(at - 1 - block * config.before, at + block * (1 + config.after))
        seen = leader[around.clamp(0, len(leader) - 1).to(device)]
        place = place_of(recent)
        own, led = network.views(recent, offsets, seen.expand(takes, *seen.shape), place)
        aim = next((aim for aim in course.aims if aim.frame >= at), None)
        goal = _goal(network, aim, at, place, takes)
        pull = Pull(course.guidance, _AIMING if goal.any() else 1.0)
        asked = stirring[at : at + block].mean().expand(takes)
        energy = network.stirred(network.energy[0].exp() * asked)
        drawn = _sound(network, pull, (noise, own, led, roles, heard, goal, energy))
        made = _lowered(dance_of(network.natural(drawn), place), offsets, rest)
        made = network.given_room(made, seen[1 + block * config.before :][:block])
        if course.choose is not None:
            best = course.choose(made, at)
            made = _for_each(Dance(made.root[best], made.turned[best], made.contacts[best]), takes)
        if aim is not None:
            made = made[slice(0, _until(aim.frame - at, block))]
        watch(at, made)
        seams.append(at - frames.start)
        danced.append(made)
        at += made.root.shape[-2]
        if aim is not None and aim.frame == at - 1:
            whole, way = joined(*danced), min(_APPROACH, at - free)
            danced, free = [whole[slice(0, -way)], _met(whole[slice(-way, None)], aim)], at
            recent = joined(_for_each(past, takes), *danced)[slice(-config.history, None)]
        else:
            recent = joined(recent, made)[slice(-config.history, None)]
        noise = draw(len(seams))
    whole = joined(recent[slice(0, 0)], *danced)
    return Danced(whole[slice(0, len(frames))], seams)


def _sound(network: FlowNetwork, pull: Pull, given: Sequence[Tensor]) -> Tensor:
    """A block of every take, drawn again where its pelvis is torn between two ways round, as none can turn."""
    drawn, noise = _drawn(network, pull, given), given[0]
    for other in (-noise, noise.roll(1, dims=1), -noise.roll(1, dims=1)):
        length = _firmness(network, drawn)
        torn = length < _FIRM
        if not torn.any():
            break
        again = _drawn(network, pull, [part[torn] for part in (other, *given[1:])])
        better = _firmness(network, again) > length[torn]
        drawn[torn] = torch.where(better[:, None, None], again, drawn[torn])
    return drawn


def _firmness(network: FlowNetwork, drawn: Tensor) -> Tensor:
    """The least length (B,) of the axes that say how the pelvis is turned: 1 in a body, 0 between two opposite ways."""
    columns = network.natural(drawn)[..., 3:9]
    return columns.reshape(len(drawn), -1, 3).norm(dim=-1).amin(dim=1)


def _drawn(network: FlowNetwork, pull: Pull, given: Sequence[Tensor]) -> Tensor:
    """A block of every take, see `FlowNetwork.draw`: where there are many, each core draws its share of them.

    To share out the takes is worth more than torch's threads, which wait for each other in every product.
    """

    def draw(part: Sequence[Tensor]) -> Tensor:
        return network.draw(*part, steps=STEPS, guidance=pull.guidance, aiming=pull.aiming)

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    free = cores // torch.get_num_threads() if given[0].device.type == "cpu" else 1
    rows = len(given[0]) * (1 if pull.guidance in (0.0, 1.0) else 2)
    shares = min(free, rows // _SHARE)
    if shares < 2:
        return draw(given)
    parts = zip(*(part.tensor_split(shares) for part in given), strict=True)
    with ThreadPoolExecutor(shares) as threads:
        return torch.cat(list(threads.map(draw, parts)))


def _goal(network: FlowNetwork, aim: Aim | None, at: int, place: Place, takes: int) -> Tensor:
    """What the network is told of the pose that comes next."""
    if aim is None or aim.frame - at > FARTHEST:
        return torch.zeros(takes, GOAL, device=network.partner_mean.device)
    poses = network.normalised(_for_each(aim.poses, takes), place)
    flags = torch.ones(takes, dtype=torch.bool, device=poses.device)
    when = torch.full((takes,), float(aim.frame - at), device=poses.device)
    return network.goal(poses, when, flags & aim.stepped, flags)


def _until(distance: int, block: int) -> int:
    """How many of a block's frames to take, a pose being `distance` after the first, so that a block ends with it."""
    return distance + 1 if distance < block else min(distance - block + 1, block)


def _met(way: Dance, aim: Aim) -> Dance:
    """The frames (B, F) that end with the pose: what is missing to it grows smoothly on the way, and its step is taken.

    First the whole body turns to the pose's heading, then the rest follows, so that nothing goes the short way through
    itself.
    """
    takes, n = way.root.shape[0], way.root.shape[1]
    poses = _for_each(aim.poses, takes)
    place, f = place_of(poses[slice(0, 1)]), torch.arange(1, n + 1).to(way.root)
    rise = smoothstep(f / n)
    left = heading(poses)[:, :1] - heading(way)[:, -1:]
    turn = place_at(way.root, torch.atan2(left.sin(), left.cos()) * rise).turn
    turned = turn[:, :, None] @ way.turned
    block, wanted = partner_features(Dance(way.root, turned, way.contacts), place), partner_features(poses, place)
    missing = wanted[:, 0] - block[:, -1]
    if n == 1:
        return dance_of(block + missing[:, None], place)
    step = (wanted[:, 1] - wanted[:, 0]) - (block[:, -1] - block[:, -2]) if aim.stepped else torch.zeros_like(missing)
    # c(f) = a f³ + b f² with c(n) = missing and c(n) - c(n - 1) = step
    cube, square = 3 * n * n - 3 * n + 1, 2 * n - 1
    a = (step * n**2 - missing * square) / (cube * n**2 - square * n**3)
    b = (missing - a * n**3) / n**2
    return dance_of(block + a[:, None] * f[:, None] ** 3 + b[:, None] * f[:, None] ** 2, place)


def _for_each(poses: Dance, takes: int) -> Dance:
    return Dance(*(part.expand(takes, *part.shape) for part in (poses.root, poses.turned, poses.contacts)))


def _lowered(dance: Dance, offsets: Tensor, rest: Tensor) -> Dance:
    """The dance with its lower foot nearer to where it rests, (B,) m."""
    lowest = dance.joints(offsets)[:, :, _TOES, 2].amin(dim=-1)
    too_high = _LOWERED * (lowest - rest[:, None]).mean(dim=1).clamp(-_MOST, _MOST)
    t = torch.linspace(0.0, 1.0, dance.root.shape[1] + 1)[1:].to(too_high)
    down = torch.nn.functional.pad((too_high[:, None] * t * t * (3.0 - 2.0 * t))[..., None], (2, 0))
    return Dance(dance.root - down, dance.turned, dance.contacts)


def fresh(takes: int, seed: int, block: int, accelerator: torch.device | str = "cpu") -> Callable[[int], Tensor]:
    """Noise for `roll_out`: a take's own, however many others are asked for, the same for equal seed and block."""
    generators = [torch.Generator().manual_seed(hash((seed, take)) % 2**63) for take in range(takes)]
    drawn: list[Tensor] = []

    def draw(n: int) -> Tensor:
        while len(drawn) <= n:
            noise = torch.stack([torch.randn(block, PARTNER, generator=g) for g in generators])
            drawn.append(noise.to(accelerator))
        return drawn[n]

    return draw
