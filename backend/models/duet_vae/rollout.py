"""Rolls the duet model out over one dancer's whole movement and keeps the dancer it makes a body on a floor."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from backend.models.duet_vae.network import DuetVAE, Normalisation, place
from rigs.skeleton import INDEX, PARENTS

HIPS = (INDEX["left_hip"], INDEX["right_hip"])
FEET = [INDEX[name] for name in ("left_foot", "right_foot", "left_bigtoe", "right_bigtoe")]


HIGHEST = 0.03
"""Metres above its resting height that the lower foot of a salsa dancer hardly ever leaves."""
RETURN = 0.3
"""The part of what a foot is too high, or a couple too far apart, that a frame makes good."""


GROUPS = (5, 5, 10, 20, 47)
"""The 87 principal directions of a dancer's poses, the widest first, in groups that are held together."""
APART = 1.2
"""Metres between the pelvises beyond which a couple that dances together closes up again."""


class Poses(NamedTuple):
    """A dancer's poses in the training set, each in its own frame.

    mean: (87,) m.  directions: (87, 87), the principal ones, in columns.  deviations: (87,) m along each.
    reaches: (5,) how far from the mean, in deviations, 99 of 100 poses lie at most in each of `GROUPS`.
    """

    mean: Tensor
    directions: Tensor
    deviations: Tensor
    reaches: Tensor


def rollout(
    network: DuetVAE,
    normalisation: Normalisation,
    known: Tensor,
    history: Tensor,
    dancer: int,
    *,
    body: Tensor | None = None,
    poses: Poses | None = None,
    floor: Tensor | float = 0.0,
    noise: Tensor | None = None,
    watch: Callable[[int], None] | None = None,
) -> Tensor:
    """Dance `dancer` (1 or 2) beside the known one.

    known: (B, F, 29, 3) m, the other dancer.  history: (B, H, 29, 3) m, the first H >= 1 frames of the one to make.
    body: (29, 3) or (B, 29, 3) m rest offsets; with it every frame keeps these bone lengths, and the lower foot stays
    near its resting height `floor` m, one number or (B,).
    poses: with them no frame leaves what the training set's poses span, nor the couple's reach.
    noise: (3, B, F, latent) of the latents, a draw a frame that stays with it; without it nothing is sampled.
    watch: is called with each frame's number; what it raises ends the rollout.
    Returns (B, F, 29, 3) m, the first H frames as given.
    """
    frames = known.shape[1]
    made = torch.empty_like(known)
    made[:, : history.shape[1]] = history
    window = network.config.window
    with torch.inference_mode():
        for frame in range(history.shape[1], frames):
            if watch is not None:
                watch(frame)
            seen = slice(max(0, frame - window), frame)
            one, two = (made[:, seen], known[:, seen]) if dancer == 1 else (known[:, seen], made[:, seen])
            pair = place(one, HIPS)
            following = network.next_frame(
                normalisation.into(pair.into(one)),
                normalisation.into(pair.into(two)),
                dancer,
                None if noise is None else noise[:, :, seen],
            )
            pose = pair.out_of(normalisation.out_of(following)[:, None])[:, 0]
            if poses is not None:
                pose = close_up(plausible(pose, poses), known[:, frame])
            if body is not None:
                pose = on_floor(with_bones(pose, body), floor)
            made[:, frame] = pose
    return made


def plausible(pose: Tensor, poses: Poses) -> Tensor:
    """A pose (B, 29, 3) brought back, group of directions by group, to where the training set's poses are."""
    own = place(pose[:, None], HIPS)
    along = (own.into(pose[:, None]).flatten(1) - poses.mean) @ poses.directions / poses.deviations
    held = [
        group * (reach / group.norm(dim=-1, keepdim=True).clamp_min(1e-6)).clamp_max(1.0)
        for group, reach in zip(torch.split(along, list(GROUPS), dim=-1), poses.reaches, strict=True)
    ]
    kept = torch.cat(held, dim=-1) * poses.deviations @ poses.directions.T + poses.mean
    return own.out_of(kept.reshape(len(pose), 1, -1, 3))[:, 0]


def close_up(pose: Tensor, other: Tensor) -> Tensor:
    """A pose (B, 29, 3) moved towards the other dancer's (B, 29, 3) where they are too far apart to dance together."""
    across = other[:, 0, :2] - pose[:, 0, :2]
    apart = across.norm(dim=-1, keepdim=True)
    step = RETURN * (apart - APART).clamp_min(0.0) * across / apart.clamp_min(1e-6)
    return pose + torch.nn.functional.pad(step, (0, 1))[:, None]


def with_bones(pose: Tensor, body: Tensor) -> Tensor:
    """A pose (B, 29, 3) with its bones' directions and the lengths of `body` (29, 3) or (B, 29, 3)."""
    lengths = body.norm(dim=-1)
    joints = [pose[:, 0]]
    for j, parent in enumerate(PARENTS[1:], start=1):
        along = torch.nn.functional.normalize(pose[:, j] - pose[:, parent], dim=-1)
        joints.append(joints[parent] + along * lengths[..., j, None])
    return torch.stack(joints, dim=1)


def on_floor(pose: Tensor, floor: Tensor | float) -> Tensor:
    """A pose (B, 29, 3) lifted where its lower foot is under its resting height, and drawn down from far above it."""
    lowest = pose[:, FEET, 2].amin(dim=1)
    above = lowest - floor
    lift = (-above).clamp_min(0.0) - RETURN * (above - HIGHEST).clamp_min(0.0)
    return pose + torch.nn.functional.pad(lift[:, None], (2, 0))[:, None]
