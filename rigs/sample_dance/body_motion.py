"""Body motion of the sample dance above the footwork: pelvis, trunk, head, legs and arms.

Each function writes the world rotations of its joints into `world` (T, 29, 4), from the pelvis outwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.easing import minimum_jerk, minimum_jerk_path
from rigs.sample_dance.footwork import SIDES, FootPath, Step, pelvis_path
from rigs.skeleton import DEFAULT_SKELETON, INDEX
from rigs.two_bone_ik import bone_rotation, hinge_axis, two_bone_ik

HEIGHT = 0.936  # m of the pelvis, with soft knees
BOUNCE, STRIDE_DIP = 0.010, 0.06  # m at every step, and m for each metre between the feet
HIP_SWAY = 0.022  # m beyond the supporting foot
HIP_TURN, HIP_TILT, PELVIS_LEAN = np.radians([8.0, 7.0, 3.0])
SHOULDER_TURN, SHOULDER_TILT, CHEST_LEAN = np.radians([10.0, 4.0, 6.5])
LEVER = 0.6  # m; the longer, the less the trunk leans into a change of direction
HEEL_DOWN, HEEL_BEHIND, HEEL_FREE, HEEL_SWING, HEEL_PIVOT = np.radians([4.0, 36.0, 36.0, 12.0, 16.0])
PRONATION = np.radians(30.0)
CURL = np.radians(8.0)  # of the wrist; that of the fingers is three times as much
SPOTTING = 0.45  # sine of half the largest turn of the head from the body

UP, AHEAD = np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])
ALONG, ASIDE = np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])


@dataclass(frozen=True)
class StepTiming:
    """Steps and heading that the whole body follows.

    t: (T,) s.  heading: (T,) radians.  strength: (K,) about 1, amount of hip motion at each of the K steps.
    """

    t: Array
    steps: Sequence[Step]
    heading: Array
    strength: Array

    def hip_shift(self, delay: float) -> Array:
        """Shift of the hips (T,), `delay` s late: 1 over the left leg, -1 over the right one."""
        shifts = self.strength * SIDES[[step.foot for step in self.steps]]
        return minimum_jerk_path(self.t - delay, [step.time for step in self.steps], shifts, 0.12, 0.22)

    def sway(self) -> Array:
        """Sway of the hips over the supporting leg: (T, 2) m."""
        aside = rotations.rotate(rotations.about_z(self.heading), ASIDE)[:, :2]
        return HIP_SWAY * self.hip_shift(0.10)[:, None] * aside


def pelvis(world: Array, timing: StepTiming) -> Array:
    """Tilt and turn the pelvis at different times, for a figure-eight hip motion; returns its positions (T, 3) m."""
    turn, tilt = HIP_TURN * timing.hip_shift(0.03), HIP_TILT * timing.hip_shift(0.10)
    world[:, INDEX["pelvis"]] = _torso_rotation(timing.heading + turn, tilt, PELVIS_LEAN)
    height = HEIGHT - _pelvis_dips(timing)
    return np.concatenate([pelvis_path(timing.t, timing.steps) + timing.sway(), height[:, None]], axis=-1)


def trunk(world: Array, timing: StepTiming) -> None:
    """Rotate the shoulders against the hips, and lean the trunk towards the coming movement."""
    t = timing.t
    ahead = pelvis_path(t, timing.steps, 0.42, 0.44) - pelvis_path(t, timing.steps) - timing.sway()
    lean = rotations.between(UP, np.concatenate([ahead / LEVER, np.ones((len(t), 1))], axis=-1))
    breath = np.radians(0.8) * np.sin(2.0 * np.pi * 0.45 * t)
    turn, tilt = -SHOULDER_TURN * timing.hip_shift(0.14), -SHOULDER_TILT * timing.hip_shift(0.16)
    chest = rotations.multiply(lean, _torso_rotation(timing.heading + turn, tilt, CHEST_LEAN + breath))
    for k, name in enumerate(("spine1", "spine2", "spine3")):
        world[:, INDEX[name]] = rotations.slerp(world[:, INDEX["pelvis"]], chest, (k + 1) / 3.0)


def head(world: Array, timing: StepTiming, partner: Array, rng: np.random.Generator) -> None:
    """Turn the head to the partner; past half a turn it goes round the other way, as dancers spot.

    partner: (T,) radians, the heading that faces the partner.
    """
    t, relative = timing.t, np.exp(1j * (partner - timing.heading))
    look = timing.heading + 2.0 * np.angle(1.0 + SPOTTING * relative) + slow_noise(t, rng, np.radians(2.5))
    tilt, nod = (slow_noise(t, rng, np.radians(1.5)) for _ in range(2))
    head = _torso_rotation(look, tilt, np.radians(5.0) + nod)
    world[:, INDEX["neck"]] = rotations.slerp(world[:, INDEX["spine3"]], head, 0.45)
    world[:, [INDEX["jaw"], INDEX["head"]]] = head[:, None]


def leg(world: Array, root: Array, name: str, foot: FootPath, load: Array, heading: Array) -> None:
    """Pose a leg: the foot on its ball, the heel lifted where it carries no weight, the knee by two-bone IK.

    root: (T, 3) m, the pelvis.  name: "left" or "right".  load: (T,) part of the weight on this foot.
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
    """Pose an arm by two-bone IK: the elbow low and outside, the collarbone following a little.

    hand: (T, 3) m, the wrist from between the shoulders, in the chest's frame.
    """
    collar, shoulder, elbow, wrist = _joints(name, "collar", "shoulder", "elbow", "wrist")
    knuckles, tips = _joints(name, "thumb", "middle")
    offsets, chest = DEFAULT_SKELETON.offsets, INDEX["spine3"]
    side = np.sign(offsets[shoulder, 0])
    reach = hand + (offsets[collar] + offsets[shoulder]) * (0.0, 1.0, 1.0)
    swing = rotations.between(side * ASIDE, reach - offsets[collar])
    world[:, collar] = rotations.multiply(world[:, chest], rotations.slerp(rotations.identity(), swing, 0.12))
    positions = kinematics.joint_positions(root, world, offsets)
    target = positions[:, chest] + rotations.rotate(world[:, chest], reach)
    pole = rotations.rotate(world[:, chest], np.array([0.35 * side, 0.30, -0.90]))
    _solve_limb(world, positions[:, shoulder], target, (shoulder, elbow, wrist), pole, -side * UP)
    roll = rotations.from_axis_angle(ASIDE, PRONATION + slow_noise(t, rng, np.radians(6.0)))
    world[:, elbow] = rotations.multiply(world[:, elbow], roll)
    for joint, curl in ((wrist, CURL), (knuckles, 3.0 * CURL), (tips, 3.0 * CURL)):
        flex = rotations.from_axis_angle(ALONG, side * (curl + slow_noise(t, rng, np.radians(5.0))))
        world[:, joint] = rotations.multiply(world[:, elbow], flex)


def slow_noise(t: Array, rng: np.random.Generator, size: float) -> Array:
    """Slow noise (T,) of about `size`, three sines of random frequency, for what a person never holds still."""
    frequency, phase = rng.uniform(0.15, 0.8, 3), rng.uniform(0.0, 2.0 * np.pi, 3)
    return size * np.mean(np.sin(2.0 * np.pi * frequency * t[:, None] + phase), axis=-1)


def _pelvis_dips(timing: StepTiming) -> Array:
    """Drop of the pelvis (T,) m: a little at every step, more where the feet are far apart."""
    feet: dict[int, Array] = {}
    times, dips = [], []
    for step in timing.steps:
        feet[step.foot] = step.place
        stride = np.linalg.norm(feet[0] - feet[1]) if len(feet) == 2 else 0.0
        times += [step.time + 0.05, step.time + 0.22]
        dips += [BOUNCE + STRIDE_DIP * stride, 0.5 * STRIDE_DIP * stride]
    return minimum_jerk_path(timing.t, times, np.array(dips), 0.10, 0.10)


def _joints(name: str, *parts: str) -> list[int]:
    """Indices of these joints on the "left" or "right" side."""
    return [INDEX[f"{name}_{part}"] for part in parts]


def _torso_rotation(heading: Array, tilt: Array, lean: Array | float) -> Array:
    """World rotations (T, 4) of pelvis, chest or head from heading, sideways `tilt` and forward `lean` in radians."""
    level = rotations.multiply(rotations.about_z(heading), rotations.from_axis_angle(ALONG, -tilt))
    return rotations.multiply(level, rotations.from_axis_angle(ASIDE, lean))


def _solve_limb(
    world: Array, root: Array, target: Array, joints: tuple[int, int, int], pole: Array, rest_hinge: Array
) -> None:
    """Solve a limb by two-bone IK so that the last of its three joints is at `target` (T, 3) m."""
    first, middle, last = joints
    upper, lower = DEFAULT_SKELETON.offsets[middle], DEFAULT_SKELETON.offsets[last]
    lengths = float(np.linalg.norm(upper)), float(np.linalg.norm(lower))
    bend, end = two_bone_ik(root, target, lengths, pole)
    hinge = hinge_axis(root, target, pole)
    world[:, first] = bone_rotation(upper, rest_hinge, bend - root, hinge)
    world[:, middle] = bone_rotation(lower, rest_hinge, end - bend, hinge)
