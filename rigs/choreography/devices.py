"""Choreographic devices: rules that derive a partner from the leader without a model, such as mirror and canon.

    partner = choreograph(leader, Choreography("canon", delay=4, formation="side-by-side"))

A device turns the leader's movement into the partner's; the formation (`rigs.choreography.formations`) places it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.choreography import formations
from rigs.choreography.beat_tracking import estimate_beat
from rigs.choreography.foot_placement import LEGS, place_feet, step_over
from rigs.motion import Motion, concatenate, interpolate, mirror

Unit = Literal["beats", "frames"]

_MIN_DISTANCE, _MAX_DISTANCE = 0.3, 100.0
"""m between the pelvises of a formation."""
_EASE = 0.15
"""s before and after an answer over which the partner eases out of standing still and back into it."""
_STEP_TIME = 1.0
"""s in which a listening partner steps to where its next answer begins."""


@dataclass(frozen=True)
class Choreography:
    """A choreographic device with its delay and formation.

    delay: in `unit`s, of a canon, or the length of a phrase of question and answer.
    distance: m between the pelvises in frame 0.
    """

    device: str
    delay: float = 4.0
    unit: Unit = "beats"
    formation: formations.Formation = "facing"
    distance: float = 1.5

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("device", self.device, DEVICES),
            ("unit", self.unit, ("beats", "frames")),
            ("formation", self.formation, formations.FORMATIONS),
        ):
            if value not in choices:
                raise ValueError(f"{name}: one of {', '.join(choices)} expected, {value} found")
        if not _MIN_DISTANCE <= self.distance <= _MAX_DISTANCE:
            raise ValueError(f"distance: {_MIN_DISTANCE} to {_MAX_DISTANCE:.0f} m expected, {self.distance:g} found")
        if not 0.0 < self.delay < np.inf:
            raise ValueError(f"delay: a finite number above 0 expected, {self.delay:g} found")


def choreograph(leader: Motion, choreography: Choreography) -> Motion:
    """Generate the partner of a leader by a choreographic device, with the leader's frame rate, length and bones.

    Raises ValueError for a delay longer than the dance, and for one in beats where no beat is found.
    """
    device = DEVICES[choreography.device]
    timing = _delay_in_frames(leader, choreography) if device.delayed else ()
    partner = device.function(leader, *timing)
    return formations.place_in_formation(partner, leader, choreography.formation, choreography.distance)


def collision_warnings(leader: Motion, partner: Motion, choreography: Choreography) -> tuple[str, ...]:
    """Warnings, in sentences, where the dancers pass through each other, with the distance that avoids it."""
    gap, frame = formations.nearest_approach(leader, partner)
    if gap >= formations.COLLISION_DISTANCE:
        return ()
    warning = f"the dancers come as near as {100.0 * gap:.0f} cm to each other in frame {frame + 1}"
    if choreography.formation == "orbiting":
        return (warning,)
    clear = np.ceil(10.0 * formations.clear_distance(leader, partner, choreography.distance)) / 10.0
    return (f"{warning}: a distance of {clear:.1f} m keeps them apart",)


def unison(leader: Motion) -> Motion:
    """The leader's movement at the same time."""
    return leader


def canon(leader: Motion, delay: int, first_beat: int = 0) -> Motion:
    """The leader's movement `delay` frames later; until then the first pose is held."""
    return interpolate(leader, leader.fps, np.arange(len(leader)) - delay)


def retrograde(leader: Motion) -> Motion:
    """The leader's movement in reverse."""
    return leader[::-1]


def opposition(leader: Motion) -> Motion:
    """Every step in the opposite direction with the opposite foot: the natural opposite of couple dances.

    When the left foot goes forward, the right one goes back; when it goes to the left, the right one goes to the right.
    The body turns with the leader's, always facing the other way, and everything above the hips is the leader's,
    mirrored. So two dancers who face each other travel together at one distance.
    """
    mirrored = mirror(leader)
    world = kinematics.global_rotations(leader.rotations)
    mirrored_world = kinematics.global_rotations(mirrored.rotations)
    heading = np.unwrap(rotations.heading(world[:, 0]))
    local = mirrored.rotations.copy()
    local[:, 0] = rotations.multiply(rotations.about_z(2.0 * heading + np.pi), local[:, 0])
    ahead = _foot_lead(leader, heading)
    ankles, feet = np.empty((len(leader), 2, 3)), np.empty((len(leader), 2, 2, 4))
    for side, (own, other) in enumerate(zip(LEGS, reversed(LEGS), strict=True)):
        ankle, ball = other[2:]
        foot_heading = np.unwrap(rotations.heading(world[:, ankle]))
        turnout = np.median((foot_heading - heading + np.pi) % (2.0 * np.pi) - np.pi)
        half_turn = rotations.about_z(2.0 * (foot_heading - turnout) + np.pi)
        feet[:, side] = rotations.multiply(half_turn[:, None], mirrored_world[:, own[2:]])
        before, after = (ahead * _facing(angle) for angle in (foot_heading - turnout, foot_heading - turnout + np.pi))
        ankles[:, side] = leader.positions[:, ball] - before + after
        ankles[:, side] -= rotations.rotate(feet[:, side, 0], mirrored.skeleton.offsets[own[3]])
    return place_feet(Motion(leader.fps, mirrored.skeleton, leader.root, local), ankles, feet)


def question_and_answer(leader: Motion, phrase: int, first_beat: int = 0) -> Motion:
    """Call and response: in every second phrase the partner repeats the phrase before, in the others it listens.

    phrase: frames.  first_beat: the frame in which the first phrase begins.
    An answer continues from where the partner stands. While it listens it steps to the pose in which the next answer
    begins, and stands still.
    """
    ease = max(1, min(round(_EASE * leader.fps), phrase // 8))
    parts: list[Motion] = []
    length = 0
    for question in range(first_beat, len(leader) - phrase, 2 * phrase):
        start, end = question + phrase - 2 * ease, question + 2 * phrase + 2 * ease
        at = _eased_time(np.arange(start, end) - phrase, question, question + phrase, ease)
        answer = interpolate(leader, leader.fps, at)
        if parts:
            pose = parts[-1][-1:]
            answer = formations.move_to(answer, pose.root[0], float(rotations.heading(pose.rotations[0, 0])))
            steps = min(start - length, round(_STEP_TIME * leader.fps))
            parts.append(step_over(pose, answer[:1], steps))
            length += steps
        parts += [_hold_pose(answer[:1], start - length), answer]
        length = end
    return interpolate(reduce(concatenate, parts), leader.fps, np.arange(len(leader)))


@dataclass(frozen=True)
class Device:
    """A choreographic device as it is registered.

    label, description: for menus.  function: from the leader's motion to the partner's, not yet placed; a delayed one
    also takes the delay and the first beat, in frames.
    """

    label: str
    description: str
    function: Callable[..., Motion]
    delayed: bool = False


DEVICES = {
    "unison": Device("Unison", "The leader's movement at the same time", unison),
    "mirror": Device("Mirror", "The leader's movement mirrored left to right", mirror),
    "canon": Device("Canon", "The leader's movement some beats or frames later", canon, delayed=True),
    "retrograde": Device("Retrograde", "The leader's movement backwards", retrograde),
    "opposition": Device("Opposition", "Opposite foot, opposite direction, facing the other way", opposition),
    "question-and-answer": Device(
        "Question and Answer", "Wait for a phrase, then repeat it", question_and_answer, delayed=True
    ),
}
"""The choreographic devices by name. Adding one takes its function and an entry here."""
DELAYED = tuple(name for name, device in DEVICES.items() if device.delayed)


def device_choices() -> list[tuple[str, str, str]]:
    """Name, label and description of each device, as the items of Blender's EnumProperty."""
    return [(name, device.label, device.description) for name, device in DEVICES.items()]


def _delay_in_frames(leader: Motion, choreography: Choreography) -> tuple[int, int]:
    """Delay and first beat in frames."""
    if choreography.unit == "frames":
        delay, first_beat = round(choreography.delay), 0
    else:
        try:
            beat = estimate_beat(leader)
        except ValueError as error:
            raise ValueError(f"delay: {error}: give it in frames") from None
        delay = round(choreography.delay * beat.period * leader.fps)
        first_beat = round(beat.first * leader.fps)
    if not 0 < delay < len(leader) - first_beat:
        raise ValueError(f"delay: 1 to {len(leader) - first_beat - 1} frames expected, {delay:g} found")
    return delay, first_beat


def _foot_lead(motion: Motion, heading: Array) -> float:
    """Median distance in m by which the balls of the feet are ahead of the pelvis, whose heading (F,) is in radians."""
    balls = motion.positions[:, [leg[3] for leg in LEGS]].mean(axis=1)
    return float(np.median(np.sum((balls - motion.root) * _facing(heading), axis=-1)))


def _facing(heading: Array) -> Array:
    """Unit vectors (F, 3) along the floor in the direction of a heading (F,)."""
    return rotations.rotate(rotations.about_z(heading), np.array([0.0, -1.0, 0.0]))


def _eased_time(frames: Array, first: int, last: int, ease: int) -> Array:
    """Time warp of `frames` (N,): unchanged from `first` to `last`, with constant deceleration to rest outside.

    Rest is reached 2 * `ease` frames away, after half as many frames of movement.
    """
    early, late = np.clip(first - frames, 0, 2 * ease), np.clip(frames - last, 0, 2 * ease)
    return np.clip(frames, first, last) - early + early**2 / (4 * ease) + late - late**2 / (4 * ease)


def _hold_pose(pose: Motion, frames: int) -> Motion:
    """A pose, a single frame, held for so many frames."""
    return interpolate(pose, pose.fps, np.zeros(max(frames, 0)))
