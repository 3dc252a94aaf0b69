"""Formatter for the text of BVH files."""

import numpy as np

from rigs import Array
from rigs.files.bvh.bvh_parser import Bvh


def format_bvh(bvh: Bvh) -> str:
    """Format a BVH file as text; the joints must be in depth-first order, in which the values are written."""
    lines = ["HIERARCHY", *_format_branch(bvh, 0, ""), "MOTION", f"Frames: {len(bvh.values)}"]
    lines.append(f"Frame Time: {1.0 / bvh.fps:.10f}")
    row = " ".join(["%.6f"] * bvh.values.shape[1])
    lines += [row % tuple(frame) for frame in _round_six_decimals(bvh.values).tolist()]
    return "\n".join(lines) + "\n"


def _format_branch(bvh: Bvh, node: int, indent: str) -> list[str]:
    """The lines of one joint and its descendants."""
    channels, parent = bvh.channels[node], bvh.parents[node]
    x, y, z = _round_six_decimals(bvh.offsets[node])
    heading = f"{'ROOT' if parent < 0 else 'JOINT'} {bvh.names[node]}" if channels else "End Site"
    lines = [indent + heading, indent + "{", f"{indent}\tOFFSET {x:.6f} {y:.6f} {z:.6f}"]
    if channels:
        lines.append(f"{indent}\tCHANNELS {len(channels)} {' '.join(channels)}")
    for child, above in enumerate(bvh.parents):
        if above == node:
            lines += _format_branch(bvh, child, indent + "\t")
    return [*lines, indent + "}"]


def _round_six_decimals(numbers: Array) -> Array:
    """Round to six decimals, without negative zeros."""
    return np.asarray(np.round(numbers, 6) + 0.0)
