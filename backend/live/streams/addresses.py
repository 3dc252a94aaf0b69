"""Streams as people name them: `vmc:39539`, `rokoko:14043:NAME`, `xsens:9763:1`."""

from backend.live.streams.rokoko import RokokoDecoder
from backend.live.streams.udp import Decoder, StreamReceiver
from backend.live.streams.vmc import VmcDecoder
from backend.live.streams.xsens import XsensDecoder

PROTOCOLS = ("vmc", "rokoko", "xsens")


def is_stream(text: str) -> bool:
    """Whether a leader is a stream, not a file."""
    return text.partition(":")[0] in PROTOCOLS and ":" in text


def open_stream(text: str, host: str = "127.0.0.1", sender: str | None = None) -> StreamReceiver:
    """Listen to a stream, named PROTOCOL:PORT or PROTOCOL:PORT:DANCER.

    text: the dancer is an actor's name or number for rokoko, a character's number for xsens; vmc has one dancer a port.
    host: address to listen at, 0.0.0.0 for senders on other machines.  sender: the only address to hear.
    Raises ValueError for what names no stream, and where the port is taken.
    """
    protocol, _, rest = text.partition(":")
    number, _, dancer = rest.partition(":")
    port = int(number) if number.isascii() and number.isdigit() else -1
    if protocol not in PROTOCOLS or not 0 <= port <= 65_535:
        raise ValueError(f"{text}: a stream such as vmc:39539, rokoko:14043 or xsens:9763 expected")
    decoder: Decoder
    if protocol == "rokoko":
        decoder = RokokoDecoder(dancer or "0")
    elif protocol == "xsens":
        if dancer and not (dancer.isascii() and dancer.isdigit()):
            raise ValueError(f"{text}: the number of an Xsens character expected, {dancer!r} found")
        decoder = XsensDecoder(int(dancer or 0))
    else:
        if dancer:
            raise ValueError(f"{text}: a VMC stream has one dancer a port, no {dancer!r}")
        decoder = VmcDecoder()
    try:
        return StreamReceiver(decoder, port, host, sender)
    except OSError as error:
        raise ValueError(f"{text}: cannot listen at port {port} of {host}: {error.strerror or error}") from None
