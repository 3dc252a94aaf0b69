"""Build the extension: `python blender_addon/build.py` writes dist/pas_de_deux-VERSION.zip, complete for offline use.

The zip holds these modules, the project's own wheel, pyzmq's wheels for every supported platform and Python, and the
pure-Python wheels of the MIDI libraries. Blender's extension tool, found in the installed bpy, packs and validates it.
The build is reproducible: equal sources give equal bytes.
"""

import calendar
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from importlib import metadata, util
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "blender_addon"
CACHE = ROOT / ".venv" / "wheels"
NOT_PACKED = {"build.py", "headless.py"}

PLATFORMS = {
    "linux-x64": "manylinux_2_28_x86_64",
    "windows-x64": "win_amd64",
    "macos-arm64": "macosx_11_0_arm64",
}
PYTHONS = {
    # Python version for pip, and tags of its wheel: Blender ignores a wheel of the stable ABI (abi3) beside one for
    # an exact version, so the wheel is retagged for each exact version under which it runs.
    "3.11": ("cp311",),
    "3.13": ("cp313", "cp314"),
}
PURE_PYTHON = ("importlib_resources", "mido", "packaging", "pretty_midi", "six")
"""The MIDI libraries and their dependencies except numpy."""
_TIMESTAMP = (2020, 1, 1, 0, 0, 0)
"""The modification time of every file in the zip, for reproducible builds."""


class BuildFailed(Exception):
    """Why the build failed; the text is one sentence."""


def build(out: Path = ROOT / "dist") -> Path:
    """Write the zip to the folder `out`, whole or not at all, and return its path. Raises BuildFailed."""
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
        _build_project_wheel(wheels)
        for wheel in (*pyzmq_wheels(), *pure_python_wheels()):
            shutil.copy(wheel, wheels)
        _write_manifest(stage, version)
        packed, normalized = Path(folder, "packed.zip"), Path(folder, "extension.zip")
        _run([sys.executable, tool, "build", "--source-dir", stage, "--output-filepath", packed])
        _normalize_zip(packed, normalized)
        _run([sys.executable, tool, "validate", normalized])
        extension = out / f"pas_de_deux-{version}.zip"
        os.replace(normalized, extension)
    return extension


def pyzmq_wheels() -> list[Path]:
    """The wheels of pyzmq, in the version installed here, for every platform and Python. Raises BuildFailed."""
    wheels = []
    for platform in PLATFORMS.values():
        for python, tags in PYTHONS.items():
            target = ("--platform", platform, "--python-version", python)
            wheels += _cached_wheels("pyzmq", f"{platform}-{'.'.join(tags)}", target, tags)
    return wheels


def pure_python_wheels() -> list[Path]:
    """The wheels of PURE_PYTHON, in the versions installed here. Raises BuildFailed."""
    return [wheel for name in PURE_PYTHON for wheel in _cached_wheels(name, "any")]


def _cached_wheels(name: str, target: str, options: tuple[str, ...] = (), tags: tuple[str, ...] = ()) -> list[Path]:
    """A package's wheel for a target, in the version installed here, from the cache or pip. Raises BuildFailed."""
    pin = f"{name}=={metadata.version(name)}"
    folder = CACHE / pin / target
    if not list(folder.glob("*.whl")):
        _download_wheel(pin, options, tags, folder)
    return sorted(folder.glob("*.whl"))


def _download_wheel(pin: str, options: tuple[str, ...], tags: tuple[str, ...], folder: Path) -> None:
    """Download a wheel to `folder`, retagged for the Python `tags` if there are any. Raises BuildFailed."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as downloads:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        try:
            _run([*pip, *options, "--dest", downloads, pin])
        except BuildFailed as error:
            package = " ".join((pin, *options))
            raise BuildFailed(f"{package} could not be downloaded, is the network there? ({error})") from None
        (wheel,) = Path(downloads).glob("*.whl")
        if tags and f"-{tags[0]}-{tags[0]}-" not in wheel.name:
            retag = [sys.executable, "-m", "wheel", "tags", "--remove"]
            _run([*retag, "--python-tag", ".".join(tags), "--abi-tag", ".".join(tags), wheel])
            (wheel,) = Path(downloads).glob("*.whl")
        folder.mkdir(parents=True, exist_ok=True)
        os.replace(wheel, folder / wheel.name)


def _build_project_wheel(folder: Path) -> None:
    """Build the wheel of rigs and backend into `folder`, without the models' weights, which only the backend loads."""
    with tempfile.TemporaryDirectory() as scratch:
        _run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", scratch, ROOT])
        (wheel,) = Path(scratch).glob("*.whl")
        _run([sys.executable, "-m", "wheel", "unpack", "--dest", scratch, wheel])
        (unpacked,) = (entry for entry in Path(scratch).iterdir() if entry.is_dir())
        for weights in (unpacked / "backend" / "weights").glob("*.safetensors"):
            weights.unlink()
        _run([sys.executable, "-m", "wheel", "pack", "--dest-dir", folder, unpacked])


def _write_manifest(stage: Path, version: str) -> None:
    """Write the manifest with the version and the list of wheels, before its first table."""
    lines = (HERE / "blender_manifest.toml").read_text().splitlines()
    table = next(number for number, line in enumerate(lines) if line.startswith("["))
    wheels = [f'  "./wheels/{wheel.name}",' for wheel in sorted((stage / "wheels").iterdir())]
    lines[table:table] = [f'version = "{version}"', "wheels = [", *wheels, "]", ""]
    (stage / "blender_manifest.toml").write_text("\n".join(lines) + "\n")


def _normalize_zip(packed: Path, normalized: Path) -> None:
    """Copy a zip with sorted files, fixed timestamps and permissions, so that it does not depend on the machine."""
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(normalized, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(source.namelist()):
            entry = zipfile.ZipInfo(name, _TIMESTAMP)
            entry.compress_type = zipfile.ZIP_DEFLATED
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


def main() -> int:
    """Build, print the zip's path or one sentence, and return the exit status."""
    try:
        print(build())
    except BuildFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
