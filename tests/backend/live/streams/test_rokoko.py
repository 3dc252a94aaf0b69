"""Rokoko Studio's JSON stream: a dance comes back, actors are chosen, and what cannot be read is refused."""

import json
from typing import Any

import numpy as np
import pytest

from backend.live.streams.rokoko import BONES, RokokoDecoder
from rigs import kinematics
from rigs.motion import Motion
from rigs.skeleton import INDEX

JOINTS = [INDEX[joint] for joint in BONES.values()]


def packet(leader: Motion, f: int, *names: str) -> dict[str, Any]:
    body = {}
    for bone, joint in BONES.items():
        x, y, z = (float(value) for value in leader.positions[f, INDEX[joint]])
        body[bone] = {"position": {"x": -x, "y": z, "z": -y}, "rotation": {"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0}}
    actors = [{"name": name, "body": body} for name in names]
    return {"version": "3,0", "fps": 30, "scene": {"timestamp": f / 30, "actors": actors, "props": []}}


def encode(data: object) -> bytes:
    return json.dumps(data).encode()


def test_a_dance_comes_back(leader: Motion) -> None:
    decoder = RokokoDecoder("ada")
    for f in range(0, len(leader), 10):
        (frame,) = decoder.decode(encode(packet(leader, f, "bob", "ada")))
        found = kinematics.fk(frame.root, frame.rotations, frame.skeleton.offsets)
        assert frame.seconds == pytest.approx(f / 30)
        assert np.linalg.norm(found[JOINTS] - leader.positions[f, JOINTS], axis=-1).max() < 0.03


def test_an_actor_is_chosen_by_name_or_number(leader: Motion) -> None:
    two = packet(leader, 0, "bob", "ada")
    two["scene"]["actors"][0]["body"] = None
    assert RokokoDecoder("ada").decode(encode(two))
    assert RokokoDecoder("1").decode(encode(two))
    assert RokokoDecoder("eve").decode(encode(two)) == []


def test_what_cannot_be_read_is_refused(leader: Motion) -> None:
    with pytest.raises(ValueError, match="compressed"):
        RokokoDecoder().decode(b"\x04\x22\x4d\x18" + bytes(100))
    good = packet(leader, 0, "ada")
    data = encode(good)
    missing, endless, same = (json.loads(data) for _ in range(3))
    del missing["scene"]["actors"][0]["body"]["leftHand"]
    endless["scene"]["actors"][0]["body"]["leftHand"]["position"]["x"] = float("nan")
    for bone in BONES:
        same["scene"]["actors"][0]["body"][bone]["position"] = {"x": 0, "y": 0, "z": 0}
    bad = [encode(entry) for entry in (missing, endless, same, [], 3, {"scene": []}, {"scene": {"actors": [7]}})]
    bad += [b"[" * 60_000, b"\xff\xfe", b"", *(data[:end] for end in range(0, len(data) - 1, 97))]
    for datagram in bad:
        with pytest.raises(ValueError):  # noqa: PT011
            RokokoDecoder().decode(datagram)
