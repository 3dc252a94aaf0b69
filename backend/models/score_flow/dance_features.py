"""What the composer sees of a dance: two poses to each sixteenth of two bars, from where the dancer's own pelvis is."""

import numpy as np

from backend.models.common.world_frame import mean_leg_length
from backend.models.score_flow.bar_features import BAR_STEPS
from rigs import Array, rotations
from rigs.contacts import FEET, foot_contacts
from rigs.motion import Motion, resample
from rigs.skeleton import INDEX

FPS = 30.0
WINDOW_POSES = 4 * BAR_STEPS
"""In a window of two bars."""
_SEEN = [INDEX[name] for name in ("pelvis", "jaw", "left_wrist", "right_wrist", "left_knee", "right_knee", "left_ankle",
                                  "right_ankle", "left_foot", "right_foot")]  # fmt: skip
_LEG = 0.8
"""m of the leg of the dancer as whom all others are seen."""
POSE_DIM = 6 * len(_SEEN) + 4 + 3
"""Numbers of a pose: places, velocities, contacts of the feet, and the speeds of feet, hands and the whole."""
SPEED_INDEX = POSE_DIM - 1
"""The last of them: the mean speed of all joints in m/s."""


def pose_features(motion: Motion) -> Array:
    """(F, TRACK) float32 at 30 fps: a dance pose by pose, as seen from the pelvis's place on the floor and heading."""
    motion = resample(motion, FPS)
    positions = motion.positions * (_LEG / mean_leg_length(motion.skeleton.offsets))
    velocities = np.gradient(positions, axis=0) * FPS if len(motion) > 1 else np.zeros_like(positions)
    away = rotations.about_z(-rotations.heading(motion.rotations[:, 0]))[:, None]
    floor = positions[:, :1] * np.array([1.0, 1.0, 0.0])
    places = rotations.rotate(away, (positions - floor)[:, _SEEN])
    moving = rotations.rotate(away, velocities[:, _SEEN])
    speeds = np.linalg.norm(velocities, axis=-1)
    hands = speeds[:, [INDEX["left_wrist"], INDEX["right_wrist"]]]
    rows = [
        places.reshape(len(motion), -1),
        moving.reshape(len(motion), -1),
        foot_contacts(positions, FPS),
        np.stack([speeds[:, FEET].mean(axis=1), hands.mean(axis=1), speeds.mean(axis=1)], axis=1),
    ]
    return np.concatenate(rows, axis=1).astype(np.float32)


def pose_window(track: Array, seconds: Array) -> Array:
    """(POSES, TRACK): the poses at the moments of a window; before and after the dance its first and last are held.

    seconds: (33,) s at which the steps of two bars begin, and the last ends.
    """
    moments = np.interp(np.arange(WINDOW_POSES) / 2.0, np.arange(len(seconds)), seconds)
    at = np.clip(moments * FPS, 0.0, len(track) - 1.0)
    before = np.minimum(at.astype(int), max(len(track) - 2, 0))
    after = np.minimum(before + 1, len(track) - 1)
    part = (at - before)[:, None].astype(np.float32)
    return track[before] * (1.0 - part) + track[after] * part


def window_times(seconds: Array, bar: int) -> Array:
    """(33,) s of the steps of a bar, which is the second, and of the one before it.

    seconds: (S + 1,) s of all steps.  bar: the step it begins with. Outside the score time goes on as at its ends.
    """
    steps = np.arange(bar - BAR_STEPS, bar + BAR_STEPS + 1)
    last = len(seconds) - 1
    first, final = seconds[min(BAR_STEPS, last)] - seconds[0], seconds[-1] - seconds[max(last - BAR_STEPS, 0)]
    before = np.minimum(steps, 0) * first / min(BAR_STEPS, last)
    after = np.maximum(steps - last, 0) * final / min(BAR_STEPS, last)
    inside: Array = seconds[np.clip(steps, 0, last)] + before + after
    return inside
