"""Choreographic devices: rules by which a second dancer answers the first, with no model and in any style.

    partner = choreograph(leader, Choreography("canon", delay=4, formation="side-by-side"))

A device makes what the partner dances of what the leader dances; the formation says where
(`rigs.choreography.formations`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.choreography.beat_tracking import estimate_beat
from rigs.choreography.formations import (
    COLLISION_DISTANCE,
    FORMATIONS,
    Formation,
    clear_distance,
    nearest_approach,
    place_in_formation,
)
from rigs.choreography.stepping import LEGS, place_feet, step_over
from rigs.motion import Motion, concatenate, interpolate, mirror, rotate_about_z, translate

Device = Literal["unison", "mirror", "canon", "retrograde", "opposition", "question-and-answer"]
DEVICES: tuple[Device, ...] = ("unison", "mirror", "canon", "retrograde", "opposition", "question-and-answer")
DELAYED: tuple[Device, ...] = ("canon", "question-and-answer")
"""The devices for which a delay means something."""
Unit = Literal["beats", "frames"]

_NEAREST, _FURTHEST = 0.3, 100.0
"""m from one pelvis to the other between which a formation is."""
_EASE = 0.15
"""s of dance before and after an answer in which the partner comes out of standing still, and back to it."""
_WALK = 1.0
"""s in which a listening partner steps to where the next answer begins."""


@dataclass(frozen=True)
class Choreography:
    """A device, how late it answers, and where its dancer stands.

    delay: for a canon how much later the partner dances, for question and answer how long a phrase is, in `unit`s.
    distance: m between the pelvises in frame 0.
    """

    device: Device
    delay: float = 4.0
    unit: Unit = "beats"
    formation: Formation = "facing"
    distance: float = 1.5

    def __post_init__(self) -> None:
        for name, value, known in (
            ("device", self.device, DEVICES),
            ("unit", self.unit, ("beats", "frames")),
            ("formation", self.formation, FORMATIONS),
        ):
            if value not in known:
                raise ValueError(f"{name}: one of {', '.join(known)} expected, {value} found")
        if not _NEAREST <= self.distance <= _FURTHEST:
            raise ValueError(f"distance: {_NEAREST} to {_FURTHEST:.0f} m expected, {self.distance:g} found")
        if not self.delay > 0.0:
            raise ValueError(f"delay: a number above 0 expected, {self.delay:g} found")


def choreograph(leader: Motion, choreography: Choreography) -> Motion:
    """The partner of a leader, with the leader's frame rate, frame count and bones.

    Raises ValueError with one sentence for a delay longer than the dance, and for one in beats where there is no beat.
    """
    if choreography.device in DELAYED:
        late, first = _delay_in_frames(leader, choreography)
        partner = canon(leader, late) if choreography.device == "canon" else question_and_answer(leader, late, first)
    else:
        partner = _AT_ONCE[choreography.device](leader)
    return place_in_formation(partner, leader, choreography.formation, choreography.distance)


def collision_warnings(leader: Motion, partner: Motion, choreography: Choreography) -> tuple[str, ...]:
    """What is doubtful about the pair, in sentences: whether they pass through each other, and what would help."""
    gap, frame = nearest_approach(leader, partner)
    if gap >= COLLISION_DISTANCE:
        return ()
    said = f"the dancers come as near as {100.0 * gap:.0f} cm to each other in frame {frame + 1}"
    if choreography.formation == "orbiting":
        return (said,)
    clear = np.ceil(10.0 * clear_distance(leader, partner, choreography.distance)) / 10.0
    return (f"{said}: a distance of {clear:.1f} m keeps them apart",)


def unison(leader: Motion) -> Motion:
    """The same at the same time."""
    return leader


def canon(leader: Motion, late: int) -> Motion:
    """The same, `late` frames later; until then the first pose is held."""
    return interpolate(leader, leader.fps, np.arange(len(leader)) - late)


def retrograde(leader: Motion) -> Motion:
    """The same from the end to the beginning."""
    return leader[::-1]


def opposition(leader: Motion) -> Motion:
    """Every step goes the opposite way with the opposite foot: the natural opposite of couple dances.

    When the left foot goes forward, the right one goes back; when it goes to the left, the right one goes to the right.
    The body turns with the leader's, always facing the other way, and everything above the hips is the leader's, seen
    in a mirror. So two dancers who face each other go through the room together, at one distance.
    """
    theirs = mirror(leader)
    world = kinematics.global_rotations(leader.rotations)
    mirrored = kinematics.global_rotations(theirs.rotations)
    heading = np.unwrap(rotations.heading(world[:, 0]))
    turned = theirs.rotations.copy()
    turned[:, 0] = rotations.multiply(rotations.about_z(2.0 * heading + np.pi), turned[:, 0])
    ahead = _foot_lead(leader, heading)
    ankles, feet = np.empty((len(leader), 2, 3)), np.empty((len(leader), 2, 2, 4))
    for side, (own, others) in enumerate(zip(LEGS, reversed(LEGS), strict=True)):
        ankle, ball = others[2:]
        pointing = np.unwrap(rotations.heading(world[:, ankle]))
        outward = np.median((pointing - heading + np.pi) % (2.0 * np.pi) - np.pi)
        back = rotations.about_z(2.0 * (pointing - outward) + np.pi)
        feet[:, side] = rotations.multiply(back[:, None], mirrored[:, own[2:]])
        ways = [ahead * _facing(angle) for angle in (pointing - outward, pointing - outward + np.pi)]
        ankles[:, side] = leader.positions[:, ball] - ways[0] + ways[1]
        ankles[:, side] -= rotations.rotate(feet[:, side, 0], theirs.skeleton.offsets[own[3]])
    return place_feet(Motion(leader.fps, theirs.skeleton, leader.root, turned), ankles, feet)


def question_and_answer(leader: Motion, phrase: int, first: int = 0) -> Motion:
    """In every second phrase of `phrase` frames the partner repeats the phrase before, and in the others it listens.

    first: the frame in which the first phrase begins. An answer goes on from the place where the partner stands. While
    it listens it stands still, after steps to the pose in which the next answer begins.
    """
    ease = max(1, min(round(_EASE * leader.fps), phrase // 8))
    parts: list[Motion] = []
    done = 0
    for question in range(first, len(leader) - phrase, 2 * phrase):
        start, end = question + phrase - 2 * ease, question + 2 * phrase + 2 * ease
        answer = interpolate(leader, leader.fps, _eased_time(np.arange(start, end) - phrase, question, question + phrase, ease))
        if parts:
            answer = _continue_from(answer, parts[-1][-1:])
            steps = min(start - done, round(_WALK * leader.fps))
            parts.append(step_over(parts[-1][-1:], answer[:1], steps))
            done += steps
        parts += [_hold_pose(answer[:1], start - done), answer]
        done = end
    whole = parts[0]
    for part in parts[1:]:
        whole = concatenate(whole, part)
    return interpolate(whole, leader.fps, np.arange(len(leader)))


_AT_ONCE: dict[str, Callable[[Motion], Motion]] = {
    "unison": unison,
    "mirror": mirror,
    "retrograde": retrograde,
    "opposition": opposition,
}
"""The devices that need no delay."""


def _delay_in_frames(leader: Motion, choreography: Choreography) -> tuple[int, int]:
    """The delay, and the first beat, in frames."""
    if choreography.unit == "frames":
        late, first = round(choreography.delay), 0
    else:
        try:
            beat = estimate_beat(leader)
        except ValueError as error:
            raise ValueError(f"delay: {error}: give it in frames") from None
        late, first = round(choreography.delay * beat.period * leader.fps), round(beat.first * leader.fps)
    if not 0 < late < len(leader) - first:
        raise ValueError(f"delay: 1 to {len(leader) - first - 1} frames expected, {late} found")
    return late, first


def _foot_lead(motion: Motion, heading: Array) -> float:
    """How far in m the balls of the feet usually are ahead of the pelvis, which is turned by `heading` (F,)."""
    balls = motion.positions[:, [leg[3] for leg in LEGS]].mean(axis=1)
    return float(np.median(np.sum((balls - motion.root) * _facing(heading), axis=-1)))


def _facing(heading: Array) -> Array:
    """The directions (F, 3) along the floor in which a body faces that is turned by `heading` (F,)."""
    return rotations.rotate(rotations.about_z(heading), np.array([0.0, -1.0, 0.0]))


def _eased_time(frames: Array, first: int, last: int, ease: int) -> Array:
    """Which frames (N,) to show at `frames`: the same from `first` to `last`, out of rest before and into it after.

    Rest is reached 2 * `ease` frames away, having gone half as far.
    """
    early, late = np.clip(first - frames, 0, 2 * ease), np.clip(frames - last, 0, 2 * ease)
    return np.clip(frames, first, last) - early + early**2 / (4 * ease) + late - late**2 / (4 * ease)


def _continue_from(motion: Motion, pose: Motion) -> Motion:
    """The motion, placed and turned so that it begins where the dancer of `pose` (one frame) stands and faces."""
    there, here = (float(rotations.heading(m.rotations[0, 0])) for m in (pose, motion))
    turned = rotate_about_z(motion, there - here)
    return translate(turned, (pose.root[0] - turned.root[0]) * np.array([1.0, 1.0, 0.0]))


def _hold_pose(pose: Motion, frames: int) -> Motion:
    """The pose (one frame) for so many frames."""
    return interpolate(pose, pose.fps, np.zeros(max(frames, 0)))
