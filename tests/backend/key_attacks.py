"""What somebody without the right keys may try at a server, for its tests and the table of refusals."""

import os
import shutil
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from backend.client import BackendError, Client
from backend.keys import make_client_keys, make_server_keys


def read_refusal(url: str, keys: Path | None) -> str:
    """What a client with these keys, or none, reads; "admitted" if it is."""
    try:
        Client(url, keys=keys).hello()
    except BackendError as error:
        return str(error)
    return "admitted"


def foreign_keys(folder: Path, server: Path) -> Path:
    """The keys of a client that is listed nowhere, with a server's public key."""
    make_server_keys(folder)
    keys = make_client_keys(folder, "eve")
    shutil.copy(server / "server.key", keys)
    return keys


def record_handshake(url: str, keys: Path) -> bytes:
    """All bytes that an admitted client sends for a hello, read between it and the server."""
    host, port = _address(url)
    sent = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def forward(source: socket.socket, target: socket.socket, record: bool) -> None:
            with suppress(OSError):
                while data := source.recv(65536):
                    if record:
                        sent.extend(data)
                    target.sendall(data)
            with suppress(OSError):
                target.shutdown(socket.SHUT_WR)

        def serve() -> None:
            client, _ = proxy.accept()
            with client, socket.create_connection((host, port)) as server:
                back = threading.Thread(target=forward, args=(server, client, False), daemon=True)
                back.start()
                forward(client, server, True)
                back.join(5.0)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        Client(f"tcp://127.0.0.1:{proxy.getsockname()[1]}", keys=keys).hello()
        thread.join(5.0)
    return bytes(sent)


def send_raw(url: str, data: bytes, *, step: int = 64) -> tuple[bytes, bool]:
    """Send bytes as a client would, some at a time; returns what came back, and whether the server hung up."""
    answer, ended = b"", False
    with socket.create_connection(_address(url)) as connection:
        connection.settimeout(0.2)
        time.sleep(0.2)  # so that the server can ask who it is
        with suppress(ConnectionError, BrokenPipeError):
            for start in range(0, len(data), step):
                connection.sendall(data[start : start + step])
                with suppress(TimeoutError):
                    received = connection.recv(65536)
                    answer += received
                    ended = not received
                if ended:
                    break
        connection.settimeout(15.0)
        try:
            while received := connection.recv(65536):
                answer += received
            ended = True
        except TimeoutError:
            ended = False
        except ConnectionError:
            ended = True
    return answer, ended


def random_bytes(size: int = 2000) -> bytes:
    """Bytes that begin like no handshake of any version."""
    return b"\xff" + bytes(8) + b"\x7f" + os.urandom(size)


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 0
