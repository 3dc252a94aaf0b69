"""The connections of the server: how many there are of each address, and which has been idle for longest."""

import time
from dataclasses import dataclass

from backend.server.connections.tcp_connection import traffic_of

GRACE = 2.0
"""s since it was last sent something in which a connection counts as one that waits for an answer."""
_MAX_LOOKED_AT = 64
"""Connections of an address that are looked at for an idle one."""


@dataclass
class Connection:
    """One client's connection.

    peer: its address and port.  last: monotonic s at which it connected or sent its last whole message.
    delivered: bytes of the whole messages that the server has received from it.  identity: empty until the first.
    unread: bytes that it has sent beyond those, when last measured.
    """

    descriptor: int
    peer: tuple[str, int]
    last: float
    delivered: int = 0
    identity: str = ""
    unread: int = 0

    @property
    def owner(self) -> str:
        """The client as far as it is known: its identity, else its address."""
        return self.identity or self.peer[0]

    def waits_for_answer(self) -> bool:
        """Whether it has been sent something just now, such as progress; where the system does not tell, it has not."""
        traffic = traffic_of(self.descriptor)
        return traffic is not None and traffic.since_sent < GRACE and self.delivered > 0

    def measure_unread(self) -> int:
        """The bytes that it has sent and that no whole message has brought yet."""
        traffic = traffic_of(self.descriptor)
        self.unread = max(0, traffic.received - self.delivered) if traffic else 0
        return self.unread


class ConnectionTable:
    """All connections. Not for several threads."""

    def __init__(self) -> None:
        self.by_descriptor: dict[int, Connection] = {}
        self.by_address: dict[str, dict[int, Connection]] = {}
        """Of each address, the one that has sent nothing for longest first."""

    def __len__(self) -> int:
        return len(self.by_descriptor)

    def add(self, descriptor: int, peer: tuple[str, int]) -> Connection:
        """Enter a connection that was accepted."""
        self.remove(descriptor)
        connection = Connection(descriptor, peer, time.monotonic())
        self.by_descriptor[descriptor] = connection
        self.by_address.setdefault(peer[0], {})[descriptor] = connection
        return connection

    def remove(self, descriptor: int) -> Connection | None:
        """Strike out a connection that has ended; returns what it was."""
        connection = self.by_descriptor.pop(descriptor, None)
        if connection:
            siblings = self.by_address[connection.peer[0]]
            del siblings[descriptor]
            if not siblings:
                del self.by_address[connection.peer[0]]
        return connection

    def note_message(self, descriptor: int, identity: str, size: int) -> None:
        """Enter a whole message that has come. size: bytes as sent."""
        if connection := self.by_descriptor.get(descriptor):
            connection.identity, connection.last = identity, time.monotonic()
            connection.delivered += size
            siblings = self.by_address[connection.peer[0]]
            siblings[descriptor] = siblings.pop(descriptor)

    def most_connected_address(self) -> str:
        """The address with the most connections."""
        return max(self.by_address, key=lambda address: len(self.by_address[address]))

    def idle_longest(self, address: str) -> Connection:
        """The connection of an address to end first: idle for longest, else the one that came last."""
        siblings = self.by_address[address]
        for connection, _ in zip(siblings.values(), range(_MAX_LOOKED_AT), strict=False):
            if not connection.waits_for_answer():
                return connection
        return siblings[next(reversed(siblings))]
