"""duet-vae's representation of poses: the pair's local frame, normalization, and principal component analysis (PCA).

Written against the array API standard: numpy arrays in inference, torch tensors in training.
"""

from typing import NamedTuple

from backend.models.common.array_api import AnyArray, array_namespace, constant_like
from rigs.skeleton import HIPS

PCA_GROUPS = (5, 5, 10, 20, 47)
"""The 87 principal components of a dancer's poses, by falling variance, in groups that are clamped together."""


class PoseNormalizer(NamedTuple):
    """Normalization by the training set's mean and standard deviation (87,), the same for every input and target."""

    mean: AnyArray
    std: AnyArray

    def normalize(self, positions: AnyArray) -> AnyArray:
        """Normalize positions (..., 29, 3) m to (..., 87)."""
        flat = array_namespace(positions).reshape(positions, (*positions.shape[:-2], -1))
        return (flat - constant_like(self.mean, flat)) / constant_like(self.std, flat)

    def denormalize(self, poses: AnyArray) -> AnyArray:
        """Undo `normalize`: (..., 87) to (..., 29, 3) m."""
        metres = poses * constant_like(self.std, poses) + constant_like(self.mean, poses)
        return array_namespace(metres).reshape(metres, (*metres.shape[:-1], -1, 3))


class PairFrame(NamedTuple):
    """The pair's local frame: dancer one's pelvis (B, 2) m on the floor and heading (B,) rad at a window's start."""

    origin: AnyArray
    heading: AnyArray

    def to_local(self, positions: AnyArray) -> AnyArray:
        """Transform world positions (B, T, 29, 3) to this frame."""
        return _rotate(positions - on_floor(self.origin)[:, None, None], -self.heading)

    def to_world(self, positions: AnyArray) -> AnyArray:
        """Transform positions (B, T, 29, 3) of this frame to the world."""
        return _rotate(positions, self.heading) + on_floor(self.origin)[:, None, None]


def pair_frame(one: AnyArray) -> PairFrame:
    """The frame at the first pose of dancer one (B, T, 29, 3) m, to which both dancers are transformed together."""
    first = one[:, 0]
    across = first[:, HIPS[0]] - first[:, HIPS[1]]
    return PairFrame(first[:, 0, :2], array_namespace(one).atan2(across[:, 1], across[:, 0]))


def on_floor(vectors: AnyArray) -> AnyArray:
    """Vectors (..., 3) with x and y of (..., 2) and no height."""
    xp = array_namespace(vectors)
    return xp.concat([vectors, xp.zeros_like(vectors[..., :1])], axis=-1)


def _rotate(positions: AnyArray, angle: AnyArray) -> AnyArray:
    """Rotate (B, T, 29, 3) about the vertical by (B,) rad."""
    xp = array_namespace(positions)
    cosine, sine = (f(angle)[:, None, None] for f in (xp.cos, xp.sin))
    x, y, z = (positions[..., axis] for axis in range(3))
    return xp.stack([cosine * x - sine * y, sine * x + cosine * y, z], axis=-1)


class PosePCA(NamedTuple):
    """Principal component analysis of a dancer's poses in the training set, each pose in its own frame.

    mean: (87,) m.  components: (87, 87), a column each.  stds: (87,) m along each.
    radii: (5,) distance from the mean, in standard deviations, of 99 % of the poses in each of `PCA_GROUPS`.
    """

    mean: AnyArray
    components: AnyArray
    stds: AnyArray
    radii: AnyArray


def clamp_to_pose_space(pose: AnyArray, pca: PosePCA) -> AnyArray:
    """Clamp a pose (B, 29, 3) to the training set's pose space, in each group of principal components."""
    xp, frame = array_namespace(pose), pair_frame(pose[:, None])
    flat = xp.reshape(frame.to_local(pose[:, None]), (len(pose), -1))
    scores = (flat - pca.mean) @ pca.components / pca.stds
    clamped, first = [], 0
    for size, radius in zip(PCA_GROUPS, pca.radii, strict=True):
        group = scores[:, first : first + size]
        length = xp.clip(xp.linalg.vector_norm(group, axis=-1, keepdims=True), 1e-6, None)
        clamped.append(group * xp.clip(radius / length, None, 1.0))
        first += size
    local = xp.concat(clamped, axis=-1) * pca.stds @ xp.matrix_transpose(pca.components) + pca.mean
    return frame.to_world(xp.reshape(local, (len(pose), 1, -1, 3)))[:, 0]
