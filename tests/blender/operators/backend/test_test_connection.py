"""Test Connection and requests to a server: what an animator reads of each thing that can be wrong with it."""

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import bpy
import pytest
import zmq
from bl_ext.user_default.pas_de_deux.operators.backend import process as backend_process
from bl_ext.user_default.pas_de_deux.operators.backend import status as backend_status
from bl_ext.user_default.pas_de_deux.properties import preferences
from conftest import Server, free_address

from backend.keys import make_client_keys, make_server_keys
from backend.protocol import decode_client_message, encode
from backend.wire.messages import HelloReply
from tests.installed import ROOT


@pytest.fixture(autouse=True)
def chosen() -> Iterator[preferences.PASDEDEUX_preferences]:
    """The preferences, set to a server without keys."""
    chosen = preferences.addon_preferences(bpy.context)
    chosen.location, chosen.address, chosen.keys = "SERVER", "", ""
    yield chosen
    chosen.location, chosen.keys = "THIS_COMPUTER", ""
    backend_status.answers.clear()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's keys, and those of anna."""
    folder = tmp_path_factory.mktemp("keys") / "server"
    make_server_keys(folder)
    make_client_keys(folder, "anna")
    return folder


@pytest.fixture(scope="module")
def locked(keys: Path) -> Iterator[str]:
    """The address of a server with keys."""
    address = free_address()
    command = [ROOT / ".venv" / "bin" / "pasdedeux", "serve", "--bind", address, "--keys", keys]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "listening" in process.stdout.readline()
        yield address
        process.kill()


def state() -> str:
    return backend_status.backend_status(bpy.context).state


def connect() -> set[str]:
    return bpy.ops.pasdedeux.test_connection()


def assert_error(operator: Callable[[], object], *words: str) -> None:
    with pytest.raises(RuntimeError) as error:
        operator()
    text = str(error.value).removeprefix("Error: ").strip()
    assert len(text.splitlines()) == 1
    assert "pasdedeux" not in text
    for word in words:
        assert word in text


def test_a_server_tells_its_version_models_and_round_trip(
    chosen: preferences.PASDEDEUX_preferences, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    chosen.address = server.address
    assert state() == "off"
    assert connect() == {"FINISHED"}
    said = capfd.readouterr().out
    assert f"Pas de Deux {version('pas-de-deux')} with partner-flow" in said
    assert "round trip" in said
    assert state() == "ready"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "Write the server's address"),
        ("gpubox:7429", "lacks tcp:// in front: write tcp://gpubox:7429"),
        ("http://gpubox:7429", "is no server's address"),
        ("tcp://gpubox", "is no server's address"),
        ("tcp://gpubox:http", "is no server's address"),
        ("tcp://[gpubox:1", "is no server's address"),
    ],
)
def test_an_address_that_is_none_is_said_before_any_work(
    chosen: preferences.PASDEDEUX_preferences, dancing_leader: bpy.types.Object, address: str, words: str
) -> None:
    chosen.address = address
    assert_error(connect, words, "Backend panel")
    assert_error(bpy.ops.pasdedeux.generate_partner, words)


def test_a_server_that_is_away_is_lost_and_found_again(
    chosen: preferences.PASDEDEUX_preferences, server: Server, dancing_leader: bpy.types.Object
) -> None:
    chosen.address = free_address()
    assert_error(connect, chosen.address, "does not answer", "This Computer")
    assert state() == "lost"
    assert_error(bpy.ops.pasdedeux.generate_partner, "does not answer", "Backend panel")
    chosen.address = server.address
    assert connect() == {"FINISHED"}
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}


def test_another_program_is_told_from_no_server(chosen: preferences.PASDEDEUX_preferences) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        chosen.address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        assert_error(connect, "hangs, or is another program")


def test_with_the_right_keys_a_server_answers(
    chosen: preferences.PASDEDEUX_preferences, locked: str, keys: Path, dancing_leader: bpy.types.Object
) -> None:
    chosen.address, chosen.keys = locked, str(keys / "for-anna")
    assert connect() == {"FINISHED"}
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}


def test_missing_and_wrong_keys_are_told_apart(
    chosen: preferences.PASDEDEUX_preferences, locked: str, server: Server, keys: Path, tmp_path: Path
) -> None:
    chosen.address = locked
    assert_error(connect, "admits only clients with keys", "Key Folder")
    chosen.keys = str(tmp_path)
    assert_error(connect, f"{tmp_path} holds no keys", "Key Folder")
    make_server_keys(tmp_path / "other")
    stranger = make_client_keys(tmp_path / "other", "eve")
    chosen.keys = str(stranger)
    assert_error(connect, "uses no keys, or others than yours")
    (stranger / "server.key").write_bytes((keys / "server.key").read_bytes())
    assert_error(connect, "does not admit your keys")
    if os.name == "posix":
        (stranger / "client.key_secret").chmod(0o644)
        assert_error(connect, f"{stranger / 'client.key_secret'}: a file that only its owner can read expected")
    chosen.address, chosen.keys = server.address, str(keys / "for-anna")
    assert_error(connect, "uses no keys, or others than yours")


def answer_once(router: "zmq.Socket[bytes]", change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Answer hellos with changed parts, until nobody asks any more."""
    while router.poll(3000):
        peer, *question = router.recv_multipart()
        hello = HelloReply("9.9.9", ("partner-flow",), (), ())
        router.send_multipart([peer, *change(encode(decode_client_message(question)[0], hello))])


@pytest.mark.parametrize("same_protocol", [True, False])
def test_a_server_of_another_version_is_named(
    chosen: preferences.PASDEDEUX_preferences, capfd: pytest.CaptureFixture[str], same_protocol: bool
) -> None:
    def change(parts: list[bytes]) -> list[bytes]:
        return parts if same_protocol else [parts[0].replace(b'"protocol": 3', b'"protocol": 2'), *parts[1:]]

    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        chosen.address = f"tcp://127.0.0.1:{router.bind_to_random_port('tcp://127.0.0.1')}"
        thread = threading.Thread(target=answer_once, args=(router, change))
        thread.start()
        if same_protocol:
            assert connect() == {"FINISHED"}
            assert f"Pas de Deux 9.9.9 (here {version('pas-de-deux')})" in capfd.readouterr().out
        else:
            assert_error(connect, "another version of Pas de Deux", "install the same version on both")
        thread.join()


def test_a_server_is_not_started_here(chosen: preferences.PASDEDEUX_preferences) -> None:
    chosen.address = "tcp://192.0.2.1:7429"
    assert_error(bpy.ops.pasdedeux.start_backend, "A Server", "This Computer")
    assert not backend_process.is_running()


def test_another_machine_needs_online_access(chosen: preferences.PASDEDEUX_preferences) -> None:
    chosen.address = "tcp://192.0.2.1:7429"
    assert_error(connect, "Allow Online Access")
