"""Seconds from a click to the last key of a partner, the first time and the second, in a Blender with the zip alone.

BARE/bin/python tests/benchmarks/first_partner.py dist/pas_de_deux-VERSION-PLATFORM.zip [--json FILE]

Run it with a Python that has bpy and nothing else, without a network:
`unshare --net sh -c 'ip link set lo up; BARE/bin/python ...'`, or in a Blender whose user folder is empty:
`BLENDER_USER_RESOURCES=FOLDER blender --background --factory-startup --python ... -- ZIP`. It imports nothing of the
checkout.
"""

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGE = "bl_ext.user_default.pas_de_deux"
FRAMES = (300, 1690)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("extension", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args(sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else None)
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]
    with tempfile.TemporaryDirectory(prefix="first-partner-") as scratch:
        figures = measure(arguments.extension.resolve(), Path(scratch))
    print(json.dumps(figures, indent=2))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    sys.stdout.flush()
    os._exit(0)  # Blender may crash when it ends as a module


def measure(extension: Path, scratch: Path) -> dict[str, Any]:
    if "bpy" not in sys.modules:
        os.environ["BLENDER_USER_RESOURCES"] = str(scratch)
        wheels = scratch / "extensions" / ".local" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
        wheels.mkdir(parents=True)
        sys.path.insert(0, str(wheels))
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    start = time.perf_counter()
    bpy.ops.extensions.package_install_files(filepath=str(extension), repo="user_default", enable_on_install=True)
    install_seconds = time.perf_counter() - start
    from rigs import files
    from rigs.motion import Motion, concatenate
    from rigs.sample_dance.salsa import sample_dance

    dance = sample_dance()
    assert isinstance(dance, Motion)
    while len(dance) < max(FRAMES):
        dance = concatenate(dance, dance)
    seconds: dict[str, Any] = {}
    for frames in FRAMES:
        leader = scratch / f"leader-{frames}.bvh"
        files.write(leader, dance[:frames])
        bpy.ops.wm.read_homefile(use_empty=True)
        bpy.ops.pasdedeux.import_mocap(filepath=str(leader))
        stop_backend()
        for seed, name in enumerate(("first", "second")):
            bpy.context.scene.pas_de_deux.seed = seed
            start = time.perf_counter()
            bpy.ops.pasdedeux.generate_partner()
            seconds[f"{frames} frames, {name}"] = round(time.perf_counter() - start, 2)
            partner = bpy.context.scene.pas_de_deux.partner
            last = partner.animation_data.action.frame_range[1]
            assert last == frames, (last, frames)
    stop_backend()
    return {
        "blender": bpy.app.version_string,
        "python": platform.python_version(),
        "torch": find_spec("torch") is not None,
        "zip MB": round(extension.stat().st_size / 1e6, 1),
        "install s": round(install_seconds, 2),
        "seconds": seconds,
        "peak memory of Blender MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "peak memory of the backend MB": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    }


def stop_backend() -> None:
    import bpy

    if bpy.ops.pasdedeux.stop_backend.poll():
        bpy.ops.pasdedeux.stop_backend()


if __name__ == "__main__":
    main()
