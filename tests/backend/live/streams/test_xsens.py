"""Xsens MVN's datagrams: a dance packed by hand comes back, and what is malformed is refused."""

import struct

import numpy as np
import pytest

from backend.live.streams.xsens import SEGMENT_JOINTS, XsensDecoder
from rigs import kinematics, rotations
from rigs.motion import Motion
from rigs.skeleton import INDEX


def datagram(leader: Motion, f: int, *, character: int = 0, kind: bytes = b"MXTP02") -> bytes:
    """A pose in MVN's space: X to the front, Y to the left, Z up."""
    world = kinematics.global_rotations(leader.rotations[f])
    data = struct.pack(">6sIBBIBBBBHH", kind, f, 0x80, 23, 1000 * f // 30, character, 23, 0, 0, 0, 23 * 32)
    for number in range(1, 24):
        j = INDEX[SEGMENT_JOINTS.get(number, "spine2")]
        x, y, z = leader.positions[f, j]
        w, qx, qy, qz = world[j]
        data += struct.pack(">i7f", number, -y, x, z, w, -qy, qx, qz)
    return data


def test_a_dance_comes_back(leader: Motion) -> None:
    decoder = XsensDecoder()
    joints = [INDEX[name] for name in SEGMENT_JOINTS.values()]
    for f in range(0, len(leader), 7):
        (frame,) = decoder.decode(datagram(leader, f))
        found = kinematics.fk(frame.root, frame.rotations, frame.skeleton.offsets)
        np.testing.assert_allclose(found[joints], leader.positions[f, joints], atol=1e-4)
        apart = rotations.angle_between(frame.rotations[joints], leader.rotations[f, joints])
        assert np.degrees(apart).max() < 0.01
        np.testing.assert_allclose(frame.skeleton.offsets[joints[1:]], leader.skeleton.offsets[joints[1:]], atol=1e-4)


def test_the_character_is_chosen_by_number(leader: Motion) -> None:
    decoder = XsensDecoder(character=1)
    assert decoder.decode(datagram(leader, 0, character=0)) == []
    assert len(decoder.decode(datagram(leader, 0, character=1))) == 1


def test_truncated_datagrams_and_other_types_are_refused(leader: Motion) -> None:
    good = datagram(leader, 0)
    for end in range(0, len(good), 5):
        with pytest.raises(ValueError, match="Xsens"):
            XsensDecoder().decode(good[:end])
    with pytest.raises(ValueError, match="type 02"):
        XsensDecoder().decode(datagram(leader, 0, kind=b"MXTP05"))
    with pytest.raises(ValueError, match="Xsens"):
        XsensDecoder().decode(good[:28] + struct.pack(">f", float("nan")) + good[32:])
