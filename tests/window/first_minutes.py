"""The window's story, first part: from the zip to a partner, takes, a redone range, a saved file and a preview."""

import os
from collections.abc import Iterator

import bpy
import driver
import sidebar
from driver import Wait, area, expect, note, picture, region, step
from duet import (
    LEADER,
    LONG,
    SCENE,
    action,
    action_frames,
    close,
    generate,
    has_leader,
    has_preview,
    is_busy,
    is_cancelled,
    is_idle,
    is_rendering,
    leader,
    partner,
    point_at_viewport,
    pose_at,
    scrub,
    settings,
    takes,
    wait_for_take,
)

ZIP = os.environ["WINDOW_ZIP"]
MODEL = os.environ.get("WINDOW_MODEL", "")
"""The model to generate with; empty: the default one."""


def install() -> Iterator[Wait]:
    step("Install the zip, as Preferences > Get Extensions > Install from Disk does (a drop cannot be simulated)")
    driver.key("ESC")  # the splash screen
    bpy.context.preferences.view.show_splash = False
    bpy.ops.extensions.package_install_files(filepath=ZIP, repo="user_default", enable_on_install=True)
    yield 1.0
    expect(sidebar.EXTENSION in bpy.context.preferences.addons, "the extension is not enabled")
    sidebar.watch_panels()
    step("Press N, click the Duet tab")
    yield from sidebar.open_tab()
    yield 0.5
    picture("01-duet-tab")


def import_leader() -> Iterator[Wait]:
    step("Delete the cube, click Import Mocap, choose the file")
    middle = region("WINDOW", area())
    yield from driver.hover(middle.x + middle.width / 2, middle.y + middle.height / 2)
    driver.key("X")
    yield 0.5
    driver.key("RET")
    yield 0.5
    yield from sidebar.press("pasdedeux.choose_mocap")
    yield lambda: len(bpy.context.window_manager.windows) > 1, 10.0
    browser = bpy.context.window_manager.windows[-1]
    files = next(a for a in browser.screen.areas if a.type == "FILE_BROWSER")
    yield lambda: files.spaces[0].params is not None, 10.0
    files.spaces[0].params.directory = str(LEADER.parent).encode()
    files.spaces[0].params.filename = LEADER.name
    yield 1.0
    with bpy.context.temp_override(window=browser, area=files, region=region("WINDOW", files)):
        bpy.ops.file.execute("INVOKE_DEFAULT")
    yield has_leader, 30.0
    yield 1.0
    yield from sidebar.press("pasdedeux.frame_pair")
    yield 1.0
    note(f"{leader().name}, {action_frames(leader())} frames")
    picture("02-leader")


def cancel_a_partner() -> Iterator[Wait]:
    step("Click Generate Partner, which starts the backend, too; when the first movement is there, click Cancel")
    before = set(bpy.data.objects.keys()), set(bpy.data.actions.keys())
    if MODEL:
        settings().model = MODEL
    x, y = yield from sidebar.find_button("pasdedeux.generate_partner")
    watch = driver.Watch(moves=has_preview, cancelled=is_cancelled, idle=is_idle)
    watch.restart()
    yield from driver.click(x, y)
    yield is_busy, 10.0
    place = yield from sidebar.find_cancel(y)
    yield watch.seen("moves"), LONG
    driver.figure("s from the first click on Generate Partner to visible movement", watch.seconds["moves"])
    expect(is_busy(), "the partner was there before it could be cancelled")
    yield from driver.hover(*place)
    watch.restart()
    yield from driver.click(*place)
    yield watch.seen("idle"), 5.0
    driver.figure("s from the click on Cancel until Blender handles it", watch.seconds["cancelled"])
    driver.figure("s from the click on Cancel to free buttons", watch.seconds["idle"])
    yield 0.5
    expect((set(bpy.data.objects.keys()), set(bpy.data.actions.keys())) == before, "cancelling left something behind")
    expect(settings().partner is None, "cancelling left a partner")
    picture("04-cancelled")


def generate_a_partner() -> Iterator[Wait]:
    step("Click Generate Partner, scrub the timeline while it works, wait")
    yield from sidebar.open_panel("PASDEDEUX_PT_partner")
    frame = bpy.context.scene.frame_current
    yield from sidebar.press("pasdedeux.generate_partner")
    yield is_busy, 10.0
    yield from scrub()
    expect(bpy.context.scene.frame_current != frame, "the timeline does not scrub while a job runs")
    picture("03-progress")
    yield is_idle, LONG
    yield 1.0
    expect(settings().partner is not None, "there is no partner")
    expect(action_frames(partner()) == action_frames(leader()), "the partner has another length than the leader")
    yield from sidebar.open_panel("PASDEDEUX_PT_leader")
    yield from sidebar.press("pasdedeux.frame_pair")
    bpy.context.scene.frame_set(150)
    yield from sidebar.open_panel("PASDEDEUX_PT_partner")
    yield from point_at_viewport()
    yield 1.0
    note(f"{partner().name}, {action_frames(partner())} frames, take {action(partner()).name}")
    picture("05-partner")


def generate_again() -> Iterator[Wait]:
    step("Click Generate Partner again: both takes are kept")
    first = action(partner())
    yield from generate()
    second = action(partner())
    expect(second != first and second.name != first.name, "the second take is the first one's action")
    expect({first.name, second.name} <= takes(), f"the list holds {', '.join(sorted(takes()))}")
    expect(first.use_fake_user, "the first take would not be saved")
    note(", ".join(sorted(takes())))
    picture("06-takes")


def switch_takes() -> Iterator[Wait]:
    step("Click the first take's eye in the Takes panel, then the second's")
    shown = action(partner())
    entries = [take.action for take in settings().take_list]
    other = next(entry for entry in entries if entry != shown)
    yield from sidebar.open_panel("PASDEDEUX_PT_takes")
    for take in (other, shown):
        yield from sidebar.press(f"pasdedeux.take_show(index={entries.index(take)})")
        yield 1.0
        expect(action(partner()) == take, f"{action(partner()).name} is shown, not {take.name}")
        yield from point_at_viewport()
        yield 0.5
        picture(f"06-take-{entries.index(take) + 1}")


def redo_a_range() -> Iterator[Wait]:
    step("Set the timeline's preview range to frames 200 to 260, click Redo Range")
    scene = bpy.context.scene
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 200, 260
    before, kept = action(partner()), pose_at(partner(), 100)
    yield from sidebar.open_panel("PASDEDEUX_PT_partner", "PASDEDEUX_PT_direction")
    yield from sidebar.press("pasdedeux.redo_range")
    yield from wait_for_take(before)
    scene.use_preview_range = False
    expect(action(partner()) != before, "the range was redone in place of the take")
    expect(close(pose_at(partner(), 100), kept), "a frame outside the range has moved")
    note(action(partner()).name)
    picture("07-redo-range")


def undo_and_redo() -> Iterator[Wait]:
    step("Undo by Ctrl Z, redo by Ctrl Shift Z")
    done = action(partner()).name
    yield from point_at_viewport()
    driver.key("Z", ctrl=True)
    yield 2.0
    undone = action(partner()).name
    expect(undone != done, "undo left the last take")
    yield from point_at_viewport()
    driver.key("Z", ctrl=True, shift=True)
    yield 2.0
    expect(action(partner()).name == done, f"redo shows {action(partner()).name}, not {done}")
    note(f"{done}, {undone}, {done}")


def save_and_reload() -> Iterator[Wait]:
    step("Save by Ctrl S, open the file again")
    bpy.ops.wm.save_as_mainfile(filepath=str(SCENE))
    bpy.context.scene.frame_set(120)
    yield from point_at_viewport()
    driver.key("S", ctrl=True)
    yield 1.0
    before, shown, pose = takes(), action(partner()).name, pose_at(partner(), 120)
    bpy.ops.wm.open_mainfile(filepath=str(SCENE))
    yield 3.0
    expect(takes() == before, f"after loading the list holds {', '.join(sorted(takes()))}")
    expect(action(partner()).name == shown, "another take is shown after loading")
    expect(close(pose_at(partner(), 120), pose), "the partner has another pose after loading")
    note(f"{len(before)} takes, {shown} is shown")
    picture("08-reloaded")


def render_a_preview() -> Iterator[Wait]:
    step("Click Render Preview, scrub while it renders, wait")
    video = SCENE.with_name("duet.mp4")
    settings().preview_settings.frames = "CUSTOM"
    settings().preview_settings.first, settings().preview_settings.last = 1, 60
    yield from sidebar.open_panel("PASDEDEUX_PT_preview")
    yield from sidebar.press("pasdedeux.render_preview")
    yield is_rendering, 10.0
    yield 1.0
    picture("12-preview")
    yield from scrub()
    yield (lambda: not is_rendering()), 2 * LONG
    yield 1.0
    expect(video.exists() and video.stat().st_size > 10_000, f"there is no video at {video.name}")
    note(f"{video.name}, {video.stat().st_size // 1024} KB")
