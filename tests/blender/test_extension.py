"""The extension's zip: its contents, its reproducible build, and enabling and disabling it."""

import io
import os
import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path

import addon_utils
import bpy
import pytest

from tests.installed import PACKAGE, PYTHON, ROOT

OPERATORS = (
    "import_mocap",
    "add_dancer",
    "generate_partner",
    "generate_dance",
    "compose_music",
    "render_preview",
    "start_backend",
    "stop_backend",
    "cancel",
)


def test_the_zip_holds_wheels_for_every_platform_and_python(extension: Path) -> None:
    names = zipfile.ZipFile(extension).namelist()
    wheels = [Path(name).name for name in names if name.endswith(".whl")]
    assert sum(name.startswith("pas_de_deux-") for name in wheels) == 1
    for platform in ("manylinux", "win_amd64", "macosx"):
        for python in ("cp311", "cp313"):
            assert any(platform in name and python in name.split("-")[2] for name in wheels), (platform, python)


def test_the_zip_leaves_out_what_only_developers_need(extension: Path) -> None:
    names = zipfile.ZipFile(extension).namelist()
    assert not [name for name in names if "__pycache__" in name or name in ("build.py", "headless.py")]


def test_the_zip_leaves_the_models_weights_to_the_backend(extension: Path) -> None:
    zipped = zipfile.ZipFile(extension)
    (own,) = (name for name in zipped.namelist() if Path(name).name.startswith("pas_de_deux-"))
    files = zipfile.ZipFile(io.BytesIO(zipped.read(own))).namelist()
    assert "backend/music/midi.py" in files
    assert not [name for name in files if name.endswith(".safetensors")]


def test_the_manifest_has_the_projects_version(extension: Path) -> None:
    manifest = tomllib.loads(zipfile.ZipFile(extension).read("blender_manifest.toml").decode())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert manifest["version"] == project["version"]
    assert manifest["license"] == [f"SPDX:{project['license']}"]
    assert extension.name == f"pas_de_deux-{project['version']}.zip"


def test_building_again_gives_the_same_bytes(extension: Path) -> None:
    before = extension.read_bytes()
    subprocess.run([PYTHON, ROOT / "blender_addon" / "build.py"], check=True, capture_output=True)
    assert extension.read_bytes() == before


def test_without_a_network_the_build_says_so_in_one_sentence(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from blender_addon import build;"
        f"build.CACHE = Path({str(tmp_path)!r}); sys.exit(build.main())"
    )
    away = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""}
    environment = {**os.environ, **away, "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0"}
    # blender_addon as a package needs bpy; build.py alone does not.
    code = code.replace("from blender_addon import build", "import build")
    result = subprocess.run(
        [PYTHON, "-c", code], cwd=ROOT / "blender_addon", env=environment, capture_output=True, text=True
    )
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert "could not be downloaded, is the network there?" in result.stderr


def test_every_operator_is_there() -> None:
    for name in OPERATORS:
        assert hasattr(bpy.types, f"PASDEDEUX_OT_{name}"), name


@pytest.mark.parametrize("time", ["first", "second"])
def test_disabling_leaves_nothing_and_enabling_brings_all_back(time: str) -> None:
    addon_utils.disable(PACKAGE, default_set=True)
    assert not [name for name in dir(bpy.types) if name.upper().startswith("PASDEDEUX")]
    assert not hasattr(bpy.types.Scene, "pas_de_deux")
    addon_utils.enable(PACKAGE, default_set=True)
    assert hasattr(bpy.context.scene, "pas_de_deux")
    assert bpy.ops.pasdedeux.add_dancer() == {"FINISHED"}


def test_what_runs_comes_from_the_wheels() -> None:
    resources = Path(bpy.utils.user_resource("EXTENSIONS"))
    for name in (
        "rigs",
        "rigs.motion",
        "backend",
        "backend.client",
        "backend.music.midi",
        "mido",
        "pretty_midi",
        "zmq",
    ):
        import_module(name)
        assert resources in Path(str(sys.modules[name].__file__)).parents, name
