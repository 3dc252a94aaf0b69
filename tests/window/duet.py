"""What the window's story asks of the duet in the scene, and waits for."""

import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import driver
import sidebar
from driver import Wait, area, region

LEADER = Path(os.environ["WINDOW_LEADER"])
SCENE = driver.OUT / "duet.blend"
LONG = 120.0
"""s within which a partner must have been generated, on a busy machine without a GPU."""


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

    yield is_there, LONG
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


def is_cancelled() -> bool:
    """The running job was cancelled"""
    job = sys.modules[f"{sidebar.EXTENSION}.background_job"].main_slot.job
    return job is not None and job.cancelled()


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
