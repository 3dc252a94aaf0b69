"""CURVE keys, in files of zmq.auth's format: a server with keys is encrypted and admits only the clients it lists.

A server's folder                                   The folder that one client is given
    server.key_secret   the server's secret key         client.key_secret   the client's secret key
    server.key          its public key                  server.key          the server's public key
    clients/NAME.key    public keys that are admitted

`make_client_keys` makes the second in the first, as for-NAME. The server looks for changes in clients/ twice a second
and at each connection: a client whose file is deleted is disconnected.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import zmq
from zmq.auth.certs import create_certificates, load_certificate

DOMAIN = b"pas-de-deux"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


class SharedSecret(ValueError):
    """A secret key that others on this machine can read."""


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


def make_own_keys(folder: Path) -> Path:
    """Make the keys of a server for one user's programs alone, if there are none; returns its only client's folder.

    folder: the server's, which only the user can enter; programs that start at once may make it at the same time.
    Raises OSError, and ValueError for a folder of something else.
    """
    client = folder / "for-own"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".keys-") as scratch:
            made = Path(scratch) / "keys"
            made.mkdir(mode=0o700)
            make_server_keys(made)
            make_client_keys(made, "own")
            with suppress(OSError):  # another program has made them meanwhile
                made.rename(folder)
    read_client_keys(client)
    return client


def read_client_keys(folder: Path) -> ClientKeys:
    """The keys in a client's folder. Raises ValueError where there are none."""
    with _expect_keys(folder, "client.key_secret and server.key", "pasdedeux keys DIR --client NAME"):
        public, secret = load_certificate(folder / "client.key_secret")
        server, _ = load_certificate(folder / "server.key")
        if secret is None:
            raise ValueError
    _refuse_shared_secret(folder / "client.key_secret")
    return ClientKeys(public, secret, server)


def apply_server_keys(socket: "zmq.Socket[bytes]", folder: Path) -> None:
    """Encrypt the connections to a socket that is to be bound. Raises ValueError where a folder has no server keys."""
    with _expect_keys(folder, "server.key_secret", "pasdedeux keys DIR"):
        public, secret = load_certificate(folder / "server.key_secret")
        if secret is None:
            raise ValueError
    _refuse_shared_secret(folder / "server.key_secret")
    socket.curve_publickey, socket.curve_secretkey = public, secret
    socket.curve_server = True
    socket.zap_domain = DOMAIN


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


def _refuse_shared_secret(file: Path) -> None:
    """Raise SharedSecret for a secret key that others on this machine can read; Windows has no modes to tell."""
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise SharedSecret(f"{file}: a file that only its owner can read expected; `chmod 600` makes it one")
