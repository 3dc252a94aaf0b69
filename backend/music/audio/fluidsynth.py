"""Render scores with FluidSynth and a soundfont, where they are installed: sampled instruments."""

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from backend.music.quantization import timed_notes
from backend.music.score import Score
from rigs import Array
from rigs.files import BadFile

SOUNDFONT_VARIABLE = "PASDEDEUX_SOUNDFONT"
"""Environment variable with the path of the soundfont."""
_SYSTEM_FOLDER = Path("/usr/share/sounds/sf2")
_PREFERRED = ("FluidR3_GM.sf2", "default-GM.sf2")
_PRETTY_MIDI_SOUNDFONT = "TimGM6mb.sf2"
_CHANNELS = {"melody": (0, 0, 0), "bass": (1, 0, 33), "drums": (9, 128, 0)}
"""Channel, bank and program of each part."""
_GAIN = 0.2
"""Low enough that FluidSynth's 16-bit samples never clip; `_MAKEUP_GAIN` restores the built-in synth's loudness."""
_MAKEUP_GAIN = 5.0
_FULL_SCALE = 32768.0


def is_available() -> bool:
    """Whether FluidSynth and a soundfont are installed."""
    return _import_pyfluidsynth() is not None and find_soundfont() is not None


def find_soundfont() -> Path | None:
    """Soundfont named by PASDEDEUX_SOUNDFONT, else the system's, else pretty_midi's small one. Raises BadFile."""
    named = os.environ.get(SOUNDFONT_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise BadFile(f"{SOUNDFONT_VARIABLE}={named}: a soundfont expected, no such file")
        return Path(named)
    candidates = [_SYSTEM_FOLDER / name for name in _PREFERRED] + sorted(_SYSTEM_FOLDER.glob("*.sf2"))
    package = find_spec("pretty_midi")
    if package is not None and package.origin is not None:
        candidates.append(Path(package.origin).with_name(_PRETTY_MIDI_SOUNDFONT))
    return next((path for path in candidates if path.is_file()), None)


def render(score: Score, seconds: float, rate: int) -> Array:
    """Render `seconds` of a score to stereo samples (N, 2) float32. Raises BadFile for an unreadable soundfont."""
    library, soundfont = _import_pyfluidsynth(), find_soundfont()
    if library is None or soundfont is None:
        raise ValueError(
            "FluidSynth and a soundfont expected: install fluidsynth, pyfluidsynth and a General MIDI .sf2"
        )
    synth = library.Synth(gain=_GAIN, samplerate=float(rate))
    try:
        soundfont_id = synth.sfload(str(soundfont))
        if soundfont_id < 0:
            raise BadFile(f"{soundfont.name}: a soundfont that FluidSynth can read expected")
        for channel, bank, program in _CHANNELS.values():
            synth.program_select(channel, soundfont_id, bank, program)
        return _render_events(synth, score, round(seconds * rate), rate)
    finally:
        synth.delete()


def _render_events(synth: Any, score: Score, samples: int, rate: int) -> Array:
    """Render the notes of a score with a synth whose programs are selected: (samples, 2) float32."""
    blocks, now = [], 0
    for sample, is_onset, channel, pitch, velocity in _note_events(score, rate):
        if sample > now:
            blocks.append(synth.get_samples(sample - now))
            now = sample
        if is_onset:
            synth.noteon(channel, pitch, velocity)
        else:
            synth.noteoff(channel, pitch)
    blocks.append(synth.get_samples(max(samples - now, 0)))
    mix = np.concatenate(blocks).reshape(-1, 2)[:samples].astype(np.float32)
    return mix * np.float32(_MAKEUP_GAIN / _FULL_SCALE)


def _note_events(score: Score, rate: int) -> list[tuple[int, bool, int, int, int]]:
    """Note-on and note-off events in order: sample, whether it is an onset, channel, pitch and velocity."""
    events = []
    for name, (channel, _, _) in _CHANNELS.items():
        for note in timed_notes(score, getattr(score, name)):
            events.append((round(note.start * rate), True, channel, note.pitch, note.velocity))
            events.append((round(note.end * rate), False, channel, note.pitch, 0))
    return sorted(events)


def _import_pyfluidsynth() -> Any:
    """Import pyfluidsynth; None where it or the FluidSynth library is missing."""
    try:
        return import_module("fluidsynth")
    except (ImportError, OSError):
        return None
