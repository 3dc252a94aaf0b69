"""The backend's panel: its light in every state, and the one button that does what is next."""

import time
from types import SimpleNamespace

import bpy
import pytest
from bl_ext.user_default.pas_de_deux.operators.backend import launcher as backend_launcher
from bl_ext.user_default.pas_de_deux.operators.backend import status as backend_status
from bl_ext.user_default.pas_de_deux.operators.backend.launcher import RunningBackend
from bl_ext.user_default.pas_de_deux.operators.backend.status import Answer
from bl_ext.user_default.pas_de_deux.panels.backend import PASDEDEUX_PT_backend
from bl_ext.user_default.pas_de_deux.properties.preferences import addon_preferences
from test_panels import Layout

ADDRESS = "tcp://127.0.0.1:7429"


class RecordingLayout(Layout):
    """A layout that records the buttons too."""

    def __getattr__(self, name: str):
        return lambda *_, **__: self

    def operator(self, idname: str, *, text: str | None = None, **options: object):
        drawn = super().operator(idname)
        if text != "":
            self.texts.append(f"[{text or getattr(bpy.types, 'PASDEDEUX_OT_' + idname.split('.')[1]).bl_label}]")
        return drawn


def draw() -> list[str]:
    texts: list[str] = []
    PASDEDEUX_PT_backend.draw(SimpleNamespace(layout=RecordingLayout(texts)), bpy.context)
    return texts


class Process:
    """A child process that runs, or has ended."""

    def __init__(self, status: int | None) -> None:
        self.poll = lambda: status


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(backend_launcher, "current", None)
    monkeypatch.setattr(backend_status, "answers", {})
    addon_preferences(bpy.context).location = "THIS_COMPUTER"
    yield
    addon_preferences(bpy.context).location = "THIS_COMPUTER"


def test_off_offers_to_start() -> None:
    assert draw() == ["Off: Starts with the first request", "[Start Backend]"]


def test_starting_offers_to_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_launcher, "starting", True)
    assert draw() == ["Starting", "[Cancel]"]


def test_ready_offers_to_stop_what_this_blender_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_launcher, "current", RunningBackend(ADDRESS, Process(None)))
    assert draw() == ["Ready", "[Stop Backend]"]
    monkeypatch.setattr(backend_launcher, "current", RunningBackend(ADDRESS))
    assert draw() == ["Ready: Started outside this Blender", "[Test Connection]"]


def test_busy_offers_to_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_launcher, "current", RunningBackend(ADDRESS, Process(None)))
    with backend_status.request_running():
        assert draw() == ["Busy", "[Cancel]"]
    assert draw()[0] == "Ready"


def test_lost_offers_to_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_launcher, "current", RunningBackend(ADDRESS, Process(-9)))
    assert draw() == ["Lost: It ended unexpectedly", "[Restart Backend]"]
    monkeypatch.setattr(backend_launcher, "current", RunningBackend(ADDRESS, Process(None)))
    backend_status.answers[ADDRESS] = Answer(False, "It does not answer")
    assert draw() == ["Lost: It does not answer", "[Restart Backend]"]


def test_a_server_is_tested_and_reconnected() -> None:
    preferences = addon_preferences(bpy.context)
    preferences.location, preferences.address = "SERVER", "tcp://gpubox:7429"
    assert draw() == ["Off: Not tested", "[Test Connection]"]
    backend_status.answers["tcp://gpubox:7429"] = Answer(False, "It does not answer")
    assert draw() == ["Lost: It does not answer", "[Reconnect]"]
    backend_status.answers["tcp://gpubox:7429"] = Answer(True, "Pas de Deux")
    assert draw() == ["Ready: Pas de Deux", "[Test Connection]"]


def test_looking_at_a_backend_that_hangs_never_holds_up_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The question is asked on a thread, whose answer turns the light."""
    import socket

    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        address = f"tcp://127.0.0.1:{deaf.getsockname()[1]}"
        monkeypatch.setattr(backend_launcher, "current", RunningBackend(address, Process(None)))
        monkeypatch.setattr(backend_status, "_last_question", 0.0)
        monkeypatch.setattr(backend_status, "_ASK_TIMEOUT", 0.5)
        start = time.perf_counter()
        assert backend_status._update() > 0.0
        draw()
        assert time.perf_counter() - start < 0.1
        end = time.monotonic() + 5.0
        while backend_status.backend_status(bpy.context).state == "ready" and time.monotonic() < end:
            time.sleep(0.02)
        assert draw() == ["Lost: It does not answer", "[Restart Backend]"]
