"""How well one dancer's movement was carried over to another body, told from where both were seen: numpy alone.

Places come as a dictionary of joint to (F, 3) m in the world, Z up, the floor at z = 0; F counts the same frames for
both bodies.
"""

from collections.abc import Mapping

import numpy as np

Array = np.ndarray
Places = Mapping[str, Array]

SIDES = ("left", "right")
LIMBS = {
    "upper arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
    "thigh": ("hip", "knee"),
    "shin": ("knee", "ankle"),
}
ENDS = {"foot": ("ankle", "foot"), "hand": ("wrist", "thumb")}
"""Where bodies differ by more than length: the foot in rest slopes as the shoe does."""
PLANTED = ("left_ankle", "left_foot", "right_ankle", "right_foot")
"""The order in which `rigs.contacts.foot_contacts` tells what is planted."""
NEAR, HELD = 0.15, 0.2
"""Two wrists this near (m) for this long (s) are hands that hold."""


def turned_away(source: Places, target: Places, segments: Mapping[str, tuple[str, str]] = LIMBS) -> Array:
    """The angles in degrees (S, F) between each segment's direction on the source and on the target, both sides.

    A segment of which the target has no end is left out.
    """
    pairs = [(f"{side}_{a}", f"{side}_{b}") for a, b in segments.values() for side in SIDES]
    return np.array([angle(source, target, a, b) for a, b in pairs if a in target and b in target])


def trunk(source: Places, target: Places) -> Array:
    """The angle in degrees (1, F) between the directions from pelvis to neck."""
    return angle(source, target, "pelvis", "neck")[None]


def angle(source: Places, target: Places, start: str, end: str) -> Array:
    """The angle in degrees (F,) between the directions from one joint to another on source and target."""
    u, v = (places[end] - places[start] for places in (source, target))
    across = np.linalg.norm(np.cross(u, v), axis=-1)
    return np.degrees(np.arctan2(across, np.sum(u * v, axis=-1)))


def leg_length(places: Places) -> float:
    """From hip over knee to ankle in m, both legs' mean."""
    lengths = [
        np.linalg.norm(places[f"{side}_{b}"] - places[f"{side}_{a}"], axis=-1).mean()
        for side in SIDES
        for a, b in (LIMBS["thigh"], LIMBS["shin"])
    ]
    return float(sum(lengths) / 2.0)


def slide(places: Places, planted: Array, fps: float) -> float:
    """How far planted ankles and balls creep along the floor, in cm for each second that one of them is planted.

    planted: (F, 4) bool for the joints of `PLANTED`. The way from a frame to the next counts where both are planted.
    A place may be missing. 0 where nothing is ever planted.
    """
    way = seconds = 0.0
    for j, joint in enumerate(PLANTED):
        if joint not in places:
            continue
        steps = np.linalg.norm(np.diff(places[joint][:, :2], axis=0), axis=-1)
        rests = planted[1:, j] & planted[:-1, j]
        way += 100.0 * float(steps[rests].sum())
        seconds += float(rests.sum()) / fps
    return way / seconds if seconds else 0.0


def sunk(soles: Array) -> float:
    """The deepest place in cm of points (F, S, 3) m below the floor; 0 where all stay above it."""
    return 100.0 * max(0.0, -float(soles[..., 2].min()))


def holds(first: Array, second: Array, fps: float, *, near: float = NEAR, held: float = HELD) -> Array:
    """The frames (F,) bool in which two wrists (F, 3) m are nearer than `near` m, for `held` s or longer."""
    close = np.linalg.norm(second - first, axis=-1) < near
    edges = np.flatnonzero(np.diff(np.concatenate([[False], close, [False]]).astype(int)))
    long = np.zeros_like(close)
    for start, end in edges.reshape(-1, 2):
        long[start:end] = end - start >= held * fps
    return long


def hold_errors(source: tuple[Places, Places], target: tuple[Places, Places], fps: float) -> Array:
    """How far (cm) two wrists that hold in the source are from being as near on the target: one number a held frame.

    source, target: leader's and partner's places. All four pairs of hands count.
    """
    errors = [np.empty(0)]
    for ours in SIDES:
        for theirs in SIDES:
            wanted, found = ((pair[0][f"{ours}_wrist"], pair[1][f"{theirs}_wrist"]) for pair in (source, target))
            apart = np.linalg.norm(found[1] - found[0], axis=-1) - np.linalg.norm(wanted[1] - wanted[0], axis=-1)
            errors.append(100.0 * np.abs(apart[holds(*wanted, fps)]))
    return np.concatenate(errors)
