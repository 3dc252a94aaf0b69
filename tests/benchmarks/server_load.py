"""A server under load: what waits for whom, and what is lost: `python -m tests.benchmarks.server_load [SECONDS]`.

First, how long a request of a second of work waits behind one of ten minutes, and behind 8 takes of 9,000 frames. Then
the requests of one client after the other, and those of 32 clients at once for SECONDS, 300 by default, of which some
cancel, some disconnect and ask again under the same id, and some go for good. Each request is answered with what the
engine in this process gives for it alone, once: what is lost, answered twice or different is counted.
"""

import math
import random
import resource
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import zmq

from backend.client import Client
from backend.engine import Engine
from backend.protocol import decode_server_message, encode, round_as_sent
from backend.wire.messages import Cancel, ErrorReply, MotionResult, PartnerRequest, PreviewFrames, ProgressUpdate
from rigs.motion import Motion, concatenate
from rigs.sample_dance.salsa import sample_dance
from tests.backend.conftest import Backend, running

CLIENTS = 32
SECONDS = 300.0
ALONE_SECONDS = 20.0
"""s for which one client sends its requests one after the other."""
LENGTHS, SEEDS, TAKES = (60, 120, 300), (1, 2), (1, 2)
"""Of the requests that the clients choose from."""
PATIENCE = 120.0
"""s of silence after which a request counts as lost."""
LISTEN_ON = 0.3
"""s that a connection stays after its answer, to hear whether there is a second one."""
TOLERANCE = 1e-4
"""m between the joints of an answer and of the same request's alone."""
ACTIONS = {"answer": 0.7, "cancel": 0.1, "reconnect": 0.15, "leave": 0.05}


Reply = MotionResult | ErrorReply


@dataclass
class Tally:
    """What has happened to the requests."""

    counts: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, what: str) -> None:
        """Count something."""
        with self.lock:
            self.counts[what] += 1


class Connection:
    """A DEALER socket of its own."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", url: str) -> None:
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(url)

    def answer(self, id: str, *, silence: float = PATIENCE, seconds: float = math.inf) -> Reply | None:
        """The message that ends a request; None after so many seconds, or so many of silence."""
        start = heard = time.monotonic()
        while time.monotonic() - heard < silence and time.monotonic() - start < seconds:
            if self.socket.poll(20):
                heard = time.monotonic()
                reply_id, reply = decode_server_message(self.socket.recv_multipart())
                if reply_id == id and not isinstance(reply, ProgressUpdate | PreviewFrames):
                    assert isinstance(reply, MotionResult | ErrorReply), reply
                    return reply
        return None

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


@cache
def leader(frames: int) -> Motion:
    """A dance of so many frames at 30 fps."""
    dance = sample_dance()
    while len(dance) < frames:
        dance = concatenate(dance, dance)
    return dance[:frames]


def main(arguments: list[str]) -> int:
    seconds = float(arguments[0]) if arguments else SECONDS
    print_waits("a ten-minute dance", PartnerRequest(leader(18_000), seed=3))
    print_waits("8 takes of 9,000 frames", PartnerRequest(leader(9_000), seed=3, takes=8))
    requests = [
        PartnerRequest(leader(frames), seed=seed, takes=takes)
        for frames in LENGTHS
        for seed in SEEDS
        for takes in TAKES
    ]
    engine = Engine()
    expected = [round_as_sent(engine.answer(round_as_sent(request))) for request in requests]
    with running() as backend:
        alone = Tally()
        run_clients(backend, 1, ALONE_SECONDS, requests, expected, alone, {"answer": 1.0})
        memory = [memory_of(backend)]
        together = Tally()
        start = time.monotonic()
        run_clients(backend, CLIENTS, seconds, requests, expected, together, ACTIONS)
        elapsed = time.monotonic() - start
        memory.append(memory_of(backend))
    rates = alone.counts["answered"] / ALONE_SECONDS, together.counts["answered"] / elapsed
    print(f"\n{CLIENTS} clients for {elapsed:.0f} s")
    for what, count in sorted(together.counts.items()):
        print(f"  {what:<22} {count}")
    print(f"  answers a second       {rates[1]:.2f}; one client alone {rates[0]:.2f}; ratio {rates[1] / rates[0]:.2f}")
    for name, tally in (("alone", alone), ("together", together)):
        distances = np.array(tally.distances or [0.0])
        print(f"  {name}: equal to the bit {np.mean(distances == 0.0):.1%}, farthest joint {distances.max():.1e} m")
    print(f"  first to last reply    median {np.median(together.waits):.1f} s, longest {max(together.waits):.1f} s")
    print(f"  memory of all processes {memory[0] / 2**20:.0f} MiB before, {memory[1] / 2**20:.0f} after")
    faults = [what for what in ("lost", "answered twice", "different", "refused") if together.counts[what]]
    print("faults: " + (", ".join(faults) or "none"))
    return bool(faults)


def print_waits(name: str, long: PartnerRequest) -> None:
    """How long short requests wait behind a long one, and how long they take when nothing else runs."""
    short = PartnerRequest(leader(900), seed=1)
    with running() as backend, zmq.Context() as context:
        client = Client(backend.url)
        client.answer(short)
        alone = min(timed_answer(client, short)[1] for _ in range(3))
        connection = Connection(context, backend.url)
        connection.socket.send_multipart(encode("long", long))
        assert connection.answer("long", seconds=3.0) is None, "the long request has ended"
        assert connection.answer("long", 3.0) is None or True
        waits, whole = zip(*(timed_answer(client, short) for _ in range(5)), strict=True)
        connection.socket.send_multipart(encode("long", Cancel()))
        connection.close()
    print(
        f"a request of {alone:.2f} s behind {name}: it starts after {max(waits):.2f} s at most and is answered after"
        f" {max(whole):.2f} s at most (5 tries)",
        flush=True,
    )


def timed_answer(client: Client, request: PartnerRequest) -> tuple[float, float]:
    """The s until a request is started, and until it is answered."""
    start = time.monotonic()
    started: list[float] = []

    def note(fraction: float, what: str) -> None:
        if fraction > 0.0 and not started:
            started.append(time.monotonic() - start)

    client.answer(request, progress=note)
    seconds = time.monotonic() - start
    return (started[0] if started else seconds), seconds


def run_clients(
    backend: Backend,
    clients: int,
    seconds: float,
    requests: list[PartnerRequest],
    expected: list[MotionResult],
    tally: Tally,
    actions: dict[str, float],
) -> None:
    """Let clients send requests until the time is over, and wait for their last answers."""
    end = time.monotonic() + seconds
    with zmq.Context() as context:
        threads = [
            threading.Thread(target=run_client, args=(context, backend.url, n, end, requests, expected, tally, actions))
            for n in range(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def run_client(
    context: "zmq.Context[zmq.Socket[bytes]]",
    url: str,
    number: int,
    end: float,
    requests: list[PartnerRequest],
    expected: list[MotionResult],
    tally: Tally,
    actions: dict[str, float],
) -> None:
    """One client's requests, one after the other."""
    choose = random.Random(number)
    while time.monotonic() < end:
        n = choose.randrange(len(requests))
        (action,) = choose.choices(list(actions), list(actions.values()))
        id, start = uuid.uuid4().hex, time.monotonic()
        tally.add("sent")
        with connected(context, url) as connection:
            connection.socket.send_multipart(encode(id, requests[n]))
            reply = None if action == "answer" else connection.answer(id, seconds=choose.uniform(0.0, 1.5))
            if action == "cancel" and reply is None:
                connection.socket.send_multipart(encode(id, Cancel()))
            if action in ("answer", "cancel") or reply is not None:
                reply = reply or connection.answer(id)
                check_reply(connection, id, reply, expected[n], tally, start, cancelled=action == "cancel")
                continue
        if action == "leave":
            tally.add("left for good")
            continue
        time.sleep(choose.uniform(0.0, 2.0))
        with connected(context, url) as connection:
            connection.socket.send_multipart(encode(id, requests[n]))
            tally.add("asked again")
            check_reply(connection, id, connection.answer(id), expected[n], tally, start)


@contextmanager
def connected(context: "zmq.Context[zmq.Socket[bytes]]", url: str) -> Iterator[Connection]:
    """A connection for the time of a block."""
    connection = Connection(context, url)
    try:
        yield connection
    finally:
        connection.close()


def check_reply(
    connection: Connection,
    id: str,
    reply: Reply | None,
    expected: MotionResult,
    tally: Tally,
    start: float,
    cancelled: bool = False,
) -> None:
    """Count the answer to a request, and see whether there is a second one."""
    if reply is None:
        tally.add("lost")
        return
    if isinstance(reply, MotionResult):
        distance = farthest_joint(reply, expected)
        tally.add("answered")
        if distance > TOLERANCE:
            tally.add("different")
        with tally.lock:
            tally.distances.append(distance)
            tally.waits.append(time.monotonic() - start)
    elif reply.code == "cancelled" and cancelled:
        tally.add("cancelled")
    else:
        tally.add("refused")
        print(f"{reply.code}: {reply.text}", file=sys.stderr)
    if connection.answer(id, seconds=LISTEN_ON) is not None and not cancelled:
        tally.add("answered twice")


def farthest_joint(result: MotionResult, expected: MotionResult) -> float:
    """The largest distance of a joint between two results, in m."""
    return max(
        float(np.linalg.norm(one.positions - other.positions, axis=-1).max())
        for one, other in zip(result.takes, expected.takes, strict=True)
    )


def memory_of(backend: Backend) -> int:
    """Resident bytes of a server and its children, on Linux."""
    pages = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, parent = int(status.parent.name), int(status.read_text().rpartition(")")[2].split()[1])
            if backend.process.pid in (pid, parent):
                pages += int((status.parent / "statm").read_text().split()[1])
        except OSError:
            continue
    return pages * resource.getpagesize()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
