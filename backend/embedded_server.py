"""The server as a child process of Blender: it ends with its parent, and says in a file where it listens.

python -m backend.embedded_server READY_FILE [KEYS]

KEYS is the folder of its keys: with it, only programs of the same user are answered.

Standard input is a pipe from the parent, standard output and error are the log. It needs what `serve` needs on
a CPU, and nothing of the command line.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from backend.protocol import DEFAULT_URL
from backend.server import AddressInUse, serve
from backend.server.stopping import Wakeup, finish_with_parent
from rigs.files.atomic_write import atomic_path

FREE_PORT_URL = "tcp://127.0.0.1:*"


def main(arguments: Sequence[str]) -> int:
    """Serve at the default address, or at a free port where another program has that; returns the exit status."""
    ready_file, *folders = map(Path, arguments)
    keys = folders[0] if folders else None

    def forget() -> None:
        with suppress(OSError):
            ready_file.unlink()

    def announce(address: str, wakeup: Wakeup) -> None:
        about = {"address": address, "pid": os.getpid(), "version": version("pas-de-deux")}
        with atomic_path(ready_file) as temporary:
            temporary.write_text(json.dumps(about))
        finish_with_parent(wakeup, forget)

    start = time.strftime("%Y-%m-%d %H:%M:%S")
    print(f"{start} Pas de Deux {version('pas-de-deux')}, process {os.getpid()}, Python {platform.python_version()}")
    try:
        try:
            return serve(DEFAULT_URL, "cpu", keys=keys, on_listening=announce)
        except AddressInUse as error:
            print(error)
            return serve(FREE_PORT_URL, "cpu", keys=keys, on_listening=announce)
    finally:
        forget()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
