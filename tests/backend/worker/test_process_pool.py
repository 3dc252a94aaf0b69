"""Real worker processes: their answers, and what is told when they are killed, stand still or need too much memory."""

import json
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from backend.engine import Engine
from backend.model_registry import REGISTRY as SHIPPED
from backend.models.common.weights_file import read_metadata, save_weights
from backend.protocol import decode_client_message, decode_server_message, encode
from backend.wire.messages import ErrorReply, MotionResult, PartnerRequest
from backend.worker.pool import JobEnd, JobProgress, WorkerEvent, WorkerLost, WorkerReady
from backend.worker.process_pool import REGISTRY_PATH, ProcessPool, accelerator_names
from rigs.motion import Motion
from tests.backend.worker import fault_models
from tests.backend.worker.process_ends import await_end

FAULTS = f"{fault_models.__name__}:REGISTRY"
PATIENCE = 60.0  # s


class Events:
    """What a pool reports."""

    def __init__(self, pool: ProcessPool) -> None:
        self.pool = pool
        self.seen: list[WorkerEvent] = []
        self.queue: queue.SimpleQueue[WorkerEvent] = queue.SimpleQueue()

    def wait(self, kind: type, wanted: Callable[[WorkerEvent], bool] = lambda event: True) -> WorkerEvent:
        """The next event of a kind."""
        end = time.monotonic() + PATIENCE
        while True:
            event = self.queue.get(timeout=max(0.01, end - time.monotonic()))
            self.seen.append(event)
            if isinstance(event, kind) and wanted(event):
                return event

    def answer(self, job: int) -> object:
        """The message that ends a job."""
        end = self.wait(JobEnd, lambda event: isinstance(event, JobEnd) and event.job == job)
        assert isinstance(end, JobEnd)
        return decode_server_message(list(end.parts))[1]

    def lost(self) -> WorkerLost:
        """The next loss of a worker."""
        event = self.wait(WorkerLost)
        assert isinstance(event, WorkerLost)
        return event

    def pid(self) -> int:
        """The process of the only worker."""
        (worker,) = self.pool._workers.values()
        assert worker.child is not None
        return worker.child.pid


@contextmanager
def running(registry: str = FAULTS, **limits: float) -> Iterator[Events]:
    """A pool of one worker that is ready."""
    pool = ProcessPool(("cpu",), registry, **limits)  # type: ignore[arg-type]
    events = Events(pool)
    pool.start(events.queue.put)
    try:
        events.wait(WorkerReady)
        yield events
    finally:
        pool.close(2.0)


def request(leader: Motion, seed: int) -> list[bytes]:
    return encode("one", PartnerRequest(leader, seed=seed))


def text(message: object) -> str:
    assert isinstance(message, ErrorReply)
    return message.text


def test_a_result_is_the_one_of_the_engine_in_this_process(leader: Motion) -> None:
    with running(REGISTRY_PATH) as events:
        events.pool.run("cpu", 1, request(leader, 3))
        answer = events.answer(1)
    _, received = decode_client_message(request(leader, 3))
    assert isinstance(received, PartnerRequest)
    _, expected = decode_server_message(encode("one", Engine("cpu").answer(received)))
    assert isinstance(answer, MotionResult)
    assert isinstance(expected, MotionResult)
    np.testing.assert_array_equal(answer.takes[0].rotations, expected.takes[0].rotations)
    np.testing.assert_array_equal(answer.takes[0].root, expected.takes[0].root)


@pytest.mark.parametrize(
    ("seed", "code", "sentence"),
    [
        (fault_models.CRASH, "fault", "the model is broken"),
        (fault_models.NOT_FINITE, "fault", "nan found"),
        (fault_models.REFUSE, "refused", "leader: another one expected"),
    ],
)
def test_a_job_that_fails_is_answered_and_the_worker_goes_on(
    leader: Motion, seed: int, code: str, sentence: str
) -> None:
    with running() as events:
        events.pool.run("cpu", 1, request(leader, seed))
        answer = events.answer(1)
        assert isinstance(answer, ErrorReply)
        assert answer.code == code
        assert sentence in answer.text
        before = events.pid()
        events.pool.run("cpu", 2, request(leader, fault_models.PRINT))
        assert isinstance(events.answer(2), MotionResult)
        assert events.pid() == before


def test_progress_is_reported_and_jobs_run_together(leader: Motion) -> None:
    with running() as events:
        for job in (1, 2, 3):
            events.pool.run("cpu", job, request(leader, fault_models.STEPS))
        ends = [events.wait(JobEnd) for _ in range(3)]
        assert {end.job for end in ends if isinstance(end, JobEnd)} == {1, 2, 3}
        first_end = events.seen.index(ends[0])
        before = events.seen[:first_end]
        assert {event.job for event in before if isinstance(event, JobProgress)} == {1, 2, 3}


def test_a_paused_job_waits_and_goes_on_where_it_was(leader: Motion) -> None:
    with running() as events:
        events.pool.run("cpu", 1, request(leader, fault_models.ENDLESS))
        events.wait(JobProgress)
        events.pool.pause(1)
        time.sleep(0.5)
        while not events.queue.empty():
            events.queue.get()
        time.sleep(1.0)
        assert events.queue.empty()
        events.pool.run("cpu", 2, request(leader, fault_models.STEPS))
        assert isinstance(events.answer(2), MotionResult)
        events.pool.resume(1)
        events.wait(JobProgress, lambda event: isinstance(event, JobProgress) and event.job == 1)


def test_a_cancelled_job_reports_nothing_any_more(leader: Motion) -> None:
    with running() as events:
        events.pool.run("cpu", 1, request(leader, fault_models.ENDLESS))
        events.wait(JobProgress)
        events.pool.pause(1)
        events.pool.cancel(1)
        time.sleep(0.5)
        while not events.queue.empty():
            events.queue.get()
        events.pool.run("cpu", 2, request(leader, fault_models.STEPS))
        events.answer(2)
        assert not any(isinstance(event, JobEnd) and event.job == 1 for event in events.seen)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_worker_that_is_killed_is_told_and_replaced(leader: Motion) -> None:
    with running() as events:
        events.pool.run("cpu", 1, request(leader, fault_models.ENDLESS))
        events.pool.run("cpu", 2, request(leader, fault_models.ENDLESS))
        events.wait(JobProgress)
        os.kill(events.pid(), signal.SIGKILL)
        lost = events.lost()
        assert lost.worker == "cpu"
        assert set(lost.jobs) == {1, 2}
        assert "SIGKILL" in lost.cause
        events.wait(WorkerReady)
        events.pool.run("cpu", 3, request(leader, fault_models.STEPS))
        assert isinstance(events.answer(3), MotionResult)
        (state,) = events.pool.states()
        assert (state.state, state.restarts) == ("ready", 1)


def test_a_worker_that_ends_is_told_with_its_exit_status(leader: Motion) -> None:
    with running() as events:
        events.pool.run("cpu", 1, request(leader, fault_models.EXIT))
        lost = events.lost()
        assert lost.jobs == (1,)
        assert "exit status 3" in lost.cause


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_worker_that_is_stopped_is_replaced(leader: Motion) -> None:
    with running(silence=2.0) as events:
        events.pool.run("cpu", 1, request(leader, fault_models.ENDLESS))
        events.wait(JobProgress)
        os.kill(events.pid(), signal.SIGSTOP)
        lost = events.lost()
        assert lost.jobs == (1,)
        assert "no sign of life" in lost.cause
        events.wait(WorkerReady)


def test_a_worker_whose_work_stands_still_is_replaced_but_not_for_a_pause(leader: Motion) -> None:
    with running(unchecked=2.0) as events:
        events.pool.run("cpu", 1, request(leader, fault_models.ENDLESS))
        events.wait(JobProgress)
        events.pool.pause(1)
        time.sleep(4.0)
        assert events.pool.states()[0].restarts == 0
        events.pool.run("cpu", 2, request(leader, fault_models.STAND_STILL))
        lost = events.lost()
        assert set(lost.jobs) == {1, 2}
        assert "stood still" in lost.cause


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much memory a process holds")
def test_a_worker_beyond_its_memory_is_replaced(leader: Motion) -> None:
    with running(memory=500 * 2**20) as events:
        events.pool.run("cpu", 1, request(leader, fault_models.ALLOCATE))
        lost = events.lost()
        assert lost.jobs == (1,)
        assert "GiB of memory" in lost.cause


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_worker_ends_when_its_pool_is_killed_while_it_computes() -> None:
    code = (
        "import time\nfrom tests.backend.worker.test_process_pool import *\n"
        "from rigs.sample_dance.salsa import sample_dance\n"
        "with running() as events:\n"
        "    events.pool.run('cpu', 1, request(sample_dance()[:20], fault_models.STAND_STILL))\n"
        "    print(events.pid(), flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as pool:
        assert pool.stdout is not None
        worker = int(pool.stdout.readline())
        pool.kill()
    await_end(worker)


@pytest.mark.parametrize("damage", ["empty", "truncated", "another model's", "not finite"])
def test_weights_that_are_damaged_are_told_and_not_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    file = tmp_path / "duet-vae.safetensors"
    whole = SHIPPED.get("duet-vae").weights.read_bytes()
    if damage == "empty":
        file.touch()
    elif damage == "truncated":
        file.write_bytes(whole[: len(whole) // 2])
    elif damage == "another model's":
        file.write_bytes(SHIPPED.get("partner-flow").weights.read_bytes())
    else:
        tensors = load_file(SHIPPED.get("duet-vae").weights)
        next(iter(tensors.values())).flat[0] = np.nan
        config = json.loads(read_metadata(SHIPPED.get("duet-vae").weights, ["duet-vae"])["config"])
        save_weights(file, "duet-vae", config, tensors)
    monkeypatch.setenv("PASDEDEUX_WEIGHTS", str(tmp_path))
    pool = ProcessPool(("cpu",))
    events = Events(pool)
    pool.start(events.queue.put)
    try:
        ready = events.wait(WorkerReady, lambda event: isinstance(event, WorkerReady) and bool(event.faults))
    finally:
        pool.close(2.0)
    assert isinstance(ready, WorkerReady)
    assert "duet-vae" not in ready.models
    assert "partner-flow" in ready.models
    assert set(ready.faults) == {"duet-vae"}
    assert str(file) in ready.faults["duet-vae"]


def test_accelerators_are_a_list_of_different_ones() -> None:
    assert accelerator_names("auto") == ("auto",)
    assert accelerator_names("cuda:0,cuda:1") == ("cuda:0", "cuda:1")
    for wrong in ("", "cuda:0,", "cpu,cpu"):
        with pytest.raises(ValueError, match="accelerator"):
            accelerator_names(wrong)
