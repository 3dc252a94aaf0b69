"""Files whose movement is none, or in which something is in another unit or handedness than the rest."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rigs.files import read, write
from rigs.files.bvh.bvh import from_motion
from rigs.files.bvh.bvh_parser import Bvh
from rigs.files.bvh.bvh_writer import format_bvh
from rigs.motion import Motion, resample
from rigs.sample_dance.salsa import sample_dance


@pytest.fixture(scope="module")
def dance() -> Motion:
    return resample(sample_dance(), 30.0)[:200]


def save(path: Path, bvh: Bvh) -> Path:
    path.write_text(format_bvh(bvh))
    return path


def scale_channels(bvh: Bvh, kind: str, factor: float) -> Bvh:
    """The file with its channels of one kind, "position" or "rotation", scaled."""
    names = [channel for channels in bvh.channels for channel in channels]
    return replace(bvh, values=bvh.values * [factor if name.endswith(kind) else 1.0 for name in names])


@pytest.mark.parametrize("factor", [0.01, 0.1, 10.0, 1 / 25.4, 0.001])
def test_a_path_in_another_unit_than_the_bones_is_scaled_with_a_warning(
    dance: Motion, tmp_path: Path, factor: float
) -> None:
    clip = read(save(tmp_path / "x.bvh", scale_channels(from_motion(dance, 0.01, "Y"), "position", factor)))
    (warning,) = clip.warnings
    assert warning.startswith("x.bvh: the path is in another unit than the bones, scaled by ")
    tolerance = 0.001 / min(factor, 1.0) * 0.01 + 0.02 * np.abs(dance.root).max()
    np.testing.assert_allclose(clip.motions[0].root, dance.root, atol=tolerance)


@pytest.mark.parametrize("shift", [(0.0, 0.0, -1.0), (0.0, 0.0, 4.0), (30.0, -20.0, 0.0)])
def test_a_dancer_elsewhere_stays_there(dance: Motion, tmp_path: Path, shift: tuple[float, float, float]) -> None:
    elsewhere = Motion(dance.fps, dance.skeleton, dance.root + shift, dance.rotations)
    clip = read(save(tmp_path / "x.bvh", from_motion(elsewhere, 0.01, "Y")))
    assert clip.warnings == ()
    np.testing.assert_allclose(clip.motions[0].root, elsewhere.root, atol=1e-4)


def test_angles_as_small_as_radians_get_a_warning(dance: Motion, tmp_path: Path) -> None:
    bvh = scale_channels(from_motion(dance, 0.01, "Y"), "rotation", np.pi / 180.0)
    clip = read(save(tmp_path / "x.bvh", bvh))
    expected = "x.bvh: angles of degrees expected, all found are so small that they may be radians"
    assert expected in clip.warnings


def hold_first_pose(motion: Motion) -> Motion:
    return Motion(
        motion.fps,
        motion.skeleton,
        np.repeat(motion.root[:1], len(motion), axis=0),
        np.repeat(motion.rotations[:1], len(motion), axis=0),
    )


@pytest.mark.parametrize("name", ["x.bvh", "x.npz"])
def test_a_pose_in_place_of_a_movement_gets_a_warning(dance: Motion, tmp_path: Path, name: str) -> None:
    write(tmp_path / name, hold_first_pose(dance))
    expected = f"{name}: no movement found, the dancer holds one pose in all 200 frames"
    assert read(tmp_path / name).warnings == (expected,)
    write(tmp_path / name, dance[:1])
    assert read(tmp_path / name).warnings == ()


@pytest.mark.parametrize("up", ["Y", "Z", "X"])
def test_left_handed_axes_are_told_and_a_partner_is_written_in_them(dance: Motion, tmp_path: Path, up: str) -> None:
    clip = read(save(tmp_path / "x.bvh", from_motion(dance, 0.01, up, mirrored=True)))
    assert clip.warnings[0].startswith("x.bvh: knees and feet point backwards, as in left-handed axes or with left")
    np.testing.assert_allclose(clip.motions[0].positions, dance.positions, atol=1e-4)
    write(tmp_path / "partner.bvh", dance, like=clip.source)
    ours, theirs = ((tmp_path / name).read_text().split("MOTION")[0] for name in ("partner.bvh", "x.bvh"))
    assert ours == theirs
    assert clip.source.mirrored


@pytest.mark.parametrize("change", [lambda bvh: bvh, lambda bvh: replace(bvh, fps=24.0)])
def test_a_good_file_gets_no_warning(dance: Motion, tmp_path: Path, change: Callable[[Bvh], Bvh]) -> None:
    clip = read(save(tmp_path / "x.bvh", change(from_motion(dance, 0.01, "Y"))))
    assert (clip.warnings, clip.source.mirrored) == ((), False)


def test_a_dancer_whose_path_was_not_exported_is_told(dance: Motion, tmp_path: Path) -> None:
    in_place = replace(dance, root=np.repeat(dance.root[:1], len(dance), axis=0))
    write(tmp_path / "x.npz", in_place)
    expected = "x.npz: no path found, the pelvis stays in one place and the feet slide"
    assert read(tmp_path / "x.npz").warnings == (expected,)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (slice(80, 81), "the pelvis jumps 4.0 m from frame 80 to 81, and once more"),
        (slice(80, None), "the pelvis jumps 4.0 m from frame 80 to 81"),
    ],
)
def test_a_dancer_who_is_elsewhere_from_one_frame_to_the_next_is_told(
    dance: Motion, tmp_path: Path, frames: slice, expected: str
) -> None:
    root = dance.root.copy()
    root[frames, 0] += 4.0 - dance.root[80, 0] + dance.root[79, 0]
    root[80, 1:] = root[79, 1:]
    write(tmp_path / "x.bvh", replace(dance, root=root))
    assert read(tmp_path / "x.bvh").warnings == (f"x.bvh: {expected}",)
