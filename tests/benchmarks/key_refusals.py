"""Try to be admitted by a server with keys, and print what the client reads and what the server's log says.

python tests/benchmarks/key_refusals.py
"""

import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from backend.keys import make_client_keys, make_server_keys
from tests.backend.key_attacks import foreign_keys, random_bytes, read_refusal, record_handshake, send_raw

_SERVE = (
    "import logging, sys; from pathlib import Path; from backend.server import serve;"
    "logging.basicConfig(level=logging.INFO, format='%(levelname)s %(message)s');"
    "serve('tcp://127.0.0.1:*', 'cpu', keys=Path(sys.argv[1]))"
)


def main() -> int:
    """Print a row for each attempt; exit status 1 if anything was admitted that must not be."""
    logging.disable()
    with tempfile.TemporaryDirectory() as scratch:
        return _attempt_all(Path(scratch))


def _attempt_all(scratch: Path) -> int:
    folder, log = scratch / "studio", scratch / "log"
    make_server_keys(folder)
    anna = make_client_keys(folder, "anna")
    other = scratch / "other"
    make_server_keys(other)
    carl = make_client_keys(other, "carl")
    stranger = foreign_keys(scratch / "foreign", folder)
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(folder)], stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as server,
    ):
        try:
            assert server.stdout is not None
            url = server.stdout.readline().split()[-1]
            recorded = record_handshake(url, anna)

            def revoked() -> str:
                (folder / "clients" / "anna.key").rename(folder / "anna.key")
                time.sleep(1.2)
                return read_refusal(url, anna)

            def admitted_again() -> str:
                (folder / "anna.key").rename(folder / "clients" / "anna.key")
                return read_refusal(url, anna)

            def folder_gone() -> str:
                (folder / "clients").rename(folder / "gone")
                time.sleep(1.2)
                read = read_refusal(url, anna)
                (folder / "gone").rename(folder / "clients")
                return read

            attempts: list[tuple[str, bool, Callable[[], str]]] = [
                ("listed keys", True, lambda: read_refusal(url, anna)),
                ("no keys", False, lambda: read_refusal(url, None)),
                ("keys that are not listed", False, lambda: read_refusal(url, stranger)),
                ("keys of another server", False, lambda: read_refusal(url, carl)),
                ("a replayed handshake", False, lambda: _outcome(url, recorded)),
                ("random bytes", False, lambda: _outcome(url, random_bytes())),
                ("an HTTP request", False, lambda: _outcome(url, b"GET / HTTP/1.1\r\nHost: gpubox\r\n\r\n")),
                ("revoked keys", False, revoked),
                ("the same, listed again", True, admitted_again),
                ("clients/ gone", False, folder_gone),
                ("listed keys after that", True, lambda: read_refusal(url, anna)),
            ]
            time.sleep(0.5)
            wrong, shown = 0, len(log.read_text().splitlines())
            for name, expected, attempt in attempts:
                read = attempt().replace(url, "URL")
                time.sleep(0.7)
                lines = log.read_text().splitlines()
                wrong += (read == "admitted") != expected
                said = "; ".join(lines[shown:]).replace(str(folder), "studio") or "-"
                shown = len(lines)
                print(f"| {name} | {read} | {said} |")
            secrets = [
                line.split('"')[1]
                for file in scratch.rglob("*.key_secret")
                for line in file.read_text().splitlines()
                if "secret-key" in line
            ]
            leaked = sum(secret in log.read_text() for secret in secrets)
            print(f"secret keys in the log: {leaked} of {len(secrets)}")
            return int(wrong > 0 or leaked > 0)
        finally:
            server.kill()


def _outcome(url: str, data: bytes) -> str:
    _, ended = send_raw(url, data)
    return "(hung up)" if ended else "(left waiting)"


if __name__ == "__main__":
    sys.exit(main())
