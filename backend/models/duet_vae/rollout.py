"""duet-vae's autoregressive rollout, with constraints on each frame: real poses, reach, bone lengths and floor."""

from collections.abc import Callable
from typing import Protocol

from backend.models.common.array_api import AnyArray, array_namespace
from backend.models.duet_vae.pose_space import PoseNormalizer, PosePCA, clamp_to_pose_space, on_floor, pair_frame
from rigs.contacts import TOES
from rigs.skeleton import PARENTS

MAX_FOOT_HEIGHT = 0.03
"""m above its resting height that the lower foot of a salsa dancer hardly ever leaves."""
MAX_COUPLE_DISTANCE = 1.2
"""m between the pelvises of a couple that dances together."""
CORRECTION = 0.3
"""Share of what a foot is too high, or a couple too far apart, that one frame corrects."""


class NextFramePredictor(Protocol):
    """A network with its weights, in a runtime or as the torch module."""

    @property
    def window(self) -> int:
        """Context length in frames."""

    def predict_next_frame(self, one: AnyArray, two: AnyArray, dancer: int, noise: AnyArray | None) -> AnyArray:
        """Predict the frame (B, 87) after the window for `dancer` 1 or 2, see `network.DuetVAE`."""


def rollout(
    network: NextFramePredictor,
    normalizer: PoseNormalizer,
    other: AnyArray,
    history: AnyArray,
    dancer: int,
    *,
    body: AnyArray | None = None,
    pca: PosePCA | None = None,
    floor: AnyArray | float = 0.0,
    noise: AnyArray | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> AnyArray:
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
    generated = array_namespace(other).empty_like(other)
    generated[:, : history.shape[1]] = history
    for frame in range(history.shape[1], frames):
        if on_frame is not None:
            on_frame(frame)
        window = slice(max(0, frame - network.window), frame)
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


def limit_couple_distance(pose: AnyArray, other: AnyArray) -> AnyArray:
    """Move a pose (B, 29, 3) towards the other dancer's (B, 29, 3) where they are too far apart to dance together."""
    xp = array_namespace(pose)
    across = other[:, 0, :2] - pose[:, 0, :2]
    distance = xp.linalg.vector_norm(across, axis=-1, keepdims=True)
    excess = xp.clip(distance - MAX_COUPLE_DISTANCE, 0.0, None)
    return pose + on_floor(CORRECTION * excess * across / xp.clip(distance, 1e-6, None))[:, None]


def restore_bone_lengths(pose: AnyArray, body: AnyArray) -> AnyArray:
    """Give a pose (B, 29, 3) the bone lengths of `body` (29, 3) or (B, 29, 3), bone directions kept."""
    xp = array_namespace(pose)
    bones = pose[:, 1:] - pose[:, PARENTS[1:]]
    directions = bones / xp.clip(xp.linalg.vector_norm(bones, axis=-1, keepdims=True), 1e-12, None)
    bones = directions * xp.linalg.vector_norm(body, axis=-1)[..., 1:, None]
    joints = [pose[:, 0]]
    for bone, parent in enumerate(PARENTS[1:]):
        joints.append(joints[parent] + bones[:, bone])
    return xp.stack(joints, axis=1)


def keep_on_floor(pose: AnyArray, floor: AnyArray | float) -> AnyArray:
    """Lift a pose (B, 29, 3) whose lower foot is under its resting height, and lower one far above it."""
    xp = array_namespace(pose)
    height = xp.min(pose[:, TOES, 2], axis=1) - floor
    lift = xp.clip(-height, 0.0, None) - CORRECTION * xp.clip(height - MAX_FOOT_HEIGHT, 0.0, None)
    return pose + xp.stack([xp.zeros_like(lift), xp.zeros_like(lift), lift], axis=-1)[:, None]
