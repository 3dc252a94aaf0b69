"""Whether a scene holds animation of any kind, whose timing a change of the frame rate would spoil."""

from collections.abc import Iterator

import bpy


def holds_animation(scene: bpy.types.Scene) -> bool:
    """Whether anything that the scene may use is animated: an object, material, camera, sound or video strip, marker.

    Objects and settings of other scenes do not count; materials, meshes and the like always do.
    """
    editor = scene.sequence_editor
    strips = (editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all) if editor else ()
    return bool(len(strips) or len(scene.timeline_markers) or any(map(_is_animated, _data_blocks(scene))))


def _data_blocks(scene: bpy.types.Scene) -> Iterator[bpy.types.ID]:
    """The scene, its objects, and every data-block of the file that is no object or scene."""
    yield scene
    yield from scene.objects
    for prop in bpy.data.bl_rna.properties:
        # Blender 5.2 has a collection of all data-blocks, too.
        if prop.type == "COLLECTION" and prop.identifier not in ("objects", "scenes"):
            for block in getattr(bpy.data, prop.identifier):
                if not isinstance(block, (bpy.types.Object, bpy.types.Scene)):
                    yield block


def _is_animated(block: bpy.types.ID) -> bool:
    """Whether a data-block or its node tree has an action, NLA strips, or a driver that depends on the frame."""
    for owner in (block, getattr(block, "node_tree", None)):
        animation: bpy.types.AnimData | None = getattr(owner, "animation_data", None)
        if animation is None:
            continue
        if animation.action is not None or any(len(track.strips) for track in animation.nla_tracks):
            return True
        if any("frame" in curve.driver.expression for curve in animation.drivers if curve.driver):
            return True
    return False
