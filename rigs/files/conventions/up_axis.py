"""Detect which of the six axes points up from the joint positions of a whole clip, with a confidence.

The dancer stands along the true axis (feet below pelvis below head), is in balance over what it rests on, what it rests
on stays in place on one floor, and where nothing rests it falls freely. A push-up or a floor roll rests on the floor
along the true axis alone, although nobody stands along it. What the file states, and an upright rest pose, decide where
the movement does not.
"""

from dataclasses import dataclass

import numpy as np

from rigs import Array, rotations
from rigs.characters.body_measures import body_height
from rigs.characters.center_of_mass import center_of_mass, free_fall
from rigs.files.conventions.axes import UP_AXES
from rigs.skeleton import ANKLES, HIPS, INDEX, both_sides

_ADULT_HEIGHT = 1.7
"""m to which bodies are scaled here, so that the lengths and speeds below hold for all."""
_RATE, _MAX_SAMPLES = 30.0, 2000
"""Frames a second at which speeds are measured, and the number of frames, spread over the clip, that are looked at."""
_UPRIGHT = 0.7
"""Cosine of the angle, 45 degrees, within which trunk and legs of an upright body follow the vertical."""
_REST_UPRIGHT = 0.8
_NEAR_FLOOR, _FLOOR_RANGE = 0.12, 0.08
"""m above the lowest joint up to which joints bear weight, and within which the supports of one floor lie."""
_FLOOR_PERCENTILE = 10.0
_RESTING_SPEED = 0.3
"""m/s below which a support rests."""
_REACH = 0.12
"""m by which a body reaches beyond its joints: half a foot's length, a hand's breadth."""
_CENTERED = 0.02
"""m that the pelvis moves at most along two axes or all in a capture without a path, which tells no floor."""

UPRIGHT_REST_POSE = 6.0
"""Log-odds of the axis along which the rest pose stands."""
STATED, CONVENTIONAL, UNUSUAL = 4.0, 2.0, -2.0
"""Log-odds of an axis that a file or its format states, of those that such files mostly have, and of the others."""
_STANDING, _BALANCED, _BALANCED_UNGROUNDED = 5.0, 2.0, 6.0
"""Log-odds of an axis along which the dancer stands in all frames, and is in balance where there is a floor or none."""
_EXPLAINED, _UNEXPLAINED = 4.0, 0.05
"""Log-odds of an axis for each factor e by which it explains more frames, and a fraction of frames that is chance."""
_MAX_CLIMB = 3.0
"""m that the pelvis travels up and down at most; along other axes nothing is borne by a floor."""
_GROUNDED = 0.25
"""Fraction of frames that some axis explains if the capture has a floor and a path at all."""
_OVERRULING, _MORE_OFTEN = 0.3, 3.0
"""Fraction of frames in which a dancer stands along an axis that may overrule what the file states, and how many times
more often than along the stated one."""

_CROWN = INDEX["head"]
_HEAD = [INDEX["jaw"], _CROWN]
_CROWN_HEIGHT = 0.65
"""How far the crown is above the shoulders, in lengths of the trunk, where the file has no head."""
_HANDS, _WRISTS, _SHOULDERS = both_sides("wrist", "thumb", "middle"), both_sides("wrist"), both_sides("shoulder")
_ANGLES = np.linspace(0.0, 2.0 * np.pi, 16, endpoint=False)
_COMPASS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=-1)
"""Directions (16, 2) along the floor."""


@dataclass(frozen=True)
class UpAxis:
    """The detected up axis.

    axis: one of `UP_AXES`.  confidence: 0 to 1, that it is this one.
    standing: by axis, the fraction of frames in which the dancer stands along it.
    explained: by axis, the fraction of frames in which it is in balance over supports at rest on one floor, or falls.
    grounded: whether the capture has a floor and a path, without which `explained` says nothing.
    """

    axis: str
    confidence: float
    standing: dict[str, float]
    explained: dict[str, float]
    grounded: bool

    @property
    def most_upright(self) -> str:
        """The axis along which the dancer stands most often; `axis` if it stands along none."""
        best = max(self.standing, key=lambda axis: self.standing[axis])
        return best if self.standing[best] > 0.0 else self.axis


def detect_up_axis(positions: Array, fps: float, prior: dict[str, float]) -> UpAxis:
    """Detect the up axis of a dancer.

    positions: (F, 29, 3) in any unit, nan for joints that the file lacks.  fps: frames a second.
    prior: log-odds of axes by what the file says; others have 0. An axis without the greatest prior is chosen only if
    the dancer stands along it.
    """
    windows, rate = _sample_windows(positions, fps)
    resting = np.linalg.norm(windows[:, 4] - windows[:, 2], axis=-1) * (rate / 2.0) < _RESTING_SPEED
    falling = free_fall(windows, rate)
    standing, balanced, explained = {}, {}, {}
    for axis in UP_AXES:
        up = direction(axis)
        supports = _supports(windows, up)
        borne = _on_floor(windows, up) & _in_balance(windows, up, supports & resting)
        standing[axis] = float(_stands(windows, up).mean())
        balanced[axis] = float(_in_balance(windows, up, supports).mean())
        climbs = np.ptp(windows[:, :, 0] @ up) < _MAX_CLIMB
        explained[axis] = float((borne | (falling @ up < -_UPRIGHT)).mean()) if climbs else 0.0
    grounded = not _is_in_place(windows) and max(explained.values()) >= _GROUNDED
    scores = np.array([prior.get(axis, 0.0) + _STANDING * standing[axis] for axis in UP_AXES])
    scores += (_BALANCED if grounded else _BALANCED_UNGROUNDED) * np.array([balanced[axis] for axis in UP_AXES])
    if grounded:
        scores += _EXPLAINED * np.log(np.array([explained[axis] for axis in UP_AXES]) + _UNEXPLAINED)
    odds = np.exp(scores - scores.max())
    greatest = max(prior.values(), default=0.0)
    stated = [axis for axis in UP_AXES if prior.get(axis, 0.0) == greatest]
    enough = max(_OVERRULING, _MORE_OFTEN * max(standing[axis] for axis in stated)) if len(stated) == 1 else 0.0
    possible = [standing[axis] >= enough or axis in stated for axis in UP_AXES]
    best = int(np.argmax(np.where(possible, odds, -1.0)))
    return UpAxis(UP_AXES[best], float(odds[best] / odds.sum()), standing, explained, grounded)


def rest_pose_axis(rest: Array) -> str | None:
    """The axis along which a rest pose (29, 3) stands with straight legs, or None if it is no upright body."""
    trunk, legs = _trunk_and_legs(rest[None])
    alignment = {axis: float(min(trunk[0] @ direction(axis), legs[0] @ direction(axis))) for axis in UP_AXES}
    best = max(alignment, key=lambda axis: alignment[axis])
    return best if alignment[best] > _REST_UPRIGHT else None


def direction(axis: str) -> Array:
    """The unit vector (3,) of one of `UP_AXES`."""
    return np.eye(3)["XYZ".index(axis[-1])] * (-1.0 if axis.startswith("-") else 1.0)


def _sample_windows(positions: Array, fps: float) -> tuple[Array, float]:
    """Windows (W, 7, 29, 3) of frames around samples of the clip, in metres of an adult, and their frame rate."""
    stride = max(1, round(fps / _RATE))
    frames = np.arange(0, len(positions), stride)
    centers = np.unique(np.linspace(0, len(frames) - 1, _MAX_SAMPLES).round().astype(int))
    around = np.clip(centers[:, None] + np.arange(-3, 4), 0, len(frames) - 1)
    windows = np.asarray(positions[frames[around]], dtype=float)
    available = tuple(j if np.isfinite(windows[:, 3, j]).all() else -1 for j in range(windows.shape[2]))
    height = body_height(available, windows[:, 3].swapaxes(0, 1))
    if np.isnan(windows[:, :, _HEAD]).any(axis=(0, 1, 3)).all():
        shoulders, hips = (windows[:, :, pair].mean(axis=2) for pair in (_SHOULDERS, HIPS))
        windows[:, :, _CROWN] = shoulders + _CROWN_HEIGHT * (shoulders - hips)
    return windows * (_ADULT_HEIGHT / max(height, 1e-9)), fps / stride


def _is_in_place(windows: Array) -> bool:
    """Whether the capture has no path: the pelvis hardly moves along two axes or all."""
    extent = np.ptp(windows[:, :, 0].reshape(-1, 3), axis=0)
    return len(windows) > 1 and int(np.sum(extent < _CENTERED)) >= 2


def _trunk_and_legs(joints: Array) -> tuple[Array, Array]:
    """Unit vectors (F, 3) up the trunk and up the legs of `joints` (F, 29, 3)."""
    shoulders, hips, ankles = (joints[:, pair].mean(axis=1) for pair in (_SHOULDERS, HIPS, ANKLES))
    return rotations.normalize(shoulders - hips), rotations.normalize(hips - ankles)


def _stands(windows: Array, up: Array) -> Array:
    """The frames (W,) in which trunk and legs are upright, and not both hands beyond the head, as in a handstand."""
    joints = windows[:, 3]
    trunk, legs = _trunk_and_legs(joints)
    heights = joints @ up
    neck = heights[:, _SHOULDERS].mean(axis=1)
    trunk_length = neck - heights[:, HIPS].mean(axis=1)
    on_hands = heights[:, _WRISTS].min(axis=1) > neck + 0.4 * trunk_length
    return (np.minimum(trunk @ up, legs @ up) > _UPRIGHT) & ~on_hands


def _supports(windows: Array, up: Array) -> Array:
    """The joints (W, 29) near the lowest point of the body; the head bears weight only beside a hand."""
    heights = windows[:, 3] @ up
    near = heights - np.nanmin(heights, axis=1, keepdims=True) < _NEAR_FLOOR
    near[:, _HEAD] &= near[:, _HANDS].any(axis=1, keepdims=True)
    return np.asarray(near)


def _in_balance(windows: Array, up: Array, supports: Array) -> Array:
    """The frames (W,) in which the centre of mass is over the hull of the supports (W, 29), widened by a foot."""
    floor_axes = np.flatnonzero(np.abs(up) < 0.5)
    reach = windows[:, 3][..., floor_axes] @ _COMPASS.T
    hull = np.where(supports[..., None], reach, -np.inf).max(axis=1) + _REACH
    center = center_of_mass(windows[:, 3])[:, floor_axes] @ _COMPASS.T
    return np.asarray((center <= hull).all(axis=1))


def _on_floor(windows: Array, up: Array) -> Array:
    """The frames (W,) in which the lowest joint is on the floor that most frames share."""
    lowest = np.nanmin(windows[:, 3] @ up, axis=1)
    return np.asarray(np.abs(lowest - np.percentile(lowest, _FLOOR_PERCENTILE)) < _FLOOR_RANGE)
