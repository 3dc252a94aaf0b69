"""Numpy arrays whose headers state what is not there are refused before they are loaded."""

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from rigs import files
from rigs.files import BadFile, npz

ARRAY = np.zeros((30, 29, 3), np.float32)


def saved(array: np.ndarray = ARRAY) -> bytes:
    written = io.BytesIO()
    np.save(written, array)
    return written.getvalue()


def write_archive(path: Path, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("joints.npy", content)
    return path


DAMAGED = {
    "a shape beyond the file": saved().replace(b"(30, 29, 3)", b"(9999999999, 29, 3)").replace(b" " * 9, b"", 1),
    "a shape beyond 64 bits": saved().replace(b"(30, 29, 3)", b"(" + b"9" * 30 + b", 29, 3)"),
    "a negative shape": saved().replace(b"(30,", b"(-3,"),
    "a header of gigabytes": b"\x93NUMPY\x02\x00\xff\xff\xff\xf0" + saved()[10:],
    "a header of an unknown version": b"\x93NUMPY\x07\x00" + saved()[8:],
    "a header that is no expression": saved().replace(b"(30,", b"((((").replace(b"3)", b"3("),
    "a header cut off": saved()[:40],
    "no header": saved()[:9],
    "rows cut off": saved()[:-1],
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=list(DAMAGED))
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_header_that_lies_is_refused_without_claiming_memory(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"lying{suffix}"
    if suffix == ".npz":
        write_archive(path, content)
    else:
        path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(BadFile, match=rf"^lying\{suffix}: a numpy (array|archive) of .* expected"):
        files.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20


def test_an_archive_that_unpacks_to_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "_MAX_BYTES", 2**20)
    path = write_archive(tmp_path / "bomb.npz", saved(np.zeros((10_000, 29, 3), np.float32)))
    assert path.stat().st_size < 20_000
    with pytest.raises(BadFile, match=r"^bomb\.npz: at most 1 MB of arrays expected, 3 found$"):
        files.read(path)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    content = bytearray(write_archive(tmp_path / "secret.npz", saved()).read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "secret.npz").write_bytes(content)
    with pytest.raises(BadFile, match=r"^secret\.npz: a numpy archive of plain arrays expected$"):
        files.read(tmp_path / "secret.npz")
