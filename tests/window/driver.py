"""Drive Blender's own window by simulated events, inside Blender: click, drag, type, take pictures, run a story.

A story is a generator that yields how long to wait: seconds, or a condition and the seconds within which it must hold.
It runs on a timer, between Blender's own event handling. Blender must have been started with `--enable-event-simulate`.
"""

import json
import os
import subprocess
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
_HOVER = 0.05
"""s after which Blender has highlighted the button below the mouse."""


class StoryFailed(Exception):
    """What a step expected and did not find, as one sentence."""


def run(story: Callable[[], Story]) -> None:
    """Run a story, write report.json and quit Blender."""
    steps: list[dict[str, str]] = []
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


_steps: list[list[dict[str, str]]] = []


def step(text: str) -> None:
    """Note what the story does next."""
    _steps[-1].append({"step": text})
    print(f"STEP {text}", flush=True)


def note(text: str) -> None:
    """Note what the last step showed."""
    _steps[-1][-1]["seen"] = text
    print(f"     {text}", flush=True)


def expect(condition: object, text: str) -> None:
    """Raise StoryFailed with the text unless the condition holds."""
    if not condition:
        raise StoryFailed(f"{_last_step(_steps[-1])}: {text}")


def picture(name: str) -> None:
    """Take a picture of the screen from the X server."""
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


def _last_step(steps: list[dict[str, str]]) -> str:
    return steps[-1]["step"] if steps else "start"


def _report(steps: list[dict[str, str]], failure: str | None) -> None:
    (OUT / "report.json").write_text(json.dumps({"steps": steps, "failure": failure}, indent=1, ensure_ascii=False))
