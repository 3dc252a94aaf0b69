"""Procedural sample dance: twenty seconds of a salsa leader from tables of dance figures, without a mocap file.

The tables have the steps of the feet and the poses of the hands; `rigs.sample_dance.footwork` makes paths of them and
`rigs.sample_dance.body_motion` adds the body.
"""

from dataclasses import dataclass
from math import remainder

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.easing import minimum_jerk_path
from rigs.motion import Motion
from rigs.sample_dance import body_motion
from rigs.sample_dance.footwork import SIDES, Step, body_heading, foot_path, weight_shift
from rigs.skeleton import DEFAULT_SKELETON

FPS = 30.0
FRAMES = 600
BEAT = 1.0 / 3.0
"""Seconds; 180 beats a minute."""
FIRST_BAR = 2
"""Beats before count 1 of the first figure after the preparation."""
SEED = 20
PLACE_NOISE, TURN_NOISE, TIME_NOISE, HAND_NOISE = 0.010, np.radians(2.0), 0.006, 0.012
"""Standard deviations of steps and hands from the tables: m, radians, s, m."""


@dataclass(frozen=True)
class DanceFigure:
    """Dance figure of eight counts, relative to the dancer's position and heading at its beginning.

    steps: count, foot, m to the left, m forward, degrees of turn of the body to the left.
    hands: count, left pose, right pose.  end: m to the left, m forward, degrees, at which the next figure begins.
    """

    steps: tuple[tuple[float, str, float, float, float], ...]
    hands: tuple[tuple[float, str, str], ...]
    end: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class PlacedFigure:
    """A figure in the dance: the beat of its count 0, and the dancer's position (2,) m and heading in degrees."""

    figure: DanceFigure
    beat: float
    place: Array
    turn: float

    def time(self, count: float) -> float:
        """Time of a count in s."""
        return (self.beat + count) * BEAT

    def point(self, left: float, forward: float) -> Array:
        """Point (2,) m on the floor in world space."""
        offset = rotations.rotate(rotations.about_z(np.radians(self.turn)), np.array([left, -forward, 0.0]))
        return self.place + offset[:2]


READY = DanceFigure(
    steps=((1, "R", -0.08, 0.0, 0), (3, "L", 0.08, 0.0, 0), (8, "R", -0.09, 0.01, 0)),
    hands=((1, "frame", "back"),),
)
BASIC = DanceFigure(
    steps=(
        (1, "L", 0.09, 0.29, -3), (2, "R", -0.09, -0.01, 0), (3, "L", 0.08, -0.04, 0),
        (5, "R", -0.09, -0.30, -4), (6, "L", 0.09, 0.00, 0), (7, "R", -0.08, 0.02, 0),
    ),
    hands=((1.2, "near", "nearback"), (3.2, "frame", "back"), (5.2, "far", "farback"), (7.4, "frame", "back")),
)  # fmt: skip
SIDE_BASIC = DanceFigure(
    steps=(
        (1, "L", 0.41, 0.02, 8), (2, "R", -0.10, 0.01, 0), (3, "L", 0.08, 0.00, 0),
        (5, "R", -0.41, 0.00, -8), (6, "L", 0.10, 0.01, 0), (7, "R", -0.08, 0.00, 0),
    ),
    hands=((1.2, "wide", "back"), (3.2, "frame", "nearback"), (5.2, "near", "farback"), (7.4, "frame", "back")),
)  # fmt: skip
PARTNER_TURN = DanceFigure(
    steps=(
        (1, "L", 0.08, 0.30, 0), (2, "R", -0.10, 0.00, 4), (3, "L", 0.12, -0.06, 10),
        (5, "R", -0.14, -0.26, 6), (6, "L", 0.10, 0.00, -4), (7, "R", -0.08, 0.02, 0),
    ),
    hands=((1.2, "near", "back"), (2.8, "low", "back"), (4.5, "lift", "free"), (5.6, "lift", "swung"),
           (7.0, "lift", "free"), (8.2, "frame", "back")),
)  # fmt: skip
CROSS_BODY = DanceFigure(
    steps=(
        (1, "L", 0.08, 0.30, 0), (2, "R", -0.12, 0.03, 35), (3, "L", -0.08, -0.19, 85),
        (5, "R", -0.15, 0.16, 100), (6, "L", 0.05, -0.21, 150), (7, "R", 0.22, -0.20, 180),
    ),
    hands=((1.2, "near", "nearback"), (3, "lead", "farback"), (4.6, "low", "back"), (6, "lead", "free"),
           (7.6, "frame", "back")),
    end=(0.135, -0.20, 180.0),
)  # fmt: skip
BREAK_AND_RIGHT_TURN = DanceFigure(
    steps=(
        (1, "L", 0.10, -0.30, 6), (2, "R", -0.09, 0.00, 0), (3, "L", 0.07, 0.04, 12),
        (5, "R", -0.15, -0.06, -110), (6, "L", -0.29, -0.10, -235), (7, "R", -0.45, 0.01, -360),
    ),
    hands=((1, "open", "open"), (2.4, "open", "open"), (3.8, "near", "free"), (5, "tuck", "tuck"),
           (6.8, "tuck", "tuck"), (8, "frame", "back")),
    end=(-0.37, -0.02, -360.0),
)  # fmt: skip
LEFT_TURN_AND_BACK = DanceFigure(
    steps=(
        (1, "L", 0.15, -0.06, 110), (2, "R", 0.29, -0.10, 235), (3, "L", 0.45, 0.01, 360),
        (5, "R", 0.28, -0.28, 356), (6, "L", 0.46, 0.00, 360), (7, "R", 0.29, 0.02, 360),
    ),
    hands=((0.2, "lead", "free"), (1.2, "tuck", "tuck"), (2.8, "tuck", "tuck"), (4.0, "frame", "free"),
           (5.4, "far", "farback"), (7.4, "frame", "back")),
    end=(0.37, 0.02, 360.0),
)  # fmt: skip
CLOSE = DanceFigure(steps=((1, "L", 0.36, 0.04, 12),), hands=((0.8, "frame", "free"), (1.9, "near", "flare")))

DANCE = (
    READY, BASIC, SIDE_BASIC, PARTNER_TURN, CROSS_BODY, BREAK_AND_RIGHT_TURN, CROSS_BODY, LEFT_TURN_AND_BACK, CLOSE,
)  # fmt: skip

HANDS = {
    # outward, forward and up in m from between the shoulders
    "frame": (0.28, 0.31, -0.16),
    "near": (0.30, 0.25, -0.14),
    "far": (0.25, 0.38, -0.20),
    "wide": (0.42, 0.22, -0.12),
    "back": (0.13, 0.34, -0.17),
    "nearback": (0.17, 0.28, -0.19),
    "farback": (0.12, 0.40, -0.16),
    "lead": (0.38, 0.25, -0.20),
    "low": (0.30, 0.28, -0.30),
    "lift": (0.15, 0.26, 0.29),
    "free": (0.27, 0.13, -0.30),
    "swung": (0.34, -0.02, -0.36),
    "open": (0.19, 0.38, -0.26),
    "tuck": (0.07, 0.23, -0.24),
    "flare": (0.53, 0.12, 0.02),
}


def sample_dance() -> Motion:
    """Twenty seconds of salsa on one at 180 beats a minute, from the origin, facing -Y; always the same."""
    rng = np.random.default_rng(SEED)
    t = np.arange(FRAMES) / FPS
    dance = placed_figures()
    steps = perturbed_steps(dance, rng)
    timing = body_motion.StepTiming(t, steps, body_heading(t, steps), rng.uniform(0.85, 1.15, len(steps)))

    world = rotations.identity(FRAMES, len(DEFAULT_SKELETON.offsets))
    root = body_motion.pelvis(world, timing)
    body_motion.trunk(world, timing)
    body_motion.head(world, timing, partner_heading(t, dance), rng)
    for side, name in enumerate(("left", "right")):
        load = (1.0 + SIDES[side] * weight_shift(t, steps)) / 2.0
        body_motion.leg(world, root, name, foot_path(t, steps, side, rng), load, timing.heading)
        body_motion.arm(world, root, name, hand_path(timing, dance, side, rng), t, rng)
    return Motion(FPS, DEFAULT_SKELETON, root, rotations.unroll(kinematics.local_rotations(world)))


def placed_figures() -> list[PlacedFigure]:
    """Figures of the dance, each placed where the one before it ends."""
    figures, start = [], PlacedFigure(DANCE[0], FIRST_BAR - 9.0, np.zeros(2), 0.0)
    for figure in DANCE:
        start = PlacedFigure(figure, start.beat, start.place, start.turn)
        figures.append(start)
        left, forward, turn = figure.end
        start = PlacedFigure(figure, start.beat + 8.0, start.point(left, forward), start.turn + turn)
    return figures


def perturbed_steps(dance: list[PlacedFigure], rng: np.random.Generator) -> list[Step]:
    """All steps in world space, with random deviations like a person's."""
    steps = []
    for placed in dance:
        for count, foot, left, forward, degrees in placed.figure.steps:
            place = placed.point(left, forward) + rng.normal(0.0, PLACE_NOISE, 2)
            turn = np.radians(placed.turn + degrees) + rng.normal(0.0, TURN_NOISE)
            steps.append(Step(placed.time(count) + rng.normal(0.0, TIME_NOISE), "LR".index(foot), place, turn))
    return steps


def partner_heading(t: Array, dance: list[PlacedFigure]) -> Array:
    """Heading (T,) in radians towards the partner, who crosses over in time and waits while the dancer spins."""
    turns = np.cumsum([0.0] + [remainder(placed.figure.end[2], 360.0) for placed in dance[:-1]])
    return minimum_jerk_path(t, [placed.time(1.0) for placed in dance], np.radians(turns), 1.4, -0.4)


def hand_path(timing: body_motion.StepTiming, dance: list[PlacedFigure], side: int, rng: np.random.Generator) -> Array:
    """Path (T, 3) m of one hand from between the shoulders, in the chest's frame."""
    keys = [(placed.time(key[0]), HANDS[key[1:][side]]) for placed in dance for key in placed.figure.hands]
    poses = rng.normal([pose for _, pose in keys], HAND_NOISE)
    outward, forward, up = minimum_jerk_path(timing.t, [time for time, _ in keys], poses, 0.30, 0.30).T
    forward = forward - 0.025 * SIDES[side] * timing.hip_shift(0.22)
    up = up + 0.015 * SIDES[side] * timing.hip_shift(0.18)
    noise = [body_motion.slow_noise(timing.t, rng, 0.01) for _ in range(3)]
    return np.stack([SIDES[side] * outward, -forward, up], axis=-1) + np.stack(noise, axis=-1)
