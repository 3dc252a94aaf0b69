"""Starting and stopping the backend, with real processes."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest
from bl_ext.user_default.pas_de_deux.operators import backend_process
from bl_ext.user_default.pas_de_deux.properties import preferences
from conftest import free_address

from backend.client import Client
from tests.installed import PYTHON


@pytest.fixture
def backend_preferences() -> Iterator[preferences.PASDEDEUX_preferences]:
    """The preferences, with a free address and the Python that has the backend."""
    backend_preferences = preferences.addon_preferences(bpy.context)
    backend_preferences.address, backend_preferences.python = free_address(), str(PYTHON)
    yield backend_preferences
    backend_process.stop_backend()


def test_a_started_backend_answers_and_a_stopped_one_is_gone(
    backend_preferences: preferences.PASDEDEUX_preferences,
) -> None:
    assert bpy.ops.pasdedeux.start_backend() == {"FINISHED"}
    assert backend_process.is_running()
    assert Client(backend_preferences.address).hello().models
    process = backend_process._process
    assert bpy.ops.pasdedeux.stop_backend() == {"FINISHED"}
    assert process.poll() is not None
    assert not backend_process.is_running()


def assert_error(message: str) -> None:
    with pytest.raises(RuntimeError, match=message) as error:
        bpy.ops.pasdedeux.start_backend()
    assert len(str(error.value).strip().splitlines()) == 1
    assert not backend_process.is_running()


def test_without_a_chosen_python_it_says_what_to_do(backend_preferences: preferences.PASDEDEUX_preferences) -> None:
    backend_preferences.python = ""
    assert_error("Choose the Backend Python in the Backend panel")


def test_a_python_that_is_gone_is_named(backend_preferences: preferences.PASDEDEUX_preferences, tmp_path: Path) -> None:
    backend_preferences.python = str(tmp_path / "python")
    assert_error(f"There is no Python at {tmp_path}")


def test_a_program_that_is_no_python_is_refused(
    backend_preferences: preferences.PASDEDEUX_preferences, tmp_path: Path
) -> None:
    backend_preferences.python = str(tmp_path / "python")
    Path(backend_preferences.python).write_text("not a program")
    assert_error("cannot be started")


def test_a_python_without_the_backend_is_refused(
    backend_preferences: preferences.PASDEDEUX_preferences, tmp_path: Path
) -> None:
    backend_preferences.python = str(tmp_path / "python")
    # -S leaves out site-packages, so that this is a Python in which nothing is installed.
    Path(backend_preferences.python).write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    Path(backend_preferences.python).chmod(0o755)
    assert_error("has no Pas de Deux backend")


def test_an_address_that_is_taken_is_one_sentence(backend_preferences: preferences.PASDEDEUX_preferences) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(backend_preferences.address.rsplit(":", 1)[1])))
        other.listen()
        assert_error("The backend did not start")


def test_a_backend_on_another_machine_is_not_started_here(
    backend_preferences: preferences.PASDEDEUX_preferences,
) -> None:
    backend_preferences.address = "tcp://192.0.2.1:7429"
    assert_error("another machine")
