"""Axes, units and handedness of whole files: read right, said, given by the user, and matched by what is written."""

from pathlib import Path

import numpy as np
import pytest

from rigs import pose_fitting, rotations
from rigs.files import BadFile, Clip, ReadOptions, Source, read, write
from rigs.files.bvh import bvh
from rigs.files.bvh.bvh_writer import format_bvh
from rigs.files.conventions.axes import UNIT_NAMES, UNITS, UP_AXES, from_z_up
from rigs.motion import Motion, translate
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON
from tests.rigs.files.bvh.bvh_files import TENTH_MILLIMETRE, rig_file
from tests.rigs.files.conventions import posed_clips
from tests.rigs.files.file_variants import axis_change, rewrite, turned_root
from tests.rigs.files.joint_positions.position_arrays import save

DANCE = sample_dance()[:150]
OTHER_WAY = "(Up Axis in Blender's import options) says another"


def dance_file(folder: Path, motion: Motion = DANCE) -> Path:
    write(folder / "dance.bvh", motion)
    return folder / "dance.bvh"


def same_up_to_heading(found: Motion, expected: Motion) -> float:
    """The largest distance (m) of a joint once the motion is turned about the vertical axis as the first pose tells."""
    turn = rotations.heading(expected.rotations[0, 0]) - rotations.heading(found.rotations[0, 0])
    positions = rotations.rotate(rotations.about_z(turn), found.positions)
    return float(np.abs(positions - expected.positions).max())


@pytest.mark.parametrize("up", UP_AXES)
@pytest.mark.parametrize("names", ["our own", "Mixamo's"])
def test_a_turned_root_is_turned_back_and_said(tmp_path: Path, names: str, up: str) -> None:
    path = dance_file(tmp_path) if names == "our own" else rig_file(tmp_path / "dance.bvh", DANCE)
    original = read(path)
    assert original.warnings == ()
    turned = tmp_path / "turned.bvh"
    rewrite(path, turned, axis_change(original.source.up, up), 1.0, rest=False)
    clip = read(turned)
    assert clip.source.up == up
    assert same_up_to_heading(clip.motions[0], original.motions[0]) < TENTH_MILLIMETRE
    np.testing.assert_allclose(clip.motions[0].skeleton.offsets, original.motions[0].skeleton.offsets, atol=1e-5)
    rest = f"its rest pose stands along {original.source.up}"
    told = f"turned.bvh: {rest}, but the dancer moves as if {up} were up; read with {up} up, --up {OTHER_WAY}"
    assert clip.warnings == ((told,) if up != original.source.up else ())


@pytest.mark.parametrize("up", UP_AXES)
def test_a_file_in_other_axes_is_read_without_a_word(tmp_path: Path, up: str) -> None:
    path = dance_file(tmp_path)
    rewrite(path, tmp_path / "other.bvh", axis_change("Y", up), 1.0)
    clip = read(tmp_path / "other.bvh")
    assert (clip.source.up, clip.warnings) == (up, ())
    assert same_up_to_heading(clip.motions[0], read(path).motions[0]) < TENTH_MILLIMETRE


@pytest.mark.parametrize("degrees", [10.0, 20.0, 30.0])
def test_a_pitched_capture_is_not_turned(tmp_path: Path, degrees: float) -> None:
    tilt = rotations.to_matrix(rotations.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.radians(degrees)))
    parsed = bvh.from_motion(DANCE, 0.01, "Y")
    (tmp_path / "tilted.bvh").write_text(format_bvh(turned_root(parsed, tilt)))
    assert read(tmp_path / "tilted.bvh").source.up == "Y"


@pytest.mark.parametrize("clip", posed_clips.CLIPS)
def test_no_clip_is_turned_over_as_it_is(tmp_path: Path, clip: str) -> None:
    motion = posed_clips.motion(clip)
    found = read(dance_file(tmp_path, motion))
    np.testing.assert_allclose(found.motions[0].positions, motion.positions, atol=TENTH_MILLIMETRE)
    told = [warning for warning in found.warnings if "Y is taken, --up" in warning]
    assert list(found.warnings) == told
    assert bool(told) == (clip in ("lying", "sitting", "handstand", "headstand"))


@pytest.mark.parametrize("unit", UNITS)
def test_units_are_read_from_the_height_and_written_again(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "dance.bvh"
    write(path, DANCE, like=Source(path, UNITS[unit], "Z", DANCE.fps, len(DANCE)))
    clip = read(path)
    assert (clip.source.units, clip.source.up, clip.warnings) == (UNITS[unit], "Z", ())
    np.testing.assert_allclose(clip.motions[0].positions, DANCE.positions, atol=TENTH_MILLIMETRE)


@pytest.mark.parametrize("height", [1.1, 2.2])
def test_a_child_and_a_tall_dancer_keep_their_height(tmp_path: Path, height: float) -> None:
    size = height / 1.7
    motion = Motion(30.0, DANCE.skeleton.scale(size), DANCE.root * size, DANCE.rotations)
    clip = read(dance_file(tmp_path, motion))
    assert (clip.source.units, clip.warnings) == (0.01, ())


@pytest.mark.parametrize(("height", "unit"), [(1.22, "in"), (0.95, "cm")])
def test_jumps_tell_a_childs_unit(tmp_path: Path, height: float, unit: str) -> None:
    size = height / 1.7
    positions = posed_clips.jumps(8.0, 0.3 / size, gravity=posed_clips.GRAVITY / size) * size
    jumping = pose_fitting.fit_motion(positions, posed_clips.FPS, skeleton=DEFAULT_SKELETON.scale(size))
    path = tmp_path / "jumps.bvh"
    write(path, jumping, like=Source(path, UNITS[unit], "Y", jumping.fps, len(jumping)))
    clip = read(path)
    assert (clip.source.units, clip.warnings) == (UNITS[unit], ())


def test_given_axes_and_units_are_obeyed(tmp_path: Path) -> None:
    path = dance_file(tmp_path)
    clip = read(path, ReadOptions(up="X", unit="in"))
    assert (clip.source.up, clip.source.units) == ("X", UNITS["in"])
    standing, tall = clip.warnings
    assert standing == "dance.bvh: with X up, as given, the dancer stands along Y in 100% of its frames"
    assert tall.startswith("dance.bvh: a body 4.3")
    assert tall.endswith("m tall with the unit in, as given")
    assert read(path, ReadOptions(up="Y", unit="cm")).warnings == ()
    feet = read(path, ReadOptions(unit="ft")).motions[0]
    np.testing.assert_allclose(feet.positions, read(path).motions[0].positions * 30.48, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("up", UP_AXES)
def test_what_is_written_like_a_turned_file_loads_beside_it(tmp_path: Path, up: str) -> None:
    path = dance_file(tmp_path)
    rewrite(path, tmp_path / "turned.bvh", axis_change("Y", up), 1.0, rest=False)
    leader = read(tmp_path / "turned.bvh")
    write(tmp_path / "partner.bvh", leader.motions[0], like=leader.source)
    partner = read(tmp_path / "partner.bvh")
    assert partner.warnings == ()
    np.testing.assert_allclose(partner.motions[0].positions, leader.motions[0].positions, atol=TENTH_MILLIMETRE)
    parsed = bvh.parse_bvh(tmp_path / "partner.bvh")
    turned = bvh.parse_bvh(tmp_path / "turned.bvh")
    pelvis = bvh.bvh_transforms(turned)[1][turned.names.index("pelvis")]
    np.testing.assert_allclose(bvh.bvh_transforms(parsed)[1][0], pelvis, atol=1e-2)


def cloud(clip: Clip) -> Motion:
    (motion,) = clip.motions
    return motion


@pytest.mark.parametrize("up", UP_AXES)
@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("joints", [24, 29])
def test_joint_positions_in_other_axes_are_turned_and_said(
    tmp_path: Path, up: str, in_place: bool, joints: int
) -> None:
    positions = DANCE.positions - (DANCE.root[:, None] if in_place else 0.0)
    expected = cloud(read(save(tmp_path / "camera.npy", from_z_up(positions, "-Y")[:, :joints])))
    clip = read(save(tmp_path / "x.npy", from_z_up(positions, up)[:, :joints]), fps=30.0)
    assert same_up_to_heading(cloud(clip), expected) < 1e-6
    told = f"-Y should be up in such a file, but the dancer moves as if {up} were up; read with {up} up"
    axis = () if up == "-Y" else (f"x.npy: {told}, --up {OTHER_WAY}",)
    path = ("x.npy: no path found, the pelvis stays in one place and the feet slide",) if in_place else ()
    assert clip.warnings == (*axis, *path)
    assert clip.source.up == ("Y" if up == "-Y" else up)


@pytest.mark.parametrize("unit", ["cm", "mm", "in", "ft"])
def test_joint_positions_in_other_units_are_scaled_and_said(tmp_path: Path, unit: str) -> None:
    positions = from_z_up(DANCE.positions, "-Y")
    expected = cloud(read(save(tmp_path / "metres.npy", positions)))
    clip = read(save(tmp_path / "x.npy", positions / UNITS[unit]), fps=30.0)
    np.testing.assert_allclose(cloud(clip).positions, expected.positions, atol=1e-6)
    assert clip.source.units == UNITS[unit]
    (warning,) = clip.warnings
    assert f"read in {UNIT_NAMES[unit]}, 1.7" in warning
    assert read(tmp_path / "x.npy", ReadOptions(fps=30.0, unit=unit)).warnings == ()


def test_left_handed_axes_are_told_by_knees_and_feet(tmp_path: Path) -> None:
    mirrored = DANCE.positions[..., [0, 2, 1]]
    clip = read(save(tmp_path / "x.npy", mirrored))
    expected = cloud(read(save(tmp_path / "camera.npy", from_z_up(DANCE.positions, "-Y"))))
    assert same_up_to_heading(cloud(clip), expected) < 1e-6
    assert clip.warnings[-1].startswith("x.npy: knees and feet point backwards, as in left-handed axes")


@pytest.mark.parametrize("up", UP_AXES)
def test_our_own_archive_in_other_axes_is_turned_and_said(tmp_path: Path, up: str) -> None:
    write(tmp_path / "dance.npz", DANCE)
    rewrite(tmp_path / "dance.npz", tmp_path / "x.npz", axis_change("Z", up), 1.0, rest=False)
    clip = read(tmp_path / "x.npz")
    assert same_up_to_heading(clip.motions[0], DANCE) < TENTH_MILLIMETRE
    assert len(clip.warnings) == (up != "Z")


def test_a_robot_of_half_a_metre_stays_one_in_our_own_archive(tmp_path: Path) -> None:
    robot = Motion(30.0, DEFAULT_SKELETON.scale(0.3), DANCE.root * 0.3, DANCE.rotations)
    write(tmp_path / "robot.npz", robot)
    clip = read(tmp_path / "robot.npz")
    np.testing.assert_allclose(clip.motions[0].root, robot.root, atol=1e-6)
    assert clip.warnings[0].startswith("robot.npz: a body 0.51 m tall found; read in metres, --unit")


def test_two_dancers_of_one_file_share_axes_and_unit(tmp_path: Path) -> None:
    both = [DANCE, translate(DANCE, np.array([0.0, -1.0, 0.0]))]
    write(tmp_path / "pair.npz", both)
    rewrite(tmp_path / "pair.npz", tmp_path / "x.npz", axis_change("Z", "-X"), 1.0, rest=False)
    first, second = read(tmp_path / "x.npz").motions
    apart = np.linalg.norm(second.root - first.root, axis=-1)
    np.testing.assert_allclose(apart, 1.0, atol=1e-5)


def test_a_body_without_size_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "dot.npz", Motion(30.0, DEFAULT_SKELETON.scale(0.0), DANCE.root, DANCE.rotations))
    with pytest.raises(BadFile, match=r"dot\.npz: bones of a dancer's size expected, a body 0 units tall found"):
        read(tmp_path / "dot.npz")
