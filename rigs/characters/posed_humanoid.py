"""`Figure`: a movement on a `Body`, between retargeting and the rig's bones; feet and hands are finished on it."""

from dataclasses import dataclass, replace

import numpy as np

from rigs import Array, rotations
from rigs.characters.humanoid import BONE_DIRECTIONS, HIPS, Humanoid
from rigs.skeleton import CHILDREN, JOINTS, PARENTS


@dataclass(frozen=True)
class PosedHumanoid:
    """A movement on a body, joint by joint.

    positions: (F, 29, 3) m.  world: (F, 29, 4) the joints' world rotations.
    bends: for those of the body's moved bones that share a bend, how far they have turned in the world since rest,
    (F, 4); the other bones' turns follow from `world`.
    resting: (F, 4) bool, where the source's feet rest: left ankle, left foot, right ankle, right foot.
    steps: (F, 2, 2) m, the way of the source's balls of the feet along the floor, as far as it goes on this body.
    floor: m, the height of the floor that is danced on.
    """

    fps: float
    positions: Array
    world_rotations: Array
    bend_rotations: dict[int, Array]
    foot_contacts: Array
    toe_paths: Array
    floor: float

    def translated(self, offset: Array) -> "PosedHumanoid":
        """The figure moved by `offset` (F, 3) m."""
        return replace(self, positions=self.positions + offset[:, None])


def bone_rotations(body: Humanoid, world: Array, bends: dict[int, Array]) -> Array:
    """How far the moved bones have turned in the world since rest: (F, K, 4)."""
    roles = [max(role, 0) for role in body.driving_joints]
    turns = rotations.multiply(world[:, roles], rotations.inverse(body.rest_rotations[roles]))
    for k, bend in bends.items():
        turns[:, k] = bend
    for twist in body.twist_bones:
        turns[:, twist.bone] = _twist_bone_rotation(body, world, twist.joint, twist.share)
    return turns


def joint_positions(body: Humanoid, world: Array, bends: dict[int, Array], hips: Array) -> Array:
    """Where the joints are (F, 29, 3) m, with the point between the hips at `hips` (F, 3)."""
    turns, roots = bone_rotations(body, world, bends), root_bone_positions(body, world, hips)
    above = list(body.parents)
    heads = rotations.rotate(turns[:, above], body.rest_heads - body.rest_heads[above])
    for k, up in enumerate(above):
        heads[:, k] = roots[k] if up < 0 else heads[:, up] + heads[:, k]
    carriers = list(body.carriers)
    return heads[:, carriers] + rotations.rotate(turns[:, carriers], body.rest_positions - body.rest_heads[carriers])


def root_bone_positions(body: Humanoid, world: Array, hips: Array) -> dict[int, Array]:
    """Where the bones without a moved one above them begin, (F, 3) m each; they go with the pelvis."""
    turn = rotations.multiply(world[:, 0], rotations.inverse(body.rest_rotations[0]))
    middle = body.rest_positions[HIPS].mean(axis=0)
    return {
        k: hips + rotations.rotate(turn, body.rest_heads[k] - middle)
        for k, above in enumerate(body.parents)
        if above < 0
    }


def _twist_bone_rotation(body: Humanoid, world: Array, joint: int, share: float) -> Array:
    """The turn since rest (F, 4) of a bone that lies at `share` of a limb's upper or lower half.

    An upper arm's or thigh's twist grows from none at its root; a forearm's grows towards the hand's.
    """
    turn = rotations.multiply(world[:, joint], rotations.inverse(body.rest_rotations[joint]))
    child = CHILDREN[joint][0]
    lower = JOINTS[joint].endswith(("_elbow", "_knee"))
    above, below = (joint, child) if lower else (PARENTS[joint], joint)
    between = rotations.inverse_multiply(world[:, above], world[:, below])
    angle = np.unwrap(2.0 * np.arctan2(between[:, 1:] @ BONE_DIRECTIONS[joint], between[:, 0]))
    angle -= 2.0 * np.pi * np.round(np.median(angle) / (2.0 * np.pi))
    bone = rotations.normalize(body.rest_positions[child] - body.rest_positions[joint])
    return rotations.multiply(turn, rotations.from_axis_angle(bone, (share if lower else share - 1.0) * angle))
