"""Forward kinematics over the 29 joints: between local rotations, world rotations and positions."""

import numpy as np

from rigs import Array, rotations
from rigs.skeleton import PARENTS


def _joints_by_depth() -> list[tuple[list[int], list[int]]]:
    """Joints grouped by their depth in the tree, with their parents, from the pelvis outwards."""
    depth = [0] * len(PARENTS)
    for j, parent in enumerate(PARENTS[1:], start=1):
        depth[j] = depth[parent] + 1
    levels = [[j for j, d in enumerate(depth) if d == level] for level in range(1, max(depth) + 1)]
    return [(joints, [PARENTS[j] for j in joints]) for joints in levels]


_DEPTHS = _joints_by_depth()


def global_rotations(local: Array) -> Array:
    """World rotations (..., 29, 4) from joint rotations `local` (..., 29, 4), which are relative to the parent."""
    world = np.empty_like(local)
    world[..., 0, :] = local[..., 0, :]
    for joints, parents in _DEPTHS:
        world[..., joints, :] = rotations.multiply(world[..., parents, :], local[..., joints, :])
    return world


def local_rotations(world: Array) -> Array:
    """Joint rotations relative to the parent (..., 29, 4) from world rotations (..., 29, 4)."""
    local = rotations.inverse_multiply(world[..., list(PARENTS), :], world)
    local[..., 0, :] = world[..., 0, :]
    return local


def fk(root: Array, local: Array, offsets: Array) -> Array:
    """Forward kinematics: joint positions (..., 29, 3) m from joint rotations.

    root: (..., 3) m, the pelvis.  local: (..., 29, 4) joint rotations.  offsets: (29, 3) m.
    """
    return joint_positions(root, global_rotations(local), offsets)


def joint_positions(root: Array, world: Array, offsets: Array) -> Array:
    """Joint positions (..., 29, 3) m from the pelvis `root` (..., 3) m and world rotations (..., 29, 4)."""
    bones = rotations.rotate(world[..., list(PARENTS), :], offsets)
    positions = np.empty_like(bones)
    for j, parent in enumerate(PARENTS):
        positions[..., j, :] = root if parent < 0 else positions[..., parent, :] + bones[..., j, :]
    return positions
