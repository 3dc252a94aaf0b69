"""A score as sound: `write_wav("song.wav", score)`, by FluidSynth where it is present, or by voices of our own.

The file's first sample is the score's first step, so a dance that was made to the score begins with it.
Our own voices need nothing but numpy.
"""

import wave
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from backend.music.audio import fluidsynth, synth_drums, synth_voices
from backend.music.note_times import TimedNote, length, timed_notes
from backend.music.score import Score
from rigs import Array
from rigs.files import BadFile, output_path

Synthesizer = Literal["auto", "fluidsynth", "own"]

TAIL_SECONDS = 1.5
"""s behind the score, in which what still rings fades out."""
MAX_SECONDS = 3600.0
"""s of music that are made into sound; more would fill the memory."""
_RATES = (8_000, 192_000)
_FADE = 1.2
_PEAK = 0.89
"""How strong the loudest sample may be: 1 dB below the end of the scale."""
_FORCES = 8
"""How many forces are told apart in how bright a sound is; how loud it is follows its velocity exactly."""
_CUT = 0.01
"""s in which an open hi-hat falls silent when it is struck again."""
_PLACES = {"snare": 0.05, "closed hi-hat": 0.25, "open hi-hat": 0.25, "ride": -0.3, "crash": -0.25}
_WHOLE = 32767


def write_wav(path: str | Path, score: Score, *, rate: int = 44_100, synthesizer: Synthesizer = "auto") -> None:
    """Write a 16-bit stereo WAV of a score at its own tempi and swing, whole or not at all.

    rate: samples a second.  engine: who plays it; `auto` is FluidSynth where it is present.
    Raises BadFile for a place that cannot be written to, ValueError for what cannot be played.
    """
    path = Path(path)
    if path.suffix.lower() != ".wav":
        raise BadFile(f"{path.name}: .wav expected as the ending of its name")
    sound = np.rint(render_samples(score, rate=rate, synthesizer=synthesizer) * _WHOLE).astype("<i2")
    with output_path(path) as temporary, temporary.open("wb") as file, wave.open(file, "wb") as written:
        written.setnchannels(2)
        written.setsampwidth(2)
        written.setframerate(rate)
        written.writeframes(sound.tobytes())


def render_samples(score: Score, *, rate: int = 44_100, synthesizer: Synthesizer = "auto") -> Array:
    """(N, 2) float32 within -1 and 1: left and right, as long as the score and TAIL. Raises ValueError."""
    if not _RATES[0] <= rate <= _RATES[1]:
        raise ValueError(f"rate: {_RATES[0]} to {_RATES[1]} samples a second expected, {rate} found")
    if length(score) > MAX_SECONDS:
        raise ValueError(f"score: at most {MAX_SECONDS / 60:.0f} minutes to be made into sound expected")
    seconds = length(score) + TAIL_SECONDS
    if synthesizer == "fluidsynth" or (synthesizer == "auto" and fluidsynth.is_available()):
        mixed = fluidsynth.render(score, seconds, rate)
    else:
        mixed = _performed(score, seconds, rate)
    fade = round(_FADE * rate)
    mixed[-fade:] *= _falling(fade)[:, None]
    return mixed * np.float32(min(1.0, _PEAK / max(float(np.abs(mixed).max()), _PEAK)))


def _performed(score: Score, seconds: float, rate: int) -> Array:
    """(N, 2) float32: so many seconds of a score by our own voices and drums."""
    mixed = np.zeros((round(seconds * rate), 2), np.float32)
    for start, sound, place in _sounds(score, rate):
        begin = round(start * rate)
        heard = sound[: len(mixed) - begin]
        mixed[begin : begin + len(heard), 0] += heard * np.float32(min(1.0, 1.0 - place))
        mixed[begin : begin + len(heard), 1] += heard * np.float32(min(1.0, 1.0 + place))
    return mixed


def _sounds(score: Score, rate: int) -> Iterator[tuple[float, Array, float]]:
    """Each note's start in s, its sound (N,) and its place from -1, left, to 1, right."""
    yield from _drummed(timed_notes(score, score.drums), rate)
    yield from _sung(timed_notes(score, score.bass), synth_voices.BASS, rate)
    yield from _sung(timed_notes(score, score.melody), synth_voices.MELODY, rate)


def _drummed(notes: list[TimedNote], rate: int) -> Iterator[tuple[float, Array, float]]:
    hats = np.array([note.start for note in notes if note.pitch in synth_drums.HATS])
    for number, force, alike in _alike(notes):
        sound = synth_drums.drum_hit(number, force, rate)
        place = _PLACES.get(synth_drums.drum_kind(number), 0.0)
        for note in alike:
            struck = sound * _loudness(note)
            if number in synth_drums.OPEN_HATS and (later := hats[hats > note.start]).size:
                struck = _ended(struck, float(later[0]) - note.start, _CUT, rate)
            yield note.start, struck, place


def _sung(notes: list[TimedNote], voice: synth_voices.SynthVoice, rate: int) -> Iterator[tuple[float, Array, float]]:
    for pitch, force, alike in _alike(notes):
        longest = max(note.end - note.start for note in alike)
        sound = synth_voices.pitched_note(voice, pitch, force, longest + voice.release, rate)
        place = float(np.clip(voice.width * (pitch - 60) / 12, -0.5, 0.5))
        for note in alike:
            held = _ended(sound, note.end - note.start, voice.release, rate)
            yield note.start, held * _loudness(note), place


def _alike(notes: list[TimedNote]) -> Iterator[tuple[int, float, list[TimedNote]]]:
    """The notes that one sound serves: their pitch, the force (0 to 1) of that sound, and they themselves."""
    groups = defaultdict(list)
    for note in notes:
        groups[note.pitch, -(-note.velocity * _FORCES // 127)].append(note)
    for (pitch, force), alike in groups.items():
        yield pitch, force / _FORCES, alike


def _loudness(note: TimedNote) -> np.float32:
    """How strong a note's sound is, of that at full force."""
    return np.float32((note.velocity / 127.0) ** 1.5)


def _ended(sound: Array, seconds: float, release: float, rate: int) -> Array:
    """A sound (N,) that falls silent within `release` s, from `seconds` on."""
    end = round(seconds * rate)
    ended = sound[: end + round(release * rate)].copy()
    ended[end:] *= _falling(round(release * rate))[: len(ended[end:])]
    return ended


def _falling(samples: int) -> Array:
    """(samples,) float32 from 1 down to 0, round at both ends."""
    return (0.5 + 0.5 * np.cos(np.linspace(0.0, np.pi, samples))).astype(np.float32)
