"""The Duet tab in Blender's window: its panels are opened, and its buttons found and clicked, by simulated events.

A button is found by hovering: Blender copies the command or the data path of the one below the mouse.
"""

import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import bpy
import driver
from driver import Wait, area, expect, region, window

EXTENSION = "bl_ext.user_default.pas_de_deux"
_HEADER, _FIRST_HEADER = 28, 16
"""px: distance between the headers of closed panels, and of the first from the sidebar's upper edge."""
_TAB = 8
"""px: distance of the tabs' middle from the sidebar's right edge."""
_PROBE_STEP = 9
"""px between two probed heights; a button is at least 20 px high."""
_HIGHLIGHT = 0.3
"""s after which Blender has surely highlighted the button below the mouse."""
_COLUMNS, _FINE_COLUMNS = (0.3, 0.55, 0.8, 0.9), tuple(0.06 * n for n in range(1, 16))
"""Probed places in the sidebar's width: for most buttons, and for those that are only icons."""

_CROSS_COLUMNS = (0.91, 0.94, 0.88)

_drawn: list[str] = []
"""The panels that were drawn open, by class, since the list was cleared."""


def watch_panels() -> None:
    """Note from now on which panels Blender draws."""
    for cls in _panels():
        cls.draw = _noting(cls.__name__, cls.draw)


def open_tab() -> Iterator[Wait]:
    """Show the sidebar by N in the viewport, and click its tabs until it is the extension's."""
    view = area()
    middle = region("WINDOW", view)
    yield from driver.hover(middle.x + middle.width / 2, middle.y + middle.height / 2)
    driver.key("N")
    yield 1.0
    sidebar = region("UI", view)
    expect(sidebar.width > 100, "N does not show the sidebar")
    for y in range(sidebar.y + sidebar.height - 15, sidebar.y, -15):
        yield from driver.click(sidebar.x + sidebar.width - _TAB, y)
        if sidebar.active_panel_category == "Duet":
            return
    expect(False, "the sidebar has no Duet tab")


def open_panel(name: str, *sub_panels: str) -> Iterator[Wait]:
    """Close all panels, then open one by a click on its header, and sub-panels of it; by class name."""
    names = [cls.__name__ for cls in _panels() if not getattr(cls, "bl_parent_id", "")]
    sidebar = region("UI", area())
    x, top = sidebar.x + sidebar.width / 3, sidebar.y + sidebar.height - _FIRST_HEADER
    yield from _scroll_to_top(sidebar)
    yield from driver.click(x, top, ctrl=True)  # opens the first and closes the others
    if name != names[0]:
        yield from driver.click(x, top)
        # Panels that do not poll are not there, so that the header may be higher.
        for y in (top - _HEADER * n for n in range(names.index(name), 0, -1)):
            yield from driver.click(x, y)
            if (yield from _is_drawn(name)):
                break
            yield from driver.click(x, y)
    expect((yield from _is_drawn(name)), f"the panel {name} does not open")
    for sub_panel in sub_panels:
        yield from _open_sub_panel(sub_panel, x, top - _HEADER * names.index(name))


def press(text: str) -> Iterator[Wait]:
    """Click the button with that command or data path."""
    x, y = yield from find_button(text)
    yield from driver.click(x, y)


def find_cancel(below: float) -> Generator[Wait, None, tuple[float, float]]:
    """The place of Cancel, the cross at the right end of the progress bar under a button at that height."""
    place = yield from search_button("pasdedeux.cancel(", _CROSS_COLUMNS, highest=below - 22, lowest=below - 80)
    expect(place, "there is no progress bar with a cross")
    assert place
    return place


def find_button(text: str) -> Generator[Wait, None, tuple[float, float]]:
    """The place of the button with that command or data path."""
    place = (yield from search_button(text)) or (yield from search_button(text, _FINE_COLUMNS))
    expect(place, f"no button for {text} is in the sidebar")
    assert place
    return place


def search_button(
    text: str, columns: Sequence[float] = _COLUMNS, *, highest: float | None = None, lowest: float | None = None
) -> Generator[Wait, None, tuple[float, float] | None]:
    """The place of a button in the sidebar, or between two heights of it, or None."""
    sidebar = region("UI", area())
    top, bottom = highest or sidebar.y + sidebar.height - 12, lowest or sidebar.y + 8
    for y in range(int(top), int(bottom), -_PROBE_STEP):
        for share in columns:
            x = sidebar.x + share * (sidebar.width - 24)
            yield from driver.hover(x, y)
            if text in button_below_mouse():
                yield _HIGHLIGHT  # a busy Blender may still highlight the last button
                if text in button_below_mouse():
                    return x, y - 4
    return None


def button_below_mouse() -> str:
    """The command or the data path of the sidebar's highlighted button, as Blender copies it; empty without one."""
    manager, view = bpy.context.window_manager, area()
    with bpy.context.temp_override(window=window(), area=view, region=region("UI", view)):
        for copy in (bpy.ops.ui.copy_python_command_button, bpy.ops.ui.copy_data_path_button):
            if copy.poll():
                manager.clipboard = ""
                copy()
                if manager.clipboard:
                    return str(manager.clipboard)
    return ""


def _open_sub_panel(name: str, x: float, below: float) -> Iterator[Wait]:
    """Click below a panel's header, where there is no button, until the sub-panel is drawn."""
    sidebar = region("UI", area())
    for y in range(int(below) - _HEADER, sidebar.y, -_PROBE_STEP):
        yield from driver.hover(x, y)
        if button_below_mouse():
            continue
        yield from driver.click(x, y)
        if (yield from _is_drawn(name)):
            return
    expect(False, f"the sub-panel {name} does not open")


def _scroll_to_top(sidebar: bpy.types.Region) -> Iterator[Wait]:
    yield from driver.hover(sidebar.x + sidebar.width / 3, sidebar.y + sidebar.height / 2)
    for _ in range(20):
        if sidebar.view2d.region_to_view(0, sidebar.height)[1] >= 0.0:  # else the wheel would zoom the viewport
            return
        driver.key("WHEELUPMOUSE")
        yield 0.3


def _is_drawn(name: str) -> Generator[Wait, None, bool]:
    """Whether a panel is open: drawn when the sidebar is drawn again."""
    yield 0.3
    _drawn.clear()
    area().tag_redraw()
    yield 0.3
    return name in _drawn


def _noting(name: str, draw: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """A panel's draw function that notes its calls; Blender counts its arguments."""

    def noted(self: Any, context: Any) -> None:
        _drawn.append(name)
        draw(self, context)

    return noted


def _panels() -> list[Any]:
    classes = sys.modules[f"{EXTENSION}.panels"].CLASSES
    return [cls for cls in classes if issubclass(cls, bpy.types.Panel)]
