"""Retargeting metrics from joint positions of source and target: limb directions, foot skating, hand holds.

Positions are dictionaries of joint to (F, 3) m in world space, Z up, the floor at z = 0, both for the same frames.
"""

from collections.abc import Mapping

import numpy as np

Array = np.ndarray
Positions = Mapping[str, Array]

SIDES = ("left", "right")
LIMBS = {
    "upper arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
    "thigh": ("hip", "knee"),
    "shin": ("knee", "ankle"),
}
ENDS = {"foot": ("ankle", "foot"), "hand": ("wrist", "thumb")}
"""Segments that differ by more than length between bodies: the foot at rest slopes as the shoe does."""
PLANTED = ("left_ankle", "left_foot", "right_ankle", "right_foot")
"""The joints of `rigs.contacts.foot_contacts`, in its order."""
HOLD_DISTANCE, HOLD_SECONDS = 0.15, 0.2
"""Two wrists this near (m) for this long (s) are a hand hold."""


def direction_errors(source: Positions, target: Positions, segments: Mapping[str, tuple[str, str]] = LIMBS) -> Array:
    """The angles in degrees (S, F) between each segment's direction on source and target, on both sides.

    Segments that the target lacks are left out.
    """
    pairs = [(f"{side}_{a}", f"{side}_{b}") for a, b in segments.values() for side in SIDES]
    return np.array([direction_error(source, target, a, b) for a, b in pairs if a in target and b in target])


def trunk_error(source: Positions, target: Positions) -> Array:
    """The angle in degrees (1, F) between the directions from pelvis to neck."""
    return direction_error(source, target, "pelvis", "neck")[None]


def direction_error(source: Positions, target: Positions, start: str, end: str) -> Array:
    """The angle in degrees (F,) between the directions from one joint to another on source and target."""
    u, v = (places[end] - places[start] for places in (source, target))
    across = np.linalg.norm(np.cross(u, v), axis=-1)
    return np.degrees(np.arctan2(across, np.sum(u * v, axis=-1)))


def leg_length(places: Positions) -> float:
    """Length of thigh and shin in m, the mean of both sides."""
    lengths = [
        np.linalg.norm(places[f"{side}_{b}"] - places[f"{side}_{a}"], axis=-1).mean()
        for side in SIDES
        for a, b in (LIMBS["thigh"], LIMBS["shin"])
    ]
    return float(sum(lengths) / 2.0)


def foot_skating(places: Positions, planted: Array, fps: float) -> float:
    """Foot skating: path of planted ankles and balls along the floor, in cm per second of contact.

    planted: (F, 4) bool for the joints of `PLANTED`. Steps count between two planted frames. A joint may be missing.
    0 without any contact.
    """
    distance = seconds = 0.0
    for j, joint in enumerate(PLANTED):
        if joint not in places:
            continue
        steps = np.linalg.norm(np.diff(places[joint][:, :2], axis=0), axis=-1)
        rests = planted[1:, j] & planted[:-1, j]
        distance += 100.0 * float(steps[rests].sum())
        seconds += float(rests.sum()) / fps
    return distance / seconds if seconds else 0.0


def sole_penetration(soles: Array) -> float:
    """The depth in cm of the lowest of points (F, S, 3) m below the floor; 0 if none is below it."""
    return 100.0 * max(0.0, -float(soles[..., 2].min()))


def hold_frames(
    first: Array, second: Array, fps: float, *, near: float = HOLD_DISTANCE, held: float = HOLD_SECONDS
) -> Array:
    """The frames (F,) bool in which two wrists (F, 3) m are nearer than `near` m, for `held` s or longer."""
    close = np.linalg.norm(second - first, axis=-1) < near
    edges = np.flatnonzero(np.diff(np.concatenate([[False], close, [False]]).astype(int)))
    long = np.zeros_like(close)
    for start, end in edges.reshape(-1, 2):
        long[start:end] = end - start >= held * fps
    return long


def hold_errors(source: tuple[Positions, Positions], target: tuple[Positions, Positions], fps: float) -> Array:
    """Error in cm of the distance of two wrists that hold in the source: one number per hold and frame.

    source, target: leader's and partner's positions. All four pairs of hands count.
    """
    errors = [np.empty(0)]
    for ours in SIDES:
        for theirs in SIDES:
            wanted, found = ((pair[0][f"{ours}_wrist"], pair[1][f"{theirs}_wrist"]) for pair in (source, target))
            apart = np.linalg.norm(found[1] - found[0], axis=-1) - np.linalg.norm(wanted[1] - wanted[0], axis=-1)
            errors.append(100.0 * np.abs(apart[hold_frames(*wanted, fps)]))
    return np.concatenate(errors)
