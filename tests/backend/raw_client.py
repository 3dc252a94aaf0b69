"""A client that sends the parts of messages as it is told to, valid or not."""

from collections.abc import Iterator
from contextlib import contextmanager

import zmq

from backend.protocol import decode_server_message
from backend.wire.messages import ProgressUpdate, ServerMessage

PATIENCE = 20.0


class RawClient:
    """A client with no manners: it sends what it is told to."""

    def __init__(self, socket: "zmq.Socket[bytes]") -> None:
        self.socket = socket

    def send(self, parts: list[bytes]) -> None:
        self.socket.send_multipart(parts)

    def receive(self, seconds: float = PATIENCE) -> tuple[str, ServerMessage]:
        """The next answer and the id it is about."""
        assert self.socket.poll(int(1000 * seconds)), "nothing received"
        return decode_server_message(self.socket.recv_multipart())

    def final_messages(self, count: int) -> list[tuple[str, ServerMessage]]:
        """The next answers that are no progress."""
        received: list[tuple[str, ServerMessage]] = []
        while len(received) < count:
            id, answer = self.receive()
            if not isinstance(answer, ProgressUpdate):
                received.append((id, answer))
        return received


@contextmanager
def raw_client(url: str) -> Iterator[RawClient]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(url)
        yield RawClient(socket)
