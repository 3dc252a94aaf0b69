"""duet-vae's statistics of its training set: normalization, bodies, floors, poses to start from, and pose PCA."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from backend.models.duet_vae.pose_space import PCA_GROUPS, PoseNormalizer, PosePCA, pair_frame
from backend.models.duet_vae.trained import DuetStatistics
from rigs import Array
from rigs.contacts import floor_height
from rigs.files import BadFile
from rigs.skeleton import HIPS
from training.data.duets import Duet, DuetWindows

_START_DISTANCE = (0.6, 1.1)
"""m between the pelvises of a pair that faces each other at arm's length."""
_START_FACING = 0.8
"""Cosine of the angle that each of them may be turned away from the other."""
_RADIUS_QUANTILE = 0.99


def measure_statistics(windows: DuetWindows, duets: Sequence[Duet]) -> DuetStatistics:
    """The statistics of training windows and duets. Raises BadFile as `facing_starts` does."""
    return DuetStatistics(
        fit_normalizer(windows),
        mean_bodies(duets),
        mean_floors(duets),
        (fit_pose_pca(duets, 0), fit_pose_pca(duets, 1)),
        facing_starts(duets),
    )


def normalize_pairs(windows: Tensor, normalizer: PoseNormalizer) -> Tensor:
    """Transform windows (B, 2, T, 29, 3) m to their pair frames and normalize them: (B, 2, T, 87)."""
    frame = pair_frame(windows[:, 0])
    return torch.stack([normalizer.normalize(frame.to_local(dancer)) for dancer in windows.unbind(1)], dim=1)


def fit_normalizer(windows: DuetWindows) -> PoseNormalizer:
    """Mean and standard deviation of the training windows, of both dancers together, in pair frames."""
    poses = torch.cat(
        [_in_pair_frame(windows.window(i)[None]).flatten(0, 2) for i in range(len(windows.window_starts))]
    )
    return PoseNormalizer(poses.mean(0).numpy(), poses.std(0).clamp_min(0.02).numpy())


def _in_pair_frame(pairs: Tensor) -> Tensor:
    """Transform (B, 2, T, 29, 3) m to pair frames: (B, 2, T, 87) m."""
    coordinates = pairs.shape[-2] * pairs.shape[-1]
    return normalize_pairs(pairs, PoseNormalizer(torch.zeros(coordinates), torch.ones(coordinates)))


def facing_starts(duets: Sequence[Duet], every: int = 8) -> Array:
    """Poses in which the dancers face each other at arm's length: (N, 2, 29, 3) m, each in its pair frame.

    Raises BadFile where there are none.
    """
    moments = torch.cat([torch.from_numpy(duet.positions()[:, ::every]).float().transpose(0, 1) for duet in duets])
    across = moments[:, 1, 0, :2] - moments[:, 0, 0, :2]
    distance = torch.linalg.vector_norm(across, dim=-1)
    direction = torch.nn.functional.normalize(across, dim=-1)
    ahead = torch.stack([_facing(moments[:, dancer]) for dancer in (0, 1)])
    facing = ((ahead[0] * direction).sum(-1) > _START_FACING) & ((ahead[1] * -direction).sum(-1) > _START_FACING)
    near, far = _START_DISTANCE
    starts = moments[facing & (distance > near) & (distance < far)]
    if len(starts) == 0:
        raise BadFile(f"no moment in which the dancers face each other at {near} to {far} m, which a start needs")
    return np.asarray(_in_pair_frame(starts[:, :, None]).reshape(starts.shape).numpy())


def _facing(poses: Tensor) -> Tensor:
    """Facing direction (B, 2) on the floor of poses (B, 29, 3)."""
    left = poses[:, HIPS[0], :2] - poses[:, HIPS[1], :2]
    return torch.nn.functional.normalize(torch.stack([left[:, 1], -left[:, 0]], dim=-1), dim=-1)


def mean_bodies(duets: Sequence[Duet]) -> Array:
    """Bone offsets of the leader and the follower, mean over the recordings: (2, 29, 3) m."""
    offsets = [[duet.leader.skeleton.offsets, duet.follower.skeleton.offsets] for duet in duets]
    return np.asarray(np.mean(offsets, axis=0), np.float32)


def mean_floors(duets: Sequence[Duet]) -> Array:
    """Heights in m at which the lower foot of the leader and of the follower rests, mean over the recordings: (2,)."""
    floors = [[floor_height(dancer) for dancer in duet.positions()] for duet in duets]
    return np.asarray(np.mean(floors, axis=0), np.float32)


def fit_pose_pca(duets: Sequence[Duet], dancer: int) -> PosePCA:
    """Principal component analysis of the poses of dancer 0, the leader, or 1, each pose in its own frame."""
    poses = torch.cat([torch.from_numpy(duet.positions()[dancer]) for duet in duets])[:, None]
    local = pair_frame(poses).to_local(poses).flatten(1)
    mean = local.mean(0)
    _, size, components = torch.linalg.svd(local - mean, full_matrices=False)
    stds = (size / len(local) ** 0.5).clamp_min(1e-3)
    scores = (local - mean) @ components.T / stds
    groups = torch.split(scores, list(PCA_GROUPS), dim=-1)
    radii = [torch.quantile(group.norm(dim=-1), _RADIUS_QUANTILE) for group in groups]
    parts = (mean, components.T.contiguous(), stds, torch.stack(radii))
    return PosePCA(*(part.float().numpy() for part in parts))
