"""Which clients a server with keys admits: those in its folder's clients/, asked by ZeroMQ over ZAP (RFC 27)."""

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import zmq
from zmq.auth.certs import load_certificate
from zmq.utils import z85

from backend.server.connections.limited_log import LimitedLog

ZAP_ADDRESS = "inproc://zeromq.zap.01"
_ADMISSION_INTERVAL = 3600.0
"""s until an admission of the same client from the same address is logged again."""
_MAX_NOTED = 10_000


@dataclass(frozen=True)
class _KeyFile:
    """The public key in a file, in Z85, and what tells that the file is still the same; None for a file of no key."""

    stamp: tuple[int, int, int]
    key: bytes | None


class ListedClients:
    """The clients that a folder lists, read anew whenever a file of it has changed. Not for several threads.

    names: by public key, in Z85.  listed: all of them, for any thread to read.
    readable: whether the folder can be read; while it cannot, nobody is listed.
    """

    def __init__(self, folder: Path, logger: logging.Logger) -> None:
        self.folder = folder
        self.names: dict[bytes, str] = {}
        self.listed: frozenset[str] = frozenset()
        self.readable = True
        self._logger = logger
        self._files: dict[str, _KeyFile] = {}
        self.refresh()

    def refresh(self) -> set[str]:
        """Read what has changed; returns the names whose key is no longer listed."""
        files: dict[str, _KeyFile] = {}
        try:
            for path in sorted(self.folder.iterdir()):
                if path.suffix == ".key":
                    files[path.stem] = self._read(path)
            readable = True
        except OSError as error:
            files, readable = {}, False
            if self.readable:
                self._logger.error("nobody is admitted: %s cannot be read (%s)", self.folder, error.strerror)
        if readable and not self.readable:
            self._logger.info("%s can be read again", self.folder)
        self.readable = readable
        before = self.names
        self._files = files
        self.names = {file.key: name for name, file in files.items() if file.key is not None}
        self.listed = frozenset(self.names.values())
        return {name for key, name in before.items() if self.names.get(key) != name}

    def _read(self, path: Path) -> _KeyFile:
        """The key in a file, as it was read before if the file is the same."""
        known = self._files.get(path.stem)
        stamp = (-1, -1, -1)
        try:
            about = path.stat()
            stamp = (about.st_mtime_ns, about.st_size, about.st_ino)
            if known and known.stamp == stamp:
                return known
            key, _ = load_certificate(path)
        except (OSError, ValueError):
            if known is None or known.stamp != stamp:
                self._logger.warning("%s holds no public key that can be read: nobody is admitted by it", path)
            return _KeyFile(stamp, None)
        return _KeyFile(stamp, key)


class ZapHandler:
    """Answers ZeroMQ whether a connection's key is listed, and gives its messages the client's name."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", clients: ListedClients, log: LimitedLog) -> None:
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(ZAP_ADDRESS)
        self.revoked: set[str] = set()
        self._clients = clients
        self._log = log
        self._noted: dict[tuple[str, str], float] = {}

    def answer(self) -> None:
        """Answer one request that has come."""
        version, request, _, address, _, mechanism, *credentials = self.socket.recv_multipart()
        name = self._name(version, mechanism, credentials, address.decode("ascii", "replace"))
        status, text = (b"200", b"OK") if name else (b"400", b"the key is not listed")
        self.socket.send_multipart([version, request, status, text, name.encode(), b""])

    def _name(self, version: bytes, mechanism: bytes, credentials: list[bytes], address: str) -> str:
        """The name of the client that connects; empty if it is not admitted."""
        if version != b"1.0" or mechanism != b"CURVE" or len(credentials) != 1 or len(credentials[0]) != 32:
            return ""
        key = z85.encode(credentials[0])
        self.revoked |= self._clients.refresh()
        name = self._clients.names.get(key, "")
        short = f"key {key[:8].decode()}..."
        if not name:
            self._log.write(logging.WARNING, f"refused {address}: its {short} is not listed", client=address)
        elif time.monotonic() > self._noted.get((name, address), 0.0):
            if len(self._noted) >= _MAX_NOTED:
                self._noted.clear()
            self._noted[name, address] = time.monotonic() + _ADMISSION_INTERVAL
            self._log.write(logging.INFO, f"admitted {name} ({short}) from {address}", client=name)
        return name
