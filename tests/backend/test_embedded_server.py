"""The server as a child process: it says where it listens, and ends with its parent."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from backend import embedded_server
from backend.client import BackendStopping, BackendUnavailable, Client
from backend.protocol import DEFAULT_URL, encode
from backend.wire.messages import MotionResult, PartnerRequest, ProgressUpdate
from rigs.motion import Motion
from tests.backend.raw_client import raw_client

CODE = (
    "import sys; from backend import embedded_server;"
    "embedded_server.DEFAULT_URL = sys.argv[2]; sys.exit(embedded_server.main(sys.argv[1:2]))"
)
"""The embedded server with another default address than the one that a backend of this machine may have."""


def await_file(file: Path) -> Any:
    """What the file of a server says, once it is there."""
    end = time.monotonic() + 60.0
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.02)
    return json.loads(file.read_text())


@contextmanager
def embedded(folder: Path, url: str = "tcp://127.0.0.1:*") -> Iterator[tuple["subprocess.Popen[bytes]", Any]]:
    """A server's process and what its file says."""
    file = folder / "ready.json"
    with subprocess.Popen([sys.executable, "-c", CODE, str(file), url], stdin=subprocess.PIPE) as process:
        try:
            yield process, await_file(file)
        finally:
            process.kill()


def close_pipe(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    process.stdin.close()


def test_its_file_says_where_it_listens_and_is_gone_with_it(tmp_path: Path) -> None:
    with embedded(tmp_path) as (process, about):
        assert (about["pid"], about["version"]) == (process.pid, version("pas-de-deux"))
        assert Client(about["address"]).hello().models
        close_pipe(process)
        assert process.wait(10.0) == 0
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(BackendUnavailable):
            Client(about["address"], timeout=0.5).hello()


def test_a_taken_port_is_left_for_a_free_one(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        with embedded(tmp_path, taken) as (_, about):
            assert about["address"] != taken
            assert Client(about["address"]).hello().models


def is_running(process: int) -> bool:
    """Whether a process that is not our child runs; one that has ended may wait for init."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_it_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time;"
        f"subprocess.Popen([sys.executable, '-c', {CODE!r}, *sys.argv[1:]], stdin=subprocess.PIPE); time.sleep(100)"
    )
    file = tmp_path / "ready.json"
    with subprocess.Popen([sys.executable, "-c", code, str(file), "tcp://127.0.0.1:*"]) as parent:
        about = await_file(file)
        assert Client(about["address"]).hello().models
        parent.send_signal(signal.SIGKILL)
    end = time.monotonic() + 5.0
    while is_running(about["pid"]) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_running(about["pid"])
    assert not file.exists()


def test_without_its_parent_it_finishes_what_others_wait_for_and_takes_nothing_more(
    tmp_path: Path, leader: Motion, long_leader: Motion
) -> None:
    with embedded(tmp_path) as (process, about), raw_client(about["address"]) as other:
        other.send(encode("runs", PartnerRequest(long_leader)))
        while (answer := other.receive(60.0)[1]) and isinstance(answer, ProgressUpdate) and answer.fraction == 0.0:
            pass
        close_pipe(process)
        time.sleep(0.2)
        with pytest.raises(BackendStopping):
            Client(about["address"]).partner(leader)
        ((_, answer),) = other.final_messages(1)
        assert isinstance(answer, MotionResult)
        assert process.wait(10.0) == 0


def test_it_needs_nothing_of_the_command_line_or_of_torch_to_listen() -> None:
    check = (
        "import sys\nfor name in ('torch', 'tyro', 'rich'): sys.modules[name] = None\nimport backend.embedded_server"
    )
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0


def test_its_default_address_is_that_of_clients() -> None:
    assert embedded_server.DEFAULT_URL == DEFAULT_URL
