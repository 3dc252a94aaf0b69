"""What an animator reads when the backend or a Blender dies, hangs or is in the way, and what the next click does.

PYTHON tests/benchmarks/backend_life.py dist/pas_de_deux-VERSION-PLATFORM.zip

PYTHON has bpy. It installs the zip for itself and imports nothing of the checkout; Linux or macOS.
"""

import importlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

PACKAGE = "bl_ext.user_default.pas_de_deux"


def main() -> None:
    extension, scratch = Path(sys.argv[1]).resolve(), Path(tempfile.mkdtemp(prefix="backend-life-"))
    if len(sys.argv) > 2:
        scratch = Path(sys.argv[2])
    os.environ["BLENDER_USER_RESOURCES"] = str(scratch)
    wheels = scratch / "extensions" / ".local" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    wheels.mkdir(parents=True, exist_ok=True)
    sys.path[0] = str(wheels)
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    if len(sys.argv) > 2:
        importlib.import_module("addon_utils").enable(PACKAGE, default_set=True)
        other_blender()
    bpy.ops.extensions.package_install_files(filepath=str(extension), repo="user_default", enable_on_install=True)
    try:
        tell_story(extension, scratch)
    except Exception:
        traceback.print_exc()
    finally:
        module("operators.backend.launcher").stop()
        sys.stdout.flush()
        os._exit(0)  # Blender may crash when it ends as a module


def other_blender() -> None:
    """The part of a second Blender: generate once, then wait to be killed."""
    import_leader()
    read(generate)
    running = module("operators.backend.launcher").current
    print("OTHER", running.address, running.process.pid if running.process else 0, flush=True)
    time.sleep(600)


def tell_story(extension: Path, scratch: Path) -> None:
    import bpy

    launcher = module("operators.backend.launcher")
    preferences = bpy.context.preferences.addons[PACKAGE].preferences
    import_leader()
    tell("first click", generate)
    launcher.current.process.kill()
    launcher.current.process.wait()
    tell("backend killed while idle", generate)
    launcher.current.process.send_signal(signal.SIGSTOP)
    tell("backend hung while idle", generate)
    for number, event in ((signal.SIGKILL, "backend killed mid-job"), (signal.SIGSTOP, "backend hung mid-job")):
        listeners = module("background_job").progress_listeners
        listeners.append(lambda fraction, text, n=number: fraction > 0 and launcher.current.process.send_signal(n))
        tell(event, generate)
        listeners.pop()
        tell("  the next click", generate)
    launcher.stop()
    with socket.socket() as program:
        program.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        program.bind(("127.0.0.1", int(launcher.DEFAULT_URL.rsplit(":", 1)[1])))
        program.listen()
        tell("another program has the port", bpy.ops.pasdedeux.start_backend)
        launcher.stop()
    command = [sys.executable, __file__, str(extension), str(scratch)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        line = next(line for line in other.stdout if line.startswith("OTHER"))
        tell("two Blenders, the second click", generate)
        print(f"    shared: {launcher.current.address == line.split()[1]}")
        child = int(line.split()[2])
        start = time.monotonic()
        other.kill()
        while alive(child):
            time.sleep(0.02)
        print(f"    the other Blender is killed: its backend is gone after {time.monotonic() - start:.2f} s")
    tell("  the next click", generate)
    preferences.location = "SERVER"
    for address in ("gpubox:7429", "http://gpubox:7429", "tcp://127.0.0.1:9"):
        preferences.address = address
        tell(f"A Server at {address}", bpy.ops.pasdedeux.test_connection)
    preferences.address = launcher.current.address
    tell("A Server that is there", bpy.ops.pasdedeux.test_connection)


def tell(event: str, operator: Callable[[], Any]) -> None:
    start = time.perf_counter()
    text = read(operator)
    print(f"{event} ({time.perf_counter() - start:.1f} s): {text}", flush=True)


def read(operator: Callable[[], Any]) -> str:
    """What an operator reports as an error, or that it finished."""
    try:
        operator()
    except RuntimeError as error:
        return str(error).strip()
    return "done"


def generate() -> Any:
    import bpy

    return bpy.ops.pasdedeux.generate_partner()


def import_leader() -> None:
    import bpy

    from rigs import files
    from rigs.sample_dance.salsa import sample_dance

    with tempfile.TemporaryDirectory() as folder:
        files.write(Path(folder, "leader.bvh"), sample_dance()[:300])
        bpy.ops.pasdedeux.import_mocap(filepath=str(Path(folder, "leader.bvh")))


def module(name: str) -> Any:
    return importlib.import_module(f"{PACKAGE}.{name}")


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process}/stat")
    return not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


if __name__ == "__main__":
    main()
