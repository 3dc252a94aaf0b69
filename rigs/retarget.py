"""Retargeting: a `Motion` onto the bones of any rig, whole clips at once.

    body = body_of(rig, mapping)         # the rig as a dancer
    figure = retarget(motion, body)      # the movement on that body, joint by joint, feet on the floor
    result = pose(figure, body)          # rotations and locations for the rig's bones

Rest poses are aligned by calculation: where a joint's world rotation is G, and G0 in the rig's rest pose, its bone has
turned by D = G G0^-1. With rest rotation R its pose is R^-1 Da^-1 D R, whatever its roll; Da is the turn of the nearest
moved bone above it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.body import ANKLES, AXES, HIPS, SIDES, Body, leg_length
from rigs.contacts import floor_height, foot_contacts
from rigs.figure import Figure
from rigs.holding import approach, clasp, holds
from rigs.motion import Motion
from rigs.planting import plant
from rigs.rig import Rig
from rigs.skeleton import CHILDREN, INDEX, JOINTS, PARENTS

Root = Literal["hips", "bone", "object"]
"""What carries a rig through the world: the hips alone, the bone above them, or the object."""

_UP = np.array([0.0, 0.0, 1.0])
_AIMED = [j for j, name in enumerate(JOINTS) if name.endswith(("_hip", "_knee", "_shoulder", "_elbow", "_wrist"))]
_TOES = [INDEX[f"{side}_foot"] for side in SIDES]
_SPINE = [INDEX[name] for name in ("pelvis", "spine1", "spine2", "spine3")]
_CHEST, _NECK, _JAW = (INDEX[name] for name in ("spine3", "neck", "jaw"))
_BUILD = (
    # a joint, and the two between which it lies in turning, at which share of the way
    (_SPINE[1], _SPINE[0], _CHEST, 1 / 3),
    (_SPINE[2], _SPINE[0], _CHEST, 2 / 3),
    (_NECK, _CHEST, _JAW, 0.5),
    *((INDEX[f"{side}_collar"], _CHEST, _CHEST, 0.0) for side in SIDES),
)
_STILL = 0.2
"""m/s along the floor up to which a low foot rests; above it is on its way, however low."""
_FEW = 5
"""Frames with a foot flat on the floor from which their median tells how its sole lies."""
_LEVEL = 0.1
"""m: a capture whose floor is no further than this from z = 0 is meant to stand there."""


@dataclass(frozen=True)
class RigMotion:
    """How a rig's bones move, ready to be keyed.

    turns: each bone's pose rotations (F, 4), relative to rest and to its parent.
    locations: for the bones that also travel, (F, 3) in the bone's own axes and units.
    carried: where the object goes from where it is, turned about the world's origin and then shifted: (F, 4) and
    (F, 3) m; None when it stays.
    """

    fps: float
    turns: dict[str, Array]
    locations: dict[str, Array]
    carried: tuple[Array, Array] | None = None


@dataclass(frozen=True)
class Finish:
    """What is done to a movement on its new body.

    feet: planted feet stay planted, and nothing sinks below the floor.  hands: hands that hold go on holding.
    """

    feet: bool = True
    hands: bool = True


@dataclass(frozen=True)
class Control:
    """A bone that is moved for itself: how far it has turned since rest, (F, 4), and where its head is, (F, 3) m.

    Without a head it only turns.
    """

    bone: str
    turn: Array
    head: Array | None


def retarget(motion: Motion, body: Body, finish: Finish = Finish()) -> Figure:
    """One dancer's movement on another body."""
    figure = adapt(motion, body)
    return plant(figure, body) if finish.feet else figure


def retarget_pair(
    motions: tuple[Motion, Motion], bodies: tuple[Body, Body], finish: Finish = Finish()
) -> tuple[Figure, Figure]:
    """Two dancers' movement, of one frame rate and length, on two other bodies.

    Both go their ways along the floor by one scale, the mean of their legs', so that they stay with each other.
    """
    legs = [body.leg / leg_length(m.skeleton.rest_positions()) for m, body in zip(motions, bodies, strict=True)]
    first, second = (adapt(m, body, stride=sum(legs) / 2.0) for m, body in zip(motions, bodies, strict=True))
    found = holds(motions[0].positions, motions[1].positions, motions[0].fps) if finish.hands else []
    if found:
        first, second = approach((first, second), bodies, found)
    if finish.feet:
        first, second = plant(first, bodies[0]), plant(second, bodies[1])
    return clasp((first, second), bodies, found) if found else (first, second)


def adapt(motion: Motion, body: Body, *, stride: float | None = None) -> Figure:
    """The movement on another body: its limbs point where the source's do, its trunk, head and feet turn as they do.

    The way along the floor is scaled by `stride`, without it by the length of the legs; heights are scaled by the legs.
    """
    source = motion.positions
    resting = foot_contacts(source, motion.fps, speed=_STILL)
    world = _aligned(motion, resting)
    bends = _bends(motion, world, body)
    legs = body.leg / leg_length(motion.skeleton.rest_positions())
    low = floor_height(source)
    floor = 0.0 if abs(low) < _LEVEL else low
    down, ankles = resting[:, [0, 2]], source[:, ANKLES, 2]
    sole = float(np.median(ankles[down])) if down.sum() >= _FEW else float(ankles.min())
    hips = source[:, HIPS].mean(axis=1)
    rise = floor + body.height("ankle") + legs * (hips[:, 2] - sole)
    hips = np.concatenate([hips[:, :2] * (stride or legs), rise[:, None]], axis=1)
    steps = source[:, _TOES, :2] * (stride or legs)
    return Figure(motion.fps, _positions(body, world, bends, hips), world, bends, resting, steps, floor)


def pose(
    figure: Figure, body: Body, *, root: Root = "hips", in_place: bool = False, controls: Sequence[Control] = ()
) -> RigMotion:
    """The rotations and locations of the rig's bones that bring the body where the figure is.

    root: what carries the way along the floor and the heading.  in_place: leave the way out and keep the heights.
    controls: further bones to move, such as the ends of limbs that the rig solves itself.
    Raises ValueError where the rig has no bone above the hips to carry it.
    """
    rig, still = body.rig, rotations.identity(len(figure.positions))
    heads = _roots(body, figure.world, figure.positions[:, HIPS].mean(axis=1))
    way = np.zeros((len(still), 3))
    if in_place:
        way = (heads[body.pelvis] - heads[body.pelvis][0]) * np.array([1.0, 1.0, 0.0])
    turns = _turns(body, figure.world, figure.bends)
    moved: dict[int, tuple[Array, Array | None, bool]] = {
        node: (turns[:, k], heads[k] - way if k in heads else None, body.turns_with[k] == body.above[k])
        for k, node in enumerate(body.moved)
    }
    for control in controls:
        moved[rig.index(control.bone)] = (control.turn, None if control.head is None else control.head - way, True)
    carriage = (still, np.zeros((len(still), 3)))
    if root != "hips":
        carriage = _carriage(body, figure.world[:, 0], heads[body.pelvis] - way)
    if root == "bone":
        top = _root_bone(body)
        moved[top] = (carriage[0], rotations.rotate(carriage[0], rig.heads[top]) + carriage[1], True)
    ground = carriage if root == "object" else (still, np.zeros((len(still), 3)))
    nodes = sorted(moved)
    above = {node: next((up for up in rig.above(node) if up in moved), -1) for node in nodes}
    bases = [moved[above[node]][0] if above[node] >= 0 and moved[node][2] else ground[0] for node in nodes]
    own = rig.turned[nodes]
    since = _since(np.stack(bases, axis=1), np.stack([moved[node][0] for node in nodes], axis=1))
    posed = rotations.multiply(rotations.inverse(own), rotations.multiply(since, own))
    result = RigMotion(figure.fps, {}, {}, carriage if root == "object" else None)
    for n, node in enumerate(nodes):
        result.turns[rig.names[node]] = posed[:, n]
        head = moved[node][1]
        if head is not None:
            parent, shift = _carrying(rig, moved, above, above[node], ground)
            gone = head - rotations.rotate(parent, rig.heads[node]) - shift
            axes = rotations.multiply(parent, rig.turn if node in rig.unaligned else rig.turned[node])
            result.locations[rig.names[node]] = rotations.rotate(rotations.inverse(axes), gone) / rig.scale
    return result


def _aligned(motion: Motion, resting: Array) -> Array:
    """The joints' world rotations (F, 29, 4), freed of what is only the source's build.

    An aimed joint's axis lies exactly along the source's bone, a sole that rests is level. How collarbones, the middle
    of the spine and the neck lean all the time is the build's, how they move is the dance's.
    """
    world = kinematics.global_rotations(motion.rotations)
    offsets = motion.skeleton.offsets
    ours = world.copy()
    aims = rotations.between(AXES[_AIMED], offsets[[CHILDREN[j][0] for j in _AIMED]])
    ours[:, _AIMED] = rotations.multiply(world[:, _AIMED], aims)
    joints, starts, ends, ways = (list(column) for column in zip(*_BUILD, strict=True))
    base = rotations.slerp(world[:, starts], world[:, ends], np.array(ways))
    own = _since(base, world[:, joints])
    ours[:, joints] = rotations.multiply(base, rotations.multiply(own, rotations.inverse(_mean(own))))
    for side, flat in enumerate((resting[:, 0] & resting[:, 1], resting[:, 2] & resting[:, 3])):
        foot = offsets[_TOES[side]]
        outward = rotations.about_z(np.arctan2(foot[0], -foot[1]))
        for j in (ANKLES[side], _TOES[side]):
            level = rotations.identity()
            if flat.sum() >= _FEW:
                normals = rotations.rotate(rotations.inverse(world[flat, j]), _UP)
                level = rotations.between(_UP, np.median(normals, axis=0))
            ours[:, j] = rotations.multiply(world[:, j], rotations.multiply(level, outward))
    return ours


def _bends(motion: Motion, world: Array, body: Body) -> dict[int, Array]:
    """How far the bones that share the bend of trunk and neck have turned since rest, (F, 4) each."""
    bends: dict[int, Array] = {}
    back = rotations.inverse(body.rest[0])
    if body.spine:
        offsets = motion.skeleton.offsets[[*_SPINE[1:], _NECK]]
        knots = _middles(np.linalg.norm(offsets, axis=-1))
        points = np.stack([body.places[0], *body.heads[list(body.spine)], body.places[_NECK]])
        at = _middles(np.linalg.norm(np.diff(points, axis=0), axis=-1))[1:]
        at[-1] = 1.0
        for k, u in zip(body.spine, at, strict=True):
            bends[k] = rotations.multiply(_along(world[:, _SPINE], knots, u), back)
    else:
        pelvis = rotations.multiply(world[:, 0], back)
        trunk = motion.positions[:, _NECK] - motion.positions[:, HIPS].mean(axis=1)
        rest = body.places[_NECK] - body.places[HIPS].mean(axis=0)
        swing = rotations.between(rotations.rotate(pelvis, rest), trunk)
        bends[body.pelvis] = rotations.multiply(swing, pelvis)
    necks = [k for k in body.neck if body.roles[k] != _JAW]
    for n, k in enumerate(necks):
        bend = _along(world[:, [_CHEST, _NECK, _JAW]], np.array([0.0, 0.5, 1.0]), (n + 0.5) / len(necks))
        bends[k] = rotations.multiply(bend, back)
    return bends


def _turns(body: Body, world: Array, bends: dict[int, Array]) -> Array:
    """How far the moved bones have turned in the world since rest: (F, K, 4)."""
    roles = [max(role, 0) for role in body.roles]
    turns = rotations.multiply(world[:, roles], rotations.inverse(body.rest[roles]))
    for k, bend in bends.items():
        turns[:, k] = bend
    for twist in body.twists:
        turns[:, twist.bone] = _twisted(body, world, twist.joint, twist.share)
    return turns


def _twisted(body: Body, world: Array, joint: int, share: float) -> Array:
    """The turn since rest (F, 4) of a bone that lies at `share` of a limb's upper or lower half.

    An upper arm's or thigh's twist grows from none at its root; a forearm's grows towards the hand's.
    """
    turn = rotations.multiply(world[:, joint], rotations.inverse(body.rest[joint]))
    child = CHILDREN[joint][0]
    lower = JOINTS[joint].endswith(("_elbow", "_knee"))
    above, below = (joint, child) if lower else (PARENTS[joint], joint)
    between = _since(world[:, above], world[:, below])
    angle = np.unwrap(2.0 * np.arctan2(between[:, 1:] @ AXES[joint], between[:, 0]))
    angle -= 2.0 * np.pi * np.round(np.median(angle) / (2.0 * np.pi))
    bone = rotations.normalize(body.places[child] - body.places[joint])
    return rotations.multiply(turn, rotations.from_axis_angle(bone, (share if lower else share - 1.0) * angle))


def _positions(body: Body, world: Array, bends: dict[int, Array], hips: Array) -> Array:
    """Where the joints are (F, 29, 3) m, with the point between the hips at `hips` (F, 3)."""
    turns, roots = _turns(body, world, bends), _roots(body, world, hips)
    above = list(body.above)
    heads = rotations.rotate(turns[:, above], body.heads - body.heads[above])
    for k, up in enumerate(above):
        heads[:, k] = roots[k] if up < 0 else heads[:, up] + heads[:, k]
    carriers = list(body.carriers)
    return heads[:, carriers] + rotations.rotate(turns[:, carriers], body.places - body.heads[carriers])


def _roots(body: Body, world: Array, hips: Array) -> dict[int, Array]:
    """Where the bones without a moved one above them begin, (F, 3) m each; they go with the pelvis."""
    turn = rotations.multiply(world[:, 0], rotations.inverse(body.rest[0]))
    middle = body.places[HIPS].mean(axis=0)
    return {k: hips + rotations.rotate(turn, body.heads[k] - middle) for k, above in enumerate(body.above) if above < 0}


def _carriage(body: Body, pelvis: Array, head: Array) -> tuple[Array, Array]:
    """How the rest pose is turned about the vertical (F, 4) and shifted along the floor (F, 3) to go with the pelvis.

    pelvis: (F, 4) its world rotation.  head: (F, 3) m where its bone begins.
    """
    angle = np.unwrap(rotations.heading(pelvis)) - rotations.heading(body.rest[0])
    turn = rotations.about_z(angle)
    shift = head - rotations.rotate(turn, body.heads[body.pelvis])
    return turn, shift * np.array([1.0, 1.0, 0.0])


def _root_bone(body: Body) -> int:
    """The node from which the hips hang in the end. Raises ValueError where they are the root themselves."""
    above = body.rig.above(body.moved[body.pelvis])
    if not above:
        raise ValueError("a bone above the hips expected to carry the movement, found none: choose hips or object")
    return above[-1]


def _carrying(
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
        parent, shift = _carrying(rig, moved, above, above[node], ground)
        head = rotations.rotate(parent, rig.heads[node]) + shift
    return turn, head - rotations.rotate(turn, rig.heads[node])


def _along(world: Array, knots: Array, at: float) -> Array:
    """The rotation (F, 4) at `at` on the way through the rotations `world` (F, n, 4), which lie at `knots` (n,)."""
    at = float(np.clip(at, knots[0], knots[-1]))
    n = int(np.clip(np.searchsorted(knots, at) - 1, 0, len(knots) - 2))
    t = (at - knots[n]) / (knots[n + 1] - knots[n])
    return rotations.slerp(world[:, n], world[:, n + 1], t)


def _middles(lengths: Array) -> Array:
    """The middles of segments of these lengths (n,) on their way, from 0 to 1."""
    return np.asarray((np.cumsum(lengths) - lengths / 2.0) / max(float(lengths.sum()), 1e-9))


def _mean(q: Array) -> Array:
    """The rotations (n, 4) nearest to all of `q` (F, n, 4) (Markley et al. 2007)."""
    return np.linalg.eigh(np.einsum("fna,fnb->nab", q, q))[1][..., -1]


def _since(base: Array, q: Array) -> Array:
    """`q` as seen from `base`."""
    return rotations.multiply(rotations.inverse(base), q)
