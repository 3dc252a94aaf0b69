"""Hands that hold: where two dancers' hands hold each other in the source, they hold on bodies of any proportions."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from rigs import Array, rotations
from rigs.characters.humanoid import SIDES, Humanoid
from rigs.characters.posed_humanoid import PosedHumanoid
from rigs.skeleton import INDEX
from rigs.smoothing import blend_offsets, true_runs, upper_envelope
from rigs.two_bone_ik import solve_limb

_NEAR, _LOOSE = 0.2, 0.25
"""m between two wrists at which a hold begins, and at which it ends."""
_SHORTEST = 0.2
"""s that a hold lasts at least."""
_BLEND = 0.25
"""s in which a hand finds its hold, and leaves it after."""
_APPROACH = 0.5
"""s in which two dancers come as near as a hold needs."""
_REACH = 0.985
"""The most of its length to which an arm is stretched."""
_EASY = 0.955
"""The part of its length to which an arm is stretched when the dancers can still come nearer."""
_NEAREST = 0.25
"""m between two pelvises below which no hold brings them."""
_ROUNDS = 24
"""How often hands are brought to each other and back within reach; each round halves what is left."""
_BACK = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class HandHold:
    """Two hands that hold each other at times.

    sides: of the first dancer's hand and of the second one's, 0 for left.  held: (F,) bool.
    apart: (F, 3) m, from the second one's wrist to the first one's.
    """

    sides: tuple[int, int]
    held: Array
    apart: Array


def detect_hand_holds(first: Array, second: Array, fps: float) -> list[HandHold]:
    """The hands of two dancers that hold each other, by the distance of their wrists.

    first, second: (F, 29, 3) m, joint positions in one world.
    """
    found = []
    for sides in product(range(2), range(2)):
        apart = first[:, _joint("wrist", sides[0])] - second[:, _joint("wrist", sides[1])]
        distance = np.linalg.norm(apart, axis=-1)
        held = np.zeros(len(distance), bool)
        for start, end in true_runs(distance < _LOOSE, max(1, round(_SHORTEST * fps))):
            held[start:end] = distance[start:end].min() < _NEAR
        if held.any():
            found.append(HandHold(sides, held, apart))
    return found


def approach_for_holds(
    figures: tuple[PosedHumanoid, PosedHumanoid], bodies: tuple[Humanoid, Humanoid], found: list[HandHold]
) -> tuple[PosedHumanoid, PosedHumanoid]:
    """The two dancers, moved along the floor as near to each other as their arms need for every hold."""
    first, second = figures
    blend = round(_APPROACH * first.fps)
    for _ in range(3):
        line = rotations.normalize(_between(first, second))
        missing = np.zeros(len(line))
        for hold in found:
            shoulders = [
                figure.positions[:, _joint("shoulder", s)]
                for figure, s in zip((first, second), hold.sides, strict=True)
            ]
            away = shoulders[1] + hold.apart - shoulders[0]
            reach = sum(_EASY * sum(_arm(body, s)) for body, s in zip(bodies, hold.sides, strict=True))
            level = np.sqrt(np.maximum(reach**2 - away[:, 2] ** 2, 0.0))
            over = np.linalg.norm(_level(away), axis=-1) - level
            missing = np.maximum(missing, np.where(hold.held, over, 0.0))
        missing = np.minimum(missing, np.linalg.norm(_between(first, second), axis=-1) - _NEAREST)
        if missing.max() < 1e-3:
            break
        step = (upper_envelope(np.maximum(missing, 0.0), blend) / 2.0)[:, None] * line
        first, second = first.translated(step), second.translated(-step)
    return first, second


def join_hands(
    figures: tuple[PosedHumanoid, PosedHumanoid], bodies: tuple[Humanoid, Humanoid], found: list[HandHold]
) -> tuple[PosedHumanoid, PosedHumanoid]:
    """The two dancers with their held hands as far from each other as in the source; both arms give way alike."""
    hands = [[figure.positions[:, _joint("wrist", side)].copy() for side in range(2)] for figure in figures]
    for _ in range(_ROUNDS):
        for hold in found:
            one, other = hands[0][hold.sides[0]], hands[1][hold.sides[1]]
            step = np.where(hold.held[:, None], (hold.apart - (one - other)) / 2.0, 0.0)
            one += step
            other -= step
        for dancer, (figure, body) in enumerate(zip(figures, bodies, strict=True)):
            for side in range(2):
                hands[dancer][side] = _clamp_to_reach(figure, body, side, hands[dancer][side])
    moved = []
    for dancer, figure in enumerate(figures):
        positions, world = figure.positions.copy(), figure.world_rotations.copy()
        for side in range(2):
            held = np.zeros(len(positions), bool)
            for hold in found:
                if hold.sides[dancer] == side:
                    held |= hold.held
            if held.any():
                _move_wrist(positions, world, side, hands[dancer][side], held, round(_BLEND * figure.fps))
        moved.append(replace(figure, positions=positions, world_rotations=world))
    return moved[0], moved[1]


def _move_wrist(positions: Array, world: Array, side: int, wrist: Array, held: Array, blend: int) -> None:
    """Bring a hand to `wrist` (F, 3) m where it is `held`, in place, and blend around it."""
    chain = (_joint("shoulder", side), _joint("elbow", side), _joint("wrist", side))
    hand = [chain[2], _joint("thumb", side), _joint("middle", side)]
    before = positions[:, chain[2]].copy()
    offset = blend_offsets(wrist - before, true_runs(held), blend)
    moved = np.flatnonzero(np.abs(offset).max(axis=-1) > 0.0)
    limb, turned = positions[moved], world[moved]
    solve_limb(limb, turned, chain, (before + offset)[moved], _BACK)
    limb[:, hand[1:]] += (limb[:, chain[2]] - before[moved])[:, None]
    positions[moved], world[moved] = limb, turned


def _clamp_to_reach(figure: PosedHumanoid, body: Humanoid, side: int, wrist: Array) -> Array:
    """The places nearest to `wrist` (F, 3) m that the arm reaches."""
    shoulder = figure.positions[:, _joint("shoulder", side)]
    upper, lower = _arm(body, side)
    away = wrist - shoulder
    distance = np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-6)
    near, far = 1.02 * abs(upper - lower), _REACH * (upper + lower)
    return np.asarray(shoulder + away * np.clip(distance, near, far) / distance)


def _arm(body: Humanoid, side: int) -> tuple[float, float]:
    """The lengths of the upper arm and the forearm in m."""
    places = body.rest_positions[[_joint(name, side) for name in ("shoulder", "elbow", "wrist")]]
    upper, lower = np.linalg.norm(np.diff(places, axis=0), axis=-1)
    return float(upper), float(lower)


def _joint(name: str, side: int) -> int:
    return INDEX[f"{SIDES[side]}_{name}"]


def _between(first: PosedHumanoid, second: PosedHumanoid) -> Array:
    """From the one dancer's pelvis to the other's along the floor, (F, 3) m."""
    return _level(second.positions[:, 0] - first.positions[:, 0])


def _level(vectors: Array) -> Array:
    return vectors * np.array([1.0, 1.0, 0.0])
