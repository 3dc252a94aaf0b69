"""choreo-bridge's pipeline: translates a request's windows of two bars and joins them to one dance or score.

It is a baseline as published: the dancer stays on the spot, and energy and seed have no effect.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from backend.models.choreo_bridge.pose_features import BLAZEPOSE, root_relative_poses
from backend.models.choreo_bridge.trained import NOTE_ON, Modality, TrainedChoreoBridge
from backend.music.piano_roll import WINDOW_STEPS, piano_roll_windows, score_from_piano_roll, window_starts
from backend.music.score import STEPS_PER_BEAT, Meter, Score, part_from_notes
from backend.wire.messages import Cancelled, ComposeRequest, DanceRequest
from rigs import Array
from rigs.choreography.beat_tracking import SteadyBeat, estimate_beat
from rigs.easing import smoothstep
from rigs.files.joint_positions import blazepose
from rigs.motion import Motion
from rigs.pose_fitting import fit_motion
from rigs.skeleton import Skeleton

_BATCH = 64
"""Windows translated at once, between two checks for cancellation."""
_CROSSFADE: Array = np.hanning(WINDOW_STEPS + 2)[1:-1]
"""Weight of each step of a window where windows overlap: small at its ends, so that bar lines are no seams."""

Progress = Callable[[float, str], None]


class ChoreoBridgePipeline:
    """Pipeline of choreo-bridge: generates dance for music, and music for dance."""

    def __init__(self, weights: Path, accelerator: str) -> None:
        self.network = TrainedChoreoBridge.load(weights, accelerator)
        self.body = Skeleton(self.network.body.astype(np.float64))

    def dance(self, request: DanceRequest, progress: Progress, cancelled: Callable[[], bool]) -> Motion:
        """Generate a dance to a score, see `Engine.dance`. Raises Cancelled."""
        score = request.score
        generated = self.translate(piano_roll_windows(score), "music", "dance", progress, cancelled)
        poses, covered = overlap_add(generated, window_starts(score), score.steps)
        progress(1.0, "fitting joint rotations")
        onsets = score.seconds[:-1][covered] - score.seconds[0]
        positions = interpolate_catmull_rom(onsets, poses[covered], np.arange(request.frames) / request.fps)
        if self.network.joints == BLAZEPOSE:
            positions = blazepose.joints_from_landmarks(positions)
        return ground(fit_motion(positions, request.fps, skeleton=self.body))

    def compose(self, request: ComposeRequest, progress: Progress, cancelled: Callable[[], bool]) -> Score:
        """Compose music for the first dancer of a request, see `Engine.compose`. Raises Cancelled."""
        dancer = request.dancers[0]
        silent = silent_score(dancer, request.tempo)
        starts = window_starts(silent)
        steps = np.minimum(starts[:, None] + np.arange(WINDOW_STEPS), silent.steps - 1)
        joints = self.network.joints
        poses = root_relative_poses(dancer, silent.seconds[steps.ravel()], joints).reshape(*steps.shape, joints, 3)
        generated = self.translate(poses, "dance", "music", progress, cancelled)
        rows, _ = overlap_add(generated, starts, silent.steps)
        return score_from_piano_roll(rows, silent.seconds, silent.meters, threshold=NOTE_ON, parts=request.parts)

    def translate(
        self, windows: Array, source: Modality, target: Modality, progress: Progress, cancelled: Callable[[], bool]
    ) -> Array:
        """Translate windows (N, 32, ...) of one modality to the other, in batches. Raises Cancelled."""
        translated = []
        for first in range(0, len(windows), _BATCH):
            if cancelled():
                raise Cancelled
            progress(first / len(windows), "translating")
            batch = windows[first : first + _BATCH]
            translated.append(self.network.translate(batch, source, target).astype(np.float64))
        return np.concatenate(translated)


def overlap_add(windows: Array, starts: Array, steps: int) -> tuple[Array, Array]:
    """Join windows (N, 32, ...) that start at steps (N,) by weighted overlap-add: (steps, ...), and (steps,) covered.

    Where windows overlap they are averaged; the steps that none covers are 0.
    """
    whole = np.zeros((steps + WINDOW_STEPS, *windows.shape[2:]))
    weights = np.zeros((steps + WINDOW_STEPS, *(1,) * (windows.ndim - 2)))
    fade = _CROSSFADE.reshape(-1, *(1,) * (windows.ndim - 2))
    for window, start in zip(windows, starts, strict=True):
        whole[start : start + WINDOW_STEPS] += fade * window
        weights[start : start + WINDOW_STEPS] += fade
    covered = weights.reshape(len(weights), -1)[:steps, 0] > 0.0
    return whole[:steps] / np.where(weights[:steps] > 0.0, weights[:steps], 1.0), covered


def interpolate_catmull_rom(seconds: Array, values: Array, at: Array) -> Array:
    """Interpolate values (N, ...) at rising seconds (N,) at other seconds (F,) by Catmull-Rom splines; the ends hold.

    Cubic Hermite curves whose slopes come from the neighbours (Catmull and Rom 1974), in uneven time.
    """
    if len(seconds) == 1:
        return np.repeat(values, len(at), axis=0)
    slopes = np.gradient(values, seconds, axis=0)
    at = np.clip(at, seconds[0], seconds[-1])
    before = np.clip(np.searchsorted(seconds, at, side="right") - 1, 0, len(seconds) - 2)
    length = (seconds[before + 1] - seconds[before]).reshape(-1, *(1,) * (values.ndim - 1))
    t = (at - seconds[before]).reshape(length.shape) / length
    start, end = values[before], values[before + 1]
    tangents = (1.0 - t) ** 2 * t * slopes[before] - (1.0 - t) * t**2 * slopes[before + 1]
    return np.asarray(start + smoothstep(t) * (end - start) + length * tangents)


def ground(dancer: Motion) -> Motion:
    """Put the lowest joint of each frame on the floor: the model's poses are root-relative, without a height."""
    lowest = dancer.positions[..., 2].min(axis=1)
    return replace(dancer, root=dancer.root - lowest[:, None] * [0.0, 0.0, 1.0])


def silent_score(dancer: Motion, tempo: float | None) -> Score:
    """An empty score in 4/4 over a dance, on its estimated beat or from its first frame on at so many beats a minute.

    What lies before the first beat is a pickup, whose first step is longer or shorter than the rest.
    Raises ValueError where no beat is found.
    """
    beat = _estimate_beat(dancer) if tempo is None else SteadyBeat(60.0 / tempo, 0.0)
    step = beat.period / STEPS_PER_BEAT
    pickup = int(beat.first / step)
    steps = pickup + max(1, round((dancer.seconds - beat.first) / step))
    seconds = beat.first + step * (np.arange(steps + 1) - pickup)
    seconds[0] = 0.0
    rest = part_from_notes([], steps)
    meters = (Meter(0, pickup, 16), Meter(pickup)) if pickup else (Meter(0),)
    return Score(rest, rest, rest, seconds, meters)


def _estimate_beat(dancer: Motion) -> SteadyBeat:
    try:
        return estimate_beat(dancer)
    except ValueError:
        raise ValueError("tempo: no beat found in the dance, beats a minute expected") from None
