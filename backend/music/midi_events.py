"""Lenient parser of the events of one MIDI track: bytes to notes, tempi and meters in ticks.

What sloppy writers get wrong is read as players read it, and noted in `Oddities`: data bytes over 127 (clipped, as
mido's `clip=True`), running status after system-exclusive and meta events, data without a status, real-time bytes, meta
events of a wrong length. Written for this, as mido refuses these files and holds an object for each event, which takes
a hundred times the memory of the file.

Source of the format: Standard MIDI Files 1.0 (RP-001), MIDI Manufacturers Association.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rigs import Array

PITCH, VELOCITY, CHANNEL, PROGRAM = range(4)
"""Columns of a track's note values."""
Ending = Literal["end of track", "end of data", "within an event"]
_MAX_DATA = 127
_MAX_DELTA = 2**28 - 1
"""Ticks that the four bytes of a variable-length quantity can hold."""
_NOTE_OFF, _NOTE_ON, _PROGRAM = 0x80, 0x90, 0xC0
_ONE_DATA_BYTE = (0xC0, 0xD0)
_SYSTEM_EXCLUSIVE = (0xF0, 0xF7)
_META, _TRACK_NAME, _END_OF_TRACK, _TEMPO, _METER, _KEY = 0xFF, 0x03, 0x2F, 0x51, 0x58, 0x59
_SYSTEM_DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}
"""Data bytes of system common messages; the other system messages have none."""
_META_LENGTHS = {
    _END_OF_TRACK: ("an end of track", 0),
    _TEMPO: ("a tempo", 3),
    0x54: ("an SMPTE offset", 5),
    _METER: ("a meter", 4),
    _KEY: ("a key signature", 2),
}
_TEMPO_BYTES, _METER_BYTES = 3, 2
"""Bytes at the beginning of these events that say all there is to know for a score."""
_MAX_ACCIDENTALS = 7
_WHOLE_NOTE_SIXTEENTHS = 16
_MAX_NAME_LENGTH = 40
_MAX_SENTENCES = 8


class Oddities:
    """What a file has that the standard does not allow: for each kind its first place and how often it occurs."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, int]] = {}

    def add(self, kind: str, place: str) -> None:
        """Count an oddity; kind: what was found and what was done, the same text for each of its kind."""
        first, count = self._found.get(kind, (place, 0))
        self._found[kind] = first, count + 1

    def sentences(self, name: str) -> tuple[str, ...]:
        """One sentence for each kind, in the order of their first places; name: the file's."""
        found = list(self._found.items())
        sentences = [
            f"{name}{place}: {kind}" + (f" ({count} times)" if count > 1 else "")
            for kind, (place, count) in found[:_MAX_SENTENCES]
        ]
        if more := sum(count for _, (_, count) in found[_MAX_SENTENCES:]):
            sentences.append(f"{name}: {more} more such oddities, read or skipped likewise")
        return tuple(sentences)


@dataclass(frozen=True)
class Track:
    """A track: its notes in the order of their ends, tempi and meters.

    spans: (N, 2) int ticks of each note's onset and end.
    values: (N, 4) uint8 of its pitch, velocity (1 to 127), channel (0 to 15) and program, in columns of these names.
    name: the text of its track-name event.  tempi: tick and microseconds per beat.
    meters: tick, numerator and denominator.
    damaged: (damaged events, all events).
    ending: how it ends, and `stop` the byte after that.
    """

    name: str
    spans: Array
    values: Array
    tempi: tuple[tuple[int, int], ...]
    meters: tuple[tuple[int, int, int], ...]
    damaged: tuple[int, int]
    ending: Ending
    stop: int


def read_track(content: bytes, start: int, stop: int, number: int, oddities: Oddities) -> Track:
    """Read the events of a track from byte `start` to its end-of-track event, or to `stop` if it has none before.

    number: the track's, from 1, for the places of oddities.
    """
    return _TrackReader(content, start, stop, number, oddities).read()


class _TrackReader:
    """The state of reading one track: the place, the tick, the running status and the notes that sound."""

    def __init__(self, content: bytes, start: int, stop: int, number: int, oddities: Oddities) -> None:
        self._data = content[start:stop]
        self._offset = start
        self._number = number
        self._oddities = oddities
        self._at = self._event = 0
        self._tick = 0
        self._running = 0
        self._is_interrupted = False
        self._ending: Ending = "end of data"
        self._events = self._damaged = 0
        self._name = ""
        self._programs = [0] * 16
        self._sounding: dict[int, array[int]] = {}
        """Notes without an end as yet, by channel and pitch: tick << 7 | velocity."""
        self._spans, self._values = array("q"), array("B")
        self._tempi: list[tuple[int, int]] = []
        self._meters: list[tuple[int, int, int]] = []

    def read(self) -> Track:
        """Read all events."""
        try:
            while self._ending == "end of data" and self._at < len(self._data):
                self._event = self._at
                self._read_event()
        except IndexError:  # the data end within an event
            self._at = len(self._data)
            self._ending = "within an event"
            self._oddity("the track is cut off within an event, read up to it")
        for key, notes in self._sounding.items():
            self._close(key, notes, self._tick)
        spans = np.frombuffer(self._spans, np.int64).reshape(-1, 2)
        values = np.frombuffer(self._values, np.uint8).reshape(-1, 4)
        return Track(
            self._name,
            spans,
            values,
            tuple(self._tempi),
            tuple(self._meters),
            damaged=(self._damaged, self._events),
            ending=self._ending,
            stop=self._offset + self._at,
        )

    def _read_event(self) -> None:
        """Read the delta time and the event at the current place."""
        data = self._data
        delta = data[self._at]
        if delta > _MAX_DATA:
            delta = self._variable_length()
        else:
            self._at += 1
        self._tick += delta
        self._events += 1
        status = data[self._at]
        if status <= _MAX_DATA:
            self._read_running_status()
            return
        self._at += 1
        if status < _SYSTEM_EXCLUSIVE[0]:
            self._running = status
            self._is_interrupted = False
            self._read_message(status)
        elif status == _META:
            self._read_meta()
        elif status in _SYSTEM_EXCLUSIVE:
            self._is_interrupted = True
            self._skip(self._variable_length())
        else:
            self._damage("an event that belongs on a cable, not in a file, is skipped")
            self._skip(_SYSTEM_DATA_BYTES.get(status, 0))

    def _read_running_status(self) -> None:
        """Read an event that begins with its data, its status being that of the event before."""
        if not self._running:
            self._damage("data without a status byte before it is skipped")
            self._skip(1 if not self._is_status_after(2) and self._is_status_after(1) else 2)
            return
        if self._is_interrupted:
            self._is_interrupted = False
            self._oddity("running status after a system-exclusive or meta event, the status before it is taken")
        self._read_message(self._running)

    def _is_status_after(self, data_bytes: int) -> bool:
        """Whether a delta time and a status byte follow so many data bytes."""
        at = self._at + data_bytes
        while at < len(self._data) and self._data[at] > _MAX_DATA:
            at += 1
        return at + 1 < len(self._data) and self._data[at + 1] > _MAX_DATA

    def _read_message(self, status: int) -> None:
        """Read the data of a channel message."""
        kind, channel = status & 0xF0, status & 0x0F
        first, second = self._data[self._at], 0
        self._at += 1
        if kind not in _ONE_DATA_BYTE:
            second = self._data[self._at]
            self._at += 1
        if first > _MAX_DATA or second > _MAX_DATA:
            self._damage(f"a data byte over {_MAX_DATA} is read as {_MAX_DATA}")
            first, second = min(first, _MAX_DATA), min(second, _MAX_DATA)
        if kind == _NOTE_ON and second:
            note, key = self._tick << 7 | second, channel << 7 | first
            if key in self._sounding:
                self._sounding[key].append(note)
            else:
                self._sounding[key] = array("q", (note,))
        elif kind in (_NOTE_ON, _NOTE_OFF):
            self._end_note(channel << 7 | first)
        elif kind == _PROGRAM:
            self._programs[channel] = first

    def _end_note(self, key: int) -> None:
        """End the notes of a channel and pitch; those that begin at this tick go on if others end."""
        sounding = self._sounding.pop(key, None)
        if sounding is None:
            return
        if sounding[0] >> 7 < self._tick == sounding[-1] >> 7:
            first = next(index for index, note in enumerate(sounding) if note >> 7 == self._tick)
            self._sounding[key] = sounding[first:]
            sounding = sounding[:first]
        self._close(key, sounding, self._tick)

    def _close(self, key: int, notes: Iterable[int], end: int) -> None:
        """Add notes of a channel and pitch, each of a tick or more."""
        channel, pitch = key >> 7, key & 0x7F
        for note in notes:
            start = note >> 7
            self._spans.extend((start, max(end, start + 1)))
            self._values.extend((pitch, note & 0x7F, channel, self._programs[channel]))

    def _read_meta(self) -> None:
        """Read a meta event: tempo, meter, name and end of track; those that a score does not need are skipped."""
        kind = self._data[self._at]
        self._at += 1
        length = self._variable_length()
        data = self._data[self._at : self._at + length]
        self._skip(length)
        self._is_interrupted = True
        if kind == _TRACK_NAME and not self._name:
            self._name = _decode_text(data)
        elif kind == _TEMPO:
            self._read_tempo(data)
        elif kind == _METER:
            self._read_meter(data)
        elif kind in _META_LENGTHS:
            self._check_meta(kind, data)
        if kind == _END_OF_TRACK:
            self._ending = "end of track"

    def _read_tempo(self, data: bytes) -> None:
        tempo = int.from_bytes(data[:_TEMPO_BYTES], "big")
        if len(data) < _TEMPO_BYTES:
            self._oddity(f"a tempo of {_TEMPO_BYTES} bytes expected, {len(data)} found, it is skipped")
        elif tempo == 0:
            self._oddity("a tempo with beats of no duration is skipped")
        else:
            self._check_meta(_TEMPO, data)
            self._tempi.append((self._tick, tempo))

    def _read_meter(self, data: bytes) -> None:
        if len(data) < _METER_BYTES:
            self._oddity(f"a meter of 4 bytes expected, {len(data)} found, it is skipped")
            return
        numerator, exponent = data[:_METER_BYTES]
        if numerator * _WHOLE_NOTE_SIXTEENTHS >> exponent == 0:
            self._oddity(f"a meter with bars shorter than a sixteenth ({numerator}/2^{exponent}) is skipped")
            return
        self._check_meta(_METER, data, f"read as {numerator}/{2**exponent}")
        self._meters.append((self._tick, numerator, 2**exponent))

    def _check_meta(self, kind: int, data: bytes, done: str = "") -> None:
        """Note a meta event of another length than the standard's, or an impossible key."""
        name, length = _META_LENGTHS[kind]
        if len(data) != length:
            done = done or ("its first bytes are read" if kind == _TEMPO else "it is skipped")
            self._oddity(f"{name} of {length} bytes expected, {len(data)} found, {done}")
        elif kind == _KEY:
            accidentals = int.from_bytes(data[:1], "big", signed=True)
            if abs(accidentals) > _MAX_ACCIDENTALS or data[1] > 1:
                self._oddity(f"a key of {_MAX_ACCIDENTALS} sharps or flats at most expected, it is skipped")

    def _variable_length(self) -> int:
        """Read a variable-length quantity."""
        data, at, value = self._data, self._at, 0
        while (byte := data[at]) > _MAX_DATA:
            value = value << 7 | byte & 0x7F
            at += 1
            if value > _MAX_DELTA >> 7:
                self._damage("a number of more than 28 bits is cut to them")
                value &= _MAX_DELTA >> 7
        self._at = at + 1
        return value << 7 | byte

    def _skip(self, count: int) -> None:
        """Skip bytes of an event; IndexError for more than there are."""
        if self._at + count > len(self._data):
            raise IndexError
        self._at += count

    def _damage(self, kind: str) -> None:
        self._damaged += 1
        self._oddity(kind)

    def _oddity(self, kind: str) -> None:
        self._oddities.add(kind, f", track {self._number}, byte {self._offset + self._event}")


def _decode_text(data: bytes) -> str:
    """Text of a meta event in one line, in UTF-8 or else Latin-1."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    printable = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * _MAX_NAME_LENGTH])
    return " ".join(printable.split())[:_MAX_NAME_LENGTH]
