"""Cleaning, splitting and cutting of duet recordings."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rigs.files import BadFile, write
from rigs.motion import Motion, resample, translate
from tests.training.data.duet_files import duet, folder_of_duets
from training.data.duets import (
    FPS,
    MAX_JOINT_SPEED,
    Duet,
    DuetWindows,
    clean_duet,
    find_duets,
    joint_jumps,
    split_duets,
)


def walking_on_and_off(frames: int) -> Duet:
    """A duet whose follower comes from 3 m away in the first frames and stands 3 m away in the last ones."""
    leader, follower = duet()
    away = np.zeros((len(leader), 3))
    away[:frames, 1] = -np.linspace(3.0, 0.0, frames)
    away[-frames:, 1] = -3.0 * np.linspace(0.0, 1.0, frames)
    return Duet("walk", leader, replace(follower, root=follower.root + away))


def test_walks_on_and_off_are_trimmed() -> None:
    [piece] = clean_duet(walking_on_and_off(90))
    apart = np.linalg.norm(piece.leader.root - piece.follower.root, axis=-1)
    assert apart[0] < 1.3
    assert apart[-1] < 1.3
    assert 600 - 180 < len(piece) < 600 - 60


def test_a_single_frame_jump_is_cut() -> None:
    leader, follower = duet()
    root = follower.root.copy()
    root[300] += [0.5, 0.0, 0.0]
    broken = Duet("jump", leader, replace(follower, root=root))
    assert list(joint_jumps(broken.positions(), 30.0)) == [299, 300]
    first, second = clean_duet(broken)
    assert (len(first), len(second)) == (300, 299)
    for piece in (first, second):
        speed = np.linalg.norm(np.diff(piece.positions(), axis=1), axis=-1) * FPS
        assert speed.max() < MAX_JOINT_SPEED


def test_pieces_are_resampled_to_30_fps() -> None:
    leader, follower = (resample(dancer, 60.0) for dancer in duet())
    [piece] = clean_duet(Duet("fast", leader, follower))
    assert piece.leader.fps == FPS
    np.testing.assert_allclose(piece.leader.root, duet()[0].root, atol=1e-9)


def test_cleaned_salsa_dances_together_without_jumps(corpus: Path) -> None:
    duets = find_duets(corpus / "salsa")
    assert len(duets) == 11
    pieces = [piece for recording in duets for piece in clean_duet(recording)]
    for piece in pieces:
        positions = piece.positions()
        assert (np.linalg.norm(np.diff(positions, axis=1), axis=-1) * FPS).max() < MAX_JOINT_SPEED
        assert np.linalg.norm(positions[0, [0, -1], 0] - positions[1, [0, -1], 0], axis=-1).max() < 1.35
    cleaned = sum(piece.leader.seconds for piece in pieces)
    total = sum(recording.leader.seconds for recording in duets)
    assert 0.7 < cleaned / total < 0.95


def test_no_recording_is_in_two_parts(corpus: Path) -> None:
    split = split_duets(find_duets(corpus / "salsa"), ["salsa_10"], ["salsa_07"])
    parts = [{piece.name for piece in part} for part in (split.train, split.validation, split.test)]
    assert parts[1:] == [{"salsa_10"}, {"salsa_07"}]
    assert parts[0] == {f"salsa_{n:02}" for n in (1, 2, 3, 4, 5, 6, 9, 11, 13)}


def test_a_folder_with_other_names_is_split_by_order(tmp_path: Path) -> None:
    split = split_duets(find_duets(folder_of_duets(tmp_path / "duets")), ["salsa_10"], ["salsa_07"])
    parts = [{piece.name for piece in part} for part in (split.train, split.validation, split.test)]
    assert parts == [{"a"}, {"b"}, {"c"}]


def test_a_recording_that_cannot_be_used_is_in_no_part(tmp_path: Path) -> None:
    folder = folder_of_duets(tmp_path / "duets")
    for role, motion in zip(("leader", "follower"), duet(60), strict=True):
        write(folder / f"d_{role}.npz", motion)
    split = split_duets(find_duets(folder), ["salsa_10"], ["salsa_07"])
    parts = [{piece.name for piece in part} for part in (split.train, split.validation, split.test)]
    assert parts == [{"a"}, {"b"}, {"c"}]


def test_what_lies_beside_a_recording_is_not_taken_for_one(tmp_path: Path) -> None:
    folder = folder_of_duets(tmp_path / "duets", ("a",))
    for name in ("._a_leader.npz", "a_leader.asf", "a_leader.txt"):
        (folder / name).write_bytes(b"no recording")
    [recording] = find_duets(folder)
    assert len(recording) == 200


def broken_folders(folder: Path, leader: Motion, follower: Motion) -> dict[str, Path]:
    lonely, leaderless, unequal = folder / "lonely", folder / "leaderless", folder / "unequal"
    for place in (lonely, leaderless, unequal, folder / "empty"):
        place.mkdir()
    write(lonely / "a_leader.npz", leader)
    write(leaderless / "a_follower.npz", follower)
    write(unequal / "a_leader.npz", leader)
    write(unequal / "a_follower.npz", follower[:50])
    return {name: folder / name for name in ("lonely", "leaderless", "unequal", "empty", "missing")}


def test_a_bad_folder_gets_one_clear_sentence(tmp_path: Path) -> None:
    messages = {}
    for name, folder in broken_folders(tmp_path, *duet(100)).items():
        with pytest.raises(BadFile) as bad:
            find_duets(folder)
        messages[name] = str(bad.value)
        assert "\n" not in messages[name]
    assert "a_follower expected beside it, not found" in messages["lonely"]
    assert "a_leader expected beside it, not found" in messages["leaderless"]
    assert "100 frames at 30 fps expected" in messages["unequal"]
    assert "50 at 30 found" in messages["unequal"]
    assert "NAME_leader and NAME_follower expected" in messages["empty"]
    assert "a folder of duets expected" in messages["missing"]


def windows(**changes: int) -> DuetWindows:
    settings = {"length": 65, "stride": 7, "batch": 4, "epochs": 2, "seed": 1} | changes
    return DuetWindows([Duet("a", *duet(200)), Duet("b", *(translate(d, np.ones(3)) for d in duet(150)))], **settings)


def test_windows_never_cross_recordings_and_keep_the_pair_together() -> None:
    takes = windows().recordings
    for index, (take, first) in enumerate(windows().window_starts):
        torch.testing.assert_close(windows().window(index), takes[take][:, first : first + 65])
        assert first + 65 <= takes[take].shape[1]


def test_batches_resumed_in_the_middle_are_those_of_the_whole_run() -> None:
    whole = list(windows())
    later = windows()
    later.start = 5
    assert len(whole) == len(windows())
    for expected, batch in zip(whole[5:], later, strict=True):
        assert torch.equal(expected, batch)


def test_every_window_is_seen_once_an_epoch_in_another_order() -> None:
    batches = list(windows(batch=1, epochs=2))
    first, second = batches[: len(batches) // 2], batches[len(batches) // 2 :]

    def seen(epoch: list[torch.Tensor]) -> set[float]:
        return {float(batch.sum()) for batch in epoch}

    assert seen(first) == seen(second)
    assert len(seen(first)) == len(windows().window_starts)
    assert not all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
