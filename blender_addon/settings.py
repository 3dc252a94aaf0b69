"""What a scene remembers about its duet: `scene.pas_de_deux`."""

import bpy

from . import armatures
from .retarget_options import PASDEDEUX_PG_retargeting
from .scenes import scene_of


def _is_dancer(_: bpy.types.PropertyGroup, thing: bpy.types.Object) -> bool:
    return armatures.is_dancer(thing)


class PASDEDEUX_PG_settings(bpy.types.PropertyGroup):
    """The two dancers of a scene and how the partner is made"""

    leader: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Leader",
        description="The dancer that is there already",
        type=bpy.types.Object,
        poll=_is_dancer,
    )
    partner: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Partner",
        description="The dancer to be moved; empty, a dancer is added",
        type=bpy.types.Object,
        poll=_is_dancer,
    )
    model: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Model",
        description="What dreams up the partner's movement",
        items=[("duet-vae", "Duet VAE", "Learned from salsa couples; one step after the other")],
    )
    role: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Role",
        description="What the generated partner does",
        items=[
            ("follow", "Follows", "The partner follows the dancer that is there"),
            ("lead", "Leads", "The partner leads the dancer that is there"),
        ],
    )
    seed: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Seed",
        description="Another number gives another partner, the same number the same",
        min=0,
    )
    takes: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Takes",
        description="How many different partners to generate; each is kept as an action",
        default=1,
        min=1,
        max=16,
    )
    retargeting: bpy.props.PointerProperty(type=PASDEDEUX_PG_retargeting)  # type: ignore[valid-type]
    preview: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Preview",
        description="The video to write; empty, duet.mp4 beside the .blend file",
        subtype="FILE_PATH",
    )


def of(context: bpy.types.Context) -> PASDEDEUX_PG_settings:
    """The scene's settings."""
    settings: PASDEDEUX_PG_settings = scene_of(context).pas_de_deux  # type: ignore[attr-defined]
    return settings


CLASSES = (PASDEDEUX_PG_settings,)
