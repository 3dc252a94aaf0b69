"""Dancing for long with a flow network: block after block beside what leads, on the floor, apart and on course."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from backend.models.motion_flow.features import (
    PARTNER_DIM,
    FloorFrame,
    PoseSequence,
    concatenate,
    floor_frame,
    floor_frame_at,
    heading,
    partner_features,
    poses_from_features,
)
from backend.models.motion_flow.network import TARGET_DIM, TARGET_HORIZON, MotionFlow
from rigs.easing import smoothstep
from rigs.skeleton import INDEX

GUIDANCE = 2.0
ENERGY = 1.4
"""Times the usual speed of the training takes. Asked for nothing, the network dances at four fifths of their speed;
asked for this, at all of it, and its figures are the more like real ones."""
STEPS = 4
_TARGET_GUIDANCE = 4.0
"""How strongly a pose to meet is headed for, see `FlowNetwork.draw`."""
_CORRECTION_FRAMES = 32
"""Frames, at most, over which what is still missing to the pose is made up."""
_ROWS_PER_CORE = 4
"""Rows at least, of which guidance takes two a take, that are worth a core of their own."""
_MIN_AXIS_LENGTH = 0.65
"""The least length of a pelvis's axis for which a block is not drawn again; usually it is over 0.85."""
_TOES = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("foot", "bigtoe")]
_FLOOR_CORRECTION = 0.7
"""The part of a block's mean height above the floor that is taken away at once."""
_MAX_FLOOR_CORRECTION = 0.05
"""m that a block is lowered or raised at most."""


@dataclass(frozen=True)
class Keyframe:
    """A pose that is to be met.

    frame: of the leader.  poses: two frames, the pose and the one after it.  stepped: whether the later one counts.
    """

    frame: int
    poses: PoseSequence
    has_velocity: bool


@dataclass(frozen=True)
class RolloutOptions:
    """How a dance goes beside what the leader does.

    guidance: how strongly the leader is followed, see `FlowNetwork.draw`.
    energy: times the usual speed, for the whole dance or for each of the leader's frames (F,).
    aims: poses to meet, in the order of their frames.  foreseen: whether the leader's next frames are known.
    choose: is given a block of every take and its first frame, and says which of them all takes go on with; without it
    each goes on with its own.
    """

    guidance: float = GUIDANCE
    energy: float | Tensor = ENERGY
    keyframes: Sequence[Keyframe] = ()
    future_known: bool = True
    select_take: Callable[[PoseSequence, int], int] | None = None


class GuidanceScales(NamedTuple):
    """How strongly the leader is followed and a goal headed for, see `FlowNetwork.draw`."""

    leader: float
    target: float


@dataclass(frozen=True)
class Rollout:
    """What comes of it: the takes' dance and the first frames of its blocks, counted from the first one."""

    poses: PoseSequence
    seams: list[int]


@torch.inference_mode()
def rollout(
    network: MotionFlow,
    leader: Tensor,
    frames: range,
    past: PoseSequence,
    role: int,
    offsets: Tensor,
    noise_of: Callable[[int], Tensor],
    options: RolloutOptions = RolloutOptions(),
    on_block: Callable[[int, PoseSequence], None] = lambda first, made: None,
) -> Rollout:
    """Dance beside the frames `frames` of the leader (F, ...), of the kind that the network is led by.

    past: the partner's `history` frames before them.  offsets: (29, 3) m, the partner's bones.
    draw: gives the noise (takes, block, PARTNER) of the n-th block.  watch: is told each block as it is made, and the
    leader's frame that it begins with.
    """
    config, noise = network.config, noise_of(0)
    block, takes, device = config.block, len(noise), leader.device
    recent = _repeat_takes(past, takes)
    rest = recent.joint_positions(offsets)[:, :, _TOES, 2].amin(dim=2).median(dim=1).values
    roles = torch.full((takes,), role, device=device)
    heard = torch.ones(takes, config.leader_blocks, dtype=torch.bool, device=device)
    heard[:, config.before + 1 :] = options.future_known
    stirring = torch.as_tensor(options.energy, device=device).expand(len(leader))
    at, free, danced, seams = frames.start, frames.start, list[PoseSequence](), list[int]()
    while at < frames.stop:
        around = torch.arange(at - 1 - block * config.before, at + block * (1 + config.after))
        seen = leader[around.clamp(0, len(leader) - 1).to(device)]
        place = floor_frame(recent)
        own, led = network.features(recent, offsets, seen.expand(takes, *seen.shape), place)
        aim = next((aim for aim in options.keyframes if aim.frame >= at), None)
        goal = _target_features(network, aim, at, place, takes)
        pull = GuidanceScales(options.guidance, _TARGET_GUIDANCE if goal.any() else 1.0)
        asked = stirring[at : at + block].mean().expand(takes)
        energy = network.energy_condition(network.energy_stats[0].exp() * asked)
        drawn = _sample_valid_block(network, pull, (noise, own, led, roles, heard, goal, energy))
        made = _align_to_floor(poses_from_features(network.denormalize(drawn), place), offsets, rest)
        made = network.keep_distance(made, seen[1 + block * config.before :][:block])
        if options.select_take is not None:
            best = options.select_take(made, at)
            made = _repeat_takes(PoseSequence(made.root[best], made.rotations[best], made.contacts[best]), takes)
        if aim is not None:
            made = made[slice(0, _frames_before_keyframe(aim.frame - at, block))]
        on_block(at, made)
        seams.append(at - frames.start)
        danced.append(made)
        at += made.root.shape[-2]
        if aim is not None and aim.frame == at - 1:
            whole, way = concatenate(*danced), min(_CORRECTION_FRAMES, at - free)
            danced, free = [whole[slice(0, -way)], _reach_keyframe(whole[slice(-way, None)], aim)], at
            recent = concatenate(_repeat_takes(past, takes), *danced)[slice(-config.history, None)]
        else:
            recent = concatenate(recent, made)[slice(-config.history, None)]
        noise = noise_of(len(seams))
    whole = concatenate(recent[slice(0, 0)], *danced)
    return Rollout(whole[slice(0, len(frames))], seams)


def _sample_valid_block(network: MotionFlow, pull: GuidanceScales, given: Sequence[Tensor]) -> Tensor:
    """A block of every take, drawn again where its pelvis is torn between two ways round, as none can turn."""
    drawn, noise = _sample_on_cores(network, pull, given), given[0]
    for other in (-noise, noise.roll(1, dims=1), -noise.roll(1, dims=1)):
        length = _pelvis_axis_length(network, drawn)
        torn = length < _MIN_AXIS_LENGTH
        if not torn.any():
            break
        again = _sample_on_cores(network, pull, [part[torn] for part in (other, *given[1:])])
        better = _pelvis_axis_length(network, again) > length[torn]
        drawn[torn] = torch.where(better[:, None, None], again, drawn[torn])
    return drawn


def _pelvis_axis_length(network: MotionFlow, drawn: Tensor) -> Tensor:
    """The least length (B,) of the axes that say how the pelvis is turned: 1 in a body, 0 between two opposite ways."""
    columns = network.denormalize(drawn)[..., 3:9]
    return columns.reshape(len(drawn), -1, 3).norm(dim=-1).amin(dim=1)


def _sample_on_cores(network: MotionFlow, pull: GuidanceScales, given: Sequence[Tensor]) -> Tensor:
    """A block of every take, see `FlowNetwork.draw`: where there are many, each core draws its share of them.

    To share out the takes is worth more than torch's threads, which wait for each other in every product.
    """

    def draw(part: Sequence[Tensor]) -> Tensor:
        return network.sample(*part, steps=STEPS, guidance=pull.leader, target_guidance=pull.target)

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    free = cores // torch.get_num_threads() if given[0].device.type == "cpu" else 1
    rows = len(given[0]) * (1 if pull.leader in (0.0, 1.0) else 2)
    shares = min(free, rows // _ROWS_PER_CORE)
    if shares < 2:
        return draw(given)
    parts = zip(*(part.tensor_split(shares) for part in given), strict=True)
    with ThreadPoolExecutor(shares) as threads:
        return torch.cat(list(threads.map(draw, parts)))


def _target_features(network: MotionFlow, aim: Keyframe | None, at: int, place: FloorFrame, takes: int) -> Tensor:
    """What the network is told of the pose that comes next."""
    if aim is None or aim.frame - at > TARGET_HORIZON:
        return torch.zeros(takes, TARGET_DIM, device=network.partner_mean.device)
    poses = network.normalize(_repeat_takes(aim.poses, takes), place)
    flags = torch.ones(takes, dtype=torch.bool, device=poses.device)
    when = torch.full((takes,), float(aim.frame - at), device=poses.device)
    return network.target_features(poses, when, flags & aim.has_velocity, flags)


def _frames_before_keyframe(distance: int, block: int) -> int:
    """How many of a block's frames to take, a pose being `distance` after the first, so that a block ends with it."""
    return distance + 1 if distance < block else min(distance - block + 1, block)


def _reach_keyframe(way: PoseSequence, aim: Keyframe) -> PoseSequence:
    """The frames (B, F) that end with the pose: what is missing to it grows smoothly on the way, and its step is taken.

    First the whole body turns to the pose's heading, then the rest follows, so that nothing goes the short way through
    itself.
    """
    takes, n = way.root.shape[0], way.root.shape[1]
    poses = _repeat_takes(aim.poses, takes)
    place, f = floor_frame(poses[slice(0, 1)]), torch.arange(1, n + 1).to(way.root)
    rise = smoothstep(f / n)
    left = heading(poses)[:, :1] - heading(way)[:, -1:]
    turn = floor_frame_at(way.root, torch.atan2(left.sin(), left.cos()) * rise).rotation
    turned = turn[:, :, None] @ way.rotations
    block, wanted = (
        partner_features(PoseSequence(way.root, turned, way.contacts), place),
        partner_features(poses, place),
    )
    missing = wanted[:, 0] - block[:, -1]
    if n == 1:
        return poses_from_features(block + missing[:, None], place)
    step = (
        (wanted[:, 1] - wanted[:, 0]) - (block[:, -1] - block[:, -2]) if aim.has_velocity else torch.zeros_like(missing)
    )
    # c(f) = a f³ + b f² with c(n) = missing and c(n) - c(n - 1) = step
    cube, square = 3 * n * n - 3 * n + 1, 2 * n - 1
    a = (step * n**2 - missing * square) / (cube * n**2 - square * n**3)
    b = (missing - a * n**3) / n**2
    return poses_from_features(block + a[:, None] * f[:, None] ** 3 + b[:, None] * f[:, None] ** 2, place)


def _repeat_takes(poses: PoseSequence, takes: int) -> PoseSequence:
    return PoseSequence(*(part.expand(takes, *part.shape) for part in (poses.root, poses.rotations, poses.contacts)))


def _align_to_floor(dance: PoseSequence, offsets: Tensor, rest: Tensor) -> PoseSequence:
    """The dance with its lower foot nearer to where it rests, (B,) m."""
    lowest = dance.joint_positions(offsets)[:, :, _TOES, 2].amin(dim=-1)
    too_high = _FLOOR_CORRECTION * (lowest - rest[:, None]).mean(dim=1).clamp(
        -_MAX_FLOOR_CORRECTION, _MAX_FLOOR_CORRECTION
    )
    t = torch.linspace(0.0, 1.0, dance.root.shape[1] + 1)[1:].to(too_high)
    down = torch.nn.functional.pad((too_high[:, None] * t * t * (3.0 - 2.0 * t))[..., None], (2, 0))
    return PoseSequence(dance.root - down, dance.rotations, dance.contacts)


def noise_source(takes: int, seed: int, block: int, accelerator: torch.device | str = "cpu") -> Callable[[int], Tensor]:
    """Noise for `roll_out`: a take's own, however many others are asked for, the same for equal seed and block."""
    generators = [torch.Generator().manual_seed(hash((seed, take)) % 2**63) for take in range(takes)]
    drawn: list[Tensor] = []

    def draw(n: int) -> Tensor:
        while len(drawn) <= n:
            noise = torch.stack([torch.randn(block, PARTNER_DIM, generator=g) for g in generators])
            drawn.append(noise.to(accelerator))
        return drawn[n]

    return draw
