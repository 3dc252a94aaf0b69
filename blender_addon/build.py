"""Builds the extension: `python blender_addon/build.py` writes dist/pas_de_deux-VERSION.zip, complete for offline use.

The zip holds these modules, the project's own wheel, pyzmq's wheels for every supported platform and Python, and those
of the readers of MIDI, which are pure Python and run everywhere.
Blender's own tool, found in the installed bpy, packs and validates it. Equal sources give equal bytes.
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
LEFT_OUT = {"build.py", "headless.py"}

PLATFORMS = {
    "linux-x64": "manylinux_2_28_x86_64",
    "windows-x64": "win_amd64",
    "macos-arm64": "macosx_11_0_arm64",
}
PYTHONS = {
    # what pip calls a Python, and the exact versions for which its wheel is offered: Blender takes no wheel of the
    # stable ABI beside one for an exact version, so that one is offered for each exact version under which it runs
    "3.11": ("cp311",),
    "3.13": ("cp313", "cp314"),
}
PURE = ("importlib_resources", "mido", "packaging", "pretty_midi", "six")
"""The readers of MIDI and what they need beside numpy."""
_EPOCH = (2020, 1, 1, 0, 0, 0)
"""The time of every file in the zip, so that it depends on nothing but their contents."""


class BuildFailed(Exception):
    """Why there is no zip; its text is one sentence."""


def build(out: Path = ROOT / "dist") -> Path:
    """Write the zip into the folder `out`, all or nothing, and return its path. Raises BuildFailed."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    tool = _blenders_tool()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".building-") as folder:
        stage = Path(folder, "pas_de_deux")
        wheels = stage / "wheels"
        wheels.mkdir(parents=True)
        for source in sorted(HERE.rglob("*.py")):
            if source.name not in LEFT_OUT:
                copy = stage / source.relative_to(HERE)
                copy.parent.mkdir(exist_ok=True)
                shutil.copy(source, copy)
        _own_wheel(wheels)
        for wheel in (*pyzmq_wheels(), *pure_wheels()):
            shutil.copy(wheel, wheels)
        _write_manifest(stage, version)
        packed, unfinished = Path(folder, "packed.zip"), Path(folder, "extension.zip")
        _run([sys.executable, tool, "build", "--source-dir", stage, "--output-filepath", packed])
        _put_in_order(packed, unfinished)
        _run([sys.executable, tool, "validate", unfinished])
        finished = out / f"pas_de_deux-{version}.zip"
        os.replace(unfinished, finished)
    return finished


def pyzmq_wheels() -> list[Path]:
    """pyzmq's wheels, in the release installed here, for every platform and Python. Raises BuildFailed."""
    found = []
    for platform in PLATFORMS.values():
        for python, tags in PYTHONS.items():
            target = ("--platform", platform, "--python-version", python)
            found += _wheels("pyzmq", f"{platform}-{'.'.join(tags)}", target, tags)
    return found


def pure_wheels() -> list[Path]:
    """The wheels of PURE, in the releases installed here. Raises BuildFailed."""
    return [wheel for name in PURE for wheel in _wheels(name, "any")]


def _wheels(name: str, target: str, options: tuple[str, ...] = (), tags: tuple[str, ...] = ()) -> list[Path]:
    """A package's wheel for a target, in the release installed here, downloaded once. Raises BuildFailed."""
    pin = f"{name}=={metadata.version(name)}"
    folder = CACHE / pin / target
    if not list(folder.glob("*.whl")):
        _fetch(pin, options, tags, folder)
    return sorted(folder.glob("*.whl"))


def _fetch(pin: str, options: tuple[str, ...], tags: tuple[str, ...], folder: Path) -> None:
    """Download one wheel, say in its name for which Pythons it is where that is asked, and put it into `folder`."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as fetched:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        try:
            _run([*pip, *options, "--dest", fetched, pin])
        except BuildFailed as error:
            wanted = " ".join((pin, *options))
            raise BuildFailed(f"{wanted} could not be downloaded, is the network there? ({error})") from None
        (wheel,) = Path(fetched).glob("*.whl")
        if tags and f"-{tags[0]}-{tags[0]}-" not in wheel.name:
            retag = [sys.executable, "-m", "wheel", "tags", "--remove"]
            _run([*retag, "--python-tag", ".".join(tags), "--abi-tag", ".".join(tags), wheel])
            (wheel,) = Path(fetched).glob("*.whl")
        folder.mkdir(parents=True, exist_ok=True)
        os.replace(wheel, folder / wheel.name)


def _own_wheel(folder: Path) -> None:
    """Build rigs and backend into a wheel in `folder`, without the models' weights: it is others who load them."""
    with tempfile.TemporaryDirectory() as scratch:
        _run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", scratch, ROOT])
        (whole,) = Path(scratch).glob("*.whl")
        _run([sys.executable, "-m", "wheel", "unpack", "--dest", scratch, whole])
        (unpacked,) = (entry for entry in Path(scratch).iterdir() if entry.is_dir())
        for weights in (unpacked / "backend" / "weights").glob("*.safetensors"):
            weights.unlink()
        _run([sys.executable, "-m", "wheel", "pack", "--dest-dir", folder, unpacked])


def _write_manifest(stage: Path, version: str) -> None:
    """Add what only the build knows, the version and the wheels, in front of the manifest's first table."""
    lines = (HERE / "blender_manifest.toml").read_text().splitlines()
    table = next(number for number, line in enumerate(lines) if line.startswith("["))
    wheels = [f'  "./wheels/{wheel.name}",' for wheel in sorted((stage / "wheels").iterdir())]
    lines[table:table] = [f'version = "{version}"', "wheels = [", *wheels, "]", ""]
    (stage / "blender_manifest.toml").write_text("\n".join(lines) + "\n")


def _put_in_order(packed: Path, ordered: Path) -> None:
    """Write the zip again without what depends on the machine: the order of its files, their times and rights."""
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(ordered, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(source.namelist()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            target.writestr(entry, source.read(name))


def _blenders_tool() -> Path:
    spec = util.find_spec("bpy")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for tool in sorted(Path(folder).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py")):
            return tool
    raise BuildFailed("Blender's extension tool comes with bpy, which is not installed for this Python")


def _run(command: list[str | Path]) -> None:
    """Run a command in silence. Raises BuildFailed with its last words."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(calendar.timegm(_EPOCH))}
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment, cwd=ROOT)
    if result.returncode != 0:
        said = [line.strip() for line in (result.stdout + result.stderr).splitlines() if line.strip()]
        raise BuildFailed(said[-1] if said else f"{command[0]} failed")


def main() -> int:
    try:
        print(build())
    except BuildFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
