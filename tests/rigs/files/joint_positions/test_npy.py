"""Numpy arrays that hold no joint positions are refused, and nothing is unpickled."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rigs import Array
from rigs.files import BadFile, read
from rigs.skeleton import INDEX
from tests.rigs.files.joint_positions.position_arrays import save, swaying, to_camera


def broken_number(rows: Array) -> Array:
    rows[7, INDEX["right_wrist"], 2] = np.inf
    return rows


def no_wrist(rows: Array) -> Array:
    rows[:, INDEX["right_wrist"], 2] = np.nan
    return rows


def one_heap(rows: Array) -> Array:
    rows[7, INDEX["right_wrist"]] = rows[7, INDEX["right_elbow"]]
    return rows


class Explosive:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[type[SystemExit], tuple[str]]:
        return (SystemExit, ("unpickled",))


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (broken_number, "wrong.npy, row 7, right_wrist: a position in metres expected"),
        (no_wrist, "wrong.npy, row 0, right_wrist: a position in metres expected"),
        (
            lambda rows: np.random.default_rng(1).normal(size=(10, 72)),
            "poses belong into an .npz as 'poses' and 'trans'",
        ),
        (lambda rows: rows * 1e7, "wrong.npy, row 0, pelvis: a position in metres expected"),
        (one_heap, "wrong.npy, frame 7, right_wrist: a place apart from right_elbow expected"),
        (lambda rows: rows[:, :17], "29, 3.*expected, .*17, 3.* found"),
        (lambda rows: rows[0], "29, 3.*expected"),
        (lambda rows: rows[:0], "29, 3.*expected"),
        (lambda rows: rows[..., :2], "29, 3.*expected"),
        (lambda rows: rows.astype("U8"), "values of type <U8 found"),
        (lambda rows: rows.astype(complex), "values of type complex128 found"),
    ],
)
def test_a_wrong_array_is_refused_in_one_sentence(tmp_path: Path, spoil, complaint: str) -> None:  # type: ignore[no-untyped-def]
    path = save(tmp_path / "wrong.npy", spoil(to_camera(swaying(0.0, 0.0).positions)))
    with pytest.raises(BadFile, match=complaint) as refusal:
        read(path)
    assert "\n" not in str(refusal.value)


def test_files_that_are_no_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.npy"
    whole = save(tmp_path / "whole.npy", to_camera(swaying(0.0, 0.0).positions)).read_bytes()
    np.savez(tmp_path / "archive.npz", a=np.zeros(3))
    archive = (tmp_path / "archive.npz").read_bytes()
    for content in (b"", b"HIERARCHY\nROOT hips\n", whole[:40], whole[:-100], archive):
        path.write_bytes(content)
        with pytest.raises(BadFile, match=r"wrong\.npy: .*a numpy array of joint positions"):
            read(path)
    with pytest.raises(BadFile, match=r"missing\.npy: no such file"):
        read(tmp_path / "missing.npy")
    with pytest.raises(BadFile, match="a file expected, a folder found"):
        read(tmp_path)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([Explosive()], dtype=object), allow_pickle=True)
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps(Explosive()))
    for name in ("objects.npy", "pickle.npy"):
        with pytest.raises(BadFile, match="joint positions"):
            read(tmp_path / name)


def gap(rows: Array) -> Array:
    rows[7:10] = np.nan
    return rows


def gap_of_zeros(rows: Array) -> Array:
    rows[7:10] = 0.0
    return rows


def gap_of_a_hand(rows: Array) -> Array:
    rows[7:10, [INDEX["right_wrist"], INDEX["right_thumb"], INDEX["right_middle"]]] = np.nan
    return rows


@pytest.mark.parametrize("spoil", [gap, gap_of_zeros, gap_of_a_hand])
def test_gaps_are_interpolated_and_told(tmp_path: Path, spoil: Callable[[Array], Array]) -> None:
    motion = swaying(0.0, 0.0)
    clip = read(save(tmp_path / "x.npy", spoil(to_camera(motion.positions))), fps=30.0)
    assert clip.warnings == ("x.npy: joints not detected in 3 of 60 frames, interpolated",)
    np.testing.assert_allclose(clip.motions[0].positions, motion.positions, atol=0.01)


def test_gaps_of_one_of_two_interleaved_dancers_are_its_own(tmp_path: Path) -> None:
    motions = [swaying(0.0, 0.0), swaying(np.pi, 1.0)]
    rows = np.stack([to_camera(motion.positions) for motion in motions], axis=1).reshape(120, 29, 3)
    rows[21:27:2] = np.nan
    clip = read(save(tmp_path / "x.npy", rows), fps=30.0)
    assert clip.warnings == ("x.npy: dancer 2 not detected in 3 of 60 frames, interpolated",)
    for found, motion in zip(clip.motions, motions, strict=True):
        np.testing.assert_allclose(found.positions, motion.positions, atol=0.01)


@pytest.mark.parametrize("joints", [24, 29])
def test_joints_in_one_row_are_read_as_joints(tmp_path: Path, joints: int) -> None:
    rows = to_camera(swaying(0.3, 0.0).positions)[:, :joints]
    flat = read(save(tmp_path / "flat.npy", rows.reshape(len(rows), -1)))
    whole = read(save(tmp_path / "whole.npy", rows))
    np.testing.assert_array_equal(flat.motions[0].positions, whole.motions[0].positions)


@pytest.mark.parametrize(
    "layout",
    [
        lambda rows: rows[None],
        lambda rows: rows.transpose(1, 2, 0),
        lambda rows: np.concatenate([rows, np.ones((*rows.shape[:2], 1))], axis=-1),
        lambda rows: np.asfortranarray(rows.astype(">f4")),
    ],
    ids=["batch of one", "joints first", "with confidences", "big-endian, column by column"],
)
def test_the_layout_of_an_array_does_not_matter(tmp_path: Path, layout: Callable[[Array], Array]) -> None:
    rows = to_camera(swaying(0.3, 0.0).positions)
    clip = read(save(tmp_path / "x.npy", layout(rows)))
    expected = read(save(tmp_path / "plain.npy", rows))
    np.testing.assert_allclose(clip.motions[0].positions, expected.motions[0].positions, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1])
def test_an_axis_of_two_persons_gives_two_dancers(tmp_path: Path, axis: int) -> None:
    motions = [swaying(0.0, 0.0), swaying(np.pi, 1.0)]
    rows = np.stack([to_camera(motion.positions) for motion in motions], axis=axis)
    clip = read(save(tmp_path / "x.npy", rows))
    for found, motion in zip(clip.motions, motions, strict=True):
        np.testing.assert_allclose(found.positions, motion.positions, atol=1e-3)


def test_a_rate_that_no_array_states_is_told_unless_it_is_given(tmp_path: Path) -> None:
    path = save(tmp_path / "x.npy", to_camera(swaying(0.0, 0.0).positions))
    clip = read(path)
    assert clip.source.fps == 30.0
    assert clip.warnings == ("x.npy: no frame rate found, 30 a second assumed; --fps gives the true one",)
    assert read(path, fps=60.0).warnings == ()
