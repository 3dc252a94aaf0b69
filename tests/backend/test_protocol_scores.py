"""The wire protocol of requests for dances and music: valid ones arrive as sent, and others are refused."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.music.score import PARTS, Meter, Part, Score, part_from_note_array, part_to_note_array
from backend.protocol import decode_client_message, decode_server_message, encode
from backend.wire import validation
from backend.wire.messages import ComposeRequest, ComposeResult, DanceRequest
from backend.wire.validation import ProtocolError
from tests.backend.test_protocol import GOOD as PARTNER
from tests.backend.test_protocol import JSON, assert_received, decode_or_error, motion, with_header


def score(steps: int = 64, seed: int = 0, **others: Any) -> Score:
    """Music of four bars with a drum, no bass, and a melody of three notes."""
    drums = part_from_note_array(np.array([[36, 100, step, step + 1] for step in range(0, steps, 4)]), steps)
    melody = part_from_note_array(np.array([[60, 1, 0, 3], [60, 127, 3, 8], [127, 64, 2, steps]]), steps)
    seconds = np.append(0.0, np.cumsum(np.random.default_rng(seed).uniform(0.1, 0.2, steps)))
    bass = part_from_note_array(np.zeros((0, 4), int), steps)
    return Score(**{"drums": drums, "bass": bass, "melody": melody, "seconds": seconds} | others)


def struck(velocity: int) -> Part:
    """A part of 64 steps with one note."""
    onset = np.zeros((64, 128), bool)
    onset[0, 40] = True
    return Part(onset, onset, np.where(onset, velocity, 0).astype(np.uint8))


DANCE = encode("one", DanceRequest(score()))
DANCE_BUFFERS = json.loads(DANCE[0])["buffers"]
DANCE_PARAMETERS = json.loads(DANCE[0])["parameters"]
COMPOSE = encode("one", ComposeRequest((motion(31), motion(31, seed=1))))
COMPOSE_PARAMETERS = json.loads(COMPOSE[0])["parameters"]


def same_music(before: Score, after: Score) -> None:
    """Expect the music that was sent, its seconds as float32."""
    assert np.array_equal(after.seconds, before.seconds.astype(np.float32))
    assert (after.meters, after.swing) == (before.meters, before.swing)
    for part in PARTS:
        for name in ("onset", "sustain", "velocity"):
            assert np.array_equal(getattr(getattr(after, part), name), getattr(getattr(before, part), name))


@st.composite
def scores(draw: st.DrawFn, least: int = 1) -> Score:
    """Any music of up to 70 steps."""
    steps = draw(st.integers(least, 70))
    rows = st.tuples(st.integers(0, 127), st.integers(1, 127), st.integers(0, steps - 1), st.integers(1, steps))
    tables = draw(st.tuples(*[st.lists(rows, max_size=30)] * 3))
    drums, bass, melody = (part_from_note_array(np.array(rows, int).reshape(-1, 4), steps) for rows in tables)
    lengths = draw(st.lists(st.floats(1e-3, 20.0), min_size=steps, max_size=steps))
    starts = sorted(draw(st.sets(st.integers(1, steps), max_size=4)) - {steps})
    numbers = st.tuples(st.integers(4, 255), st.sampled_from([1, 2, 4, 8, 16, 32, 64]))
    meters = tuple(Meter(step, *draw(numbers)) for step in (0, *starts))
    return Score(drums, bass, melody, np.append(0.0, np.cumsum(lengths)), meters, draw(st.floats(0.5, 0.75)))


@given(scores())
def test_music_arrives_as_it_was_written(music: Score) -> None:
    id, received = decode_server_message(encode("id", ComposeResult(music)))
    assert isinstance(received, ComposeResult)
    assert id == "id"
    same_music(music, received.score)


@given(
    duet=st.booleans(),
    energy=st.floats(0.5, 2.0),
    seed=st.integers(0, validation.MAX_SEED),
    fps=st.floats(1.0, 1000.0),
)
def test_a_request_for_a_dance_arrives(duet: bool, energy: float, seed: int, fps: float) -> None:
    sent = DanceRequest(score(swing=2 / 3), "choreo-bridge", duet, energy, seed, fps)
    _, received = decode_client_message(encode("id", sent))
    assert isinstance(received, DanceRequest)
    assert (received.model, received.duet, received.energy) == ("choreo-bridge", duet, energy)
    assert (received.seed, received.fps, received.frames) == (seed, fps, sent.frames)
    same_music(sent.score, received.score)


@pytest.mark.parametrize(("fps", "frames"), [(30.0, 61), (29.97, 60), (24.0, 49), (1000.0, 2001)])
def test_a_dance_has_the_frames_that_come_no_later_than_the_musics_end(fps: float, frames: int) -> None:
    two_seconds = score(32, seconds=np.linspace(0.0, 2.0, 33))
    assert DanceRequest(two_seconds, fps=fps).frames == frames


@given(
    dancers=st.integers(1, 2),
    tempo=st.none() | st.floats(30.0, 300.0),
    parts=st.permutations(PARTS).flatmap(lambda parts: st.integers(1, 3).map(lambda count: tuple(parts[:count]))),
    seed=st.integers(0, validation.MAX_SEED),
)
def test_a_request_for_music_arrives(dancers: int, tempo: float | None, parts: tuple[str, ...], seed: int) -> None:
    sent = ComposeRequest(tuple(motion(31, seed=n) for n in range(dancers)), "score-flow", tempo, parts, seed)
    _, received = decode_client_message(encode("id", sent))
    assert isinstance(received, ComposeRequest)
    assert (received.model, received.tempo, received.parts, received.seed) == ("score-flow", tempo, parts, seed)
    for before, after in zip(sent.dancers, received.dancers, strict=True):
        assert_received(before, after)


def test_a_scores_buffers_are_as_the_specification_says() -> None:
    """Parts that play nothing have none."""
    music = score(32, meters=(Meter(0, 1, 4), Meter(4, 3, 4), Meter(16)), swing=0.625)
    header, seconds, meters, drums, melody = encode("id", DanceRequest(music, duet=True, energy=1.5, seed=7, fps=24.0))
    assert json.loads(header) == {
        "protocol": 3,
        "id": "id",
        "kind": "dance",
        "parameters": {
            "model": "dance-flow",
            "duet": True,
            "energy": 1.5,
            "seed": 7,
            "fps": 24.0,
            "swing": 0.625,
        },
        "buffers": [
            {"name": "score.seconds", "shape": [33]},
            {"name": "score.meters", "shape": [3, 3]},
            {"name": "score.drums", "shape": [8, 4]},
            {"name": "score.melody", "shape": [3, 4]},
        ],
    }
    assert seconds == music.seconds.astype("<f4").tobytes()
    assert meters == np.array([0, 1, 4, 4, 3, 4, 16, 4, 4], "<f4").tobytes()
    assert drums[:32] == np.array([36, 100, 0, 1, 36, 100, 4, 5], "<f4").tobytes()
    assert melody == np.array([60, 1, 0, 3, 127, 64, 2, 32, 60, 127, 3, 8], "<f4").tobytes()


def test_what_music_is_made_for_is_as_the_specification_says() -> None:
    header, *buffers = encode("id", ComposeRequest((motion(31), motion(31, seed=1)), parts=("bass",)))
    content = json.loads(header)
    assert (content["kind"], len(buffers)) == ("compose", 6)
    assert content["parameters"] == {"model": "score-flow", "tempo": None, "parts": ["bass"], "seed": 0, "fps": 30.0}
    assert [buffer["name"] for buffer in content["buffers"]] == [
        f"{dancer}.{buffer}" for dancer in ("dancer1", "dancer2") for buffer in ("offsets", "root", "rotations")
    ]


def test_notes_arrive_in_any_order() -> None:
    turned = np.frombuffer(DANCE[4], "<f4").reshape(-1, 4)[::-1].tobytes()
    _, received = decode_client_message([*DANCE[:4], turned])
    assert isinstance(received, DanceRequest)
    same_music(score(), received.score)


@given(st.sampled_from(sorted(DANCE_PARAMETERS)), JSON)
def test_a_parameter_of_a_dance_is_refused_or_heard_as_it_was_said(name: str, value: Any) -> None:
    received = decode_or_error(with_header(DANCE, parameters=DANCE_PARAMETERS | {name: value}))
    if isinstance(received, ProtocolError):
        assert received.id == "one"
    else:
        assert isinstance(received, DanceRequest)
        assert (vars(received) | {"swing": received.score.swing})[name] == value


@given(st.sampled_from(sorted(COMPOSE_PARAMETERS)), JSON)
def test_a_parameter_of_music_is_refused_or_heard_as_it_was_said(name: str, value: Any) -> None:
    received = decode_or_error(with_header(COMPOSE, parameters=COMPOSE_PARAMETERS | {name: value}))
    if isinstance(received, ProtocolError):
        assert received.id == "one"
    else:
        assert isinstance(received, ComposeRequest)
        known = vars(received) | {"fps": received.dancers[0].fps}
        assert known[name] == (tuple(value) if isinstance(value, list) else value)


@given(st.integers(1, len(DANCE) - 1), st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_of_music_never_breaks_the_reader(part: int, place: int, byte: int) -> None:
    changed = bytearray(DANCE[part])
    changed[place % len(changed)] = byte
    received = decode_or_error([*DANCE[:part], bytes(changed), *DANCE[part + 1 :]])
    if isinstance(received, DanceRequest):
        assert (np.diff(received.score.seconds) > 0.0).all()
        assert all(part_to_note_array(getattr(received.score, part))[:, 3].max(initial=0) <= 64 for part in PARTS)
    else:
        assert isinstance(received, ProtocolError)


def with_buffer(place: int, *rows: Any) -> list[bytes]:
    """A dance request with another buffer in place of one, counted from 1."""
    array = np.array(rows, "<f4")
    shapes = [
        buffer | ({"shape": list(array.shape)} if n == place else {}) for n, buffer in enumerate(DANCE_BUFFERS, start=1)
    ]
    parts = with_header(DANCE, buffers=shapes)
    return [*parts[:place], array.tobytes(), *parts[place + 1 :]]


SECONDS = np.linspace(0.0, 8.0, 65)
BAD = {
    "a duet of 1": (
        with_header(DANCE, parameters=DANCE_PARAMETERS | {"duet": 1}),
        "duet: true or false expected, 1 found",
    ),
    "a dance's energy": (
        with_header(DANCE, parameters=DANCE_PARAMETERS | {"energy": 2.5}),
        "energy: a number of 0.5 to 2 expected, 2.5 found",
    ),
    "a dance's rate": (
        with_header(DANCE, parameters=DANCE_PARAMETERS | {"fps": None}),
        "fps: a number of 1 to 1000 expected, nothing found",
    ),
    "a swing": (
        with_header(DANCE, parameters=DANCE_PARAMETERS | {"swing": 0.8}),
        "swing: a number of 0.5 to 0.75 expected, 0.8 found",
    ),
    "a dance without music": ([with_header(DANCE, buffers=[])[0]], "buffers: score.seconds, score.meters expected"),
    "a dance to a dancer": (
        with_header(PARTNER, kind="dance", parameters=DANCE_PARAMETERS),
        "buffers: score.seconds, score.meters expected, 'leader.offsets",
    ),
    "parts in another order": (
        [
            with_header(DANCE, buffers=[*DANCE_BUFFERS[:2], DANCE_BUFFERS[3], DANCE_BUFFERS[2]])[0],
            *DANCE[1:3],
            DANCE[4],
            DANCE[3],
        ],
        "buffers: score.seconds, score.meters, score.drums, score.melody expected",
    ),
    "an empty part": (
        [
            with_header(DANCE, buffers=[*DANCE_BUFFERS[:2], {"name": "score.drums", "shape": [0, 4]}])[0],
            *DANCE[1:3],
            b"",
        ],
        "'score.drums': a shape of at most 3 numbers of 1 to 100000 expected, [0, 4] found",
    ),
    "no step": (with_buffer(1, 0.0), "score.seconds: shape (S + 1), S of 1 to 65536, expected, (1,) found"),
    "seconds in rows": (with_buffer(1, SECONDS), "score.seconds: shape (S + 1), S of 1 to 65536, expected, (1, 65) f"),
    "a late beginning": (with_buffer(1, *(SECONDS + 1)), "score.seconds, row 0: numbers that rise from 0 expected, 1"),
    "a step of no time": (
        with_buffer(1, *SECONDS[:5], *SECONDS[4:]),
        "score.seconds, row 5: numbers that rise from 0 expected, 0.5 found",
    ),
    "a second that is none": (
        with_buffer(1, *SECONDS[:9], np.nan, *SECONDS[10:]),
        "score.seconds, row 9: finite numbers expected, nan found",
    ),
    "an endless step": (
        with_buffer(1, *SECONDS[:64], np.inf),
        "score.seconds, row 64: finite numbers expected, inf found",
    ),
    "music too long": (with_buffer(1, *(SECONDS * 300)), "score.seconds: at most 1800 seconds expected, 2400 found"),
    "too many steps": (
        with_buffer(1, *np.linspace(0.0, 1800.0, 65_538)),
        "score.seconds: shape (S + 1), S of 1 to 65536, expected, (65538,) found",
    ),
    "a meter of two numbers": (with_buffer(2, [0, 4]), "score.meters: shape (N, 3), N of 1 to 4096, expected, (1, 2)"),
    "too many meters": (
        with_buffer(2, *([n, 4, 4] for n in range(4097))),
        "score.meters: shape (N, 3), N of 1 to 4096, expected, (4097, 3) found",
    ),
    "a late meter": (
        with_buffer(2, [4, 4, 4]),
        "score.meters, row 0: steps that rise from 0 and stay below 64 expected, 4 found",
    ),
    "meters in disorder": (
        with_buffer(2, [0, 4, 4], [8, 3, 4], [8, 2, 4]),
        "score.meters, row 2: steps that rise from 0",
    ),
    "a meter behind the end": (with_buffer(2, [0, 4, 4], [64, 3, 4]), "score.meters, row 1: steps that rise from 0"),
    "half a meter": (with_buffer(2, [0, 2.5, 4]), "score.meters, row 0: whole numbers expected, 2.5 found"),
    "a meter that is no number": (
        with_buffer(2, [0, np.nan, 4]),
        "score.meters, row 0: whole numbers expected, nan found",
    ),
    "a meter of nothing": (
        with_buffer(2, [0, 0, 4]),
        "score.meters, row 0: an upper number of 1 to 255 expected, 0 found",
    ),
    "a meter of thirds": (
        with_buffer(2, [0, 4, 3]),
        "score.meters, row 0: a power of 2 up to 2048 as lower number expected, 3 found",
    ),
    "bars below a sixteenth": (
        with_buffer(2, [0, 1, 64]),
        "score.meters, row 0: bars of a sixteenth or more expected, 0.25 found",
    ),
    "one bar": (
        with_buffer(2, [0, 16, 4]),
        "score: at least 2 bars of music expected, 1 found",
    ),
    "a dance of too many frames": (
        with_header(with_buffer(1, *(SECONDS * 20)), parameters=DANCE_PARAMETERS | {"fps": 1000}),
        "score: music of at most 100000 frames expected, 160001 found",
    ),
    "a note of three numbers": (
        with_buffer(3, [36, 100, 0]),
        "score.drums: shape (N, 4), N of 1 to 100000, expected, (1, 3) found",
    ),
    "a note that is no number": (
        with_buffer(3, [36, 100, 0, np.inf]),
        "score.drums, row 0: whole numbers expected, inf found",
    ),
    "half a pitch": (with_buffer(3, [36.5, 100, 0, 1]), "score.drums, row 0: whole numbers expected, 36.5 found"),
    "a pitch too high": (
        with_buffer(4, [60, 1, 0, 3], [128, 1, 0, 3]),
        "score.melody, row 1: a pitch of 0 to 127 expected, 128 found",
    ),
    "a silent note": (with_buffer(4, [60, 0, 0, 3]), "score.melody, row 0: a velocity of 1 to 127 expected, 0 found"),
    "a note before the first": (
        with_buffer(4, [60, 1, -1, 3]),
        "score.melody, row 0: a start of 0 to 63 expected, -1 found",
    ),
    "a note that ends as it begins": (
        with_buffer(4, [60, 1, 3, 3]),
        "score.melody, row 0: an end behind the start and up to 64 expected, 3 found",
    ),
    "a note behind the end": (with_buffer(4, [60, 1, 3, 65]), "score.melody, row 0: an end behind the start and up to"),
    "notes of a pitch together": (
        with_buffer(4, [60, 1, 3, 8], [61, 1, 0, 64], [60, 1, 0, 4]),
        "score.melody, row 0: a start after the last note of its pitch has ended expected, 3 found",
    ),
    "a tempo": (
        with_header(COMPOSE, parameters=COMPOSE_PARAMETERS | {"tempo": 20}),
        "tempo: a number of 30 to 300 expected, 20 found",
    ),
    "no parts": (
        with_header(COMPOSE, parameters=COMPOSE_PARAMETERS | {"parts": []}),
        "parts: some of drums, bass, melody, each once, expected, [] found",
    ),
    "a part of no band": (
        with_header(COMPOSE, parameters=COMPOSE_PARAMETERS | {"parts": ["drums", "harp"]}),
        "parts: some of drums, bass, melody, each once, expected, 'harp' found",
    ),
    "music to music": (
        with_header(DANCE, kind="compose", parameters=COMPOSE_PARAMETERS),
        "buffers: dancer1.offsets, dancer1.root, dancer1.rotations expected",
    ),
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
        (lambda: DanceRequest(score(), energy=0.0), "energy: a number of 0.5 to 2 expected, 0.0 found"),
        (lambda: DanceRequest(score(), fps=np.nan), "fps: a number of 1 to 1000 expected, nan found"),
        (lambda: DanceRequest(score(swing=0.4)), "swing: a number of 0.5 to 0.75 expected, 0.4 found"),
        (lambda: DanceRequest(score(16)), "score: at least 2 bars of music expected, 1 found"),
        (
            lambda: DanceRequest(score(seconds=np.zeros(65))),
            "score.seconds, row 1: numbers that rise from 0 expected, 0 found",
        ),
        (
            lambda: ComposeResult(score(meters=(Meter(0, 0),))),
            "score.meters, row 0: an upper number of 1 to 255 expected, 0 found",
        ),
        (lambda: ComposeResult(score(bass=struck(0))), "score.bass, row 0: a velocity of 1 to 127 expected, 0 found"),
        (lambda: ComposeRequest((motion(30),)), "dancer1: at least 1 second of dance expected, 0.967 found"),
        (lambda: ComposeRequest((motion(40), motion(41))), "dancer2: 40 frames as in dancer1 expected, 41 found"),
        (
            lambda: ComposeRequest((motion(40), motion(40, fps=20.0))),
            "dancer2: the 30 fps of dancer1 expected, 20 found",
        ),
        (lambda: ComposeRequest(()), "compose: 1 to 2 dancers expected, 0 found"),
        (lambda: ComposeRequest((motion(40),) * 3), "compose: 1 to 2 dancers expected, 3 found"),
        (lambda: ComposeRequest((motion(40),), tempo=301.0), "tempo: a number of 30 to 300 expected, 301.0 found"),
    ],
)
def test_an_invalid_message_cannot_be_constructed(construct: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ProtocolError) as refusal:
        construct()
    assert sentence in str(refusal.value)
