"""The project's own archives: one or two dancers, float32, nothing unpickled."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rigs import rotations
from rigs.files import BadFile, Source, read, write
from rigs.motion import Motion
from rigs.skeleton import DEFAULT_SKELETON


def dance(seed: int = 1, frames: int = 20) -> Motion:
    random = np.random.default_rng(seed)
    turned = rotations.from_rotation_vector(random.normal(0.0, 0.5, (frames, 29, 3)))
    return Motion(59.94, DEFAULT_SKELETON.scale(1.0 + 0.1 * seed), random.normal(0.0, 1.0, (frames, 3)), turned)


def arrays(**changes: Any) -> dict[str, Any]:
    whole = {
        "fps": np.float64(30.0),
        "offsets": DEFAULT_SKELETON.offsets.astype(np.float32),
        "root": np.zeros((4, 3), np.float32),
        "rotations": rotations.identity(4, 29).astype(np.float32),
    }
    return {name: array for name, array in (whole | changes).items() if array is not None}


@pytest.mark.parametrize("dancers", [1, 2])
def test_dancers_survive_a_round_trip(tmp_path: Path, dancers: int) -> None:
    written = [dance(seed) for seed in range(dancers)]
    write(tmp_path / "duet.npz", written)
    clip = read(tmp_path / "duet.npz")
    assert clip.source == Source(tmp_path / "duet.npz", 1.0, "Z", 59.94, 20)
    assert len(clip.motions) == dancers
    for before, after in zip(written, clip.motions, strict=True):
        assert after.fps == before.fps
        np.testing.assert_allclose(after.positions, before.positions, atol=1e-5)
        np.testing.assert_allclose(after.skeleton.offsets, before.skeleton.offsets, atol=1e-6)
        np.testing.assert_allclose(rotations.angle_between(after.rotations, before.rotations), 0.0, atol=1e-5)


@pytest.mark.parametrize("dancers", [1, 2])
def test_the_arrays_are_those_that_are_documented(tmp_path: Path, dancers: int) -> None:
    write(tmp_path / "duet.npz", [dance()] * dancers)
    both = (2,) if dancers == 2 else ()
    with np.load(tmp_path / "duet.npz", allow_pickle=False) as archive:
        result = {name: (archive[name].shape, str(archive[name].dtype)) for name in archive}
    assert result == {
        "fps": ((), "float64"),
        "offsets": ((*both, 29, 3), "float32"),
        "root": ((*both, 20, 3), "float32"),
        "rotations": ((*both, 20, 29, 4), "float32"),
    }


def test_a_partner_has_the_leaders_rate_and_length(tmp_path: Path) -> None:
    write(tmp_path / "partner.npz", dance(), like=Source(tmp_path / "leader.bvh", 0.01, "Y", 30.0, 7))
    source = read(tmp_path / "partner.npz").source
    assert (source.fps, source.frames) == (30.0, 7)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"root": None}, "an array 'root' expected, none found"),
        ({"fps": None}, "an array 'fps' expected, none found"),
        ({"fps": 0.0}, "fps: one number above zero expected"),
        ({"fps": 1e-320}, "a frame rate of 1 to 10000 expected, 9.99989e-321 found"),
        ({"fps": np.ones(2)}, "fps: one number above zero expected"),
        ({"fps": np.array("fast")}, "fps: finite numbers expected"),
        ({"root": np.full((4, 3), np.nan)}, "root: finite numbers expected"),
        ({"root": np.zeros((4, 2))}, "root: shape (F, 3) or (2, F, 3) expected, (4, 2) found"),
        ({"root": np.zeros((0, 3))}, "root: shape (F, 3) or (2, F, 3) expected, (0, 3) found"),
        ({"root": np.zeros(3)}, "root: shape (F, 3) or (2, F, 3) expected, (3,) found"),
        ({"root": np.zeros((5, 3))}, "rotations: shape (F, 29, 4) or (2, F, 29, 4) expected, (4, 29, 4) found"),
        ({"root": np.zeros((3, 4, 3))}, "root: shape (F, 3) or (2, F, 3) expected, (3, 4, 3) found"),
        ({"root": np.zeros((2, 4, 3))}, "offsets: shape (29, 3) or (2, 29, 3) expected, (29, 3) found"),
        ({"offsets": np.zeros((24, 3))}, "offsets: shape (29, 3) or (2, 29, 3) expected, (24, 3) found"),
        ({"rotations": np.zeros((4, 29, 4))}, "rotations: unit quaternions expected"),
        ({"root": np.array([None, {}], dtype=object)}, "a numpy archive of plain arrays expected"),
    ],
)
def test_the_error_names_the_wrong_array(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    np.savez(tmp_path / "x.npz", **arrays(**changes))
    with pytest.raises(BadFile) as refused:
        read(tmp_path / "x.npz")
    assert str(refused.value) in (f"x.npz, {complaint}", f"x.npz: {complaint}")


@pytest.mark.parametrize("content", [b"junk", b"PK\x03\x04 broken", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(BadFile, match=r"x.npz: a numpy archive of plain arrays expected"):
        read(tmp_path / "x.npz")


def test_a_bare_array_under_an_archives_name_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "x.npz").open("wb") as file:
        np.save(file, np.zeros((4, 29, 3)))
    with pytest.raises(BadFile, match=r"x.npz: a numpy archive of plain arrays expected"):
        read(tmp_path / "x.npz")


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "x.npz", dance())
    whole = (tmp_path / "x.npz").read_bytes()
    (tmp_path / "x.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadFile, match=r"x.npz: a numpy archive of plain arrays expected"):
        read(tmp_path / "x.npz")


def test_dancers_of_unequal_length_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"x.npz: two dancers of one length and frame rate expected"):
        write(tmp_path / "x.npz", [dance(frames=5), dance(frames=6)])
    with pytest.raises(BadFile, match=r"x.npz: one or two dancers expected, 3 given"):
        write(tmp_path / "x.npz", [dance()] * 3)
    assert list(tmp_path.iterdir()) == []


def test_the_rate_can_be_given(tmp_path: Path) -> None:
    write(tmp_path / "duet.npz", dance())
    clip = read(tmp_path / "duet.npz", fps=25.0)
    assert clip.motions[0].fps == clip.source.fps == 25.0
