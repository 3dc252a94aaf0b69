"""A small writer of binary glTF: dancers as skins of 29 nodes, with animations whose keyframes are at any times."""

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rigs import Array
from rigs.motion import Motion
from rigs.skeleton import JOINTS, PARENTS

Animation = Sequence[tuple[Motion, Sequence[float]] | None]
"""For each dancer its motion, and the times (s) of the keyframes at which that is sampled; None: it is not animated."""


def write_glb(path: Path, animations: Mapping[str, Animation], prefixes: Sequence[str] = ("",)) -> None:
    """Write animations of one skeleton per prefix of the joints' names; all animations have as many dancers."""
    content = bytearray()
    views: list[dict[str, Any]] = []
    accessors: list[dict[str, Any]] = []

    def accessor(values: Array, kind: str) -> int:
        data = np.asarray(values, "<f4")
        views.append({"buffer": 0, "byteOffset": len(content), "byteLength": data.nbytes})
        content.extend(data.tobytes())
        accessors.append(
            {
                **{"bufferView": len(views) - 1, "componentType": 5126, "count": len(data), "type": kind},
                **({"min": [float(data.min())], "max": [float(data.max())]} if kind == "SCALAR" else {}),
            }
        )
        return len(accessors) - 1

    bodies = [next(a[n][0] for a in animations.values() if a[n]).skeleton for n in range(len(prefixes))]
    nodes: list[dict[str, Any]] = []
    skins = []
    for n, prefix in enumerate(prefixes):
        offsets = _y_up(bodies[n].offsets)
        start = len(nodes)
        for j, joint in enumerate(JOINTS):
            children = [start + child for child, parent in enumerate(PARENTS) if parent == j and child != j]
            node = {"name": prefix + joint, "translation": offsets[j].tolist()}
            nodes.append(node | ({"children": children} if children else {}))
        skins.append({"joints": list(range(start, start + 29)), "skeleton": start})
    written = []
    for name, dancers in animations.items():
        channels, samplers = [], []
        for n, animated in enumerate(dancers):
            if animated is None:
                continue
            motion, times = animated
            keys = _sample(motion, times)
            at = accessor(np.asarray(times), "SCALAR")
            xyz = _y_up(keys.rotations[..., 1:])
            quaternions = np.concatenate([xyz, keys.rotations[..., :1]], axis=-1)
            values = [(0, "translation", accessor(_y_up(keys.root), "VEC3"))]
            values += [(j, "rotation", accessor(quaternions[:, j], "VEC4")) for j in range(29)]
            for j, path_name, output in values:
                channels.append({"sampler": len(samplers), "target": {"node": 29 * n + j, "path": path_name}})
                samplers.append({"input": at, "output": output, "interpolation": "LINEAR"})
        written.append({"name": name, "channels": channels, "samplers": samplers})
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [29 * n for n in range(len(prefixes))]}],
        **{"nodes": nodes, "skins": skins, "animations": written, "bufferViews": views, "accessors": accessors},
        "buffers": [{"byteLength": len(content)}],
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(content), b"BIN\0") + content
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)


def _sample(motion: Motion, times: Sequence[float]) -> Motion:
    """The motion in the frames nearest to some times of it, which count from the first."""
    frames = np.round((np.asarray(times) - times[0]) * motion.fps).astype(int)
    return Motion(motion.fps, motion.skeleton, motion.root[frames], motion.rotations[frames])


def _y_up(vectors: Array) -> Array:
    """Blender's vectors (..., 3) in glTF's axes."""
    return np.stack([vectors[..., 0], vectors[..., 2], -vectors[..., 1]], axis=-1)
