"""From moving bones to a dancer: units, up axis, missing joints, and skeletons that are no humanoid."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rigs import kinematics, rotations
from rigs.bone_mapping.bone_map import REQUIRED
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.characters import body_measures
from rigs.files import BadFile, read
from rigs.files.bvh import bvh
from rigs.files.bvh.bvh_parser import parse_bvh
from rigs.files.recording import Recording, to_clip
from rigs.motion import Motion
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS, PARENTS, Skeleton
from tests.rigs.files.bvh.bvh_files import TENTH_MILLIMETRE, ZOO, dance, largest_rotation, mixamo, rig_file


@pytest.mark.parametrize("joint", REQUIRED)
def test_a_bone_whose_name_says_nothing_is_found_by_its_place(tmp_path: Path, joint: str) -> None:
    path = rig_file(tmp_path / "x.bvh", dance())
    named = read(path).motions[0].positions
    path.write_text(path.read_text().replace(f"{mixamo(joint)}\n", "thing\n"))
    np.testing.assert_array_equal(read(path).motions[0].positions, named)


def test_the_error_names_a_missing_joint(tmp_path: Path) -> None:
    path = rig_file(tmp_path / "x.bvh", dance())
    text = path.read_text()
    for joint in ("left_hip", "left_knee", "left_ankle"):
        text = text.replace(f"{mixamo(joint)}\n", "thing\n")
    path.write_text(re.sub(r"(OFFSET) \S+ \S+ \S+", r"\1 0 0 1", text))
    with pytest.raises(BadFile, match=r"x.bvh: no bone for left_hip; a humanoid with two arms and two legs expected"):
        read(path)


def test_bones_without_length_are_refused(tmp_path: Path) -> None:
    path = rig_file(tmp_path / "x.bvh", Motion(30.0, Skeleton(np.zeros((29, 3))), np.zeros((3, 3)), dance(3).rotations))
    with pytest.raises(BadFile, match=r"x.bvh: bones of a dancer's size expected, a body 0 units tall found"):
        read(path)


@pytest.mark.parametrize("name", ZOO)
def test_units_up_axis_rate_and_missing_joints_are_recognised(corpus: Path, name: str) -> None:
    units, up, fps, missing = ZOO[name]
    source = read(corpus / "bvh_zoo" / f"{name}.bvh").source
    assert source.units == pytest.approx(units, rel=1e-2)
    assert (source.up, source.fps) == (up, fps)
    assert {joint.split("_")[-1] for joint in source.filled_joints} == set(missing.split())


@pytest.mark.parametrize("name", ["pybvh_full_precision_frame_time", "pybvh_rotation_first_root"])
def test_a_skeleton_that_is_no_humanoid_is_refused(corpus: Path, name: str) -> None:
    with pytest.raises(BadFile, match=f"{name}.bvh: no bone for left_hip; a humanoid with two arms and two legs"):
        read(corpus / "bvh_zoo" / f"{name}.bvh")


def test_a_t_pose_facing_front_has_no_rotation(tmp_path: Path) -> None:
    still = Motion(30.0, DEFAULT_SKELETON, np.tile(DEFAULT_SKELETON.offsets[0], (5, 1)), rotations.identity(5, 29))
    result = read(rig_file(tmp_path / "still.bvh", still)).motions[0]
    assert largest_rotation(result, still) < 3.0
    np.testing.assert_allclose(result.positions, still.positions, atol=TENTH_MILLIMETRE)
    assert result.skeleton.rest_positions()[:, 2].min() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_arbitrary_bone_axes_give_the_same_motion(corpus: Path, tmp_path: Path, seed: int) -> None:
    """As in Rokoko's and Bandai-Namco's files, whose rest pose is no body: the rotations carry the pose."""
    original = read(corpus / "salsa/salsa_07_leader.bvh").motions[0][::20]
    axes = rotations.normalize(np.random.default_rng(seed).normal(size=(29, 4)))
    result = read(rig_file(tmp_path / "odd.bvh", original, axes=axes)).motions[0]
    np.testing.assert_allclose(result.positions, original.positions, atol=TENTH_MILLIMETRE)
    apart = rotations.angle_between(*(kinematics.global_rotations(m.rotations) for m in (original, result)))
    for joint in ("pelvis", "spine1", "spine3", "neck", "jaw", "hip", "knee", "ankle"):
        for name in JOINTS:
            if name.endswith(joint):
                assert np.degrees(np.median(apart[:, INDEX[name]])) < 12.0, name


def test_missing_joints_are_filled_in_between_and_beyond(tmp_path: Path) -> None:
    without = ("spine2", "head", "left_collar", "right_collar", "left_thumb", "left_middle", "right_middle")
    original = dance()
    still = original.rotations.copy()
    still[:, [INDEX[name] for name in without]] = rotations.IDENTITY
    original = Motion(original.fps, original.skeleton, original.root, still)
    clip = read(rig_file(tmp_path / "sparse.bvh", original, without=without))
    result = clip.motions[0]
    assert set(clip.source.filled_joints) == set(without) - {"right_thumb"}
    there = [j for j, name in enumerate(JOINTS) if name not in without]
    np.testing.assert_allclose(result.positions[:, there], original.positions[:, there], atol=TENTH_MILLIMETRE)
    middle = result.positions[:, INDEX["spine2"]]
    ends = result.positions[:, INDEX["spine1"]] - middle, result.positions[:, INDEX["spine3"]] - middle
    np.testing.assert_allclose(np.cross(*ends), 0.0, atol=1e-9)
    np.testing.assert_allclose(
        rotations.angle_between(result.rotations[:, INDEX["head"]], rotations.IDENTITY), 0.0, atol=1e-9
    )


def test_a_body_in_an_unknown_unit_is_scaled_to_human_size(tmp_path: Path) -> None:
    original = dance(size=0.2)
    path = rig_file(
        tmp_path / "units.bvh", Motion(30.0, original.skeleton.scale(3.0), original.root, original.rotations)
    )
    clip = read(path)
    parsed = parse_bvh(path)
    bones = map_bones(parsed.names, parsed.parents).bones
    units = clip.source.units
    assert body_measures.body_height(bones, bvh.bvh_transforms(parsed)[1]) * units == pytest.approx(1.7)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"world_rotations": np.nan}, "a rotation expected"),
        ({"world_rotations": 0.0}, "a rotation expected"),
        ({"positions": np.inf}, "a place within reach expected"),
        ({"positions": 1e30}, "a place within reach expected"),
    ],
)
def test_numbers_that_no_bone_has_are_refused_with_the_bone_and_the_frame(
    change: dict[str, float], sentence: str
) -> None:
    whole = humanoid_recording()
    ((field, number),) = change.items()
    rows = getattr(whole, field).copy()
    rows[INDEX["left_knee"], 2] = number
    with pytest.raises(BadFile) as caught:
        to_clip(Path("a.glb"), replace(whole, **{field: rows}))
    assert str(caught.value) == f"a.glb, left_knee, frame 3: {sentence}, none found"


def test_a_prop_scaled_to_nothing_does_not_matter() -> None:
    whole = humanoid_recording()
    with_prop = replace(
        whole,
        names=(*whole.names, "sword"),
        parents=(*whole.parents, INDEX["right_wrist"]),
        world_rotations=np.concatenate([whole.world_rotations, np.full_like(whole.world_rotations[:1], np.nan)]),
        positions=np.concatenate([whole.positions, whole.positions[-1:]]),
        rest_positions=np.concatenate([whole.rest_positions, whole.rest_positions[-1:]]),
    )
    np.testing.assert_array_equal(
        to_clip(Path("a.glb"), with_prop).motions[0].rotations, to_clip(Path("a.glb"), whole).motions[0].rotations
    )


def humanoid_recording() -> Recording:
    """The sample dance as a recording of the 29 joints."""
    motion = sample_dance()[:20]
    world = kinematics.global_rotations(motion.rotations).swapaxes(0, 1)
    rest = motion.skeleton.rest_positions()
    return Recording(JOINTS, PARENTS, 30.0, world, motion.positions.swapaxes(0, 1), rest, 1.0, "Z", True)
