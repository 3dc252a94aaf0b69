"""Time of a partner request, and the server's overhead: `python -m tests.benchmarks.partner_request`.

A request of 300 frames is answered in turns by an engine in this process and by a server process; the rows are medians.
The overhead is the request's time through the server less what the server's engine took for that same request, so that
other load on the machine hardly counts. Then, by themselves: a hello, constructing (which validates) the request, and
encoding and decoding of request and result.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from backend import server
from backend.client import Client
from backend.engine import Engine
from backend.model_registry import REGISTRY, ModelRegistry
from backend.models.partner_flow.pipeline import PartnerFlowPipeline
from backend.protocol import decode_client_message, decode_server_message, encode
from backend.wire.messages import MotionResult, PartnerRequest
from rigs.motion import Motion
from rigs.sample_dance.salsa import sample_dance
from tests.backend.conftest import running

FRAMES = 300
REPETITIONS = 7
SERVER = "import os; os.dup2(1, 2); from tests.benchmarks.partner_request import serve; serve()"
"""What a worker prints goes to standard error, which is read here."""
MODEL = REGISTRY.get(REGISTRY.default("partner"))


def main() -> int:
    if not MODEL.weights.is_file():
        print(f"{MODEL.weights}: no such file, train the model first", file=sys.stderr)
        return 2
    leader = sample_dance()[:FRAMES]
    request = PartnerRequest(leader, seed=1)
    engine = Engine()
    with running(sys.executable, "-c", SERVER) as backend:
        output = backend.process.stdout
        assert output is not None
        client = Client(backend.url)
        takes = engine.partner(request)
        client.answer(request)
        output.readline()
        engine_times: list[float] = []
        server_times: list[float] = []
        server_engine_times: list[float] = []
        for _ in range(REPETITIONS):
            engine_times.append(seconds(lambda: engine.partner(request)))
            server_times.append(seconds(lambda: client.answer(request)))
            server_engine_times.append(float(output.readline()))
        hello_times = [seconds(client.hello) for _ in range(50)]
    construct_times = [seconds(lambda: PartnerRequest(leader, seed=1)) for _ in range(50)]
    request_times = [seconds(lambda: decode_client_message(encode("id", request))) for _ in range(50)]
    result = MotionResult(tuple(takes))
    result_times = [seconds(lambda: decode_server_message(encode("id", result))) for _ in range(50)]
    overhead = [whole - part for whole, part in zip(server_times, server_engine_times, strict=True)]
    share = statistics.median(overhead) / statistics.median(server_engine_times)
    print(f"partner request  {FRAMES} frames, {leader.seconds:.1f} s of dance, accelerator {engine.accelerator}")
    print(
        f"  engine          {spread(engine_times)}  {leader.seconds / statistics.median(engine_times):.1f} x real time"
    )
    print(
        f"  through server  {spread(server_times)}  {leader.seconds / statistics.median(server_times):.1f} x real time"
    )
    print(f"  overhead        {spread(overhead)}  {100.0 * share:.2f} % of the engine's time")
    print(f"  hello           {spread(hello_times)}")
    print(f"  construction    {spread(construct_times)}")
    print(f"  request on wire {spread(request_times)}")
    print(f"  result on wire  {spread(result_times)}")
    return 0


class TimedPipeline(PartnerFlowPipeline):
    """Prints the seconds that it takes for each request."""

    def partner(self, request: PartnerRequest, *callbacks: Any) -> list[Motion]:
        start = time.perf_counter()
        takes = super().partner(request, *callbacks)
        print(time.perf_counter() - start, flush=True)
        return takes


TIMED = ModelRegistry([replace(MODEL, pipeline="tests.benchmarks.partner_request:TimedPipeline", network="")])


def serve() -> None:
    """The server, with a pipeline that prints its time."""
    os.dup2(1, 2)  # what a worker prints goes to standard error
    server.serve("tcp://127.0.0.1:*", registry="tests.benchmarks.partner_request:TIMED")


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
