"""A `Figure` onto the bones of its rig: the rotations and locations that Blender keys.

Where a joint's world rotation is G, and G0 in the rig's rest pose, its bone has turned by D = G G0^-1. With rest
rotation R its pose is R^-1 Da^-1 D R, whatever its roll; Da is the turn of the nearest moved bone above it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rigs import Array, rotations
from rigs.characters.humanoid import HIPS, Humanoid
from rigs.characters.posed_humanoid import PosedHumanoid, bone_rotations, root_bone_positions
from rigs.characters.rig import Rig

RootMode = Literal["hips", "bone", "object"]
"""What carries a rig through the world: the hips alone, the bone above them, or the object."""


@dataclass(frozen=True)
class RigMotion:
    """How a rig's bones move, ready to be keyed.

    turns: each bone's pose rotations (F, 4), relative to rest and to its parent.
    locations: for the bones that also travel, (F, 3) in the bone's own axes and units.
    carried: where the object goes from where it is, turned about the world's origin and then shifted: (F, 4) and
    (F, 3) m; None when it stays.
    """

    fps: float
    rotations: dict[str, Array]
    locations: dict[str, Array]
    object_transform: tuple[Array, Array] | None = None


@dataclass(frozen=True)
class ControlBone:
    """A bone that is moved for itself: how far it has turned since rest, (F, 4), and where its head is, (F, 3) m.

    Without a head it only turns.
    """

    bone: str
    rotation: Array
    head: Array | None


def bone_transforms(
    figure: PosedHumanoid,
    body: Humanoid,
    *,
    root: RootMode = "hips",
    in_place: bool = False,
    controls: Sequence[ControlBone] = (),
) -> RigMotion:
    """The rotations and locations of the rig's bones that bring the body where the figure is.

    root: what carries the way along the floor and the heading.  in_place: leave the way out and keep the heights.
    controls: further bones to move, such as the ends of limbs that the rig solves itself.
    Raises ValueError where the rig has no bone above the hips to carry it.
    """
    rig, still = body.rig, rotations.identity(len(figure.positions))
    heads = root_bone_positions(body, figure.world_rotations, figure.positions[:, HIPS].mean(axis=1))
    way = np.zeros((len(still), 3))
    if in_place:
        way = (heads[body.pelvis] - heads[body.pelvis][0]) * np.array([1.0, 1.0, 0.0])
    turns = bone_rotations(body, figure.world_rotations, figure.bend_rotations)
    moved: dict[int, tuple[Array, Array | None, bool]] = {
        node: (turns[:, k], heads[k] - way if k in heads else None, body.rotation_parents[k] == body.parents[k])
        for k, node in enumerate(body.driven)
    }
    for control in controls:
        moved[rig.index(control.bone)] = (control.rotation, None if control.head is None else control.head - way, True)
    carriage = (still, np.zeros((len(still), 3)))
    if root != "hips":
        carriage = _root_transform(body, figure.world_rotations[:, 0], heads[body.pelvis] - way)
    if root == "bone":
        top = _root_bone(body)
        moved[top] = (carriage[0], rotations.rotate(carriage[0], rig.heads[top]) + carriage[1], True)
    ground = carriage if root == "object" else (still, np.zeros((len(still), 3)))
    nodes = sorted(moved)
    above = {node: next((up for up in rig.ancestors(node) if up in moved), -1) for node in nodes}
    bases = [moved[above[node]][0] if above[node] >= 0 and moved[node][2] else ground[0] for node in nodes]
    own = rig.rest_rotations[nodes]
    since = rotations.inverse_multiply(np.stack(bases, axis=1), np.stack([moved[node][0] for node in nodes], axis=1))
    posed = rotations.multiply(rotations.inverse(own), rotations.multiply(since, own))
    result = RigMotion(figure.fps, {}, {}, carriage if root == "object" else None)
    for n, node in enumerate(nodes):
        result.rotations[rig.names[node]] = posed[:, n]
        head = moved[node][1]
        if head is not None:
            parent, shift = _parent_transform(rig, moved, above, above[node], ground)
            gone = head - rotations.rotate(parent, rig.heads[node]) - shift
            axes = rotations.multiply(
                parent, rig.object_rotation if node in rig.object_space_locations else rig.rest_rotations[node]
            )
            result.locations[rig.names[node]] = rotations.rotate(rotations.inverse(axes), gone) / rig.unit_scale
    return result


def _root_transform(body: Humanoid, pelvis: Array, head: Array) -> tuple[Array, Array]:
    """How the rest pose is turned about the vertical (F, 4) and shifted along the floor (F, 3) to go with the pelvis.

    pelvis: (F, 4) its world rotation.  head: (F, 3) m where its bone begins.
    """
    angle = np.unwrap(rotations.heading(pelvis)) - rotations.heading(body.rest_rotations[0])
    turn = rotations.about_z(angle)
    shift = head - rotations.rotate(turn, body.rest_heads[body.pelvis])
    return turn, shift * np.array([1.0, 1.0, 0.0])


def _root_bone(body: Humanoid) -> int:
    """The node from which the hips hang in the end. Raises ValueError where they are the root themselves."""
    above = body.rig.ancestors(body.driven[body.pelvis])
    if not above:
        raise ValueError("a bone above the hips expected to carry the movement, found none: choose hips or object")
    return above[-1]


def _parent_transform(
    rig: Rig,
    moved: dict[int, tuple[Array, Array | None, bool]],
    above: dict[int, int],
    node: int,
    ground: tuple[Array, Array],
) -> tuple[Array, Array]:
    """How a moved bone carries what hangs on it: it turns (F, 4) about the origin, which then goes (F, 3) m."""
    if node < 0:
        return ground
    turn, head, _ = moved[node]
    if head is None:
        parent, shift = _parent_transform(rig, moved, above, above[node], ground)
        head = rotations.rotate(parent, rig.heads[node]) + shift
    return turn, head - rotations.rotate(turn, rig.heads[node])
