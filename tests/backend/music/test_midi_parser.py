"""Bytes of MIDI files, well and badly written, against what players read from them."""

import struct
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.music.midi import ScoreFile, read
from backend.music.score import Meter, part_to_notes
from rigs.files import BadFile

END = b"\x00\xff\x2f\x00"
NOTE = b"\x00\x90\x3c\x40\x83\x60\x80\x3c\x40"
"""C for a beat of 480 ticks."""
TEMPO, METER = b"\x00\xff\x51\x03\x07\xa1\x20", b"\x00\xff\x58\x04\x03\x02\x18\x08"
"""120 beats a minute, and 3/4."""


def chunk(name: bytes, data: bytes, length: int | None = None) -> bytes:
    return name + struct.pack(">I", len(data) if length is None else length) + data


def header(song_format: int = 0, tracks: int = 1, division: int = 480) -> bytes:
    return chunk(b"MThd", struct.pack(">HHH", song_format, tracks, division))


def song(*tracks: bytes, song_format: int = 1, division: int = 480) -> bytes:
    """A file of tracks of these events, an end of track after each."""
    chunks = (chunk(b"MTrk", events + END) for events in tracks)
    return header(song_format, len(tracks), division) + b"".join(chunks)


def read_bytes(folder: Path, content: bytes, name: str = "song.mid", track: int | None = None) -> ScoreFile:
    (folder / name).write_bytes(content)
    return read(folder / name, track=track)


def notes(result: ScoreFile) -> list[tuple[int, int, int]]:
    """Onset, end and pitch of each note, in sixteenths."""
    found = [note for part in result.score.parts.values() for note in part_to_notes(part)]
    return sorted((note.start, note.end, note.pitch) for note in found)


def refusal(folder: Path, content: bytes, track: int | None = None) -> str:
    with pytest.raises(BadFile) as caught:
        read_bytes(folder, content, track=track)
    return str(caught.value)


WHOLE = song(NOTE)


def test_a_well_written_file_has_no_warnings(tmp_path):
    result = read_bytes(tmp_path, song(TEMPO + METER, NOTE))
    assert notes(result) == [(0, 4, 60)]
    assert result.score.meters == (Meter(0, 3, 4),)
    assert result.warnings == ()


@pytest.mark.parametrize(
    "event",
    [
        b"\xff\x59\x02\x08\x00",  # a key of eight sharps
        b"\xff\x59\x02\xee\x01",  # of 18 flats
        b"\xff\x59\x02\x00\x02",  # neither major nor minor
        b"\xff\x59\x01\x00",
        b"\xff\x54\x02\x61\x00",  # a short SMPTE offset
        b"\xff\x51\x02\x07\xa1",  # a short tempo
        b"\xff\x51\x00",
        b"\xff\x51\x03\x00\x00\x00",  # beats of no duration
        b"\xff\x58\x01\x04",  # a short meter
        b"\xff\x58\x04\x00\x02\x18\x08",  # 0/4
        b"\xff\x58\x04\x04\xff\x18\x08",  # 4/2^255
        b"\xff\x58\x04\x01\x05\x18\x08",  # bars of half a sixteenth
    ],
)
def test_a_useless_meta_event_is_skipped_with_a_warning(tmp_path, event):
    result = read_bytes(tmp_path, song(TEMPO + METER + b"\x00" + event, NOTE))
    assert notes(result) == [(0, 4, 60)]
    assert result.score.meters == (Meter(0, 3, 4),)
    assert result.score.seconds[4] == pytest.approx(0.5)
    (warning,) = result.warnings
    assert warning.startswith("song.mid, track 1, byte 37: ")
    assert warning.endswith("skipped")


def test_a_meter_or_tempo_of_another_length_is_read_where_its_bytes_say_all(tmp_path):
    events = b"\x00\xff\x58\x02\x03\x02" + b"\x00\xff\x51\x04\x0f\x42\x40\x00"
    result = read_bytes(tmp_path, song(events, NOTE))
    assert result.score.meters == (Meter(0, 3, 4),)
    assert result.score.seconds[4] == pytest.approx(1.0)
    assert result.warnings == (
        "song.mid, track 1, byte 22: a meter of 4 bytes expected, 2 found, read as 3/4",
        "song.mid, track 1, byte 28: a tempo of 3 bytes expected, 4 found, its first bytes are read",
    )


def test_unknown_meta_events_and_text_of_any_encoding_are_no_oddities(tmp_path):
    texts = ("Café", "舞", "\x00\n")
    encoded = [text.encode(code) for text in texts for code in ("utf-8", "utf-16", "shift-jis") if text != "Café"]
    events = b"".join(b"\x00\xff\x01" + bytes([len(text)]) + text for text in [*encoded, b"\xff\xfe\x80"])
    result = read_bytes(tmp_path, song(events + b"\x00\xff\x4b\x02\x01\x02\x00\xff\x21\x01\x00", NOTE))
    assert notes(result) == [(0, 4, 60)]
    assert result.warnings == ()


def test_a_data_byte_over_127_is_clipped_as_mido_clips_it(tmp_path):
    content = song(b"\x00\xb0\x07\xc8" + b"\x00\x90\x3c\xff" + NOTE[4:])
    result = read_bytes(tmp_path, content)
    clipped = next(
        event for event in mido.MidiFile(tmp_path / "song.mid", clip=True).tracks[0] if event.type == "note_on"
    )
    assert result.score.melody.velocity[0, 60] == clipped.velocity == 127
    assert result.warnings == ("song.mid, track 1, byte 22: a data byte over 127 is read as 127 (2 times)",)


@pytest.mark.parametrize("between", [b"\x00\xf0\x05\x7e\x7f\x09\x01\xf7", b"\x00\xff\x01\x02hi"])
def test_running_status_goes_on_after_system_exclusive_and_meta_events(tmp_path, between):
    events = b"\x00\x90\x3c\x40\x83\x60\x3c\x00" + between + b"\x00\x3e\x40\x83\x60\x3e\x00"
    result = read_bytes(tmp_path, song(events))
    assert notes(result) == [(0, 4, 60), (4, 8, 62)]
    (warning,) = result.warnings
    assert warning.startswith("song.mid, track 1, byte ")
    assert "running status after a system-exclusive or meta event" in warning


@pytest.mark.parametrize("data", [b"\x00\x3c\x5a", b"\x00\x3c\x5a\x00\x3d\x5a", b"\x00\x05"])
def test_data_before_the_first_status_are_skipped(tmp_path, data):
    result = read_bytes(tmp_path, song(data + NOTE + NOTE.replace(b"\x3c", b"\x40")))
    assert notes(result) == [(0, 4, 60), (4, 8, 64)]
    (warning,) = result.warnings
    assert warning.startswith("song.mid, track 1, byte 22: data without a status byte before it is skipped")


def test_events_of_the_cable_are_skipped(tmp_path):
    result = read_bytes(tmp_path, song(b"\x00\xf8\x00\xf2\x01\x02" + NOTE + NOTE + NOTE))
    assert len(notes(result)) == 3
    (warning,) = result.warnings
    assert warning.endswith("an event that belongs on a cable, not in a file, is skipped (2 times)")


@pytest.mark.parametrize("name", ["song.rmi", "song.mid"])
def test_a_file_in_a_riff_container_is_read(tmp_path, name):
    inner = chunk(b"LIST", b"INFOabcd")[:4] + struct.pack("<I", 8) + b"INFOabcd"
    data = b"RMID" + inner + b"data" + struct.pack("<I", len(WHOLE)) + WHOLE + b"LIST\x04\0\0\0INFO"
    for size in (len(data), 0):
        result = read_bytes(tmp_path, b"RIFF" + struct.pack("<I", size) + data, name)
        assert notes(result) == [(0, 4, 60)]
        assert result.warnings == ()


@pytest.mark.parametrize("name", ["song.kar", "SONG.KAR", "song.midi"])
def test_karaoke_files_are_midi_files(tmp_path, name):
    words = b"\x00\xff\x03\x05Words\x00\xff\x01\x06@KMIDI\x00\xff\x05\x03la "
    assert notes(read_bytes(tmp_path, song(words, NOTE), name)) == [(0, 4, 60)]


def test_unknown_chunks_and_padding_are_no_oddities(tmp_path):
    content = header(1, 2) + chunk(b"XFIH", b"abcd") + chunk(b"MTrk", NOTE + END) + chunk(b"XFKM", b"MTrk")
    result = read_bytes(tmp_path, content + chunk(b"MTrk", NOTE.replace(b"\x3c", b"\x3e") + END) + b"\0" * 100)
    assert notes(result) == [(0, 4, 60), (0, 4, 62)]
    assert result.warnings == ()


def test_bytes_around_and_between_the_chunks_are_skipped_with_a_warning(tmp_path):
    track = chunk(b"MTrk", NOTE + END)
    result = read_bytes(tmp_path, b"\0" * 128 + header(1, 2) + b"\x01\x02\x03" + track + b"\x80" + track + b"by Pat")
    assert notes(result) == 2 * [(0, 4, 60)]
    assert result.warnings == (
        "song.mid: 128 bytes before the header are skipped",
        "song.mid, byte 142: 3 bytes that are no chunk are skipped",
        "song.mid, byte 166: 1 bytes that are no chunk are skipped",
        "song.mid, byte 188: 6 bytes after the last track are ignored",
    )


@pytest.mark.parametrize("length", [0, 5, 15, 2**31, 60])
def test_a_track_of_a_wrong_length_is_read_to_its_end(tmp_path, length):
    second = chunk(b"MTrk", NOTE.replace(b"\x3c", b"\x40") + END)
    result = read_bytes(tmp_path, header(1, 2) + chunk(b"MTrk", NOTE + END, length) + second)
    assert notes(result) == [(0, 4, 60), (0, 4, 64)]
    assert result.warnings == (f"song.mid, track 1, byte 18: {length} bytes of track stated, 13 found, which are read",)


@pytest.mark.parametrize("stated", [0, 1, 3, 65_535])
def test_a_wrong_number_of_tracks_is_told(tmp_path, stated):
    content = header(1, stated) + 2 * chunk(b"MTrk", NOTE + END)
    result = read_bytes(tmp_path, content)
    assert notes(result) == 2 * [(0, 4, 60)]
    assert result.warnings == (f"song.mid, byte 10: {stated} tracks stated, 2 found, which are read",)


def test_a_file_that_is_cut_off_is_read_up_to_there(tmp_path):
    content = song(NOTE, NOTE.replace(b"\x3c", b"\x40") + NOTE.replace(b"\x3c", b"\x45"))
    whole = notes(read_bytes(tmp_path, content))
    for size in range(content.index(NOTE) + len(NOTE), len(content)):
        result = read_bytes(tmp_path, content[:size])
        assert (0, 4, 60) in notes(result)
        assert {pitch for *_, pitch in notes(result)} <= {pitch for *_, pitch in whole}
        assert result.warnings, size
    assert read_bytes(tmp_path, content[:-6]).warnings[0].endswith("cut off within an event, read up to it")


def test_a_format_above_2_is_read_as_1(tmp_path):
    result = read_bytes(tmp_path, header(7, 2) + 2 * chunk(b"MTrk", NOTE + END))
    assert notes(result) == 2 * [(0, 4, 60)]
    assert result.warnings == ("song.mid, byte 8: format 0, 1 or 2 expected, 7 found, read as format 1",)


VERSE = b"\x00\xff\x03\x05Verse" + TEMPO + NOTE
CHORUS = b"\x00\xff\x51\x03\x0f\x42\x40" + METER + NOTE.replace(b"\x3c", b"\x40")


def test_a_file_of_pieces_asks_for_the_track(tmp_path):
    content = song(VERSE, b"", CHORUS, song_format=2)
    assert refusal(tmp_path, content) == (
        "song.mid: tracks are pieces of their own (format 2), choose one of them (--track): "
        '1 "Verse" (1 notes), 2 (0 notes), 3 (1 notes)'
    )
    assert refusal(tmp_path, content, track=2).startswith("song.mid: at least one note expected, none found")
    for track in (0, 4, -1):
        assert refusal(tmp_path, content, track=track).startswith(
            f"song.mid: a track of 1 to 3 expected (--track), {track} found: 1 "
        )


def test_a_piece_is_played_by_its_own_tempo_and_meter(tmp_path):
    content = song(VERSE, CHORUS, song_format=2)
    verse, chorus = (read_bytes(tmp_path, content, track=track) for track in (1, 2))
    assert notes(verse) == [(0, 4, 60)]
    assert notes(chorus) == [(0, 4, 64)]
    assert (verse.score.seconds[4], chorus.score.seconds[4]) == (pytest.approx(0.5), pytest.approx(1.0))
    assert (verse.score.meters, chorus.score.meters) == ((Meter(0, 4, 4),), (Meter(0, 3, 4),))


def test_the_only_piece_needs_no_choice(tmp_path):
    assert notes(read_bytes(tmp_path, song(b"", VERSE, song_format=2))) == [(0, 4, 60)]


def test_one_track_of_a_song_keeps_the_songs_tempo(tmp_path):
    slow = b"\x00\xff\x51\x03\x0f\x42\x40" + METER
    result = read_bytes(tmp_path, song(slow, NOTE, NOTE.replace(b"\x3c", b"\x40")), track=3)
    assert notes(result) == [(0, 4, 64)]
    assert result.score.seconds[4] == pytest.approx(1.0)
    assert result.score.meters == (Meter(0, 3, 4),)


@pytest.mark.parametrize(
    ("tempo", "beats", "steps"), [(b"", "120 a minute, as it states no tempo", 8), (b"\x0f\x42\x40", "its tempi", 4)]
)
def test_film_time_is_read_by_the_clock(tmp_path, tempo, beats, steps):
    event = b"\x00\xff\x51\x03" + tempo if tempo else b""
    second = b"\x00\x90\x3c\x40\x87\x68\x80\x3c\x40"  # 1,000 ticks
    result = read_bytes(tmp_path, song(event + second, division=0xE728))  # 25 frames of 40 ticks
    assert notes(result) == [(0, steps, 60)]
    assert result.score.seconds[steps] == pytest.approx(1.0)
    assert result.warnings == (f"song.mid: time in frames of film (SMPTE) found, its beats are {beats}",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "song.mid: empty file, a MIDI file expected"),
        (b"<html>", "song.mid: a MIDI file expected, which begins with MThd"),
        (WHOLE[:12], "song.mid: a MIDI file up to its end expected, cut off after 12 bytes"),
        (header(), "song.mid, byte 14: a track (MTrk) expected, none found"),
        (song(NOTE, division=0), "song.mid, byte 12: a time base expected, 0 ticks per beat found"),
        (
            song(NOTE, division=0xA028),
            "song.mid, byte 12: a time base in ticks per beat, or in frames of film at 24, 25, 29, 30 a second, "
            "expected, 96 frames of 40 ticks found",
        ),
        (
            song(NOTE, division=0xE800),
            "song.mid, byte 12: a time base in ticks per beat, or in frames of film at 24, 25, 29, 30 a second, "
            "expected, 24 frames of 0 ticks found",
        ),
        (song(NOTE.replace(b"\x90", b"\x80")), "song.mid: at least one note expected, none found"),
        (
            song(10 * b"\x00\x3c\x40"),
            "song.mid: MIDI events expected, 10 of 11 are damaged; the first oddity: song.mid, track 1, byte 22: "
            "data without a status byte before it is skipped (10 times)",
        ),
    ],
)
def test_what_cannot_be_understood_gets_one_line(tmp_path, content, message):
    assert refusal(tmp_path, content) == message


def test_noise_after_the_header_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(128, 256, 2000, np.uint8).tobytes()
    assert refusal(tmp_path, song(noise)).startswith("song.mid: ")


def test_warnings_are_a_handful(tmp_path):
    keys = b"".join(b"\x00\xff\x59" + bytes([length]) + b"\0" * length for length in range(3, 60))
    result = read_bytes(tmp_path, song(keys + NOTE))
    assert len(result.warnings) == 9
    assert result.warnings[-1] == "song.mid: 49 more such oddities, read or skipped likewise"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255))
def test_a_file_with_one_wrong_byte_is_read_or_refused(tmp_path, at, byte):
    (tmp_path / "song.mid").write_bytes(WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :])
    try:
        assert notes(read(tmp_path / "song.mid"))
    except BadFile as error:
        assert str(error).startswith("song.mid")  # noqa: PT017
