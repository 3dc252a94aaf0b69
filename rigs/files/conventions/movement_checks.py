"""Checks of a movement: none at all, a root path that is missing, jumps or is in another unit, angles in radians."""

import numpy as np

from rigs import Array, rotations
from rigs.motion import Motion
from rigs.skeleton import both_sides

_STILL = 1e-4, np.radians(0.01)
"""Metres and angle that a dancer who holds one pose may differ by."""
_SLIDE = 0.05
"""m that the feet of a dancer without a path slide at least."""
_JUMP, _JUMP_SPEED = 0.3, 15.0
"""m and m/s of the pelvis from one frame to the next that no dancer reaches."""
_FEET = both_sides("ankle", "foot")
_UNIT_RATIOS = (1000.0, 100.0, 1.0 / 0.0254, 30.48, 25.4, 10.0)
_PATH_SCALES = (*_UNIT_RATIOS, *(1.0 / ratio for ratio in _UNIT_RATIOS))
"""Ratios between two units of length, larger than those of bodies."""
_PELVIS_HEIGHT = 0.25, 0.5, 1.3, 3.0
"""Mean height of the pelvis, in its height at rest: no dancer's beyond the outer two, one's within the inner two."""
_MAX_SLIDE_RATIO = 0.5
"""Speed of the standing foot in the right scale, in its speed in the wrong one."""
_MIN_SPREAD = 0.5
"""Range of the angle that moves most, below which nobody dances in degrees or in radians."""
_SPEED_WINDOW = 0.1
"""Seconds over which a speed is measured."""


def stillness_warnings(motion: Motion, name: str) -> tuple[str, ...]:
    """A warning about a file's dancer who never moves, as where a pose was exported in place of the movement."""
    if len(motion) < 2 or np.ptp(motion.root, axis=0).max() > _STILL[0]:
        return ()
    if rotations.angle_between(motion.rotations, motion.rotations[:1]).max() > _STILL[1]:
        return ()
    return (f"{name}: no movement found, the dancer holds one pose in all {len(motion)} frames",)


def path_warnings(motion: Motion, name: str) -> tuple[str, ...]:
    """A warning about a file's dancer whose pelvis never moves though the feet do, as in exports without the path."""
    slide = np.ptp(motion.positions[:, _FEET], axis=0).min(axis=0).max() if len(motion) > 1 else 0.0
    if slide < _SLIDE or np.ptp(motion.root, axis=0).max() > _STILL[0]:
        return ()
    return (f"{name}: no path found, the pelvis stays in one place and the feet slide",)


def jump_warnings(motion: Motion, name: str) -> tuple[str, ...]:
    """A warning about a file's dancer who is elsewhere from one frame to the next, as where a capture lost it."""
    steps = np.linalg.norm(np.diff(motion.root, axis=0), axis=-1)
    jumps = np.flatnonzero((steps > _JUMP) & (steps * motion.fps > _JUMP_SPEED))
    if not len(jumps):
        return ()
    first = f"the pelvis jumps {steps[jumps[0]]:.1f} m from frame {jumps[0] + 1} to {jumps[0] + 2}"
    more = ("", ", and once more")[len(jumps) - 1] if len(jumps) < 3 else f", and {len(jumps) - 1} times more"
    return (f"{name}: {first}{more}",)


def path_scale(motion: Motion) -> float:
    """The factor by which the pelvis's path has to be multiplied, 1.0 where it fits the body.

    Another one is found where the pelvis's height over the world's floor is no dancer's, and is with a ratio of two
    units, and where the foot that stands slides clearly less with it.
    """
    height = float(motion.root[:, 2].mean() / motion.skeleton.offsets[0, 2])
    if _PELVIS_HEIGHT[0] < height < _PELVIS_HEIGHT[3]:
        return 1.0
    fitting = [scale for scale in _PATH_SCALES if _PELVIS_HEIGHT[1] < scale * height < _PELVIS_HEIGHT[2]]
    if not fitting:
        return 1.0
    best = min(fitting, key=lambda scale: abs(np.log(scale * height)))
    return best if _slide(motion, best) < _MAX_SLIDE_RATIO * _slide(motion, 1.0) else 1.0


def _slide(motion: Motion, scale: float) -> float:
    """Median speed in m/s of the slower foot with the pelvis's path scaled."""
    feet = motion.positions[:, _FEET] + (scale - 1.0) * motion.root[:, None]
    frames = max(1, round(motion.fps * _SPEED_WINDOW))
    if len(feet) <= frames:
        return 0.0
    speeds = np.linalg.norm(feet[frames:] - feet[:-frames], axis=-1) * (motion.fps / frames)
    return float(np.median(speeds.min(axis=-1)))


def may_be_radians(angles: Array, path: Array) -> bool:
    """Whether angles (F, C) meant as degrees are as small as radians, though the dancer moves on `path` (F, 3)."""
    if not angles.size or np.abs(angles).max() > 1.01 * 2.0 * np.pi:
        return False
    return bool(np.ptp(angles, axis=0).max() > _MIN_SPREAD and np.ptp(path, axis=0).max() > _STILL[0])
