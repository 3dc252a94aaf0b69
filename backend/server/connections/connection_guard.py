"""Watches the connections of the server's socket: who may connect, how many there are, and what they make it hold.

ZeroMQ accepts whatever connects, and hands over a message only when all of its parts are there. A thread therefore
follows the events of the socket and, on Linux, asks the system how many bytes each connection has sent: it ends those
that are too many, idle for too long, of a client that is no longer listed, or that send more than a message may have.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import zmq
from zmq.utils.monitor import recv_monitor_message

from backend.keys import apply_server_keys
from backend.server.connections.client_identity import client_identity, connection_descriptor
from backend.server.connections.connection_table import Connection, ConnectionTable
from backend.server.connections.key_admission import ListedClients, ZapHandler
from backend.server.connections.limited_log import LimitedLog
from backend.server.connections.process_limits import raise_descriptor_limit, resident_bytes
from backend.server.connections.tcp_connection import hang_up, peer_of

logger = logging.getLogger("pasdedeux.connections")
_HANDSHAKE_TIMEOUT = 10.0
_HEARTBEAT_INTERVAL, _HEARTBEAT_TIMEOUT = 30.0, 180.0
"""s between two signs of life that a quiet client is asked for, and without any of which it counts as gone."""
_SCAN_INTERVAL = 0.5
_MEMORY_INTERVAL = 0.05
"""s between two looks at the process's memory, whose growth calls for a scan before its time."""
_MEMORY_STEP = 32 * 2**20
_RESERVED_DESCRIPTORS = 200
"""For files, workers and their pipes."""
_EVENTS = (
    zmq.EVENT_ACCEPTED
    | zmq.EVENT_ACCEPT_FAILED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_CLOSED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_MONITOR_STOPPED
)
_CRYPTOGRAPHIC = "its handshake is for another server's key, or was recorded and sent again"
_REFUSALS: dict[int, str] = {
    zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC: _CRYPTOGRAPHIC,
    zmq.PROTOCOL_ERROR_ZMTP_KEY_EXCHANGE: _CRYPTOGRAPHIC,
}
_MISMATCH = {
    True: "it uses no keys, or is no client of Pas de Deux",
    False: "it uses keys, of which this server has none, or is no client of Pas de Deux",
}
_LEFT = {
    True: "it hung up during the handshake, as clients without keys do, or took too long",
    False: "it hung up during the handshake, or took too long",
}
"""By whether the server has keys."""


@dataclass(frozen=True)
class ConnectionLimits:
    """What the connections of a server may cost.

    connections: in all; bounded by the descriptors that the system grants.  per_address: of one address.
    idle: s without a message, and without an open request, after which one is ended.
    unread: bytes of messages that are not whole yet or not taken yet, of one connection; the largest message that the
    protocol allows has about 100 MiB.  unread_per_client, unread_in_all: the same in sum.
    """

    connections: int = 4096
    per_address: int = 1024
    idle: float = 600.0
    unread: int = 192 * 2**20
    unread_per_client: int = 512 * 2**20
    unread_in_all: int = 1536 * 2**20


class ConnectionGuard:
    """The thread that watches the connections of a socket that is to be bound; `guard_connections` starts it."""

    def __init__(self, router: "zmq.Socket[bytes]", keys: Path | None, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.capacity = min(limits.connections, max(16, raise_descriptor_limit() - _RESERVED_DESCRIPTORS))
        self._log = LimitedLog(logger)
        self._lock = threading.Lock()
        self._table = ConnectionTable()
        self._failure: str | None = None
        self._next_scan, self._memory = 0.0, 0
        self._ended: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
        self._clients: ListedClients | None = None
        self._zap: ZapHandler | None = None
        if keys is not None:
            apply_server_keys(router, keys)
            self._clients = ListedClients(keys / "clients", logger)
            self._zap = ZapHandler(router.context, self._clients, self._log)
        router.handshake_ivl = int(1000 * _HANDSHAKE_TIMEOUT)
        router.heartbeat_ivl, router.heartbeat_timeout = (
            int(1000 * _HEARTBEAT_INTERVAL),
            int(1000 * _HEARTBEAT_TIMEOUT),
        )
        router.tcp_keepalive = 1
        router.backlog = 512
        address = f"inproc://connection-guard-{id(self)}"
        router.monitor(address, _EVENTS)
        self._monitor = router.context.socket(zmq.PAIR)
        self._monitor.linger = 0
        self._monitor.connect(address)
        self.thread = threading.Thread(target=self._run, name="connection guard", daemon=True)

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._table)

    def identify(self, parts: "Sequence[zmq.Frame]") -> str | None:
        """The identity of the client that a message is from; None for one that is no longer admitted.

        parts: as `recv_multipart(copy=False)` returns them, the first the connection's routing id. Called once for each
        message, by the thread of the socket.
        """
        has_keys = self._clients is not None
        identity = client_identity(parts, keys=has_keys)
        descriptor = connection_descriptor(parts)
        if self._clients is not None and identity not in self._clients.listed:
            self._ended.put((descriptor, f"{identity} is no longer listed"))
            return None
        size = sum(_size_as_sent(len(part), has_keys) for part in parts[1:])
        with self._lock:
            self._table.note_message(descriptor, identity, size)
        return identity

    def end_connection(self, parts: "Sequence[zmq.Frame]", reason: str) -> None:
        """End the connection from which a message came. reason: words after "ended a connection of NAME: "."""
        self._ended.put((connection_descriptor(parts), reason))

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._monitor, zmq.POLLIN)
        if self._zap:
            poller.register(self._zap.socket, zmq.POLLIN)
        while True:  # ZeroMQ waits for whoever follows the events: this thread must not end before they do
            try:
                ready = dict(poller.poll(int(1000 * (_MEMORY_INTERVAL if len(self._table) else _SCAN_INTERVAL))))
                if self._zap and self._zap.socket in ready:
                    self._zap.answer()
                if self._monitor in ready and not self._follow_events():
                    break
                self._end_named()
                now, resident = time.monotonic(), resident_bytes()
                if now >= self._next_scan or resident > self._memory + _MEMORY_STEP:
                    self._next_scan, self._memory = now + _SCAN_INTERVAL, resident
                    self._revoke()
                    self._scan(now)
                    self._log.tell_left_out()
            except Exception:
                logger.exception("watching the connections failed, and goes on")
                time.sleep(_SCAN_INTERVAL)
        self._monitor.close()
        if self._zap:
            self._zap.socket.close()

    def _end_named(self) -> None:
        """End the connections that the socket's thread has named."""
        while not self._ended.empty():
            descriptor, reason = self._ended.get()
            with self._lock:
                if connection := self._table.by_descriptor.get(descriptor):
                    self._end(connection, reason)

    def _follow_events(self, max_count: int = 256) -> bool:
        """Keep the table of connections; returns whether the socket is still watched."""
        for _ in range(max_count):
            try:
                event = recv_monitor_message(self._monitor, zmq.DONTWAIT)
            except zmq.Again:
                return True
            kind, value = event["event"], event["value"]
            match kind:
                case zmq.EVENT_ACCEPTED:
                    self._accept(value)
                case zmq.EVENT_ACCEPT_FAILED:
                    self._make_room(f"the system grants no more connections ({os.strerror(value)})")
                case zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
                    self._failure = self._describe_failure(value)
                case zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
                    self._failure = _LEFT[self._clients is not None]
                case zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                    self._failure = ""  # logged when it was asked for
                case zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED:
                    with self._lock:
                        connection = self._table.remove(value)
                    self._tell_end(connection)
                case zmq.EVENT_MONITOR_STOPPED:
                    return False
        return True

    def _describe_failure(self, value: int) -> str:
        """Why a handshake failed, from the value of ZeroMQ's event."""
        if value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
            return _MISMATCH[self._clients is not None]
        return _REFUSALS.get(value, "what it sent is no handshake")

    def _tell_end(self, connection: Connection | None) -> None:
        """Log that a connection has ended which was refused, or which has sent nothing.

        connection: None for one that failed so fast that its address could not be asked for.
        """
        failure, self._failure = self._failure, None
        host = connection.peer[0] if connection else "a connection"
        if failure:
            self._log.write(logging.WARNING, f"refused {host}: {failure}", client=host)
        elif failure is None and connection and not connection.delivered:
            self._log.write(logging.INFO, f"{host} hung up, and has sent no message", client=host)

    def _accept(self, descriptor: int) -> None:
        peer = peer_of(descriptor)
        if peer is None:  # it has gone already
            return
        with self._lock:
            self._table.add(descriptor, peer)
            if len(self._table.by_address[peer[0]]) > self.limits.per_address:
                self._end(self._table.idle_longest(peer[0]), f"{self.limits.per_address} connections of one address")
            elif len(self._table) > self.capacity:
                self._end_idlest(f"{self.capacity} connections in all")

    def _make_room(self, reason: str) -> None:
        """End idle connections where the system has no descriptor left to accept another."""
        with self._lock:
            for _ in range(min(8, len(self._table))):
                self._end_idlest(reason)

    def _end_idlest(self, reason: str) -> None:
        self._end(self._table.idle_longest(self._table.most_connected_address()), reason)

    def _end(self, connection: Connection, reason: str) -> None:
        """End a connection; the table is locked."""
        self._table.remove(connection.descriptor)
        hang_up(connection.descriptor, connection.peer)
        self._log.write(logging.WARNING, f"ended a connection of {connection.owner}: {reason}", client=connection.owner)

    def _revoke(self) -> None:
        """End the connections of clients that are no longer listed, and those of which nothing is known yet."""
        if self._clients is None or self._zap is None:
            return
        revoked = self._clients.refresh() | self._zap.revoked
        self._zap.revoked = set()
        if not revoked:
            return
        with self._lock:
            for connection in list(self._table.by_descriptor.values()):
                if connection.identity in revoked or not connection.identity:
                    self._end(connection, "its key is no longer listed" if connection.identity else "a key was revoked")
        for name in sorted(revoked):
            logger.warning("%s is no longer admitted", name, extra={"client": name})

    def _scan(self, now: float) -> None:
        """End connections that have been idle for too long, or that make the server hold too much."""
        with self._lock:
            per_client: dict[str, int] = {}
            heavy: list[Connection] = []
            for connection in list(self._table.by_descriptor.values()):
                unread = connection.measure_unread()
                if unread > self.limits.unread:
                    self._end(connection, f"more than {self.limits.unread >> 20} MiB of a message that is not whole")
                elif now - connection.last > self.limits.idle and not connection.waits_for_answer():
                    self._end(connection, f"nothing sent for {self.limits.idle:.0f} seconds")
                elif unread:
                    heavy.append(connection)
                    per_client[connection.owner] = per_client.get(connection.owner, 0) + unread
            in_all = sum(per_client.values())
            for connection in sorted(heavy, key=lambda one: one.unread, reverse=True):
                if per_client[connection.owner] > self.limits.unread_per_client:
                    reason = f"more than {self.limits.unread_per_client >> 20} MiB of one client in unread messages"
                elif in_all > self.limits.unread_in_all:
                    reason = f"more than {self.limits.unread_in_all >> 20} MiB in unread messages"
                else:
                    continue
                per_client[connection.owner] -= connection.unread
                in_all -= connection.unread
                self._end(connection, reason)


@contextmanager
def guard_connections(
    router: "zmq.Socket[bytes]", keys: Path | None = None, limits: ConnectionLimits | None = None
) -> Iterator[ConnectionGuard]:
    """Watch the connections of a socket that is to be bound, and with keys admit only the clients that are listed.

    keys: folder of the server's keys. Raises ValueError where it has none.
    """
    guard = ConnectionGuard(router, keys, limits or ConnectionLimits())
    guard.thread.start()
    try:
        yield guard
    finally:
        router.monitor(None, 0)
        guard.thread.join(5.0)


def _size_as_sent(size: int, has_keys: bool) -> int:
    """Bytes of a part on the network: ZMTP's framing (RFC 23), and that of CurveZMQ's messages (RFC 26)."""
    size += 33 if has_keys else 0
    return size + (2 if size < 256 else 9)
