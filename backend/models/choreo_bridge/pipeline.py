"""From a request to a dance or to a score with the choreographic bridge: windows in, windows out, joined to one piece.

It is the published baseline, so it is plain: the dancer stays on the spot; energy and seed change nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from backend.models.choreo_bridge.network import NOTE_ON, Side, load
from backend.models.choreo_bridge.pose_features import BLAZEPOSE, poses
from backend.models.common.inference import choose_accelerator
from backend.music.piano_roll import WINDOW_STEPS, piano_roll_windows, score_from_piano_roll, window_starts
from backend.music.score import STEPS_PER_BEAT, Meter, Score, part_from_notes
from backend.wire.messages import Cancelled, ComposeRequest, DanceRequest
from rigs import Array
from rigs.choreography.beat_tracking import SteadyBeat, estimate_beat
from rigs.easing import smoothstep
from rigs.files import blazepose
from rigs.motion import Motion
from rigs.pose_fitting import fit_motion
from rigs.skeleton import Skeleton

_AT_ONCE = 64
"""Windows between two looks at whether the work was called off."""
_MIDST: Array = np.hanning(WINDOW_STEPS + 2)[1:-1]
"""How much the steps of a window count where windows overlap: little at its ends, so that no bar line is a seam."""

Progress = Callable[[float, str], None]
Ask = Callable[[], bool]


class ChoreoBridgePipeline:
    """The trained bridge on an accelerator."""

    def __init__(self, weights: Path, accelerator: str) -> None:
        self.accelerator = choose_accelerator(accelerator)
        trained = load(weights)
        self.network = trained.network.to(self.accelerator)
        self.body = Skeleton(trained.body.double().numpy())

    def dance(self, request: DanceRequest, progress: Progress, cancelled: Ask) -> Motion:
        """See `Engine.dance`."""
        score = request.score
        made = self.translated(piano_roll_windows(score), "music", "dance", progress, cancelled)
        places, known = overlapped(made, window_starts(score), score.steps)
        progress(1.0, "solving joints")
        begins = score.seconds[:-1][known] - score.seconds[0]
        course = between(begins, places[known], np.arange(request.frames) / request.fps)
        if self.network.config.joints == BLAZEPOSE:
            course = blazepose.joints_from_landmarks(course)
        return standing(fit_motion(course, request.fps, skeleton=self.body))

    def compose(self, request: ComposeRequest, progress: Progress, cancelled: Ask) -> Score:
        """See `Engine.compose`. Of two dancers the first is heard, as the method knows one."""
        dancer = request.dancers[0]
        silent = bars_over(dancer, request.tempo)
        starts = window_starts(silent)
        steps = np.minimum(starts[:, None] + np.arange(WINDOW_STEPS), silent.steps - 1)
        joints = self.network.config.joints
        seen = poses(dancer, silent.seconds[steps.ravel()], joints).reshape(*steps.shape, joints, 3)
        made = self.translated(seen, "dance", "music", progress, cancelled)
        rows, _ = overlapped(made, starts, silent.steps)
        return score_from_piano_roll(rows, silent.seconds, silent.meters, threshold=NOTE_ON, parts=request.parts)

    def translated(self, given: Array, source: Side, target: Side, progress: Progress, cancelled: Ask) -> Array:
        """What the network makes of windows (N, 32, ...) of one side. Raises Cancelled."""
        made = []
        for first in range(0, len(given), _AT_ONCE):
            if cancelled():
                raise Cancelled
            progress(first / len(given), "translating")
            some = torch.from_numpy(given[first : first + _AT_ONCE]).float().to(self.accelerator)
            with torch.no_grad():
                made.append(self.network.translate(some, source, target).double().cpu().numpy())
        return np.concatenate(made)


def overlapped(made: Array, starts: Array, steps: int) -> tuple[Array, Array]:
    """Windows (N, 32, ...) that begin at steps (N,) as one piece (steps, ...), and the steps (steps,) bool they reach.

    Where windows overlap they are averaged; the steps that none reaches are 0.
    """
    whole = np.zeros((steps + WINDOW_STEPS, *made.shape[2:]))
    weights = np.zeros((steps + WINDOW_STEPS, *(1,) * (made.ndim - 2)))
    midst = _MIDST.reshape(-1, *(1,) * (made.ndim - 2))
    for window, start in zip(made, starts, strict=True):
        whole[start : start + WINDOW_STEPS] += midst * window
        weights[start : start + WINDOW_STEPS] += midst
    known = weights.reshape(len(weights), -1)[:steps, 0] > 0.0
    return whole[:steps] / np.where(weights[:steps] > 0.0, weights[:steps], 1.0), known


def between(seconds: Array, values: Array, at: Array) -> Array:
    """Values (N, ...) at rising seconds (N,) on smooth curves through them, at other seconds (F,); the ends hold.

    Cubics whose ends have the slope between their neighbours (Catmull and Rom 1974, in uneven time).
    """
    if len(seconds) == 1:
        return np.repeat(values, len(at), axis=0)
    at = np.clip(at, seconds[0], seconds[-1])
    after = np.clip(np.searchsorted(seconds, at, side="right"), 1, len(seconds) - 1)
    slopes = np.gradient(values, seconds, axis=0)
    shape = (-1, *(1,) * (values.ndim - 1))
    length = (seconds[after] - seconds[after - 1]).reshape(shape)
    t = (at - seconds[after - 1]).reshape(shape) / length
    bend = smoothstep(t)
    leave, arrive = t * (1.0 - t) ** 2 * slopes[after - 1], t * t * (1.0 - t) * slopes[after]
    return np.asarray((1.0 - bend) * values[after - 1] + bend * values[after] + length * (leave - arrive))


def standing(dancer: Motion) -> Motion:
    """The dancer with the lowest joint of each frame on the floor, since the model knows no height above it."""
    lowest = dancer.positions[..., 2].min(axis=1)
    return replace(dancer, root=dancer.root - lowest[:, None] * [0.0, 0.0, 1.0])


def bars_over(dancer: Motion, tempo: float | None) -> Score:
    """Silence in bars of four over a dance, on its own beat or from its first frame on with so many beats a minute.

    What lies before the first beat is a pickup, whose first step is longer or shorter than the rest.
    Raises ValueError where no beat is found.
    """
    beat = _beat(dancer) if tempo is None else SteadyBeat(60.0 / tempo, 0.0)
    step = beat.period / STEPS_PER_BEAT
    pickup = int(beat.first / step)
    steps = pickup + max(1, round((dancer.seconds - beat.first) / step))
    seconds = beat.first + step * (np.arange(steps + 1) - pickup)
    seconds[0] = 0.0
    rest = part_from_notes([], steps)
    meters = (Meter(0, pickup, 16), Meter(pickup)) if pickup else (Meter(0),)
    return Score(rest, rest, rest, seconds, meters)


def _beat(dancer: Motion) -> SteadyBeat:
    try:
        return estimate_beat(dancer)
    except ValueError:
        raise ValueError("tempo: no beat found in the dance, beats a minute expected") from None
