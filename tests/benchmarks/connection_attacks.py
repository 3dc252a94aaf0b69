"""Attack a server's connections, and print what it costs the server and the others: memory, CPU and a hello's time.

python tests/benchmarks/connection_attacks.py [ATTACK ...]

Every attacker runs in this process, which sends what it has one part at a time. Linux.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backend.client import BackendError, Client

SECONDS = 10.0
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
READY = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"


def main(names: list[str]) -> int:
    """Run each attack against a server of its own."""
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    print("attack                    peak memory  grown   CPU   hello p50   worst  unanswered  connections kept")
    for name in names or ATTACKS:
        with server() as (process, url):
            attack(name, process.pid, url)
    return 0


def attack(name: str, pid: int, url: str) -> None:
    """Run one attack for a while, with an honest client beside it."""
    host, port = url.removeprefix("tcp://").rsplit(":", 1)
    time.sleep(4.0)  # until the models are loaded
    for _ in range(3):
        Client(url).hello()
    sockets: list[socket.socket] = []
    stop = threading.Event()
    before, cpu, start = resident(pid), cpu_seconds(pid), time.monotonic()
    attacker = threading.Thread(target=ATTACKS[name], args=((host, int(port)), sockets, stop), daemon=True)
    attacker.start()
    hellos, unanswered, peak = [], 0, before
    while time.monotonic() - start < SECONDS:
        asked = time.monotonic()
        try:
            Client(url).hello()
            hellos.append(time.monotonic() - asked)
        except BackendError:
            unanswered += 1
        peak = max(peak, resident(pid))
        time.sleep(0.02)
    share = (cpu_seconds(pid) - cpu) / (time.monotonic() - start)
    kept = connections(pid)
    stop.set()
    for one in sockets:
        with suppress(OSError):
            one.close()
    attacker.join()
    median = sorted(hellos)[len(hellos) // 2] if hellos else float("nan")
    print(
        f"{name:25} {peak >> 20:7} MiB {(peak - before) >> 20:5} MiB {100 * share:4.0f} % {1000 * median:6.1f} ms"
        f" {1000 * max(hellos, default=float('nan')):6.1f} ms {unanswered:8} {kept:15}",
        flush=True,
    )


@contextmanager
def server() -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A server with the 1,024 descriptors that a shell often grants."""
    import resource

    command = [sys.executable, "-m", "backend.cli.main", "serve", "--bind", "tcp://127.0.0.1:*"]

    def few_descriptors() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    log = open(os.environ.get("SERVER_LOG", os.devnull), "a")  # noqa: SIM115 closed with this process
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=few_descriptors
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def connect(address: tuple[str, int], *, handshake: bool) -> socket.socket:
    """A raw connection, with ZMTP's handshake done or not begun."""
    one = socket.create_connection(address, timeout=5.0)
    if handshake:
        one.sendall(GREETING + bytes([4, len(READY)]) + READY)
        answer = b""
        while b"READY" not in answer:
            answer += one.recv(1000) or b"READY"
    return one


def many_parts(address: tuple[str, int], sockets: list[socket.socket], stop: threading.Event) -> None:
    """One message of 1,500 parts of 1 MiB, again whenever it is refused."""
    part = b"\x03" + (2**20).to_bytes(8, "big") + bytes(2**20)
    while not stop.is_set():
        with suppress(OSError):
            one = connect(address, handshake=True)
            sockets.append(one)
            for _ in range(1500):
                if stop.is_set():
                    break
                one.sendall(part)
        stop.wait(0.5)


def many_messages(address: tuple[str, int], sockets: list[socket.socket], stop: threading.Event) -> None:
    """From 8 connections the largest part that is let through, without the message's end."""
    part = b"\x03" + (60 * 2**20).to_bytes(8, "big") + bytes(60 * 2**20)

    def one_of_them() -> None:
        while not stop.is_set():
            with suppress(OSError):
                one = connect(address, handshake=True)
                sockets.append(one)
                one.sendall(part)
                one.sendall(part)
            stop.wait(1.0)

    threads = [threading.Thread(target=one_of_them) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def idle(address: tuple[str, int], sockets: list[socket.socket], stop: threading.Event) -> None:
    """5,000 connections that say nothing more."""
    for _ in range(5000):
        if stop.is_set():
            return
        with suppress(OSError):
            sockets.append(connect(address, handshake=True))


def half_open(address: tuple[str, int], sockets: list[socket.socket], stop: threading.Event) -> None:
    """200 connections that stop in the middle of the handshake."""
    for _ in range(200):
        one = connect(address, handshake=False)
        one.sendall(GREETING[:20])
        sockets.append(one)


def slow(address: tuple[str, int], sockets: list[socket.socket], stop: threading.Event) -> None:
    """200 connections that send a byte of a message every half second."""
    sockets += [connect(address, handshake=True) for _ in range(200)]
    for one in sockets:
        one.sendall(b"\x02" + (2**20).to_bytes(8, "big"))
    while not stop.wait(0.5):
        for one in sockets:
            with suppress(OSError):
                one.send(b"x")


def come_and_go(address: tuple[str, int], sockets: list[socket.socket], stop: threading.Event) -> None:
    """Connections that are closed at once, as fast as they can be made."""
    while not stop.is_set():
        with suppress(OSError):
            socket.create_connection(address, timeout=5.0).close()


def random_bytes(address: tuple[str, int], sockets: list[socket.socket], stop: threading.Event) -> None:
    """100 connections a second of random bytes."""
    while not stop.wait(0.01):
        with suppress(OSError):
            one = socket.create_connection(address, timeout=5.0)
            sockets.append(one)
            one.sendall(os.urandom(1000))


def hellos(address: tuple[str, int], sockets: list[socket.socket], stop: threading.Event) -> None:
    """Hellos as fast as they can be sent, on one connection that reads no answers."""
    header = b'{"protocol": %d, "id": "flood", "kind": "hello", "parameters": {}, "buffers": []}'
    from backend.protocol import PROTOCOL

    header = header % PROTOCOL
    message = bytes([0, len(header)]) + header
    while not stop.is_set():
        with suppress(OSError):
            one = connect(address, handshake=True)
            sockets.append(one)
            while not stop.is_set():
                one.sendall(message * 100)


ATTACKS: dict[str, Callable[[tuple[str, int], list[socket.socket], threading.Event], None]] = {
    "none": lambda address, sockets, stop: None,
    "1,500 parts of 1 MiB": many_parts,
    "8 x 120 MiB without end": many_messages,
    "5,000 idle connections": idle,
    "200 half-open handshakes": half_open,
    "200 slow senders": slow,
    "connect and close": come_and_go,
    "random bytes": random_bytes,
    "flood of hellos": hellos,
}


def resident(pid: int) -> int:
    """Bytes of memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connections(pid: int) -> int:
    """Sockets that a process holds."""
    count = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            count += os.readlink(file).startswith("socket:")
    return count


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
