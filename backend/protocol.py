"""The wire protocol between client and backend. This docstring is its specification; both ends validate against it.

SOCKETS.  ZeroMQ: the backend binds one ROUTER, a client connects a DEALER; by default at tcp://127.0.0.1:7429.
A message is multipart: a JSON header, then one part per buffer, and no empty part before the header.

HEADER.  A JSON object in UTF-8, at most 65,536 bytes, without NaN or Infinity, with exactly these members:

    protocol    the integer 3
    id          1 to 64 of the characters A-Z a-z 0-9 - _: the client's name for its request, unique among the open
                requests of its socket. Every reply carries it; only an error in reply to a message whose id could not
                be read, or is that of an open request, has "".
    kind        a string; see CLIENT MESSAGES and BACKEND MESSAGES
    parameters  an object with exactly the members that the kind lists
    buffers     an array with {"name": string, "shape": array of integers} for each further part, in their order

BUFFERS.  float32, little-endian, row-major (the last index varies fastest), without padding: 4 x the product of the
shape bytes. All numbers are finite.

DANCERS.  The movement of one dancer over F frames, here called NAME, is three buffers in this order:

    NAME.offsets    (29, 3) m, each joint's offset from its parent in the T-pose; within 100 m
    NAME.root       (F, 3) m, position of the pelvis; within 10,000 m of the origin
    NAME.rotations  (F, 29, 4), unit quaternions w x y z relative to the parent, of length 1 within 0.001 (the receiver
                    normalizes them)

in a right-handed space with Z up, in which a dancer at rest faces -Y. Joints and parents are those of rigs/skeleton.py.
The parameter `fps`, 1 to 1000, is the frame rate of all dancers of a message. F is 1 to 100,000, and at most 1,800
seconds.

SCORES.  A piece of music of S sixteenths is these buffers in this order; of the last three, those of parts without
notes are left out:

    score.seconds  (S + 1,) s, the time at which each sixteenth begins, and the last one ends, without swing: the first
                   is 0, each is greater than the one before, and none is above 1,800; S is 1 to 65,536
    score.meters   (M, 3), time signatures: the sixteenth, from 0, at which the meter starts, which begins a bar; the
                   upper number, 1 to 255; the lower number, a power of 2 up to 2,048. The first meter starts at 0, each
                   later than the one before and before S, and none has bars shorter than a sixteenth; M is 1 to 4,096;
                   a pickup is a short first meter
    score.drums    (N, 4), notes: pitch, 0 to 127, for drums the General MIDI number; velocity, 1 to 127; the sixteenth,
    score.bass     from 0, at which the note begins; the sixteenth, up to S, at which it has ended, so that their
    score.melody   difference is its length. In any order; two notes of one pitch do not overlap; N is 1 to 100,000

All numbers but the seconds are integers. The parameter `swing`, 0.5 to 0.75, is the position of the off-beat eighth
within its beat: 0.5 is straight, 2/3 a triplet's. A message has at most one score.

CLIENT MESSAGES.

    hello    parameters: none. Answered at once with a hello.
    partner  parameters of the generation: model, 1 to 64 of a-z 0-9 -; role, "follow" or "lead", the role of the
             generated dancer; seed, an integer of 0 to 4,294,967,295; takes, an integer of 1 to 16; fps; preview, a
             boolean, whether to send frames before the result.
             parameters of the direction: place, null or an array of 3 numbers, where the partner stands in the first
             frame as seen by the leader: metres ahead of the leader and metres to the leader's left, together 0.3 to
             100 m away, and degrees of -360 to 360 by which the partner is turned away from facing the leader,
             counter-clockwise from above; closeness, 0 to 2, how strongly the leader is followed, 1 by default, 0 not
             at all; energy, 0.5 to 2, the amount of movement relative to the model's own; keep, an array of at most
             1,000 rising integers, the draft's frames, from 0, whose poses the partner takes; redo, null or an array of
             2 integers, the first and the last frame, from 0, to generate again: the draft's others do not change;
             without, an array of the names of post-processing parts to leave out, each once: seams, bodies, hands,
             feet, floor. null, 1, 1, [], null and [] direct nothing.
             dancers: leader; then, if the partner's first frames are given, history; or, if the whole partner is
             given, draft, with the leader's F. A draft requires keep or redo or both, and they require a draft; place
             excludes history and draft. A model that takes no direction refuses any value that directs something.
             Answered with progress, many times, with frames if preview is true, and then with one result or one error.
    dance    parameters: model; duet, a boolean, whether to generate a partner too; energy, 0.5 to 2, the amount of
             movement relative to the model's own; seed; fps, the dance's; swing. score: of two bars or more, and of at
             most 100,000 frames of the dance. Answered with progress, many times, and then with one result or one
             error.
    compose  parameters: model; tempo, null to detect it in the dance, or 30 to 300 quarter notes a minute; parts, an
             array of those that play, one or more of drums, bass, melody, each once; seed; fps. dancers: dancer1;
             then, if two dance together, dancer2, with the F of dancer1. A second or longer. Answered with progress,
             many times, and then with one score or one error.
    cancel   parameters: none. Its id is that of the request to end, which is answered with the error "cancelled". An
             id of no open request is ignored: the result may have crossed the cancel.

BACKEND MESSAGES.

    hello     parameters: version, the backend's; models, dancers and composers, arrays of the names of the models for
              `partner`, `dance` and `compose`, the default first.
    progress  parameters: fraction, 0 to 1; what, a few words for people; ahead, how many requests are served before
              this one, 0 when it runs. Sent at once, at every change, and at least once a second as a heartbeat: a
              client that receives nothing for several seconds may assume that the backend is gone.
    frames    parameters: take, an integer of 1 to 16; first, an integer of 0 to 99,999; fps, the model's. dancer:
              danced. Frames of a take before the rest of it is generated, without post-processing, in the leader's
              world and at the model's rate, which is 30 for all shipped models: its frame f, from 0, is
              (first + f) / fps seconds after the leader's first. Sent only if preview is true, and by models that
              generate block by block. The frames of a take come in order, at most 5 times a second, those generated
              since the last message joined; frames that were sent before are replaced by the later ones. The last ones
              before the result are not sent, nor are those for which a client that does not read has no room. Only the
              result is final.
    result    parameters: fps. dancers: take1, take2, ... Answers partner with the requested number of takes, with the
              leader's fps and F; and dance with take1, the dancer, and, in a duet, take2, the partner, with the
              requested fps: frame f, from 0, is f / fps seconds after the music's beginning, and the F frames are those
              no later than its end.
    score     parameters: swing. score: the requested music, which begins with the dancers' first frame.
    error     parameters: code; text, one sentence for people. The codes: "refused", the message violates this
              specification or requests what the backend cannot do; "cancelled"; "fault", the backend failed or is
              stopping. A request that has an error is over; the connection and other requests go on.

A client that disconnects has its requests cancelled. Clients take turns, one request of each at a time; 8 requests of a
client and 32 in all may wait, and one more is refused. A part over 64 MiB ends the connection.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args

from backend.wire import buffers, validation
from backend.wire.messages import ClientMessage, ErrorReply, Message, ServerMessage
from backend.wire.validation import MAX_HEADER, ProtocolError, expect_members, quote

PROTOCOL = 3
DEFAULT_URL = "tcp://127.0.0.1:7429"
STOPPING = "the backend is stopping"
"""Text of the fault with which a server that is told to stop answers all open requests and those that come."""
AnyMessage = TypeVar("AnyMessage", bound=Message)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CLIENT_KINDS, _SERVER_KINDS = (
    {message.kind: message for message in get_args(messages)} for messages in (ClientMessage, ServerMessage)
)


def encode(id: str, message: ClientMessage | ServerMessage) -> list[bytes]:
    """The parts of a message. Raises ProtocolError for an id that is none."""
    if not (_ID.fullmatch(id) or (id == "" and isinstance(message, ErrorReply))):
        raise _invalid_id(id)
    values, dancers = message.parameters(), message.named_dancers()
    parameters = {name: values[name] for name in message.rules}
    arrays = buffers.score_to_arrays(values["score"]) if message.has_score else {}
    arrays |= buffers.dancers_to_arrays(dancers)
    if dancers:
        parameters["fps"] = float(next(iter(dancers.values())).fps)
    header = {
        "protocol": PROTOCOL,
        "id": id,
        "kind": message.kind,
        "parameters": parameters,
        "buffers": [{"name": name, "shape": array.shape} for name, array in arrays.items()],
    }
    return [json.dumps(header).encode(), *(array.tobytes() for array in arrays.values())]


def decode_client_message(parts: Sequence[bytes]) -> tuple[str, ClientMessage]:
    """The id and the message that a client sent. Raises ProtocolError for an invalid one."""
    return _decode(parts, _CLIENT_KINDS)


def decode_server_message(parts: Sequence[bytes]) -> tuple[str, ServerMessage]:
    """The id and the message that the backend sent. Raises ProtocolError for an invalid one."""
    return _decode(parts, _SERVER_KINDS)


def round_as_sent(message: AnyMessage) -> AnyMessage:
    """The message as it would arrive at the other end: its numbers rounded to float32."""
    values = message.parameters()
    parameters = {name: values[name] for name in message.rules}
    if message.has_score:
        parameters["score"] = buffers.arrays_to_score(values["score"].swing, buffers.score_to_arrays(values["score"]))
    dancers = {name: buffers.round_motion(motion) for name, motion in message.named_dancers().items()}
    return message.assemble(parameters, dancers)


def _decode(parts: Sequence[bytes], kinds: Mapping[str, type[Message]]) -> tuple[str, Any]:
    header = _read_header(parts)
    id = header.get("id")
    known = isinstance(id, str) and (_ID.fullmatch(id) or (id == "" and header.get("kind") == "error"))
    try:
        version = header.get("protocol")
        if type(version) is not int or version != PROTOCOL:
            raise ProtocolError(f"protocol: version {PROTOCOL} expected, {quote(version)} found")
        if not known:
            raise _invalid_id(id)
        expect_members("header", header, ("protocol", "id", "kind", "parameters", "buffers"))
        kind = header["kind"]
        if not isinstance(kind, str) or kind not in kinds:
            raise ProtocolError(f"kind: {validation.join_choices(list(kinds))} expected, {quote(kind)} found")
        return str(id), _read_message(kinds[kind], header["parameters"], header["buffers"], parts[1:])
    except ProtocolError as error:
        raise ProtocolError(str(error), str(id) if known else "") from None


def _read_header(parts: Sequence[bytes]) -> dict[str, Any]:
    if not parts:
        raise ProtocolError("header: a JSON object expected, an empty message found")
    if len(parts[0]) > MAX_HEADER:
        raise ProtocolError(f"header: at most {MAX_HEADER} bytes expected, {len(parts[0])} found")
    try:
        header = json.loads(bytes(parts[0]).decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ProtocolError("header: a JSON object in UTF-8 expected, something else found") from None
    if not isinstance(header, dict):
        raise ProtocolError(f"header: a JSON object expected, {quote(header)} found")
    return header


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _invalid_id(value: object) -> ProtocolError:
    return ProtocolError(f"id: 1 to 64 letters, digits, - or _ expected, {quote(value)} found")


def _read_message(kind: type[Message], parameters: Any, declared: Any, parts: Sequence[bytes]) -> Message:
    """The message of a header's members and the parts after it, with everything in it checked."""
    has_dancers = bool(kind.dancer_names[0])
    if not isinstance(parameters, dict):
        raise ProtocolError(f"parameters: an object expected, {quote(parameters)} found")
    expect_members("parameters", parameters, (*kind.rules, *(["fps"] if has_dancers else [])))
    for name, rule in kind.rules.items():
        rule(name, parameters[name])
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in parameters.items()
    }
    arrays = buffers.read_buffers(declared, parts)
    owners = {name.partition(".")[0] for name in arrays}
    dancers = min(kind.dancer_names, key=lambda names: len(owners.symmetric_difference(names)))
    expected = buffers.score_buffer_names(arrays) if kind.has_score else buffers.dancer_buffer_names(dancers)
    if list(arrays) != expected:
        raise ProtocolError(f"buffers: {', '.join(expected) or 'none'} expected, {quote(', '.join(arrays))} found")
    if kind.has_score:
        validation.check_score("score", arrays)
        values["score"] = buffers.arrays_to_score(values["swing"], arrays)
    fps = values.pop("fps") if has_dancers else 0.0
    if has_dancers:
        validation.fps("fps", fps)
    message = kind.assemble(values, buffers.arrays_to_dancers(dancers, float(fps), arrays))
    message.check_consistency()
    return message
