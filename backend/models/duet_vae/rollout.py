"""duet-vae's autoregressive rollout, with constraints on each frame: real poses, reach, bone lengths and floor."""

from collections.abc import Callable

import torch
from torch import Tensor

from backend.models.duet_vae.network import DuetVAE
from backend.models.duet_vae.pose_space import PoseNormalizer, PosePCA, clamp_to_pose_space, pair_frame
from rigs.contacts import TOES
from rigs.skeleton import PARENTS

MAX_FOOT_HEIGHT = 0.03
"""m above its resting height that the lower foot of a salsa dancer hardly ever leaves."""
MAX_COUPLE_DISTANCE = 1.2
"""m between the pelvises of a couple that dances together."""
CORRECTION = 0.3
"""Share of what a foot is too high, or a couple too far apart, that one frame corrects."""


def rollout(
    network: DuetVAE,
    normalizer: PoseNormalizer,
    other: Tensor,
    history: Tensor,
    dancer: int,
    *,
    body: Tensor | None = None,
    pca: PosePCA | None = None,
    floor: Tensor | float = 0.0,
    noise: Tensor | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> Tensor:
    """Generate `dancer` (1 or 2) beside the other one, autoregressively: frame after frame from the window before it.

    other: (B, F, 29, 3) m, the given dancer.  history: (B, H, 29, 3) m, the generated dancer's first H >= 1 frames.
    body: (29, 3) or (B, 29, 3) m bone offsets; with them every frame keeps these bone lengths, and the lower foot stays
    near its resting height `floor` m, one number or (B,).
    pca: with it every frame stays in the training set's pose space, and the couple within reach.
    noise: (3, B, F, latent), latent noise of each frame; None takes posterior means, which is deterministic.
    on_frame: called with each frame's number; what it raises ends the rollout.
    Returns (B, F, 29, 3) m, the first H frames as given.
    """
    frames = other.shape[1]
    generated = torch.empty_like(other)
    generated[:, : history.shape[1]] = history
    context = network.config.window
    with torch.inference_mode():
        for frame in range(history.shape[1], frames):
            if on_frame is not None:
                on_frame(frame)
            window = slice(max(0, frame - context), frame)
            one, two = generated[:, window], other[:, window]
            if dancer == 2:
                one, two = two, one
            local = pair_frame(one)
            predicted = network.predict_next_frame(
                normalizer.normalize(local.to_local(one)),
                normalizer.normalize(local.to_local(two)),
                dancer,
                None if noise is None else noise[:, :, window],
            )
            pose = local.to_world(normalizer.denormalize(predicted)[:, None])[:, 0]
            if pca is not None:
                pose = limit_couple_distance(clamp_to_pose_space(pose, pca), other[:, frame])
            if body is not None:
                pose = keep_on_floor(restore_bone_lengths(pose, body), floor)
            generated[:, frame] = pose
    return generated


def limit_couple_distance(pose: Tensor, other: Tensor) -> Tensor:
    """Move a pose (B, 29, 3) towards the other dancer's (B, 29, 3) where they are too far apart to dance together."""
    across = other[:, 0, :2] - pose[:, 0, :2]
    distance = across.norm(dim=-1, keepdim=True)
    step = CORRECTION * (distance - MAX_COUPLE_DISTANCE).clamp_min(0.0) * across / distance.clamp_min(1e-6)
    return pose + torch.nn.functional.pad(step, (0, 1))[:, None]


def restore_bone_lengths(pose: Tensor, body: Tensor) -> Tensor:
    """Give a pose (B, 29, 3) the bone lengths of `body` (29, 3) or (B, 29, 3), bone directions kept."""
    lengths = body.norm(dim=-1)
    joints = [pose[:, 0]]
    for j, parent in enumerate(PARENTS[1:], start=1):
        direction = torch.nn.functional.normalize(pose[:, j] - pose[:, parent], dim=-1)
        joints.append(joints[parent] + direction * lengths[..., j, None])
    return torch.stack(joints, dim=1)


def keep_on_floor(pose: Tensor, floor: Tensor | float) -> Tensor:
    """Lift a pose (B, 29, 3) whose lower foot is under its resting height, and lower one far above it."""
    height = pose[:, TOES, 2].amin(dim=1) - floor
    lift = (-height).clamp_min(0.0) - CORRECTION * (height - MAX_FOOT_HEIGHT).clamp_min(0.0)
    return pose + torch.nn.functional.pad(lift[:, None], (2, 0))[:, None]
