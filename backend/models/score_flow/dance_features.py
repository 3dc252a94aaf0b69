"""Features of a dance for the composer: a grid of bars on the dancers' beats, and poses in the pelvis's floor frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.models.common.world_frame import mean_leg_length
from backend.models.score_flow.bar_features import BAR_STEPS
from backend.music.score import STEPS_PER_BEAT
from rigs import Array, rotations
from rigs.choreography.beat_tracking import track_beats
from rigs.contacts import FEET, foot_contacts
from rigs.motion import Motion, resample
from rigs.skeleton import INDEX

FPS = 30.0
WINDOW_POSES = 4 * BAR_STEPS
"""Poses in a window of two bars: two per sixteenth."""
_JOINTS = [INDEX[name] for name in ("pelvis", "jaw", "left_wrist", "right_wrist", "left_knee", "right_knee",
                                    "left_ankle", "right_ankle", "left_foot", "right_foot")]  # fmt: skip
_REFERENCE_LEG = 0.8
"""m of leg length to which all dancers are scaled."""
POSE_DIM = 6 * len(_JOINTS) + 4 + 3
"""Features of a pose: joint positions and velocities, foot contacts, and mean speeds of feet, hands and all joints."""
SPEED_INDEX = POSE_DIM - 1
"""Index of the last feature: mean speed of all joints in m/s."""
_MIN_BEATS, _MAX_BEATS = 4, 8
"""Dance beats in a bar."""


@dataclass(frozen=True)
class BarGrid:
    """Grid of S sixteenths of music over a dance.

    seconds: (S + 1,) s, step times, the first at 0, and the end of the last.
    pickup: steps of the first bar that lie before the first step.
    """

    seconds: Array
    pickup: int

    @property
    def bar_starts(self) -> Array:
        """(B,) steps at which bars begin, whole or not; that of a pickup is negative."""
        return np.arange(-self.pickup, len(self.seconds) - 1, BAR_STEPS)


def fit_bar_grid(dancers: Sequence[Motion], tempo: float | None, bar_seconds: float) -> BarGrid:
    """Fit a grid of bars of four quarters to the beats of one dancer or several, by beat tracking.

    tempo: quarters a minute of an even grid, which takes only its phase from the dancers. None follows every dance
    beat, four or eight to a bar, whichever makes bars closer to `bar_seconds`. Raises ValueError without a beat.
    """
    end = min(dancer.seconds for dancer in dancers)
    beats = track_beats(*dancers, period=None if tempo is None else 60.0 / tempo)
    times, downbeat, steps_per_beat = beats.times, beats.phrase_start, STEPS_PER_BEAT
    if tempo is not None:
        times, downbeat = _even_beats(times, downbeat, 60.0 / tempo)
    period = float(np.median(np.diff(times)))
    if tempo is None and abs(np.log(_MAX_BEATS * period / bar_seconds)) < abs(
        np.log(_MIN_BEATS * period / bar_seconds)
    ):
        steps_per_beat = STEPS_PER_BEAT // 2
    before = np.arange(-int(np.ceil(max(times[0], 0.0) / period)) - 1, 0) * period + times[0]
    after = np.arange(1, int(np.ceil(max(end - times[-1], 0.0) / period)) + 2) * period + times[-1]
    all_beats = np.concatenate([before, times, after])
    step_numbers = np.arange((len(all_beats) - 1) * steps_per_beat + 1)
    steps = np.interp(step_numbers / steps_per_beat, np.arange(len(all_beats)), all_beats)
    first, last = int(np.abs(steps).argmin()), int(np.abs(steps - end).argmin())
    seconds = steps[first : max(last, first + 1) + 1].copy()
    seconds[0] = 0.0
    return BarGrid(seconds, (first - steps_per_beat * (len(before) + downbeat)) % BAR_STEPS)


def _even_beats(times: Array, downbeat: int, period: float) -> tuple[Array, int]:
    """Even beats with the mean phase of the beats `times` (B,), and the number of the one nearest to the downbeat."""
    phase = np.angle(np.exp(2j * np.pi * times / period).mean()) / (2.0 * np.pi) * period
    first = np.rint((times[0] - phase) / period)
    even = phase + period * (first + np.arange(max(len(times), 2)))
    return even, int(np.rint((times[min(downbeat, len(times) - 1)] - even[0]) / period))


def pose_features(motion: Motion) -> Array:
    """Features (F, POSE_DIM) float32 of a dance at 30 fps, in the floor frame of each pose's pelvis."""
    motion = resample(motion, FPS)
    positions = motion.positions * (_REFERENCE_LEG / mean_leg_length(motion.skeleton.offsets))
    velocities = np.gradient(positions, axis=0) * FPS if len(motion) > 1 else np.zeros_like(positions)
    to_local = rotations.about_z(-rotations.heading(motion.rotations[:, 0]))[:, None]
    origin = positions[:, :1] * np.array([1.0, 1.0, 0.0])
    local_positions = rotations.rotate(to_local, (positions - origin)[:, _JOINTS])
    local_velocities = rotations.rotate(to_local, velocities[:, _JOINTS])
    speeds = np.linalg.norm(velocities, axis=-1)
    hands = speeds[:, [INDEX["left_wrist"], INDEX["right_wrist"]]]
    features = [
        local_positions.reshape(len(motion), -1),
        local_velocities.reshape(len(motion), -1),
        foot_contacts(positions, FPS),
        np.stack([speeds[:, FEET].mean(axis=1), hands.mean(axis=1), speeds.mean(axis=1)], axis=1),
    ]
    return np.concatenate(features, axis=1).astype(np.float32)


def pose_window(features: Array, seconds: Array) -> Array:
    """Interpolate pose features (F, POSE_DIM) to a window (WINDOW_POSES, POSE_DIM); edges are held outside the dance.

    seconds: (33,) s, step times of two bars and the end of the last step.
    """
    times = np.interp(np.arange(WINDOW_POSES) / 2.0, np.arange(len(seconds)), seconds)
    frames = np.clip(times * FPS, 0.0, len(features) - 1.0)
    before = np.minimum(frames.astype(int), max(len(features) - 2, 0))
    after = np.minimum(before + 1, len(features) - 1)
    weight = (frames - before)[:, None].astype(np.float32)
    return features[before] * (1.0 - weight) + features[after] * weight


def pose_windows(features: Sequence[Array], seconds: Array, starts: Array) -> Array:
    """Windows (B, D, WINDOW_POSES, POSE_DIM) of D dancers' pose features over each bar and the one before.

    seconds: (S + 1,) s, times of all steps.  starts: (B,) steps at which the bars begin.
    """
    times = window_times(seconds, starts)
    return np.stack([[pose_window(poses, bar_times) for poses in features] for bar_times in times])


def window_times(seconds: Array, starts: Array) -> Array:
    """Step times (B, 33) s of windows: the bars that begin at the steps `starts` (B,) and the ones before them.

    seconds: (S + 1,) s, times of all steps, extrapolated with the tempo of the first and of the last bar.
    """
    steps = starts[:, None] + np.arange(-BAR_STEPS, BAR_STEPS + 1)
    last = len(seconds) - 1
    first_bar = seconds[min(BAR_STEPS, last)] - seconds[0]
    last_bar = seconds[-1] - seconds[max(last - BAR_STEPS, 0)]
    before = np.minimum(steps, 0) * first_bar / min(BAR_STEPS, last)
    after = np.maximum(steps - last, 0) * last_bar / min(BAR_STEPS, last)
    times: Array = seconds[np.clip(steps, 0, last)] + before + after
    return times
