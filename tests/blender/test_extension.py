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

from backend.model_registry import REGISTRY
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


def wheel_names(extension: Path) -> list[str]:
    return [Path(name).name for name in zipfile.ZipFile(extension).namelist() if name.endswith(".whl")]


@pytest.fixture(scope="session")
def zips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The zips of all platforms."""
    out = tmp_path_factory.mktemp("dist")
    code = (
        "import sys; from pathlib import Path; import build;"
        f"wheel = build.build_project_wheel(Path({str(out)!r}));"
        f"[print(build.build(name, wheel, Path({str(out)!r}))) for name in build.PLATFORMS]"
    )
    folder = ROOT / "blender_addon"
    built = subprocess.run([PYTHON, "-c", code], cwd=folder, check=True, capture_output=True, text=True)
    return {Path(line).stem.split("-", 2)[2]: Path(line) for line in built.stdout.split()}


@pytest.mark.parametrize(
    ("platform", "tag"), [("linux-x64", "manylinux"), ("windows-x64", "win_amd64"), ("macos-arm64", "macosx")]
)
def test_a_platforms_zip_holds_its_wheels_for_every_python(zips: dict[str, Path], platform: str, tag: str) -> None:
    manifest = tomllib.loads(zipfile.ZipFile(zips[platform]).read("blender_manifest.toml").decode())
    assert manifest["platforms"] == [platform]
    wheels = wheel_names(zips[platform])
    assert sum(name.startswith("pas_de_deux-") for name in wheels) == 1
    for package in ("onnxruntime", "pyzmq", "safetensors"):
        for python in ("cp311", "cp313"):
            assert any(name.startswith(package) and f"-{python}-{python}-" in name for name in wheels), package
    binary = [name for name in wheels if not name.endswith("none-any.whl")]
    assert all(tag in name for name in binary)
    assert not [name for name in binary if "abi3" in name]  # Blender leaves those out beside others


@pytest.mark.parametrize("platform", ["linux-x64", "windows-x64", "macos-arm64"])
def test_blenders_tool_finds_every_zip_valid_and_small_enough(zips: dict[str, Path], platform: str) -> None:
    tool = Path(bpy.utils.resource_path("LOCAL"), "scripts", "addons_core", "bl_pkg", "cli", "blender_ext.py")
    assert subprocess.run([sys.executable, tool, "validate", zips[platform]], capture_output=True).returncode == 0
    assert zips[platform].stat().st_size < 200e6  # what Blender's extension platform takes


def test_the_zip_leaves_out_what_only_developers_need(extension: Path) -> None:
    names = zipfile.ZipFile(extension).namelist()
    assert not [name for name in names if "__pycache__" in name or name in ("build.py", "headless.py")]


def test_the_zip_holds_the_weights_of_every_model(extension: Path) -> None:
    zipped = zipfile.ZipFile(extension)
    (own,) = (name for name in zipped.namelist() if Path(name).name.startswith("pas_de_deux-"))
    files = zipfile.ZipFile(io.BytesIO(zipped.read(own))).namelist()
    assert "backend/music/midi.py" in files
    for model in REGISTRY.names():
        assert f"backend/weights/{model}.safetensors" in files


def test_the_manifest_has_the_projects_version(extension: Path) -> None:
    manifest = tomllib.loads(zipfile.ZipFile(extension).read("blender_manifest.toml").decode())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert manifest["version"] == project["version"]
    assert manifest["license"] == [f"SPDX:{project['license']}"]
    assert extension.name.startswith(f"pas_de_deux-{project['version']}-")


def test_building_again_gives_the_same_bytes(extension: Path) -> None:
    before = extension.read_bytes()
    subprocess.run([PYTHON, ROOT / "blender_addon" / "build.py", "this"], check=True, capture_output=True)
    assert extension.read_bytes() == before


def test_without_a_network_the_build_says_so_in_one_sentence(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from blender_addon import build;"
        f"build.CACHE = Path({str(tmp_path)!r}); sys.exit(build.main([]))"
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
        "onnxruntime",
        "safetensors",
    ):
        import_module(name)
        assert resources in Path(str(sys.modules[name].__file__)).parents, name
