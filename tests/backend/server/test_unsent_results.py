"""Results for clients that pause, over real sockets with little room."""

import time
from collections.abc import Iterator, Sequence

import pytest
import zmq

from backend.server.unsent_results import MAX_BYTES, MAX_SECONDS, UnsentResults

MEGABYTE = bytes(2**20)


class Peers:
    """A ROUTER with room for one message, and a DEALER that reads when it is told to."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        self.router, self.dealer = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
        for socket in (self.router, self.dealer):
            socket.linger = 0
            socket.sndhwm = socket.rcvhwm = 1
        self.router.set(zmq.ROUTER_MANDATORY, 1)
        port = self.router.bind_to_random_port("tcp://127.0.0.1")
        self.dealer.connect(f"tcp://127.0.0.1:{port}")
        self.dealer.send(b"here")
        self.client, _ = self.router.recv_multipart()

    def send(self, client: bytes, parts: Sequence[bytes]) -> bool:
        try:
            self.router.send_multipart([client, *parts], zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def fill(self) -> int:
        """Send until nothing more goes; returns the number of messages."""
        sent, since = 0, time.monotonic()
        while time.monotonic() - since < 0.5:
            if self.send(self.client, [b"progress", MEGABYTE]):
                sent, since = sent + 1, time.monotonic()
        return sent


@pytest.fixture
def peers() -> Iterator[Peers]:
    with zmq.Context() as context:
        peers = Peers(context)
        yield peers
        peers.router.close()
        peers.dealer.close()


def test_result_reaches_a_client_that_reads_again(peers: Peers) -> None:
    unsent = UnsentResults()
    before = peers.fill()
    assert not peers.send(peers.client, [b"result", b"1"])
    unsent.add(peers.client, [b"result", b"1"])
    unsent.send(peers.send)
    received: list[bytes] = []
    end = time.monotonic() + 20.0
    while b"result" not in received and time.monotonic() < end:
        unsent.send(peers.send)
        if peers.dealer.poll(20):
            received.append(peers.dealer.recv_multipart()[0])
    assert received == [b"progress"] * before + [b"result"]


def test_results_are_sent_once() -> None:
    unsent, sent = UnsentResults(), []
    unsent.add(b"anna", [b"result"])
    for _ in range(3):
        unsent.send(lambda client, parts: not sent.append((client, parts)))
    assert sent == [(b"anna", [b"result"])]


def test_results_wait_for_minutes_and_not_for_ever() -> None:
    now = [0.0]
    unsent, tries = UnsentResults(lambda: now[0]), []

    def refuse(client: bytes, parts: Sequence[bytes]) -> bool:
        tries.append(now[0])
        return False

    unsent.add(b"anna", [b"result"])
    for now[0] in (1.0, MAX_SECONDS - 1.0, MAX_SECONDS + 1.0, MAX_SECONDS + 2.0):
        unsent.send(refuse)
    assert tries == [1.0, MAX_SECONDS - 1.0, MAX_SECONDS + 1.0]


def test_the_oldest_results_make_room() -> None:
    unsent, sent = UnsentResults(), []
    chunk = bytes(64 * 2**20)
    count = MAX_BYTES // len(chunk) + 2
    for n in range(count):
        unsent.add(b"%d" % n, [chunk])
    unsent.send(lambda client, parts: not sent.append(client))
    assert sent == [b"%d" % n for n in range(2, count)]
