"""Forward kinematics over the 29 joints."""

import numpy as np

from rigs import Array, rotations
from rigs.skeleton import PARENTS


def global_rotations(local: Array) -> Array:
    """World rotations (..., 29, 4) of the joint rotations `local` (..., 29, 4), which are relative to the parent."""
    world = np.empty_like(local)
    for j, parent in enumerate(PARENTS):
        if parent < 0:
            world[..., j, :] = local[..., j, :]
        else:
            world[..., j, :] = rotations.multiply(world[..., parent, :], local[..., j, :])
    return world


def local_rotations(world: Array) -> Array:
    """Joint rotations relative to the parent (..., 29, 4) from world rotations (..., 29, 4)."""
    local = rotations.multiply(rotations.inverse(world[..., list(PARENTS), :]), world)
    local[..., 0, :] = world[..., 0, :]
    return local


def forward(root: Array, local: Array, offsets: Array) -> Array:
    """Joint positions (..., 29, 3) m.

    root: (..., 3) m, the pelvis.  local: (..., 29, 4) joint rotations.  offsets: (29, 3) m.
    """
    return place(root, global_rotations(local), offsets)


def place(root: Array, world: Array, offsets: Array) -> Array:
    """Joint positions (..., 29, 3) m from the pelvis `root` (..., 3) and world rotations (..., 29, 4)."""
    steps = rotations.rotate(world[..., list(PARENTS), :], offsets)
    positions = np.empty_like(steps)
    for j, parent in enumerate(PARENTS):
        positions[..., j, :] = root if parent < 0 else positions[..., parent, :] + steps[..., j, :]
    return positions
