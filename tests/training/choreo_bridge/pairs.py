"""Small pairs for the tests of the choreographic bridge: parts of the sample dance, each with a score of its own."""

import json
from pathlib import Path

import numpy as np

from backend.music import midi
from backend.music.score import Note, Score, part_from_notes
from rigs.files import write
from rigs.motion import Motion
from rigs.sample_dance.salsa import sample_dance
from training.data.music_pairs import MANIFEST, Pair

STEP = 1.0 / 12.0
"""s: sixteenths at 180 beats a minute."""


def song(number: int, steps: int = 64) -> Score:
    """Four bars on every beat: a kick, a bass note and a melody, other ones for each number."""
    beats = range(0, steps, 4)
    drums = [Note(36 if beat % 8 else 38, 100, beat, beat + 1) for beat in beats]
    bass = [Note(28 + number, 80, beat, beat + 2) for beat in beats]
    melody = [Note(60 + (number + beat) % 12, 90, beat, beat + 4) for beat in beats]
    return Score(*(part_from_notes(notes, steps) for notes in (drums, bass, melody)), STEP * np.arange(steps + 1))


def dancer(number: int) -> Motion:
    """Six seconds of the sample dance."""
    return sample_dance()[60 * number : 60 * number + 180]


def pairs(count: int = 3) -> list[Pair]:
    """So many, no two of them with one recording or song."""
    return [Pair(f"take{n}", dancer(n), song(n), f"take{n}", f"song{n}") for n in range(count)]


def folder_of_pairs(folder: Path, count: int = 4) -> Path:
    """The same as files; the last two are for validation and for the test."""
    folder.mkdir()
    parts = ["train"] * (count - 2) + ["validation", "test"]
    for pair in pairs(count):
        write(folder / f"{pair.name}.npz", pair.dancer)
        midi.write(folder / f"{pair.name}.mid", pair.score)
    listed = [
        {"name": pair.name, "recording": pair.recording, "song": pair.song, "part": part}
        for pair, part in zip(pairs(count), parts, strict=True)
    ]
    (folder / MANIFEST).write_text(json.dumps({"synthetic": True, "pairs": listed}))
    return folder
