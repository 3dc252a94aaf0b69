"""Sampler of the motion flow: Euler steps along the rectified flow, with classifier-free guidance.

Rectified flow: Liu et al. 2023. Classifier-free guidance: Ho and Salimans 2022.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from backend.models.common.array_api import AnyArray, array_namespace, constant_like
from backend.models.common.noise import NoiseGenerator
from backend.models.motion_flow.conditions import MotionCondition, MotionFlowConditions
from backend.models.motion_flow.features import PARTNER_DIM
from rigs import Array

GUIDANCE = 2.0
"""Classifier-free guidance scale of the leader."""
STEPS = 4
"""Euler steps per block."""
TARGET_GUIDANCE = 4.0
"""Guidance scale of a keyframe's target pose."""
_MIN_AXIS_LENGTH = 0.65
"""Length of the pelvis's predicted axes under which a block is sampled again; usually it is over 0.85."""


class GuidanceScales(NamedTuple):
    """Guidance scales of the leader and of the target pose, see `sample_block`."""

    leader: float
    target: float


def sample_block(
    network: MotionFlowConditions,
    noisy: AnyArray,
    condition: MotionCondition,
    *,
    t_start: float = 0.0,
    steps: int = STEPS,
    guidance: float = GUIDANCE,
    target_guidance: float = 1.0,
) -> AnyArray:
    """Sample a normalized block (B, block, PARTNER_DIM) by Euler steps with classifier-free guidance.

    noisy: the block at the flow time `t_start`; noise where that is 0.
    guidance: scale of the leader's influence, 1 as trained, 0 ignores the leader.  target_guidance: scale of the
    target pose's, 1 as trained.
    """
    xp = array_namespace(noisy)
    unmasked, target = condition.leader_mask, condition.target
    masked = xp.zeros_like(unmasked)
    branches = [(1.0, unmasked if guidance else masked, target)]  # weight, leader mask, target pose
    if guidance not in (0.0, 1.0):
        branches = [(guidance, unmasked, target), (1.0 - guidance, masked, target)]
    if target_guidance != 1.0:
        weight, mask, _ = branches[0]
        without_target = (1.0 - target_guidance, mask, target * 0.0)
        branches = [(weight + target_guidance - 1.0, mask, target), *branches[1:], without_target]
    weights, masks, targets = zip(*branches, strict=True)
    count, size = len(branches), len(noisy)
    condition = MotionCondition(*(xp.concat([part] * count) for part in condition))
    condition = condition._replace(leader_mask=xp.concat(masks), target=xp.concat(targets))
    sample = noisy
    for step in range(steps):
        t = constant_like([t_start + (1.0 - t_start) * step / steps] * (count * size), noisy)
        predicted = network.predict(xp.concat([sample] * count), t, condition)
        clean = sum(weight * predicted[n * size : (n + 1) * size] for n, weight in enumerate(weights))
        sample = sample + (clean - sample) / (steps - step)
    return sample


def sample_valid_block(network: MotionFlowConditions, scales: GuidanceScales, inputs: Sequence[Array]) -> Array:
    """Sample a block of every take, again from other noise where its pelvis averages two opposite rotations.

    inputs: the noise, and the parts of the condition.
    """

    def sample_rows(noise: Array, rows: Array | slice) -> Array:
        condition = MotionCondition(*(part[rows] for part in inputs[1:]))
        sample = sample_block(network, noise[rows], condition, guidance=scales.leader, target_guidance=scales.target)
        return np.asarray(sample)

    noise = inputs[0]
    sample = sample_rows(noise, slice(None))
    for other_noise in (-noise, np.roll(noise, 1, axis=1), -np.roll(noise, 1, axis=1)):
        length = _pelvis_axis_length(network, sample)
        invalid = length < _MIN_AXIS_LENGTH
        if not invalid.any():
            break
        resampled = sample_rows(other_noise, invalid)
        better = _pelvis_axis_length(network, resampled) > length[invalid]
        sample[invalid] = np.where(better[:, None, None], resampled, sample[invalid])
    return sample


def _pelvis_axis_length(network: MotionFlowConditions, sample: Array) -> Array:
    """Least length (B,) of the pelvis's predicted axes: 1 for a rotation, 0 for the mean of two opposite ones."""
    columns = network.denormalize(sample)[..., 3:9].reshape(len(sample), -1, 3)
    return np.asarray(np.linalg.norm(columns, axis=-1).min(axis=1))


def noise_source(takes: int, seed: int, block: int) -> Callable[[int], Array]:
    """Noise for `rollout`, the same for equal seed and block: each take has its own, however many takes there are."""
    generators = [NoiseGenerator(hash((seed, take)) % 2**63) for take in range(takes)]
    blocks: list[Array] = []

    def block_noise(n: int) -> Array:
        while len(blocks) <= n:
            blocks.append(np.stack([generator.normal(block, PARTNER_DIM) for generator in generators]))
        return blocks[n]

    return block_noise
