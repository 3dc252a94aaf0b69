"""The job queue in simulated time: workers that do jobs as the queue says, batches at the rate that they gain."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.server.job_cost import CostEstimator, JobSize
from backend.server.job_queue import (
    LONG_SLICE,
    MAX_BATCH_JOBS,
    MAX_BATCH_ROWS,
    MAX_LONG_JOBS,
    MAX_WAITING,
    MAX_WAITING_PER_CLIENT,
    SHORT_RUN,
    JobQueue,
    Pause,
    QueueFull,
    Resume,
    Start,
)
from backend.worker.pool import WorkerState

TICK = 0.05
MODEL = "partner-flow"


def size(seconds: float, takes: int = 1, model: str = MODEL) -> JobSize:
    """A job that is estimated to take so many seconds."""
    unit = CostEstimator().seconds(JobSize(model, "partner", 1e6, takes)) / 1e6
    fixed = CostEstimator().seconds(JobSize(model, "partner", 0.0, takes))
    return JobSize(model, "partner", (seconds - fixed) / unit, takes)


@dataclass
class Simulation:
    """Workers that carry out the queue's actions. gain: of two jobs or more that run together."""

    names: tuple[str, ...] = ("cpu",)
    models: tuple[str, ...] = (MODEL, "duet-vae")
    gain: float = 2.0
    slowness: float = 1.0
    now: float = 0.0
    left: dict[int, float] = field(default_factory=dict)
    sizes: dict[int, JobSize] = field(default_factory=dict)
    workers: dict[int, str] = field(default_factory=dict)
    paused: set[int] = field(default_factory=set)
    added: dict[int, float] = field(default_factory=dict)
    started: dict[int, float] = field(default_factory=dict)
    finished: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.queue = JobQueue(lambda: self.now)

    def add(self, client: str, what: JobSize) -> int:
        job = len(self.added)
        self.queue.add(job, client, what)
        self.added[job], self.left[job], self.sizes[job] = self.now, CostEstimator().seconds(what) * self.slowness, what
        return job

    def running(self, worker: str) -> list[int]:
        return [job for job, name in self.workers.items() if name == worker and job not in self.paused]

    def tick(self) -> None:
        states = [WorkerState(name, name, "ready", models=self.models) for name in self.names]
        for action in self.queue.schedule(states):
            match action:
                case Start(job, worker):
                    assert job in self.left
                    assert job not in self.started
                    self.started[job], self.workers[job] = self.now, worker
                case Pause(job):
                    assert job in self.workers
                    assert job not in self.paused
                    self.paused.add(job)
                case Resume(job):
                    self.paused.remove(job)
        self.now += TICK
        for worker in self.names:
            jobs = self.running(worker)
            assert len(jobs) <= MAX_BATCH_JOBS
            assert len({self.sizes[job].model for job in jobs}) <= 1
            assert len(jobs) == 1 or sum(self.sizes[job].takes for job in jobs) <= MAX_BATCH_ROWS
            rate = (self.gain if len(jobs) > 1 else 1.0) / max(len(jobs), 1)
            for job in jobs:
                self.left[job] -= TICK * rate
                if self.left[job] <= 0.0:
                    self.finished[job] = self.now
                    del self.workers[job]
                    self.queue.end(job)

    def run(self, seconds: float = math.inf, until: Callable[[], bool] | None = None) -> None:
        end = self.now + min(seconds, 1e5)
        while self.now < end and not (until and until()):
            self.tick()
            if until is None and seconds == math.inf and len(self.finished) == len(self.added):
                return

    def waited(self, job: int) -> float:
        return self.started[job] - self.added[job]


def test_short_job_does_not_wait_for_a_ten_minute_one():
    simulation = Simulation()
    simulation.add("anna", size(600.0))
    simulation.run(20.0)
    short = simulation.add("ben", size(1.0))
    simulation.run(5.0)
    assert simulation.waited(short) <= LONG_SLICE + TICK
    assert simulation.finished[short] - simulation.added[short] <= 1.0 + LONG_SLICE + 2 * TICK


def test_short_job_overtakes_a_long_one_of_the_same_client():
    simulation = Simulation()
    jobs = [simulation.add("anna", size(seconds)) for seconds in (60.0, 60.0, 1.0)]
    simulation.run()
    assert simulation.finished[jobs[2]] < 2.0


def test_paused_job_goes_on_when_the_short_ones_are_done():
    simulation = Simulation()
    long = simulation.add("anna", size(30.0))
    for _ in range(5):
        simulation.run(3.0)
        simulation.add("ben", size(1.0))
    simulation.run()
    assert simulation.finished[long] == pytest.approx(35.0, abs=1.0)


def test_long_job_is_not_starved_by_an_endless_row_of_short_ones():
    simulation = Simulation(gain=1.0)
    long = simulation.add("anna", size(10.0))
    while long not in simulation.finished and simulation.now < 300.0:
        if len(simulation.queue) < 3:
            simulation.add("ben", size(0.5))
        simulation.tick()
    assert simulation.finished[long] < 1.5 * 10.0 * (SHORT_RUN + LONG_SLICE) / LONG_SLICE


def test_clients_share_a_worker_equally_however_many_jobs_each_sends():
    simulation = Simulation(gain=1.0)
    many = [simulation.add("anna", size(1.0, takes=16)) for _ in range(40)]
    few = [simulation.add("ben", size(1.0, takes=16)) for _ in range(5)]
    simulation.run(until=lambda: all(job in simulation.finished for job in few))
    assert sum(job in simulation.finished for job in many) == pytest.approx(len(few), abs=1)


def test_long_jobs_of_two_clients_take_turns():
    simulation = Simulation(gain=1.0)
    first, second = (simulation.add(client, size(60.0, takes=16)) for client in ("anna", "ben"))
    simulation.run()
    assert simulation.started[second] < 10.0
    assert simulation.finished[first] > 100.0


def test_a_client_that_was_away_has_no_arrears_to_claim():
    simulation = Simulation(gain=1.0)
    for _ in range(30):
        simulation.add("anna", size(1.0, takes=16))
    simulation.run(10.0)
    late = [simulation.add("ben", size(1.0, takes=16)) for _ in range(10)]
    before = len(simulation.finished)
    simulation.run(until=lambda: late[4] in simulation.finished)
    assert len(simulation.finished) - before == pytest.approx(10, abs=2)


def test_jobs_of_one_model_run_together():
    simulation = Simulation(gain=4.0)
    jobs = [simulation.add(f"client-{n}", size(1.0)) for n in range(8)]
    simulation.run()
    assert max(simulation.started[job] for job in jobs) == 0.0
    assert max(simulation.finished.values()) < 3.0


def test_job_of_another_model_is_not_overtaken_for_ever_by_batch_mates():
    simulation = Simulation(gain=2.0)
    other: int | None = None
    for tick in range(400):
        if len(simulation.queue) < 2:
            simulation.add(f"client-{tick}", size(1.0))
        if tick == 40:
            other = simulation.add("zoe", size(1.0, model="duet-vae"))
        simulation.tick()
    assert other is not None
    assert simulation.waited(other) < 5.0


def test_two_workers_share_the_jobs():
    simulation = Simulation(names=("cuda:0", "cuda:1"), gain=1.0)
    for _ in range(2):
        simulation.add("anna", size(30.0, takes=16))
    simulation.run()
    assert simulation.now < 35.0


def test_job_waits_for_a_worker_that_offers_its_model():
    simulation = Simulation(models=("duet-vae",))
    job = simulation.add("anna", size(1.0))
    simulation.run(5.0)
    assert job not in simulation.started
    simulation.models = (MODEL,)
    simulation.run()
    assert job in simulation.finished


def test_positions_say_how_many_are_ahead_and_about_how_long():
    simulation = Simulation(gain=1.0)
    first = simulation.add("anna", size(30.0, takes=16))
    simulation.tick()
    second, third = (simulation.add("ben", size(30.0, takes=16)) for _ in range(2))
    positions = simulation.queue.positions()
    assert [positions[job].ahead for job in (first, second, third)] == [0, 1, 2]
    assert positions[first].seconds == pytest.approx(30.0, abs=1.0)
    assert positions[third].seconds == pytest.approx(90.0, abs=2.0)


def test_estimate_learns_how_slow_the_machine_is():
    simulation = Simulation(slowness=5.0)
    before = simulation.queue.estimate(size(1.0))
    for _ in range(20):
        simulation.add("anna", size(0.4))
        simulation.run()
    assert simulation.queue.estimate(size(1.0)) == pytest.approx(5.0 * before, rel=0.3)


def test_job_of_a_lost_worker_comes_first_again():
    simulation = Simulation()
    lost = simulation.add("anna", size(30.0, takes=16))
    simulation.tick()
    later = simulation.add("anna", size(30.0, takes=16))
    simulation.queue.requeue(lost)
    del simulation.workers[lost], simulation.started[lost]
    simulation.run()
    assert simulation.started[lost] < simulation.started[later]


def test_removed_job_is_gone_wherever_it_was():
    simulation = Simulation()
    jobs = [simulation.add("anna", size(30.0, takes=16)) for _ in range(2)]
    simulation.tick()
    for job in jobs:
        simulation.queue.remove(job)
        assert job not in simulation.queue
    simulation.workers.clear()
    third = simulation.add("anna", size(1.0))
    simulation.run(3.0)
    assert third in simulation.finished


def test_full_queue_says_so_and_leaves_room_for_other_clients():
    queue = JobQueue(lambda: 0.0)
    for job in range(MAX_WAITING_PER_CLIENT):
        queue.add(job, "anna", size(1.0))
    with pytest.raises(QueueFull, match="of this client wait"):
        queue.add(1000, "anna", size(1.0))
    for job in range(MAX_WAITING_PER_CLIENT, MAX_WAITING):
        queue.add(job, f"client-{job}", size(1.0))
    with pytest.raises(QueueFull, match="try again later"):
        queue.add(2000, "ben", size(1.0))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 3.0),
            st.sampled_from(["anna", "ben", "zoe"]),
            st.floats(0.1, 40.0),
            st.integers(1, 16),
            st.sampled_from([MODEL, "duet-vae"]),
        ),
        max_size=25,
    ),
    st.integers(1, 3),
    st.floats(0.3, 3.0),
)
def test_every_job_is_started_once_and_ends(jobs, workers, slowness):
    simulation = Simulation(names=tuple(f"cuda:{n}" for n in range(workers)), slowness=slowness)
    for pause, client, seconds, takes, model in jobs:
        simulation.run(pause)
        simulation.add(client, size(seconds, takes, model))
        for name in simulation.names:
            begun = [job for job, worker in simulation.workers.items() if worker == name]
            assert len(begun) <= MAX_LONG_JOBS + 2 * MAX_BATCH_JOBS
    simulation.run()
    assert set(simulation.finished) == set(simulation.added)
    assert not simulation.paused & set(simulation.workers)
