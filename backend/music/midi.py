"""MIDI files: `read` quantizes one to a `Score` on the sixteenth grid, `write` writes a file that plays a score.

    song = read("song.mid")                        # song.score; song.warnings: what is odd in the file
    write("song again.mid", song.score)

The drums are the notes on the drum channel. The bass is every General MIDI bass (programs 32 to 39, counted from 0);
without one, the instrument with the lowest median pitch, if there are several pitched ones. All else is melody. An
instrument is the notes of one track, channel and program.

Where a recording without swing is offset from its file's beats by a constant part of a sixteenth, the grid moves to the
notes: the first step is that much longer or shorter than the others.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np

from backend.music.midi_events import CHANNEL, PITCH, PROGRAM, VELOCITY, Track
from backend.music.midi_parser import INDEPENDENT_TRACKS, SUFFIXES, ParsedSong, parse
from backend.music.quantization import STRAIGHT, TICKS_PER_BEAT, estimate_swing, grid_offset, quantize, swung_positions
from backend.music.score import STEPS_PER_BEAT, Meter, Part, Score, bar_lines, part_from_note_array, part_to_notes
from backend.music.tempo_map import TempoMap
from rigs import Array
from rigs.files import BadFile, output_path

WRITE_SUFFIXES = (".mid", ".midi")
_BASS_PROGRAMS = range(32, 40)
_DRUM_CHANNEL = 9
_PROGRAMS = {"drums": 0, "bass": 33, "melody": 0}
_CHANNELS = {"drums": _DRUM_CHANNEL, "bass": 1, "melody": 0}
_MAX_STEPS = 2**16
"""Two hours at 120 beats a minute; a longer file is taken for a damaged one before it fills the memory."""
_MAX_LISTED = 20
"""Tracks that an error names."""
_MICROSECONDS = 1e6
_PLAYED_TEMPI = 10.0, 600.0
"""Beats a minute of music that people play."""
_MAX_TEMPO_VALUE = 2**24 - 1
"""Microseconds per beat of the slowest tempo in a MIDI file."""


@dataclass(frozen=True)
class ScoreFile:
    """The score of a MIDI file; warnings: sentences about what is odd in it, and how it was read."""

    score: Score
    warnings: tuple[str, ...] = ()


def read(path: str | Path, *, track: int | None = None) -> ScoreFile:
    """Read a MIDI file and quantize it; the defaults are 120 beats a minute and 4/4. Raises BadFile.

    track: the number, from 1, of the track whose notes are read; None: all, which a file of independent pieces
    (format 2) refuses if it has several.
    """
    path = Path(path)
    _expect_suffix(path, SUFFIXES)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BadFile(f"{path.name}: no such file") from None
    except OSError as error:
        raise BadFile(f"{path.name}: a readable file expected ({error.strerror})") from None
    song = parse(path.name, content)
    playing, timing = _choose_tracks(path.name, song, track)
    if not any(len(track.spans) for track in playing):
        hint = f"; {song.warnings[0]}" if song.warnings else ""
        raise BadFile(f"{path.name}: at least one note expected, none found{hint}")
    tempi = sorted((tempo for track in timing for tempo in track.tempi), key=lambda tempo: tempo[0])
    tempo_map = TempoMap(tempi, song.ticks_per_beat, song.ticks_per_second)
    meters = _read_meters(timing, tempo_map)
    score = _quantize_tracks(path.name, playing, tempo_map, meters)
    doubts = (*_clock_warnings(path.name, song, tempi), *_tempo_warnings(path.name, tempi))
    return ScoreFile(score, (*song.warnings, *doubts))


def _choose_tracks(name: str, song: ParsedSong, number: int | None) -> tuple[Sequence[Track], Sequence[Track]]:
    """The tracks whose notes are read, and those whose tempi and meters count. Raises BadFile."""
    tracks = song.tracks
    if number is not None and not 1 <= number <= len(tracks):
        raise BadFile(
            f"{name}: a track of 1 to {len(tracks)} expected (--track), {number} found: {_list_tracks(tracks)}"
        )
    if number is None and song.format == INDEPENDENT_TRACKS:
        with_notes = [index for index, track in enumerate(tracks, start=1) if len(track.spans)]
        if len(with_notes) > 1:
            listed = _list_tracks(tracks)
            raise BadFile(f"{name}: tracks are pieces of their own (format 2), choose one of them (--track): {listed}")
        number = with_notes[0] if with_notes else None
    if number is None:
        return tracks, tracks
    chosen = tracks[number - 1 : number]
    return chosen, chosen if song.format == INDEPENDENT_TRACKS else tracks


def _list_tracks(tracks: Sequence[Track]) -> str:
    """Numbers, names and numbers of notes of tracks, in one line."""
    listed = [
        f"{number} " + (f'"{track.name}" ' if track.name else "") + f"({len(track.spans)} notes)"
        for number, track in enumerate(tracks[:_MAX_LISTED], start=1)
    ]
    return ", ".join(listed) + (f" and {len(tracks) - _MAX_LISTED} more" if len(tracks) > _MAX_LISTED else "")


def _clock_warnings(name: str, song: ParsedSong, tempi: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Say of a file that counts by the clock where its beats come from."""
    if song.ticks_per_second:
        beats = "its tempi" if tempi else "120 a minute, as it states no tempo"
        yield f"{name}: time in frames of film (SMPTE) found, its beats are {beats}"


def _tempo_warnings(name: str, tempi: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Say of a file with a tempo that nobody plays which one it is."""
    low, high = _PLAYED_TEMPI
    beats_a_minute = [60.0 * _MICROSECONDS / tempo for _, tempo in tempi]
    odd = next((tempo for tempo in beats_a_minute if not low <= tempo <= high), None)
    if odd is not None:
        yield f"{name}: a tempo of {low:g} to {high:g} beats a minute expected, {odd:.4g} found and read"


def _quantize_tracks(name: str, tracks: Sequence[Track], tempo_map: TempoMap, meters: Sequence[Meter]) -> Score:
    """Quantize the notes of tracks to a score. Raises BadFile for music that is too long."""
    parts = _split_parts(tracks)
    positions = [tempo_map.positions(spans) for spans, _ in parts]
    last = max(float(rows.max()) for rows in positions if len(rows))
    if last > _MAX_STEPS:
        raise BadFile(f"{name}: at most {_MAX_STEPS:,} sixteenths of music expected, {last:,.0f} found")
    onsets = np.concatenate([rows[:, 0] for rows in positions])
    bars = bar_lines(meters, last + STEPS_PER_BEAT)
    swing = estimate_swing(onsets, bars)
    offset = grid_offset(onsets) if swing == STRAIGHT else 0.0
    notes = [
        _quantize_notes(values, np.maximum(rows - offset, 0.0), bars, swing)
        for (_, values), rows in zip(parts, positions, strict=True)
    ]
    steps = int(bar_lines(meters, max(int(rows[:, 3].max()) for rows in notes if len(rows)))[-1])
    drums, bass, melody = (part_from_note_array(rows, steps) for rows in notes)
    grid = np.concatenate([[0.0], np.arange(1.0, steps + 1.0) + offset])
    meters = tuple(meter for meter in meters if meter.step < steps)
    return Score(drums, bass, melody, tempo_map.seconds(grid), meters, swing)


def write(path: str | Path, score: Score) -> None:
    """Write a MIDI file that plays a score, with its tempi, meters and swing, atomically. Raises BadFile."""
    path = Path(path)
    _expect_suffix(path, WRITE_SUFFIXES)
    midi = mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT)
    midi.tracks.append(_track([*_meter_events(score), *_tempo_events(score)]))
    for name, part in score.parts.items():
        if part.onset.any():
            midi.tracks.append(_track(_part_events(name, part, score)))
    with output_path(path) as temporary:
        midi.save(temporary)


def _read_meters(tracks: Sequence[Track], tempo_map: TempoMap) -> tuple[Meter, ...]:
    """Time signatures of a file by step, 4/4 where none is given."""
    changes = sorted((meter for track in tracks for meter in track.meters), key=lambda meter: meter[0])
    meters = {0: Meter(0)}
    steps = np.rint(tempo_map.positions(np.array([tick for tick, _, _ in changes], np.int64))).astype(int).tolist()
    for step, (_, numerator, denominator) in zip(steps, changes, strict=True):
        meters[step] = Meter(step, numerator, denominator)
    return tuple(meters[step] for step in sorted(meters))


def _split_parts(tracks: Sequence[Track]) -> list[tuple[Array, Array]]:
    """Split the notes into drums, bass and melody: spans (N, 2) in ticks and values (N, 4) of each, see `Track`."""
    spans = np.concatenate([track.spans for track in tracks])
    values = np.concatenate([track.values for track in tracks])
    of_track = np.repeat(np.arange(len(tracks), dtype=np.int32), [len(track.spans) for track in tracks])
    names = (of_track << 11) | (values[:, CHANNEL].astype(np.int32) << 7) | values[:, PROGRAM]
    _, first, instrument = np.unique(names, return_index=True, return_inverse=True)
    is_drum = values[first, CHANNEL] == _DRUM_CHANNEL
    is_bass = ~is_drum & np.isin(values[first, PROGRAM], _BASS_PROGRAMS)
    pitched = np.flatnonzero(~is_drum)
    if not is_bass.any() and len(pitched) > 1:
        medians = [np.median(values[instrument == index, PITCH]) for index in pitched]
        lowest = min(range(len(pitched)), key=lambda index: (medians[index], first[pitched[index]]))
        is_bass[pitched[lowest]] = True
    order = np.argsort(first[instrument], kind="stable")
    chosen = (is_drum, is_bass, ~is_drum & ~is_bass)
    rows = [order[of_part[instrument[order]]] for of_part in chosen]
    return [(spans[notes], values[notes]) for notes in rows]


def _quantize_notes(values: Array, positions: Array, bars: Array, swing: float) -> Array:
    """Quantize notes to a note array (N, 4) of a part; positions: (N, 2) of onsets and ends in steps."""
    starts, ends = (quantize(column, bars, swing) for column in positions.T)
    notes = np.empty((len(values), 4), np.int32)
    notes[:, :2] = values[:, [PITCH, VELOCITY]]
    notes[:, 2:] = np.column_stack([starts, np.maximum(ends, starts + 1)])
    return notes


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


def _expect_suffix(path: Path, suffixes: Sequence[str]) -> None:
    if path.suffix.lower() not in suffixes:
        raise BadFile(f"{path.name}: {', '.join(suffixes[:-1])} or {suffixes[-1]} file extension expected")
