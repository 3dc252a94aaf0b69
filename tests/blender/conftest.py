"""Install the built extension in a real Blender: the bpy module of the Python that runs these tests.

The zip is installed by Blender's own operator into a temporary user folder, so `rigs`, `backend` and `zmq` come from
its wheels, never from the checkout or the environment. That needs a process in which nothing has imported them yet:

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
_USER_FOLDER = Path(tempfile.gettempdir(), f"pas-de-deux-tests-{os.getpid()}")


def _runs_only_this_folder(config: pytest.Config) -> bool:
    """Whether only tests of this folder were selected."""
    return all(Path(str(argument).split("::")[0]).resolve().is_relative_to(HERE) for argument in config.args)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if _runs_only_this_folder(config) else True


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not _runs_only_this_folder(config):
        terminalreporter.write_line("tests/blender: not run, it needs a process of its own: pytest tests/blender")


def pytest_configure(config: pytest.Config) -> None:
    if _runs_only_this_folder(config):
        try:
            installed.install(installed.build(), _USER_FOLDER)
        except installed.NotInstalled as error:
            raise pytest.UsageError(str(error)) from None


_exit_status = 0


def pytest_sessionfinish(exitstatus: int) -> None:
    global _exit_status
    _exit_status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Clean up and exit at once: Blender may crash or hang at exit after an FBX import or a Rigify rig."""
    shutil.rmtree(_USER_FOLDER, ignore_errors=True)
    if _runs_only_this_folder(config):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_exit_status)


def pytest_report_header(config: pytest.Config) -> str:
    import bpy

    return f"Blender {bpy.app.version_string}, extension in {_USER_FOLDER}"


@pytest.fixture(scope="session")
def extension() -> Path:
    """The installed extension's zip."""
    return installed.build()


@pytest.fixture(autouse=True)
def empty_scene() -> None:
    """Start each test with an empty scene and the extension enabled."""
    import addon_utils
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    if PACKAGE not in bpy.context.preferences.addons:
        addon_utils.enable(PACKAGE, default_set=True)


def free_address() -> str:
    """An address on this machine at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


class Server:
    """A backend in a process of its own."""

    def __init__(self) -> None:
        self.address = free_address()
        command = [ROOT / ".venv" / "bin" / "pasdedeux", "serve", "--bind", self.address]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._process.stdout is not None
        output = []
        for line in self._process.stdout:
            if "listening" in line:
                return
            output.append(line)
        raise RuntimeError("the server did not start: " + "".join(output))

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
    """A function that sets a server's address in the preferences."""
    import bpy

    def set_address(address: str) -> None:
        preferences = bpy.context.preferences.addons[PACKAGE].preferences
        preferences.location, preferences.address, preferences.keys = "SERVER", address, ""

    return set_address


@pytest.fixture
def reachable_server(server: Server, set_backend_address: Callable[[str], None]) -> Server:
    """The shared backend, with its address set in the preferences."""
    set_backend_address(server.address)
    return server


@pytest.fixture
def midi_file(tmp_path: Path) -> Path:
    """A MIDI file of four bars, eight seconds."""
    from music_pieces import make_score

    from backend.music import midi

    (tmp_path / "music").mkdir()
    midi.write(tmp_path / "music" / "song.mid", make_score())
    return tmp_path / "music" / "song.mid"


@pytest.fixture
def blend_folder(tmp_path: Path) -> Path:
    """The folder of the saved .blend file."""
    import bpy

    (tmp_path / "blend").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "blend" / "scene.blend"))
    return tmp_path / "blend"


@pytest.fixture
def dancing_leader() -> Any:
    """A leader animated for five seconds from frame 20."""
    import bpy
    from bl_ext.user_default.pas_de_deux.animation import dancers

    from rigs.sample_dance.salsa import sample_dance
    from rigs.skeleton import DEFAULT_SKELETON

    bpy.context.scene.render.fps = 30
    leader = dancers.add_dancer(bpy.context, "leader", DEFAULT_SKELETON, partner=False, body=False)
    dancers.animate_dancer(bpy.context, leader, sample_dance()[:151], "dance", 20)
    dancers.select_only(bpy.context, leader)
    bpy.context.scene.pas_de_deux.leader = leader
    return leader


@pytest.fixture
def scene_state() -> Callable[[], dict[str, Any]]:
    """A function that describes all a user could see changed: data-blocks, actions, settings, markers, selection."""
    import bpy
    from motions import sequencer_strips, strip_frames

    def describe() -> dict[str, Any]:
        scene = bpy.context.scene
        collections = ("objects", "armatures", "meshes", "materials", "actions", "scenes", "cameras", "images", "texts")
        state: dict[str, Any] = {
            name: sorted(block.name for block in getattr(bpy.data, name)) for name in (*collections, "sounds")
        }
        state["actions assigned"] = {
            obj.name: obj.animation_data.action and obj.animation_data.action.name
            for obj in bpy.data.objects
            if obj.animation_data
        }
        state["ranges"] = {action.name: tuple(action.frame_range) for action in bpy.data.actions}
        state["scene"] = (
            *(scene.frame_start, scene.frame_end, scene.frame_current, scene.render.fps, scene.render.fps_base),
            *(scene.render.filepath, scene.render.engine, scene.camera),
            *(str(scene.pas_de_deux.leader), str(scene.pas_de_deux.partner)),
        )
        state["markers"] = sorted((marker.frame, marker.name) for marker in scene.timeline_markers)
        state["strips"] = sorted((strip.name, strip.channel, *strip_frames(strip)) for strip in sequencer_strips(scene))
        state["selected"] = sorted(obj.name for obj in bpy.context.selected_objects)
        state["active"] = bpy.context.view_layer.objects.active and bpy.context.view_layer.objects.active.name
        return state

    return describe
