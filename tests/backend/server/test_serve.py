"""A real server process with the real engine: its replies, the order in which it serves clients, and how it stops."""

import json
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import numpy as np
import pytest
import zmq

from backend.client import BackendError, Cancelled, Client, RequestRefused
from backend.engine import Engine
from backend.protocol import decode_client_message, encode
from backend.server import serve
from backend.server.request_queue import MAX_WAITING_PER_CLIENT
from backend.wire.direction import Direction
from backend.wire.messages import Cancel, ErrorReply, HelloReply, MotionResult, PartnerRequest, ProgressUpdate
from rigs.motion import Motion, rotate_about_z
from rigs.sample_dance.salsa import sample_dance
from tests.backend.conftest import Backend, Start
from tests.backend.raw_client import PATIENCE, raw_client


def as_received(request: PartnerRequest) -> PartnerRequest:
    """A request as the server reads it."""
    _, received = decode_client_message(encode("id", request))
    assert isinstance(received, PartnerRequest)
    return received


def same(one: Motion, other: Motion) -> bool:
    pairs = ((one.root, other.root), (one.rotations, other.rotations), (one.skeleton.offsets, other.skeleton.offsets))
    return one.fps == other.fps and all(np.array_equal(a, b) for a, b in pairs)


def test_hello_tells_version_and_models(backend: Backend) -> None:
    with Client(backend.url) as client:
        assert client.hello() == HelloReply(
            version("pas-de-deux"),
            models=("partner-flow", "duet-vae"),
            dancers=("dance-flow", "choreo-bridge"),
            composers=("score-flow", "choreo-bridge"),
        )


def test_a_partner_over_the_wire_is_the_one_made_in_the_process(backend: Backend, leader: Motion) -> None:
    history = rotate_about_z(leader, np.pi)[:5]
    made = Engine().partner(as_received(PartnerRequest(leader, history, role="lead", seed=3, takes=2)))
    received = Client(backend.url).partner(leader, history=history, role="lead", seed=3, takes=2)
    assert len(received) == 2
    for here, there in zip(made, received, strict=True):
        assert (there.fps, len(there)) == (leader.fps, len(leader))
        np.testing.assert_allclose(there.positions, here.positions, rtol=0, atol=1e-5)
        np.testing.assert_allclose(there.positions[:5], history.positions, rtol=0, atol=1e-5)


def test_equal_seeds_give_equal_takes_and_others_do_not(backend: Backend, leader: Motion) -> None:
    client = Client(backend.url)
    one, two = client.partner(leader, seed=1, takes=2)
    again = client.partner(leader, seed=1, takes=2)
    (other,) = client.partner(leader, seed=2)
    assert same(one, again[0])
    assert same(two, again[1])
    assert not same(one, two)
    assert not same(one, other)


def test_a_leader_keeps_any_rate(backend: Backend, leader: Motion) -> None:
    slow = Motion(29.97, leader.skeleton, leader.root, leader.rotations)
    (partner,) = Client(backend.url).partner(slow)
    assert (partner.fps, len(partner)) == (29.97, len(leader))


def test_one_frame_has_a_partner(backend: Backend, leader: Motion) -> None:
    (partner,) = Client(backend.url).partner(leader[:1])
    assert len(partner) == 1


def test_progress_goes_from_start_to_end(backend: Backend, leader: Motion) -> None:
    updates: list[tuple[float, str]] = []
    Client(backend.url).partner(leader, progress=lambda fraction, what: updates.append((fraction, what)))
    fractions = [fraction for fraction, _ in updates]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0.0
    assert fractions[-1] == 1.0
    assert all(what for _, what in updates)


def test_several_clients_each_get_their_own(backend: Backend, leader: Motion) -> None:
    def ask(frames: int) -> Motion:
        return Client(backend.url).partner(leader[:frames], seed=frames)[0]

    lengths = range(5, 20, 3)
    with ThreadPoolExecutor(len(lengths)) as pool:
        together = list(pool.map(ask, lengths))
    assert [len(partner) for partner in together] == list(lengths)
    assert all(same(partner, ask(frames)) for partner, frames in zip(together, lengths, strict=True))


def test_clients_take_turns(backend: Backend, leader: Motion, long_leader: Motion) -> None:
    """A client with one request does not wait for all requests of another client."""
    order: list[str] = []
    with raw_client(backend.url) as first, raw_client(backend.url) as often, raw_client(backend.url) as once:
        first.send(encode("first", PartnerRequest(long_leader)))
        assert first.receive()[1] == ProgressUpdate(0.0, "starting")
        for name in ("a1", "a2", "a3"):
            often.send(encode(name, PartnerRequest(leader)))
        often.receive()
        once.send(encode("b", PartnerRequest(leader)))
        waits = once.receive()[1]
        assert isinstance(waits, ProgressUpdate)
        assert waits.ahead == 2
        assert waits.what == "waiting for 2 others"
        first.send(encode("first", Cancel()))
        talks = {client.socket: client for client in (often, once)}
        while len(order) < 4:
            readable, _, _ = zmq.select(list(talks), [], [], PATIENCE)
            for id, answer in (talks[socket].receive() for socket in readable):
                if not isinstance(answer, ProgressUpdate):
                    order.append(id)
    assert order == ["a1", "b", "a2", "a3"]


def test_a_running_request_is_cancelled(backend: Backend, leader: Motion, long_leader: Motion) -> None:
    dancing = threading.Event()

    def progress(fraction: float, what: str) -> None:
        if fraction > 0.0:
            dancing.set()

    with pytest.raises(Cancelled):
        Client(backend.url).partner(long_leader, progress=progress, cancelled=dancing.is_set)
    assert dancing.is_set()
    begin = time.monotonic()
    Client(backend.url).partner(leader)
    assert time.monotonic() - begin < 3.0, "the server went on with what nobody wants"


def test_a_waiting_request_is_cancelled_and_the_running_one_is_not(
    backend: Backend, leader: Motion, long_leader: Motion
) -> None:
    shorter = long_leader[:90]
    waiting = threading.Event()

    def progress(fraction: float, what: str) -> None:
        if what == "waiting for one other":
            waiting.set()

    with raw_client(backend.url) as client:
        client.send(encode("runs", PartnerRequest(shorter)))
        client.receive()
        with pytest.raises(Cancelled):
            Client(backend.url).partner(leader, progress=progress, cancelled=waiting.is_set)
        ((id, answer),) = client.final_messages(1)
    assert id == "runs"
    assert isinstance(answer, MotionResult)
    assert len(answer.takes[0]) == 90


def test_a_waiting_request_hears_a_sign_of_life_every_second(
    backend: Backend, leader: Motion, long_leader: Motion
) -> None:
    """Even if the progress does not change."""
    with raw_client(backend.url) as runs, raw_client(backend.url) as waits:
        runs.send(encode("runs", PartnerRequest(long_leader, takes=16)))
        runs.receive()
        waits.send(encode("waits", PartnerRequest(leader)))
        for _ in range(4):
            assert waits.receive(1.5) == ("waits", ProgressUpdate(0.0, "waiting for one other", ahead=1))


def test_a_cancel_for_nothing_is_passed_over(backend: Backend) -> None:
    with raw_client(backend.url) as client:
        client.send(encode("unknown", Cancel()))
        assert not client.socket.poll(300)
    Client(backend.url).hello()


def test_a_client_that_goes_away_does_not_hold_the_others_up(
    backend: Backend, leader: Motion, long_leader: Motion
) -> None:
    with raw_client(backend.url) as client:
        client.send(encode("left", PartnerRequest(long_leader, takes=16)))
        client.send(encode("behind", PartnerRequest(long_leader, takes=16)))
        client.receive()
    begin = time.monotonic()
    Client(backend.url).partner(leader)
    assert time.monotonic() - begin < 5.0


def test_a_second_request_of_one_id_is_refused_and_the_first_goes_on(backend: Backend, long_leader: Motion) -> None:
    with raw_client(backend.url) as client:
        client.send(encode("twin", PartnerRequest(long_leader)))
        client.send(encode("twin", PartnerRequest(long_leader)))
        (refused_id, refusal) = client.final_messages(1)[0]
        broken = encode("twin", PartnerRequest(long_leader))
        client.send([broken[0], *broken[2:]])
        (broken_id, broken_refusal), (id, result) = client.final_messages(2)
    assert refusal == ErrorReply("refused", "id: one that no open request has expected, twin found")
    assert refused_id == broken_id == "", "an error with the open request's id would end it for its client"
    assert isinstance(broken_refusal, ErrorReply)
    assert id == "twin"
    assert isinstance(result, MotionResult)


def test_more_requests_than_a_client_may_have_are_refused(backend: Backend, leader: Motion) -> None:
    with raw_client(backend.url) as client:
        for n in range(MAX_WAITING_PER_CLIENT + 2):
            client.send(encode(f"n{n}", PartnerRequest(leader[:2])))
        ends = dict(client.final_messages(MAX_WAITING_PER_CLIENT + 2))
    last = ends.pop(f"n{MAX_WAITING_PER_CLIENT + 1}")
    assert isinstance(last, ErrorReply)
    assert last.code == "refused"
    assert "wait already" in last.text
    assert all(isinstance(answer, MotionResult) for answer in ends.values())


HEADER = json.loads(encode("bad", PartnerRequest(sample_dance()[:2]))[0])
ZEROS = [bytes(4 * 29 * 3), bytes(4 * 2 * 3), bytes(4 * 2 * 29 * 4)]
NOT_NUMBERS = [ZEROS[0], np.full(6, np.nan, "<f4").tobytes(), ZEROS[2]]


@pytest.mark.parametrize(
    ("header", "buffers", "id", "words"),
    [
        (b"", [], "", "a JSON object in UTF-8 expected"),
        (b"\x80\x04\x95pickle", [], "", "a JSON object in UTF-8 expected"),
        (b" " * 70_000, [], "", "at most 65536 bytes"),
        ({"id": "\n"}, ZEROS, "", "id: 1 to 64 letters"),
        ({"protocol": 99}, ZEROS, "bad", "version 3 expected, 99 found"),
        ({"kind": "tango"}, ZEROS, "bad", "partner, dance, compose or cancel expected, 'tango' found"),
        ({"parameters": {}}, ZEROS, "bad", "model, role, seed, takes, place"),
        ({}, ZEROS[:2], "bad", "3 expected after the header, 2 found"),
        ({}, [*ZEROS, b""], "bad", "3 expected after the header, 4 found"),
        ({}, [ZEROS[0], b"123", ZEROS[2]], "bad", "24 bytes expected for its shape, 3 found"),
        ({"buffers": [{"name": "leader.root", "shape": [2, 3]}]}, ZEROS[1:2], "bad", "leader.offsets, leader.root"),
        ({"buffers": [{"name": "leader.root", "shape": [200_000, 3]}]}, ZEROS[1:2], "bad", "of 1 to 100000 expected"),
        ({}, NOT_NUMBERS, "bad", "leader.root, row 0: numbers within 10000 m expected, nan found"),
        ({}, ZEROS, "bad", "a unit quaternion expected, one of length 0 found"),
    ],
)
def test_a_malformed_message_is_refused_and_the_server_goes_on(
    backend: Backend, leader: Motion, header: bytes | dict[str, object], buffers: list[bytes], id: str, words: str
) -> None:
    first = header if isinstance(header, bytes) else json.dumps(HEADER | header).encode()
    with raw_client(backend.url) as client:
        client.send([first, *buffers])
        about, answer = client.receive()
        assert about == id
        assert isinstance(answer, ErrorReply)
        assert answer.code == "refused"
        assert words in answer.text
        client.send(encode("good", PartnerRequest(leader[:2])))
        ((about, answer),) = client.final_messages(1)
    assert about == "good"
    assert isinstance(answer, MotionResult)


def test_what_no_model_can_do_is_refused(backend: Backend, leader: Motion) -> None:
    client = Client(backend.url)
    with pytest.raises(
        RequestRefused, match=r"^model tango-net: no such model, one of partner-flow, duet-vae expected$"
    ):
        client.partner(leader, model="tango-net")
    with pytest.raises(RequestRefused, match=r"^takes: a whole number of 1 to 16 expected, 99 found$"):
        client.partner(leader, takes=99)
    with pytest.raises(RequestRefused, match=r"^duet-vae takes no direction \(energy\): partner-flow expected$"):
        client.partner(leader, model="duet-vae", direction=Direction(energy=2.0))
    with pytest.raises(RequestRefused, match=r"^keep: a draft expected with it, none found$"):
        client.partner(leader, model="partner-flow", direction=Direction(keep=(1,)))


def test_a_fault_is_told_and_the_server_goes_on(start: Start, leader: Motion) -> None:
    """Missing weights are a fault of the backend, not of the request."""
    without_weights = (
        "from backend import server\n"
        "server.serve('tcp://127.0.0.1:*', registry='tests.backend.missing_weights:REGISTRY')\n"
    )
    with start(sys.executable, "-c", without_weights) as backend:
        client = Client(backend.url)
        for _ in range(2):
            with pytest.raises(
                BackendError, match=r"^the backend failed: .*nowhere/partner-flow.safetensors"
            ) as failure:
                client.partner(leader)
            assert not isinstance(failure.value, RequestRefused)
        assert client.hello().models == (), "models that do not work are offered"


def test_a_server_that_loads_its_model_answers_at_once_and_gives_signs_of_life(start: Start, leader: Motion) -> None:
    with start() as backend, raw_client(backend.url) as client:
        begin = time.monotonic()
        Client(backend.url).hello()
        assert time.monotonic() - begin < 1.0
        client.send(encode("first", PartnerRequest(leader)))
        times = [time.monotonic()]
        while isinstance(answer := client.receive()[1], ProgressUpdate):
            times.append(time.monotonic())
        assert isinstance(answer, MotionResult)
        assert np.diff(times).max() < 2.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["loading", "dancing"])
def test_a_signal_ends_the_server_cleanly(start: Start, long_leader: Motion, number: int, moment: str) -> None:
    """Whatever it is doing, and after an error to every waiting client."""
    with start() as backend, raw_client(backend.url) as client:
        client.send(encode("runs", PartnerRequest(long_leader, takes=4)))
        wanted = 0.0 if moment == "loading" else 0.01
        while (answer := client.receive()[1]) and isinstance(answer, ProgressUpdate) and answer.fraction < wanted:
            pass
        assert isinstance(answer, ProgressUpdate)
        begin = time.monotonic()
        backend.process.send_signal(number)
        assert client.final_messages(1) == [("runs", ErrorReply("fault", "the backend is stopping"))]
        assert backend.process.wait(10.0) == 0
        assert time.monotonic() - begin < 3.0


def test_a_port_in_use_is_refused(backend: Backend) -> None:
    with pytest.raises(
        ValueError, match=rf"^{backend.url}: an address that is free expected \(Address already in use\)$"
    ):
        serve(backend.url)


@pytest.mark.parametrize(
    ("bind", "words"),
    [
        ("tcp://0.0.0.0:7429", "an address of this machine alone expected"),
        ("tcp://*:7429", "an address of this machine alone expected"),
        ("tcp://192.168.1.5:7429", "an address of this machine alone expected"),
        ("tcp://[::]:7429", "an address of this machine alone expected"),
        ("tcp://dance.example:7429", "an address of this machine alone expected"),
        ("tcp://127.0.0.1", "an address such as"),
        ("tcp://127.0.0.1:70000", "an address such as"),
        ("127.0.0.1:7429", "an address such as"),
        ("ipc:///tmp/backend", "an address such as"),
    ],
)
def test_an_address_that_others_reach_or_that_is_none_is_refused(bind: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refusal:
        serve(bind)
    assert str(refusal.value).startswith(bind)


def test_client_and_server_start_without_torch() -> None:
    check = "import sys, backend.client, backend.server; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0
