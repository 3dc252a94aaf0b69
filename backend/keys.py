"""CURVE keys, in files of zmq.auth's format: a server with keys is encrypted and admits only the clients it lists.

A server's folder                                   The folder that one client is given
    server.key_secret   the server's secret key         client.key_secret   the client's secret key
    server.key          its public key                  server.key          the server's public key
    clients/NAME.key    public keys that are admitted

`make_client_keys` makes the second in the first, as for-NAME. Without its file in clients/ a client is no longer
admitted from its next connection on.
"""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq
from zmq.auth.certs import create_certificates, load_certificate

_DOMAIN = "pas-de-deux"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class ClientKeys:
    """A client's own keys and the server's public key."""

    public: bytes
    secret: bytes
    server: bytes

    def apply(self, socket: "zmq.Socket[bytes]") -> None:
        """Encrypt the connections that a socket makes."""
        socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = self.public, self.secret, self.server


def make_server_keys(folder: Path) -> bool:
    """Make a server's keys in a folder; returns whether there were none. Raises OSError."""
    (folder / "clients").mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / "server.key_secret").exists():
        return False
    with _new_certificates(folder, "server") as (public, secret):
        os.replace(public, folder / "server.key")
        os.replace(secret, folder / "server.key_secret")
    return True


def make_client_keys(folder: Path, name: str) -> Path:
    """Make the folder of keys to give to one client, and admit it. Raises ValueError for a wrong or used name, OSError.

    folder: the server's, with its keys.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"--client {name}: a name of letters, digits, dots, hyphens and underscores expected")
    given, admitted = folder / f"for-{name}", folder / "clients" / f"{name}.key"
    for existing in (given, admitted):
        if existing.exists():
            raise ValueError(f"--client {name}: a name without keys expected, {existing} exists")
    with _new_certificates(folder, "client") as (public, secret):
        scratch = secret.parent / given.name
        scratch.mkdir(mode=0o700)
        os.replace(secret, scratch / "client.key_secret")
        shutil.copyfile(folder / "server.key", scratch / "server.key")
        os.replace(scratch, given)
        os.replace(public, admitted)
    return given


def read_client_keys(folder: Path) -> ClientKeys:
    """The keys in a client's folder. Raises ValueError where there are none."""
    with _expect_keys(folder, "client.key_secret and server.key", "pasdedeux keys DIR --client NAME"):
        public, secret = load_certificate(folder / "client.key_secret")
        server, _ = load_certificate(folder / "server.key")
        if secret is None:
            raise ValueError
    return ClientKeys(public, secret, server)


@contextmanager
def admit_listed_clients(socket: "zmq.Socket[bytes]", folder: Path) -> Iterator[None]:
    """Let a socket that is to be bound admit only the clients that a server's folder lists, whenever one connects.

    Raises ValueError where the folder has no server keys.
    """
    from zmq.auth.thread import ThreadAuthenticator

    with _expect_keys(folder, "server.key_secret", "pasdedeux keys DIR"):
        socket.curve_publickey, socket.curve_secretkey = load_certificate(folder / "server.key_secret")
    socket.curve_server = True
    socket.zap_domain = _DOMAIN.encode()
    authenticator: Any = ThreadAuthenticator(socket.context)
    authenticator.start()
    try:
        authenticator.configure_curve_callback(_DOMAIN, credentials_provider=_ListedClients(folder / "clients"))
        yield
    finally:
        authenticator.stop()


class _ListedClients:
    """Answers zmq.auth whether a client's key is listed, and prints the refusals, each key's once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._refused: set[bytes] = set()

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether a client with this public key is admitted."""
        for file in self._folder.glob("*.key"):
            with suppress(OSError, ValueError):  # a file that is being written, or none of keys
                if load_certificate(file)[0] == key:
                    return True
        if key not in self._refused and len(self._refused) < 1000:
            self._refused.add(key)
            print(f"refused a client whose key is not in {self._folder}", file=sys.stderr, flush=True)
        return False


@contextmanager
def _new_certificates(folder: Path, name: str) -> Iterator[tuple[Path, Path]]:
    """The public and the secret file of new keys, in a folder that only its owner can enter, to be moved out of it."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".keys-") as scratch:
        public, secret = map(Path, create_certificates(scratch, name))
        secret.chmod(0o600)
        yield public, secret


@contextmanager
def _expect_keys(folder: Path, files: str, command: str) -> Iterator[None]:
    """Raise ValueError with one sentence for files without the expected keys."""
    try:
        yield
    except (OSError, ValueError):
        raise ValueError(f"{folder}: {files} expected in the folder of keys, as `{command}` makes them") from None
