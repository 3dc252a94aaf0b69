"""Connections that cost too much are ended, and the others go on: real sockets against small limits."""

import logging
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import zmq

from backend.client import Client
from backend.keys import make_client_keys, make_server_keys, read_client_keys
from backend.server.connections.connection_guard import ConnectionGuard, ConnectionLimits, guard_connections
from backend.server.connections.limited_log import LINE_BURST, LimitedLog
from tests.benchmarks.connection_attacks import connect, cpu_seconds

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how many bytes have come")


@dataclass
class Guarded:
    """A socket that is watched, and where it listens."""

    router: "zmq.Socket[bytes]"
    guard: ConnectionGuard
    port: int

    @contextmanager
    def client(self, keys: Path | None = None) -> Iterator["zmq.Socket[bytes]"]:
        """A client that connects once."""
        with self.router.context.socket(zmq.DEALER) as dealer:
            dealer.linger = 0
            dealer.reconnect_ivl = -1
            if keys:
                read_client_keys(keys).apply(dealer)
            dealer.connect(f"tcp://127.0.0.1:{self.port}")
            yield dealer

    def receive(self) -> tuple[str | None, list[bytes]]:
        """The identity of the next message's client, and its parts."""
        assert self.router.poll(5000)
        frames = self.router.recv_multipart(copy=False)
        return self.guard.identify(frames), [frame.bytes for frame in frames[1:]]

    def raw(self) -> socket.socket:
        """A connection whose handshake is done."""
        return connect(("127.0.0.1", self.port), handshake=True)


@contextmanager
def guarded(limits: ConnectionLimits, keys: Path | None = None) -> Iterator[Guarded]:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.linger = 0
        with guard_connections(router, keys, limits) as guard:
            yield Guarded(router, guard, router.bind_to_random_port("tcp://127.0.0.1"))


def wait_for(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10.0
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def used_cpu(pid: int, seconds: float) -> float:
    """CPU time that a process uses in that many seconds."""
    before = cpu_seconds(pid)
    time.sleep(seconds)
    return cpu_seconds(pid) - before


def has_ended(connection: socket.socket) -> bool:
    """Whether the other end has hung up."""
    connection.settimeout(0.01)
    try:
        while data := connection.recv(4096):
            del data
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def send_part(connection: socket.socket, size: int, *, more: bool) -> None:
    with suppress(OSError):  # ended meanwhile
        connection.sendall(bytes([3 if more else 2]) + size.to_bytes(8, "big") + bytes(size))


def test_the_idle_connections_of_an_address_make_room_for_others() -> None:
    with guarded(ConnectionLimits(per_address=5)) as server:
        idle = [server.raw() for _ in range(20)]
        assert wait_for(lambda: server.guard.connections <= 5)
        with server.client() as client:
            client.send(b"one")
            assert server.receive() == ("127.0.0.1", [b"one"])
        assert wait_for(lambda: sum(map(has_ended, idle)) >= 15)
        for one in idle:
            one.close()


def test_the_connections_in_all_are_bounded() -> None:
    with guarded(ConnectionLimits(connections=5)) as server:
        idle = [server.raw() for _ in range(20)]
        assert wait_for(lambda: server.guard.connections <= 5)
        assert wait_for(lambda: sum(map(has_ended, idle)) == 15)
        for one in idle:
            one.close()


@linux_only
def test_a_connection_that_is_being_answered_is_not_idle() -> None:
    with guarded(ConnectionLimits(idle=1.5)) as server, server.client() as waiting, server.raw() as idle:
        waiting.send(b"one")
        assert server.router.poll(5000)
        frames = server.router.recv_multipart(copy=False)
        server.guard.identify(frames)
        for _ in range(15):
            server.router.send_multipart([frames[0].bytes, b"progress"])
            assert waiting.poll(5000)
            assert waiting.recv() == b"progress"
            time.sleep(0.2)
        assert has_ended(idle)
        waiting.send(b"two")
        assert server.receive() == ("127.0.0.1", [b"two"])


@linux_only
def test_a_message_that_never_becomes_whole_ends_its_connection() -> None:
    with guarded(ConnectionLimits(unread=8 * 2**20)) as server, server.raw() as attacker, server.client() as client:
        client.send(b"one")
        server.receive()
        for _ in range(20):
            send_part(attacker, 2**20, more=True)
        assert wait_for(lambda: has_ended(attacker))
        client.send(b"two")
        assert server.receive() == ("127.0.0.1", [b"two"])


@linux_only
def test_many_messages_of_one_connection_are_taken_however_large_they_are_together() -> None:
    with guarded(ConnectionLimits(unread=8 * 2**20)) as server, server.client() as client:
        for _ in range(30):
            client.send_multipart([b"header", *[bytes(2**18)] * 8])
            assert len(server.receive()[1]) == 9
        time.sleep(1.2)
        client.send(b"last")
        assert server.receive()[1] == [b"last"]


@linux_only
def test_one_client_is_bounded_over_all_its_connections() -> None:
    with guarded(ConnectionLimits(unread=8 * 2**20, unread_per_client=12 * 2**20)) as server:
        attackers = [server.raw() for _ in range(4)]
        for one in attackers:
            send_part(one, 5 * 2**20, more=True)
        assert wait_for(lambda: sum(map(has_ended, attackers)) >= 2)
        time.sleep(1.0)
        assert sum(map(has_ended, attackers)) == 2
        for one in attackers:
            one.close()


def test_what_is_no_handshake_is_refused_and_said_with_its_address(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "pasdedeux"), guarded(ConnectionLimits()) as server:
        with connect(("127.0.0.1", server.port), handshake=False) as one:
            assert wait_for(lambda: server.guard.connections == 1)
            one.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00SECRET" + bytes(100))
            assert wait_for(lambda: has_ended(one))
        assert wait_for(lambda: "refused 127.0.0.1" in caplog.text)


def test_a_revoked_client_is_disconnected_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_server_keys(tmp_path)
    anna, ben = make_client_keys(tmp_path, "anna"), make_client_keys(tmp_path, "ben")
    with (
        caplog.at_level(logging.INFO, "pasdedeux"),
        guarded(ConnectionLimits(), tmp_path) as server,
        server.client(anna) as first,
        server.client(ben) as second,
    ):
        first.send(b"one")
        assert server.receive() == ("anna", [b"one"])
        second.send(b"two")
        assert server.receive() == ("ben", [b"two"])
        (tmp_path / "clients" / "anna.key").unlink()
        assert wait_for(lambda: "anna is no longer admitted" in caplog.text)
        assert wait_for(lambda: server.guard.connections == 1)
        first.send(b"three", zmq.DONTWAIT) if first.poll(0, zmq.POLLOUT) else None
        second.send(b"four")
        assert server.receive() == ("ben", [b"four"])
        assert not server.router.poll(200)
    lines = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("admitted anna (key ") for line in lines)
    assert "anna is no longer admitted" in lines
    secrets = [line.split('"')[1] for line in (anna / "client.key_secret").read_text().splitlines() if '"' in line]
    assert len(secrets) == 2
    assert not any(secret in caplog.text for secret in secrets)


def test_nobody_is_admitted_while_the_folder_of_clients_is_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_server_keys(tmp_path)
    anna = make_client_keys(tmp_path, "anna")
    with guarded(ConnectionLimits(), tmp_path) as server:
        with server.client(anna) as client:
            client.send(b"one")
            assert server.receive()[0] == "anna"
            (tmp_path / "clients").rename(tmp_path / "elsewhere")
            assert wait_for(lambda: server.guard.connections == 0)
        with server.client(anna) as client:
            client.send(b"two")
            assert not server.router.poll(500)
        assert caplog.text.count("nobody is admitted") == 1
        (tmp_path / "elsewhere").rename(tmp_path / "clients")
        with server.client(anna) as client:
            client.send(b"three")
            assert server.receive() == ("anna", [b"three"])


def test_a_flood_of_lines_is_counted_instead_of_written(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    log = LimitedLog(logging.getLogger("pasdedeux.test"), clock=lambda: now)
    for _ in range(1000):
        log.write(logging.WARNING, "refused", client="anna")
    log.tell_left_out()
    assert len(caplog.records) == LINE_BURST
    now = 60.0
    log.tell_left_out()
    assert caplog.records[-1].getMessage() == f"{1000 - int(LINE_BURST)} more such lines were left out"


@linux_only
def test_a_server_of_few_descriptors_answers_while_others_hold_connections() -> None:
    """Without a guard it accepts no more, and asks the system again and again on a whole core."""
    import resource

    command = [sys.executable, "-m", "backend.cli.main", "serve", "--bind", "tcp://127.0.0.1:*"]

    def limit_descriptors() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 300))

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=limit_descriptors) as process:
        idle: list[socket.socket] = []
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            port = int(url.rsplit(":", 1)[1])
            for _ in range(400):
                with suppress(OSError):
                    idle.append(connect(("127.0.0.1", port), handshake=True))
            assert Client(url).hello().models
            assert sum(map(has_ended, idle)) >= 290
            assert any(used_cpu(process.pid, 1.0) < 0.4 for _ in range(20)), "rests once its models are loaded"
        finally:
            process.kill()
            for one in idle:
                one.close()
