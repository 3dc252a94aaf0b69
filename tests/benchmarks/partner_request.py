"""How long a partner takes, and what the server adds to it: `python -m tests.benchmarks.partner_request`.

One request of 300 frames is served in turns by an engine in this process and by a server process; the rows give
medians. The server's part is a request's time through the server less what the server's engine took for the same
request, so that whatever else the machine does hardly counts. Then, alone: a greeting there and back, and request and
result written and read.
"""

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from backend import server
from backend.client import Client
from backend.engine import Engine
from backend.model_registry import weights_path
from backend.protocol import MotionResult, PartnerRequest, decode_client_message, decode_server_message, encode
from rigs.motion import Motion
from rigs.sample_dance.salsa import sample_dance
from tests.backend.conftest import running

FRAMES = 300
REPETITIONS = 7


def main() -> int:
    weights = weights_path("duet-vae")
    if not weights.is_file():
        print(f"{weights}: no such file, train the model first", file=sys.stderr)
        return 2
    leader = sample_dance()[:FRAMES]
    request = PartnerRequest(leader, seed=1)
    engine = Engine()
    with running(sys.executable, "-c", "from tests.benchmarks.partner_request import serve; serve()") as backend:
        printed = backend.process.stdout
        assert printed is not None
        client = Client(backend.url)
        takes = engine.partner(request)
        client.partner(leader, seed=1)
        printed.readline()
        here: list[float] = []
        there: list[float] = []
        within: list[float] = []
        for _ in range(REPETITIONS):
            here.append(seconds(lambda: engine.partner(request)))
            there.append(seconds(lambda: client.partner(leader, seed=1)))
            within.append(float(printed.readline()))
        greetings = [seconds(client.hello) for _ in range(50)]
    asked = [seconds(lambda: decode_client_message(encode("id", request))) for _ in range(50)]
    answered = [seconds(lambda: decode_server_message(encode("id", MotionResult(tuple(takes))))) for _ in range(50)]
    added = [whole - part for whole, part in zip(there, within, strict=True)]
    share = statistics.median(added) / statistics.median(within)
    print(f"partner request  {FRAMES} frames, {leader.seconds:.1f} s of dance, accelerator {engine.accelerator}")
    print(f"  engine          {spread(here)}  {leader.seconds / statistics.median(here):.1f} times real time")
    print(f"  through server  {spread(there)}  {leader.seconds / statistics.median(there):.1f} times real time")
    print(f"  server's part   {spread(added)}  {100.0 * share:.2f} % of the engine's time")
    print(f"  greeting        {spread(greetings)}")
    print(f"  request on wire {spread(asked)}")
    print(f"  result on wire  {spread(answered)}")
    return 0


class TimedEngine(Engine):
    """Prints the seconds that it takes for each request."""

    def partner(self, request: PartnerRequest, **watching: Any) -> list[Motion]:
        start = time.perf_counter()
        takes = super().partner(request, **watching)
        print(time.perf_counter() - start, flush=True)
        return takes


def serve() -> None:
    """The server, with an engine that tells its own time."""
    server.Engine = TimedEngine  # type: ignore[attr-defined]
    server.serve("tcp://127.0.0.1:*")


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def spread(times: list[float]) -> str:
    low, middle, high = (1000.0 * value for value in (min(times), statistics.median(times), max(times)))
    return f"{middle:.1f} ms ({low:.1f} to {high:.1f})"


if __name__ == "__main__":
    sys.exit(main())
