"""The server's loop between the clients and the worker, which never waits for the engine."""

import queue
import time
from importlib.metadata import version

import zmq

from backend.engine import Engine
from backend.protocol import STOPPING, decode_client_message, encode
from backend.server.connection_guard import ConnectionGuard
from backend.server.rate_limits import RateLimits
from backend.server.request_queue import Job, QueueFull, RequestQueue
from backend.server.stopping import Wakeup
from backend.server.thread_worker import PreviewParts, Report, Worker
from backend.wire.messages import Cancel, ClientMessage, ErrorReply, Hello, HelloReply, ProgressUpdate, ServerMessage
from backend.wire.validation import ProtocolError

HEARTBEAT_INTERVAL = 0.5
"""s between two progress messages for each request."""
STOP_TIMEOUT = 1.0
"""s that the engine has to end when the server is stopped."""


class Server:
    """The loop between the clients and the worker.

    open: every request without a last answer, by client and id.  running: the one that the worker has.
    """

    def __init__(self, router: "zmq.Socket[bytes]", engine: Engine, wakeup: Wakeup, guard: ConnectionGuard) -> None:
        self.router = router
        self.guard = guard
        self.limits = RateLimits()
        self.wakeup = wakeup
        models, dancers, composers = (engine.registry.names(task) for task in ("partner", "dance", "compose"))
        self.hello = HelloReply(version("pas-de-deux"), models, dancers, composers)
        self.reports: queue.SimpleQueue[tuple[Job, Report]] = queue.SimpleQueue()
        self.worker = Worker(engine, self.report)
        self.open: dict[tuple[bytes, str], Job] = {}
        self.queue = RequestQueue()
        self.running: Job | None = None

    def report(self, job: Job, report: Report) -> None:
        """Take a report of the worker; called on its thread."""
        self.reports.put((job, report))
        self.wakeup.wake()

    def run(self) -> None:
        """Serve until told to stop, or to finish while no request is open."""
        self.worker.start()
        poller = zmq.Poller()
        poller.register(self.router, zmq.POLLIN)
        poller.register(self.wakeup.receiver, zmq.POLLIN)
        heartbeat = time.monotonic() + HEARTBEAT_INTERVAL
        while not self.wakeup.stopping and (self.open or not self.wakeup.finishing):
            poller.poll(max(0, int((heartbeat - time.monotonic()) * 1000)))
            self.wakeup.drain()
            self.forward_reports()
            self.receive_messages()
            if self.start_next():
                self.send_progress()
            if time.monotonic() >= heartbeat:
                self.send_progress()
                heartbeat = time.monotonic() + HEARTBEAT_INTERVAL
        self.stop()

    def forward_reports(self) -> None:
        """Send the worker's reports to the clients."""
        while not self.reports.empty():
            job, report = self.reports.get()
            if isinstance(report, list):
                self.running = None
            if job.cancelled.is_set():
                continue
            if isinstance(report, ProgressUpdate):
                job.progress = report
                self.send(job.client, job.id, report)
            elif isinstance(report, PreviewParts):
                self.send_parts(job.client, report.parts)
            else:
                del self.open[job.client, job.id]
                self.send_parts(job.client, report)

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
                    self.handle(client, id, message)
            except ProtocolError as error:
                id, excess = error.id, self.limits.count(identity, client, "", size)
                if excess is None:
                    self.send(client, id, ErrorReply("refused", str(error)))
            if excess and excess.flooding:
                self.guard.end_connection(frames, "it sends more than it may, and goes on though told to wait")
            elif excess:
                self.send(client, id, ErrorReply("refused", excess.text))
        self.wakeup.wake()

    def handle(self, client: bytes, id: str, message: ClientMessage) -> None:
        """Answer a message, or put its request into the queue."""
        job = self.open.get((client, id))
        match message:
            case Hello():
                self.send(client, id, self.hello)
            case Cancel():
                if job:
                    self.cancel(job)
                    self.send(client, id, ErrorReply("cancelled", "the request was cancelled"))
            case _ if self.wakeup.finishing:
                self.send(client, id, ErrorReply("fault", STOPPING))
            case _:
                if job:
                    raise ProtocolError(f"id: one that no open request has expected, {id} found", id)
                job = Job(client, id, message)
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
        job.cancelled.set()
        if job is not self.running:
            self.queue.remove(job)

    def start_next(self) -> bool:
        """Give the worker the next job if it has none; returns whether there was one."""
        if self.running or not (job := self.queue.next()):
            return False
        self.running = job
        job.progress = ProgressUpdate(0.0, "starting")
        self.worker.submit(job)
        return True

    def send_progress(self) -> None:
        """Send the progress of every open request to its client, as a sign of life."""
        for ahead, job in enumerate(list(self.queue), start=1):
            others = "one other" if ahead == 1 else f"{ahead} others"
            job.progress = ProgressUpdate(0.0, f"waiting for {others}", ahead)
        for job in list(self.open.values()):
            self.send(job.client, job.id, job.progress)

    def send(self, client: bytes, id: str, message: ServerMessage) -> None:
        """Send a message to a client."""
        self.send_parts(client, encode(id, message))

    def send_parts(self, client: bytes, parts: list[bytes]) -> None:
        """Send a message's parts; one that does not read misses them, one that has gone has its requests cancelled."""
        try:
            self.router.send_multipart([client, *parts], zmq.DONTWAIT)
        except zmq.Again:
            pass
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            for job in [job for job in self.open.values() if job.client == client]:
                self.cancel(job)

    def stop(self) -> None:
        """Tell every waiting client, and let the worker end."""
        for job in self.open.values():
            job.cancelled.set()
        for job in list(self.open.values()):
            self.send(job.client, job.id, ErrorReply("fault", STOPPING))
        if self.running:
            self.running.cancelled.set()
        self.worker.finish()
        self.worker.join(STOP_TIMEOUT)
