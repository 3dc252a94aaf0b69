"""Panels of the Duet tab in the 3D Viewport's sidebar, from the leader to the preview and the backend."""

from . import backend, bone_map, direction, editing, leader, music, partner, preview, retarget, takes

CLASSES: tuple[type, ...] = (
    *leader.CLASSES,
    *partner.CLASSES,
    *direction.CLASSES,
    *takes.CLASSES,
    *editing.CLASSES,
    *music.CLASSES,
    *retarget.CLASSES,
    *bone_map.CLASSES,
    *preview.CLASSES,
    *backend.CLASSES,
)
"""The panels in the order in which they are shown."""
