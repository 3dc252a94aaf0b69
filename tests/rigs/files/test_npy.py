"""Numpy arrays that hold no joint positions are refused, and nothing is unpickled."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from rigs import Array
from rigs.files import BadFile, read
from rigs.skeleton import INDEX
from tests.rigs.files.position_arrays import save, swaying, to_camera


def broken_number(rows: Array) -> Array:
    rows[7, INDEX["right_wrist"], 2] = np.nan
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
        (lambda rows: rows * 1e6, "wrong.npy, row 0, pelvis: a position in metres expected"),
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
