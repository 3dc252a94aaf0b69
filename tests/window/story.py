"""What `make window` does in Blender's window: an animator's first minutes, from the zip to a preview; runs in Blender.

Each step is done by clicks and keys, then checked in the scene, and a picture is taken.
"""

import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import bpy
import driver
import sidebar
from driver import Story, Wait, area, expect, note, picture, region, step

ZIP, LEADER = os.environ["WINDOW_ZIP"], Path(os.environ["WINDOW_LEADER"])
MODEL = os.environ.get("WINDOW_MODEL", "")
"""The model to generate with; empty: the default one."""
SCENE = driver.OUT / "duet.blend"
_IDLE_SECONDS = 10.0
_LONG = 120.0
"""s within which a partner must have been generated, on a busy machine without a GPU."""


def story() -> Story:
    """The steps in WINDOW_STEPS, or all of them."""
    chosen = os.environ.get("WINDOW_STEPS", "").split()
    for part in STORY:
        if not chosen or part.__name__ in chosen:
            yield from part()


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
    watch = driver.Watch(moves=has_preview, idle=is_idle)
    watch.restart()
    yield from driver.click(x, y)
    yield is_busy, 10.0
    place = yield from sidebar.find_cancel(y)
    yield watch.seen("moves"), _LONG
    driver.figure("s from the first click on Generate Partner to visible movement", watch.seconds["moves"])
    expect(is_busy(), "the partner was there before it could be cancelled")
    yield from driver.hover(*place)
    watch.restart()
    yield from driver.click(*place)
    yield watch.seen("idle"), 5.0
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
    yield is_idle, _LONG
    yield 1.0
    expect(settings().partner is not None, "there is no partner")
    expect(action_frames(partner()) == action_frames(leader()), "the partner has another length than the leader")
    yield from sidebar.open_panel("PASDEDEUX_PT_leader")
    yield from sidebar.press("pasdedeux.frame_pair")
    bpy.context.scene.frame_set(150)
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


def ask_about_doubtful_bones() -> Iterator[Wait]:
    step("Retarget to a rig whose bones' names say nothing: the dialog names the doubtful bones; Escape, then OK")
    source = leader()
    bpy.ops.pasdedeux.add_dancer()
    rig = bpy.context.view_layer.objects.active
    rig.name = "unnamed rig"
    for n, bone in enumerate(rig.data.bones):
        bone.name = f"Bone.{n:03}"
    rig.location.x = 2.0
    source.select_set(True)
    yield 1.0
    yield from sidebar.open_panel("PASDEDEUX_PT_retarget")
    x, y = yield from sidebar.find_button("pasdedeux.retarget(")
    yield from driver.click(x, y)
    yield 0.7
    picture("09-doubtful-bones")
    expect(is_idle() and rig.animation_data is None, "Retarget did not ask")
    driver.key("ESC")
    yield 1.0
    expect(is_idle() and rig.animation_data is None, "Escape did not stop Retarget")
    yield from driver.click(x, y)
    yield 0.7
    driver.key("RET")
    yield (lambda: rig.animation_data is not None and is_idle()), 60.0
    yield 1.0
    note(f"{action(rig).name}, {action_frames(rig)} frames")
    picture("10-retargeted")
    yield from driver.click(x, y)
    yield 3.0
    yield is_idle, 60.0
    expect(action(rig).name != "unnamed rig dance", "Retarget asked again after it was confirmed")


def see_an_impossible_map() -> Iterator[Wait]:
    step("Map Bones, choose the right hip's bone for the pelvis: both rows turn red and say why; Detect Again mends it")
    rig = bpy.context.view_layer.objects.active
    yield from sidebar.open_panel("PASDEDEUX_PT_bones")
    yield from sidebar.press("pasdedeux.map_bones()")
    joints = rig.data.pas_de_deux.joints
    expect(joints["pelvis"].bone == "Bone.000", "Map Bones left the pelvis open")
    joints["pelvis"].bone = joints["right_hip"].bone
    area().tag_redraw()
    yield 1.0
    picture("11-impossible-map")
    yield from sidebar.press("pasdedeux.map_bones(forget=True)")
    expect(joints["pelvis"].bone == "Bone.000", "Detect Again left the pelvis as it was")


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
    yield watch.seen("idle"), 2 * _LONG
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

    end = time.monotonic() + _LONG
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
    yield has_partner, _LONG
    yield 1.0


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
    yield (lambda: not is_rendering()), 2 * _LONG
    yield 1.0
    expect(video.exists() and video.stat().st_size > 10_000, f"there is no video at {video.name}")
    note(f"{video.name}, {video.stat().st_size // 1024} KB")


def generate() -> Iterator[Wait]:
    """Click Generate Partner and wait for the partner's next take."""
    shown = action(partner())
    yield from sidebar.open_panel("PASDEDEUX_PT_partner")
    yield from sidebar.press("pasdedeux.generate_partner")
    yield from wait_for_take(shown)


def wait_for_take(shown: bpy.types.Action) -> Iterator[Wait]:
    """Wait until the partner dances another take than the one shown."""

    def is_there() -> bool:
        """Another take is shown"""
        return is_idle() and action(partner()) != shown

    yield is_there, _LONG
    yield 1.0


def point_at_viewport() -> Iterator[Wait]:
    """Move the mouse over the 3D Viewport, where keys go."""
    middle = region("WINDOW", area())
    yield from driver.hover(middle.x + middle.width / 2, middle.y + middle.height / 3)


def takes() -> set[str]:
    """The names of the takes in the list."""
    return {take.action.name for take in settings().take_list if take.action}


def pose_at(dancer: bpy.types.Object, frame: int) -> list[tuple[float, ...]]:
    """Where the dancer's joints are in a frame, in world space."""
    now = bpy.context.scene.frame_current
    bpy.context.scene.frame_set(frame)
    places = [tuple(dancer.matrix_world @ bone.head) for bone in dancer.pose.bones]
    bpy.context.scene.frame_set(now)
    return places


def close(places: list[tuple[float, ...]], others: list[tuple[float, ...]]) -> bool:
    """Whether all places are within a millimetre of the others."""
    return all(math.dist(place, other) < 1e-3 for place, other in zip(places, others, strict=True))


def is_rendering() -> bool:
    """A preview is rendered"""
    return sys.modules[f"{sidebar.EXTENSION}.background_job"].preview_slot.job is not None


def scrub() -> Iterator[Wait]:
    """Drag along the timeline's upper edge."""
    timeline = area("DOPESHEET_EDITOR")
    strip = region("WINDOW", timeline)
    y = strip.y + strip.height - 12
    yield from driver.drag((strip.x + 0.2 * strip.width, y), (strip.x + 0.6 * strip.width, y))


def settings() -> Any:
    return bpy.context.scene.pas_de_deux


def leader() -> bpy.types.Object:
    return settings().leader


def partner() -> bpy.types.Object:
    return settings().partner


def action(dancer: bpy.types.Object) -> bpy.types.Action:
    assert dancer.animation_data
    return dancer.animation_data.action


def action_frames(dancer: bpy.types.Object) -> int:
    first, last = action(dancer).frame_range
    return int(last - first) + 1


def has_preview() -> bool:
    """A dancer shows the partner's first movement"""
    return "Partner preview" in bpy.data.objects


def has_partner() -> bool:
    """A partner was generated"""
    return partner() is not None and is_idle()


def backend_state() -> str:
    """What the Backend panel's light shows."""
    return str(sys.modules[f"{sidebar.EXTENSION}.operators.backend.status"].backend_status(bpy.context).state)


def has_leader() -> bool:
    """A leader was imported"""
    return leader() is not None and is_idle()


def is_busy() -> bool:
    """A job runs"""
    return not is_idle()


def is_idle() -> bool:
    """No job runs"""
    return sys.modules[f"{sidebar.EXTENSION}.background_job"].main_slot.job is None


STORY = (
    install,
    import_leader,
    cancel_a_partner,
    generate_a_partner,
    generate_again,
    switch_takes,
    redo_a_range,
    undo_and_redo,
    save_and_reload,
    render_a_preview,
    ask_about_doubtful_bones,
    see_an_impossible_map,
    measure_a_job,
    transform_meanwhile,
    use_the_backend_panel,
    make_a_new_file_meanwhile,
    disable_meanwhile,
)


driver.run(story)
