"""The Virtual Motion Capture protocol: bytes against the specifications, round trips, and hostile datagrams."""

import socket
import struct

import numpy as np
import pytest

from backend.live.streams import osc
from backend.live.streams.udp import DatagramSender, StreamReceiver
from backend.live.streams.vmc import BONES, REQUIRED, VmcDecoder, encode_frame
from rigs import kinematics, rotations
from rigs.motion import Motion
from rigs.skeleton import INDEX


def padded(text: str) -> bytes:
    return text.encode() + b"\0" * (4 - len(text) % 4)


def bone_by_hand(bone: str, *values: float) -> bytes:
    return padded("/VMC/Ext/Bone/Pos") + padded(",sfffffff") + padded(bone) + struct.pack(">7f", *values)


def bundle_by_hand(*messages: bytes) -> bytes:
    sized = b"".join(struct.pack(">I", len(message)) + message for message in messages)
    return b"#bundle\0" + struct.pack(">Q", 1) + sized


def test_a_bone_is_written_byte_for_byte_as_the_specification_has_it(leader: Motion) -> None:
    data = encode_frame(1.5, np.array([1.0, 2.0, 3.0]), rotations.identity(29), leader.skeleton)
    assert data.startswith(b"#bundle\0" + struct.pack(">Q", 1))
    # one metre to our left is -1 in Unity, two to the back are -2 forward
    assert bone_by_hand("Hips", -1.0, 3.0, -2.0, 0.0, 0.0, 0.0, 1.0) in data
    assert padded("/VMC/Ext/T") + padded(",f") + struct.pack(">f", 1.5) in data


def test_a_turn_to_the_left_is_a_negative_turn_about_unitys_y(leader: Motion) -> None:
    """Unity's rotations are clockwise seen from the axis's tip: a left turn is negative there."""
    local = rotations.identity(29)
    local[0] = rotations.about_z(np.pi / 2)
    half = np.sqrt(0.5)
    datagram = encode_frame(0.0, np.zeros(3), local, leader.skeleton)
    hips = next(a for address, a in osc.decode_datagram(datagram) if address.endswith("Bone/Pos") and a[0] == "Hips")
    np.testing.assert_allclose(hips[4:], [0.0, -half, 0.0, half], atol=1e-6)


def test_a_dance_comes_back_through_real_sockets(leader: Motion) -> None:
    frames = []
    with StreamReceiver(VmcDecoder(), 0) as receiver, DatagramSender("127.0.0.1", receiver.port) as sender:
        for f in range(len(leader)):
            data = encode_frame(f / leader.fps, leader.root[f], leader.rotations[f], leader.skeleton)
            sender.send(data)
            frames += receiver.receive(0.02 if f == 0 else 5.0)
    assert len(frames) == len(leader)
    sent = sorted(BONES.values())
    for f, frame in enumerate(frames):
        assert frame.seconds is not None
        found = kinematics.fk(frame.root, frame.rotations, frame.skeleton.offsets)
        np.testing.assert_allclose(found[sent], leader.positions[f, sent], atol=1e-4)
        apart = rotations.angle_between(frame.rotations[sent], leader.rotations[f, sent])
        assert np.degrees(apart).max() < 0.01


def test_malformed_and_foreign_datagrams_are_counted_and_do_no_harm(leader: Motion) -> None:
    good = encode_frame(0.0, leader.root[0], leader.rotations[0], leader.skeleton)
    generator = np.random.default_rng(0)
    hostile = [good[:n] for n in range(17, len(good), 41)]
    hostile += [generator.bytes(int(n)) for n in generator.integers(0, 2000, 300)]
    hostile += [b"#bundle\0" + bytes(8) + struct.pack(">i", size) + bytes(8) for size in (-4, -2147483648, 2**31 - 1)]
    nested = good
    for _ in range(2000):
        nested = bundle_by_hand(nested)
    hostile += [nested[-60_000:], bone_by_hand("Hips", *[float("nan")] * 7), bone_by_hand("Hips", *[0.0] * 7)]
    decoder = VmcDecoder()
    for datagram in hostile:
        try:
            decoder.decode(datagram)
        except ValueError:
            continue
    decoder = VmcDecoder()
    for data in (bone_by_hand("Hips", *[float("inf")] * 7), nested[:60_000], hostile[-4]):
        with pytest.raises(ValueError, match=r"VMC|OSC"):
            decoder.decode(data)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender, StreamReceiver(decoder, 0) as receiver:
        for data in (b"#bundle\0junk", good, good):
            sender.sendto(data, ("127.0.0.1", receiver.port))
        assert len(receiver.receive(5.0)) == 2
        assert receiver.malformed == 1
        assert receiver.last_refusal.startswith("OSC bundle")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, StreamReceiver(decoder, 0, sender="10.9.8.7") as r:
        sender.sendto(good, ("127.0.0.1", r.port))
        assert r.receive(0.5) == []
        assert r.foreign == 1


def test_a_body_of_required_bones_alone_has_no_bone_of_length_zero(leader: Motion) -> None:
    def below(bone: str) -> np.ndarray:
        rest = leader.skeleton.rest_positions()
        parents = {"Spine": "Hips", "Head": "Spine"}
        for side in ("Left", "Right"):
            parents |= {f"{side}UpperLeg": "Hips", f"{side}LowerLeg": f"{side}UpperLeg"}
            parents |= {f"{side}Foot": f"{side}LowerLeg", f"{side}UpperArm": "Spine"}
            parents |= {f"{side}LowerArm": f"{side}UpperArm", f"{side}Hand": f"{side}LowerArm"}
        up = parents.get(bone)
        return rest[BONES[bone]] - (rest[BONES[up]] if up else 0.0)

    messages = []
    for bone in sorted(REQUIRED):
        x, y, z = below(bone)
        messages.append(bone_by_hand(bone, -x, z, -y, 0.0, 0.0, 0.0, 1.0))
    decoder = VmcDecoder()
    frames = decoder.decode(bundle_by_hand(*messages)) + decoder.decode(bundle_by_hand(*messages))
    assert frames
    assert np.linalg.norm(frames[0].skeleton.offsets[1:], axis=-1).min() > 0.01
    found = kinematics.fk(frames[0].root, frames[0].rotations, frames[0].skeleton.offsets)
    for name in ("left_wrist", "right_ankle", "jaw"):
        np.testing.assert_allclose(found[INDEX[name]], leader.skeleton.rest_positions()[INDEX[name]], atol=1e-4)


def test_bones_without_length_are_refused_and_the_joint_is_named() -> None:
    folded = bundle_by_hand(*(bone_by_hand(bone, *[0.0] * 6, 1.0) for bone in BONES))
    decoder = VmcDecoder()
    with pytest.raises(ValueError, match="left_hip: a bone"):
        decoder.decode(folded + folded[16:])


def test_a_datagram_that_cannot_be_sent_is_dropped_and_counted() -> None:
    with DatagramSender("127.0.0.1", 9) as sender:
        sender.send(bytes(70_000))
        assert sender.dropped == 1
    with pytest.raises(ValueError, match=r"nowhere\.invalid:9"):
        DatagramSender("nowhere.invalid", 9)
