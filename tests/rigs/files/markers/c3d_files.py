"""C3D files for tests: markers on the skin of a dancer whose joints are known, and a writer for every processor."""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.motion import Motion
from rigs.skeleton import INDEX

_SIDED_MARKERS = {
    # marker: joint, joint on whose bone it sits, m from the joint in the left side's T-pose (x out, -y front, z up)
    # the hips lie 36 %, 19 % and 30 % of the width of the pelvis from its front markers (Bell et al. 1989)
    "ASI": ("pelvis", "pelvis", (0.125, -0.0475, -0.005)),
    "PSI": ("pelvis", "pelvis", (0.045, 0.105, 0.015)),
    "KNE": ("knee", "hip", (0.055, 0.0, 0.0)),
    "ANK": ("ankle", "knee", (0.042, 0.0, 0.0)),
    "HEE": ("ankle", "ankle", (0.0, 0.055, -0.05)),
    "TOE": ("foot", "ankle", (0.0, 0.0, 0.02)),
    "SHO": ("shoulder", "collar", (0.0, 0.0, 0.055)),
    "ELB": ("elbow", "shoulder", (0.0, 0.0, 0.042)),
    "WRA": ("wrist", "elbow", (0.0, -0.032, 0.0)),
    "WRB": ("wrist", "elbow", (0.0, 0.032, 0.0)),
    "FIN": ("thumb", "wrist", (0.0, 0.0, 0.012)),
    "FHD": ("jaw", "jaw", (0.07, -0.10, 0.09)),
    "BHD": ("jaw", "jaw", (0.07, 0.08, 0.10)),
}
_MIDDLE_MARKERS = {
    "C7": ("neck", "spine3", (0.0, 0.065, 0.0)),
    "CLAV": ("neck", "spine3", (0.0, -0.07, -0.05)),
    "T10": ("spine2", "spine2", (0.0, 0.10, 0.03)),
    "STRN": ("spine2", "spine2", (0.0, -0.13, 0.05)),
}
INNER = {
    "KNM": ("knee", "hip", (-0.055, 0.0, 0.0)),
    "MED": ("ankle", "knee", (-0.042, 0.0, 0.0)),
    "ELBM": ("elbow", "shoulder", (0.0, 0.0, -0.042)),
}


def markers_on(motion: Motion, *, inner: bool = False) -> dict[str, Array]:
    """Markers (F, 3) m by their labels in Plug-in Gait.  inner: also those on the inner sides of the joints."""
    world = kinematics.global_rotations(motion.rotations)
    sided = _SIDED_MARKERS | (INNER if inner else {})
    markers = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for label, (joint, bone, offset) in sided.items():
            at, carrier = (INDEX[name if name in INDEX else f"{side}_{name}"] for name in (joint, bone))
            out = np.array(offset) * [sign, 1.0, 1.0]
            markers[f"{side[0].upper()}{label}"] = motion.positions[:, at] + rotations.rotate(world[:, carrier], out)
    for label, (joint, bone, offset) in _MIDDLE_MARKERS.items():
        turned = rotations.rotate(world[:, INDEX[bone]], np.array(offset))
        markers[label] = motion.positions[:, INDEX[joint]] + turned
    return markers


def write_c3d(
    path: Path,
    labels: Sequence[str],
    points: Array,
    *,
    fps: float = 120.0,
    unit: str = "mm",
    processor: int = 84,
    scale: float = -1.0,
    analog: int = 0,
    up: str = "",
    stated_frames: int | None = None,
) -> Path:
    """Write points (F, P, 3), nan where hidden, as the specification of C3D says.

    processor: 84 Intel, 85 DEC, 86 MIPS.  scale: of 16-bit integers, negative for floats.  analog: values a frame.
    """
    order = ">" if processor == 86 else "<"
    frames, count = points.shape[:2]
    frames_field = frames if stated_frames is None else stated_frames

    def real(value: float) -> bytes:
        if processor != 85:
            return struct.pack(f"{order}f", value)
        low, high = struct.unpack("<HH", struct.pack("<f", value * 4.0))
        return struct.pack("<HH", high, low)

    def parameter(group: int, name: str, kind: int, shape: Sequence[int], data: bytes) -> bytes:
        body = struct.pack("bB", kind, len(shape)) + bytes(shape) + data + b"\0"
        return struct.pack("bb", len(name), group) + name.encode() + struct.pack(f"{order}h", 2 + len(body)) + body

    width = max(map(len, labels), default=1)
    names = "".join(label.ljust(width) for label in labels[:255]).encode()
    more = "".join(label.ljust(width) for label in labels[255:]).encode()
    section = struct.pack("bb", 5, -1) + b"POINT" + struct.pack(f"{order}h", 3) + b"\0"
    section += parameter(1, "USED", 2, (), struct.pack(f"{order}H", count))
    section += parameter(1, "SCALE", 4, (), real(scale))
    section += parameter(1, "RATE", 4, (), real(fps))
    section += parameter(1, "FRAMES", 2, (), struct.pack(f"{order}H", frames_field))
    section += parameter(1, "UNITS", -1, (len(unit),), unit.encode())
    section += parameter(1, "Y_SCREEN", -1, (len(up),), up.encode()) if up else b""
    section += parameter(1, "LABELS", -1, (width, min(len(labels), 255)), names)
    section += parameter(1, "LABELS2", -1, (width, len(labels) - 255), more) if more else b""
    section += b"\0\0"
    blocks = -(-(len(section) + 4) // 512)
    section = (bytes([1, 80, blocks, processor]) + section).ljust(512 * blocks, b"\0")
    header = bytes([2, 80]) + struct.pack(f"{order}4H", count, analog, 1, frames_field) + struct.pack(f"{order}H", 0)
    header += real(scale) + struct.pack(f"{order}HH", 2 + blocks, 1 if analog else 0) + real(fps)

    hidden = np.isnan(points).any(axis=-1)
    places = np.where(hidden[..., None], 0.0, points)
    residuals = np.where(hidden, -1.0, 0.0)
    rows = np.concatenate([places if scale < 0.0 else np.round(places / scale), residuals[..., None]], axis=-1)
    rows = np.concatenate([rows.reshape(frames, -1), np.ones((frames, analog))], axis=1)
    if scale > 0.0:
        data = rows.astype(f"{order}i2").tobytes()
    elif processor == 85:
        data = b"".join(real(value) for value in rows.ravel())
    else:
        data = rows.astype(f"{order}f4").tobytes()
    path.write_bytes(header.ljust(512, b"\0") + section + data)
    return path


def write_markers(path: Path, *dancers: dict[str, Array], names: Sequence[str] = ("",), **options: object) -> Path:
    """Write the markers of dancers in m as a file in mm; options: of `write_c3d`."""
    labels = [
        f"{name}:{label}" if name else label for name, markers in zip(names, dancers, strict=True) for label in markers
    ]
    points = np.stack([points for markers in dancers for points in markers.values()], axis=1)
    return write_c3d(path, labels, 1000.0 * points, **options)  # type: ignore[arg-type]
