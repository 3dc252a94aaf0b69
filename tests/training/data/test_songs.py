"""Songs read from MIDI files whose content is known."""

from pathlib import Path

import numpy as np
import pytest

from backend.music import midi
from backend.music.score import Meter, Note, Score, part_from_notes, part_to_notes
from rigs.files import BadFile
from training.data.songs import BEATS_FILE, KINDS, Song, combine_band, cut_song, find_songs, read_as_four_four

STEP = 0.1
"""s: sixteenths at 150 beats a minute."""


def tune(
    bars: int = 8, *, step: float = STEP, meters: tuple[Meter, ...] = (Meter(0),), steps: int | None = None
) -> Score:
    """A melody of quarters, louder in the second half."""
    steps = steps or 16 * bars
    notes = [Note(60 + beat // 4 % 12, 60 if beat < steps // 2 else 120, beat, beat + 4) for beat in range(0, steps, 4)]
    return Score(
        part_from_notes([], steps),
        part_from_notes([], steps),
        part_from_notes(notes, steps),
        step * np.arange(steps + 1),
        meters,
    )


def drum_loop(bars: int = 2, step: float = STEP) -> Score:
    """A kick on the first beat of each bar, a snare on each of the other ones."""
    steps = 16 * bars
    notes = [Note(38 if beat % 16 else 36, 100, beat, beat + 1) for beat in range(0, steps, 4)]
    return Score(
        part_from_notes(notes, steps),
        part_from_notes([], steps),
        part_from_notes([], steps),
        step * np.arange(steps + 1),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve tunes, twelve drummers, a waltz and a tune that changes to threes."""
    folder = tmp_path_factory.mktemp("midi")
    for n in range(12):
        (folder / f"tunes{n % 2}").mkdir(exist_ok=True)
        midi.write(folder / f"tunes{n % 2}" / f"tune{n:02d}.mid", tune(step=0.1 + 0.001 * n))
        midi.write(folder / f"drums{n:02d}.mid", drum_loop())
    midi.write(folder / "waltz.mid", tune(meters=(Meter(0, 3),), steps=96))
    midi.write(folder / "turns.mid", tune(meters=(Meter(0), Meter(32, 3)), steps=32 + 96))
    return folder


@pytest.fixture(scope="module")
def songs(folder: Path) -> dict[str, list[Song]]:
    return find_songs([folder])


def test_only_music_in_bars_of_four_is_found(songs: dict[str, list[Song]]) -> None:
    names = {song.name for part in songs.values() for song in part if song.kind != "band"}
    assert names == {f"{kind}{n:02d}" for kind in ("tune", "drums") for n in range(12)}


def test_the_kind_of_a_song_depends_on_its_drums(songs: dict[str, list[Song]]) -> None:
    for part in songs.values():
        assert {song.kind for song in part} == set(KINDS)
        for song in part:
            assert song.score.drums.onset.any() == (song.kind != "tune")
            assert song.score.melody.onset.any() == (song.kind != "drums")


def test_no_song_is_in_two_parts_neither_as_itself_nor_in_a_band(songs: dict[str, list[Song]]) -> None:
    used = {part: {name for song in found for name in song.name.split("+")} for part, found in songs.items()}
    assert all(used.values())
    assert not used["train"] & used["validation"]
    assert not used["train"] & used["test"]
    assert not used["validation"] & used["test"]


def test_the_source_of_a_band_is_its_tune(songs: dict[str, list[Song]]) -> None:
    for song in (song for part in songs.values() for song in part):
        assert song.source == song.name.split("+")[0]


def test_songs_are_the_same_every_time(folder: Path, songs: dict[str, list[Song]]) -> None:
    again = find_songs([folder])
    assert {part: [s.name for s in found] for part, found in again.items()} == {
        part: [s.name for s in found] for part, found in songs.items()
    }


def test_phrases_begin_with_every_other_bar(songs: dict[str, list[Song]]) -> None:
    for song in songs["train"]:
        assert song.pulse.positions[song.phrases].tolist() == list(range(0, song.score.steps, 32))


def test_loudness_has_two_halves_a_step_and_rises_where_the_music_does(songs: dict[str, list[Song]]) -> None:
    for song in (song for song in songs["train"] if song.kind == "tune"):
        halves = song.loudness
        assert len(halves) == 2 * len(song.pulse.positions)
        on_beats, between = halves[:-2:2], halves[1:-2:2]
        assert (on_beats.min() > between).all()  # notes begin on beats alone
        assert on_beats[16:].min() > on_beats[:16].max()


def test_loudness_is_standardized_over_the_songs_of_a_kind(songs: dict[str, list[Song]]) -> None:
    for part in songs.values():
        for kind in KINDS:
            together = np.concatenate([song.loudness for song in part if song.kind == kind])
            assert together.mean() == pytest.approx(0.0, abs=1e-6)
            assert together.std() == pytest.approx(1.0, abs=1e-6)


def test_a_beats_file_beside_a_song_gives_its_downbeats(tmp_path: Path) -> None:
    """As POP909 has them: every 0.4 s a beat, the third of which is a bar's first."""
    path = tmp_path / "001.mid"
    midi.write(path, tune(meters=(Meter(0, 3),), steps=192))
    rows = [f"{0.4 * beat:.4f} 1.0 {float(beat % 4 == 2)}" for beat in range(48)]
    (tmp_path / BEATS_FILE).write_text("\n".join(rows))
    found = read_as_four_four(midi.read(path).score, path)
    assert found is not None
    assert found.meters == (Meter(0, 8, 16), Meter(8))
    assert found.bars[:4].tolist() == [0, 8, 24, 40]


def test_a_band_plays_the_drums_over_and_over_from_the_first_whole_bar() -> None:
    pickup = tune(meters=(Meter(0, 1), Meter(4)), steps=4 + 16 * 6)
    result = combine_band(pickup, drum_loop(2, step=0.2))
    assert np.array_equal(result.seconds, pickup.seconds)
    assert np.array_equal(result.melody.onset, pickup.melody.onset)
    kicks, snares = (np.flatnonzero(result.drums.onset[:, drum]).tolist() for drum in (36, 38))
    assert kicks == list(range(4, 100, 16))
    assert snares == [step for step in range(4, 100, 4) if step not in kicks]


def test_a_cut_song_begins_at_0_and_can_be_stretched(songs: dict[str, list[Song]]) -> None:
    song = next(song for song in songs["train"] if song.kind == "tune")
    result = cut_song(song, 8, 16, time_stretch=1.1)
    assert result.steps == 64
    assert result.seconds[0] == 0.0
    assert np.allclose(np.diff(result.seconds), 1.1 * np.diff(song.score.seconds)[32:96])
    assert np.array_equal(result.melody.onset, song.score.melody.onset[32:96])
    assert np.array_equal(result.melody.velocity, song.score.melody.velocity[32:96])


def test_notes_tied_over_the_start_of_a_cut_are_dropped(tmp_path: Path) -> None:
    steps = 160
    held = [Note(50, 90, 0, 40), Note(50, 80, 44, 60), Note(70, 90, 0, steps), Note(72, 90, 30, 36)]
    held += [Note(60, 90, beat, beat + 2) for beat in range(0, steps, 4)]
    parts = (part_from_notes([], steps), part_from_notes([], steps), part_from_notes(held, steps))
    midi.write(tmp_path / "held.mid", Score(*parts, STEP * np.arange(steps + 1)))
    (song,) = (song for part in find_songs([tmp_path]).values() for song in part)
    notes = part_to_notes(cut_song(song, 8, 16).melody)
    assert [note for note in notes if note.pitch in (50, 70, 72)] == [Note(50, 80, 12, 28)]


def test_two_files_of_one_name_are_both_found_under_names_of_their_own(tmp_path: Path) -> None:
    for n, score in enumerate((tune(), tune(step=0.11), drum_loop())):
        (tmp_path / f"artist{n}").mkdir()
        midi.write(tmp_path / f"artist{n}" / "song.mid", score)
    found = [song.name for part in find_songs([tmp_path]).values() for song in part if song.kind != "band"]
    assert sorted(found) == ["artist0-song", "artist1-song", "artist2-song"]


def test_a_folder_without_music_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=f"{tmp_path}: MIDI files expected, none found"):
        find_songs([tmp_path])


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    midi.write(tmp_path / "good.mid", tune())
    (tmp_path / "bad.mid").write_bytes(b"MThd, and nothing of it")
    with pytest.raises(BadFile, match=r"bad\.mid"):
        find_songs([tmp_path])


def test_an_unreadable_beats_file_is_named(tmp_path: Path) -> None:
    midi.write(tmp_path / "001.mid", tune())
    (tmp_path / BEATS_FILE).write_text("0.0 1.0\n0.4 0.0\n")
    with pytest.raises(BadFile, match=f"{BEATS_FILE}: rows of seconds, any number, and 1 on a downbeat expected"):
        find_songs([tmp_path])


def test_hidden_files_are_left_out(tmp_path: Path) -> None:
    midi.write(tmp_path / "good.mid", tune())
    (tmp_path / "._good.mid").write_bytes(b"what a system put there")
    assert [song.name for part in find_songs([tmp_path]).values() for song in part] == ["good"]
