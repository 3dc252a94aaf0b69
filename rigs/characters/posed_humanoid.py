"""`PosedHumanoid`: a motion on a `Humanoid`, and its forward kinematics; feet and hands are post-processed on it."""

from dataclasses import dataclass, replace

import numpy as np

from rigs import Array, rotations
from rigs.characters.humanoid import BONE_DIRECTIONS, Humanoid
from rigs.skeleton import CHILDREN, HIPS, JOINTS, PARENTS


@dataclass(frozen=True)
class PosedHumanoid:
    """A motion on a humanoid, joint by joint.

    positions: (F, 29, 3) m.  world_rotations: (F, 29, 4) of the joints.
    bend_rotations: for the driven bones that share a bend, their world rotations since rest (F, 4), by index; the other
    bones' follow from `world_rotations`.
    foot_contacts: (F, 4) bool, the source's contacts: left ankle, left foot, right ankle, right foot.
    toe_paths: (F, 2, 2) m, the paths of the source's balls of the feet along the floor, scaled to this body.
    floor: m, the height of the floor.
    """

    fps: float
    positions: Array
    world_rotations: Array
    bend_rotations: dict[int, Array]
    foot_contacts: Array
    toe_paths: Array
    floor: float

    def translate(self, offset: Array) -> "PosedHumanoid":
        """The posed humanoid moved by `offset` (F, 3) m."""
        return replace(self, positions=self.positions + offset[:, None])


def bone_rotations(humanoid: Humanoid, world_rotations: Array, bend_rotations: dict[int, Array]) -> Array:
    """World rotations of the driven bones since rest: (F, K, 4)."""
    joints = [max(role, 0) for role in humanoid.joints]
    result = rotations.multiply(world_rotations[:, joints], rotations.inverse(humanoid.rest_rotations[joints]))
    for k, bend in bend_rotations.items():
        result[:, k] = bend
    for twist in humanoid.twist_bones:
        result[:, twist.bone] = _twist_bone_rotation(humanoid, world_rotations, twist.joint, twist.share)
    return result


def joint_positions(humanoid: Humanoid, world_rotations: Array, bend_rotations: dict[int, Array], hips: Array) -> Array:
    """Forward kinematics: joint positions (F, 29, 3) m with the point between the hips at `hips` (F, 3)."""
    since_rest = bone_rotations(humanoid, world_rotations, bend_rotations)
    roots = root_bone_positions(humanoid, world_rotations, hips)
    parents = list(humanoid.parents)
    heads = rotations.rotate(since_rest[:, parents], humanoid.rest_heads - humanoid.rest_heads[parents])
    for k, up in enumerate(parents):
        heads[:, k] = roots[k] if up < 0 else heads[:, up] + heads[:, k]
    carriers = list(humanoid.carriers)
    offsets = humanoid.rest_positions - humanoid.rest_heads[carriers]
    return heads[:, carriers] + rotations.rotate(since_rest[:, carriers], offsets)


def root_bone_positions(humanoid: Humanoid, world_rotations: Array, hips: Array) -> dict[int, Array]:
    """Head positions (F, 3) m of the driven bones without a driven parent; they move with the pelvis."""
    pelvis = rotations.multiply(world_rotations[:, 0], rotations.inverse(humanoid.rest_rotations[0]))
    offsets = humanoid.rest_heads - humanoid.rest_positions[HIPS].mean(axis=0)
    return {k: hips + rotations.rotate(pelvis, offsets[k]) for k, up in enumerate(humanoid.parents) if up < 0}


def _twist_bone_rotation(humanoid: Humanoid, world_rotations: Array, joint: int, share: float) -> Array:
    """World rotation since rest (F, 4) of a twist bone at `share` of a limb's segment (swing-twist decomposition).

    An upper arm's or thigh's twist grows from none at its root; a forearm's or shin's grows towards the hand or foot.
    """
    rotation = rotations.multiply(world_rotations[:, joint], rotations.inverse(humanoid.rest_rotations[joint]))
    child = CHILDREN[joint][0]
    lower = JOINTS[joint].endswith(("_elbow", "_knee"))
    above, below = (joint, child) if lower else (PARENTS[joint], joint)
    between = rotations.inverse_multiply(world_rotations[:, above], world_rotations[:, below])
    angle = np.unwrap(2.0 * np.arctan2(between[:, 1:] @ BONE_DIRECTIONS[joint], between[:, 0]))
    angle -= 2.0 * np.pi * np.round(np.median(angle) / (2.0 * np.pi))
    bone = rotations.normalize(humanoid.rest_positions[child] - humanoid.rest_positions[joint])
    return rotations.multiply(rotation, rotations.from_axis_angle(bone, (share if lower else share - 1.0) * angle))
