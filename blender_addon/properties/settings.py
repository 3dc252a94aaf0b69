"""The scene's property group `scene.pas_de_deux`: leader, partner, model and its options, preview."""

import bpy

from backend.model_registry import REGISTRY
from rigs.choreography.devices import DELAYED, DEVICES, Choreography, device_choices
from rigs.retargeting.key_reduction import Tolerance

from ..context_access import active_scene
from .direction_settings import DirectionProperties
from .held_bones import PASDEDEUX_PG_hold
from .music_settings import PASDEDEUX_PG_music, seed_property
from .notices import PASDEDEUX_PG_notice
from .preview_settings import PASDEDEUX_PG_preview
from .retarget_settings import PASDEDEUX_PG_retargeting, armature_pointer
from .take_list import PASDEDEUX_PG_take


class PASDEDEUX_PG_settings(DirectionProperties, bpy.types.PropertyGroup):
    """The scene's leader and partner, and how the partner is generated"""

    leader: armature_pointer("Leader", "Dancer to generate a partner for: any humanoid armature")  # type: ignore[valid-type]
    partner: armature_pointer("Partner", "Humanoid armature to animate; empty: a new dancer is added")  # type: ignore[valid-type]
    model: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Model",
        description="Model or choreographic device that generates the partner",
        # Models need a backend, choreographic devices need none.
        items=[*REGISTRY.choices("partner"), *device_choices()],
    )
    delay: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Delay",
        description="Delay of a canon, or length of a question and of its answer",
        default=Choreography.delay,
        min=0.25,
        soft_max=64.0,
        precision=2,
    )
    delay_in: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Unit",
        description="Unit of the delay",
        items=[
            ("beats", "Beats", "Beats detected in the leader's movement"),
            ("frames", "Frames", "Frames of the scene"),
        ],
    )
    formation: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Formation",
        description="Where the partner stands relative to the leader",
        items=[
            ("facing", "Facing", "In front, face to face"),
            ("side-by-side", "Side by Side", "To the leader's right, facing the same way"),
            ("behind", "Behind", "Behind the leader, facing the same way"),
            ("orbiting", "Orbiting", "In front, moving around the leader step by step"),
        ],
    )
    distance: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Distance",
        description="Metres between the two dancers in the first frame; in a scaled leader's own metres",
        default=Choreography.distance,
        min=0.3,
        max=100.0,
        soft_max=5.0,
    )
    role: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Role",
        description="Whether the generated partner follows or leads",
        items=[
            ("follow", "Follows", "The partner follows the given dancer"),
            ("lead", "Leads", "The partner leads the given dancer"),
        ],
    )
    seed: seed_property("partner")  # type: ignore[valid-type]
    takes: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Takes",
        description="Number of alternative partners to generate; each is kept as an action",
        default=1,
        min=1,
        max=16,
    )
    fewer_keys: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Fewer Keys",
        description="Key generated dancers only where the movement needs it, within half a degree and a millimetre",
    )
    retargeting: bpy.props.PointerProperty(type=PASDEDEUX_PG_retargeting)  # type: ignore[valid-type]
    music: bpy.props.PointerProperty(type=PASDEDEUX_PG_music)  # type: ignore[valid-type]
    take_list: bpy.props.CollectionProperty(type=PASDEDEUX_PG_take)  # type: ignore[valid-type]
    take_index: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Take", description="Take that is chosen in the list", min=0
    )
    notices: bpy.props.CollectionProperty(type=PASDEDEUX_PG_notice)  # type: ignore[valid-type]
    held_bones: bpy.props.CollectionProperty(type=PASDEDEUX_PG_hold)  # type: ignore[valid-type]
    preview: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Preview",
        description="Video file to write; empty: duet.mp4 next to the .blend file",
        subtype="FILE_PATH",
    )
    sound: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Sound",
        description="Sound file that starts with the preview; empty: the scene's Video Sequencer",
        subtype="FILE_PATH",
    )
    preview_settings: bpy.props.PointerProperty(type=PASDEDEUX_PG_preview)  # type: ignore[valid-type]


def is_choreographic_device(settings: PASDEDEUX_PG_settings) -> bool:
    """Whether the partner is choreographed by a rule, without a backend."""
    return settings.model in DEVICES


def uses_delay(settings: PASDEDEUX_PG_settings) -> bool:
    """Whether the chosen device has a delay."""
    return settings.model in DELAYED


def key_tolerance(settings: PASDEDEUX_PG_settings) -> Tolerance | None:
    """The tolerance of generated dancers' keys; None to key every frame."""
    return Tolerance() if settings.fewer_keys else None


def scene_settings(context: bpy.types.Context) -> PASDEDEUX_PG_settings:
    """The scene's settings, `scene.pas_de_deux`."""
    settings: PASDEDEUX_PG_settings = active_scene(context).pas_de_deux  # type: ignore[attr-defined]
    return settings


CLASSES = (PASDEDEUX_PG_settings,)
