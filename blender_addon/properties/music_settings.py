"""Between music and dance: what a scene remembers of the music, of how it is danced to and of how it is made."""

import bpy

_DANCERS = [
    ("dance-flow", "Dance Flow", "Learned from dancers on the beats of music; lands its steps on them"),
    ("choreo-bridge", "Choreo Bridge", "The published way from music to movement, for comparison"),
]
_COMPOSERS = [
    ("score-flow", "Score Flow", "Learned from songs on the beats of dancers; plays in time with the steps"),
    ("choreo-bridge", "Choreo Bridge", "The published way from movement to music, for comparison"),
]
_PARTS = [
    ("drums", "Drums", "Drums play"),
    ("bass", "Bass", "A bass plays"),
    ("melody", "Melody", "A melody and its chords play"),
]
_HIGHEST_SEED = 2**31 - 1


class PASDEDEUX_PG_beat(bpy.types.PropertyGroup):
    """A marker that was put on the timeline for a beat, by its name and frame"""

    frame: bpy.props.IntProperty()  # type: ignore[valid-type]


class PASDEDEUX_PG_music(bpy.types.PropertyGroup):
    """The music that is danced to, and the music that is made for the dancers"""

    midi: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="MIDI File", description="The music to dance to: .mid or .midi", subtype="FILE_PATH"
    )
    bars: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Bars",
        description="The first and the last bar to dance to, such as 9-24; bar 1 is the pickup, where there is one",
    )
    dancer: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Model", description="What dreams up the dance", items=_DANCERS
    )
    duet: bpy.props.BoolProperty(name="Duet", description="Let a partner dance along")  # type: ignore[valid-type]
    energy: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Energy",
        description="How much movement: 0.5 for a calm dancer, 2 for a lively one",
        default=1.0,
        min=0.5,
        max=2.0,
        precision=2,
    )
    dance_seed: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Seed",
        description="Another number gives another dance, the same number the same",
        min=0,
        max=_HIGHEST_SEED,
    )
    composer: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Model", description="What dreams up the music", items=_COMPOSERS
    )
    parts: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Parts",
        description="Who plays",
        items=_PARTS,
        options={"ENUM_FLAG"},
        default={"drums", "bass", "melody"},
    )
    tempo: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Tempo",
        description="Beats a minute, from 30 to 300; 0 finds them in the dance",
        min=0.0,
        max=300.0,
        precision=1,
    )
    music_seed: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Seed",
        description="Another number gives other music, the same number the same",
        min=0,
        max=_HIGHEST_SEED,
    )
    out: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Music",
        description="The MIDI file to write, with a WAV beside it; empty, music.mid beside the .blend file",
        subtype="FILE_PATH",
    )
    beats: bpy.props.CollectionProperty(type=PASDEDEUX_PG_beat)  # type: ignore[valid-type]


CLASSES = (PASDEDEUX_PG_beat, PASDEDEUX_PG_music)
