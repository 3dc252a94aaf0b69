"""What a body of flesh would not do: slide, float, sink, tremble, or change its bones."""

import numpy as np

from rigs import Array
from rigs.contacts import foot_contacts
from rigs.skeleton import INDEX, PARENTS

FEET = [INDEX[name] for name in ("left_ankle", "left_foot", "right_ankle", "right_foot")]
TOES = [INDEX[name] for name in ("left_foot", "left_bigtoe", "right_foot", "right_bigtoe")]
BALLS = [INDEX["left_foot"], INDEX["right_foot"]]
FLOATING, SINKING = 0.08, 0.03
"""m above the floor from which the lower toe floats, and below it from which a toe sinks."""
_SKATE = 0.025
_SLOW = 6.0
"""Hz below which people's movement lies."""


def physical_foot_contact(positions: Array, fps: float) -> Array:
    """The physical foot contact score (PFC) of Tseng et al. 2023 (EDGE, 4.1), a frame: (F,), nan at both ends.

    positions: (F, 29, 3) m.  The pelvis's acceleration, of its vertical part what points up, over its greatest in the
    stretch, times the movement along the floor of the stiller joint of each foot; times 10,000. As in the published
    code the feet's movement is in m a frame, not m/s, so values hold for 30 fps alone, and a single violent frame
    lowers all others.
    """
    acceleration = np.diff(positions[:, 0], n=2, axis=0) * fps**2
    acceleration[:, 2] = np.maximum(acceleration[:, 2], 0.0)
    push = np.linalg.norm(acceleration, axis=-1)
    moved = np.linalg.norm(np.diff(positions[1:, FEET, :2], axis=0), axis=-1)
    still = moved[:, :2].min(axis=1) * moved[:, 2:].min(axis=1)
    return np.pad(1e4 * still * push / max(push.max(), 1e-9), 1, constant_values=np.nan)


def feet_planted(positions: Array, fps: float) -> Array:
    """1 where a foot rests on the floor, else 0: (F,)."""
    return foot_contacts(positions, fps).any(axis=1).astype(float)


def foot_slide(positions: Array, fps: float) -> Array:
    """How fast feet that rest on the floor slide along it: (F,) cm/s, nan where none rests.

    positions: (F, 29, 3) m.  Which feet rest is `rigs.contacts`' say: low and slower than 0.4 m/s.
    """
    resting = foot_contacts(positions, fps)
    speed = 100.0 * np.linalg.norm(np.gradient(positions[:, FEET, :2], axis=0), axis=-1) * fps
    count = resting.sum(axis=1)
    return np.where(count > 0, (speed * resting).sum(axis=1) / np.maximum(count, 1), np.nan)


def foot_skate(positions: Array, fps: float) -> Array:
    """How much feet skate that are near the floor: (F,) cm/s, the mean of both.

    Zhang et al. 2018 (mode-adaptive networks, 9.1): speed along the floor times 2 - 2^(h / 2.5 cm) for heights below
    2.5 cm. Unlike `slide` it counts a foot that slides so fast that none would call it planted.
    """
    balls = positions[:, BALLS]
    height = np.maximum(balls[..., 2] - np.percentile(balls[..., 2], 5.0, axis=0), 0.0)
    speed = 100.0 * np.linalg.norm(np.gradient(balls[..., :2], axis=0), axis=-1) * fps
    return np.asarray((speed * np.maximum(2.0 - 2.0 ** (height / _SKATE), 0.0)).mean(axis=1))


def jerk(positions: Array, fps: float) -> Array:
    """The joints' mean jerk (F,) m/s³, nan at the ends: how much a movement trembles (Flash and Hogan 1985)."""
    third = np.linalg.norm(np.diff(positions, n=3, axis=0), axis=-1).mean(axis=-1) * fps**3
    return np.pad(third, (1, 2), constant_values=np.nan)


def low_pass(positions: Array, fps: float) -> Array:
    """The movement (F, ...) below 6 Hz, where that of people lies; what mocap has above is mostly noise of the capture.

    A Butterworth filter of second order run forwards and backwards (Winter 2009, 3.4.4.2), as its response on the
    frequencies of the movement and its mirror image.
    """
    frames = len(positions)
    there_and_back = np.concatenate([positions, positions[::-1]])
    frequency = np.fft.rfftfreq(2 * frames, 1.0 / fps).reshape(-1, *[1] * (positions.ndim - 1))
    passed = np.fft.rfft(there_and_back, axis=0) / (1.0 + (frequency / _SLOW) ** 4)
    return np.asarray(np.fft.irfft(passed, 2 * frames, axis=0)[:frames])


def speed(positions: Array, fps: float) -> Array:
    """The joints' mean speed (F,) m/s, nan in the last frame."""
    first = np.linalg.norm(np.diff(positions, axis=0), axis=-1).mean(axis=-1) * fps
    return np.pad(first, (0, 1), constant_values=np.nan)


def acceleration(positions: Array, fps: float) -> Array:
    """The joints' mean acceleration (F,) m/s², nan at both ends."""
    second = np.linalg.norm(np.diff(positions, n=2, axis=0), axis=-1).mean(axis=-1) * fps**2
    return np.pad(second, 1, constant_values=np.nan)


def block_seams(frames: int, history: int, block: int) -> Array:
    """The frames (F,) bool beside a change from one generated block to the next; the history's end is one of them."""
    at = np.arange(frames) - history
    return np.asarray((at >= -1) & ((at % block == 0) | (at % block == block - 1)))


def bone_stretch(positions: Array) -> Array:
    """How far bones are from their usual length: (F,), the mean of |length / median - 1| over the bones, in percent."""
    bones = positions[:, 1:] - positions[:, list(PARENTS[1:])]
    lengths = np.linalg.norm(bones, axis=-1)
    usual = np.median(lengths, axis=0)
    there = usual > 1e-6
    return np.asarray(100.0 * np.abs(lengths[:, there] / usual[there] - 1.0).mean(axis=1))


def toes_floating(positions: Array, floor: float) -> Array:
    """1 where the lower toe is more than 8 cm above the floor at the height `floor` m, else 0: (F,)."""
    return (positions[:, TOES, 2].min(axis=1) > floor + FLOATING).astype(float)


def toes_sinking(positions: Array, floor: float) -> Array:
    """1 where a toe is more than 3 cm below the floor at the height `floor` m, else 0: (F,)."""
    return (positions[:, TOES, 2].min(axis=1) < floor - SINKING).astype(float)
