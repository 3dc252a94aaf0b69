"""The server: `serve` answers clients as protocol.py specifies, on a loop that never waits for the engine."""

import os
import queue
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import zmq

from backend.addresses import bind_address
from backend.engine import Engine
from backend.keys import admit_listed_clients
from backend.model_registry import REGISTRY, ModelRegistry
from backend.protocol import DEFAULT_URL, STOPPING, decode_client_message, encode
from backend.stopping import Wakeup, catch_stop_signals
from backend.wire.messages import Cancel, ClientMessage, ErrorReply, Hello, HelloReply, ProgressUpdate, ServerMessage
from backend.wire.validation import ProtocolError
from backend.worker import Job, PreviewParts, QueueFull, Report, RequestQueue, Worker

HEARTBEAT_INTERVAL = 0.5
"""s between two progress messages for each request."""
MAX_PART = 64 * 2**20
"""Bytes; ZeroMQ disconnects a client that sends a larger part."""
STOP_TIMEOUT = 1.0
"""s that the engine has to end when the server is stopped."""


class AddressInUse(ValueError):
    """An address that cannot be bound, as a program listens there or this machine has none such."""


def serve(
    bind: str = DEFAULT_URL,
    accelerator: str = "auto",
    registry: ModelRegistry = REGISTRY,
    *,
    keys: Path | None = None,
    on_listening: Callable[[str, Wakeup], None] = lambda address, wakeup: None,
) -> int:
    """Answer clients until SIGINT or SIGTERM, on the main thread; print a line once it listens. Returns 0.

    bind: a loopback address, or with keys any of this machine; with * for the port a free one is taken.
    keys: folder of the server's keys; only clients that it lists are admitted.
    on_listening: called once with the address, and what stops the server.
    Raises ValueError for an address that cannot be bound, AddressInUse for one that is taken, and for missing keys.
    """
    address = bind_address(bind, keys=keys is not None)
    with ExitStack() as stack:
        context = stack.enter_context(zmq.Context())
        router = stack.enter_context(context.socket(zmq.ROUTER))
        wakeup = stack.enter_context(catch_stop_signals())
        router.set(zmq.ROUTER_MANDATORY, 1)  # a send to a client that has gone raises an error
        router.set(zmq.MAXMSGSIZE, MAX_PART)
        router.set(zmq.IPV6, int("[" in address))
        router.linger = 500  # ms, for the last messages
        if keys is not None:
            stack.enter_context(admit_listed_clients(router, keys))
        try:
            router.bind(address)
        except zmq.ZMQError as error:
            reason = zmq.strerror(error.errno or 0)
            raise AddressInUse(f"{bind}: an address that is free expected ({reason})") from None
        server = Server(router, Engine(accelerator, registry), wakeup)
        listening = router.get_string(zmq.LAST_ENDPOINT)
        on_listening(listening, wakeup)
        print(f"listening on {listening}", flush=True)
        server.run()
    if server.worker.is_alive():
        # Deep in a model or an import, where Python cannot end it and its C++ would abort if Python ended around it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


class Server:
    """The loop between the clients and the worker.

    open: every request without a last answer, by client and id.  running: the one that the worker has.
    """

    def __init__(self, router: "zmq.Socket[bytes]", engine: Engine, wakeup: Wakeup) -> None:
        self.router = router
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
                client, *parts = self.router.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            try:
                id, message = decode_client_message(parts)
                self.handle(client, id, message)
            except ProtocolError as error:
                self.send(client, error.id, ErrorReply("refused", str(error)))
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
