"""Clips that mislead a detector of the up axis, the unit or the frame rate: floor work, acrobatics, running, stillness.

Each is the exact movement of a posed skeleton in Blender's space, whose supports rest on the floor and whose flights
follow free fall.
"""

from collections.abc import Callable

import numpy as np

from rigs import Array, pose_fitting, rotations
from rigs.motion import Motion
from rigs.skeleton import DEFAULT_SKELETON, INDEX, SIDES
from rigs.two_bone_ik import two_bone_ik

FPS = 30.0
GRAVITY = 9.81
_REST = DEFAULT_SKELETON.rest_positions()
_REST_PELVIS = _REST[0]
_LEFT, _FRONT, _UP = np.array([1.0, 0.0, 0.0]), np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, 1.0])
_TURN_OVER = rotations.from_axis_angle(_FRONT, np.pi)
_HAND_ON_FLOOR = 0.1
"""m of a wrist above the floor under which the hand lies flat on it."""
_ANKLE = 0.07
"""m of a standing foot's ankle above the floor; the default foot's toes are as far below it."""


def times(seconds: float) -> Array:
    return np.arange(round(seconds * FPS) + 1) / FPS


def posed(
    pelvis: Array, turn: Array, hands: dict[str, Array], feet: dict[str, Array], toes: Array | None = None
) -> Array:
    """Joint positions (F, 29, 3) m of a body with hands and feet at given places.

    pelvis: (F, 3) m.  turn: (F, 4) of the trunk from the T-pose.  hands, feet: wrists and ankles (F, 3) m by side, a
    missing one hangs, or stays as in the T-pose.  toes: (F, 3) direction of the feet, by default ahead on the floor.
    """
    frames = len(pelvis)
    positions = pelvis[:, None] + rotations.rotate(turn[:, None], _REST - _REST_PELVIS)
    front, up = rotations.rotate(turn, _FRONT), rotations.rotate(turn, _UP)
    for side in SIDES:
        shoulder, elbow, wrist = (INDEX[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist"))
        hang = positions[:, shoulder] - 0.5 * up + 0.05 * front + 0.05 * (positions[:, shoulder] - positions[:, 0])
        target = np.broadcast_to(hands.get(side, hang), (frames, 3))
        pole = -front - 0.3 * up
        positions[:, elbow], positions[:, wrist] = two_bone_ik(positions[:, shoulder], target, (0.27, 0.25), pole)
        along = positions[:, wrist] - positions[:, elbow]
        along[positions[:, wrist, 2] < _HAND_ON_FLOOR, 2] = 0.0
        along = rotations.normalize(along)
        positions[:, INDEX[f"{side}_thumb"]] = positions[:, wrist] + 0.05 * along
        positions[:, INDEX[f"{side}_middle"]] = positions[:, wrist] + 0.1 * along
        hip, knee, ankle = (INDEX[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
        if side in feet:
            target = np.broadcast_to(feet[side], (frames, 3))
            positions[:, knee], positions[:, ankle] = two_bone_ik(positions[:, hip], target, (0.4, 0.4), front)
        level = rotations.normalize(front * [1.0, 1.0, 0.0] + 1e-6 * _FRONT)
        ahead = level if toes is None else np.broadcast_to(toes, (frames, 3))
        drop = (0.06, 0.07) if toes is None else (0.0, 0.0)
        for joint, reach, down in (("foot", 0.13, drop[0]), ("bigtoe", 0.2, drop[1])):
            positions[:, INDEX[f"{side}_{joint}"]] = positions[:, ankle] + reach * ahead - down * _UP
    return positions


def _still(t: Array, quaternion: Array) -> Array:
    return np.broadcast_to(quaternion, (len(t), 4)).copy()


def _pitched(angle: Array) -> Array:
    """Turns (F, 4) of a body that leans forward by `angle`: at 90 degrees it lies on its front, head towards -Y."""
    return rotations.from_axis_angle(_LEFT, np.asarray(angle))


def _pair(right: Array, left: Array | None = None) -> dict[str, Array]:
    mirrored = right * [-1.0, 1.0, 1.0] if left is None else left
    return {"right": right, "left": mirrored}


def standing(seconds: float = 4.0, sway: float = 0.03) -> Array:
    t = times(seconds)
    pelvis = np.stack([sway * np.sin(2.0 * t), 0.02 * np.sin(1.3 * t), 0.93 + 0.0 * t], axis=1)
    feet = np.array([-0.1, 0.0, _ANKLE])
    return posed(pelvis, rotations.about_z(0.1 * np.sin(1.7 * t)), {}, _pair(feet))


def push_ups(seconds: float = 8.0) -> Array:
    t = times(seconds)
    shoulder_height = 0.35 + 0.17 * np.cos(2.0 * np.pi * t / 1.6)
    ankles, reach = np.array([0.0, 0.9, 0.12]), 0.8 + 0.45
    rise = np.arcsin((shoulder_height - ankles[2]) / reach)
    along = np.stack([0.0 * t, -np.cos(rise), np.sin(rise)], axis=1)
    pelvis = ankles + 0.88 * along
    hands = np.array([-0.28, -0.35, 0.04])
    return posed(
        pelvis, _pitched(np.pi / 2 - rise), _pair(hands), _pair(ankles - [0.09, 0.0, 0.0]), -_UP + 0.4 * _FRONT
    )


def floor_roll(seconds: float = 6.0) -> Array:
    """Rolling sideways over the floor, back and forth, stretched out."""
    t = times(seconds)
    angle = 2.0 * np.pi * np.sin(2.0 * np.pi * t / seconds)
    turn = rotations.multiply(
        rotations.from_axis_angle(np.array([0.0, 1.0, 0.0]), angle), _pitched(np.full(len(t), np.pi / 2))
    )
    pelvis = np.stack([0.2 * angle, 0.05 * np.sin(t), 0.2 + 0.0 * t], axis=1)
    body = posed(pelvis, turn, {}, {}, np.array([0.0, 1.0, 0.0]))
    body[..., 2] -= body[..., 2].min(axis=1, keepdims=True) - 0.04
    return body


def lying(seconds: float = 5.0) -> Array:
    t = times(seconds)
    turn = _still(t, rotations.from_axis_angle(_LEFT, -np.pi / 2))
    pelvis = np.stack([0.0 * t, 0.0 * t, 0.12 + 0.004 * np.sin(2.0 * np.pi * t / 4.0)], axis=1)
    hands = np.stack([-0.35 + 0.01 * np.sin(t), -0.1 + 0.0 * t, 0.06 + 0.0 * t], axis=1)
    feet = np.array([-0.12, -0.86, 0.08])
    return posed(pelvis, turn, _pair(hands), _pair(feet), _UP + 0.5 * _FRONT)


def sitting(seconds: float = 5.0) -> Array:
    """On a chair, nodding and gesturing with one hand."""
    t = times(seconds)
    pelvis = np.stack([0.0 * t, 0.01 * np.sin(t), 0.5 + 0.0 * t], axis=1)
    hand = np.stack([-0.25 + 0.1 * np.sin(3.0 * t), -0.35 + 0.1 * np.cos(3.0 * t), 0.9 + 0.1 * np.sin(2.0 * t)], axis=1)
    return posed(pelvis, _pitched(0.1 + 0.05 * np.sin(t)), {"right": hand}, _pair(np.array([-0.12, -0.42, _ANKLE])))


def crawling(seconds: float = 8.0, speed: float = 0.4) -> Array:
    """On hands and knees, out and back over 1.6 m."""
    t = times(seconds)
    way = -speed * t
    pelvis = np.stack([0.02 * np.sin(3.0 * t), way, 0.48 + 0.01 * np.sin(6.0 * t)], axis=1)
    limbs: dict[str, Array] = {}
    feet: dict[str, Array] = {}
    for side, sign, phase in (("left", 1.0, 0.0), ("right", -1.0, 0.5)):
        hand, hand_lift = _steps(t, speed, 1.0, phase)
        knee, _ = _steps(t, speed, 1.0, phase + 0.5)
        limbs[side] = np.stack([sign * 0.2 + 0.0 * t, hand - 0.5, 0.04 + 0.08 * hand_lift], axis=1)
        feet[side] = np.stack([sign * 0.1 + 0.0 * t, knee + 0.42, 0.05 + 0.0 * t], axis=1)
    return posed(pelvis, _pitched(np.full(len(t), 1.45)), limbs, feet, np.array([0.0, 1.0, -0.1]))


def _steps(t: Array, speed: float, frequency: float, phase: float) -> tuple[Array, Array]:
    """The place along -Y and the lift (0 to 1) of a limb that steps: half of each cycle it rests, then it swings."""
    cycle = t * frequency + phase
    stride, part = speed / frequency, cycle % 1.0
    swing = np.clip(2.0 * part - 1.0, 0.0, 1.0)
    place = -(np.floor(cycle) + swing**2 * (3.0 - 2.0 * swing) - phase) * stride + stride * 0.25
    return place, np.sin(np.pi * swing)


def handstand(seconds: float = 5.0) -> Array:
    t = times(seconds)
    lean = 0.05 * np.sin(2.0 * t)
    turn = rotations.multiply(_pitched(lean), _still(t, _TURN_OVER))
    hands = np.array([-0.2, 0.0, 0.05])
    shoulders = np.stack([0.0 * t, 0.0 * t, 0.53 + 0.0 * t], axis=1)
    along = rotations.rotate(_pitched(lean), _UP)
    pelvis = shoulders + 0.45 * along
    legs = {
        side: pelvis + 0.75 * rotations.rotate(_pitched(sign * 0.3 * np.sin(1.1 * t)), _UP) + [sign * 0.1, 0.0, 0.0]
        for side, sign in (("left", -1.0), ("right", 1.0))
    }
    return posed(
        pelvis,
        turn,
        _pair(hands, hands * [-1.0, 1.0, 1.0]) | {"left": hands, "right": hands * [-1.0, 1.0, 1.0]},
        legs,
        along,
    )


def headstand(seconds: float = 5.0) -> Array:
    """A tripod headstand; the legs open and close."""
    t = times(seconds)
    turn = _still(t, _TURN_OVER)
    pelvis = np.stack([0.0 * t, 0.02 * np.sin(t), 0.80 + 0.0 * t], axis=1)
    hands = np.array([-0.25, -0.2, 0.05])
    spread = 0.15 + 0.3 * (0.5 + 0.5 * np.sin(1.5 * t))
    legs = {
        side: pelvis + np.stack([sign * spread, 0.1 * np.sin(t), 0.7 + 0.0 * t], axis=1)
        for side, sign in (("left", -1.0), ("right", 1.0))
    }
    return posed(pelvis, turn, {"left": hands, "right": hands * [-1.0, 1.0, 1.0]}, legs, _UP)


def cartwheels(seconds: float = 6.0) -> Array:
    """Standing, then two cartwheels to the side, and standing again."""
    t = times(seconds)
    angle = 4.0 * np.pi * np.clip((t - 1.0) / (seconds - 2.0), 0.0, 1.0)
    turn = rotations.from_axis_angle(_FRONT, angle)
    pelvis = np.stack([-angle * 0.95, 0.0 * t, 0.93 + 0.0 * t], axis=1)
    spokes = {
        name: pelvis + rotations.rotate(turn, np.array([x, -0.02, z]))
        for name, x, z in (("left", 0.45, 0.85), ("right", -0.45, 0.85))
    }
    legs = {
        name: pelvis + rotations.rotate(turn, np.array([x, 0.0, -0.78])) for name, x in (("left", 0.3), ("right", -0.3))
    }
    body = posed(pelvis, turn, spokes, legs, np.broadcast_to(_FRONT, (len(t), 3)))
    body[..., 2] -= body[..., 2].min(axis=1, keepdims=True)
    return body


def running(seconds: float = 5.0, speed: float = 8.0, frequency: float = 2.0, lift: float = 0.5) -> Array:
    """Running at `speed` m/s with `frequency` strides a second; a third of each step is a flight in free fall."""
    t = times(seconds)
    step = 1.0 / (2.0 * frequency)
    flight = 0.4 * step
    part = (t / step) % 1.0 * step
    airborne = part < flight
    rise = 0.5 * GRAVITY * part * (flight - part)
    contact = step - flight
    dip = -0.5 * GRAVITY * flight * contact / np.pi * np.sin(np.pi * np.clip(part - flight, 0.0, None) / contact)
    height = 0.9 + np.where(airborne, rise, dip)
    pelvis = np.stack([0.0 * t, -speed * t, height], axis=1)
    feet = {}
    for side, sign, phase in (("left", 1.0, 0.0), ("right", -1.0, 0.5)):
        cycle = (t * frequency + phase - flight * frequency) % 1.0  # 0: the foot touches the floor
        on_floor = contact * frequency
        swing = np.clip((cycle - on_floor) / (1.0 - on_floor), 0.0, 1.0)
        reach = speed * contact / 2.0
        along = np.where(
            cycle < on_floor, reach - speed * cycle / frequency, -reach + 2.0 * reach * swing**2 * (3.0 - 2.0 * swing)
        )
        height = _ANKLE + np.where(cycle < on_floor, 0.0, lift * np.sin(np.pi * swing) ** 2)
        feet[side] = np.stack([sign * 0.08 + 0.0 * t, -speed * t - along, height], axis=1)
    turn = _pitched(np.full(len(t), 0.15))
    swing = 0.35 * np.sin(2.0 * np.pi * frequency * t)
    hands = {
        side: pelvis + np.stack([sign * 0.25 + 0.0 * t, -0.2 + sign * swing, 0.3 + 0.0 * t], axis=1)
        for side, sign in (("left", 1.0), ("right", -1.0))
    }
    return posed(pelvis, turn, hands, feet)


def tai_chi(seconds: float = 12.0) -> Array:
    """Weight that shifts slowly over a wide stance, with circling hands."""
    t = times(seconds)
    shift = 0.25 * np.sin(2.0 * np.pi * t / 8.0)
    pelvis = np.stack([shift, 0.03 * np.sin(0.5 * t), 0.78 + 0.02 * np.cos(0.8 * t)], axis=1)
    hands = {
        side: pelvis
        + np.stack([sign * 0.2 + 0.1 * np.cos(0.7 * t), -0.4 + 0.0 * t, 0.35 + 0.2 * np.sin(0.7 * t + sign)], axis=1)
        for side, sign in (("left", 1.0), ("right", -1.0))
    }
    return posed(pelvis, rotations.about_z(0.3 * np.sin(0.4 * t)), hands, _pair(np.array([-0.35, 0.0, _ANKLE])))


def jumps(
    seconds: float = 6.0, height: float = 0.4, contact: float = 0.35, dip: float = 0.2, gravity: float = GRAVITY
) -> Array:
    """Jumps of `height` m in a row: free fall, and a half wave of `contact` s on the floor."""
    t = times(seconds)
    flight = 2.0 * np.sqrt(2.0 * height / gravity)
    part = t % (flight + contact)
    airborne = part < flight
    lift = np.where(airborne, 0.5 * gravity * part * (flight - part), 0.0)
    bend = np.where(airborne, 0.0, np.sin(np.pi * np.clip(part - flight, 0.0, None) / contact))
    pelvis = np.stack([0.05 * np.sin(t), 0.0 * t, 0.92 + lift - dip * bend], axis=1)
    feet = np.stack([-0.1 + 0.05 * np.sin(t), 0.0 * t, _ANKLE + lift], axis=1)
    other = feet * [1.0, 1.0, 1.0] + [0.2, 0.0, 0.0]
    return posed(pelvis, rotations.about_z(0.3 * np.sin(t)), {}, {"right": feet, "left": other})


def trampoline(seconds: float = 8.0) -> Array:
    """Jumps of 2 m from a bed that gives 0.5 m."""
    t = times(seconds)
    body = jumps(seconds, height=2.0, contact=0.5, dip=0.0)
    flight = 2.0 * np.sqrt(4.0 / GRAVITY)
    part = t % (flight + 0.5)
    bed = np.where(part < flight, 0.0, 0.5 * np.sin(np.pi * np.clip(part - flight, 0.0, None) / 0.5))
    body[..., 2] -= bed[:, None]
    return body


CLIPS: dict[str, Callable[[], Array]] = {
    function.__name__: function
    for function in (
        standing, push_ups, floor_roll, lying, sitting, crawling, handstand, headstand, cartwheels, running, tai_chi,
        jumps, trampoline,
    )
}  # fmt: skip


def motion(clip: str) -> Motion:
    """A clip by its name as a Motion."""
    return pose_fitting.fit_motion(CLIPS[clip](), FPS, skeleton=DEFAULT_SKELETON)
