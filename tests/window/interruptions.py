"""The window's story, third part: what a job costs, and what may come in its way."""

import math
import sys
import time
from collections.abc import Iterator

import bpy
import driver
import sidebar
from driver import Wait, area, expect, note, picture, region, step
from duet import (
    LEADER,
    LONG,
    action,
    backend_state,
    generate,
    has_partner,
    has_preview,
    is_busy,
    is_idle,
    leader,
    partner,
    point_at_viewport,
    settings,
    wait_for_take,
)

_IDLE_SECONDS = 10.0


def measure_a_job() -> Iterator[Wait]:
    step("Click Generate Partner and leave the mouse at rest, after as long without a job")
    shown = action(partner())
    yield from sidebar.open_panel("PASDEDEUX_PT_partner")
    x, y = yield from sidebar.find_button("pasdedeux.generate_partner")
    yield from driver.hover(x, y)
    watch = driver.Watch(moves=has_preview, idle=is_idle)
    for name, pause in (("idle", 0.5), ("idle, redrawn ten times a second", 0.1)):
        yield 1.0
        watch.restart()
        end = time.monotonic() + _IDLE_SECONDS
        while time.monotonic() < end:
            if pause == 0.1:
                area().tag_redraw()
            yield pause
        driver.figure(f"s of the longest stall, {name}", watch.stall)
    watch.restart()
    driver.key("LEFTMOUSE")
    yield is_busy, 10.0
    watch.seconds.pop("idle", None)
    yield watch.seen("idle"), 2 * LONG
    yield 0.5
    driver.figure("s to visible movement of a job of 3,000 frames", watch.seconds["moves"])
    driver.figure("s of a job of 3,000 frames", watch.seconds["idle"])
    driver.figure("s of the longest stall while it runs", watch.stall)
    driver.figure("s of the stall in which movement is first shown", watch.stalls["moves"])
    driver.figure("s of the stall in which the result is applied", watch.stalls["idle"])
    expect(action(partner()) != shown, "there is no other take")


def transform_meanwhile() -> Iterator[Wait]:
    step("Click Generate Partner, press G over the leader and move it until the job is done, click")
    count, shown = len(settings().take_list), action(partner())
    yield from sidebar.open_panel("PASDEDEUX_PT_partner")
    yield from sidebar.press("pasdedeux.generate_partner")
    job = sys.modules[f"{sidebar.EXTENSION}.background_job"].main_slot.job
    expect(job is not None, "the partner was there before one could press G")
    yield from point_at_viewport()
    driver.key("G")
    yield 0.3
    tools = [tool.bl_idname for tool in driver.window().modal_operators]
    expect("TRANSFORM_OT_translate" in tools, f"G starts no transform: {', '.join(tools)}")
    middle, place = region("WINDOW", area()), leader().location.copy()

    def has_ended() -> bool:
        """The job's thread has ended"""
        return not job._thread.is_alive()

    end = time.monotonic() + LONG
    while not has_ended() and time.monotonic() < end:
        yield from driver.hover(middle.x + middle.width / 2 + 90 * math.sin(time.monotonic()), middle.y + 200)
    yield from driver.hover(middle.x + middle.width / 2 + 60, middle.y + 200)
    yield 1.0
    picture("15-transform")
    expect(len(settings().take_list) == count, "the result was applied while the leader was moved")
    driver.key("LEFTMOUSE")
    yield from wait_for_take(shown)
    expect((leader().location - place).length > 0.01, "the leader was not moved")
    note(f"{', '.join(tools)}; {len(settings().take_list)} takes, {action(partner()).name} is shown")
    yield from point_at_viewport()
    for _ in range(2):
        driver.key("Z", ctrl=True)
        yield 1.5
    expect((leader().location - place).length < 1e-4, "undo did not bring the leader back")


def use_the_backend_panel() -> Iterator[Wait]:
    step("Open the Backend panel, press its button to stop and to start the backend")
    yield from sidebar.open_panel("PASDEDEUX_PT_backend")
    picture("16-backend-ready")
    yield from sidebar.press("pasdedeux.stop_backend")
    yield (lambda: backend_state() == "off"), 10.0
    yield 1.0
    picture("17-backend-off")
    yield from sidebar.press("pasdedeux.start_backend")
    yield (lambda: backend_state() == "ready" and is_idle()), 60.0
    yield 1.5
    picture("18-backend-started")


def make_a_new_file_meanwhile() -> Iterator[Wait]:
    step("Click Generate Partner, make a new file meanwhile; import and generate there")
    yield from sidebar.open_panel("PASDEDEUX_PT_partner")
    yield from sidebar.press("pasdedeux.generate_partner")
    expect(is_busy(), "the partner was there before the new file")
    bpy.ops.wm.read_homefile()
    yield 2.0
    expect(is_idle(), "the job outlived its file")
    expect(not settings().take_list and not has_preview(), "the job left something in the new file")
    yield from start_again()
    picture("19-new-file")


def disable_meanwhile() -> Iterator[Wait]:
    step("Click Generate Partner, disable the extension meanwhile and enable it again; generate")
    count = len(bpy.data.objects)
    yield from sidebar.press("pasdedeux.generate_partner")
    expect(is_busy(), "the partner was there before the extension was disabled")
    started = time.monotonic()
    bpy.ops.preferences.addon_disable(module=sidebar.EXTENSION)
    driver.figure("s to disable the extension while a job runs", time.monotonic() - started)
    yield 2.0
    expect(len(bpy.data.objects) == count, "the job left objects behind")
    bpy.ops.preferences.addon_enable(module=sidebar.EXTENSION)
    sidebar.watch_panels()
    yield 1.0
    expect(is_idle(), "the extension is busy after it was enabled again")
    yield from generate()
    picture("20-enabled-again")


def start_again() -> Iterator[Wait]:
    """Show the Duet tab of a new file, import the leader and generate a partner."""
    if area().regions and region("UI", area()).width <= 1:
        yield from sidebar.open_tab()
    bpy.ops.pasdedeux.import_mocap(filepath=str(LEADER))
    yield 1.0
    yield from sidebar.open_panel("PASDEDEUX_PT_partner")
    yield from sidebar.press("pasdedeux.generate_partner")
    yield has_partner, LONG
    yield 1.0
