"""The wire between a client and the backend. This docstring is its specification; both ends hold every message to it.

SOCKETS.  ZeroMQ: the backend binds one ROUTER, a client connects a DEALER; tcp://127.0.0.1:7429 unless told otherwise.
A message is multipart: a JSON header, then one part a buffer, and no empty part before the header.

HEADER.  A JSON object in UTF-8, at most 65,536 bytes, without NaN or Infinity, with exactly these members:

    protocol    the integer 2
    id          1 to 64 of the characters A-Z a-z 0-9 - _: the client's name for its request, which no other open
                request of this socket has. Every reply bears it; only an error that answers a message whose id could
                not be read has "".
    kind        a string; see UP and DOWN
    parameters  an object with exactly the members that the kind names
    buffers     an array with {"name": string, "shape": array of integers} for each further part, in their order

BUFFERS.  float32, little-endian, the last index fastest, nothing between: 4 x the product of the shape bytes. All
numbers are finite.

DANCERS.  One dancer's movement of F frames, here named NAME, is three buffers in this order:

    NAME.offsets    (29, 3) m, each joint's place from its parent in the T-pose; within 100 m
    NAME.root       (F, 3) m, the pelvis; within 10,000 m of the origin
    NAME.rotations  (F, 29, 4), w x y z, relative to the parent, of length 1 within 0.001 (the reader normalises)

in a right-handed space with Z up, in which a dancer at rest faces -Y. Joints and parents are those of rigs/skeleton.py.
The parameter `fps`, 1 to 1000, is the rate of all dancers of a message. F is 1 to 100,000, and at most 1,800 seconds.

UP, from the client.

    hello    parameters: none. Answered at once with a hello.
    partner  parameters, what to dance: model, 1 to 64 of a-z 0-9 -; role, "follow" or "lead", is what the made dancer
             does; seed, an integer of 0 to 4,294,967,295; takes, an integer of 1 to 16; fps; preview, a boolean,
             whether to be shown frames before the result.
             parameters, how to direct it: place, null or an array of 3 numbers, where the partner stands in the first
             frame as the leader sees it: metres ahead of the leader and metres to the leader's left, together 0.3 to
             100 m away, and degrees of -360 to 360 by which the partner is turned away from facing the leader,
             counter-clockwise from above; closeness, 0 to 2, how strongly the leader is followed, 1 as trained, 0 not
             at all; energy, 0.5 to 2, how much movement beside what the model would do; keep, an array of at most
             1,000 rising integers, the draft's frames, from 0, whose poses are to be met; redo, null or an array of 2
             integers, the first and the last frame, from 0, to be danced anew: the draft's others do not change;
             without, an array of the names of finishing parts to leave out, each once: seams, bodies, hands, feet,
             floor. null, 1, 1, [], null and [] direct nothing.
             dancers: leader; then, if the partner's first frames are given, history; or, if the whole partner is
             given, draft, with the leader's F. A draft goes with keep or redo or both, and they with a draft; place
             goes with neither history nor draft. A model that takes no direction refuses all but what directs nothing.
             Answered with progress, many times, with frames if preview is true, and then with one result or one error.
    cancel   parameters: none. Its id is that of the request to end, which is answered with the error "cancelled". An
             id of no open request is passed over in silence: the answer may have crossed the cancel.

DOWN, from the backend.

    hello     parameters: version, that of the backend; models, an array of the names that `partner` takes.
    progress  parameters: fraction, 0 to 1; what, a few words for people; ahead, how many requests are served before
              this one, 0 when it runs. Sent at once, at every change, and at least once a second as a sign of life:
              a client that hears nothing for several seconds may take the backend for gone.
    frames    parameters: take, an integer of 1 to 16; first, an integer of 0 to 99,999; fps, the model's. dancer:
              danced. Movement of a take while the rest of it is danced, not finished, in the leader's world and at the
              model's rate, which is 30 of all models there are: its frame f, from 0, is (first + f) / fps seconds
              after the leader's first. Sent only if preview is true, and by models that dance block after block. The
              frames of a take come in their order, at most 5 times a second, those that were danced since the last
              time joined; where they were sent before, the later ones replace them. The last ones before the result
              are not sent, nor is what a client that does not read has no room for. The result is what counts.
    result    parameters: fps, the leader's. dancers: take1, take2, ... as many as asked for, with the leader's F.
    error     parameters: code; text, one sentence for people. The codes: "refused", the message breaks this
              specification or asks for what the backend cannot do; "cancelled"; "fault", the backend failed or is
              stopping. A request that has an error is over; the connection and other requests go on.

A client that disconnects has its requests cancelled. Requests of many clients take turns, one of each client at a time;
8 of a client and 32 in all may wait, and one more is refused. A part over 64 MiB ends the connection.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from backend import direction, limits
from backend.direction import Direction, check_direction
from backend.limits import MAX_HEADER, ProtocolError, Rule, exactly, shown
from backend.messages import (
    Answer,
    Cancel,
    Cancelled,
    Failure,
    Frames,
    Hello,
    PartnerRequest,
    Progress,
    Question,
    Result,
    Welcome,
)
from rigs import Array
from rigs.motion import Motion
from rigs.rotations import normalize
from rigs.skeleton import Skeleton

__all__ = [
    "DEFAULT_URL",
    "PROTOCOL",
    "Answer",
    "Cancel",
    "Cancelled",
    "Failure",
    "Frames",
    "Hello",
    "PartnerRequest",
    "Progress",
    "ProtocolError",
    "Question",
    "Result",
    "Welcome",
    "decode_answer",
    "decode_question",
    "encode",
]

PROTOCOL = 2
DEFAULT_URL = "tcp://127.0.0.1:7429"


def encode(id: str, message: Question | Answer) -> list[bytes]:
    """The parts of a message. Raises ProtocolError for one that the other end would refuse."""
    name, kind = next((name, kind) for name, kind in _EVERY if isinstance(message, kind.message))
    if not (_ID.fullmatch(id) or (id == "" and isinstance(message, Failure))):
        raise _no_id(id)
    said = vars(message) | (vars(message.direction) if isinstance(message, PartnerRequest) else {})
    parameters = {parameter: said[parameter] for parameter in kind.parameters}
    for parameter, rule in kind.parameters.items():
        rule(parameter, parameters[parameter])
    if isinstance(message, PartnerRequest):
        check_direction(message.direction, message.leader, message.history, message.draft)
    dancers = _dancers_of(message)
    if tuple(dancers) not in kind.dancers:
        most = len(kind.dancers[-1])
        raise ProtocolError(f"{name}: 1 to {most} dancers expected, {len(dancers)} found")
    limits.check_dancers(dancers)
    buffers: dict[str, Array] = {}
    for dancer, motion in dancers.items():
        arrays = (motion.skeleton.offsets, motion.root, motion.rotations)
        buffers |= {f"{dancer}.{buffer}": array for buffer, array in zip(_BUFFERS, arrays, strict=True)}
        parameters["fps"] = float(motion.fps)
    header = {
        "protocol": PROTOCOL,
        "id": id,
        "kind": name,
        "parameters": parameters,
        "buffers": [{"name": name, "shape": array.shape} for name, array in buffers.items()],
    }
    return [json.dumps(header).encode(), *(array.astype("<f4").tobytes() for array in buffers.values())]


def decode_question(parts: Sequence[bytes]) -> tuple[str, Question]:
    """The id and the message that a client sent. Raises ProtocolError."""
    return _decode(parts, _UP)


def decode_answer(parts: Sequence[bytes]) -> tuple[str, Answer]:
    """The id and the message that the backend sent. Raises ProtocolError."""
    return _decode(parts, _DOWN)


def _decode(parts: Sequence[bytes], kinds: "Mapping[str, _Kind]") -> tuple[str, Any]:
    header = _header(parts)
    id = header.get("id")
    known = isinstance(id, str) and (_ID.fullmatch(id) or (id == "" and header.get("kind") == "error"))
    try:
        version = header.get("protocol")
        if type(version) is not int or version != PROTOCOL:
            raise ProtocolError(f"protocol: version {PROTOCOL} expected, {shown(version)} found")
        if not known:
            raise _no_id(id)
        exactly("header", header, ("protocol", "id", "kind", "parameters", "buffers"))
        name = header["kind"]
        if not isinstance(name, str) or name not in kinds:
            raise ProtocolError(f"kind: {limits.either(list(kinds))} expected, {shown(name)} found")
        return str(id), _message(kinds[name], header["parameters"], header["buffers"], parts[1:])
    except ProtocolError as error:
        raise ProtocolError(str(error), str(id) if known else "") from None


def _header(parts: Sequence[bytes]) -> dict[str, Any]:
    if not parts:
        raise ProtocolError("header: a JSON object expected, an empty message found")
    if len(parts[0]) > MAX_HEADER:
        raise ProtocolError(f"header: at most {MAX_HEADER} bytes expected, {len(parts[0])} found")
    try:
        header = json.loads(bytes(parts[0]).decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ProtocolError("header: a JSON object in UTF-8 expected, something else found") from None
    if not isinstance(header, dict):
        raise ProtocolError(f"header: a JSON object expected, {shown(header)} found")
    return header


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _no_id(found: object) -> ProtocolError:
    return ProtocolError(f"id: 1 to 64 letters, digits, - or _ expected, {shown(found)} found")


def _message(kind: "_Kind", parameters: Any, declared: Any, parts: Sequence[bytes]) -> Question | Answer:
    if not isinstance(parameters, dict):
        raise ProtocolError(f"parameters: an object expected, {shown(parameters)} found")
    exactly("parameters", parameters, (*kind.parameters, *(["fps"] if kind.dancers[0] else [])))
    for name, rule in kind.parameters.items():
        rule(name, parameters[name])
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in parameters.items()
    }
    arrays = _arrays(declared, parts)
    named = {name.partition(".")[0] for name in arrays}
    dancers = min(kind.dancers, key=lambda names: len(named.symmetric_difference(names)))
    expected = [f"{dancer}.{buffer}" for dancer in dancers for buffer in _BUFFERS]
    if list(arrays) != expected:
        raise ProtocolError(f"buffers: {', '.join(expected) or 'none'} expected, {shown(', '.join(arrays))} found")
    if not dancers:
        return kind.message(**values)
    fps = values.pop("fps")
    limits.fps("fps", fps)
    motions = {
        name: _motion(name, float(fps), *(arrays[f"{name}.{buffer}"] for buffer in _BUFFERS)) for name in dancers
    }
    limits.check_dancers(motions)
    motions = {name: replace(motion, rotations=normalize(motion.rotations)) for name, motion in motions.items()}
    if kind.message is Result:
        return Result(tuple(motions.values()))
    return _directed(motions, values) if kind.message is PartnerRequest else kind.message(**motions, **values)


def _directed(dancers: Mapping[str, Motion], values: Mapping[str, Any]) -> PartnerRequest:
    """The request of these dancers and parameters."""
    asked = Direction(**{name: values[name] for name in direction.RULES})
    others: dict[str, Any] = {name: value for name, value in values.items() if name not in direction.RULES}
    request = PartnerRequest(direction=asked, **(others | dict(dancers)))
    check_direction(asked, request.leader, request.history, request.draft)
    return request


def _arrays(declared: Any, parts: Sequence[bytes]) -> dict[str, Array]:
    """The arrays that the header declares, by name, in its order."""
    if not isinstance(declared, list) or not all(isinstance(entry, dict) for entry in declared):
        raise ProtocolError(f"buffers: an array of objects expected, {shown(declared)} found")
    if len(declared) != len(parts):
        raise ProtocolError(f"buffers: {len(declared)} expected after the header, {len(parts)} found")
    arrays: dict[str, Array] = {}
    for entry, part in zip(declared, parts, strict=True):
        exactly("buffers", entry, ("name", "shape"))
        name, shape = entry["name"], entry["shape"]
        if not isinstance(name, str) or name in arrays:
            raise ProtocolError(f"buffers: a name for each alone expected, {shown(name)} found")
        limits.shape(shown(name), shape)
        if len(part) != 4 * math.prod(shape):
            wanted = 4 * math.prod(shape)
            raise ProtocolError(f"{shown(name)}: {wanted} bytes expected for its shape, {len(part)} found")
        arrays[name] = np.frombuffer(part, "<f4").reshape(shape)
    return arrays


def _motion(name: str, fps: float, offsets: Array, root: Array, turned: Array) -> Motion:
    for buffer, array, shape in (
        ("offsets", offsets, (29, 3)),
        ("root", root, (len(root), 3)),
        ("rotations", turned, (len(root), 29, 4)),
    ):
        if array.shape != shape:
            raise ProtocolError(f"{name}.{buffer}: shape {shape} expected, {array.shape} found")
    return Motion(fps, Skeleton(offsets.astype(float)), root.astype(float), turned.astype(float))


def _dancers_of(message: Question | Answer) -> dict[str, Motion]:
    if isinstance(message, Result):
        return {f"take{n}": take for n, take in enumerate(message.takes, start=1)}
    if isinstance(message, PartnerRequest):
        dancers = {"leader": message.leader, "history": message.history, "draft": message.draft}
        return {name: motion for name, motion in dancers.items() if motion is not None}
    return {"danced": message.danced} if isinstance(message, Frames) else {}


@dataclass(frozen=True)
class _Kind:
    """What a kind of message holds.

    parameters: their names and rules, `fps` apart.  dancers: the names that it may have together, in their order.
    """

    message: type[Any]
    parameters: Mapping[str, Rule] = field(default_factory=dict)
    dancers: tuple[tuple[str, ...], ...] = ((),)


_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BUFFERS = ("offsets", "root", "rotations")
_TAKES = tuple(f"take{n}" for n in range(1, limits.MAX_TAKES + 1))
_UP = {
    "hello": _Kind(Hello),
    "partner": _Kind(
        PartnerRequest,
        {
            "model": limits.model,
            "role": limits.one_of(limits.ROLES),
            "seed": limits.whole(0, limits.MAX_SEED),
            "takes": limits.whole(1, limits.MAX_TAKES),
            **direction.RULES,
            "preview": limits.truth,
        },
        dancers=(("leader",), ("leader", "history"), ("leader", "draft")),
    ),
    "cancel": _Kind(Cancel),
}
_DOWN = {
    "hello": _Kind(Welcome, {"version": limits.text, "models": limits.models}),
    "progress": _Kind(
        Progress, {"fraction": limits.number(0, 1), "what": limits.text, "ahead": limits.whole(0, 1_000_000)}
    ),
    "frames": _Kind(
        Frames,
        {"take": limits.whole(1, limits.MAX_TAKES), "first": limits.whole(0, limits.MAX_FRAMES - 1)},
        dancers=(("danced",),),
    ),
    "result": _Kind(Result, dancers=tuple(_TAKES[:count] for count in range(1, limits.MAX_TAKES + 1))),
    "error": _Kind(Failure, {"code": limits.one_of(limits.CODES), "text": limits.text}),
}
_EVERY = (*_UP.items(), *_DOWN.items())
