"""The scene's preview settings: frames, resolution, camera, characters, and the take that is rendered beside."""

from typing import Any

import bpy

_RESOLUTIONS = [(640, 360), (848, 480), (1280, 720), (1920, 1080)]


def _is_camera(_: bpy.types.PropertyGroup, obj: bpy.types.Object) -> bool:
    return obj.type == "CAMERA"


def _is_take(settings: Any, action: bpy.types.Action) -> bool:
    """Whether the action is one of the takes in the scene's list."""
    return any(take.action == action for take in settings.id_data.pas_de_deux.take_list)


class PASDEDEUX_PG_preview(bpy.types.PropertyGroup):
    """How the preview video is rendered"""

    frames: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Frames",
        description="Frames to render",
        items=[
            ("DANCE", "Whole Dance", "From the dancers' first keyframe to their last"),
            ("TIMELINE", "Timeline", "The timeline's preview range, else the scene's start and end frame"),
            ("CUSTOM", "From To", "The frames from the first to the last that are given here"),
        ],
    )
    first: bpy.props.IntProperty(name="From", description="First frame to render", default=1)  # type: ignore[valid-type]
    last: bpy.props.IntProperty(name="To", description="Last frame to render", default=250)  # type: ignore[valid-type]
    resolution: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Resolution",
        description="Width and height of the video in pixels",
        items=[
            *(
                (f"{width}x{height}", f"{width} x {height}", f"{width} by {height} pixels")
                for width, height in _RESOLUTIONS
            ),
            ("SCENE", "Scene", "The scene's resolution with its percentage"),
        ],
        default="848x480",
    )
    camera: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Camera",
        description="Camera that films the dancers",
        items=[
            ("AUTO", "Automatic", "A camera that follows the dancers and keeps them in frame"),
            ("SCENE", "Scene Camera", "The scene's active camera, with the cameras bound to markers"),
            ("OBJECT", "Chosen Camera", "The camera that is chosen here"),
        ],
    )
    camera_object: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Camera", description="Camera to render from", type=bpy.types.Object, poll=_is_camera
    )
    characters: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Characters",
        description="What dances in the video",
        items=[
            ("MANNEQUINS", "Mannequins", "A mannequin for each dancer, on a studio floor"),
            ("OWN", "Own Characters", "The scene as it renders, with its own characters, sets and materials"),
        ],
    )
    shading: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Shading",
        description="How own characters are rendered",
        items=[
            ("SOLID", "Solid", "Workbench with the colours and textures of the materials: fast"),
            ("RENDERED", "Rendered", "The scene's render engine with its materials and lights"),
        ],
    )
    beside: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Beside",
        description="Take to render beside the current one, both in one video; empty: the current one alone",
        type=bpy.types.Action,
        poll=_is_take,
    )


CLASSES = (PASDEDEUX_PG_preview,)
