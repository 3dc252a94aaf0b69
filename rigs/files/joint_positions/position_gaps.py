"""Gaps in captured joint positions, filled with a warning."""

from pathlib import Path

from rigs import Array, pose_fitting


def fill_position_gaps(path: Path, positions: Array, who: str = "") -> tuple[Array, tuple[str, ...]]:
    """Interpolate the gaps of one dancer's joint positions (F, J, 3), nan or zeros; says in how many frames.

    who: the dancer, for the warning, where the file has several.
    """
    filled, gaps = pose_fitting.fill_gaps(positions)
    if not gaps:
        return filled, ()
    return filled, (f"{path.name}: {who or 'joints'} not detected in {gaps} of {len(positions)} frames, interpolated",)
