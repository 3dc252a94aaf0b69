"""Pairing dances with music: a small folder of each, and the files that it leaves."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.music import midi
from backend.music.pulse import dance_pulse
from backend.music.score import Meter, Note, Score, part_from_notes
from rigs import Array, files
from rigs.choreography.beat_tracking import track_beats
from rigs.motion import Motion, concatenate, mirror, rotate_about_z, translate
from rigs.sample_dance.salsa import BEAT, sample_dance
from training.data.duets import PARTS
from training.data.music_pairs import MANIFEST, find_pairs, split_pairs
from training.data.songs import find_songs
from training.pairs import DanceClip, PairingConfig, find_dance_clips, main, make_pairs, match_songs

Command = Callable[..., tuple[int, list[str]]]

RATES = {"one": 30.0, "two": 31.0, "three": 28.5}
"""Couples who dance to 180, 186 and 171 beats a minute."""
MOST = 1.15
NEAR = 0.09
"""s from a beat of the music to the dance's."""


def song(number: int, *, drums: bool, bars: int = 12) -> Score:
    """Bars of four at a tempo of its own from 140 to 195, louder in its later half."""
    steps = 16 * bars
    notes = [Note(40 + number, 50 if at < steps / 2 else 110, at, at + 2) for at in range(0, steps, 4)]
    none, played = part_from_notes([], steps), part_from_notes(notes, steps)
    seconds = 15.0 / (140 + 5 * number) * np.arange(steps + 1)
    return Score(played if drums else none, none, none if drums else played, seconds)


def couple(fps: float, frames: int = 600) -> tuple[Motion, Motion]:
    leader = replace(sample_dance()[:frames], fps=fps)
    return leader, translate(rotate_about_z(mirror(leader), np.pi), np.array([0.0, -0.9, 0.0]))


@pytest.fixture(scope="module")
def dances(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dances")
    for name, fps in RATES.items():
        for role, dancer in zip(("leader", "follower"), couple(fps), strict=True):
            files.write(folder / f"{name}_{role}.npz", dancer)
    return folder


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("midi")
    for number in range(12):
        midi.write(folder / f"tune{number:02d}.mid", song(number, drums=False))
        midi.write(folder / f"drums{number:02d}.mid", song(number, drums=True))
    return folder


def pairing_config(dances: Path, music: Path, out: Path) -> PairingConfig:
    return PairingConfig((dances,), (music,), out, each=2, validation=("two",), test=("three",))


@pytest.fixture(scope="module")
def pairs_folder(dances: Path, music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "pairs"
    make_pairs(pairing_config(dances, music, out))
    return out


@pytest.fixture(scope="module")
def entries(pairs_folder: Path) -> list[dict[str, Any]]:
    pairs: list[dict[str, Any]] = json.loads((pairs_folder / MANIFEST).read_text())["pairs"]
    return pairs


def test_pairs_are_called_synthetic(pairs_folder: Path) -> None:
    assert json.loads((pairs_folder / MANIFEST).read_text())["synthetic"] is True


def test_the_folder_holds_the_pairs_of_the_manifest(pairs_folder: Path, entries: list[dict[str, Any]]) -> None:
    names = [pair["name"] for pair in entries]
    assert len(names) == len(set(names))
    expected = {f"{name}.{suffix}" for name in names for suffix in ("npz", "mid")}
    assert {path.name for path in pairs_folder.iterdir()} == {*expected, MANIFEST}


def test_all_dancers_of_a_part_dance_to_songs_of_each_kind(entries: list[dict[str, Any]]) -> None:
    for part in PARTS:
        pairs = [pair for pair in entries if pair["part"] == part]
        assert {"leader" in pair["name"] for pair in pairs} == {True, False}
        assert {pair["kind"] for pair in pairs} == {"drums", "tune", "band"}


def test_names_give_recording_role_time_and_song(entries: list[dict[str, Any]]) -> None:
    for pair in entries:
        dancer, music = pair["name"].split("__")
        recording, role, begins = dancer.split("_")
        assert (recording, role in ("leader", "follower")) == (pair["recording"], True)
        assert int(begins) == round(10 * pair["from"])
        assert music.split("+")[0] == pair["song"]


def test_no_recording_and_no_song_is_in_two_parts(entries: list[dict[str, Any]]) -> None:
    for source in ("recording", "song"):
        by_part = [{pair[source] for pair in entries if pair["part"] == part} for part in PARTS]
        assert all(by_part)
        assert sum(map(len, by_part)) == len(set().union(*by_part))
    drummers = [{pair["name"].split("__")[1].split("+")[-1] for pair in entries if pair["part"] == p} for p in PARTS]
    assert sum(map(len, drummers)) == len(set().union(*drummers))
    assert {p["recording"] for p in entries if p["part"] == "validation"} == {"two"}
    assert {p["recording"] for p in entries if p["part"] == "test"} == {"three"}


def test_the_folder_is_read_as_pairs_with_their_parts(pairs_folder: Path, entries: list[dict[str, Any]]) -> None:
    split = split_pairs(find_pairs(pairs_folder), (), ())
    for part in PARTS:
        assert {p.name for p in getattr(split, part)} == {p["name"] for p in entries if p["part"] == part}


def test_beats_of_the_dance_are_those_of_the_music_beside_it(pairs_folder: Path) -> None:
    for pair in find_pairs(pairs_folder):
        music_beats, dance_beats = dance_pulse(pair.score).seconds, track_beats(pair.dancer).times
        away = np.abs(music_beats[2:-2, None] - dance_beats).min(axis=1)
        assert np.median(away) < NEAR / 2, pair.name
        assert (away < NEAR).mean() > 0.9, pair.name


def test_both_begin_and_end_together(pairs_folder: Path) -> None:
    for pair in find_pairs(pairs_folder):
        assert abs(pair.dancer.seconds - pair.score.seconds[-1]) < 2.0 / 30.0
        assert dance_pulse(pair.score).counts[0] == 0


def test_a_tempo_is_met_halfway(entries: list[dict[str, Any]]) -> None:
    danced = {name: fps / 30.0 * 60.0 / BEAT for name, fps in RATES.items()}
    for pair in entries:
        written = 140.0 + 5.0 * int(pair["song"][-2:])
        assert pair["tempo"] == pytest.approx(np.sqrt(danced[pair["recording"]] * written), rel=0.02)
        assert pair["played slower"] == pytest.approx(written / pair["tempo"], rel=0.02)


@pytest.fixture(scope="module")
def clips(dances: Path) -> list[DanceClip]:
    return find_dance_clips(dances)


def test_no_beat_gets_longer_or_shorter_by_more_than_15_percent(clips: list[DanceClip], music: Path) -> None:
    matches = match_songs(clips, find_songs([music])["train"], each=4)
    assert len(matches) > 10
    for match in matches:
        stretched = match.song.pulse.seconds[match.first : match.first + len(match.clip.beats)]
        change = np.diff(stretched) * match.time_stretch / np.diff(match.clip.beats)
        assert 1.0 / MOST - 1e-4 <= change.min() <= change.max() <= MOST + 1e-4
        assert 1.0 / MOST - 1e-4 <= match.time_stretch <= MOST + 1e-4
    assert max(match.time_stretch for match in matches) > 1.02


def test_music_that_needs_more_warping_is_not_matched(clips: list[DanceClip], tmp_path: Path) -> None:
    """Of 133 steps a minute, and of 240, which are danced to at half the rate."""
    for number, tempo in enumerate((133.0, 240.0)):
        score = song(number, drums=False)
        midi.write(tmp_path / f"{number}.mid", replace(score, seconds=15.0 / tempo * np.arange(score.steps + 1)))
    songs = [song for part in find_songs([tmp_path]).values() for song in part]
    assert len(songs) == 2
    assert match_songs(clips, songs, each=4) == []


def test_music_is_matched_whose_loudness_follows_the_dance(clips: list[DanceClip], tmp_path: Path) -> None:
    """Of two songs alike but for what is loud, the one that rises and falls with the dancer's speed is taken."""
    (clip, *_) = clips
    energy = np.repeat(clip.energy, 2)
    for name, strength in (("with", energy), ("against", -energy)):
        rank = np.argsort(np.argsort(strength)) / len(strength)
        notes = [Note(60, 10 + round(110 * loud), at, at + 1) for at, loud in enumerate(rank)]
        steps = len(strength) + 16
        none = part_from_notes([], steps)
        seconds = 15.0 / 180.0 * np.arange(steps + 1)
        midi.write(tmp_path / f"{name}.mid", Score(none, none, part_from_notes(notes, steps), seconds))
    songs = [song for part in find_songs([tmp_path]).values() for song in part]
    assert len(songs) == 2
    best, worst = match_songs([clip], songs, each=2)
    assert (best.song.name, best.first) == ("with", 0)
    assert best.cost + 1.0 < worst.cost  # correlations of nearly 1 and -1


def test_songs_are_used_in_turns(clips: list[DanceClip], music: Path) -> None:
    matches = match_songs(clips, find_songs([music])["train"], each=2)
    for clip in clips:
        mine = [match.song for match in matches if match.clip is clip]
        assert len({song.name for song in mine}) == len(mine) == 6
    assert len({match.song.name for match in matches}) > 6


def test_clips_are_whole_bars_that_begin_where_phrases_do(clips: list[DanceClip]) -> None:
    for clip in clips:
        assert (len(clip.beats) - 1) % 4 == 0
        assert 16 <= len(clip.beats) - 1 <= 32
        assert len(clip.energy) == 2 * (len(clip.beats) - 1)
        assert np.isfinite(clip.energy).all()


def test_energy_is_the_log_of_the_mean_joint_speed(clips: list[DanceClip]) -> None:
    clip = clips[0]
    middle = np.interp(np.arange(0.25, len(clip.beats) - 1.25, 0.5), np.arange(len(clip.beats)), clip.beats)
    speed = _speed(clip.dancer)
    expected = [speed[round((t - 0.08) * 30) : round((t + 0.08) * 30)].mean() for t in middle]
    assert np.corrcoef(np.exp(clip.energy[: len(expected)]), expected)[0, 1] > 0.98
    assert np.exp(clip.energy).mean() - 0.05 == pytest.approx(np.mean(expected), rel=0.1)


def _speed(dancer: Motion) -> Array:
    return np.linalg.norm(np.diff(dancer.positions, axis=0), axis=-1).mean(axis=1) * dancer.fps


def test_clips_of_a_recording_with_a_cut_have_unique_names(tmp_path: Path) -> None:
    for role, dancer in zip(("leader", "follower"), couple(30.0), strict=True):
        elsewhere = translate(dancer, np.array([3.0, 0.0, 0.0]))
        files.write(tmp_path / f"cut_{role}.npz", concatenate(dancer, elsewhere))
    names = [clip.name for clip in find_dance_clips(tmp_path)]
    assert len(names) >= 4
    assert len(set(names)) == len(names)


def test_solo_dancers_are_paired(tmp_path: Path) -> None:
    files.write(tmp_path / "anna.npz", couple(30.0)[0])
    files.write(tmp_path / "still.npz", sample_dance()[np.zeros(300, int)])  # type: ignore[index]
    assert {(clip.recording, clip.name.split("_")[1]) for clip in find_dance_clips(tmp_path)} == {("anna", "solo")}


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(dances: Path, music: Path, out: Path, *more: str) -> tuple[int, list[str]]:
        given = ["pairs.py", "--dances", str(dances), "--midi", str(music), "--out", str(out), *more]
        monkeypatch.setattr(sys, "argv", given)
        status = main()
        return status, capsys.readouterr().err.splitlines()

    return run


def test_an_existing_output_folder_is_refused(command: Command, dances: Path, music: Path, tmp_path: Path) -> None:
    out = tmp_path / "pairs"
    out.mkdir()
    (out / "mine").touch()
    assert command(dances, music, out) == (2, [f"{out}: already exists, another --out expected"])
    assert [path.name for path in out.iterdir()] == ["mine"]


def test_a_broken_midi_file_leaves_nothing(command: Command, dances: Path, tmp_path: Path) -> None:
    (tmp_path / "midi").mkdir()
    midi.write(tmp_path / "midi" / "good.mid", song(8, drums=False))
    (tmp_path / "midi" / "bad.mid").write_bytes(b"MThd, cut off")
    status, (message,) = command(dances, tmp_path / "midi", tmp_path / "pairs")
    assert status == 2
    assert message.startswith("bad.mid")
    assert [path.name for path in tmp_path.iterdir()] == ["midi"]


def test_a_broken_dance_leaves_nothing(command: Command, music: Path, tmp_path: Path) -> None:
    (tmp_path / "dances").mkdir()
    (tmp_path / "dances" / "a_leader.npz").write_bytes(b"no archive")
    (tmp_path / "dances" / "a_follower.npz").write_bytes(b"no archive")
    status, (message,) = command(tmp_path / "dances", music, tmp_path / "pairs")
    assert status == 2
    assert message.startswith("a_leader.npz: ")
    assert [path.name for path in tmp_path.iterdir()] == ["dances"]


def test_a_missing_folder_is_refused(command: Command, music: Path, tmp_path: Path) -> None:
    expected = f"{tmp_path / 'none'}: a folder of dances expected"
    assert command(tmp_path / "none", music, tmp_path / "pairs") == (2, [expected])


def test_without_a_match_nothing_is_left(command: Command, dances: Path, tmp_path: Path) -> None:
    (tmp_path / "midi").mkdir()
    waltz = replace(song(8, drums=False), meters=(Meter(0, 3),))
    midi.write(tmp_path / "midi" / "waltz.mid", waltz)
    status, lines = command(dances, tmp_path / "midi", tmp_path / "pairs")
    assert status == 2
    expected = "no pair found, dances and songs of one part and of similar tempi expected"
    assert lines[-1] == f"{tmp_path / 'pairs'}: {expected}"
    assert [path.name for path in tmp_path.iterdir()] == ["midi"]
