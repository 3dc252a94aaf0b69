"""Virtual Motion Capture protocol: dancers as Unity humanoids over OSC, both ways.

Unity's space is left-handed, Y up, and a humanoid faces +Z with its left at -X. Bones are sent as local positions and
rotations of a body whose T-pose has no rotations, as VRM 0's have. Specification: https://protocol.vmc.info/
"""

import itertools
from dataclasses import dataclass, field

import numpy as np

from backend.live.streams import osc
from backend.live.streams.frames import StreamFrame
from rigs import Array, rotations
from rigs.skeleton import CHILDREN, DEFAULT_SKELETON, INDEX, PARENTS, Skeleton

BONES: dict[str, int] = {"Hips": INDEX["pelvis"], "Spine": INDEX["spine1"], "Chest": INDEX["spine2"]}
"""Unity's humanoid bones and our joints."""
BONES |= {"UpperChest": INDEX["spine3"], "Neck": INDEX["neck"], "Head": INDEX["jaw"]}
for _side in ("Left", "Right"):
    for _bone, _joint in (
        ("UpperLeg", "hip"),
        ("LowerLeg", "knee"),
        ("Foot", "ankle"),
        ("Toes", "foot"),
        ("Shoulder", "collar"),
        ("UpperArm", "shoulder"),
        ("LowerArm", "elbow"),
        ("Hand", "wrist"),
        ("MiddleProximal", "thumb"),
    ):
        BONES[_side + _bone] = INDEX[f"{_side.lower()}_{_joint}"]

OPTIONAL = {"Chest", "UpperChest", "Neck"} | {
    side + bone for side in ("Left", "Right") for bone in ("Toes", "Shoulder", "MiddleProximal")
}
REQUIRED = BONES.keys() - OPTIONAL
"""Bones without which there is no body: those that Unity requires of every humanoid."""

_JOINT_BONES = {joint: bone for bone, joint in BONES.items()}
_FURTHEST = 1e4  # m; what is further away is no dancer


def encode_frame(seconds: float, root: Array, local: Array, skeleton: Skeleton, name: str = "root") -> bytes:
    """One frame of a dancer as one OSC bundle of about 2 KiB.

    seconds: time of the frame.  root: (3,) m.  local: (29, 4).  name: what the receiver shows as the root's name.
    """
    messages = [
        osc.encode_message("/VMC/Ext/OK", 1),
        osc.encode_message("/VMC/Ext/T", float(seconds)),
        osc.encode_message("/VMC/Ext/Root/Pos", name, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
    ]
    for bone, joint in BONES.items():
        position = root if joint == 0 else skeleton.offsets[joint]
        values = (*_to_unity(position), *_rotation_to_unity(local[joint]))
        messages.append(osc.encode_message("/VMC/Ext/Bone/Pos", bone, *(float(value) + 0.0 for value in values)))
    return osc.encode_bundle(messages)


@dataclass
class VmcDecoder:
    """Collects bones into frames. A frame is whole once the bones that the frame before had are there.

    The stream's first frame ends when a bone comes again; from then on a frame ends with its last bone.
    """

    seconds: float | None = None
    _origin: tuple[Array, Array] = field(default_factory=lambda: (np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0])))
    _bones: dict[str, Array] = field(default_factory=dict)
    _expected: frozenset[str] = frozenset()

    def decode(self, datagram: bytes) -> list[StreamFrame]:
        """Frames that a datagram completes; ValueError if it is malformed, and nothing of it is kept then."""
        messages = osc.decode_datagram(datagram)
        for address, arguments in messages:
            if address in ("/VMC/Ext/Bone/Pos", "/VMC/Ext/Root/Pos"):
                _expect_transform(arguments)
            elif address == "/VMC/Ext/T" and not _are_finite(arguments[:1]):
                raise ValueError("VMC: a time expected")
        frames: list[StreamFrame] = []
        for address, arguments in messages:
            if address == "/VMC/Ext/T":
                self.seconds = float(arguments[0])
            elif address == "/VMC/Ext/Root/Pos":
                value = np.array(arguments[1:8], dtype=float)
                self._origin = value[:3], value[3:]
            elif address == "/VMC/Ext/Bone/Pos" and arguments[0] in BONES:
                frames += self._add_bone(str(arguments[0]), np.array(arguments[1:8], dtype=float))
        return frames

    def _add_bone(self, bone: str, value: Array) -> list[StreamFrame]:
        frames = []
        if bone in self._bones:
            frames = self._end_frame()
        self._bones[bone] = value
        if self._expected and self._expected == self._bones.keys():
            frames += self._end_frame()
        return frames

    def _end_frame(self) -> list[StreamFrame]:
        bones, self._bones = self._bones, {}
        if not bones.keys() >= REQUIRED:
            self._expected = frozenset()
            return []
        self._expected = frozenset(bones)
        local = rotations.identity(29)
        positions = {}
        for bone, value in bones.items():
            local[BONES[bone]] = _rotation_from_unity(value[3:])
            positions[BONES[bone]] = _from_unity(value[:3])
        origin, turn = _from_unity(self._origin[0]), _rotation_from_unity(self._origin[1])
        root = origin + rotations.rotate(turn, positions[0])
        local[0] = rotations.multiply(turn, local[0])
        return [StreamFrame(self.seconds, root, local, _skeleton(positions))]


def _skeleton(positions: dict[int, Array]) -> Skeleton:
    """Body of the bones' local positions (3,) m, by joint; joints that are not sent stand between those that are."""
    default = DEFAULT_SKELETON.rest_positions()
    rest: dict[int, Array] = {0: np.zeros(3)}
    for joint in sorted(positions.keys() - {0}):
        up = PARENTS[joint]
        while up not in positions:
            up = PARENTS[up]
        rest[joint] = rest[up] + positions[joint]
    left_leg = [INDEX[name] for name in ("left_hip", "left_knee", "left_ankle")]
    scale = _length(rest, left_leg) / _length(dict(enumerate(default)), left_leg)
    for joint in range(1, 29):
        if joint in rest:
            continue
        up = PARENTS[joint]
        below = _next_sent(joint, positions)
        if below is None:
            rest[joint] = rest[up] + scale * DEFAULT_SKELETON.offsets[joint]
        else:
            rest[joint] = rest[up] + (rest[below] - rest[up]) * 0.4
    offsets = np.array([rest[joint] - (rest[PARENTS[joint]] if joint else 0.0) for joint in range(29)])
    ankles = [INDEX["left_ankle"], INDEX["right_ankle"]]
    offsets[0] = (0.0, 0.0, -min(rest[joint][2] for joint in ankles) + scale * 0.07)
    return Skeleton(offsets)


def _length(rest: dict[int, Array], chain: list[int]) -> float:
    return float(sum(np.linalg.norm(rest[b] - rest[a]) for a, b in itertools.pairwise(chain)))


def _next_sent(joint: int, positions: dict[int, Array]) -> int | None:
    """The nearest joint below that is sent."""
    level = list(CHILDREN[joint])
    while level:
        for child in level:
            if child in positions:
                return child
        level = [grandchild for child in level for grandchild in CHILDREN[child]]
    return None


def _expect_transform(arguments: tuple[osc.Argument, ...]) -> None:
    """Raise ValueError unless there are a name, a position and a rotation."""
    if len(arguments) < 8 or not isinstance(arguments[0], str) or not _are_finite(arguments[1:8]):
        raise ValueError("VMC: a name and seven numbers expected")
    value = np.array(arguments[1:8], dtype=float)
    if np.abs(value[:3]).max() > _FURTHEST or not 0.5 < np.linalg.norm(value[3:]) < 2.0:
        raise ValueError("VMC: a position in metres and a unit quaternion expected")


def _are_finite(arguments: tuple[osc.Argument, ...]) -> bool:
    return bool(arguments) and all(not isinstance(value, str) and np.isfinite(value) for value in arguments)


def _to_unity(v: Array) -> Array:
    return np.array([-v[0], v[2], -v[1]])


def _from_unity(v: Array) -> Array:
    return np.array([-v[0], -v[2], v[1]])


def _rotation_to_unity(q: Array) -> Array:
    """Unity's x, y, z, w of our w, x, y, z: the change of handedness turns the axis's image round."""
    return np.array([q[1], -q[3], q[2], q[0]])


def _rotation_from_unity(q: Array) -> Array:
    return np.asarray(rotations.normalize(np.array([q[3], q[0], q[2], -q[1]])))
