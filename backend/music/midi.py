"""MIDI files: `read` quantizes one to a `Score` on the sixteenth grid, `write` writes a file that plays a score.

    score = read("song.mid")
    write("song again.mid", score)

The drums are the notes on the drum channel. The bass is every General MIDI bass (programs 32 to 39, counted from 0);
without one, the track with the lowest median pitch, if there are several pitched tracks. All else is melody.

Where a recording without swing is offset from its file's beats by a constant part of a sixteenth, the grid moves to the
notes: the first step is that much longer or shorter than the others.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import mido
import numpy as np
from pretty_midi import Instrument, PrettyMIDI

from backend.music.quantization import STRAIGHT, TICKS_PER_BEAT, estimate_swing, grid_offset, quantize, swung_positions
from backend.music.score import STEPS_PER_BEAT, Meter, Note, Part, Score, bar_lines, part_from_notes, part_to_notes
from rigs import Array
from rigs.files import BadFile, output_path

SUFFIXES = (".mid", ".midi")
_BASS_PROGRAMS = range(32, 40)
_DRUM_CHANNEL = 9
_PROGRAMS = {"drums": 0, "bass": 33, "melody": 0}
_CHANNELS = {"drums": _DRUM_CHANNEL, "bass": 1, "melody": 0}
_TIMING_EVENTS = ("set_tempo", "time_signature")
_NOTE_EVENTS = ("note_on", "note_off", "program_change")
_MAX_STEPS = 2**16
"""Two hours at 120 beats a minute; a longer file is taken for a damaged one before it fills the memory."""
_MICROSECONDS = 1e6
_MAX_TEMPO_VALUE = 2**24 - 1
"""Microseconds per beat of the slowest tempo in a MIDI file."""


def read(path: str | Path) -> Score:
    """Read a MIDI file and quantize it; the defaults are 120 beats a minute and 4/4. Raises BadFile."""
    path = Path(path)
    _check_suffix(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BadFile(f"{path.name}: no such file") from None
    except OSError as error:
        raise BadFile(f"{path.name}: a readable file expected ({error.strerror})") from None
    midi = _parse(path, content)
    tempo_map = _TempoMap(midi)
    meters = _read_meters(path, midi, tempo_map)
    parts = _split_parts(midi)
    positions = [tempo_map.positions(np.array([[note.start, note.end] for note in notes])) for notes in parts]
    last = max((float(rows.max()) for rows in positions if len(rows)), default=0.0)
    if not any(parts):
        raise BadFile(f"{path.name}: at least one note expected, none found")
    if last > _MAX_STEPS:
        raise BadFile(f"{path.name}: at most {_MAX_STEPS:,} sixteenths of music expected, {last:,.0f} found")
    onsets = np.concatenate([rows[:, 0] for rows in positions if len(rows)])
    bars = bar_lines(meters, last + STEPS_PER_BEAT)
    swing = estimate_swing(onsets, bars)
    offset = grid_offset(onsets) if swing == STRAIGHT else 0.0
    quantized = [
        list(_quantize_notes(notes, np.maximum(rows - offset, 0.0), bars, swing))
        for notes, rows in zip(parts, positions, strict=True)
    ]
    steps = int(bar_lines(meters, max(note.end for notes in quantized for note in notes))[-1])
    drums, bass, melody = (part_from_notes(notes, steps) for notes in quantized)
    meters = tuple(meter for meter in meters if meter.step < steps)
    grid = np.concatenate([[0.0], np.arange(1.0, steps + 1.0) + offset])
    return Score(drums, bass, melody, tempo_map.seconds(grid), meters, swing)


def write(path: str | Path, score: Score) -> None:
    """Write a MIDI file that plays a score, with its tempi, meters and swing, atomically. Raises BadFile."""
    path = Path(path)
    _check_suffix(path)
    midi = mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT)
    midi.tracks.append(_track([*_meter_events(score), *_tempo_events(score)]))
    for name, part in score.parts.items():
        if part.onset.any():
            midi.tracks.append(_track(_part_events(name, part, score)))
    with output_path(path) as temporary:
        midi.save(temporary)


class _TempoMap:
    """Tempo map of a file: converts between seconds and positions in steps of its beats."""

    def __init__(self, midi: PrettyMIDI) -> None:
        times, tempi = midi.get_tempo_changes()
        self._times = times
        self._rates = tempi * STEPS_PER_BEAT / 60.0
        self._steps = np.concatenate([[0.0], np.cumsum(np.diff(times) * self._rates[:-1])])

    def positions(self, seconds: Array) -> Array:
        """Positions in steps, with fractions, in the shape of `seconds`."""
        tempo = np.maximum(np.searchsorted(self._times, seconds, side="right") - 1, 0)
        return self._steps[tempo] + (seconds - self._times[tempo]) * self._rates[tempo]

    def seconds(self, positions: Array) -> Array:
        """Seconds, in the shape of `positions`."""
        tempo = np.maximum(np.searchsorted(self._steps, positions, side="right") - 1, 0)
        return self._times[tempo] + (positions - self._steps[tempo]) / self._rates[tempo]


def _parse(path: Path, content: bytes) -> PrettyMIDI:
    """Parse the bytes of a MIDI file with pretty_midi, its tracks repaired. Raises BadFile."""
    if not content:
        raise BadFile(f"{path.name}: empty file, a MIDI file expected")
    if not content.startswith(b"MThd"):
        raise BadFile(f"{path.name}: a MIDI file expected, which begins with MThd")
    stream = io.BytesIO(content)
    try:
        midi = mido.MidiFile(file=stream)
    except EOFError:
        raise BadFile(f"{path.name}: a MIDI file up to its end expected, cut off after {len(content)} bytes") from None
    except (OSError, ValueError, LookupError, TypeError, mido.KeySignatureError) as error:
        raise BadFile(f"{path.name}, byte {stream.tell()}: a MIDI event expected ({error})") from None
    if midi.type == 2:
        raise BadFile(f"{path.name}: tracks that play together expected (format 0 or 1), format 2 found")
    if midi.ticks_per_beat <= 0:
        raise BadFile(f"{path.name}: time in ticks of a beat expected, frames of film (SMPTE) found")
    if any(event.type == "set_tempo" and event.tempo == 0 for track in midi.tracks for event in track):
        raise BadFile(f"{path.name}: a tempo expected, a beat of no duration found")
    if not any(event.type == "note_on" for track in midi.tracks for event in track):
        raise BadFile(f"{path.name}: at least one note expected, none found")
    midi.tracks[:] = _repair_tracks(midi.tracks)
    try:
        return PrettyMIDI(mido_object=midi)
    except ValueError as error:
        raise BadFile(f"{path.name}: music of a sensible length and meter expected ({error})") from None


def _repair_tracks(tracks: Sequence[mido.MidiTrack]) -> list[mido.MidiTrack]:
    """Repair tracks for pretty_midi: one timing track first, then those with notes.

    pretty_midi drops notes of zero length and without an end, and ignores tempi and meters outside the first track.
    """
    timing: list[tuple[int, mido.MetaMessage]] = [(0, mido.MetaMessage("text"))]
    notes = []
    for track in tracks:
        now = 0
        open_since: dict[tuple[int, int], int] = {}
        events = []
        for event in track:
            now += event.time
            if event.type in _TIMING_EVENTS:
                timing.append((now, event))
                continue
            if event.type == "note_on" and event.velocity > 0:
                open_since.setdefault((event.channel, event.note), now)
            elif event.type in ("note_on", "note_off"):
                start = open_since.pop((event.channel, event.note), None)
                if start == now:
                    events.append((now + 1, event))
                    continue
            if event.type in _NOTE_EVENTS:
                events.append((now, event))
        for (channel, pitch), start in open_since.items():
            events.append((max(now, start + 1), mido.Message("note_off", channel=channel, note=pitch)))
        if events:
            notes.append(_track(events))
    return [_track(timing), *notes]


def _read_meters(path: Path, midi: PrettyMIDI, tempo_map: _TempoMap) -> tuple[Meter, ...]:
    """Time signatures of a file by step, 4/4 where none is given. Raises BadFile."""
    meters = {0: Meter(0)}
    for change in midi.time_signature_changes:
        step = int(np.rint(tempo_map.positions(np.array(change.time))))
        meters[step] = Meter(step, change.numerator, change.denominator)
        if meters[step].bar_steps < 1.0:
            raise BadFile(
                f"{path.name}: bars of a sixteenth or more expected, {change.numerator}/{change.denominator} found"
            )
    return tuple(meters[step] for step in sorted(meters))


def _split_parts(midi: PrettyMIDI) -> tuple[list[Any], list[Any], list[Any]]:
    """Split the notes, as pretty_midi notes in seconds, into drums, bass and melody."""
    pitched = [instrument for instrument in midi.instruments if not instrument.is_drum and instrument.notes]
    basses = [instrument for instrument in pitched if instrument.program in _BASS_PROGRAMS]
    if not basses and len(pitched) > 1:
        basses = [min(pitched, key=_median_pitch)]
    drums = [note for instrument in midi.instruments if instrument.is_drum for note in instrument.notes]
    bass = [note for instrument in basses for note in instrument.notes]
    return drums, bass, [note for instrument in pitched if instrument not in basses for note in instrument.notes]


def _median_pitch(instrument: Instrument) -> float:
    return float(np.median([note.pitch for note in instrument.notes]))


def _quantize_notes(notes: Sequence[Any], positions: Array, bars: Array, swing: float) -> Iterator[Note]:
    """Quantize pretty_midi notes to the grid; positions: (N, 2) steps, with fractions, of their onsets and ends."""
    if len(notes):
        starts, ends = (quantize(column, bars, swing).tolist() for column in positions.T)
        for note, start, end in zip(notes, starts, ends, strict=True):
            yield Note(note.pitch, note.velocity, start, max(end, start + 1))


def _track(events: Iterable[tuple[int, mido.Message]]) -> mido.MidiTrack:
    """Track of events with delta times, sorted by tick; events of one tick keep their order."""
    track = mido.MidiTrack()
    now = 0
    for tick, event in sorted(events, key=lambda pair: pair[0]):
        track.append(event.copy(time=tick - now))
        now = tick
    return track


def _meter_events(score: Score) -> Iterator[tuple[int, mido.MetaMessage]]:
    for meter in score.meters:
        event = mido.MetaMessage("time_signature", numerator=meter.numerator, denominator=meter.denominator)
        yield meter.step * TICKS_PER_BEAT // STEPS_PER_BEAT, event


def _tempo_events(score: Score) -> Iterator[tuple[int, mido.MetaMessage]]:
    """Tempo events wherever the length of a step changes by a microsecond per beat or more."""
    current = 0
    for step, length in enumerate(np.diff(score.seconds) * STEPS_PER_BEAT * _MICROSECONDS):
        if abs(length - current) >= 1.0:
            current = int(np.clip(np.rint(length), 1, _MAX_TEMPO_VALUE))
            yield step * TICKS_PER_BEAT // STEPS_PER_BEAT, mido.MetaMessage("set_tempo", tempo=current)


def _part_events(name: str, part: Part, score: Score) -> Iterator[tuple[int, mido.Message]]:
    """Events of a part; a note ends before another begins on the same tick."""
    channel = _CHANNELS[name]
    yield 0, mido.MetaMessage("track_name", name=name)
    yield 0, mido.Message("program_change", channel=channel, program=_PROGRAMS[name])
    notes = part_to_notes(part)
    spans = np.array([[note.start, note.end] for note in notes])
    positions = swung_positions(spans, score.bars, score.swing)
    ticks = np.rint(positions * TICKS_PER_BEAT / STEPS_PER_BEAT).astype(int).tolist()
    for note, (_, end) in zip(notes, ticks, strict=True):
        yield end, mido.Message("note_off", channel=channel, note=note.pitch)
    for note, (start, _) in zip(notes, ticks, strict=True):
        yield start, mido.Message("note_on", channel=channel, note=note.pitch, velocity=max(note.velocity, 1))


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise BadFile(f"{path.name}: .mid or .midi file extension expected")
