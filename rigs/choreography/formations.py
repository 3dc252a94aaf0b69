"""Formations: placing a partner beside a leader, facing, side by side, behind, or orbiting with its steps."""

from itertools import pairwise
from typing import Literal

import numpy as np

from rigs import Array, rotations
from rigs.choreography.foot_placement import foot_poses, place_feet
from rigs.contacts import PLANTED_SPEED, foot_contacts
from rigs.easing import minimum_jerk
from rigs.motion import Motion, rotate_about_z, translate
from rigs.smoothing import debounced_runs, hann_average

Formation = Literal["facing", "side-by-side", "behind", "orbiting"]
"""Relative to the leader: in front and facing, at the right, behind, or in front and moving around."""
FORMATIONS: tuple[Formation, ...] = ("facing", "side-by-side", "behind", "orbiting")
COLLISION_DISTANCE = 0.25
"""m between two pelvises under which bodies collide."""

_PLACEMENTS = {
    # unit offset from the leader (x to the left, y to the back), and relative heading
    "facing": ((0.0, -1.0), np.pi),
    "side-by-side": ((-1.0, 0.0), 0.0),
    "behind": ((0.0, 1.0), 0.0),
    "orbiting": ((0.0, -1.0), np.pi),
}
_SPEED, _MIN_RADIUS = 0.25, 1.0
"""m/s along the orbit, and the radius in m under which it does not turn faster: at 1.5 m a full turn takes 38 s."""
_STEP = 0.25
"""m along the orbit by which one foot may be ahead of the other."""
_SHORTEST = 0.1
"""s of the shortest contact of a foot, and of the shortest step."""
_BODY_TIME = 0.3
"""s to either side over which the body averages the angles of its feet."""


def place_in_formation(partner: Motion, leader: Motion, formation: Formation, distance: float) -> Motion:
    """Place a partner as a whole so that in frame 0 it is in formation, `distance` m from the leader.

    Positions and headings are the pelvises'. An orbiting partner moves on around the leader's first position.
    """
    (left, back), angle = _PLACEMENTS[formation]
    heading = float(rotations.heading(leader.rotations[0, 0]))
    target = leader.root[0] + distance * rotations.rotate(rotations.about_z(heading), np.array([left, back, 0.0]))
    in_formation = move_to(partner, target, heading + angle)
    return orbit(in_formation, leader.root[0]) if formation == "orbiting" else in_formation


def move_to(motion: Motion, position: Array, heading: float) -> Motion:
    """Translate a motion along the floor and rotate it so that it begins at `position` (3,) m and `heading` radians."""
    rotated = rotate_about_z(motion, heading - float(rotations.heading(motion.rotations[0, 0])))
    return translate(rotated, (position - rotated.root[0]) * np.array([1.0, 1.0, 0.0]))


def orbit(motion: Motion, centre: Array) -> Motion:
    """Move a motion around `centre` (3,) m without foot skating: feet advance only while stepping, the body follows."""
    radius = np.maximum(np.linalg.norm((motion.root - centre)[:, :2], axis=-1), _MIN_RADIUS)
    target = np.cumsum(_SPEED / radius) / motion.fps
    contacts = foot_contacts(motion.positions, motion.fps, speed=PLANTED_SPEED)[:, [1, 3]]
    foot_angles = _foot_angles(contacts, target, motion.fps, _STEP / radius)
    reach = round(_BODY_TIME * motion.fps)
    body_angle = hann_average(foot_angles.mean(axis=1), reach)
    foot_turns, body_turn = rotations.about_z(foot_angles), rotations.about_z(body_angle)
    ankles, feet = foot_poses(motion)
    ankles = centre + rotations.rotate(foot_turns, ankles - centre)
    feet = rotations.multiply(foot_turns[:, :, None], feet)
    local = motion.rotations.copy()
    local[:, 0] = rotations.multiply(body_turn, local[:, 0])
    root = centre + rotations.rotate(body_turn, motion.root - centre)
    return place_feet(Motion(motion.fps, motion.skeleton, root, local), ankles, feet)


def nearest_approach(leader: Motion, partner: Motion) -> tuple[float, int]:
    """Smallest distance in m between the pelvises along the floor, and its frame, counted from 0."""
    gaps = np.linalg.norm((partner.root - leader.root)[:, :2], axis=-1)
    frame = int(np.argmin(gaps))
    return float(gaps[frame]), frame


def clear_distance(leader: Motion, partner: Motion, distance: float) -> float:
    """Distance in m of a formation, now `distance` m, from which the dancers never collide.

    For formations that do not orbit, where a greater distance only moves the partner further in the same direction.
    """
    gaps = (partner.root - leader.root)[:, :2]
    along = gaps @ (gaps[0] / np.linalg.norm(gaps[0]))
    across = np.sum(gaps**2, axis=-1) - along**2
    missing = np.sqrt(np.maximum(COLLISION_DISTANCE**2 - across, 0.0)) - along
    return distance + max(0.0, float(missing[across < COLLISION_DISTANCE**2].max(initial=0.0)))


def _foot_angles(contacts: Array, target: Array, fps: float, step: Array) -> Array:
    """Angles (F, 2) in radians of the feet along the orbit: constant in contact, minimum-jerk moves between.

    contacts: (F, 2) bool.  target: (F,) radians, the dancer's angle.  step: (F,) radians, by which a foot may be ahead.
    """
    shortest = max(1, round(_SHORTEST * fps))
    runs = [(first, last, side) for side in range(2) for first, last in debounced_runs(contacts[:, side], shortest)]
    stances: list[list[tuple[int, int, float]]] = [[], []]
    ahead = [0.0, 0.0]
    for first, last, side in sorted(runs):
        middle = (first + last) // 2
        reached = min(float(target[middle]), ahead[1 - side] + float(step[middle]))
        ahead[side] = max(ahead[side], reached) if stances[side] else 0.0
        stances[side].append((first, last, ahead[side]))
    angles = np.zeros((len(target), 2))
    frames = np.arange(len(target))
    for side in range(2):
        for (_, lift, start), (land, _, end) in pairwise(stances[side]):
            angles[:, side] += (end - start) * minimum_jerk(frames, lift - 1, land)
    return angles
