"""Physical plausibility of one dancer's movement, per frame: foot skating, floating, jerk, changing bone lengths."""

import numpy as np
from scipy.signal import butter, sosfiltfilt

from rigs import Array
from rigs.contacts import FEET, TOES, foot_contacts
from rigs.skeleton import BALLS, PARENTS

FLOATING, SINKING = 0.08, 0.03
"""m above the floor from which the lower toe floats, and below it from which a toe sinks."""
_SKATE_HEIGHT = 0.025
"""m above its resting height below which a foot's speed counts as skating."""
_CUTOFF = 6.0
"""Hz, below which people's movement lies."""


def physical_foot_contact(positions: Array, fps: float) -> Array:
    """Physical foot contact score (PFC) of Tseng et al. 2023 (EDGE, 4.1) of each frame: (F,), nan at both ends.

    positions: (F, 29, 3) m.  The pelvis's acceleration (of its vertical part only what points up) over its maximum,
    times the planar movement of the slower joint of each foot, times 10,000. As in the published code the feet's
    movement is in m per frame, not m/s, so values hold for 30 fps alone, and one violent frame lowers all others.
    """
    acceleration = np.diff(positions[:, 0], n=2, axis=0) * fps**2
    acceleration[:, 2] = np.maximum(acceleration[:, 2], 0.0)
    push = np.linalg.norm(acceleration, axis=-1)
    step = np.linalg.norm(np.diff(positions[1:, FEET, :2], axis=0), axis=-1)
    slower = step[:, :2].min(axis=1) * step[:, 2:].min(axis=1)
    return np.pad(1e4 * slower * push / max(push.max(), 1e-9), 1, constant_values=np.nan)


def feet_planted(positions: Array, fps: float) -> Array:
    """1 where a foot rests on the floor, else 0: (F,)."""
    return foot_contacts(positions, fps).any(axis=1).astype(float)


def foot_slide(positions: Array, fps: float) -> Array:
    """Foot sliding: the planar speed of feet in contact with the floor, (F,) cm/s, nan where none is.

    positions: (F, 29, 3) m.  Contacts are those of `rigs.contacts`: low and slower than 0.4 m/s.
    """
    contacts = foot_contacts(positions, fps)
    speed = 100.0 * np.linalg.norm(np.gradient(positions[:, FEET, :2], axis=0), axis=-1) * fps
    count = contacts.sum(axis=1)
    return np.where(count > 0, (speed * contacts).sum(axis=1) / np.maximum(count, 1), np.nan)


def foot_skate(positions: Array, fps: float) -> Array:
    """Foot skating: planar speed of feet near the floor, weighted by height; (F,) cm/s, the mean of both feet.

    Zhang et al. 2018 (mode-adaptive networks, 9.1): speed times 2 - 2^(h / 2.5 cm) for heights h below 2.5 cm. Unlike
    `foot_slide` it counts a foot that slides too fast to be a contact.
    """
    balls = positions[:, BALLS]
    height = np.maximum(balls[..., 2] - np.percentile(balls[..., 2], 5.0, axis=0), 0.0)
    speed = 100.0 * np.linalg.norm(np.gradient(balls[..., :2], axis=0), axis=-1) * fps
    return np.asarray((speed * np.maximum(2.0 - 2.0 ** (height / _SKATE_HEIGHT), 0.0)).mean(axis=1))


def jerk(positions: Array, fps: float) -> Array:
    """Mean jerk of the joints (F,) m/s³, nan at the ends: a measure of smoothness (Flash and Hogan 1985)."""
    third = np.linalg.norm(np.diff(positions, n=3, axis=0), axis=-1).mean(axis=-1) * fps**3
    return np.pad(third, (1, 2), constant_values=np.nan)


def low_pass(positions: Array, fps: float) -> Array:
    """Movement (F, ...) below 6 Hz: a zero-phase Butterworth filter of second order (Winter 2009, 3.4.4.2).

    People's movement lies below it; what mocap has above is mostly noise of the capture.
    """
    return np.asarray(sosfiltfilt(butter(2, _CUTOFF, fs=fps, output="sos"), positions, axis=0))


def speed(positions: Array, fps: float) -> Array:
    """Mean speed of the joints (F,) m/s, nan in the last frame."""
    first = np.linalg.norm(np.diff(positions, axis=0), axis=-1).mean(axis=-1) * fps
    return np.pad(first, (0, 1), constant_values=np.nan)


def acceleration(positions: Array, fps: float) -> Array:
    """Mean acceleration of the joints (F,) m/s², nan at both ends."""
    second = np.linalg.norm(np.diff(positions, n=2, axis=0), axis=-1).mean(axis=-1) * fps**2
    return np.pad(second, 1, constant_values=np.nan)


def block_seams(frames: int, history: int, block: int) -> Array:
    """Frames (F,) bool on either side of a change from one generated block to the next, the history's end included."""
    offset = np.arange(frames) - history
    return np.asarray((offset >= -1) & ((offset % block == 0) | (offset % block == block - 1)))


def bone_stretch(positions: Array) -> Array:
    """Deviation of bone lengths from their median: (F,) percent, the mean of |length / median - 1| over the bones."""
    bones = positions[:, 1:] - positions[:, list(PARENTS[1:])]
    lengths = np.linalg.norm(bones, axis=-1)
    median = np.median(lengths, axis=0)
    rigid = median > 1e-6
    return np.asarray(100.0 * np.abs(lengths[:, rigid] / median[rigid] - 1.0).mean(axis=1))


def toes_floating(positions: Array, floor: float) -> Array:
    """1 where the lower toe is more than 8 cm above the floor at the height `floor` m, else 0: (F,)."""
    return (positions[:, TOES, 2].min(axis=1) > floor + FLOATING).astype(float)


def toes_sinking(positions: Array, floor: float) -> Array:
    """1 where a toe is more than 3 cm below the floor at the height `floor` m, else 0: (F,)."""
    return (positions[:, TOES, 2].min(axis=1) < floor - SINKING).astype(float)
