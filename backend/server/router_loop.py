"""The server's loop between the clients and the workers, which never waits for them."""

import itertools
import logging
import queue
import time
from collections.abc import Sequence
from importlib.metadata import version

import zmq

from backend.model_registry import ModelRegistry
from backend.protocol import STOPPING, decode_client_message, encode
from backend.server.connections.connection_guard import ConnectionGuard
from backend.server.connections.rate_limits import RateLimits
from backend.server.request_queue import Job, QueueFull, RequestQueue
from backend.server.stopping import Wakeup
from backend.server.unsent_results import UnsentResults
from backend.wire.messages import Cancel, ClientMessage, ErrorReply, Hello, HelloReply, ProgressUpdate, ServerMessage
from backend.wire.validation import ProtocolError
from backend.worker.pool import JobEnd, JobPreview, JobProgress, WorkerEvent, WorkerLost, WorkerPool, WorkerReady

HEARTBEAT_INTERVAL = 0.5
"""s between two progress messages for each request."""
STOP_TIMEOUT = 1.0
"""s that the workers have to end when the server is stopped."""
_TRIES = 2
"""How often a request is given to a worker, should the first be lost."""
_MAX_FAILED_STARTS = 3
"""Losses of workers, without one that was ready between, after which no request waits for one any more."""
_log = logging.getLogger("pasdedeux.server")


class Server:
    """The loop between the clients and the workers.

    open: every request without a last answer, by client and id.  running: those that a worker has, by its name.
    faults: the models that are not offered, each with one sentence.
    """

    def __init__(
        self,
        router: "zmq.Socket[bytes]",
        pool: WorkerPool,
        registry: ModelRegistry,
        wakeup: Wakeup,
        guard: ConnectionGuard,
    ) -> None:
        self.router = router
        self.guard = guard
        self.limits = RateLimits()
        self.wakeup = wakeup
        self.pool = pool
        self.registry = registry
        self.faults: dict[str, str] = {}
        self.failed_starts = 0
        self.events: queue.SimpleQueue[WorkerEvent] = queue.SimpleQueue()
        self.numbers = itertools.count(1)
        self.open: dict[tuple[bytes, str], Job] = {}
        self.queue = RequestQueue()
        self.running: dict[str, Job] = {}
        self.unsent = UnsentResults()

    def hello(self) -> HelloReply:
        """The version, and the models that work as far as is known."""
        models, dancers, composers = (
            tuple(name for name in self.registry.names(task) if name not in self.faults)
            for task in ("partner", "dance", "compose")
        )
        return HelloReply(version("pas-de-deux"), models, dancers, composers)

    def report(self, event: WorkerEvent) -> None:
        """Take an event of a worker; called on any thread."""
        self.events.put(event)
        self.wakeup.wake()

    def run(self) -> None:
        """Serve until told to stop, or to finish while no request is open."""
        self.pool.start(self.report)
        try:
            self.loop()
        finally:
            self.stop()

    def loop(self) -> None:
        """Pass on what clients and workers send."""
        poller = zmq.Poller()
        poller.register(self.router, zmq.POLLIN)
        poller.register(self.wakeup.receiver, zmq.POLLIN)
        heartbeat = time.monotonic() + HEARTBEAT_INTERVAL
        while not self.wakeup.stopping and (self.open or not self.wakeup.finishing):
            poller.poll(max(0, int((heartbeat - time.monotonic()) * 1000)))
            self.wakeup.drain()
            self.unsent.send(self.send_parts)
            self.forward_events()
            self.receive_messages()
            if self.start_next():
                self.send_progress()
            if time.monotonic() >= heartbeat:
                self.send_progress()
                heartbeat = time.monotonic() + HEARTBEAT_INTERVAL

    def forward_events(self) -> None:
        """Send what the workers report to the clients; a fault in that ends the job that it is about, nothing else."""
        while not self.events.empty():
            event = self.events.get()
            job = None if isinstance(event, WorkerReady | WorkerLost) else self.running_job(event.job)
            try:
                self.handle_event(event, job)
            except Exception as error:
                _log.exception("a report of a worker could not be handled")
                if job is not None and self.open.get((job.client, job.id)) is job:
                    self.cancel(job)
                    self.send(job.client, job.id, ErrorReply("fault", f"the backend failed: {type(error).__name__}"))

    def running_job(self, number: int) -> Job | None:
        """The job that a worker has under this number; None if it was cancelled."""
        return next((job for job in self.running.values() if job.number == number), None)

    def handle_event(self, event: WorkerEvent, job: Job | None) -> None:
        """Send what a worker reports, of a job that it has, to the job's client."""
        match event:
            case WorkerReady():
                self.handle_ready(event)
            case WorkerLost():
                self.handle_loss(event)
            case _ if job is None:
                pass
            case JobProgress(fraction=fraction, what=what):
                job.progress = ProgressUpdate(fraction, what)
                self.send(job.client, job.id, job.progress)
            case JobPreview(parts=parts):
                self.send_parts(job.client, parts)
            case JobEnd(parts=parts):
                self.running = {name: other for name, other in self.running.items() if other is not job}
                self.end(job, parts)

    def handle_ready(self, event: WorkerReady) -> None:
        """Offer the models that work, and tell the faults of the others once."""
        self.failed_starts = 0
        for model, fault in event.faults.items():
            if self.faults.get(model) != fault:
                _log.error("%s could not be loaded: %s", model, fault)
        self.faults = dict(event.faults)

    def handle_loss(self, event: WorkerLost) -> None:
        """Try the jobs of a worker that was lost once more, and then tell their clients the cause."""
        self.failed_starts += 1
        job = self.running.get(event.worker)
        if job is not None and job.number in event.jobs:
            del self.running[event.worker]
            job.tries += 1
            if job.tries >= _TRIES:
                self.fail(job, f"the backend failed: its worker was lost {job.tries} times: {event.cause}")
            else:
                self.queue.requeue(job)
                job.progress = ProgressUpdate(0.0, "starting again")
        if self.failed_starts >= _MAX_FAILED_STARTS * len(self.pool.states()):
            for job in list(self.queue):
                self.queue.remove(job)
                self.fail(job, f"the backend failed: its worker cannot be started: {event.cause}")

    def fail(self, job: Job, text: str) -> None:
        """End a job with a fault of the backend."""
        self.end(job, encode(job.id, ErrorReply("fault", text[:500])))

    def end(self, job: Job, parts: Sequence[bytes]) -> None:
        """Send the message that ends a job."""
        del self.open[job.client, job.id]
        if not self.send_parts(job.client, parts):
            self.unsent.add(job.client, parts)

    def receive_messages(self, max_count: int = 64) -> None:
        """Handle the messages that have come, a limited number so that the worker's reports are not kept waiting."""
        for _ in range(max_count):
            try:
                frames = self.router.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            identity = self.guard.identify(frames)
            if identity is None:
                continue
            client, *parts = (frame.bytes for frame in frames)
            size = sum(map(len, parts))
            try:
                id, message = decode_client_message(parts)
                excess = self.limits.count(identity, client, message.kind, size)
                if excess is None:
                    self.handle(client, id, message, parts)
            except ProtocolError as error:
                id, excess = error.id, self.limits.count(identity, client, "", size)
                if excess is None:
                    self.refuse(client, id, str(error))
            except Exception as error:  # one message may not end the server
                _log.exception("a message could not be handled")
                id, excess = "", None
                self.send(client, id, ErrorReply("fault", f"the backend failed: {type(error).__name__}"))
            if excess and excess.flooding:
                self.guard.end_connection(frames, "it sends more than it may, and goes on though told to wait")
            elif excess:
                self.refuse(client, id, excess.text)
        self.wakeup.wake()

    def handle(self, client: bytes, id: str, message: ClientMessage, parts: list[bytes]) -> None:
        """Answer a message, or put its request into the queue."""
        job = self.open.get((client, id))
        match message:
            case Hello():
                self.send(client, id, self.hello())
            case Cancel():
                if job:
                    self.cancel(job)
                    self.send(client, id, ErrorReply("cancelled", "the request was cancelled"))
            case _ if self.wakeup.finishing:
                self.send(client, id, ErrorReply("fault", STOPPING))
            case _:
                if job:
                    raise ProtocolError(f"id: one that no open request has expected, {id} found", id)
                job = Job(client, id, next(self.numbers), parts)
                try:
                    self.queue.add(job)
                except QueueFull as error:
                    self.send(client, id, ErrorReply("refused", str(error)))
                    return
                self.open[client, id] = job
                self.start_next()
                self.send_progress()

    def cancel(self, job: Job) -> None:
        """End a job whose result is no longer wanted."""
        del self.open[job.client, job.id]
        worker = next((name for name, running in self.running.items() if running is job), None)
        if worker is None:
            self.queue.remove(job)
        else:
            del self.running[worker]
            self.pool.cancel(job.number)

    def start_next(self) -> bool:
        """Give each worker that has none the next job; returns whether one was started."""
        started = False
        for state in self.pool.states():
            if state.state != "lost" and state.name not in self.running and (job := self.queue.next()):
                job.number = next(self.numbers)  # a job that was lost may not be mistaken for this one
                job.progress = ProgressUpdate(0.0, "starting")
                self.running[state.name] = job
                self.pool.run(state.name, job.number, job.parts)
                started = True
        return started

    def send_progress(self) -> None:
        """Send the progress of every open request to its client, as a sign of life."""
        for ahead, job in enumerate(list(self.queue), start=1):
            others = "one other" if ahead == 1 else f"{ahead} others"
            job.progress = ProgressUpdate(0.0, f"waiting for {others}", ahead)
        for job in list(self.open.values()):
            self.send(job.client, job.id, job.progress)

    def refuse(self, client: bytes, id: str, text: str) -> None:
        """Refuse a message. An error with the id of an open request would end that for its client, so it has none."""
        self.send(client, "" if (client, id) in self.open else id, ErrorReply("refused", text))

    def send(self, client: bytes, id: str, message: ServerMessage) -> None:
        """Send a message to a client."""
        self.send_parts(client, encode(id, message))

    def send_parts(self, client: bytes, parts: Sequence[bytes]) -> bool:
        """Send a message's parts; returns False for a client that does not read now.

        One that has gone has its requests cancelled.
        """
        try:
            self.router.send_multipart([client, *parts], zmq.DONTWAIT)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                _log.error("a message could not be sent: %s", error)
            for job in [job for job in self.open.values() if job.client == client]:
                self.cancel(job)
        return True

    def stop(self) -> None:
        """Tell every waiting client, and let the workers end."""
        for job in list(self.open.values()):
            self.send(job.client, job.id, ErrorReply("fault", STOPPING))
        self.pool.close(STOP_TIMEOUT)
