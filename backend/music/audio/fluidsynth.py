"""Scores through FluidSynth and a soundfont, on a machine that has them: real instruments instead of our own voices."""

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from backend.music.note_times import timed_notes
from backend.music.score import Score
from rigs import Array
from rigs.files import BadFile

SOUNDFONT_VARIABLE = "PASDEDEUX_SOUNDFONT"
"""The environment's word for the soundfont to play."""
_USUAL = Path("/usr/share/sounds/sf2")
_WANTED = ("FluidR3_GM.sf2", "default-GM.sf2")
_BUNDLED = "TimGM6mb.sf2"
_CHANNELS = {"melody": (0, 0, 0), "bass": (1, 0, 33), "drums": (9, 128, 0)}
"""Each part's channel, bank and program."""
_GAIN = 0.2
"""Low enough for FluidSynth's whole numbers never to run over; `_BACK` makes it as loud as our own voices."""
_BACK = 5.0
_WHOLE = 32768.0


def is_available() -> bool:
    """Whether FluidSynth is installed, with a soundfont to play."""
    return _library() is not None and find_soundfont() is not None


def find_soundfont() -> Path | None:
    """The soundfont of PASDEDEUX_SOUNDFONT, else the system's, else the small one of pretty_midi. Raises BadFile."""
    chosen = os.environ.get(SOUNDFONT_VARIABLE)
    if chosen:
        if not Path(chosen).is_file():
            raise BadFile(f"{SOUNDFONT_VARIABLE}={chosen}: a soundfont expected, no such file")
        return Path(chosen)
    usual = [_USUAL / name for name in _WANTED] + sorted(_USUAL.glob("*.sf2"))
    package = find_spec("pretty_midi")
    if package is not None and package.origin is not None:
        usual.append(Path(package.origin).with_name(_BUNDLED))
    return next((path for path in usual if path.is_file()), None)


def render(score: Score, seconds: float, rate: int) -> Array:
    """(N, 2) float32, left and right: so many seconds of a score. Raises BadFile for what is no soundfont."""
    library, font = _library(), find_soundfont()
    if library is None or font is None:
        raise ValueError(
            "FluidSynth and a soundfont expected: install fluidsynth, pyfluidsynth and a General MIDI .sf2"
        )
    synthesizer = library.Synth(gain=_GAIN, samplerate=float(rate))
    try:
        loaded = synthesizer.sfload(str(font))
        if loaded < 0:
            raise BadFile(f"{font.name}: a soundfont that FluidSynth can read expected")
        for channel, bank, program in _CHANNELS.values():
            synthesizer.program_select(channel, loaded, bank, program)
        return _played(synthesizer, score, round(seconds * rate), rate)
    finally:
        synthesizer.delete()


def _played(synthesizer: Any, score: Score, samples: int, rate: int) -> Array:
    """(samples, 2) float32 of a synthesizer that has its programs."""
    blocks, now = [], 0
    for at, begins, channel, pitch, velocity in _events(score, rate):
        if at > now:
            blocks.append(synthesizer.get_samples(at - now))
            now = at
        if begins:
            synthesizer.noteon(channel, pitch, velocity)
        else:
            synthesizer.noteoff(channel, pitch)
    blocks.append(synthesizer.get_samples(max(samples - now, 0)))
    return np.concatenate(blocks).reshape(-1, 2)[:samples].astype(np.float32) * np.float32(_BACK / _WHOLE)


def _events(score: Score, rate: int) -> list[tuple[int, bool, int, int, int]]:
    """Notes' ends and beginnings in their order: the sample, whether one begins, its channel, pitch and velocity."""
    events = []
    for name, (channel, _, _) in _CHANNELS.items():
        for note in timed_notes(score, getattr(score, name)):
            events.append((round(note.start * rate), True, channel, note.pitch, note.velocity))
            events.append((round(note.end * rate), False, channel, note.pitch, 0))
    return sorted(events)


def _library() -> Any:
    """pyfluidsynth; None where it or FluidSynth itself is missing."""
    try:
        return import_module("fluidsynth")
    except (ImportError, OSError):
        return None
