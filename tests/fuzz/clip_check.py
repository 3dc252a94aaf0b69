"""What a reader of movement must give: numbers that a dancer can have, and warnings of one line."""

import numpy as np

from rigs.files import Clip
from tests.fuzz.trial import is_one_line

_MAX_WARNINGS = 50


class WrongValue(Exception):
    """A reader accepted a file and gave what no one can use."""


def check_clip(clip: Clip) -> None:
    """Raise WrongValue for a clip with numbers that no dancer has, or a warning that is not one line of it."""
    for motion in clip.motions:
        arrays = (motion.root, motion.rotations, motion.skeleton.offsets, motion.positions)
        if not all(np.isfinite(array).all() for array in arrays):
            raise WrongValue("numbers that are not finite")
        if not np.allclose(np.linalg.norm(motion.rotations, axis=-1), 1.0, atol=1e-3):
            raise WrongValue("rotations that are no unit quaternions")
        if len(motion) < 1 or not 1.0 <= motion.fps <= 10_000.0:
            raise WrongValue(f"{len(motion)} frames at {motion.fps} a second")
    check_warnings(clip.warnings)
    if not clip.motions:
        raise WrongValue("no dancer")


def check_warnings(warnings: tuple[str, ...]) -> None:
    """Raise WrongValue for warnings that cannot be printed as a line each, or that are too many to read."""
    for warning in warnings:
        if not is_one_line(warning):
            raise WrongValue(f"a warning that is not one printable line: {warning!r}")
    if len(warnings) > _MAX_WARNINGS:
        raise WrongValue(f"{len(warnings)} warnings")
