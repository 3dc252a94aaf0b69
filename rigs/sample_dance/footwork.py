"""Footwork: from a list of steps to where the feet, the weight and the body are at every moment.

Every curve is a sum of overlapping minimum-jerk moves (Flash and Hogan 1985; Flash and Henis 1991), so that position,
velocity and acceleration are continuous and a planted foot is exactly still.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rigs import Array
from rigs.easing import bump, minimum_jerk, minimum_jerk_path

LEFT, RIGHT = 0, 1
SIDES: Array = np.array([1.0, -1.0])
"""The sign of the left and of the right side along x."""

LONG_SWING = 0.36  # s, for a step that has time
SETTLE = 0.065  # s from one foot's landing to the other foot's start
CLEARANCE = 0.032  # m under the ball of a swinging foot
TURNOUT = np.radians(7.0)
ROOM = 0.15  # m that a swinging foot keeps from the standing one
LOOSE = np.radians(28.0)  # how far a hip turns before the foot must pivot under it
PIVOT = 0.85  # the share of the way by which it then follows
CARRY = 0.68  # the share of the way to the new foot that the pelvis goes
HEEL_TO_CENTRE = 0.05  # m from the ball of the foot back to where the weight rests


@dataclass(frozen=True)
class Step:
    """One change of weight.

    time: s at which the foot is down.  foot: LEFT or RIGHT.  place: (2,) m, the ball of the foot on the floor.
    turn: radians, the body's heading that the step leads to, counted on through full turns.
    """

    time: float
    foot: int
    place: Array
    turn: float


@dataclass(frozen=True)
class FootPath:
    """One foot's way, at T moments.

    ball: (T, 3) m, height above its height at rest.  heading: (T,) radians.
    flight: (T,) 0 on the floor, 1 in the middle of a swing.  pivot: (T,) likewise for turns on the ball.
    """

    ball: Array
    heading: Array
    flight: Array
    pivot: Array


def body_heading(t: Array, steps: Sequence[Step]) -> Array:
    """The body's heading (T,) in radians, which flows on through a turn of several steps."""
    return minimum_jerk_path(t, [s.time for s in steps], np.array([s.turn for s in steps]), 0.28, 0.30)


def weight_shift(t: Array, steps: Sequence[Step], lag: float = 0.0) -> Array:
    """Where the weight is (T,): 1 on the left foot, -1 on the right one."""
    return minimum_jerk_path(t, [s.time + lag for s in steps], SIDES[[s.foot for s in steps]], 0.10, 0.20)


def pelvis_path(t: Array, steps: Sequence[Step], lead: float = 0.23, lag: float = 0.26) -> Array:
    """The pelvis above the floor (T, 2) m: most of the way to each new foot, never quite to a foot that comes back."""
    under = [_support_point(step) for step in steps]
    points = [under[0]]
    for k in range(1, len(steps)):
        other = next((under[i] for i in range(k - 1, -1, -1) if steps[i].foot != steps[k].foot), under[k])
        points.append(CARRY * under[k] + (1.0 - CARRY) * other)
    points[0] = points[1] if len(points) > 1 else points[0]
    return minimum_jerk_path(t, [s.time for s in steps], np.array(points), lead, lag)


def foot_path(t: Array, steps: Sequence[Step], foot: int, rng: np.random.Generator) -> FootPath:
    """One foot's way through all the steps; the first step of each foot is where it stands at the beginning."""
    own = [k for k, step in enumerate(steps) if step.foot == foot]
    toes_out = SIDES[foot] * TURNOUT
    landed = toes_out + body_heading(np.array([step.time + 0.02 for step in steps]), steps)
    ball, heading = np.zeros((len(t), 3)), np.full(len(t), landed[own[0]])
    ball[:, :2] = steps[own[0]].place
    flight, pivot = np.zeros(len(t)), np.zeros(len(t))
    points = landed[own[0]]
    for before, k in pairwise(own):
        land = steps[k].time
        lift = max(land - LONG_SWING, steps[k - 1].time + SETTLE)
        behind, start, end = _heading_lag(points - toes_out, steps[before].time + 0.02, lift, steps)
        if abs(behind) > LOOSE:
            heading += PIVOT * behind * minimum_jerk(t, start, end)
            pivot += bump(t, start, end)
            points += PIVOT * behind
        here, there = steps[before].place, steps[k].place
        start, end = lift + 0.06 * (land - lift), land - 0.06 * (land - lift)
        go, swing = minimum_jerk(t, start, end), bump(t, lift, land)
        detour = _sidestep(here, there, steps[k - 1].place)
        ball[:, :2] += np.outer(go, there - here) + np.outer(bump(t, start, end), detour)
        ball[:, 2] += CLEARANCE * rng.uniform(0.8, 1.25) * swing
        heading += (landed[k] - points) * go
        points = landed[k]
        flight += swing
    return FootPath(ball, heading, flight, pivot)


def _heading_lag(points: float, start: float, end: float, steps: Sequence[Step]) -> tuple[float, float, float]:
    """How far the body turns away from a foot that stands from `start` to `end`, and from when to when it does."""
    t = np.linspace(start, end, 64)
    body = body_heading(t, steps)
    done = (body - body[0]) / (body[-1] - body[0] or 1.0)
    first, last = np.argmax(done > 0.02), np.argmax(done > 0.98)
    return float(body[-1] - points), float(t[first]), max(float(t[last]), float(t[first]) + 0.2)


def _support_point(step: Step) -> Array:
    """The point of the floor (2,) over which the body stands on this foot."""
    return step.place - HEEL_TO_CENTRE * np.array([np.sin(step.turn), -np.cos(step.turn)])


def _sidestep(here: Array, there: Array, standing: Array) -> Array:
    """How far aside (2,) the middle of a swing must go so that the foot passes the standing one."""
    way = there - here
    s = float(np.clip(np.dot(standing - here, way) / max(np.dot(way, way), 1e-9), 0.0, 1.0))
    away = here + s * way - standing
    distance = float(np.linalg.norm(away))
    if distance >= ROOM or not 0.05 < s < 0.95:
        return np.zeros(2)
    if distance < 1e-3:
        away = np.array([-way[1], way[0]])
    return away / np.linalg.norm(away) * (ROOM - distance)
