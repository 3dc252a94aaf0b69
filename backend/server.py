"""The server: `serve` answers clients as protocol.py specifies, on a loop that never waits for the engine."""

import ipaddress
import os
import queue
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version

import zmq

from backend.engine import Engine
from backend.model_registry import REGISTRY, ModelRegistry
from backend.protocol import DEFAULT_URL, decode_client_message, encode
from backend.wire.messages import Cancel, ClientMessage, ErrorReply, Hello, HelloReply, ProgressUpdate, ServerMessage
from backend.wire.validation import ProtocolError
from backend.worker import Job, PreviewParts, QueueFull, Report, RequestQueue, Worker

HEARTBEAT_INTERVAL = 0.5
"""s between two progress messages for each request."""
MAX_PART = 64 * 2**20
"""Bytes; ZeroMQ disconnects a client that sends a larger part."""
STOP_TIMEOUT = 1.0
"""s that the engine has to end when the server is stopped."""


def serve(bind: str = DEFAULT_URL, accelerator: str = "auto", registry: ModelRegistry = REGISTRY) -> int:
    """Answer clients until SIGINT or SIGTERM, on the main thread; print a line once it listens. Returns 0.

    bind: a loopback address; with * for the port a free one is taken.
    Raises ValueError for an address that cannot be bound.
    """
    address = loopback_address(bind)
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router, catch_stop_signals() as wakeup:
        router.set(zmq.ROUTER_MANDATORY, 1)  # a send to a client that has gone raises an error
        router.set(zmq.MAXMSGSIZE, MAX_PART)
        router.set(zmq.IPV6, int("[" in address))
        router.linger = 500  # ms, for the last messages
        try:
            router.bind(address)
        except zmq.ZMQError as error:
            raise ValueError(f"{bind}: an address that is free expected ({zmq.strerror(error.errno or 0)})") from None
        server = Server(router, Engine(accelerator, registry), wakeup)
        print(f"listening on {router.get_string(zmq.LAST_ENDPOINT)}", flush=True)
        server.run()
    if server.worker.is_alive():
        # Deep in a model or an import, where Python cannot end it and its C++ would abort if Python ended around it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


def loopback_address(url: str) -> str:
    """The address as ZeroMQ binds it. Raises ValueError for no address, and for one that other machines can reach."""
    parts = re.fullmatch(r"tcp://(\[[^]]+\]|[^:\[\]/]+):(\*|\d{1,5})", url)
    if not parts or (parts[2] != "*" and int(parts[2]) > 65_535):
        raise ValueError(f"{url}: an address such as {DEFAULT_URL} expected")
    host = "127.0.0.1" if parts[1] == "localhost" else parts[1]
    try:
        is_loopback = ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ValueError(f"{url}: an address of this machine alone expected, such as {DEFAULT_URL}; others need keys")
    return f"tcp://{host}:{parts[2]}"


class Wakeup:
    """A socket pair by which threads and signal handlers wake the poller.

    stopping: whether a signal to stop has come.
    """

    def __init__(self) -> None:
        self.receiver, self._sender = socket.socketpair()
        self.receiver.setblocking(False)
        self._sender.setblocking(False)
        self.stopping = False

    def wake(self) -> None:
        """Wake the poller."""
        with suppress(OSError):  # it is awake already, or closed
            self._sender.send(b"!")

    def stop(self, number: int, frame: object) -> None:
        """Handle a signal to stop."""
        self.stopping = True
        self.wake()

    def drain(self) -> None:
        """Read what has been sent so far."""
        with suppress(BlockingIOError):
            while self.receiver.recv(4096):
                pass

    def close(self) -> None:
        """Close both ends."""
        self.receiver.close()
        self._sender.close()


@contextmanager
def catch_stop_signals() -> Iterator[Wakeup]:
    """Let SIGINT and SIGTERM wake the poller instead of ending the process."""
    wakeup = Wakeup()
    before = {number: signal.signal(number, wakeup.stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wakeup
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        wakeup.close()


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
        """Serve until told to stop."""
        self.worker.start()
        poller = zmq.Poller()
        poller.register(self.router, zmq.POLLIN)
        poller.register(self.wakeup.receiver, zmq.POLLIN)
        heartbeat = time.monotonic() + HEARTBEAT_INTERVAL
        while not self.wakeup.stopping:
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
            self.send(job.client, job.id, ErrorReply("fault", "the backend is stopping"))
        if self.running:
            self.running.cancelled.set()
        self.worker.finish()
        self.worker.join(STOP_TIMEOUT)
