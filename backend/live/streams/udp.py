"""UDP sockets of the streams: receive a leader's frames, and send a partner's."""

import socket
import time
from typing import Any, Protocol

from backend.live.streams.frames import StreamFrame

_LARGEST = 65_536  # bytes, more than a UDP datagram can have
_RECEIVE_BUFFER = 1 << 20


class Decoder(Protocol):
    """Reads datagrams of one protocol."""

    def decode(self, datagram: bytes) -> list[StreamFrame]:
        """Frames that a datagram completes; ValueError if it is malformed."""
        ...


class StreamReceiver:
    """Receives frames at a UDP port. Datagrams that are malformed, or from other senders, are dropped and counted.

    The last refusal says why, for people to read.
    port: 0 takes a free one.  host: address to listen at.  sender: the only address to hear; None hears all.
    Raises OSError where the port is taken.
    """

    def __init__(self, decoder: Decoder, port: int, host: str = "127.0.0.1", sender: str | None = None) -> None:
        self._decoder, self._sender = decoder, sender
        self.malformed = 0
        self.foreign = 0
        self.last_refusal = ""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]

    def receive(self, seconds: float) -> list[StreamFrame]:
        """Wait at most `seconds` for the next frames; an empty list when none came."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0.0:
            self._socket.settimeout(left)
            try:
                datagram, address = self._socket.recvfrom(_LARGEST)
            except TimeoutError:
                break
            except ConnectionError:  # Windows: an earlier datagram of ours was refused
                continue
            if self._sender is not None and address[0] != self._sender:
                self.foreign += 1
                continue
            try:
                frames = self._decoder.decode(datagram)
            except ValueError as error:
                self.malformed, self.last_refusal = self.malformed + 1, str(error)
                continue
            if frames:
                return frames
        return []

    def close(self) -> None:
        """Close the port."""
        self._socket.close()

    def __enter__(self) -> "StreamReceiver":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class DatagramSender:
    """Sends datagrams to an address, and never waits for it: what cannot be sent is dropped and counted.

    Raises ValueError for a host that is not known.
    """

    def __init__(self, host: str, port: int) -> None:
        try:
            family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        except OSError as error:
            raise ValueError(f"{host}:{port}: {error.strerror or error}") from None
        self._address: Any = address
        self.dropped = 0
        self._socket = socket.socket(family, kind)
        self._socket.setblocking(False)

    def send(self, datagram: bytes) -> None:
        """Send a datagram, or drop it."""
        try:
            self._socket.sendto(datagram, self._address)
        except OSError:
            self.dropped += 1

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def __enter__(self) -> "DatagramSender":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
