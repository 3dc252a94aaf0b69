"""The scene's music settings: MIDI to dance to, options of dance generation and composition, and their beat markers."""

import bpy

from backend.model_registry import REGISTRY

_PARTS = [
    ("drums", "Drums", "Drum kit"),
    ("bass", "Bass", "Monophonic bass"),
    ("melody", "Melody", "Melody and chords"),
]


def seed_property(result: str) -> object:
    """A property for the random seed of a generated `result`."""
    description = f"Random seed: the same seed gives the same {result}"
    return bpy.props.IntProperty(name="Seed", description=description, min=0)  # type: ignore[func-returns-value]


class PASDEDEUX_PG_beat(bpy.types.PropertyGroup):
    """Name and frame of a timeline marker that was added for a beat"""

    frame: bpy.props.IntProperty()  # type: ignore[valid-type]


class PASDEDEUX_PG_music(bpy.types.PropertyGroup):
    """The music to dance to, and the music to compose"""

    midi: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="MIDI File", description="Music to dance to (.mid, .midi, .kar or .rmi)", subtype="FILE_PATH"
    )
    bars: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Bars",
        description="First and last bar to dance to, such as 9-24; a pickup counts as bar 1",
    )
    track: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Track",
        description="Number of the MIDI file's track to dance to; 0: all, unless each is a piece of its own",
        min=0,
    )
    dancer: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Model", description="Model that generates the dance", items=REGISTRY.choices("dance")
    )
    duet: bpy.props.BoolProperty(name="Duet", description="Generate a couple instead of a single dancer")  # type: ignore[valid-type]
    energy: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Energy",
        description="Amount of movement: 0.5 is calm, 2 is lively",
        default=1.0,
        min=0.5,
        max=2.0,
        precision=2,
    )
    dance_seed: seed_property("dance")  # type: ignore[valid-type]
    composer: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Model", description="Model that composes the music", items=REGISTRY.choices("compose")
    )
    parts: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Parts",
        description="Instruments to compose for",
        items=_PARTS,
        options={"ENUM_FLAG"},
        default={"drums", "bass", "melody"},
    )
    tempo: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Tempo",
        description="Beats per minute, from 30 to 300; 0: detected from the dance",
        min=0.0,
        max=300.0,
        precision=1,
    )
    music_seed: seed_property("music")  # type: ignore[valid-type]
    out: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Music",
        description="MIDI file to write, with a WAV file next to it; empty: music.mid next to the .blend file",
        subtype="FILE_PATH",
    )
    beats: bpy.props.CollectionProperty(type=PASDEDEUX_PG_beat)  # type: ignore[valid-type]


CLASSES = (PASDEDEUX_PG_beat, PASDEDEUX_PG_music)
