"""Render a score to a WAV file with FluidSynth where it is installed, or else with the built-in synthesizer.

    write_wav("song.wav", score)

The first sample is the onset of the score's first step, so a dance to the score begins with the file. The built-in
synthesizer needs nothing but numpy.
"""

import wave
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from backend.music.audio import fluidsynth
from backend.music.audio.synthesizer import BASS, HATS, MELODY, OPEN_HATS, SynthVoice, drum_hit, pitched_note
from backend.music.piano_roll import drum_kind
from backend.music.quantization import TimedNote, timed_notes
from backend.music.score import Score
from rigs import Array
from rigs.files import BadFile, output_path

SynthesizerName = Literal["auto", "fluidsynth", "built-in"]

TAIL_SECONDS = 1.5
"""s after the score in which ringing notes fade out."""
MAX_SECONDS = 3600.0
"""s of the longest music that is rendered; more would fill the memory."""
_MIN_RATE, _MAX_RATE = 8_000, 192_000
_FADE = 1.2
_PEAK = 0.89
"""Level of the loudest sample at most: 1 dB below full scale."""
_VELOCITY_LEVELS = 8
"""Velocities for which a timbre is synthesized; the gain follows each velocity exactly."""
_CHOKE = 0.01
"""s in which an open hi-hat falls silent when a hi-hat is hit again."""
_DRUM_PAN = {"snare": 0.05, "closed hi-hat": 0.25, "open hi-hat": 0.25, "ride": -0.3, "crash": -0.25}
_FULL_SCALE = 32767


def write_wav(path: str | Path, score: Score, *, rate: int = 44_100, synthesizer: SynthesizerName = "auto") -> None:
    """Write a score as a 16-bit stereo WAV file, with its tempi and swing, atomically.

    rate: samples a second.  synthesizer: "auto" is FluidSynth where it is installed.
    Raises BadFile for a path that can't be written, ValueError for a score that can't be rendered.
    """
    path = Path(path)
    if path.suffix.lower() != ".wav":
        raise BadFile(f"{path.name}: .wav file extension expected")
    sound = np.rint(render_samples(score, rate=rate, synthesizer=synthesizer) * _FULL_SCALE).astype("<i2")
    with output_path(path) as temporary, temporary.open("wb") as file, wave.open(file, "wb") as output:
        output.setnchannels(2)
        output.setsampwidth(2)
        output.setframerate(rate)
        output.writeframes(sound.tobytes())


def render_samples(score: Score, *, rate: int = 44_100, synthesizer: SynthesizerName = "auto") -> Array:
    """Render a score and its tail to stereo samples (N, 2) float32 from -1 to 1. Raises ValueError."""
    if not _MIN_RATE <= rate <= _MAX_RATE:
        raise ValueError(f"rate: {_MIN_RATE} to {_MAX_RATE} samples a second expected, {rate} found")
    if score.duration > MAX_SECONDS:
        raise ValueError(f"score: at most {MAX_SECONDS / 60:.0f} minutes of music to render expected")
    seconds = score.duration + TAIL_SECONDS
    if synthesizer == "fluidsynth" or (synthesizer == "auto" and fluidsynth.is_available()):
        mix = fluidsynth.render(score, seconds, rate)
    else:
        mix = _render_built_in(score, seconds, rate)
    fade = round(_FADE * rate)
    mix[-fade:] *= _fade_out(fade)[:, None]
    return mix * np.float32(min(1.0, _PEAK / max(float(np.abs(mix).max()), _PEAK)))


def _render_built_in(score: Score, seconds: float, rate: int) -> Array:
    """Mix a score (N, 2) float32 with the built-in synthesizer, `seconds` long."""
    mix = np.zeros((round(seconds * rate), 2), np.float32)
    for onset, sound, pan in _note_sounds(score, rate):
        begin = round(onset * rate)
        audible = sound[: len(mix) - begin]
        mix[begin : begin + len(audible), 0] += audible * np.float32(min(1.0, 1.0 - pan))
        mix[begin : begin + len(audible), 1] += audible * np.float32(min(1.0, 1.0 + pan))
    return mix


def _note_sounds(score: Score, rate: int) -> Iterator[tuple[float, Array, float]]:
    """Onset in s, samples (N,) and pan from -1, left, to 1, right, of each note."""
    yield from _drum_sounds(timed_notes(score, score.drums), rate)
    yield from _pitched_sounds(timed_notes(score, score.bass), BASS, rate)
    yield from _pitched_sounds(timed_notes(score, score.melody), MELODY, rate)


def _drum_sounds(notes: list[TimedNote], rate: int) -> Iterator[tuple[float, Array, float]]:
    hats = np.array([note.start for note in notes if note.pitch in HATS])
    for number, velocity, group in _group_by_timbre(notes):
        sound = drum_hit(number, velocity, rate)
        pan = _DRUM_PAN.get(drum_kind(number), 0.0)
        for note in group:
            hit = sound * _gain(note)
            if number in OPEN_HATS and (later := hats[hats > note.start]).size:
                hit = _release(hit, float(later[0]) - note.start, _CHOKE, rate)
            yield note.start, hit, pan


def _pitched_sounds(notes: list[TimedNote], voice: SynthVoice, rate: int) -> Iterator[tuple[float, Array, float]]:
    for pitch, velocity, group in _group_by_timbre(notes):
        longest = max(note.end - note.start for note in group)
        sound = pitched_note(voice, pitch, velocity, longest + voice.release, rate)
        pan = float(np.clip(voice.width * (pitch - 60) / 12, -0.5, 0.5))
        for note in group:
            released = _release(sound, note.end - note.start, voice.release, rate)
            yield note.start, released * _gain(note), pan


def _group_by_timbre(notes: list[TimedNote]) -> Iterator[tuple[int, float, list[TimedNote]]]:
    """Groups of notes that share one synthesized sound: pitch, velocity of the timbre (0 to 1) and the notes."""
    groups = defaultdict(list)
    for note in notes:
        groups[note.pitch, -(-note.velocity * _VELOCITY_LEVELS // 127)].append(note)
    for (pitch, level), group in groups.items():
        yield pitch, level / _VELOCITY_LEVELS, group


def _gain(note: TimedNote) -> np.float32:
    """Gain of a note by its velocity, 1 at full velocity."""
    return np.float32((note.velocity / 127.0) ** 1.5)


def _release(sound: Array, seconds: float, release: float, rate: int) -> Array:
    """Cut a sound (N,) at `seconds`, fading out within `release` s."""
    end = round(seconds * rate)
    cut = sound[: end + round(release * rate)].copy()
    cut[end:] *= _fade_out(round(release * rate))[: len(cut[end:])]
    return cut


def _fade_out(samples: int) -> Array:
    """Raised-cosine fade (samples,) float32 from 1 to 0."""
    return (0.5 + 0.5 * np.cos(np.linspace(0.0, np.pi, samples))).astype(np.float32)
