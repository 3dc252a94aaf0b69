"""Xsens MVN's network datagrams of type 02: the positions and rotations of 23 body segments.

A datagram has a header of 24 bytes and 32 bytes for each segment, big-endian; Z is up, X to the front, Y to the left,
and in the T-pose no segment is rotated. Source: Xsens, MVN real-time network streaming protocol specification.
"""

import struct
from dataclasses import dataclass, field

import numpy as np

from backend.live.streams.frames import StreamFrame
from rigs import Array, kinematics, rotations
from rigs.skeleton import DEFAULT_SKELETON, INDEX, PARENTS, Skeleton

HEADER = struct.Struct(">6sIBBIBBBBHH")
"""Id, sample counter, datagram counter, segments, time code in ms, character, and what later versions added."""
SEGMENT = struct.Struct(">i7f")
"""Segment number from 1, x, y, z in m, and the quaternion w, x, y, z."""

SEGMENT_JOINTS: dict[int, str] = {1: "pelvis", 2: "spine1", 3: "spine2", 5: "spine3", 6: "neck", 7: "jaw"}
"""Joints of the segments' origins; segment 4 (T12) lies between spine2 and spine3."""
for _first, _side in ((8, "right"), (12, "left")):
    for _add, _joint in enumerate(("collar", "shoulder", "elbow", "wrist")):
        SEGMENT_JOINTS[_first + _add] = f"{_side}_{_joint}"
for _first, _side in ((16, "right"), (20, "left")):
    for _add, _joint in enumerate(("hip", "knee", "ankle", "foot")):
        SEGMENT_JOINTS[_first + _add] = f"{_side}_{_joint}"

_FURTHEST = 1e4  # m
_LAST = 0x80  # flag of the datagram counter: the sample's last datagram


@dataclass
class XsensDecoder:
    """Collects the datagrams of one character's sample into a frame.

    character: the number of the dancer in the stream.
    """

    character: int = 0
    _sample: int | None = None
    _segments: dict[int, Array] = field(default_factory=dict)

    def decode(self, datagram: bytes) -> list[StreamFrame]:
        """The frame that a datagram completes, or none; ValueError if it is malformed or of a type that is not read."""
        if len(datagram) < HEADER.size or datagram[:4] != b"MXTP":
            raise ValueError("Xsens: a datagram of MVN expected")
        header = HEADER.unpack_from(datagram)
        kind, sample, counter, items, milliseconds, character = header[:6]
        if kind != b"MXTP02":
            raise ValueError(f"Xsens: pose data of type 02 (quaternion) expected, {kind[4:]!r} found")
        if len(datagram) < HEADER.size + items * SEGMENT.size:
            raise ValueError("Xsens: datagram cut short")
        if character != self.character:
            return []
        segments = {}
        for item in range(items):
            number, *values = SEGMENT.unpack_from(datagram, HEADER.size + item * SEGMENT.size)
            value = np.array(values)
            length = np.linalg.norm(value[3:])
            if not np.isfinite(value).all() or np.abs(value[:3]).max() > _FURTHEST or not 0.5 < length < 2.0:
                raise ValueError("Xsens: a position in metres and a unit quaternion expected")
            segments[number] = value
        if sample != self._sample:
            self._sample, self._segments = sample, {}
        self._segments |= segments
        if not counter & _LAST or not self._segments.keys() >= SEGMENT_JOINTS.keys():
            return []
        frame = _frame(milliseconds / 1000.0, self._segments)
        self._segments = {}
        return [frame]


def _frame(seconds: float, segments: dict[int, Array]) -> StreamFrame:
    joints = {INDEX[name]: segments[number] for number, name in SEGMENT_JOINTS.items()}
    world = np.empty((29, 4))
    for joint in range(29):
        if joint in joints:
            x, y = joints[joint][4:6]
            w, z = joints[joint][3], joints[joint][6]
            world[joint] = rotations.normalize(np.array([w, y, -x, z]))
        else:
            world[joint] = world[PARENTS[joint]]
    positions = {joint: np.array([value[1], -value[0], value[2]]) for joint, value in joints.items()}
    offsets = DEFAULT_SKELETON.offsets.copy()
    measured = [joint for joint in joints if joint]
    for joint in measured:
        up = PARENTS[joint]
        offsets[joint] = rotations.rotate(rotations.inverse(world[up]), positions[joint] - positions[up])
    leaves = [joint for joint in range(29) if joint not in joints]
    legs = [INDEX[name] for name in ("left_knee", "right_knee", "left_ankle", "right_ankle")]
    scale = np.linalg.norm(offsets[legs], axis=-1).sum() / np.linalg.norm(DEFAULT_SKELETON.offsets[legs], axis=-1).sum()
    offsets[[0, *leaves]] *= scale
    return StreamFrame(seconds, positions[0], kinematics.local_rotations(world), Skeleton(offsets))
