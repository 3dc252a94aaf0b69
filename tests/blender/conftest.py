"""Puts the built extension into a real Blender: the bpy module of the Python that runs these tests.

The zip is installed by Blender's own operator into a scratch user folder, so `rigs`, `backend` and `zmq` come from its
wheels, never from the checkout or the environment. That needs a process in which nothing has imported them yet:

    python -m pytest tests/blender
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"
PACKAGE = "bl_ext.user_default.pas_de_deux"
_SCRATCH = Path(tempfile.gettempdir(), f"pas-de-deux-tests-{os.getpid()}")


def _alone(config: pytest.Config) -> bool:
    """Whether this run is for the tests in this folder and no others."""
    return all(Path(str(argument).split("::")[0]).resolve().is_relative_to(HERE) for argument in config.args)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if _alone(config) else True


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not _alone(config):
        terminalreporter.write_line("tests/blender: left out, it needs a process of its own: pytest tests/blender")


def pytest_configure(config: pytest.Config) -> None:
    if _alone(config):
        _install(_built())


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(_SCRATCH, ignore_errors=True)


def pytest_report_header(config: pytest.Config) -> str:
    import bpy

    return f"Blender {bpy.app.version_string}, extension in {_SCRATCH}"


def _built() -> Path:
    """The extension's zip, built from the checkout as it is."""
    if not PYTHON.exists():
        raise pytest.UsageError(f"the project's environment is expected at {PYTHON.parent.parent}: run make setup")
    result = subprocess.run([PYTHON, ROOT / "blender_addon" / "build.py"], capture_output=True, text=True)
    if result.returncode != 0:
        raise pytest.UsageError(f"the extension does not build: {result.stderr.strip()}")
    return Path(result.stdout.strip())


def _install(extension: Path) -> None:
    os.environ["BLENDER_USER_RESOURCES"] = str(_SCRATCH)
    # In Blender itself the wheels of extensions come before all other packages; in the bpy module they come last.
    wheels = _SCRATCH / "extensions" / ".local" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    wheels.mkdir(parents=True)
    sys.path[:] = [str(wheels), *(entry for entry in sys.path if Path(entry or ".").resolve() != ROOT)]
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.extensions.package_install_files(filepath=str(extension), repo="user_default", enable_on_install=True)
    import zmq

    import backend
    import rigs

    for module in (rigs, backend, zmq):
        if _SCRATCH not in Path(str(module.__file__)).parents:
            raise pytest.UsageError(f"{module.__name__} comes from {module.__file__} and not from the extension")


@pytest.fixture(scope="session")
def extension() -> Path:
    """The zip that is installed."""
    return _built()


@pytest.fixture(autouse=True)
def empty_scene() -> None:
    """Begin each test with an empty scene and the extension enabled."""
    import addon_utils
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    if PACKAGE not in bpy.context.preferences.addons:
        addon_utils.enable(PACKAGE, default_set=True)


def free_address() -> str:
    """An address on this machine where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


class Server:
    """A real backend in a process of its own."""

    def __init__(self) -> None:
        self.address = free_address()
        command = [ROOT / ".venv" / "bin" / "pasdedeux", "serve", "--bind", self.address]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            if "listening" in line:
                return
            said.append(line)
        raise RuntimeError("the server did not start: " + "".join(said))

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A backend that all tests share."""
    server = Server()
    yield server
    server.kill()


@pytest.fixture
def backend_at() -> Callable[[str], None]:
    """Set the backend's address in Blender's preferences."""
    import bpy

    def set_address(address: str) -> None:
        bpy.context.preferences.addons[PACKAGE].preferences.address = address

    return set_address


@pytest.fixture
def dump() -> Callable[[], dict[str, Any]]:
    """All that a user could find changed in the file: data-blocks, keys, who has which action, the scene's settings."""
    import bpy

    def describe() -> dict[str, Any]:
        scene = bpy.context.scene
        collections = ("objects", "armatures", "meshes", "materials", "actions", "scenes", "cameras", "images", "texts")
        found: dict[str, Any] = {name: sorted(block.name for block in getattr(bpy.data, name)) for name in collections}
        found["moved by"] = {
            thing.name: thing.animation_data.action and thing.animation_data.action.name
            for thing in bpy.data.objects
            if thing.animation_data
        }
        found["ranges"] = {action.name: tuple(action.frame_range) for action in bpy.data.actions}
        found["scene"] = (
            *(scene.frame_start, scene.frame_end, scene.frame_current, scene.render.fps, scene.render.fps_base),
            *(scene.render.filepath, scene.render.engine, scene.camera),
            *(str(scene.pas_de_deux.leader), str(scene.pas_de_deux.partner)),
        )
        found["selected"] = sorted(thing.name for thing in bpy.context.selected_objects)
        found["active"] = bpy.context.view_layer.objects.active and bpy.context.view_layer.objects.active.name
        return found

    return describe
