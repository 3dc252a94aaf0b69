"""Keys: who is admitted by a server that has them, what each of the others reads, and who can read the files."""

import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from backend.client import BackendLost, Client, KeysRefused
from backend.keys import make_client_keys, make_own_keys, make_server_keys, read_client_keys
from rigs.motion import Motion
from tests.backend.conftest import Backend, running
from tests.backend.key_attacks import random_bytes, record_handshake, send_raw

PASDEDEUX = (sys.executable, "-m", "backend.cli.main")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's keys, and those of anna."""
    folder = tmp_path_factory.mktemp("keys") / "server"
    make_server_keys(folder)
    make_client_keys(folder, "anna")
    return folder


@pytest.fixture(scope="module")
def locked(folder: Path) -> Iterator[Backend]:
    """A server with keys."""
    with running(*PASDEDEUX, "serve", "--bind", "tcp://127.0.0.1:*", "--keys", str(folder)) as one:
        yield one


def assert_refused(url: str, keys: Path | None, sentence: str) -> None:
    with pytest.raises(KeysRefused) as refusal:
        Client(url, keys=keys).hello()
    assert str(refusal.value) == sentence


def test_a_listed_client_is_admitted(locked: Backend, folder: Path) -> None:
    assert Client(locked.url, keys=folder / "for-anna").hello().models


def test_a_client_without_keys_is_refused(locked: Backend) -> None:
    assert_refused(locked.url, None, f"the backend at {locked.url} admits only clients with keys")


def test_a_client_that_is_not_listed_is_refused(locked: Backend, folder: Path, tmp_path: Path) -> None:
    make_server_keys(tmp_path / "other")
    stranger = make_client_keys(tmp_path / "other", "eve")
    shutil.copy(folder / "server.key", stranger)
    assert_refused(locked.url, stranger, f"the backend at {locked.url} does not admit the keys of this client")


def test_a_client_of_another_server_is_refused(locked: Backend, tmp_path: Path) -> None:
    make_server_keys(tmp_path / "other")
    keys = make_client_keys(tmp_path / "other", "anna")
    assert_refused(locked.url, keys, f"the backend at {locked.url} uses no keys, or others than server.key says")


def test_a_recorded_handshake_sent_again_is_refused_before_its_message_is_read(locked: Backend, folder: Path) -> None:
    recorded = record_handshake(locked.url, folder / "for-anna")
    answer, ended = send_raw(locked.url, recorded)
    assert ended
    assert answer.startswith(b"\xff"), "the greeting of the server"
    assert b"READY" not in answer
    assert b"MESSAGE" not in answer
    assert Client(locked.url, keys=folder / "for-anna").hello().models


@pytest.mark.parametrize("data", [random_bytes(), b"GET / HTTP/1.1\r\nHost: gpubox\r\n\r\n"], ids=["random", "http"])
def test_what_is_no_client_is_hung_up_on(locked: Backend, folder: Path, data: bytes) -> None:
    assert send_raw(locked.url, data)[1]
    assert Client(locked.url, keys=folder / "for-anna").hello().models


def test_a_client_that_is_revoked_loses_its_open_request(locked: Backend, folder: Path, long_leader: Motion) -> None:
    """Which it learns as soon as the server has looked at its folder again, and long before the result."""
    dora = make_client_keys(folder, "dora")
    listed = folder / "clients" / "dora.key"

    def revoke(fraction: float, what: str) -> None:
        listed.unlink(missing_ok=True)

    with pytest.raises((BackendLost, KeysRefused)):
        Client(locked.url, keys=dora).partner(long_leader, takes=8, progress=revoke)
    assert Client(locked.url, keys=folder / "for-anna").hello().models


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_secrets_that_others_can_read_are_refused_by_client_and_server(
    locked: Backend, folder: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "studio"
    shutil.copytree(folder, copied)
    for secret in (copied / "server.key_secret", copied / "for-anna" / "client.key_secret"):
        secret.chmod(0o644)
    sentence = "a file that only its owner can read expected; `chmod 600` makes it one"
    assert_refused(locked.url, copied / "for-anna", f"{copied / 'for-anna' / 'client.key_secret'}: {sentence}")
    command = [*PASDEDEUX, "serve", "--bind", "tcp://127.0.0.1:*", "--keys", str(copied)]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 2
    assert refused.stderr.strip() == f"{copied / 'server.key_secret'}: {sentence}"


def test_own_keys_are_made_once_even_by_programs_that_start_together(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "keys"
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(make_own_keys, [folder] * 8))
    assert set(made) == {folder / "for-own"}
    assert [path.name for path in folder.parent.iterdir()] == ["keys"]
    keys = read_client_keys(made[0])
    assert make_own_keys(folder) == made[0]
    assert read_client_keys(made[0]) == keys


def test_a_client_with_keys_refuses_a_server_without_them(backend: Backend, folder: Path) -> None:
    """Else whoever answers in the server's place would read what is sent."""
    sentence = f"the backend at {backend.url} uses no keys, or others than server.key says"
    assert_refused(backend.url, folder / "for-anna", sentence)


def test_a_client_is_admitted_and_revoked_while_the_server_runs(locked: Backend, folder: Path) -> None:
    ben = make_client_keys(folder, "ben")
    assert Client(locked.url, keys=ben).hello().models
    (folder / "clients" / "ben.key").unlink()
    assert_refused(locked.url, ben, f"the backend at {locked.url} does not admit the keys of this client")
    assert Client(locked.url, keys=folder / "for-anna").hello().models


def test_a_folder_without_keys_is_named(locked: Backend, tmp_path: Path) -> None:
    expected = "client.key_secret and server.key expected in the folder of keys"
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(KeysRefused, match=rf"^{folder}: {expected}, as `pasdedeux keys DIR --client NAME` makes"):
            Client(locked.url, keys=folder).hello()
    (tmp_path / "server.key").write_text("nonsense")
    (tmp_path / "client.key_secret").write_text("nonsense")
    with pytest.raises(KeysRefused, match=expected):
        Client(locked.url, keys=tmp_path).hello()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_only_the_owner_reads_secrets(folder: Path) -> None:
    for secret in (folder / "server.key_secret", folder / "for-anna" / "client.key_secret"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "for-anna").stat().st_mode) == 0o700
    secret_line = next(line for line in (folder / "server.key_secret").read_text().splitlines() if "secret-key" in line)
    given = b"".join(path.read_bytes() for path in (folder / "for-anna").iterdir())
    assert secret_line.split('"')[1].encode() not in given
    assert "secret-key" not in (folder / "clients" / "anna.key").read_text()
    assert sorted(path.name for path in (folder / "for-anna").iterdir()) == ["client.key_secret", "server.key"]


@pytest.mark.parametrize("name", ["", "../anna", "a/b", ".hidden", "a" * 65, "anna"])
def test_names_that_cannot_be_files_or_are_used_are_refused(folder: Path, name: str) -> None:
    before = sorted(folder.rglob("*"))
    with pytest.raises(ValueError, match="--client"):
        make_client_keys(folder, name)
    assert sorted(folder.rglob("*")) == before


def test_the_command_makes_keys_once_and_never_replaces_them(tmp_path: Path) -> None:
    folder = tmp_path / "keys"

    def keys(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([*PASDEDEUX, "keys", str(folder), *arguments], capture_output=True, text=True)

    assert keys("--client", "anna").stdout.split() == [str(folder / "server.key_secret"), str(folder / "for-anna")]
    before = (folder / "server.key_secret").read_bytes()
    assert keys("--client", "ben").stdout.split() == [str(folder / "for-ben")]
    again = keys("--client", "anna")
    assert again.returncode == 2
    assert len(again.stderr.strip().splitlines()) == 1
    assert (folder / "server.key_secret").read_bytes() == before


def test_a_file_is_no_folder_of_keys(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = subprocess.run([*PASDEDEUX, "keys", str(tmp_path / "file")], capture_output=True, text=True)
    assert refused.returncode == 2
    assert refused.stderr.strip() == f"{tmp_path / 'file'}: a folder of keys expected, a file found"


def test_a_public_address_needs_keys_and_is_served_with_them(folder: Path) -> None:
    command = [*PASDEDEUX, "serve", "--bind", "tcp://0.0.0.0:*"]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "others need --keys" in refused.stderr
    with subprocess.Popen([*command, "--keys", str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip().rsplit(":", 1)[1]
        try:
            assert Client(f"tcp://127.0.0.1:{port}", keys=folder / "for-anna").hello().models
        finally:
            process.kill()


def test_a_server_without_its_keys_does_not_start(tmp_path: Path) -> None:
    command = [*PASDEDEUX, "serve", "--bind", "tcp://127.0.0.1:*", "--keys", str(tmp_path)]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 2
    assert refused.stderr.strip() == (
        f"{tmp_path}: server.key_secret expected in the folder of keys, as `pasdedeux keys DIR` makes them"
    )


def test_a_hang_up_during_one_handshake_does_not_refuse_the_keys(locked: Backend, folder: Path) -> None:
    """As when another client's key is revoked meanwhile."""
    host, port = locked.url.removeprefix("tcp://").split(":")
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def hang_up_once() -> None:
            proxy.accept()[0].close()
            with proxy.accept()[0] as client, socket.create_connection((host, int(port))) as server:
                back = threading.Thread(target=pass_on, args=(server, client))
                back.start()
                pass_on(client, server)
                back.join()

        thread = threading.Thread(target=hang_up_once, daemon=True)
        thread.start()
        url = f"tcp://127.0.0.1:{proxy.getsockname()[1]}"
        assert Client(url, keys=folder / "for-anna").hello().models
        thread.join(20.0)


def pass_on(source: socket.socket, target: socket.socket) -> None:
    """Send on what comes, until one of the two hangs up."""
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
