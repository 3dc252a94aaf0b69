"""Rokoko Studio's custom stream, JSON of version 3, uncompressed: the joint positions of one actor.

Studio's space is Unity's: left-handed, Y up. Rotations are fitted to the positions, so that no reference pose of
Studio's bones is needed; turns of a limb about its own length follow from the joints below alone.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.live.streams.frames import StreamFrame
from rigs import Array, rotations
from rigs.pose_fitting import fit_motion, fit_skeleton
from rigs.skeleton import DEFAULT_SKELETON, INDEX, SIDES, Skeleton

BONES: dict[str, str] = {"hip": "pelvis", "spine": "spine1", "chest": "spine3", "neck": "neck", "head": "jaw"}
"""Studio's bones and our joints."""
for _side in SIDES:
    for _bone, _joint in (
        ("Shoulder", "collar"),
        ("UpperArm", "shoulder"),
        ("LowerArm", "elbow"),
        ("Hand", "wrist"),
        ("UpLeg", "hip"),
        ("Leg", "knee"),
        ("Foot", "ankle"),
        ("Toe", "foot"),
        ("ToeEnd", "bigtoe"),
    ):
        BONES[_side + _bone] = f"{_side}_{_joint}"

_LZ4 = b"\x04\x22\x4d\x18"
_FURTHEST = 1e4  # m
_EXTENSIONS = [("jaw", "neck", "head")]
for _side in SIDES:
    for _at, _joint in (("wrist", "thumb"), ("thumb", "middle")):
        _EXTENSIONS.append((f"{_side}_{_at}", f"{_side}_elbow", f"{_side}_{_joint}"))
"""Joints that are not sent: each extends the line from the second joint to the first."""


@dataclass
class RokokoDecoder:
    """Reads the frames of one actor, whose body is measured in its first frame.

    actor: the actor's name, or its number from 0 where no actor has that name.
    """

    actor: str = "0"
    _skeleton: Skeleton | None = None

    def decode(self, datagram: bytes) -> list[StreamFrame]:
        """The frame of a datagram, or none if it has not the actor; ValueError if it is malformed or compressed."""
        if datagram.startswith(_LZ4):
            raise ValueError("Rokoko: the stream is compressed; choose JSON without compression in Rokoko Studio")
        try:
            scene = json.loads(datagram)["scene"]
            body = _find_actor(scene["actors"], self.actor)
            seconds = scene.get("timestamp")
            sent = None if body is None else {joint: _position(body[bone]) for bone, joint in BONES.items()}
        except (KeyError, TypeError, AttributeError, RecursionError):
            raise ValueError("Rokoko: JSON of version 3 with an actor's whole body expected") from None
        if sent is None:
            return []
        positions = _fill_joints(sent)[None]
        if self._skeleton is None:
            self._skeleton = fit_skeleton(positions)
        motion = fit_motion(positions, 30.0, skeleton=self._skeleton)
        time = float(seconds) if _is_number(seconds) else None
        return [StreamFrame(time, motion.root[0], motion.rotations[0], self._skeleton)]


def _find_actor(actors: list[dict[str, Any]], actor: str) -> dict[str, Any] | None:
    """Body of the actor of a name or number."""
    for number, entry in enumerate(actors):
        if entry["name"] == actor or (str(number) == actor and all(other["name"] != actor for other in actors)):
            body: dict[str, Any] = entry["body"]
            return body
    return None


def _position(bone: dict[str, Any]) -> Array:
    """Position (3,) m in our space."""
    values = [bone["position"][axis] for axis in "xyz"]
    if not all(_is_number(value) and abs(value) < _FURTHEST for value in values):
        raise ValueError("Rokoko: positions in metres expected")
    x, y, z = values
    return np.array([-x, -z, y], dtype=float)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) < 1e12


def _fill_joints(sent: dict[str, Array]) -> Array:
    """Positions (29, 3) m of all joints, those that are not sent in line with those that are."""
    positions = np.zeros((29, 3))
    for joint, position in sent.items():
        positions[INDEX[joint]] = position
    positions[INDEX["spine2"]] = 0.35 * sent["spine1"] + 0.65 * sent["spine3"]
    for at, before, joint in _EXTENSIONS:
        line = rotations.normalize(positions[INDEX[at]] - positions[INDEX[before]])
        length = np.linalg.norm(DEFAULT_SKELETON.offsets[INDEX[joint]])
        positions[INDEX[joint]] = positions[INDEX[at]] + length * line
    return positions
