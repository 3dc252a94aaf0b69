"""The wire protocol: every valid message arrives as it was sent, and every other one is refused."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.protocol import DEFAULT_URL, decode_client_message, decode_server_message, encode
from backend.wire import validation
from backend.wire.direction import UNDIRECTED, Direction
from backend.wire.messages import (
    Cancel,
    ClientMessage,
    ErrorReply,
    Hello,
    HelloReply,
    MotionResult,
    PartnerRequest,
    PreviewFrames,
    ProgressUpdate,
    ServerMessage,
)
from backend.wire.validation import ProtocolError
from rigs import rotations
from rigs.motion import Motion
from rigs.post_processing.post_process import PARTS
from rigs.skeleton import DEFAULT_SKELETON, Skeleton
from tests.conftest import ROOT


def motion(frames: int = 4, fps: float = 30.0, seed: int = 0) -> Motion:
    random = np.random.default_rng(seed)
    turned = rotations.normalize(random.normal(size=(frames, 29, 4)))
    return Motion(fps, DEFAULT_SKELETON, random.normal(size=(frames, 3)), turned)


def with_header(parts: list[bytes], **members: Any) -> list[bytes]:
    """The message with other members in its header."""
    return [json.dumps(json.loads(parts[0]) | members).encode(), *parts[1:]]


def decode_or_error(parts: list[bytes]) -> ClientMessage | ProtocolError:
    """The message in the parts, or the error that refuses them; any other exception passes."""
    try:
        return decode_client_message(parts)[1]
    except ProtocolError as error:
        return error


GOOD = encode("one", PartnerRequest(motion(), motion(2, seed=1)))
BUFFERS = json.loads(GOOD[0])["buffers"]
PARAMETERS = json.loads(GOOD[0])["parameters"]
ANSWERS = [
    HelloReply("1.2.3", ("partner-flow", "duet-vae"), ("dance-flow",), ()),
    ProgressUpdate(0.25, "dancing", 3),
    ErrorReply("fault", "the backend failed: “why”\nI do not know"),
]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize("message", [Hello(), Cancel()])
def test_questions_without_a_dancer_arrive(message: ClientMessage) -> None:
    assert decode_client_message(encode("a-Z_9", message)) == ("a-Z_9", message)


@pytest.mark.parametrize("message", ANSWERS)
def test_answers_without_a_dancer_arrive(message: ServerMessage) -> None:
    assert decode_server_message(encode("x", message)) == ("x", message)


def test_an_error_may_be_about_a_message_without_an_id() -> None:
    assert decode_server_message(encode("", ErrorReply("refused", "what?"))) == ("", ErrorReply("refused", "what?"))


@given(
    frames=st.integers(1, 12),
    earlier=st.integers(0, 5),
    fps=st.floats(1.0, 1000.0),
    seed=st.integers(0, validation.MAX_SEED),
    takes=st.integers(1, 16),
    role=st.sampled_from(["lead", "follow"]),
)
def test_a_request_arrives_as_float32(frames: int, earlier: int, fps: float, seed: int, takes: int, role: str) -> None:
    history = motion(earlier, fps, seed=2) if earlier else None
    sent = PartnerRequest(motion(frames, fps), history, "partner-flow", role, seed, takes)
    _, received = decode_client_message(encode("id", sent))
    assert isinstance(received, PartnerRequest)
    assert (received.model, received.role, received.seed, received.takes) == ("partner-flow", role, seed, takes)
    assert (received.history is None) == (history is None)
    assert (received.draft, received.direction, received.preview) == (None, UNDIRECTED, False)
    for before, after in (
        (sent.leader, received.leader),
        (history or sent.leader, received.history or received.leader),
    ):
        assert_received(before, after)


def assert_received(before: Motion, after: Motion) -> None:
    """Expect the movement that was sent, as float32."""
    assert after.fps == before.fps
    assert np.array_equal(after.root, before.root.astype(np.float32))
    assert np.array_equal(after.skeleton.offsets, before.skeleton.offsets.astype(np.float32))
    np.testing.assert_allclose(after.rotations, before.rotations, rtol=0, atol=1e-7)
    np.testing.assert_allclose(np.linalg.norm(after.rotations, axis=-1), 1.0, rtol=0, atol=1e-12)


@given(
    closeness=st.floats(0.0, 2.0),
    energy=st.floats(0.5, 2.0),
    keep=st.sets(st.integers(0, 11)),
    redo=st.none() | st.tuples(st.integers(0, 11), st.integers(0, 11)),
    without=st.permutations(PARTS).flatmap(lambda parts: st.integers(0, 5).map(lambda count: tuple(parts[:count]))),
    preview=st.booleans(),
)
def test_a_directed_draft_arrives(
    closeness: float,
    energy: float,
    keep: set[int],
    redo: tuple[int, int] | None,
    without: tuple[str, ...],
    preview: bool,
) -> None:
    span = redo and (min(redo), max(redo))
    direction = Direction(None, closeness, energy, tuple(sorted(keep)), span, without)
    draft = motion(12, seed=3) if keep or redo else None
    sent = PartnerRequest(motion(12), None, "partner-flow", draft=draft, direction=direction, preview=preview)
    _, received = decode_client_message(encode("id", sent))
    assert isinstance(received, PartnerRequest)
    assert (received.direction, received.preview, received.history) == (direction, preview, None)
    assert (received.draft is None) == (draft is None)
    if draft and received.draft:
        assert_received(draft, received.draft)


@given(
    ahead=st.floats(0.3, 70.0), left=st.floats(-70.0, 70.0), degrees=st.floats(-360.0, 360.0), energy=st.integers(1, 2)
)
def test_a_place_arrives(ahead: float, left: float, degrees: float, energy: int) -> None:
    sent = Direction(place=(ahead, left, degrees), energy=energy)
    _, received = decode_client_message(encode("id", PartnerRequest(motion(), direction=sent)))
    assert isinstance(received, PartnerRequest)
    assert received.direction == sent


def test_frames_arrive_with_their_take_and_place() -> None:
    danced = motion(8, seed=4)
    id, received = decode_server_message(encode("id", PreviewFrames(3, 40, danced)))
    assert isinstance(received, PreviewFrames)
    assert (id, received.take, received.first) == ("id", 3, 40)
    assert_received(danced, received.motion)


def test_takes_arrive_in_their_order() -> None:
    takes = tuple(motion(seed=n) for n in range(16))
    _, received = decode_server_message(encode("id", MotionResult(takes)))
    assert isinstance(received, MotionResult)
    assert [take.root[0, 0] for take in received.takes] == [np.float32(take.root[0, 0]) for take in takes]


def test_the_buffers_are_as_the_specification_says() -> None:
    """As a client in another language relies on: float32, little-endian, row-major."""
    one = motion(3)
    header, offsets, root, turned = encode("id", PartnerRequest(one))
    assert json.loads(header) == {
        "protocol": 3,
        "id": "id",
        "kind": "partner",
        "parameters": {
            "model": "partner-flow",
            "role": "follow",
            "seed": 0,
            "takes": 1,
            "place": None,
            "closeness": 1.0,
            "energy": 1.0,
            "keep": [],
            "redo": None,
            "without": [],
            "preview": False,
            "fps": 30.0,
        },
        "buffers": [
            {"name": "leader.offsets", "shape": [29, 3]},
            {"name": "leader.root", "shape": [3, 3]},
            {"name": "leader.rotations", "shape": [3, 29, 4]},
        ],
    }
    assert offsets == b"".join(np.float32(x).tobytes() for row in DEFAULT_SKELETON.offsets for x in row)
    assert root[:4] == np.array(one.root[0, 0], "<f4").tobytes()
    assert turned[-4:] == np.array(one.rotations[-1, -1, -1], "<f4").tobytes()
    assert len(turned) == 3 * 29 * 4 * 4


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_noise_is_refused(parts: list[bytes]) -> None:
    for decode in (decode_client_message, decode_server_message):
        with pytest.raises(ProtocolError):
            decode(parts)


@given(JSON, st.lists(st.binary(max_size=20), max_size=3))
def test_any_json_is_refused_in_a_sentence(header: Any, parts: list[bytes]) -> None:
    for decode in (decode_client_message, decode_server_message):
        with pytest.raises(ProtocolError, match=r"^[ -~]+$"):
            decode([json.dumps(header).encode(), *parts])


@given(st.sampled_from(sorted(json.loads(GOOD[0]))), JSON)
def test_a_header_with_any_other_member_value_is_refused_with_its_id(name: str, value: Any) -> None:
    if name == "id" and isinstance(value, str):
        return
    received = decode_or_error(with_header(GOOD, **{name: value}))
    if isinstance(received, ProtocolError):
        assert received.id == ("" if name == "id" else "one")
    else:
        assert value == json.loads(GOOD[0])[name]


@given(st.sampled_from(sorted(PARAMETERS)), JSON)
def test_a_parameter_is_refused_or_heard_as_it_was_said(name: str, value: Any) -> None:
    received = decode_or_error(with_header(GOOD, parameters=PARAMETERS | {name: value}))
    if isinstance(received, ProtocolError):
        assert received.id == "one"
    else:
        assert isinstance(received, PartnerRequest)
        known = vars(received.direction) | vars(received) | {"fps": received.leader.fps}
        assert known[name] == (tuple(value) if isinstance(value, list) else value)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_never_breaks_the_reader(part: int, place: int, byte: int) -> None:
    changed = bytearray(GOOD[part])
    changed[place % len(changed)] = byte
    received = decode_or_error([*GOOD[:part], bytes(changed), *GOOD[part + 1 :]])
    if isinstance(received, PartnerRequest):
        assert np.isfinite(received.leader.positions).all()
    else:
        assert isinstance(received, ProtocolError)


def test_the_documentation_names_the_default_address() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    addresses = {address for page in pages for address in re.findall(r"tcp://127\.0\.0\.1:\d+", page.read_text())}
    assert addresses == {DEFAULT_URL}


BAD = {
    "nothing at all": ([], "header: a JSON object expected, an empty message found"),
    "no JSON": ([b"\x80\x04pickle"], "header: a JSON object in UTF-8 expected"),
    "JSON too deep": ([b"[" * 60_000], "header: a JSON object in UTF-8 expected"),
    "NaN in JSON": ([GOOD[0].replace(b"30.0", b"NaN"), *GOOD[1:]], "header: a JSON object in UTF-8 expected"),
    "another JSON": ([b"[1]"], "header: a JSON object expected, [1] found"),
    "a long header": ([GOOD[0] + b" " * 65_536, *GOOD[1:]], "header: at most 65536 bytes expected"),
    "another version": (with_header(GOOD, protocol=2), "protocol: version 3 expected, 2 found"),
    "no version": (with_header(GOOD, protocol=None), "protocol: version 3 expected, nothing found"),
    "an unknown kind": (
        with_header(GOOD, kind="tango"),
        "kind: hello, partner, dance, compose or cancel expected, 'tango' found",
    ),
    "an answer's kind": (with_header(GOOD, kind="score"), "kind: hello, partner, dance, compose or cancel expected"),
    "a further member": (with_header(GOOD, more=1), "header: protocol, id, kind, parameters, buffers expected"),
    "a bad id": (with_header(GOOD, id="a b"), "id: 1 to 64 letters"),
    "a buffer too few": (GOOD[:-1], "buffers: 6 expected after the header, 5 found"),
    "a buffer too many": ([*GOOD, b"1234"], "buffers: 6 expected after the header, 7 found"),
    "buffers for a hello": (with_header(GOOD, kind="hello", parameters={}), "buffers: none expected"),
    "no buffers": (
        [with_header(GOOD, buffers=[])[0]],
        "buffers: leader.offsets, leader.root, leader.rotations expected",
    ),
    "a buffer's name": (
        with_header(GOOD, buffers=[BUFFERS[0] | {"name": "leader.bones"}, *BUFFERS[1:]]),
        "buffers: leader.offsets, leader.root, leader.rotations, history.offsets",
    ),
    "one buffer twice": (
        with_header([*GOOD[:2], *GOOD[2:3] * 5], buffers=[*BUFFERS[:2], *BUFFERS[1:2] * 4]),
        "buffers: a name for each alone expected",
    ),
    "a shape": (
        with_header(GOOD, buffers=[BUFFERS[0] | {"shape": [3, 29]}, *BUFFERS[1:]]),
        "leader.offsets: shape (29, 3) expected, (3, 29) found",
    ),
    "many axes": (with_header(GOOD, buffers=[BUFFERS[0] | {"shape": [1] * 99}, *BUFFERS[1:]]), "a shape of at most 3"),
    "a huge shape": (
        with_header(GOOD, buffers=[BUFFERS[0] | {"shape": [10**9, 3]}, *BUFFERS[1:]]),
        "a shape of at most",
    ),
    "bytes": ([GOOD[0], GOOD[1][:-1], *GOOD[2:]], "'leader.offsets': 348 bytes expected for its shape, 347 found"),
    "a NaN": ([*GOOD[:2], np.full((4, 3), np.nan, "<f4").tobytes(), *GOOD[3:]], "leader.root, row 0: numbers within"),
    "an infinity": ([*GOOD[:2], np.full((4, 3), np.inf, "<f4").tobytes(), *GOOD[3:]], "leader.root, row 0: numbers"),
    "far away": ([*GOOD[:2], np.full((4, 3), 2e4, "<f4").tobytes(), *GOOD[3:]], "within 10000 m expected, 2e+04"),
    "long bones": ([GOOD[0], np.full((29, 3), 1e3, "<f4").tobytes(), *GOOD[2:]], "leader.offsets, row 0: numbers"),
    "no rotation": (
        [*GOOD[:3], np.zeros((4, 29, 4), "<f4").tobytes(), *GOOD[4:]],
        "leader.rotations, frame 0, pelvis: a unit quaternion expected, one of length 0 found",
    ),
    "a parameter too few": (with_header(GOOD, parameters={"fps": 30.0}), "parameters: model, role, seed, takes, pl"),
    "a parameter too many": (with_header(GOOD, parameters=PARAMETERS | {"tempo": 1}), "parameters: model, role, seed"),
    "a model": (with_header(GOOD, parameters=PARAMETERS | {"model": "../x"}), "model: 1 to 64 small letters"),
    "a role": (
        with_header(GOOD, parameters=PARAMETERS | {"role": "sit"}),
        "role: follow or lead expected, 'sit' found",
    ),
    "a seed": (with_header(GOOD, parameters=PARAMETERS | {"seed": -1}), "seed: a whole number of 0 to 4294967295"),
    "half a seed": (with_header(GOOD, parameters=PARAMETERS | {"seed": 0.5}), "seed: a whole number"),
    "takes": (
        with_header(GOOD, parameters=PARAMETERS | {"takes": 17}),
        "takes: a whole number of 1 to 16 expected, 17",
    ),
    "a true take": (with_header(GOOD, parameters=PARAMETERS | {"takes": True}), "takes: a whole number of 1 to 16"),
    "a place": (
        with_header(GOOD, parameters=PARAMETERS | {"place": [1, 0]}),
        "place: metres ahead, metres to the left",
    ),
    "a place too near": (
        with_header(GOOD, parameters=PARAMETERS | {"place": [0.1, 0, 0]}),
        "place: 0.3 to 100 m from the leader expected, 0.1 found",
    ),
    "a place turned too far": (
        with_header(GOOD, parameters=PARAMETERS | {"place": [1, 0, 400]}),
        "place: a number of -360 to 360 expected, 400 found",
    ),
    "a closeness": (
        with_header(GOOD, parameters=PARAMETERS | {"closeness": 3}),
        "closeness: a number of 0 to 2 expected",
    ),
    "an energy": (with_header(GOOD, parameters=PARAMETERS | {"energy": 0}), "energy: a number of 0.5 to 2 expected"),
    "frames out of order": (
        with_header(GOOD, parameters=PARAMETERS | {"keep": [2, 1]}),
        "keep: at most 1000 frames in rising order expected, [2, 1] found",
    ),
    "too many frames": (
        with_header(GOOD, parameters=PARAMETERS | {"keep": list(range(1001))}),
        "keep: at most 1000 frames in rising order expected",
    ),
    "a redo backwards": (
        with_header(GOOD, parameters=PARAMETERS | {"redo": [3, 2]}),
        "redo: a first frame and a last one not before it expected, [3, 2] found",
    ),
    "a part of no finishing": (
        with_header(GOOD, parameters=PARAMETERS | {"without": ["feet", "nose"]}),
        "without: some of seams, bodies, hands, feet, floor, each once, expected, 'nose' found",
    ),
    "a preview of 1": (with_header(GOOD, parameters=PARAMETERS | {"preview": 1}), "preview: true or false expected, 1"),
    "a keep without a draft": (
        with_header(GOOD, parameters=PARAMETERS | {"keep": [1]}),
        "keep: a draft expected with it, none found",
    ),
    "history and draft": (
        with_header(
            [*GOOD, *GOOD[4:]],
            buffers=[
                *BUFFERS,
                *({**buffer, "name": f"draft.{buffer['name'].split('.')[1]}"} for buffer in BUFFERS[3:]),
            ],
        ),
        "buffers: leader.offsets, leader.root, leader.rotations, history.offsets",
    ),
    "a rate": (with_header(GOOD, parameters=PARAMETERS | {"fps": 0}), "fps: a number of 1 to 1000 expected, 0 found"),
}


@pytest.mark.parametrize(("parts", "sentence"), BAD.values(), ids=BAD)
def test_a_message_that_breaks_the_specification_is_refused(parts: list[bytes], sentence: str) -> None:
    with pytest.raises(ProtocolError) as refusal:
        decode_client_message(parts)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("construct", "sentence"),
    [
        (lambda: PartnerRequest(motion(), motion(fps=60.0)), "history: the 30 fps of leader expected, 60 found"),
        (lambda: PartnerRequest(motion()[:0]), "leader: 1 to 100000 frames expected, 0 found"),
        (lambda: PartnerRequest(motion(), motion()[:0]), "history: 1 to 100000 frames expected, 0 found"),
        (lambda: PartnerRequest(motion(1802, fps=1.0)), "leader: at most 1800 seconds expected, 1801 found"),
        (lambda: PartnerRequest(replace(motion(), fps=2000.0)), "leader, fps: a number of 1 to 1000 expected"),
        (lambda: PartnerRequest(replace(motion(), root=np.full((4, 3), np.nan))), "leader.root, row 0"),
        (
            lambda: PartnerRequest(replace(motion(), skeleton=Skeleton(np.full((29, 3), np.inf)))),
            "leader.offsets, row 0",
        ),
        (
            lambda: PartnerRequest(replace(motion(), rotations=motion().rotations * 1.01)),
            "frame 0, pelvis: a unit quaternion",
        ),
        (
            lambda: PartnerRequest(motion(), direction=Direction(energy=9.0)),
            "energy: a number of 0.5 to 2 expected, 9.0 found",
        ),
        (lambda: PartnerRequest(motion(), draft=motion()), "draft: keep or redo expected with it, neither found"),
        (
            lambda: PartnerRequest(motion(), motion(), draft=motion()),
            "history and draft: one of them expected, both found",
        ),
        (lambda: PreviewFrames(0, 0, motion()), "take: a whole number of 1 to 16 expected, 0 found"),
        (lambda: PreviewFrames(1, -1, motion()), "first: a whole number of 0 to 99999 expected, -1 found"),
        (lambda: PartnerRequest(motion(), takes=0), "takes: a whole number of 1 to 16 expected, 0 found"),
        (lambda: PartnerRequest(motion(), seed=2**32), "seed: a whole number"),
        (lambda: PartnerRequest(motion(), role="both"), "role: follow or lead"),
        (lambda: MotionResult(()), "result: 1 to 16 dancers expected, 0 found"),
        (lambda: MotionResult((motion(),) * 17), "result: 1 to 16 dancers expected, 17 found"),
        (lambda: ProgressUpdate(1.5, "dancing"), "fraction: a number of 0 to 1 expected, 1.5 found"),
    ],
)
def test_an_invalid_message_cannot_be_constructed(construct: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ProtocolError) as refusal:
        construct()
    assert sentence in str(refusal.value)


def test_more_frames_than_anybody_dances_are_refused() -> None:
    still = np.zeros((100_001, 3))
    long = Motion(1000.0, DEFAULT_SKELETON, still, np.broadcast_to(rotations.IDENTITY, (100_001, 29, 4)))
    with pytest.raises(ProtocolError, match="leader: 1 to 100000 frames expected, 100001 found"):
        PartnerRequest(long)
