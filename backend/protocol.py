"""The wire between a client and the backend. This docstring is its specification; both ends hold every message to it.

SOCKETS.  ZeroMQ: the backend binds one ROUTER, a client connects a DEALER; tcp://127.0.0.1:7429 unless told otherwise.
A message is multipart: a JSON header, then one part a buffer, and no empty part before the header.

HEADER.  A JSON object in UTF-8, at most 65,536 bytes, without NaN or Infinity, with exactly these members:

    protocol    the integer 1
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
    partner  parameters: model, 1 to 64 of a-z 0-9 -; role, "follow" or "lead", is what the made dancer does; seed,
             an integer of 0 to 4,294,967,295; takes, an integer of 1 to 16; fps.
             dancers: leader; then, if the partner's first frames are given, history.
             Answered with progress, many times, and then with one result or one error.
    cancel   parameters: none. Its id is that of the request to end, which is answered with the error "cancelled". An
             id of no open request is passed over in silence: the answer may have crossed the cancel.

DOWN, from the backend.

    hello     parameters: version, that of the backend; models, an array of the names that `partner` takes.
    progress  parameters: fraction, 0 to 1; what, a few words for people; ahead, how many requests are served before
              this one, 0 when it runs. Sent at once, at every change, and at least once a second as a sign of life:
              a client that hears nothing for several seconds may take the backend for gone.
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

from backend import limits
from backend.limits import MAX_HEADER, ProtocolError, Rule, exactly, shown
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

PROTOCOL = 1
DEFAULT_URL = "tcp://127.0.0.1:7429"


class Cancelled(Exception):
    """The work was called off by the one who asked for it."""


@dataclass(frozen=True)
class Hello:
    """Who are you?"""


@dataclass(frozen=True)
class PartnerRequest:
    """What a caller asks for when it wants the other dancer.

    leader: the dancer that is there, at any frame rate.
    history: the partner's own first frames, in the leader's world and at the leader's rate, to continue from.
    role: what the generated partner does, "follow" or "lead".
    takes: how many different results.  seed: equal seeds give equal takes.
    """

    leader: Motion
    history: Motion | None = None
    model: str = "duet-vae"
    role: str = "follow"
    seed: int = 0
    takes: int = 1


@dataclass(frozen=True)
class Cancel:
    """End the request of this id."""


@dataclass(frozen=True)
class Welcome:
    """What the backend is: its version and the models it has."""

    version: str
    models: tuple[str, ...]


@dataclass(frozen=True)
class Progress:
    """How far a request has come: a fraction of 0 to 1, what is being done, and how many requests come before it."""

    fraction: float
    what: str
    ahead: int = 0


@dataclass(frozen=True)
class Result:
    """The takes that were asked for."""

    takes: tuple[Motion, ...]


@dataclass(frozen=True)
class Failure:
    """Why there is no result: one of CODES, and one sentence."""

    code: str
    text: str


Question = Hello | PartnerRequest | Cancel
Answer = Welcome | Progress | Result | Failure


def encode(id: str, message: Question | Answer) -> list[bytes]:
    """The parts of a message. Raises ProtocolError for one that the other end would refuse."""
    name, kind = next((name, kind) for name, kind in _EVERY if isinstance(message, kind.message))
    if not (_ID.fullmatch(id) or (id == "" and isinstance(message, Failure))):
        raise _no_id(id)
    parameters = {parameter: getattr(message, parameter) for parameter in kind.parameters}
    for parameter, rule in kind.parameters.items():
        rule(parameter, parameters[parameter])
    dancers = _dancers_of(message)
    if not set(kind.dancers[:1]) <= set(dancers) <= set(kind.dancers):
        raise ProtocolError(f"{name}: 1 to {len(kind.dancers)} dancers expected, {len(dancers)} found")
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
    exactly("parameters", parameters, (*kind.parameters, *(["fps"] if kind.dancers else [])))
    for name, rule in kind.parameters.items():
        rule(name, parameters[name])
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in parameters.items()
    }
    arrays = _arrays(declared, parts)
    dancers = kind.dancers[: max(len(arrays) // len(_BUFFERS), 1)]
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
    return Result(tuple(motions.values())) if kind.message is Result else kind.message(**motions, **values)


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
        history = {} if message.history is None else {"history": message.history}
        return {"leader": message.leader} | history
    return {}


@dataclass(frozen=True)
class _Kind:
    """What a kind of message holds.

    parameters: their names and rules, `fps` apart.  dancers: the names it may have, in order; the first it must.
    """

    message: type[Any]
    parameters: Mapping[str, Rule] = field(default_factory=dict)
    dancers: tuple[str, ...] = ()


_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BUFFERS = ("offsets", "root", "rotations")
_UP = {
    "hello": _Kind(Hello),
    "partner": _Kind(
        PartnerRequest,
        {
            "model": limits.model,
            "role": limits.one_of(limits.ROLES),
            "seed": limits.whole(0, limits.MAX_SEED),
            "takes": limits.whole(1, limits.MAX_TAKES),
        },
        dancers=("leader", "history"),
    ),
    "cancel": _Kind(Cancel),
}
_DOWN = {
    "hello": _Kind(Welcome, {"version": limits.text, "models": limits.models}),
    "progress": _Kind(
        Progress, {"fraction": limits.number(0, 1), "what": limits.text, "ahead": limits.whole(0, 1_000_000)}
    ),
    "result": _Kind(Result, dancers=tuple(f"take{n}" for n in range(1, limits.MAX_TAKES + 1))),
    "error": _Kind(Failure, {"code": limits.one_of(limits.CODES), "text": limits.text}),
}
_EVERY = (*_UP.items(), *_DOWN.items())
