"""Autoregressive rollout of a motion flow: block after block beside the leader, through keyframes, on the floor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from backend.models.motion_flow.conditions import TARGET_DIM, TARGET_HORIZON, MotionCondition
from backend.models.motion_flow.features import (
    FloorFrame,
    PoseSequence,
    concatenate,
    floor_frame,
    floor_frame_at,
    heading,
    partner_features,
    poses_from_features,
)
from backend.models.motion_flow.sampler import GUIDANCE, TARGET_GUIDANCE, GuidanceScales, sample_valid_block
from backend.models.motion_flow.trained import TrainedMotionFlow
from rigs import Array
from rigs.contacts import TOES
from rigs.easing import smoothstep

ENERGY = 1.4
"""Speed asked of the network, as a multiple of the training data's geometric mean: without an energy condition it moves
at four fifths of real dancers' speed, with this one as fast as they do, and its metrics are closer to theirs."""
_CORRECTION_FRAMES = 32
"""Frames, at most, over which the remaining offset to a keyframe is blended in."""
_FLOOR_CORRECTION = 0.7
"""Share of a block's mean height above the floor that is corrected at once."""
_MAX_FLOOR_CORRECTION = 0.05
"""m by which a block is lowered or raised at most."""


@dataclass(frozen=True)
class Keyframe:
    """A pose that the rollout passes through exactly.

    frame: of the leader.  poses: two frames, the pose and the next.  has_velocity: whether the next one counts.
    """

    frame: int
    poses: PoseSequence
    has_velocity: bool


@dataclass(frozen=True)
class RolloutOptions:
    """Options of an autoregressive rollout: guidance, energy, keyframes and selection of takes.

    guidance: scale of classifier-free guidance by the leader, see `sampler.sample_block`.
    energy: multiple of the training data's speed, for all frames or for each of the leader's (F,).
    keyframes: in the order of their frames.  future_known: whether the network sees the leader's next frames.
    select_take: gets a block of every take and its first frame, and returns the take that all go on with; by default
    each goes on with its own.
    """

    guidance: float = GUIDANCE
    energy: float | Array = ENERGY
    keyframes: Sequence[Keyframe] = ()
    future_known: bool = True
    select_take: Callable[[PoseSequence, int], int] | None = None


@dataclass(frozen=True)
class Rollout:
    """Generated poses of all takes, and the first frames of their blocks, counted from the rollout's first one."""

    poses: PoseSequence
    seams: list[int]


def rollout(
    network: TrainedMotionFlow,
    leader: Array,
    frames: range,
    past: PoseSequence,
    role: int,
    offsets: Array,
    block_noise: Callable[[int], Array],
    options: RolloutOptions = RolloutOptions(),
    on_block: Callable[[int, PoseSequence], None] = lambda first, block: None,
) -> Rollout:
    """Generate the frames `frames` of the leader (F, ...) autoregressively, each block from the ones before it.

    leader: as the network's `leader_features` takes it.  past: the dancer's `history` frames before.  offsets: (29, 3)
    m, the dancer's bones.  block_noise: the noise (takes, block, PARTNER_DIM) of the n-th block.
    on_block: called with each block as it is generated, and the leader's frame that it begins with.
    """
    config, noise = network.config, block_noise(0)
    block_size, takes = config.block, len(noise)
    recent = _repeat_takes(past, takes)
    foot_height = _lower_median(recent.joint_positions(offsets)[:, :, TOES, 2].min(axis=2))
    roles = np.full(takes, role)
    leader_mask = np.ones((takes, config.leader_blocks), bool)
    leader_mask[:, config.before + 1 :] = options.future_known
    energy_curve = np.broadcast_to(np.asarray(options.energy, np.float32), len(leader))
    at, corrected_until = frames.start, frames.start  # the next frame, and the one after the last keyframe
    blocks, seams = list[PoseSequence](), list[int]()
    while at < frames.stop:
        window = config.leader_window(at)
        leader_window = leader[np.clip(np.arange(window.start, window.stop), 0, len(leader) - 1)]
        frame = floor_frame(recent)
        features = network.features(
            recent, offsets, np.broadcast_to(leader_window, (takes, *leader_window.shape)), frame
        )
        keyframe = next((keyframe for keyframe in options.keyframes if keyframe.frame >= at), None)
        target = _target_features(network, keyframe, at, frame, takes)
        scales = GuidanceScales(options.guidance, TARGET_GUIDANCE if target.any() else 1.0)
        speed = np.full(takes, energy_curve[at : at + block_size].mean())
        energy = network.energy_condition(np.exp(network.energy_stats[0]) * speed)
        condition = MotionCondition(*features, roles, leader_mask, target, energy)
        sample = sample_valid_block(network, scales, (noise, *condition))
        block = _align_to_floor(poses_from_features(network.denormalize(sample), frame), offsets, foot_height)
        block = network.keep_distance(block, leader_window[1 + block_size * config.before :][:block_size])
        if options.select_take is not None:
            block = _repeat_takes(block.select(options.select_take(block, at)), takes)
        if keyframe is not None:
            block = block[: _frames_before_keyframe(keyframe.frame - at, block_size)]
        on_block(at, block)
        seams.append(at - frames.start)
        blocks.append(block)
        at += block.root.shape[-2]
        if keyframe is not None and keyframe.frame == at - 1:
            generated, correction = concatenate(*blocks), min(_CORRECTION_FRAMES, at - corrected_until)
            blocks = [generated[:-correction], _reach_keyframe(generated[-correction:], keyframe)]
            corrected_until = at
            recent = concatenate(_repeat_takes(past, takes), *blocks)[-config.history :]
        else:
            recent = concatenate(recent, block)[-config.history :]
        noise = block_noise(len(seams))
    generated = concatenate(recent[:0], *blocks)
    return Rollout(generated[: len(frames)], seams)


def _target_features(
    network: TrainedMotionFlow, keyframe: Keyframe | None, at: int, frame: FloorFrame, takes: int
) -> Array:
    """Target pose condition (takes, TARGET_DIM) of the next keyframe for a block at the frame `at`."""
    if keyframe is None or keyframe.frame - at > TARGET_HORIZON:
        return np.zeros((takes, TARGET_DIM), np.float32)
    poses = network.normalize(_repeat_takes(keyframe.poses, takes), frame)
    present = np.ones(takes, bool)
    distance = np.full(takes, keyframe.frame - at, np.float32)
    return network.target_features(poses, distance, present & keyframe.has_velocity, present)


def _frames_before_keyframe(distance: int, block: int) -> int:
    """Frames to use of a block, so that a block ends at the keyframe `distance` frames after this one's first."""
    return distance + 1 if distance < block else min(distance - block + 1, block)


def _reach_keyframe(block: PoseSequence, keyframe: Keyframe) -> PoseSequence:
    """Correct frames (B, F) by a smoothly growing offset, so that they end in the keyframe's pose and velocity.

    The body first turns as a whole to the pose's heading and then corrects the rest, so that no limb moves through the
    body.
    """
    takes, frames = block.root.shape[0], block.root.shape[1]
    poses, n = _repeat_takes(keyframe.poses, takes), float(frames)  # NumPy 1 turns float32 to float64 by large integers
    frame, f = floor_frame(poses[:1]), np.arange(1, frames + 1, dtype=np.float32)
    turn = heading(poses)[:, :1] - heading(block)[:, -1:]
    turn = np.arctan2(np.sin(turn), np.cos(turn)) * smoothstep(f / n)
    turned_rotations = floor_frame_at(block.root, turn).rotation[:, :, None] @ block.rotations
    features = partner_features(PoseSequence(block.root, turned_rotations, block.contacts), frame)
    target = partner_features(poses, frame)
    offset = target[:, 0] - features[:, -1]
    if frames == 1:
        return poses_from_features(features + offset[:, None], frame)
    velocity = np.zeros_like(offset)
    if keyframe.has_velocity:
        velocity = (target[:, 1] - target[:, 0]) - (features[:, -1] - features[:, -2])
    # c(f) = a f³ + b f² with c(n) = offset and c(n) - c(n - 1) = velocity
    cube, square = 3 * n * n - 3 * n + 1, 2 * n - 1
    a = (velocity * n**2 - offset * square) / (cube * n**2 - square * n**3)
    b = (offset - a * n**3) / n**2
    return poses_from_features(features + a[:, None] * f[:, None] ** 3 + b[:, None] * f[:, None] ** 2, frame)


def _repeat_takes(poses: PoseSequence, takes: int) -> PoseSequence:
    """Repeat the poses of one dancer for each take."""
    return poses.map(lambda part: np.broadcast_to(part, (takes, *part.shape)))


def _align_to_floor(poses: PoseSequence, offsets: Array, foot_height: Array) -> PoseSequence:
    """Move the lower foot of a block (B, F) towards the height (B,) m at which it stands."""
    lowest = poses.joint_positions(offsets)[:, :, TOES, 2].min(axis=-1)
    error = (lowest - foot_height[:, None]).mean(axis=1).clip(-_MAX_FLOOR_CORRECTION, _MAX_FLOOR_CORRECTION)
    t = np.linspace(0.0, 1.0, poses.root.shape[1] + 1, dtype=np.float32)[1:]
    correction = _FLOOR_CORRECTION * error[:, None] * smoothstep(t)
    root = poses.root - correction[..., None] * np.array([0.0, 0.0, 1.0], np.float32)
    return PoseSequence(root, poses.rotations, poses.contacts)


def _lower_median(values: Array) -> Array:
    """Median (B,) of rows (B, N), of the two in the middle the lower one."""
    return np.asarray(np.sort(values, axis=1)[:, (values.shape[1] - 1) // 2])
