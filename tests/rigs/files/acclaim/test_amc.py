"""Acclaim recordings: CMU's own against matrices by the format's description, and small synthetic ones."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from rigs import Array, kinematics, pose_fitting, rotations
from rigs.files import BadFile, read
from rigs.files.acclaim import amc
from rigs.files.acclaim.acclaim_parser import parse_amc, parse_asf
from rigs.skeleton import INDEX
from tests.rigs.files.acclaim.acclaim_files import RECORDING, SKELETON, write_recording

INCH = 0.0254
MILLIMETRE, TENTH_MILLIMETRE = 1e-3, 1e-4
TAKES = ("05_02", "05_06", "05_09", "05_10")
JOINTS = {
    # joint: the bone that begins there
    "pelvis": "root", "left_hip": "lfemur", "right_knee": "rtibia", "left_ankle": "lfoot", "right_foot": "rtoes",
    "spine2": "upperback", "spine3": "thorax", "neck": "lowerneck", "left_shoulder": "lhumerus",
    "right_elbow": "rradius", "left_wrist": "lhand",
}  # fmt: skip
NEAR_JAW = 0.015
"""m. CMU's neck has two bones that bend, ours has one: the head's distance from the chest cannot change as theirs."""


def by_matrices(skeleton: str, recording: str) -> dict[str, Array]:
    """Each bone's start (F, 3) in the file's units: M = parent's M . C . R . C^-1, as the format is described."""
    fixed, frames = {}, []
    for text in re.findall(r"begin\s+id(.*?)\bend\b", skeleton, re.DOTALL):
        word = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.split()}
        direction = np.array(word["direction"], float)
        step = direction / np.linalg.norm(direction) * float(word["length"][0])
        axes = Rotation.from_euler(word["axis"][3].lower(), np.array(word["axis"][:3], float), degrees=True)
        fixed[word["name"][0]] = (step, axes, "".join(dof[1] for dof in word.get("dof", [])))
    below = [line.split() for line in skeleton.split(":hierarchy")[1].splitlines() if len(line.split()) > 1]
    for text in re.split(r"\n\d+\s*\n", recording)[1:]:
        given = {line.split()[0]: np.array(line.split()[1:], float) for line in text.splitlines() if line.strip()}
        turned = {"root": Rotation.from_euler("xyz", given["root"][3:], degrees=True)}
        starts, ends = {"root": given["root"][:3]}, {"root": given["root"][:3]}
        for parent, *children in below:
            for name in children:
                step, axes, order = fixed[name]
                own = Rotation.from_euler(order, given[name], degrees=True) if order else Rotation.identity()
                turned[name] = turned[parent] * axes * own * axes.inv()
                starts[name] = ends[parent]
                ends[name] = starts[name] + turned[name].apply(step)
        frames.append(starts)
    return {name: np.array([frame[name] for frame in frames]) for name in frames[0]}


@pytest.mark.parametrize("take", TAKES)
def test_joint_positions_match_matrix_products(corpus: Path, take: str) -> None:
    path = corpus / "cmu_solo" / f"{take}.amc"
    starts = by_matrices((corpus / "cmu_solo/05.asf").read_text(), path.read_text())
    clip = read(path)
    assert clip.source.units == pytest.approx(INCH / 0.45)
    for joint, bone in (JOINTS | {"jaw": "head"}).items():
        x, y, z = starts[bone].T * INCH / 0.45
        theirs = np.stack([x, -z, y], axis=-1)
        wrong = np.linalg.norm(clip.motions[0].positions[:, INDEX[joint]] - theirs, axis=-1)
        assert wrong.max() < (NEAR_JAW if joint == "jaw" else TENTH_MILLIMETRE), joint
        assert wrong.mean() < 3.0 * MILLIMETRE, joint


@pytest.mark.parametrize("take", TAKES)
def test_a_cmu_dancer_stands_on_the_floor_at_cmus_rate(corpus: Path, take: str) -> None:
    clip = read(corpus / "cmu_solo" / f"{take}.amc")
    (motion,) = clip.motions
    assert (clip.source.up, clip.source.fps, motion.fps, clip.source.filled_joints) == ("Y", 120.0, 120.0, ())
    assert clip.warnings == ()
    assert len(motion) == clip.source.frames == (corpus / f"cmu_solo/{take}.amc").read_text().count("\nroot ")
    toes = motion.positions[:, [INDEX["left_bigtoe"], INDEX["right_bigtoe"]], 2].min(axis=1)
    assert abs(np.median(toes)) < 0.05
    assert 1.5 < motion.skeleton.rest_positions()[INDEX["head"], 2] < 1.9


def test_limb_rotations_match_the_joint_positions(corpus: Path) -> None:
    motion = read(corpus / "cmu_solo/05_10.amc").motions[0]
    solved = pose_fitting.fit_motion(motion.positions, motion.fps, skeleton=motion.skeleton)
    apart = rotations.angle_between(*(kinematics.global_rotations(m.rotations) for m in (motion, solved)))
    for joint in ("pelvis", "spine3", "left_hip", "right_knee", "left_shoulder", "right_shoulder", "right_elbow"):
        assert np.degrees(np.median(apart[:, INDEX[joint]])) < 6.0, joint


def test_angles_apply_in_the_order_in_which_they_are_listed(tmp_path: Path) -> None:
    path = write_recording(tmp_path)
    starts = by_matrices(SKELETON, RECORDING)
    skeleton = parse_asf(tmp_path / "test.asf")
    places = amc.to_recording(skeleton, parse_amc(path, skeleton)[0], 120.0).positions
    for at, name in enumerate(skeleton.names):
        np.testing.assert_allclose(places[at], starts[name], atol=1e-9)
    np.testing.assert_allclose(places[skeleton.names.index("hand"), 1], [1.0, 5.0, 3.0], atol=1e-9)


def test_radians_give_the_same_dance(tmp_path: Path) -> None:
    skeleton = parse_asf(write_recording(tmp_path).with_name("test.asf"))
    degrees, _ = parse_amc(tmp_path / "test_01.amc", skeleton)
    lines = RECORDING.replace(":DEGREES", ":RADIANS").splitlines()
    for at, line in enumerate(lines):
        name, *numbers = line.split()
        if name.isalpha():
            kept = 3 if name == "root" else 0
            turns = [str(np.radians(float(number))) for number in numbers[kept:]]
            lines[at] = " ".join([name, *numbers[:kept], *turns])
    radians, _ = parse_amc(write_recording(tmp_path, recording="\n".join(lines)), skeleton)
    for one, other in zip(degrees, radians, strict=True):
        np.testing.assert_allclose(one, other)


def test_the_rate_can_be_given(corpus: Path) -> None:
    clip = read(corpus / "cmu_solo/05_02.amc", fps=60.0)
    assert clip.motions[0].fps == clip.source.fps == 60.0


def test_the_asf_is_the_subjects_or_the_only_one(corpus: Path, tmp_path: Path) -> None:
    recording = (corpus / "cmu_solo/05_02.amc").read_bytes()
    skeleton = (corpus / "cmu_solo/05.asf").read_bytes()
    (tmp_path / "05_02.amc").write_bytes(recording)
    with pytest.raises(BadFile, match=r"^05_02\.amc: its skeleton 05\.asf expected beside it, none found$"):
        read(tmp_path / "05_02.amc")
    (tmp_path / "dancer.ASF").write_bytes(skeleton)
    assert len(read(tmp_path / "05_02.amc").motions[0]) == 1123
    (tmp_path / "another.asf").write_text(SKELETON)
    with pytest.raises(BadFile, match=r"^05_02\.amc: its skeleton 05\.asf expected beside it, 2 others found$"):
        read(tmp_path / "05_02.amc")
    (tmp_path / "05.asf").write_bytes(skeleton)
    assert len(read(tmp_path / "05_02.amc").motions[0]) == 1123
