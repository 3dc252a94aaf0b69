"""Folders of pairs: what is read, what is refused, and how pairs are split."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.music import midi
from rigs import files
from rigs.files import BadFile
from rigs.sample_dance.salsa import sample_dance
from tests.training.choreo_bridge.pairs import dancer, folder_of_pairs, pairs, song
from training.data.music_pairs import MANIFEST, Pair, PairSplit, find_pairs, split_pairs

SECONDS = 64 / 12
"""Of `song`, which its six seconds of dance outlast."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pairs as a user has them, without a list, at a rate of their own."""
    for number, name in enumerate(("anna", "ben", "cleo", "dora")):
        files.write(tmp_path / f"{name}.bvh", replace(dancer(number), fps=60.0) if number == 0 else dancer(number))
        midi.write(tmp_path / f"{name}.mid", song(number))
    return tmp_path


def names_by_part(split: PairSplit) -> dict[str, list[str]]:
    return {part: [pair.name for pair in getattr(split, part)] for part in ("train", "validation", "test")}


def test_each_dance_is_read_with_the_music_of_its_name(folder: Path) -> None:
    found = find_pairs(folder)
    assert [pair.name for pair in found] == ["anna", "ben", "cleo", "dora"]
    for number, pair in enumerate(found):
        assert pair.dancer.fps == 30.0
        assert pair.score.bass.onset[:, 28 + number].any()
        assert (pair.recording, pair.song, pair.part) == (pair.name, pair.name, None)
    assert np.abs(found[1].dancer.root - dancer(1).root).max() < 1e-3
    assert len(found[0].dancer) == 91


def test_what_is_odd_in_the_files_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = sorted(path.stem for path in folder.glob("*.mid"))[0]
    cut = (folder / f"{name}.mid").read_bytes()[:-6]
    (folder / f"{name}.mid").unlink()
    (folder / f"{name}.kar").write_bytes(cut)
    assert len(find_pairs(folder)) == len(list(folder.glob("*.bvh")))
    assert capsys.readouterr().err.count(f"{name}.kar, track ") == 1


def test_a_pair_lasts_as_long_as_both_do(folder: Path) -> None:
    anna, ben, *_ = find_pairs(folder)
    assert anna.seconds == pytest.approx(179 / 60.0, abs=1.0 / 30.0)
    assert ben.seconds == pytest.approx(SECONDS)


def test_the_manifest_gives_recording_song_and_part(tmp_path: Path) -> None:
    found = find_pairs(folder_of_pairs(tmp_path / "pairs", 4))
    assert [(pair.recording, pair.song, pair.part) for pair in found] == [
        ("take0", "song0", "train"),
        ("take1", "song1", "train"),
        ("take2", "song2", "validation"),
        ("take3", "song3", "test"),
    ]


def test_hidden_files_and_others_are_left_out(folder: Path) -> None:
    (folder / "._anna.mid").write_bytes(b"what a system put there")
    (folder / "._anna.bvh").write_bytes(b"what a system put there")
    (folder / "notes.txt").write_text("anna is late in the second chorus")
    (folder / "songs.csv").write_text("song,tempo\nanna,120\n")
    assert len(find_pairs(folder)) == 4


@pytest.mark.parametrize(
    ("missing", "message"),
    [("ben.mid", "ben.bvh: no ben.mid beside it"), ("ben.bvh", "ben.mid: no ben.bvh or .npz beside it")],
)
def test_a_dance_without_music_and_music_without_a_dance_are_named(folder: Path, missing: str, message: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(BadFile) as bad:
        find_pairs(folder)
    assert str(bad.value) == f"{folder}/{message}"


def test_a_short_dance_is_named(folder: Path) -> None:
    files.write(folder / "ben.bvh", sample_dance()[:40])
    with pytest.raises(BadFile, match=r"ben\.bvh: 2 s of dance and music or more expected, 1\.3 s found"):
        find_pairs(folder)


def test_short_music_is_named(folder: Path) -> None:
    midi.write(folder / "ben.mid", replace(song(1, 16), seconds=0.1 * np.arange(17)))
    with pytest.raises(BadFile, match=r"ben\.bvh: 2 s of dance and music or more expected, 1\.6 s found"):
        find_pairs(folder)


@pytest.mark.parametrize("names", [[], ["anna.bvh"], ["anna.mid"]])
def test_a_folder_without_pairs_says_what_is_expected(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(BadFile, match=r"no pairs found, files named NAME.bvh \(or .npz\) and NAME.mid expected"):
        find_pairs(tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"none: a folder of dances and music expected, NAME.bvh beside NAME.mid"):
        find_pairs(tmp_path / "none")


def test_an_unknown_part_is_named_with_its_pair(folder: Path) -> None:
    (folder / MANIFEST).write_text(json.dumps({"pairs": [{"name": "ben", "part": "training"}]}))
    with pytest.raises(BadFile) as bad:
        find_pairs(folder)
    message = f"{folder / MANIFEST}, ben: a part of train, validation, test expected, 'training' found"
    assert str(bad.value) == message


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pairs": 3}', '{"pairs": [3]}', '{"pairs": [{"nom": 1}]}'])
def test_an_unreadable_manifest_is_named(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text)
    with pytest.raises(BadFile, match=f"{MANIFEST}: the list that training/pairs.py writes expected"):
        find_pairs(folder)


def test_pairs_are_split_by_their_own_part(tmp_path: Path) -> None:
    split = split_pairs(find_pairs(folder_of_pairs(tmp_path / "pairs", 5)), ["take0"], ["take1"])
    assert names_by_part(split) == {"train": ["take0", "take1", "take2"], "validation": ["take3"], "test": ["take4"]}


def test_pairs_without_a_part_are_split_by_recording(folder: Path) -> None:
    split = split_pairs(find_pairs(folder), ["anna"], ["cleo"])
    assert names_by_part(split) == {"train": ["ben", "dora"], "validation": ["anna"], "test": ["cleo"]}


def test_without_a_named_recording_the_last_ones_are_held_out(folder: Path) -> None:
    split = split_pairs(find_pairs(folder), ["salsa_10"], ["salsa_07"])
    assert names_by_part(split) == {"train": ["anna", "ben"], "validation": ["cleo"], "test": ["dora"]}


def test_a_song_that_the_test_has_is_in_no_other_part() -> None:
    first, *others = pairs(5)
    shared = [first, replace(others[0], song=others[3].song), *others[1:]]
    split = split_pairs(shared, ["take3"], ["take4"])
    assert names_by_part(split) == {"train": ["take0", "take2"], "validation": ["take3"], "test": ["take4"]}


def test_a_recording_in_two_parts_stays_in_one() -> None:
    assigned = [replace(pair, part="train") for pair in pairs(3)]
    assigned += [
        replace(assigned[0], name="again", song="other", part="test"),
        replace(assigned[1], name="b", part="validation"),
    ]
    split = split_pairs(assigned, (), ())
    assert names_by_part(split) == {"train": ["take2"], "validation": ["b"], "test": ["again"]}


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(BadFile, match="2 pairs: none left for train, at least three recordings and songs expected"):
        split_pairs(pairs(2), (), ())
    one_song = [replace(pair, song="one") for pair in pairs(3)]
    with pytest.raises(BadFile, match="3 pairs: none left for train"):
        split_pairs(one_song, (), ())


def test_several_pairs_of_one_recording_are_in_its_part() -> None:
    several: list[Pair] = [replace(pair, recording=f"take{n // 2}") for n, pair in enumerate(pairs(6))]
    split = split_pairs(several, ["take1"], ["take2"])
    assert names_by_part(split) == {
        "train": ["take0", "take1"],
        "validation": ["take2", "take3"],
        "test": ["take4", "take5"],
    }
