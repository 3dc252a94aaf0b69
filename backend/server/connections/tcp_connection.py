"""What the operating system knows of a TCP connection of this process that ZeroMQ owns, given its descriptor."""

import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

HAS_TCP_INFO = sys.platform == "linux"
"""Whether the system tells how many bytes have come; elsewhere only connections are counted."""
_TCP_INFO = struct.Struct("44xI80xQ")
"""Of Linux's struct tcp_info: ms since data was sent, and bytes received (Linux 4.1)."""


class Traffic(NamedTuple):
    """Bytes that a connection has received in all, and seconds since it last sent data."""

    received: int
    since_sent: float


def peer_of(descriptor: int) -> tuple[str, int] | None:
    """The address and port at the other end; None where the descriptor is no connection any more."""
    try:
        connection = socket.socket(fileno=descriptor)
    except OSError:
        return None
    try:
        host, port, *_ = connection.getpeername()
        return host, port
    except (OSError, ValueError):
        return None
    finally:
        connection.detach()


def traffic_of(descriptor: int) -> Traffic | None:
    """A connection's traffic; None where the system does not tell it, or the descriptor is no connection any more."""
    if not HAS_TCP_INFO:
        return None
    try:
        with _borrow(descriptor) as connection:
            since_sent, received = _TCP_INFO.unpack(
                connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
            )
    except (OSError, struct.error):
        return None
    return Traffic(received, since_sent / 1000.0)


def hang_up(descriptor: int, peer: tuple[str, int]) -> None:
    """End a connection: ZeroMQ, which owns the descriptor, sees it as a client that has gone.

    peer: its other end; where the descriptor has become another connection, nothing is done.
    """
    if peer_of(descriptor) == peer:
        try:
            with _borrow(descriptor) as connection:
                connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it has ended by itself


@contextmanager
def _borrow(descriptor: int) -> Iterator[socket.socket]:
    """A socket object for a descriptor, which stays open."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=descriptor)
    try:
        yield connection
    finally:
        connection.detach()
