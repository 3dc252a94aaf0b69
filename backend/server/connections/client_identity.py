"""Who has sent a message: the name of the client's key, or its address where the server has no keys.

Turns, memory and rate limits, and the ids of requests are counted by it: all connections of a name are one client.
"""

from collections.abc import Sequence

import zmq


def client_identity(parts: "Sequence[zmq.Frame]", *, keys: bool) -> str:
    """The name under which the server admits the client's key, such as "anna"; else its address, such as "127.0.0.1".

    parts: of a message as `recv_multipart(copy=False)` returns it.
    keys: whether the server has keys; without them a client could claim any name in its handshake.
    """
    return _property(parts[0], "User-Id" if keys else "Peer-Address") or "unknown"


def connection_descriptor(parts: "Sequence[zmq.Frame]") -> int:
    """The file descriptor of the connection from which a message came; -1 where ZeroMQ does not know."""
    try:
        return int(parts[0].get(zmq.SRCFD))
    except zmq.ZMQError:
        return -1


def _property(frame: "zmq.Frame", name: str) -> str:
    """A property that ZeroMQ notes for a connection; empty where there is none."""
    try:
        return str(frame.get(name))
    except zmq.ZMQError:
        return ""
