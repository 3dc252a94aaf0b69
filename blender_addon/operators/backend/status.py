"""The backend's status, for the panel's light: kept by requests and by a thread that asks it now and then."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import bpy

from backend.client import BackendError, Client

from ...context_access import window_manager
from ...properties.preferences import addon_preferences
from . import launcher as backend_launcher

State = Literal["off", "starting", "ready", "busy", "lost"]

_TIMER_INTERVAL = 1.0  # s between two looks at the status, which cost microseconds
_ASK_INTERVAL = 5.0  # s between two questions to a backend on this computer
_ASK_SERVER_INTERVAL = 30.0  # s between two questions to a server
_ASK_TIMEOUT = 3.0  # s


@dataclass(frozen=True)
class BackendStatus:
    """A state, and a short text for people that says more."""

    state: State
    text: str = ""


@dataclass(frozen=True)
class Answer:
    """How a backend has answered: a text for people, and whether it is there."""

    alive: bool
    text: str


answers: dict[str, Answer] = {}
"""The last answer of each address that was asked."""
_running_requests = 0
_lock = threading.Lock()
_asking = False
_last_question = 0.0
_shown: BackendStatus | None = None


@contextmanager
def request_running() -> Iterator[None]:
    """Count a request, during which the backend is busy."""
    global _running_requests
    with _lock:
        _running_requests += 1
    try:
        yield
    finally:
        with _lock:
            _running_requests -= 1


def backend_status(context: bpy.types.Context) -> BackendStatus:
    """The status, from what is known without asking the backend."""
    preferences = addon_preferences(context)
    if backend_launcher.starting:
        return BackendStatus("starting")
    if preferences.location == "SERVER":
        return BackendStatus("busy") if _running_requests else _server_status(preferences.address.strip())
    running = backend_launcher.current
    if running is None:
        return BackendStatus("off", "Starts with the first request")
    if running.ended:
        return BackendStatus("lost", "It ended unexpectedly")
    return BackendStatus("busy") if _running_requests else _embedded_status(running)


def _embedded_status(running: backend_launcher.RunningBackend) -> BackendStatus:
    if not answers.get(running.address, Answer(True, "")).alive:
        return BackendStatus("lost", "It does not answer")
    return BackendStatus(
        "ready", "Started outside this Blender" if running.process is None else backend_launcher.remark
    )


def _server_status(address: str) -> BackendStatus:
    answer = answers.get(address)
    if answer is None:
        return BackendStatus("off", "Not tested")
    return BackendStatus("ready" if answer.alive else "lost", answer.text)


def register_timer() -> None:
    """Keep the status up to date."""
    bpy.app.timers.register(_update, first_interval=_TIMER_INTERVAL, persistent=True)


def unregister_timer() -> None:
    """Stop what `register_timer` has started."""
    if bpy.app.timers.is_registered(_update):
        bpy.app.timers.unregister(_update)
    answers.clear()


def _update() -> float:
    """Ask the backend if it is time to, and redraw the sidebars if the status has changed. Blender's timer calls it."""
    global _shown
    try:
        status = backend_status(bpy.context)
        _ask_if_due(bpy.context)
        if status != _shown:
            _shown = status
            for window in window_manager(bpy.context).windows:
                for area in window.screen.areas:
                    if area.type == "VIEW_3D":
                        area.tag_redraw()
    except Exception as error:  # Blender removes a timer that raises without a word
        print(f"Pas de Deux: the backend's status could not be read ({type(error).__name__}: {error})")
    return _TIMER_INTERVAL


def _ask_if_due(context: bpy.types.Context) -> None:
    """Ask the backend on a thread, unless it works, was asked a moment ago, or is a server that was never reached."""
    global _asking, _last_question
    preferences = addon_preferences(context)
    running = backend_launcher.current
    if preferences.location == "SERVER":
        address, interval = preferences.address.strip(), _ASK_SERVER_INTERVAL
        keys = Path(bpy.path.abspath(preferences.keys)) if preferences.keys else None
        if address not in answers:
            return
    elif running is not None and not running.ended:
        address, interval, keys = running.address, _ASK_INTERVAL, running.keys
    else:
        return
    if _asking or _running_requests or time.monotonic() - _last_question < interval:
        return
    _asking, _last_question = True, time.monotonic()
    threading.Thread(target=_ask, args=(address, keys), daemon=True).start()


def _ask(address: str, keys: Path | None) -> None:
    global _asking
    try:
        Client(address, _ASK_TIMEOUT, keys=keys).hello()
    except BackendError:
        if not _running_requests:
            answers[address] = Answer(False, "It does not answer")
    else:
        if not answers.get(address, Answer(False, "")).alive:
            answers[address] = Answer(True, "")
    finally:
        _asking = False
