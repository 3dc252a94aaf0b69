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

from tests import installed
from tests.installed import PACKAGE, ROOT

HERE = Path(__file__).resolve().parent
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
        try:
            installed.install(installed.build(), _SCRATCH)
        except installed.NotInstalled as error:
            raise pytest.UsageError(str(error)) from None


_status = 0
"""What the run comes to."""


def pytest_sessionfinish(exitstatus: int) -> None:
    global _status
    _status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Clean up and end at once: Blender may crash or hang where Python ends after an FBX import or a Rigify rig."""
    shutil.rmtree(_SCRATCH, ignore_errors=True)
    if _alone(config):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_status)


def pytest_report_header(config: pytest.Config) -> str:
    import bpy

    return f"Blender {bpy.app.version_string}, extension in {_SCRATCH}"


@pytest.fixture(scope="session")
def extension() -> Path:
    """The zip that is installed."""
    return installed.build()


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
def set_backend_address() -> Callable[[str], None]:
    """Set the backend's address in Blender's preferences."""
    import bpy

    def set_address(address: str) -> None:
        bpy.context.preferences.addons[PACKAGE].preferences.address = address

    return set_address


@pytest.fixture
def reachable_server(server: Server, set_backend_address: Callable[[str], None]) -> Server:
    """A backend that can be reachable_server."""
    set_backend_address(server.address)
    return server


@pytest.fixture
def midi_file(tmp_path: Path) -> Path:
    """Four bars of music, eight seconds."""
    from music_pieces import piece

    from backend.music import midi

    (tmp_path / "music").mkdir()
    midi.write(tmp_path / "music" / "song.mid", piece())
    return tmp_path / "music" / "song.mid"


@pytest.fixture
def blend_folder(tmp_path: Path) -> Path:
    """The folder of the scene's .blend file."""
    import bpy

    (tmp_path / "home").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "home" / "scene.blend"))
    return tmp_path / "home"


@pytest.fixture
def dancing_leader() -> Any:
    """A leader who dances five seconds from frame 20 on."""
    import bpy
    from bl_ext.user_default.pas_de_deux.animation import dancers

    from rigs.sample_dance.salsa import sample_dance
    from rigs.skeleton import DEFAULT_SKELETON

    bpy.context.scene.render.fps = 30
    leader = dancers.add_dancer(bpy.context, "leader", DEFAULT_SKELETON, partner=False, body=False)
    dancers.animate_dancer(bpy.context, leader, sample_dance()[:151], "dance", 20)
    bpy.context.scene.pas_de_deux.leader = leader
    return leader


@pytest.fixture
def scene_state() -> Callable[[], dict[str, Any]]:
    """All that a user could find changed in the file: data-blocks, keys, who has which action, the scene's settings."""
    import bpy
    from motions import strip_frames, sequencer_strips

    def describe() -> dict[str, Any]:
        scene = bpy.context.scene
        things = ("objects", "armatures", "meshes", "materials", "actions", "scenes", "cameras", "images", "texts")
        found: dict[str, Any] = {
            name: sorted(block.name for block in getattr(bpy.data, name)) for name in (*things, "sounds")
        }
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
        found["markers"] = sorted((marker.frame, marker.name) for marker in scene.timeline_markers)
        found["strips"] = sorted((strip.name, strip.channel, *strip_frames(strip)) for strip in sequencer_strips(scene))
        found["selected"] = sorted(thing.name for thing in bpy.context.selected_objects)
        found["active"] = bpy.context.view_layer.objects.active and bpy.context.view_layer.objects.active.name
        return found

    return describe
