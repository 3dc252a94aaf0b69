"""A real backend in a process of its own, and movement to ask it about."""

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


@contextmanager
def running(*command: str) -> Iterator[Backend]:
    """A server process that has just said that it listens."""
    with subprocess.Popen(command or COMMAND, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            said = process.stdout.readline()
            assert said.startswith("listening on tcp://127.0.0.1:"), said
            yield Backend(process, said.split()[-1])
        finally:
            process.kill()


@pytest.fixture(scope="session")
def backend() -> Iterator[Backend]:
    """One server for all tests that leave it as it was."""
    with running() as one:
        yield one


@pytest.fixture
def start() -> Callable[..., AbstractContextManager[Backend]]:
    """Starts a server that a test may end: `with start() as backend`."""
    return running


@pytest.fixture(scope="session")
def leader() -> Motion:
    """Two thirds of a second of dance."""
    return sample_dance()[100:120]


@pytest.fixture(scope="session")
def long_leader() -> Motion:
    """Dance enough for a partner to take several seconds."""
    return sample_dance()
