"""The embedded backend's life, with real processes: found, started, killed, hung, in the way of other programs."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import bpy
import pytest
from bl_ext.user_default.pas_de_deux import background_job
from bl_ext.user_default.pas_de_deux.operators.backend import launcher as backend_launcher
from bl_ext.user_default.pas_de_deux.operators.backend import process as backend_process
from bl_ext.user_default.pas_de_deux.operators.backend import request as backend_request
from bl_ext.user_default.pas_de_deux.operators.backend import status as backend_status
from bl_ext.user_default.pas_de_deux.properties import preferences
from conftest import free_address

from backend.client import Client, KeysRefused
from backend.model_registry import REGISTRY
from backend.music import midi
from rigs.sample_dance.salsa import sample_dance
from tests.installed import ROOT

needs_signals = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL and SIGSTOP")


@pytest.fixture(autouse=True)
def embedded(monkeypatch: pytest.MonkeyPatch) -> Iterator[preferences.PASDEDEUX_preferences]:
    """The preferences, set to this computer, where no backend runs yet that this Blender could find."""
    # A developer's own backend may listen at the default address, which is no part of these tests.
    monkeypatch.setattr(backend_launcher, "DEFAULT_URL", free_address())
    chosen = preferences.addon_preferences(bpy.context)
    chosen.location = "THIS_COMPUTER"
    yield chosen
    running = backend_launcher.current
    if running is not None:
        backend_launcher.discard(running.address)
    backend_status.answers.clear()


def state() -> str:
    return backend_status.backend_status(bpy.context).state


def process_of(running: backend_launcher.RunningBackend | None) -> "subprocess.Popen[bytes]":
    assert running is not None
    assert running.process is not None
    return running.process


def generate() -> set[str]:
    return bpy.ops.pasdedeux.generate_partner()


def assert_error(operator: Callable[[], object], *words: str) -> str:
    with pytest.raises(RuntimeError) as error:
        operator()
    text = str(error.value).removeprefix("Error: ").strip()
    assert len(text.splitlines()) == 1
    assert "pasdedeux" not in text
    for word in words:
        assert word in text
    return text


def test_the_first_request_starts_the_backend_and_says_so(dancing_leader: bpy.types.Object) -> None:
    said: list[str] = []
    background_job.progress_listeners.append(lambda fraction, text: said.append(text))
    try:
        assert generate() == {"FINISHED"}
    finally:
        background_job.progress_listeners.pop()
    assert said[0] == "starting the backend"
    assert bpy.context.scene.pas_de_deux.partner is not None
    assert backend_process.is_running()
    process = process_of(backend_launcher.current)
    assert generate() == {"FINISHED"}
    assert process_of(backend_launcher.current) is process


def test_a_started_backend_answers_and_a_stopped_one_is_gone() -> None:
    assert state() == "off"
    assert bpy.ops.pasdedeux.start_backend() == {"FINISHED"}
    assert state() == "ready"
    running = backend_launcher.current
    assert running is not None
    assert Client(running.address, keys=running.keys).hello().version == version("pas-de-deux")
    assert bpy.ops.pasdedeux.stop_backend() == {"FINISHED"}
    assert process_of(running).poll() is not None
    assert not backend_process.is_running()
    assert state() == "off"
    assert not list(Path(backend_request.user_folder()).glob("backend-*.json"))


def test_the_backend_runs_under_blenders_python_with_the_extensions_packages_first() -> None:
    options = backend_launcher.launch_options(backend_request.user_folder())
    assert options.python == Path(sys.executable)
    code = "import sys, json; packages = json.loads(sys.argv[1]); sys.path[:0] = packages[:1]; sys.path += packages[1:]"
    names = ("backend", "rigs", "zmq", "onnxruntime", "safetensors")
    code += "".join(f"; import {name}; print({name}.__file__)" for name in names)
    command = [options.python, "-I", "-S", "-c", code, json.dumps(options.packages)]
    files = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert len(files) == len(names)
    resources = Path(bpy.utils.user_resource("EXTENSIONS"))
    assert all(resources in Path(file).parents for file in files)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists a process's libraries in /proc")
def test_every_model_answers_from_the_extension_alone(midi_file: Path) -> None:
    """Without torch, even where Blender's Python has it."""
    bpy.ops.pasdedeux.start_backend()
    running = backend_launcher.current
    assert running is not None
    client, dance, score = Client(running.address, keys=running.keys), sample_dance()[:150], midi.read(midi_file).score
    for model in REGISTRY.names("partner"):
        assert len(client.partner(dance, model=model)[0]) == 150
    for model in REGISTRY.names("dance"):
        assert len(client.dance(score, model=model)) == 1
    for model in REGISTRY.names("compose"):
        assert client.compose([dance], model=model).steps > 0
    server = process_of(running).pid
    workers = [pid for task in Path(f"/proc/{server}/task").glob("*/children") for pid in task.read_text().split()]
    libraries = "".join(Path(f"/proc/{pid}/maps").read_text() for pid in (server, *workers))
    assert "onnxruntime" in libraries
    assert "torch" not in libraries


@needs_signals
def test_a_killed_backend_is_seen_and_the_next_request_starts_another(dancing_leader: bpy.types.Object) -> None:
    bpy.ops.pasdedeux.start_backend()
    process = process_of(backend_launcher.current)
    process.kill()
    process.wait()
    assert state() == "lost"
    assert generate() == {"FINISHED"}
    assert process_of(backend_launcher.current).pid != process.pid
    assert state() == "ready"


@needs_signals
def test_a_hung_backend_is_replaced_by_the_next_request(dancing_leader: bpy.types.Object) -> None:
    bpy.ops.pasdedeux.start_backend()
    process = process_of(backend_launcher.current)
    process.send_signal(signal.SIGSTOP)
    assert generate() == {"FINISHED"}
    assert process.poll() is not None
    assert process_of(backend_launcher.current).pid != process.pid


@needs_signals
@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGKILL, "The backend ended during the work"),
        (signal.SIGSTOP, "did not answer any more and was stopped"),
    ],
)
def test_a_backend_lost_during_the_work_is_told_and_the_next_click_works(
    dancing_leader: bpy.types.Object, number: int, words: str
) -> None:
    bpy.ops.pasdedeux.start_backend()
    process = process_of(backend_launcher.current)

    def lose(fraction: float, text: str) -> None:
        if fraction > 0.0 and process.poll() is None:
            process.send_signal(number)

    background_job.progress_listeners.append(lose)
    actions = len(bpy.data.actions)
    try:
        assert_error(generate, words, "try again, which starts it anew", "Show Log")
    finally:
        background_job.progress_listeners.pop()
    assert len(bpy.data.actions) == actions
    assert process.wait(5.0) is not None
    assert generate() == {"FINISHED"}


def test_another_programs_port_is_said_and_another_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setattr(backend_launcher, "DEFAULT_URL", f"tcp://127.0.0.1:{port}")
        assert bpy.ops.pasdedeux.start_backend() == {"FINISHED"}
        status = backend_status.backend_status(bpy.context)
        assert (status.state, status.text) == ("ready", f"Port {port} is used by another program")
        running = backend_launcher.current
        assert running is not None
        assert not running.address.endswith(f":{port}")


def test_a_backend_of_another_user_is_never_used_and_ours_answers_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's backend has no keys, or others; both are left alone, and neither can be asked with ours."""
    default = free_address()
    command = [ROOT / ".venv" / "bin" / "pasdedeux", "serve", "--bind", default]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as foreign:
        try:
            assert foreign.stdout is not None
            assert foreign.stdout.readline().strip() == f"listening on {default}"
            monkeypatch.setattr(backend_launcher, "DEFAULT_URL", default)
            assert bpy.ops.pasdedeux.start_backend() == {"FINISHED"}
            running = backend_launcher.current
            assert running is not None
            assert running.process is not None
            assert running.address != default
            assert Client(running.address, keys=running.keys).hello().version == version("pas-de-deux")
            with pytest.raises(KeysRefused, match="admits only clients with keys"):
                Client(running.address).hello()
        finally:
            foreign.kill()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_the_backends_keys_are_the_users_alone() -> None:
    keys = backend_launcher.launch_options(backend_request.user_folder()).keys
    secrets = [*keys.parent.rglob("*.key_secret")]
    assert len(secrets) == 2
    assert all(stat.S_IMODE(secret.stat().st_mode) == 0o600 for secret in secrets)
    assert all(stat.S_IMODE(folder.stat().st_mode) == 0o700 for folder in (keys, keys.parent))


BLENDER = """
import os, sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from tests import installed
os.environ["BLENDER_USER_RESOURCES"] = {scratch!r}
python = f"python3.{{sys.version_info.minor}}"
sys.path.insert(0, str(Path({scratch!r}, "extensions", ".local", "lib", python, "site-packages")))
import bpy
import addon_utils
addon_utils.enable(installed.PACKAGE, default_set=True)
from bl_ext.user_default.pas_de_deux.operators.backend import launcher as backend_launcher
backend_launcher.DEFAULT_URL = {default!r}
bpy.ops.pasdedeux.start_backend()
running = backend_launcher.current
print("OTHER", running.address, running.process.pid if running.process else 0, flush=True)
time.sleep(600)
"""


class OtherBlender:
    """A second Blender with the same extension and user folder, which has started or found a backend."""

    def __init__(self) -> None:
        scratch = str(Path(bpy.utils.user_resource("EXTENSIONS")).parent)
        code = BLENDER.format(root=str(ROOT), scratch=scratch, default=backend_launcher.DEFAULT_URL)
        self.process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = next((line for line in self.process.stdout if line.startswith("OTHER")), "")
        assert line, "the other Blender has not started a backend"
        _, self.address, child = line.split()
        self.child = int(child)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@needs_signals
def test_a_killed_blender_takes_its_backend_along_and_a_second_blender_goes_on(
    dancing_leader: bpy.types.Object,
) -> None:
    other = OtherBlender()
    try:
        assert other.child
        assert bpy.ops.pasdedeux.start_backend() == {"FINISHED"}
        running = backend_launcher.current
        assert running is not None
        assert running.address == other.address  # found and used
        assert running.process is None
        assert backend_status.backend_status(bpy.context).text == "Started outside this Blender"
        assert generate() == {"FINISHED"}
    finally:
        other.kill()
    end = time.monotonic() + 5.0
    while is_alive(other.child) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_alive(other.child)
    assert generate() == {"FINISHED"}
    assert process_of(backend_launcher.current).poll() is None


@needs_signals
def test_a_request_is_sent_again_when_the_backend_of_another_blender_is_lost(dancing_leader: bpy.types.Object) -> None:
    other, killed = OtherBlender(), []

    def kill(fraction: float, text: str) -> None:
        if fraction > 0.2 and not killed:
            killed.append(fraction)
            os.kill(other.child, signal.SIGKILL)

    background_job.progress_listeners.append(kill)
    try:
        assert generate() == {"FINISHED"}
    finally:
        background_job.progress_listeners.remove(kill)
        other.kill()
    assert killed
    assert process_of(backend_launcher.current).poll() is None


def test_a_python_that_does_not_run_the_backend_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "python3"
    broken.write_text("#!/bin/sh\necho no such library >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(backend_launcher, "find_python", lambda: broken)
    assert_error(bpy.ops.pasdedeux.start_backend, "The backend did not start: no such library", "Show Log")
    assert not backend_process.is_running()
    broken.write_text("not a program")
    assert_error(bpy.ops.pasdedeux.start_backend, f"{broken}, cannot be started")


def test_blenders_python_is_found_where_sys_executable_is_blender(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundled = tmp_path / "python" / "bin" / f"python3.{sys.version_info.minor}"
    bundled.parent.mkdir(parents=True)
    bundled.touch()
    (tmp_path / "blender").touch()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "blender"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "python"))
    assert backend_launcher.find_python() == bundled
    bundled.unlink()
    assert_error(bpy.ops.pasdedeux.start_backend, "Blender's own Python is missing")


def test_the_log_opens_as_a_text() -> None:
    bpy.ops.pasdedeux.start_backend()
    bpy.ops.pasdedeux.stop_backend()
    assert bpy.ops.pasdedeux.show_backend_log() == {"FINISHED"}
    assert bpy.ops.pasdedeux.show_backend_log() == {"FINISHED"}
    (text,) = [text for text in bpy.data.texts if Path(text.filepath) == backend_process.log_path()]
    assert f"Pas de Deux {version('pas-de-deux')}" in text.as_string()
    assert "listening on tcp://127.0.0.1:" in text.as_string()
