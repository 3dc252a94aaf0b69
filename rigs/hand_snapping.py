"""Hands that nearly hold: where a partner's hand hovers by the leader's as if to hold it, it does.

The leader is given; the partner's arm gives way alone, and the body leans a little where the arm is too short.
"""

from dataclasses import replace
from itertools import product

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.blending import spans, spread
from rigs.body import SIDES
from rigs.holding import Hold
from rigs.keeping_apart import averaged
from rigs.limbs import bend_limb
from rigs.motion import Motion
from rigs.skeleton import INDEX, Skeleton

_NEAR, _LOOSE, _LOST = 0.3, 0.38, 0.5
"""m between two wrists: a hold is meant where they come as near as the first while nearer than the second.

Of real holds whose hands and bodies were moved by 8 cm each, 95 % are found so. A gap is closed up to the third.
"""
_SHORTEST = 0.25
"""s that a hold lasts at least: nine of ten real ones do."""
_GAP = 0.3
"""s that a hold is lost at most and still goes on: half of the gaps between real ones are no longer."""
_CLOSE, _USUAL = 0.15, 0.195
"""m between two held wrists: up to the first they stay where they are, from further they come nearly to the second.

Half of real holds are between 14 and 20 cm.
"""
_BLEND = 0.3
"""s in which a hand finds its hold, and leaves it after."""
_BENT, _REACH = 0.93, 0.985
"""The parts of its length from which an arm reaches less far than is asked, and which it never exceeds."""
_LEAN = 0.08
"""m by which a dancer leans towards a hand that the arm alone does not reach, at most."""
_LEANING = 0.4
"""s in which this happens."""
_BACK = np.array([0.0, 1.0, 0.0])


def meant_holds(partner: Array, leader: Array, fps: float) -> list[Hold]:
    """The holds that a partner's hands seem to be meant for, with the way between the wrists that they should have.

    partner, leader: (F, 29, 3) m.  In each frame a hand holds one hand at most, the one that it is nearer to.
    """
    ways = np.array([[partner[:, _joint("wrist", a)] - leader[:, _joint("wrist", b)] for b in (0, 1)] for a in (0, 1)])
    distances = np.linalg.norm(ways, axis=-1)
    shortest, blend = max(1, round(_SHORTEST * fps)), round(_BLEND * fps)
    runs = [
        (float((distances[sides][first:last] - _LOOSE).sum()), sides, first, last)
        for sides in product((0, 1), (0, 1))
        for first, last in spans(_lasting(distances[sides], round(_GAP * fps)), shortest)
        if distances[sides][first:last].min() < _NEAR
    ]
    held, barred = np.zeros(distances.shape, bool), np.zeros(distances.shape, bool)
    for _, (ours, theirs), first, last in sorted(runs):
        for start, end in spans(~barred[ours, theirs, first:last], shortest):
            held[ours, theirs, first + start : first + end] = True
            barred[1 - ours, theirs, first + start : first + end] = True
            barred[ours, 1 - theirs, max(first + start - blend, 0) : first + end + blend] = True
    wanted = ways * (_held_distance(distances) / np.maximum(distances, 1e-6))[..., None]
    return [Hold(s, held[s], wanted[s]) for s in product((0, 1), (0, 1)) if held[s].any()]


def lean(partner: Array, leader: Array, skeleton: Skeleton, found: list[Hold], fps: float) -> Array:
    """How the partner must be moved along the floor for the arms to reach the holds: (F, 3) m, a few centimetres."""
    way = np.zeros((len(partner), 3))
    for hold in found:
        away = _target(leader, hold) - partner[:, _joint("shoulder", hold.sides[0])]
        missing = np.linalg.norm(away, axis=-1) - _BENT * sum(_arm(skeleton, hold.sides[0]))
        missing = np.where(hold.held, np.maximum(missing, 0.0), 0.0)
        way += missing[:, None] * rotations.normalize(away * [1.0, 1.0, 0.0])
    way *= _LEAN / np.maximum(np.linalg.norm(way, axis=-1, keepdims=True), _LEAN)
    return averaged(way, round(_LEANING * fps))


def snapped(motion: Motion, leader: Array, found: list[Hold]) -> Motion:
    """The partner with the hands in the holds as far as the arms reach, elbows in their planes.

    leader: (F, 29, 3) m.
    """
    if not found:
        return motion
    world = kinematics.global_rotations(motion.rotations)
    positions = kinematics.place(motion.root, world, motion.skeleton.offsets)
    for side in range(2):
        wrist = positions[:, _joint("wrist", side)]
        offsets, held = np.zeros_like(wrist), np.zeros(len(wrist), bool)
        for hold in found:
            if hold.sides[0] == side:
                shoulder, arm = positions[:, _joint("shoulder", side)], _arm(motion.skeleton, side)
                reached = _within_reach(shoulder, arm, _target(leader, hold))
                offsets = np.where(hold.held[:, None], reached - wrist, offsets)
                held |= hold.held
        offsets = spread(offsets, spans(held, 1), round(_BLEND * motion.fps))
        moved = np.flatnonzero(np.abs(offsets).max(axis=-1) > 1e-4)
        if len(moved):
            limb, turned = positions[moved], world[moved]
            chain = (_joint("shoulder", side), _joint("elbow", side), _joint("wrist", side))
            bend_limb(limb, turned, chain, (wrist + offsets)[moved], _BACK)
            world[moved] = turned
    return replace(motion, rotations=kinematics.local_rotations(world))


def _lasting(distance: Array, gap: int) -> Array:
    """Where two wrists `distance` (F,) m apart are near each other, but for short gaps in which they stay together."""
    near = distance < _LOOSE
    for first, last in spans(~near, 1):
        if first > 0 and last < len(near) and last - first <= gap and distance[first:last].max() < _LOST:
            near[first:last] = True
    return near


def _held_distance(distance: Array) -> Array:
    """How far apart wrists are in a hold that hover at `distance` m: as near as they are, or nearly `_USUAL`."""
    room = _USUAL - _CLOSE
    return np.where(distance < _CLOSE, distance, _CLOSE + room * np.tanh((distance - _CLOSE) / room))


def _target(leader: Array, hold: Hold) -> Array:
    """Where the partner's wrist belongs in a hold: (F, 3) m."""
    return np.asarray(leader[:, _joint("wrist", hold.sides[1])] + hold.apart)


def _within_reach(shoulder: Array, arm: tuple[float, float], wrist: Array) -> Array:
    """The places nearest to `wrist` (F, 3) m that an arm reaches; towards its full length it follows less and less."""
    upper, lower = arm
    away = wrist - shoulder
    distance = np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-6)
    bent, rest = _BENT * (upper + lower), (_REACH - _BENT) * (upper + lower)
    reached = np.where(distance < bent, distance, bent + rest * np.tanh((distance - bent) / rest))
    return np.asarray(shoulder + away * np.maximum(reached, 1.02 * abs(upper - lower)) / distance)


def _arm(skeleton: Skeleton, side: int) -> tuple[float, float]:
    """The lengths of the upper arm and the forearm in m."""
    upper, lower = np.linalg.norm(skeleton.offsets[[_joint("elbow", side), _joint("wrist", side)]], axis=-1)
    return float(upper), float(lower)


def _joint(name: str, side: int) -> int:
    return INDEX[f"{SIDES[side]}_{name}"]
