"""The backend as a server: `serve` answers clients as protocol.py specifies, and never waits for the engine."""

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
from backend.protocol import (
    DEFAULT_URL,
    Cancel,
    ClientMessage,
    ErrorReply,
    Hello,
    HelloReply,
    ProgressUpdate,
    ProtocolError,
    ServerMessage,
    decode_client_message,
    encode,
)
from backend.worker import Job, QueueFull, Report, RequestQueue, Shown, Worker

BEAT = 0.5
"""Seconds between two signs of life of each request."""
LARGEST_PART = 64 * 2**20
"""Bytes; ZeroMQ disconnects a client that sends a larger one."""
GRACE = 1.0
"""Seconds that the engine has to end when the server is told to."""


def serve(bind: str = DEFAULT_URL, accelerator: str = "auto") -> int:
    """Answer clients until SIGINT or SIGTERM, from the main thread; prints a line when it listens. Returns 0.

    bind: a loopback address; with * for the port a free one is taken.
    Raises ValueError with one sentence for an address that cannot be had.
    """
    address = loopback(bind)
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router, stop_signals() as wakeup:
        router.set(zmq.ROUTER_MANDATORY, 1)  # a send to a client that has gone says so
        router.set(zmq.MAXMSGSIZE, LARGEST_PART)
        router.set(zmq.IPV6, int("[" in address))
        router.linger = 500  # ms, for the last words
        try:
            router.bind(address)
        except zmq.ZMQError as error:
            raise ValueError(f"{bind}: an address that is free expected ({zmq.strerror(error.errno or 0)})") from None
        server = Server(router, Engine(accelerator), wakeup)
        print(f"listening on {router.get_string(zmq.LAST_ENDPOINT)}", flush=True)
        server.run()
    if server.worker.is_alive():
        # Deep in a model or an import, where Python cannot end it and its C++ would abort if Python ended around it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


def loopback(url: str) -> str:
    """The address as ZeroMQ binds it. Raises ValueError where it is none, or where other machines could reach it."""
    parts = re.fullmatch(r"tcp://(\[[^]]+\]|[^:\[\]/]+):(\*|\d{1,5})", url)
    if not parts or (parts[2] != "*" and int(parts[2]) > 65_535):
        raise ValueError(f"{url}: an address such as {DEFAULT_URL} expected")
    host = "127.0.0.1" if parts[1] == "localhost" else parts[1]
    try:
        own = ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        own = False
    if not own:
        raise ValueError(f"{url}: an address of this machine alone expected, such as {DEFAULT_URL}; others need keys")
    return f"tcp://{host}:{parts[2]}"


class Wakeup:
    """A bell that any thread and any signal may ring, and that a poller hears.

    stopping: whether it was a signal to stop.
    """

    def __init__(self) -> None:
        self.ear, self._bell = socket.socketpair()
        self.ear.setblocking(False)
        self._bell.setblocking(False)
        self.stopping = False

    def ring(self) -> None:
        """Wake the poller."""
        with suppress(OSError):  # it rings already, or nobody listens any more
            self._bell.send(b"!")

    def stop(self, number: int, frame: object) -> None:
        """What a signal does."""
        self.stopping = True
        self.ring()

    def hush(self) -> None:
        """Forget what has rung so far."""
        with suppress(BlockingIOError):
            while self.ear.recv(4096):
                pass

    def close(self) -> None:
        self.ear.close()
        self._bell.close()


@contextmanager
def stop_signals() -> Iterator[Wakeup]:
    """Let SIGINT and SIGTERM ring a bell instead of ending the process."""
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

    open: every request that has had no last answer, by client and id.  running: the one that the worker has.
    """

    def __init__(self, router: "zmq.Socket[bytes]", engine: Engine, wakeup: Wakeup) -> None:
        self.router = router
        self.wakeup = wakeup
        self.welcome = HelloReply(version("pas-de-deux"), engine.models, engine.dancers, engine.composers)
        self.reports: queue.SimpleQueue[tuple[Job, Report]] = queue.SimpleQueue()
        self.worker = Worker(engine, self.report)
        self.open: dict[tuple[bytes, str], Job] = {}
        self.line = RequestQueue()
        self.running: Job | None = None

    def report(self, job: Job, report: Report) -> None:
        """What the worker says; called on its thread."""
        self.reports.put((job, report))
        self.wakeup.ring()

    def run(self) -> None:
        """Serve until told to stop."""
        self.worker.start()
        poller = zmq.Poller()
        poller.register(self.router, zmq.POLLIN)
        poller.register(self.wakeup.ear, zmq.POLLIN)
        beat = time.monotonic() + BEAT
        while not self.wakeup.stopping:
            poller.poll(max(0, int((beat - time.monotonic()) * 1000)))
            self.wakeup.hush()
            self.pass_on()
            self.receive()
            if self.start_next():
                self.tell_all()
            if time.monotonic() >= beat:
                self.tell_all()
                beat = time.monotonic() + BEAT
        self.end()

    def pass_on(self) -> None:
        """Send what the worker has said."""
        while not self.reports.empty():
            job, report = self.reports.get()
            last = isinstance(report, list)
            if last:
                self.running = None
            if job.called_off.is_set():
                continue
            if isinstance(report, ProgressUpdate):
                job.progress = report
                self.say(job.client, job.id, report)
            elif isinstance(report, Shown):
                self.send(job.client, report.parts)
            else:
                del self.open[job.client, job.id]
                self.send(job.client, report)

    def receive(self, most: int = 64) -> None:
        """Answer the messages that have come, some at a time so that the worker's are not kept waiting."""
        for _ in range(most):
            try:
                client, *parts = self.router.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            try:
                id, question = decode_client_message(parts)
                self.answer(client, id, question)
            except ProtocolError as error:
                self.say(client, error.id, ErrorReply("refused", str(error)))
        self.wakeup.ring()

    def answer(self, client: bytes, id: str, question: ClientMessage) -> None:
        """Do what a client asks for, or begin to."""
        job = self.open.get((client, id))
        match question:
            case Hello():
                self.say(client, id, self.welcome)
            case Cancel():
                if job:
                    self.drop(job)
                    self.say(client, id, ErrorReply("cancelled", "the request was cancelled"))
            case _:
                if job:
                    raise ProtocolError(f"id: one that no open request has expected, {id} found", id)
                job = Job(client, id, question)
                try:
                    self.line.add(job)
                except QueueFull as error:
                    self.say(client, id, ErrorReply("refused", str(error)))
                    return
                self.open[client, id] = job
                self.start_next()
                self.tell_all()

    def drop(self, job: Job) -> None:
        """Nobody wants this one any more."""
        del self.open[job.client, job.id]
        job.called_off.set()
        if job is not self.running:
            self.line.remove(job)

    def start_next(self) -> bool:
        """Give the worker something to do if it has nothing; whether there was something."""
        if self.running or not (job := self.line.next()):
            return False
        self.running = job
        job.progress = ProgressUpdate(0.0, "starting")
        self.worker.take(job)
        return True

    def tell_all(self) -> None:
        """A sign of life to everyone who waits for a request."""
        for ahead, job in enumerate(list(self.line), start=1):
            others = "one other" if ahead == 1 else f"{ahead} others"
            job.progress = ProgressUpdate(0.0, f"waiting for {others}", ahead)
        for job in list(self.open.values()):
            self.say(job.client, job.id, job.progress)

    def say(self, client: bytes, id: str, answer: ServerMessage) -> None:
        """Send one client an answer."""
        self.send(client, encode(id, answer))

    def send(self, client: bytes, parts: list[bytes]) -> None:
        """Send one client a message; a client that has gone is forgotten, one that does not read misses it."""
        try:
            self.router.send_multipart([client, *parts], zmq.DONTWAIT)
        except zmq.Again:
            pass
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            for job in [job for job in self.open.values() if job.client == client]:
                self.drop(job)

    def end(self) -> None:
        """Say goodbye to everyone who waits, and let the worker go."""
        for job in self.open.values():
            job.called_off.set()
        for job in list(self.open.values()):
            self.say(job.client, job.id, ErrorReply("fault", "the backend is stopping"))
        if self.running:
            self.running.called_off.set()
        self.worker.finish()
        self.worker.join(GRACE)
