"""Drive Blender's own window by simulated events, inside Blender: click, drag, type, take pictures, run a story.

A story is a generator that yields how long to wait: seconds, or a condition and the seconds within which it must hold.
It runs on a timer, between Blender's own event handling. Blender must have been started with `--enable-event-simulate`.
"""

import json
import os
import subprocess
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import bpy

Wait = float | tuple[Callable[[], bool], float]
Story = Generator[Wait, None, Any]

OUT = Path(os.environ.get("WINDOW_OUT", "."))
_TICK = 0.05
"""s between two steps of a story."""
_FAST = 0.005
"""s between two calls of the timer that measures stalls."""
_HOVER = 0.05
"""s after which Blender has highlighted the button below the mouse."""


class StoryFailed(Exception):
    """What a step expected and did not find, as one sentence."""


def run(story: Callable[[], Story]) -> None:
    """Run a story, write report.json and quit Blender."""
    steps: list[dict[str, Any]] = []
    current = story()
    waiting: list[Any] = [None]

    def tick() -> float | None:
        try:
            condition, left = waiting[0] or (None, 0.0)
            if condition is not None and not condition():
                if left <= 0.0:
                    raise StoryFailed(f"{_last_step(steps)}: {condition.__name__} did not come true")
                waiting[0] = condition, left - _TICK
                return _TICK
            wait = next(current)
            waiting[0] = wait if isinstance(wait, tuple) else None
            return _TICK if isinstance(wait, tuple) else wait
        except StopIteration:
            _report(steps, None)
        except BaseException as error:
            traceback.print_exc()
            picture("failure")
            _report(steps, f"{type(error).__name__}: {error}")
        os._exit(0)

    _steps.append(steps)
    bpy.app.timers.register(tick, first_interval=2.0, persistent=True)


_steps: list[list[dict[str, Any]]] = []
_figures: dict[str, float] = {}


def step(text: str) -> None:
    """Note what the story does next."""
    _end_step(_steps[-1])
    _steps[-1].append({"step": text, "started": time.monotonic()})
    print(f"STEP {text}", flush=True)


def note(text: str) -> None:
    """Note what the last step showed."""
    _steps[-1][-1]["seen"] = text
    print(f"     {text}", flush=True)


def figure(name: str, value: float) -> None:
    """Note what was measured."""
    _figures[name] = round(value, 3)
    print(f"     {name}: {value:.3f}", flush=True)


class Watch:
    """Blender's main thread, seen by a timer: its stalls, and when conditions come true, since `restart`.

    A stall is the time between two calls of the timer, which a free main thread makes every 5 ms.
    """

    def __init__(self, **conditions: Callable[[], bool]) -> None:
        self.conditions = conditions
        self.restart()
        bpy.app.timers.register(self._tick, persistent=True)

    def restart(self) -> None:
        """Forget what was before."""
        self.started = self._last = time.monotonic()
        self.stall = 0.0
        self.seconds: dict[str, float] = {}
        """s from the start until each condition came true."""
        self.stalls: dict[str, float] = {}
        """s of the stall in which each condition came true, and which `stall` leaves out."""

    def seen(self, name: str) -> Callable[[], bool]:
        """Whether a condition has come true, to wait for."""

        def was_seen() -> bool:
            return name in self.seconds

        was_seen.__name__ = name
        return was_seen

    def _tick(self) -> float:
        now = time.monotonic()
        stall, self._last = now - self._last, now
        came_true = [n for n, holds in self.conditions.items() if n not in self.seconds and holds()]
        for name in came_true:
            self.seconds[name], self.stalls[name] = now - self.started, stall
        if not came_true:
            self.stall = max(self.stall, stall)
        return _FAST


def expect(condition: object, text: str) -> None:
    """Raise StoryFailed with the text unless the condition holds."""
    if not condition:
        raise StoryFailed(f"{_last_step(_steps[-1])}: {text}")


def picture(name: str) -> None:
    """Take a picture of the screen from the X server."""
    if _steps[-1]:
        _steps[-1][-1].setdefault("pictures", []).append(f"{name}.png")
    subprocess.run(["import", "-window", "root", str(OUT / f"{name}.png")], check=True)


def window() -> bpy.types.Window:
    """The main window."""
    return bpy.context.window_manager.windows[0]


def area(kind: str = "VIEW_3D") -> bpy.types.Area:
    """The largest area of a kind in the main window."""
    return max((a for a in window().screen.areas if a.type == kind), key=lambda a: a.width * a.height)


def region(kind: str, of: bpy.types.Area) -> bpy.types.Region:
    """A region of an area."""
    return next(each for each in of.regions if each.type == kind)


def move(x: float, y: float) -> None:
    """Move the mouse, in pixels from the window's lower left."""
    window().event_simulate(type="MOUSEMOVE", value="NOTHING", x=int(x), y=int(y))


def key(kind: str, **modifiers: Any) -> None:
    """Press and release a key at the mouse."""
    for value in ("PRESS", "RELEASE"):
        window().event_simulate(type=kind, value=value, x=_mouse[0], y=_mouse[1], **modifiers)


_mouse = [0, 0]


def hover(x: float, y: float) -> Iterator[Wait]:
    """Move the mouse and wait for the highlight."""
    _mouse[:] = int(x), int(y)
    move(x - 1, y)
    move(x, y)
    yield _HOVER


def click(x: float, y: float, **modifiers: Any) -> Iterator[Wait]:
    """Click with the left button."""
    yield from hover(x, y)
    key("LEFTMOUSE", **modifiers)
    yield 0.3


def drag(start: tuple[float, float], end: tuple[float, float], steps: int = 10) -> Iterator[Wait]:
    """Drag with the left button from one place to another."""
    yield from hover(*start)
    window().event_simulate(type="LEFTMOUSE", value="PRESS", x=int(start[0]), y=int(start[1]))
    for n in range(1, steps + 1):
        yield _TICK
        move(start[0] + (end[0] - start[0]) * n / steps, start[1] + (end[1] - start[1]) * n / steps)
    yield _TICK
    window().event_simulate(type="LEFTMOUSE", value="RELEASE", x=int(end[0]), y=int(end[1]))
    yield 0.2


def _last_step(steps: list[dict[str, Any]]) -> str:
    return str(steps[-1]["step"]) if steps else "start"


def _end_step(steps: list[dict[str, Any]]) -> None:
    """Note how long the last step took."""
    if steps:
        steps[-1]["seconds"] = round(time.monotonic() - steps[-1].pop("started"), 1)


def _report(steps: list[dict[str, Any]], failure: str | None) -> None:
    _end_step(steps)
    report = {"steps": steps, "figures": _figures, "failure": failure}
    (OUT / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False))
