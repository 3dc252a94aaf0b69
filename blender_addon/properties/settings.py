"""What a scene remembers about its duet: `scene.pas_de_deux`."""

import bpy

from rigs.choreography.devices import DELAYED, DEVICES, Choreography

from ..context_access import scene_of
from .music_settings import PASDEDEUX_PG_music
from .retarget_settings import PASDEDEUX_PG_retargeting

_MODELS = [
    ("partner-flow", "Partner Flow", "Learned from a salsa couple; eight frames at once, other takes for other seeds"),
    ("duet-vae", "Duet VAE", "Learned from a salsa couple; one step after the other"),
    ("unison", "Unison", "The same at the same time"),
    ("mirror", "Mirror", "The same as a mirror shows it"),
    ("canon", "Canon", "The same, some beats or frames later"),
    ("retrograde", "Retrograde", "The same from the end to the beginning"),
    ("opposition", "Opposition", "The opposite foot steps the opposite way, facing the other way"),
    ("question-and-answer", "Question and Answer", "Watch a phrase, then repeat it"),
]
"""The learned models, made by a backend, and the choreographic devices, which need none."""


def _is_armature(_: bpy.types.PropertyGroup, thing: bpy.types.Object) -> bool:
    return thing.type == "ARMATURE"


class PASDEDEUX_PG_settings(bpy.types.PropertyGroup):
    """The two dancers of a scene, how the partner is made, and their music"""

    leader: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Leader",
        description="The dancer that is there already: any armature with a dancer's bones",
        type=bpy.types.Object,
        poll=_is_armature,
    )
    partner: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Partner",
        description="The armature to be moved, with any dancer's bones; empty, a dancer is added",
        type=bpy.types.Object,
        poll=_is_armature,
    )
    model: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Model",
        description="What dreams up the partner's movement",
        items=_MODELS,
    )
    delay: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Delay",
        description="How much later a canon follows, or how long a question and an answer are",
        default=Choreography.delay,
        min=0.25,
        soft_max=64.0,
        precision=2,
    )
    delay_in: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="In",
        description="What the delay is counted in",
        items=[
            ("beats", "Beats", "Beats of the dance, found in the leader's movement"),
            ("frames", "Frames", "Frames of the scene"),
        ],
    )
    formation: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Formation",
        description="Where the partner stands, seen from the leader",
        items=[
            ("facing", "Facing", "In front, face to face"),
            ("side-by-side", "Side by Side", "At the leader's right, facing the same way"),
            ("behind", "Behind", "At the leader's back, facing the same way"),
            ("orbiting", "Orbiting", "In front, and step by step on around the leader"),
        ],
    )
    distance: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Distance",
        description="How far apart the two are in the first frame",
        default=Choreography.distance,
        min=0.3,
        max=100.0,
        soft_max=5.0,
        subtype="DISTANCE",
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
    music: bpy.props.PointerProperty(type=PASDEDEUX_PG_music)  # type: ignore[valid-type]
    preview: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Preview",
        description="The video to write; empty, duet.mp4 beside the .blend file",
        subtype="FILE_PATH",
    )
    sound: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Sound",
        description="The sound file with which the preview begins; empty, what the scene's sequencer plays",
        subtype="FILE_PATH",
    )


def is_device(wanted: PASDEDEUX_PG_settings) -> bool:
    """Whether the partner follows a rule, and no backend is needed."""
    return wanted.model in DEVICES


def is_delayed(wanted: PASDEDEUX_PG_settings) -> bool:
    """Whether the delay means something."""
    return wanted.model in DELAYED


def of(context: bpy.types.Context) -> PASDEDEUX_PG_settings:
    """The scene's settings."""
    settings: PASDEDEUX_PG_settings = scene_of(context).pas_de_deux  # type: ignore[attr-defined]
    return settings


CLASSES = (PASDEDEUX_PG_settings,)
