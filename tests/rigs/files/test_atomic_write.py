"""Atomic writes: a file is there whole or as it was before, and nothing else is left beside it."""

from pathlib import Path

import pytest

from rigs.files.atomic_write import atomic_path, atomic_write_text


def test_text_replaces_the_file(tmp_path: Path) -> None:
    path = tmp_path / "card.md"
    path.write_text("before")
    atomic_write_text(path, "après")
    assert path.read_bytes() == "après".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "take.npz"
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists()
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert temporary.suffix == ".npz"
    assert path.read_bytes() == b"half"


def interrupted_write(path: Path, error: type[BaseException]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error


def interrupted_folder(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.mkdir()
        (temporary / "1.mid").write_bytes(b"MThd")
        raise ValueError("stop")


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_write_leaves_the_old_file_alone(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "take.bvh"
    path.write_text("before")
    with pytest.raises(error):
        interrupted_write(path, error)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_folder_is_removed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stop"):
        interrupted_folder(tmp_path / "pairs")
    assert list(tmp_path.iterdir()) == []


def test_a_complete_folder_is_moved_into_place(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "pairs") as temporary:
        temporary.mkdir()
        (temporary / "1.mid").write_bytes(b"MThd")
    assert [path.name for path in tmp_path.iterdir()] == ["pairs"]
    assert (tmp_path / "pairs" / "1.mid").read_bytes() == b"MThd"


def test_the_temporary_path_can_be_chosen(tmp_path: Path) -> None:
    chosen = tmp_path / ".duet.unfinished.mp4"
    with atomic_path(tmp_path / "duet.mp4", temporary=chosen) as temporary:
        assert temporary == chosen
        chosen.write_bytes(b"video")
    assert [path.name for path in tmp_path.iterdir()] == ["duet.mp4"]


def test_a_folder_that_is_missing_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        atomic_write_text(tmp_path / "missing" / "card.md", "text")
