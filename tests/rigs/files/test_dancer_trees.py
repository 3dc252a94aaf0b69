"""Files with several hierarchies: two dancers, or a dancer and a prop."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rigs.files import read
from rigs.files.bvh.bvh import from_motion
from rigs.files.bvh.bvh_parser import Bvh
from rigs.files.bvh.bvh_writer import format_bvh
from rigs.motion import Motion
from tests.rigs.files.bvh.bvh_files import dance

PROP = """ROOT %s
{
  OFFSET 30 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  End Site
  {
    OFFSET 0 90 0
  }
}
"""


def hierarchy_and_rows(motion: Motion, prefix: str = "") -> tuple[str, list[str]]:
    """The hierarchy of a dancer as BVH text, and its rows of values."""
    bvh: Bvh = from_motion(motion, 0.01, "Y")
    head, rows = format_bvh(replace(bvh, names=tuple(prefix + name for name in bvh.names))).split("MOTION\n")
    return head.removeprefix("HIERARCHY\n"), rows.splitlines()[2:]


def together(*parts: tuple[str, list[str]]) -> str:
    """One BVH file of several hierarchies."""
    heads, rows = zip(*parts, strict=True)
    values = "\n".join(" ".join(row) for row in zip(*rows, strict=True))
    return "HIERARCHY\n" + "".join(heads) + f"MOTION\nFrames: {len(rows[0])}\nFrame Time: 0.0333333\n{values}\n"


def beside(motion: Motion) -> Motion:
    """The same dance a step to the side, turned to face the other dancer."""
    return Motion(
        motion.fps, motion.skeleton.scale(0.9), motion.root * [1, 1, 0.9] + [0.0, -1.1, 0.0], motion.rotations
    )


@pytest.mark.parametrize("prop_first", [False, True])
def test_a_prop_is_left_out_and_named(tmp_path: Path, prop_first: bool) -> None:
    prop = PROP % "fan", ["30 100 0 0 90 0"] * len(dance())
    parts = [hierarchy_and_rows(dance()), prop]
    (tmp_path / "x.bvh").write_text(together(*(parts[::-1] if prop_first else parts)))
    (tmp_path / "alone.bvh").write_text(together(parts[0]))
    clip, alone = read(tmp_path / "x.bvh"), read(tmp_path / "alone.bvh")
    assert clip.warnings == ("x.bvh: no dancer's bones found below 'fan', left out",)
    np.testing.assert_allclose(clip.motions[0].positions, alone.motions[0].positions, atol=1e-12)
    assert len(clip.motions) == 1


@pytest.mark.parametrize("names", [("", ""), ("Leader:", "Follower:")])
def test_two_dancers_in_one_file_keep_their_places(tmp_path: Path, names: tuple[str, str]) -> None:
    leader, partner = dance(), beside(dance())
    parts = [hierarchy_and_rows(motion, name) for motion, name in zip((leader, partner), names, strict=True)]
    (tmp_path / "x.bvh").write_text(together(*parts))
    clip = read(tmp_path / "x.bvh")
    assert len(clip.motions) == 2
    for found, expected in zip(clip.motions, (leader, partner), strict=True):
        np.testing.assert_allclose(found.positions, expected.positions, atol=1e-4)
    assert clip.warnings == ()


def test_two_dancers_below_one_root_are_both_read(tmp_path: Path) -> None:
    parts = [hierarchy_and_rows(dance(), "A:"), hierarchy_and_rows(beside(dance()), "B:")]
    heads, rows = zip(*parts, strict=True)
    nested = "".join(heads).replace("ROOT", "JOINT")
    values = "\n".join(" ".join(("0 0 0", *row)) for row in zip(*rows, strict=True))
    (tmp_path / "x.bvh").write_text(
        f"HIERARCHY\nROOT Reference\n{{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n{nested}}}\n"
        f"MOTION\nFrames: {len(rows[0])}\nFrame Time: 0.0333333\n{values}\n"
    )
    clip = read(tmp_path / "x.bvh")
    assert len(clip.motions) == 2
    np.testing.assert_allclose(clip.motions[1].positions, beside(dance()).positions, atol=1e-4)


@pytest.mark.parametrize("child_first", [False, True])
def test_a_child_beside_an_adult_is_as_small_as_in_the_file(tmp_path: Path, child_first: bool) -> None:
    adult = dance()
    child = Motion(adult.fps, adult.skeleton.scale(0.5), adult.root * 0.5 + [0.0, -1.1, 0.0], adult.rotations)
    pair = (child, adult) if child_first else (adult, child)
    (tmp_path / "x.bvh").write_text(together(*(hierarchy_and_rows(motion) for motion in pair)))
    clip = read(tmp_path / "x.bvh")
    assert (clip.source.units, clip.warnings) == (0.01, ())
    for found, expected in zip(clip.motions, pair, strict=True):
        np.testing.assert_allclose(found.positions, expected.positions, atol=1e-4)
