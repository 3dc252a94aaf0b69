"""The body above the feet: hips that settle, a trunk that balances, eyes on the partner, arms that reach.

Each function writes world rotations of its own joints into `world` (T, 29, 4), from the pelvis outwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rigs import Array, kinematics, rotations, two_bone_ik
from rigs.easing import minimum_jerk, minimum_jerk_path
from rigs.sample_dance.footwork import SIDES, FootPath, Step, pelvis_path
from rigs.skeleton import DEFAULT_SKELETON, INDEX

HEIGHT = 0.936  # m of the pelvis; the knees stay soft
BOUNCE, STRIDE_DIP = 0.010, 0.06  # m at every step, and more for each metre between the feet
HIP_SWAY = 0.022  # m beyond the standing foot
HIP_TURN, HIP_TILT, PELVIS_LEAN = np.radians([8.0, 7.0, 3.0])
SHOULDER_TURN, SHOULDER_TILT, CHEST_LEAN = np.radians([10.0, 4.0, 6.5])
LEVER = 0.6  # m; the longer, the less the trunk leans into a change of way
HEEL_DOWN, HEEL_BEHIND, HEEL_FREE, HEEL_SWING, HEEL_PIVOT = np.radians([4.0, 36.0, 36.0, 12.0, 16.0])
PRONATION = np.radians(30.0)
CURL = np.radians(8.0)  # of the wrist; the fingers' is three times that
SPOTTING = 0.45  # the head turns at most 2 asin of this away from the body

UP, AHEAD = np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])
ALONG, ASIDE = np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])


@dataclass(frozen=True)
class StepTiming:
    """What the whole body follows.

    t: (T,) s.  heading: (T,) radians.  strength: (K,) about 1, how far the hips settle at each of the steps.
    """

    t: Array
    steps: Sequence[Step]
    heading: Array
    strength: Array

    def hip_shift(self, delay: float) -> Array:
        """How the hips have settled (T,): 1 over the left leg, -1 over the right; a part follows by `delay` s."""
        settled = self.strength * SIDES[[step.foot for step in self.steps]]
        return minimum_jerk_path(self.t - delay, [step.time for step in self.steps], settled, 0.12, 0.22)

    def sway(self) -> Array:
        """How far the hips go out over the standing leg: (T, 2) m."""
        aside = rotations.rotate(rotations.about_z(self.heading), ASIDE)[:, :2]
        return HIP_SWAY * self.hip_shift(0.10)[:, None] * aside


def pelvis(world: Array, course: StepTiming) -> Array:
    """Tilt and turn the pelvis, each at its own moment, so that the hips draw an eight; returns its place, (T, 3) m."""
    turn, tilt = HIP_TURN * course.hip_shift(0.03), HIP_TILT * course.hip_shift(0.10)
    world[:, INDEX["pelvis"]] = _torso_rotation(course.heading + turn, tilt, PELVIS_LEAN)
    height = HEIGHT - _pelvis_dips(course)
    return np.concatenate([pelvis_path(course.t, course.steps) + course.sway(), height[:, None]], axis=-1)


def trunk(world: Array, course: StepTiming) -> None:
    """Turn the shoulders against the hips, and lean the trunk towards where the body is about to go."""
    t = course.t
    ahead = pelvis_path(t, course.steps, 0.42, 0.44) - pelvis_path(t, course.steps) - course.sway()
    lean = rotations.between(UP, np.concatenate([ahead / LEVER, np.ones((len(t), 1))], axis=-1))
    breath = np.radians(0.8) * np.sin(2.0 * np.pi * 0.45 * t)
    turn, tilt = -SHOULDER_TURN * course.hip_shift(0.14), -SHOULDER_TILT * course.hip_shift(0.16)
    chest = rotations.multiply(lean, _torso_rotation(course.heading + turn, tilt, CHEST_LEAN + breath))
    for k, name in enumerate(("spine1", "spine2", "spine3")):
        world[:, INDEX[name]] = rotations.slerp(world[:, INDEX["pelvis"]], chest, (k + 1) / 3.0)


def head(world: Array, course: StepTiming, partner: Array, rng: np.random.Generator) -> None:
    """Keep the eyes on the partner; past half a turn the head goes round the other way, as dancers spot.

    partner: (T,) radians, the heading that faces the partner.
    """
    t, away = course.t, np.exp(1j * (partner - course.heading))
    look = course.heading + 2.0 * np.angle(1.0 + SPOTTING * away) + drift(t, rng, np.radians(2.5))
    skull = _torso_rotation(look, drift(t, rng, np.radians(1.5)), np.radians(5.0) + drift(t, rng, np.radians(1.5)))
    world[:, INDEX["neck"]] = rotations.slerp(world[:, INDEX["spine3"]], skull, 0.45)
    world[:, [INDEX["jaw"], INDEX["head"]]] = skull[:, None]


def leg(world: Array, root: Array, name: str, foot: FootPath, load: Array, heading: Array) -> None:
    """Stand a foot on its ball, the heel free where no weight is on it, and bend the knee above it.

    root: (T, 3) m, the pelvis.  name: "left" or "right".  load: (T,) the share of the weight on this foot.
    """
    hip, knee, ankle, ball, toe = _joints(name, "hip", "knee", "ankle", "foot", "bigtoe")
    flat = rotations.about_z(foot.heading)
    behind = np.sum((root - foot.ball) * rotations.rotate(flat, AHEAD), axis=-1)
    loaded = HEEL_DOWN + (HEEL_BEHIND - HEEL_DOWN) * minimum_jerk(behind, 0.0, 0.30)
    heel = HEEL_FREE + (loaded - HEEL_FREE) * load + HEEL_SWING * foot.flight + HEEL_PIVOT * foot.pivot
    world[:, ankle] = rotations.multiply(flat, rotations.from_axis_angle(ASIDE, heel))
    toes = rotations.multiply(flat, rotations.from_axis_angle(ASIDE, 0.5 * heel * foot.flight))
    world[:, [ball, toe]] = toes[:, None]
    offsets = DEFAULT_SKELETON.offsets
    ankles = foot.ball - offsets[toe, 2] * UP - rotations.rotate(world[:, ankle], offsets[ball])
    hips = root + rotations.rotate(world[:, INDEX["pelvis"]], offsets[hip])
    forward = rotations.rotate(rotations.about_z((heading + foot.heading) / 2.0), AHEAD)
    _solve_limb(world, hips, ankles, (hip, knee, ankle), forward, ASIDE)


def arm(world: Array, root: Array, name: str, hand: Array, t: Array, rng: np.random.Generator) -> None:
    """Reach with the wrist, the elbow low and outside; the collarbone gives way a little.

    hand: (T, 3) m, the wrist's place from between the shoulders, in the chest's frame.
    """
    collar, shoulder, elbow, wrist, knuckles, tips = _joints(
        name, "collar", "shoulder", "elbow", "wrist", "thumb", "middle"
    )
    offsets, chest = DEFAULT_SKELETON.offsets, INDEX["spine3"]
    side = np.sign(offsets[shoulder, 0])
    reach = hand + (offsets[collar] + offsets[shoulder]) * (0.0, 1.0, 1.0)
    give = rotations.between(side * ASIDE, reach - offsets[collar])
    world[:, collar] = rotations.multiply(world[:, chest], rotations.slerp(rotations.identity(), give, 0.12))
    positions = kinematics.joint_positions(root, world, offsets)
    target = positions[:, chest] + rotations.rotate(world[:, chest], reach)
    pole = rotations.rotate(world[:, chest], np.array([0.35 * side, 0.30, -0.90]))
    _solve_limb(world, positions[:, shoulder], target, (shoulder, elbow, wrist), pole, -side * UP)
    roll = rotations.from_axis_angle(ASIDE, PRONATION + drift(t, rng, np.radians(6.0)))
    world[:, elbow] = rotations.multiply(world[:, elbow], roll)
    for joint, curl in ((wrist, CURL), (knuckles, 3.0 * CURL), (tips, 3.0 * CURL)):
        flex = rotations.from_axis_angle(ALONG, side * (curl + drift(t, rng, np.radians(5.0))))
        world[:, joint] = rotations.multiply(world[:, elbow], flex)


def drift(t: Array, rng: np.random.Generator, size: float) -> Array:
    """A slow wandering (T,) of about `size`, for what a person never holds quite still."""
    pace, phase = rng.uniform(0.15, 0.8, 3), rng.uniform(0.0, 2.0 * np.pi, 3)
    return size * np.mean(np.sin(2.0 * np.pi * pace * t[:, None] + phase), axis=-1)


def _pelvis_dips(course: StepTiming) -> Array:
    """How far the pelvis gives way (T,) m: a little at every step, more where the feet are far apart."""
    standing: dict[int, Array] = {}
    times, dips = [], []
    for step in course.steps:
        standing[step.foot] = step.place
        stride = np.linalg.norm(standing[0] - standing[1]) if len(standing) == 2 else 0.0
        times += [step.time + 0.05, step.time + 0.22]
        dips += [BOUNCE + STRIDE_DIP * stride, 0.5 * STRIDE_DIP * stride]
    return minimum_jerk_path(course.t, times, np.array(dips), 0.10, 0.10)


def _joints(name: str, *parts: str) -> list[int]:
    return [INDEX[f"{name}_{part}"] for part in parts]


def _torso_rotation(heading: Array, tilt: Array, lean: Array | float) -> Array:
    """An upright part of the body (T, 4): its heading, its left side up by `tilt`, forward by `lean`; radians."""
    level = rotations.multiply(rotations.about_z(heading), rotations.from_axis_angle(ALONG, -tilt))
    return rotations.multiply(level, rotations.from_axis_angle(ASIDE, lean))


def _solve_limb(
    world: Array, root: Array, target: Array, joints: tuple[int, int, int], pole: Array, rest_hinge: Array
) -> None:
    """Turn the two bones of a limb so that the last of its three joints comes to `target` (T, 3) m."""
    first, middle, last = joints
    upper, lower = DEFAULT_SKELETON.offsets[middle], DEFAULT_SKELETON.offsets[last]
    lengths = float(np.linalg.norm(upper)), float(np.linalg.norm(lower))
    bend, end = two_bone_ik.two_bone_ik(root, target, lengths, pole)
    hinge = two_bone_ik.hinge_axis(root, target, pole)
    world[:, first] = two_bone_ik.bone_rotation(upper, rest_hinge, bend - root, hinge)
    world[:, middle] = two_bone_ik.bone_rotation(lower, rest_hinge, end - bend, hinge)
