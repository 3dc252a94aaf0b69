"""Servers in processes of their own, and leaders for their requests."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest

from rigs.motion import Motion
from rigs.sample_dance.salsa import sample_dance

COMMAND = (sys.executable, "-m", "backend.cli.main", "serve", "--bind", "tcp://127.0.0.1:*")


@dataclass(frozen=True)
class Backend:
    """A server process and the address on which it listens."""

    process: "subprocess.Popen[str]"
    url: str


Start = Callable[..., AbstractContextManager[Backend]]
"""Starts a server that a test may end: `with start() as backend`."""


@contextmanager
def running(*command: str) -> Iterator[Backend]:
    """A server process that listens."""
    with subprocess.Popen(command or COMMAND, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line.startswith("listening on tcp://127.0.0.1:"), line
            yield Backend(process, line.split()[-1])
        finally:
            process.kill()


@pytest.fixture(scope="session")
def backend() -> Iterator[Backend]:
    """One server for all tests that do not change it."""
    with running() as one:
        yield one


@pytest.fixture(scope="module")
def fake_music_backend() -> Iterator[Backend]:
    """A server whose models between music and dance are those of fake_music_models.py."""
    with running(sys.executable, "-c", "from tests.backend.fake_music_models import serve; serve()") as one:
        yield one


@pytest.fixture
def start() -> Start:
    """Starts a server that a test may end."""
    return running


@pytest.fixture(scope="session")
def leader() -> Motion:
    """Two thirds of a second of dance."""
    return sample_dance()[100:120]


@pytest.fixture(scope="session")
def long_leader() -> Motion:
    """Dance enough for a partner to take several seconds."""
    return sample_dance()
