"""Build the extension: `python blender_addon/build.py` writes dist/pas_de_deux-VERSION-PLATFORM.zip for each platform.

A zip is complete for offline use. It holds these modules, the project's own wheel with the models' weights, the wheels
of ONNX Runtime, pyzmq and safetensors for every supported Python, and the pure-Python wheels of the array API and the
MIDI libraries. Blender's extension tool, found in the installed bpy, packs and validates it. Arguments name the
platforms to build for; `this` is the one of this machine. The build is reproducible: equal sources give equal bytes.
"""

import calendar
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Sequence
from importlib import metadata, util
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "blender_addon"
CACHE = ROOT / ".venv" / "wheels"
NOT_PACKED = {"build.py", "headless.py"}

PLATFORMS = {
    # Blender's name for a platform, and pip's: the ones of which wheels run there.
    "linux-x64": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64"),
    "windows-x64": ("win_amd64",),
    "macos-arm64": ("macosx_14_0_arm64",),
}
PYTHONS = ("3.11", "3.13")
"""Those of Blender 4.2 to 5.0 and from 5.1 on."""
DISTRIBUTION_PYTHONS = {"linux-x64": ("3.14",)}
"""Those of Blenders that are packaged by Linux distributions."""
BINARY = ("onnxruntime", "pyzmq", "safetensors")
"""Packages with wheels for each platform."""
PURE_PYTHON = ("array_api_compat", "importlib_resources", "mido", "packaging", "pretty_midi", "six")
"""The array API for the models, and the MIDI libraries and their dependencies except numpy."""
_TIMESTAMP = (2020, 1, 1, 0, 0, 0)
"""The modification time of every file in the zip, for reproducible builds."""


class BuildFailed(Exception):
    """Why the build failed; the text is one sentence."""


def build(target: str, project_wheel: Path, out: Path = ROOT / "dist") -> Path:
    """Write a platform's zip to the folder `out`, whole or not at all, and return its path. Raises BuildFailed."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    tool = _extension_tool()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".building-") as folder:
        stage = Path(folder, "pas_de_deux")
        wheels = stage / "wheels"
        wheels.mkdir(parents=True)
        for source in sorted(HERE.rglob("*.py")):
            if source.name not in NOT_PACKED:
                copy = stage / source.relative_to(HERE)
                copy.parent.mkdir(exist_ok=True)
                shutil.copy(source, copy)
        for wheel in (project_wheel, *binary_wheels(target), *pure_python_wheels()):
            shutil.copy(wheel, wheels)
        _write_manifest(stage, version, target)
        packed, normalized = Path(folder, "packed.zip"), Path(folder, "extension.zip")
        _run([sys.executable, tool, "build", "--source-dir", stage, "--output-filepath", packed])
        _normalize_zip(packed, normalized)
        _run([sys.executable, tool, "validate", normalized])
        extension = out / f"pas_de_deux-{version}-{target}.zip"
        os.replace(normalized, extension)
    return extension


def this_platform() -> str:
    """Blender's name for the platform of this machine. Raises BuildFailed for one that is not supported."""
    system = {"darwin": "macos", "win32": "windows"}.get(sys.platform, sys.platform)
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine())
    if f"{system}-{machine}" not in PLATFORMS:
        raise BuildFailed(f"{system}-{machine}: one of {', '.join(PLATFORMS)} expected as the platform")
    return f"{system}-{machine}"


def binary_wheels(target: str) -> list[Path]:
    """The wheels of BINARY, in the versions installed here, for a platform and its Pythons. Raises BuildFailed."""
    pythons = (*PYTHONS, *DISTRIBUTION_PYTHONS.get(target, ()))
    return [wheel for name in BINARY for python in pythons for wheel in _binary_wheel(name, target, python)]


def _binary_wheel(name: str, target: str, python: str) -> list[Path]:
    platforms = [option for tag in PLATFORMS[target] for option in ("--platform", tag)]
    tag = "cp" + python.replace(".", "")
    return _cached_wheels(name, f"{target}-{tag}", (*platforms, "--python-version", python), tag)


def pure_python_wheels() -> list[Path]:
    """The wheels of PURE_PYTHON, in the versions installed here. Raises BuildFailed."""
    return [wheel for name in PURE_PYTHON for wheel in _cached_wheels(name, "any")]


def _cached_wheels(name: str, target: str, options: tuple[str, ...] = (), tag: str = "") -> list[Path]:
    """A package's wheel for a target, in the version installed here, from the cache or pip. Raises BuildFailed."""
    pin = f"{name}=={metadata.version(name)}"
    folder = CACHE / pin / target
    if not list(folder.glob("*.whl")):
        _download_wheel(pin, options, tag, folder)
    return sorted(folder.glob("*.whl"))


def _download_wheel(pin: str, options: tuple[str, ...], tag: str, folder: Path) -> None:
    """Download a wheel to `folder`. Raises BuildFailed.

    tag: the Python for which a wheel of the stable ABI (abi3) is retagged, as Blender ignores one beside a wheel for an
    exact version.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as downloads:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        try:
            _run([*pip, *options, "--dest", downloads, pin])
        except BuildFailed as error:
            package = " ".join((pin, *options))
            raise BuildFailed(f"{package} could not be downloaded, is the network there? ({error})") from None
        (wheel,) = Path(downloads).glob("*.whl")
        if "-abi3-" in wheel.name:
            retag = [sys.executable, "-m", "wheel", "tags", "--remove"]
            _run([*retag, "--python-tag", tag, "--abi-tag", tag, wheel])
            (wheel,) = Path(downloads).glob("*.whl")
        folder.mkdir(parents=True, exist_ok=True)
        os.replace(wheel, folder / wheel.name)


def build_project_wheel(folder: Path) -> Path:
    """Build the wheel of rigs and backend, with the models' weights, into `folder`. Raises BuildFailed."""
    _run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT])
    (wheel,) = folder.glob("*.whl")
    return wheel


def _write_manifest(stage: Path, version: str, target: str) -> None:
    """Write the manifest with the version, the platform and the list of wheels, before its first table."""
    lines = (HERE / "blender_manifest.toml").read_text().splitlines()
    table = next(number for number, line in enumerate(lines) if line.startswith("["))
    wheels = [f'  "./wheels/{wheel.name}",' for wheel in sorted((stage / "wheels").iterdir())]
    lines[table:table] = [f'version = "{version}"', f'platforms = ["{target}"]', "wheels = [", *wheels, "]", ""]
    (stage / "blender_manifest.toml").write_text("\n".join(lines) + "\n")


def _normalize_zip(packed: Path, normalized: Path) -> None:
    """Copy a zip with sorted files, fixed timestamps and permissions, so that it does not depend on the machine."""
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(normalized, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(source.namelist()):
            entry = zipfile.ZipInfo(name, _TIMESTAMP)
            # Wheels are compressed already.
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            target.writestr(entry, source.read(name))


def _extension_tool() -> Path:
    """Blender's `blender_ext.py`. Raises BuildFailed without bpy."""
    spec = util.find_spec("bpy")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for tool in sorted(Path(folder).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py")):
            return tool
    raise BuildFailed("Blender's extension tool comes with bpy, which is not installed for this Python")


def _run(command: list[str | Path]) -> None:
    """Run a command and capture its output. Raises BuildFailed with the last line of it."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(calendar.timegm(_TIMESTAMP))}
    result = subprocess.run(
        [str(argument) for argument in command], capture_output=True, text=True, env=environment, cwd=ROOT
    )
    if result.returncode != 0:
        lines = [line.strip() for line in (result.stdout + result.stderr).splitlines() if line.strip()]
        raise BuildFailed(lines[-1] if lines else f"{command[0]} failed")


def main(names: Sequence[str]) -> int:
    """Build for the named platforms, by default all, print the zips' paths or one sentence; returns the exit status."""
    try:
        targets = [this_platform() if name == "this" else name for name in names] or list(PLATFORMS)
        for target in targets:
            if target not in PLATFORMS:
                raise BuildFailed(f"{target}: this or one of {', '.join(PLATFORMS)} expected as the platform")
        with tempfile.TemporaryDirectory() as scratch:
            project_wheel = build_project_wheel(Path(scratch))
            for target in targets:
                print(build(target, project_wheel), flush=True)
    except BuildFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
