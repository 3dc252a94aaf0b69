"""Footwork: paths of feet, pelvis and body weight from a list of steps, as sums of minimum-jerk moves.

Position, velocity and acceleration are continuous, and a planted foot does not move at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rigs import Array
from rigs.easing import bump, minimum_jerk, minimum_jerk_path

LEFT, RIGHT = 0, 1
SIDES: Array = np.array([1.0, -1.0])
"""Sign of the left and of the right side along x."""

LONG_SWING = 0.36  # s of a step without hurry
DOUBLE_SUPPORT = 0.065  # s from one foot's landing to the other foot's start
CLEARANCE = 0.032  # m under the ball of a swinging foot
TURNOUT = np.radians(7.0)
FOOT_DISTANCE = 0.15  # m that a swinging foot keeps from the supporting one
PIVOT_FROM = np.radians(28.0)  # turn of the hip from which the foot pivots
PIVOT_SHARE = 0.85  # part of that turn by which the foot follows
PELVIS_SHARE = 0.68  # part of the way to the new foot that the pelvis moves
HEEL_TO_CENTRE = 0.05  # m from the ball of the foot back to where the weight rests


@dataclass(frozen=True)
class Step:
    """A step, which changes the weight to a foot.

    time: s at which the foot lands.  foot: LEFT or RIGHT.  place: (2,) m, the ball of the foot on the floor.
    turn: radians, heading of the body after the step, continuous through full turns.
    """

    time: float
    foot: int
    place: Array
    turn: float


@dataclass(frozen=True)
class FootPath:
    """Path of one foot at T times.

    ball: (T, 3) m, its height above the resting height.  heading: (T,) radians.
    flight: (T,) 0 on the floor, 1 in the middle of a swing.  pivot: (T,) likewise for turns on the ball.
    """

    ball: Array
    heading: Array
    flight: Array
    pivot: Array


def body_heading(t: Array, steps: Sequence[Step]) -> Array:
    """Heading of the body (T,) in radians, continuous through a turn of several steps."""
    return minimum_jerk_path(t, [s.time for s in steps], np.array([s.turn for s in steps]), 0.28, 0.30)


def weight_shift(t: Array, steps: Sequence[Step], lag: float = 0.0) -> Array:
    """Distribution of the weight (T,): 1 on the left foot, -1 on the right one."""
    return minimum_jerk_path(t, [s.time + lag for s in steps], SIDES[[s.foot for s in steps]], 0.10, 0.20)


def pelvis_path(t: Array, steps: Sequence[Step], lead: float = 0.23, lag: float = 0.26) -> Array:
    """Path of the pelvis along the floor (T, 2) m, most of the way to each new supporting foot."""
    supports = [_support_point(step) for step in steps]
    points = [supports[0]]
    for k in range(1, len(steps)):
        other = next((supports[i] for i in range(k - 1, -1, -1) if steps[i].foot != steps[k].foot), supports[k])
        points.append(PELVIS_SHARE * supports[k] + (1.0 - PELVIS_SHARE) * other)
    points[0] = points[1] if len(points) > 1 else points[0]
    return minimum_jerk_path(t, [s.time for s in steps], np.array(points), lead, lag)


def foot_path(t: Array, steps: Sequence[Step], foot: int, rng: np.random.Generator) -> FootPath:
    """Path of one foot through all steps; the first step of each foot is where it stands at the beginning."""
    own = [k for k, step in enumerate(steps) if step.foot == foot]
    toes_out = SIDES[foot] * TURNOUT
    landed = toes_out + body_heading(np.array([step.time + 0.02 for step in steps]), steps)
    ball, heading = np.zeros((len(t), 3)), np.full(len(t), landed[own[0]])
    ball[:, :2] = steps[own[0]].place
    flight, pivot = np.zeros(len(t)), np.zeros(len(t))
    current = landed[own[0]]
    for before, k in pairwise(own):
        land = steps[k].time
        lift = max(land - LONG_SWING, steps[k - 1].time + DOUBLE_SUPPORT)
        behind, start, end = _heading_lag(current - toes_out, steps[before].time + 0.02, lift, steps)
        if abs(behind) > PIVOT_FROM:
            heading += PIVOT_SHARE * behind * minimum_jerk(t, start, end)
            pivot += bump(t, start, end)
            current += PIVOT_SHARE * behind
        origin, target = steps[before].place, steps[k].place
        start, end = lift + 0.06 * (land - lift), land - 0.06 * (land - lift)
        progress, swing = minimum_jerk(t, start, end), bump(t, lift, land)
        detour = _sidestep(origin, target, steps[k - 1].place)
        ball[:, :2] += np.outer(progress, target - origin) + np.outer(bump(t, start, end), detour)
        ball[:, 2] += CLEARANCE * rng.uniform(0.8, 1.25) * swing
        heading += (landed[k] - current) * progress
        current = landed[k]
        flight += swing
    return FootPath(ball, heading, flight, pivot)


def _heading_lag(foot_heading: float, start: float, end: float, steps: Sequence[Step]) -> tuple[float, float, float]:
    """Angle in radians by which the body turns away from a foot planted from `start` to `end` s, and when in s."""
    t = np.linspace(start, end, 64)
    body = body_heading(t, steps)
    progress = (body - body[0]) / (body[-1] - body[0] or 1.0)
    first, last = np.argmax(progress > 0.02), np.argmax(progress > 0.98)
    return float(body[-1] - foot_heading), float(t[first]), max(float(t[last]), float(t[first]) + 0.2)


def _support_point(step: Step) -> Array:
    """Point (2,) m on the floor under the body's weight on this foot."""
    return step.place - HEEL_TO_CENTRE * np.array([np.sin(step.turn), -np.cos(step.turn)])


def _sidestep(origin: Array, target: Array, supporting: Array) -> Array:
    """Sideways offset (2,) m in the middle of a swing with which the foot passes the supporting one."""
    step = target - origin
    s = float(np.clip(np.dot(supporting - origin, step) / max(np.dot(step, step), 1e-9), 0.0, 1.0))
    away = origin + s * step - supporting
    distance = float(np.linalg.norm(away))
    if distance >= FOOT_DISTANCE or not 0.05 < s < 0.95:
        return np.zeros(2)
    if distance < 1e-3:
        away = np.array([-step[1], step[0]])
    return away / np.linalg.norm(away) * (FOOT_DISTANCE - distance)
