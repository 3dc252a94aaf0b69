"""The built extension, installed by Blender's own operator into a scratch user folder of the bpy module.

It needs a process in which nothing has imported `bpy`, `rigs` or `backend` yet: they come from the extension's wheels
then, never from the checkout or the environment.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"
PACKAGE = "bl_ext.user_default.pas_de_deux"


class NotInstalled(Exception):
    """The extension cannot be built, or is not what is imported; its text is one clause."""


def build() -> Path:
    """The extension's zip for this platform, built from the checkout as it is. Raises NotInstalled."""
    if not PYTHON.exists():
        raise NotInstalled(f"the project's environment is expected at {PYTHON.parent.parent}: run make setup")
    result = subprocess.run([PYTHON, ROOT / "blender_addon" / "build.py", "this"], capture_output=True, text=True)
    if result.returncode != 0:
        raise NotInstalled(f"the extension does not build: {result.stderr.strip()}")
    return Path(result.stdout.strip())


def install(extension: Path, scratch: Path) -> None:
    """Enable the zip in an empty scene of Blender, with `scratch` as the user's folder. Raises NotInstalled."""
    os.environ["BLENDER_USER_RESOURCES"] = str(scratch)
    # In Blender itself the wheels of extensions come before all other packages; in the bpy module they come last.
    wheels = scratch / "extensions" / ".local" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    wheels.mkdir(parents=True)
    sys.path[:] = [str(wheels), *(entry for entry in sys.path if Path(entry or ".").resolve() != ROOT)]
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.extensions.package_install_files(filepath=str(extension), repo="user_default", enable_on_install=True)
    import zmq

    import backend
    import rigs

    for module in (rigs, backend, zmq):
        if scratch not in Path(str(module.__file__)).parents:
            raise NotInstalled(f"{module.__name__} comes from {module.__file__} and not from the extension")
