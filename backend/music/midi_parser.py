"""Lenient parser of Standard MIDI Files: the bytes of .mid, .kar and .rmi files to tracks, with what is odd in them.

    song = parse("song.mid", content)              # song.tracks, song.warnings

Chunks are found even where their lengths are wrong, the file is cut off, or something stands around or between them
(RIFF, a MacBinary header, unknown chunks). `BadFile` is raised only for what makes the notes unreadable.
"""

import struct
from dataclasses import dataclass, replace

from backend.music.midi_events import Oddities, Track, read_track
from rigs.files import BadFile

SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
"""Suffixes of MIDI files that are read."""
INDEPENDENT_TRACKS = 2
"""The format of files whose tracks are pieces of their own."""
_HEADER, _TRACK, _RIFF = b"MThd", b"MTrk", b"RIFF"
_HEADER_SEARCH = 4096
"""Bytes at a file's beginning among which its header is looked for."""
_CHUNK_HEADER = 8
_HEADER_DATA = 6
_FILM_RATES = {24: 24.0, 25: 25.0, 29: 30_000 / 1001, 30: 30.0}
"""Frames a second by the number that stands for them in the header."""
_PADDING = b"\0\n\r \x1a\xff"


@dataclass(frozen=True)
class ParsedSong:
    """A MIDI file's tracks in ticks, and how long a tick is.

    ticks_per_beat: 0 in a file that counts in frames of film, by the clock.  ticks_per_second: of such a file, else 0.
    format: 0, 1, or INDEPENDENT_TRACKS.
    """

    format: int
    ticks_per_beat: int
    ticks_per_second: float
    tracks: tuple[Track, ...]
    warnings: tuple[str, ...]


def parse(name: str, content: bytes) -> ParsedSong:
    """Parse the bytes of the MIDI file of this name. Raises BadFile."""
    if not content:
        raise BadFile(f"{name}: empty file, a MIDI file expected")
    start = content.find(_HEADER, 0, _HEADER_SEARCH)
    if start < 0:
        raise BadFile(f"{name}: a MIDI file expected, which begins with MThd")
    in_riff = content.startswith(_RIFF)
    oddities = Oddities()
    if start > 0 and not in_riff:
        oddities.add(f"{start} bytes before the header are skipped", "")
    data = start + _CHUNK_HEADER
    if len(content) < data + _HEADER_DATA:
        raise BadFile(f"{name}: a MIDI file up to its end expected, cut off after {len(content)} bytes")
    length, song_format, stated, division = struct.unpack_from(">IHHH", content, start + len(_HEADER))
    beat, second = _read_division(name, division, data + 4)
    if song_format > INDEPENDENT_TRACKS:
        oddities.add(f"format 0, 1 or 2 expected, {song_format} found, read as format 1", f", byte {data}")
        song_format = 1
    if length < _HEADER_DATA:
        oddities.add(f"a header of {_HEADER_DATA} bytes stated as {length}", f", byte {start + 4}")
    first = data + max(length, _HEADER_DATA)
    tracks = _read_tracks(content, first if first <= len(content) else data + _HEADER_DATA, in_riff, oddities)
    if not tracks:
        raise BadFile(f"{name}, byte {data + _HEADER_DATA}: a track (MTrk) expected, none found")
    if len(tracks) != stated:
        oddities.add(f"{stated} tracks stated, {len(tracks)} found, which are read", f", byte {data + 2}")
    damaged, events = (sum(counts) for counts in zip(*(track.damaged for track in tracks), strict=True))
    warnings = oddities.sentences(name)
    if 2 * damaged > events:
        raise BadFile(
            f"{name}: MIDI events expected, {damaged} of {events} are damaged; the first oddity: {warnings[0]}"
        )
    return ParsedSong(song_format, beat, second, tuple(tracks), warnings)


def _read_division(name: str, division: int, byte: int) -> tuple[int, float]:
    """Ticks per beat and ticks a second of the header's time base, one of them 0. Raises BadFile."""
    if division == 0:
        raise BadFile(f"{name}, byte {byte}: a time base expected, 0 ticks per beat found")
    if division < 0x8000:
        return division, 0.0
    film, ticks = 256 - (division >> 8), division & 0xFF
    if film not in _FILM_RATES or ticks == 0:
        rates = ", ".join(map(str, _FILM_RATES))
        raise BadFile(
            f"{name}, byte {byte}: a time base in ticks per beat, or in frames of film at {rates} a second, expected, "
            f"{film} frames of {ticks} ticks found"
        )
    return 0, _FILM_RATES[film] * ticks


def _read_tracks(content: bytes, at: int, in_riff: bool, oddities: Oddities) -> list[Track]:
    """Read the tracks from byte `at` on, whatever stands between them."""
    tracks: list[Track] = []
    while at < len(content):
        if not content.startswith(_TRACK, at):
            end = _end_of_chunk(content, at)
            found = content.find(_TRACK, at) if end is None else end
            if found < 0:
                rest = content[at:].strip(_PADDING)
                if rest and not in_riff:
                    oddities.add(f"{len(content) - at} bytes after the last track are ignored", f", byte {at}")
                break
            if end is None:
                oddities.add(f"{found - at} bytes that are no chunk are skipped", f", byte {at}")
            at = found
            continue
        track = _read_track(content, at, len(tracks) + 1, oddities)
        tracks.append(track)
        at = track.stop
    return tracks


def _read_track(content: bytes, at: int, number: int, oddities: Oddities) -> Track:
    """Read the track chunk at byte `at`; its `stop` is where the next chunk begins."""
    place = f", track {number}, byte {at + 4}"
    begin = at + _CHUNK_HEADER
    if begin > len(content):
        oddities.add("the track is cut off in its header", place)
        begin, length = len(content), 0
    else:
        (length,) = struct.unpack_from(">I", content, at + len(_TRACK))
    end = begin + length
    is_plausible = end == len(content) or _is_chunk(content, end)
    if not is_plausible:
        following = content.find(_TRACK, begin)
        end = following if following >= 0 else len(content)
    track = read_track(content, begin, end, number, oddities)
    if track.ending == "within an event":
        return track
    following = content.find(_TRACK, track.stop, end + len(_TRACK))
    if is_plausible and following in (-1, end):
        if content[track.stop : end].strip(_PADDING):
            oddities.add("bytes after the end of the track are ignored", place)
        return replace(track, stop=end)
    if track.stop != begin + length:
        oddities.add(f"{length} bytes of track stated, {track.stop - begin} found, which are read", place)
    return track


def _is_chunk(content: bytes, at: int) -> bool:
    """Whether a track or an unknown chunk begins at a byte, or only padding follows."""
    return content.startswith(_TRACK, at) or _end_of_chunk(content, at) is not None


def _end_of_chunk(content: bytes, at: int) -> int | None:
    """The byte after the chunk of any kind that begins at `at`; None if none does."""
    header = content[at : at + _CHUNK_HEADER]
    if len(header) < _CHUNK_HEADER or not all(0x20 <= letter < 0x7F for letter in header[:4]):
        return None
    end = at + _CHUNK_HEADER + struct.unpack(">I", header[4:])[0]
    return end if end <= len(content) else None
