"""Sampler of the motion flow: Euler steps along the rectified flow, with classifier-free guidance.

Rectified flow: Liu et al. 2023. Classifier-free guidance: Ho and Salimans 2022.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Tensor

from backend.models.motion_flow.features import PARTNER_DIM
from backend.models.motion_flow.network import MotionCondition, MotionFlow

GUIDANCE = 2.0
"""Classifier-free guidance scale of the leader."""
STEPS = 4
"""Euler steps per block."""
TARGET_GUIDANCE = 4.0
"""Guidance scale of a keyframe's target pose."""
_ROWS_PER_CORE = 4
"""Rows of a batch that are worth a core of their own; guidance takes two a take."""
_MIN_AXIS_LENGTH = 0.65
"""Length of the pelvis's predicted axes under which a block is sampled again; usually it is over 0.85."""


class GuidanceScales(NamedTuple):
    """Guidance scales of the leader and of the target pose, see `sample_block`."""

    leader: float
    target: float


@torch.no_grad()
def sample_block(
    network: MotionFlow,
    noisy: Tensor,
    condition: MotionCondition,
    *,
    t_start: float = 0.0,
    steps: int = 4,
    guidance: float = 2.0,
    target_guidance: float = 1.0,
) -> Tensor:
    """Sample a normalized block (B, block, PARTNER_DIM) by Euler steps with classifier-free guidance.

    noisy: the block at the flow time `t_start`; noise where that is 0.
    guidance: scale of the leader's influence, 1 as trained, 0 ignores the leader.  target_guidance: scale of the
    target pose's, 1 as trained.
    """
    unmasked, target = condition.leader_mask, condition.target
    masked = torch.zeros_like(unmasked)
    branches = [(1.0, unmasked if guidance else masked, target)]  # weight, leader mask, target pose
    if guidance not in (0.0, 1.0):
        branches = [(guidance, unmasked, target), (1.0 - guidance, masked, target)]
    if target_guidance != 1.0:
        weight, mask, _ = branches[0]
        without_target = (1.0 - target_guidance, mask, target * 0.0)
        branches = [(weight + target_guidance - 1.0, mask, target), *branches[1:], without_target]
    weights, masks, targets = zip(*branches, strict=True)
    count = len(branches)
    condition = MotionCondition(*(torch.cat([part] * count) for part in condition))
    condition = condition._replace(leader_mask=torch.cat(masks), target=torch.cat(targets))
    times = t_start + (1.0 - t_start) * torch.arange(steps) / steps
    times = times.repeat_interleave(count * len(noisy)).to(noisy)
    roles, energies = condition.role.repeat(steps), condition.energy.repeat(steps, 1)
    modulations = network.modulation(times, roles, energies).chunk(steps, dim=1)
    sample, context_cache = noisy, list[Tensor]()
    for step, t in enumerate(times.chunk(steps)):
        predicted = network(torch.cat([sample] * count), t, *condition, modulations[step], context_cache)
        parts = zip(weights, predicted.chunk(count), strict=True)
        clean = sum((weight * part for weight, part in parts), sample * 0.0)
        sample = sample + (clean - sample) / (steps - step)
    return sample


def sample_valid_block(network: MotionFlow, scales: GuidanceScales, inputs: Sequence[Tensor]) -> Tensor:
    """Sample a block of every take, again from other noise where its pelvis averages two opposite rotations."""
    sample, noise = _sample_on_cores(network, scales, inputs), inputs[0]
    for other_noise in (-noise, noise.roll(1, dims=1), -noise.roll(1, dims=1)):
        length = _pelvis_axis_length(network, sample)
        invalid = length < _MIN_AXIS_LENGTH
        if not invalid.any():
            break
        resampled = _sample_on_cores(network, scales, [part[invalid] for part in (other_noise, *inputs[1:])])
        better = _pelvis_axis_length(network, resampled) > length[invalid]
        sample[invalid] = torch.where(better[:, None, None], resampled, sample[invalid])
    return sample


def _pelvis_axis_length(network: MotionFlow, sample: Tensor) -> Tensor:
    """Least length (B,) of the pelvis's predicted axes: 1 for a rotation, 0 for the mean of two opposite ones."""
    columns = network.denormalize(sample)[..., 3:9]
    return columns.reshape(len(sample), -1, 3).norm(dim=-1).amin(dim=1)


def _sample_on_cores(network: MotionFlow, scales: GuidanceScales, inputs: Sequence[Tensor]) -> Tensor:
    """Sample a block of every take with `sample_block`, on the CPU split between the cores.

    That is faster than torch's own threads, which wait for each other in every matrix product.
    """

    def sample_rows(part: Sequence[Tensor]) -> Tensor:
        noise, condition = part[0], MotionCondition(*part[1:])
        return sample_block(
            network, noise, condition, steps=STEPS, guidance=scales.leader, target_guidance=scales.target
        )

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = cores // torch.get_num_threads() if inputs[0].device.type == "cpu" else 1
    rows = len(inputs[0]) * (1 if scales.leader in (0.0, 1.0) else 2)
    count = min(threads, rows // _ROWS_PER_CORE)
    if count < 2:
        return sample_rows(inputs)
    parts = zip(*(part.tensor_split(count) for part in inputs), strict=True)
    with ThreadPoolExecutor(count) as pool:
        return torch.cat(list(pool.map(sample_rows, parts)))


def noise_source(takes: int, seed: int, block: int, accelerator: torch.device | str = "cpu") -> Callable[[int], Tensor]:
    """Noise for `rollout`, the same for equal seed and block: each take has its own, however many takes there are."""
    generators = [torch.Generator().manual_seed(hash((seed, take)) % 2**63) for take in range(takes)]
    blocks: list[Tensor] = []

    def block_noise(n: int) -> Tensor:
        while len(blocks) <= n:
            noise = torch.stack([torch.randn(block, PARTNER_DIM, generator=g) for g in generators])
            blocks.append(noise.to(accelerator))
        return blocks[n]

    return block_noise
