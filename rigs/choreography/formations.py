"""Formations: where a partner stands and faces beside a leader, and how one goes around the other step by step."""

from typing import Literal

import numpy as np

from rigs import Array, rotations
from rigs.choreography.stepping import foot_poses, place_feet
from rigs.contacts import PLANTED_SPEED, foot_contacts
from rigs.easing import minimum_jerk
from rigs.motion import Motion, rotate_about_z, translate
from rigs.smoothing import debounced_runs, hann_average

Formation = Literal["facing", "side-by-side", "behind", "orbiting"]
"""Seen from the leader: in front and turned to him, at his right, at his back, or in front and on around him."""
FORMATIONS: tuple[Formation, ...] = ("facing", "side-by-side", "behind", "orbiting")
COLLISION_DISTANCE = 0.25
"""m between two pelvises under which bodies pass through each other."""

_PLACES = {
    # towards where from the leader (x to the left, y to the back), and turned by how much
    "facing": ((0.0, -1.0), np.pi),
    "side-by-side": ((-1.0, 0.0), 0.0),
    "behind": ((0.0, 1.0), 0.0),
    "orbiting": ((0.0, -1.0), np.pi),
}
_SPEED, _NARROWEST = 0.25, 1.0
"""m/s along the orbit, and the radius in m under which it turns no faster: at 1.5 m a full turn takes 38 s."""
_STEP = 0.25
"""m by which a foot may stand further along the orbit than the other one."""
_SHORTEST = 0.1
"""s that a foot rests at least, and that it steps at least."""
_GLIDE = 0.3
"""s over which the body follows its feet."""


def place_in_formation(partner: Motion, leader: Motion, formation: Formation, distance: float) -> Motion:
    """The partner, placed and turned as a whole so that in frame 0 it is in formation, `distance` m from the leader.

    Places and directions are the pelvises'. Orbiting, it goes on around the leader's first place as its steps allow.
    """
    (left, back), angle = _PLACES[formation]
    facing, own = (float(rotations.heading(dancer.rotations[0, 0])) for dancer in (leader, partner))
    turned = rotate_about_z(partner, facing + angle - own)
    goal = leader.root[0] + distance * rotations.rotate(rotations.about_z(facing), np.array([left, back, 0.0]))
    placed = translate(turned, (goal - turned.root[0]) * np.array([1.0, 1.0, 0.0]))
    return orbit(placed, leader.root[0]) if formation == "orbiting" else placed


def orbit(motion: Motion, centre: Array) -> Motion:
    """The motion, carried around `centre` (3,) m: a foot goes along only while it steps, the body with the feet."""
    radius = np.maximum(np.linalg.norm((motion.root - centre)[:, :2], axis=-1), _NARROWEST)
    goal = np.cumsum(_SPEED / radius) / motion.fps
    resting = foot_contacts(motion.positions, motion.fps, speed=PLANTED_SPEED)[:, [1, 3]]
    feet = _foot_angles(resting, goal, motion.fps, _STEP / radius)
    reach = round(_GLIDE * motion.fps)
    body = hann_average(feet.mean(axis=1), reach)
    ankles, turned = foot_poses(motion)
    spun = rotations.about_z(feet)
    ankles = centre + rotations.rotate(spun, ankles - centre)
    turned = rotations.multiply(spun[:, :, None], turned)
    whole = motion.rotations.copy()
    whole[:, 0] = rotations.multiply(rotations.about_z(body), whole[:, 0])
    root = centre + rotations.rotate(rotations.about_z(body), motion.root - centre)
    return place_feet(Motion(motion.fps, motion.skeleton, root, whole), ankles, turned)


def nearest_approach(leader: Motion, partner: Motion) -> tuple[float, int]:
    """How near the two pelvises come along the floor, in m, and in which frame, counted from 0."""
    gaps = np.linalg.norm((partner.root - leader.root)[:, :2], axis=-1)
    frame = int(np.argmin(gaps))
    return float(gaps[frame]), frame


def clear_distance(leader: Motion, partner: Motion, distance: float) -> float:
    """The distance in m from which on two dancers, now in a formation at `distance`, never come CLOSE.

    It is that of a formation that does not orbit: a greater distance only moves the partner further the same way.
    """
    gaps = (partner.root - leader.root)[:, :2]
    way = gaps[0] / np.linalg.norm(gaps[0])
    along = gaps @ way
    across = np.sum(gaps**2, axis=-1) - along**2
    missing = np.sqrt(np.maximum(COLLISION_DISTANCE**2 - across, 0.0)) - along
    return distance + max(0.0, float(missing[across < COLLISION_DISTANCE**2].max(initial=0.0)))


def _foot_angles(resting: Array, goal: Array, fps: float, step: Array) -> Array:
    """How far along the orbit (F, 2) radians each foot is: still while it rests, on its way between.

    resting: (F, 2) bool.  goal: (F,) how far the dancer would be.  step: (F,) by how much one foot may be ahead.
    """
    shortest = max(1, round(_SHORTEST * fps))
    runs = [(first, last, side) for side in range(2) for first, last in debounced_runs(resting[:, side], shortest)]
    stands: list[list[tuple[int, int, float]]] = [[], []]
    ahead = [0.0, 0.0]
    for first, last, side in sorted(runs):
        middle = (first + last) // 2
        reached = min(float(goal[middle]), ahead[1 - side] + float(step[middle]))
        ahead[side] = max(ahead[side], reached) if stands[side] else 0.0
        stands[side].append((first, last, ahead[side]))
    angles = np.zeros((len(goal), 2))
    frames = np.arange(len(goal))
    for side in range(2):
        for (_, left, here), (landed, _, there) in zip(stands[side], stands[side][1:], strict=False):
            angles[:, side] += (there - here) * minimum_jerk(frames, left - 1, landed)
    return angles
