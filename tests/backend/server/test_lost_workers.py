"""A real server whose workers are killed or end: requests are tried once more, then answered with the cause."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from backend.client import BackendError, Client
from rigs.motion import Motion
from tests.backend.conftest import Start
from tests.backend.worker import fault_models
from tests.backend.worker.process_ends import await_end

FAULTY = (
    sys.executable,
    "-c",
    "from backend import server\n"
    "server.serve('tcp://127.0.0.1:*', registry='tests.backend.worker.fault_models:REGISTRY')",
)

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the worker is found in /proc, which Linux alone has")


def worker_of(server: int) -> int:
    """The worker process of a server."""
    end = time.monotonic() + 30.0
    while time.monotonic() < end:
        for thread in Path(f"/proc/{server}/task").iterdir():
            for child in (thread / "children").read_text().split():
                return int(child)
        time.sleep(0.05)
    raise AssertionError("the server has no worker")


@linux_only
def test_a_request_whose_worker_is_killed_is_tried_again_and_has_the_same_result(
    start: Start, long_leader: Motion
) -> None:
    leader = long_leader[:120]
    with start() as backend:
        client = Client(backend.url)
        (expected,) = client.partner(leader, seed=4)
        killed: list[int] = []

        def kill_once(fraction: float, what: str) -> None:
            if not killed and fraction > 0.1:
                killed.append(worker_of(backend.process.pid))
                os.kill(killed[0], signal.SIGKILL)

        (partner,) = client.partner(leader, seed=4, progress=kill_once)
        assert killed
        assert worker_of(backend.process.pid) != killed[0]
    np.testing.assert_array_equal(partner.rotations, expected.rotations)
    np.testing.assert_array_equal(partner.root, expected.root)


def test_a_request_that_ends_its_worker_twice_is_answered_with_the_cause(start: Start, leader: Motion) -> None:
    with start(*FAULTY) as backend:
        client = Client(backend.url)
        with pytest.raises(BackendError, match=r"worker was lost 2 times: it ended with exit status 3"):
            client.partner(leader, seed=fault_models.EXIT)
        assert len(client.partner(leader, seed=fault_models.STEPS)) == 1


@linux_only
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_a_log_that_is_closed_or_full_costs_no_answer(start: Start, leader: Motion, redirection: str) -> None:
    with start("sh", "-c", f'exec "$@" {redirection}', "sh", *FAULTY) as backend:
        client = Client(backend.url)
        for _ in range(2):
            with pytest.raises(BackendError, match="the model is broken"):
                client.partner(leader, seed=fault_models.CRASH)
        with pytest.raises(BackendError, match="exit status 3"):
            client.partner(leader, seed=fault_models.EXIT)
        assert len(client.partner(leader, seed=fault_models.STEPS)) == 1
        assert client.hello().models == ("partner-flow", "duet-vae")


@linux_only
def test_no_worker_is_left_when_the_server_is_killed(start: Start) -> None:
    with start() as backend:
        worker = worker_of(backend.process.pid)
        backend.process.kill()
        backend.process.wait()
    await_end(worker)
