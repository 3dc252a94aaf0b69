"""BVH files: forward kinematics of what is read, and round trips of what is written."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from rigs import Array, kinematics, rotations
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.files import Source, read, write
from rigs.files.bvh import bvh
from rigs.files.bvh.bvh_parser import Bvh, parse_bvh
from rigs.files.conventions.axes import to_z_up
from rigs.motion import Motion
from rigs.skeleton import DEFAULT_SKELETON, INDEX
from tests.rigs.files.bvh.bvh_files import TENTH_MILLIMETRE, ZOO, dance, largest_rotation, rig_file


@st.composite
def hierarchies(draw: st.DrawFn) -> Bvh:
    """Any tree of up to six joints with any channels in any order."""
    joints = draw(st.integers(1, 6))
    parents = [-1, *(draw(st.integers(0, j - 1)) for j in range(1, joints))]
    every = [f"{axis}{kind}" for axis in "XYZ" for kind in ("rotation", "position")]
    channels = [tuple(draw(st.permutations(every)))[: draw(st.integers(0, 6))] for _ in parents]
    generator = np.random.default_rng(draw(st.integers(0, 1000)))
    width = sum(map(len, channels))
    return Bvh(
        names=tuple(f"joint {j}" for j in range(joints)),
        parents=tuple(parents),
        offsets=generator.normal(0.0, 10.0, (joints, 3)),
        channels=tuple(channels),
        fps=30.0,
        values=generator.uniform(-180.0, 180.0, (3, width)),
    )


@settings(max_examples=60, deadline=None)
@given(hierarchies())
def test_forward_kinematics_matches_matrix_products(file: Bvh) -> None:
    turned, positions = bvh.bvh_transforms(file)
    for f in range(3):
        matrices: list[Array] = []
        column = 0
        for j, channels in enumerate(file.channels):
            matrix = np.eye(4)
            matrix[:3, 3] = file.offsets[j]
            for channel in channels:
                value, axis = file.values[f, column], "XYZ".index(channel[0])
                if channel.endswith("position"):
                    matrix[axis, 3] = value
                else:
                    turn = Rotation.from_euler(channel[0].lower(), value, degrees=True)
                    matrix[:3, :3] = matrix[:3, :3] @ turn.as_matrix()
                column += 1
            matrices.append(matrix if file.parents[j] < 0 else matrices[file.parents[j]] @ matrix)
            np.testing.assert_allclose(positions[j, f], matrices[j][:3, 3], atol=1e-9)
            np.testing.assert_allclose(rotations.to_matrix(turned[j, f]), matrices[j][:3, :3], atol=1e-9)


# What becomes of it


@pytest.mark.parametrize("take", ["01_leader", "07_leader", "07_follower", "13_follower"])
def test_a_salsa_dancer_keeps_every_joint_in_place(corpus: Path, take: str) -> None:
    file = corpus / "salsa" / f"salsa_{take}.bvh"
    clip, parsed = read(file), parse_bvh(file)
    bones = list(map_bones(parsed.names, parsed.parents).bones)
    theirs = to_z_up(bvh.bvh_transforms(parsed)[1][bones], "Y") * 0.01
    assert clip.source.filled_joints == ()
    np.testing.assert_allclose(clip.motions[0].positions.transpose(1, 0, 2), theirs, atol=TENTH_MILLIMETRE)


def test_partners_of_one_recording_share_one_world_space(corpus: Path) -> None:
    leader, follower = (read(corpus / f"salsa/salsa_07_{role}.bvh").motions[0] for role in ("leader", "follower"))
    hands = [INDEX["left_middle"], INDEX["right_middle"]]
    reach = leader.positions[:, hands, None] - follower.positions[:, None, hands]
    assert np.median(np.linalg.norm(reach, axis=-1).min(axis=(1, 2))) < 0.15


def test_a_rest_pose_in_the_first_frame_is_reported(tmp_path: Path) -> None:
    path = rig_file(tmp_path / "x.bvh", dance())
    assert read(path).warnings == ()
    lines = path.read_text().splitlines()
    lines[-40] = " ".join([*lines[-40].split()[:6], *["0"] * (len(lines[-40].split()) - 6)])
    path.write_text("\n".join(lines))
    assert read(path).warnings == ("x.bvh: the dance begins in frame 2, frame 1 holds the rest pose",)


def test_fps_overrides_a_wrong_frame_time(corpus: Path) -> None:
    clip = read(corpus / "bvh_zoo/cmu_daz_60_01.bvh", fps=60.0)
    assert clip.source.fps == clip.motions[0].fps == 60.0
    assert len(clip.motions[0]) == clip.source.frames == 2242


def test_one_recording_on_two_rigs_has_similar_limb_rotations(corpus: Path) -> None:
    acclaim = read(corpus / "salsa/salsa_01_leader.bvh").motions[0]
    daz = read(corpus / "bvh_zoo/cmu_daz_60_01.bvh", fps=60.0).motions[0]
    apart = rotations.angle_between(*(kinematics.global_rotations(m.rotations) for m in (acclaim, daz)))
    for joint in ("pelvis", "spine3", "left_hip", "right_hip", "left_knee", "right_knee", "left_shoulder"):
        assert np.degrees(np.median(apart[:, INDEX[joint]])) < 10.0, joint


def test_position_and_heading_are_kept(tmp_path: Path) -> None:
    turned = rotations.identity(5, 29)
    turned[:, 0] = rotations.about_z(np.full(5, 2.0))
    result = read(
        rig_file(tmp_path / "turned.bvh", Motion(30.0, DEFAULT_SKELETON, np.full((5, 3), 3.0), turned))
    ).motions[0]
    np.testing.assert_allclose(rotations.heading(result.rotations[:, 0]), 2.0, atol=0.02)
    np.testing.assert_allclose(result.root, 3.0, atol=TENTH_MILLIMETRE)


# What is written


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100), st.sampled_from([0.01, 1.0, 0.0254]), st.sampled_from("YZ"), st.floats(0.1, 1.0))
def test_a_motion_survives_a_round_trip(
    tmp_path_factory: pytest.TempPathFactory, seed: int, units: float, up: str, size: float
) -> None:
    original = dance(seed=seed, size=size)
    path = tmp_path_factory.mktemp("written") / "dance.bvh"
    write(path, original, like=Source(path, units, up, original.fps, len(original)))
    clip = read(path)
    assert (clip.source.units, clip.source.up, clip.source.frames) == (units, up, len(original))
    assert clip.motions[0].fps == original.fps
    np.testing.assert_allclose(clip.motions[0].positions, original.positions, atol=TENTH_MILLIMETRE)
    np.testing.assert_allclose(clip.motions[0].skeleton.offsets, original.skeleton.offsets, atol=TENTH_MILLIMETRE)
    assert largest_rotation(clip.motions[0], original) < 1e-3


@pytest.mark.parametrize("name", ["salsa/salsa_07_leader", *(f"bvh_zoo/{name}" for name in ZOO)])
def test_a_written_file_has_every_joint_at_its_position(corpus: Path, tmp_path: Path, name: str) -> None:
    clip = read(corpus / f"{name}.bvh")
    write(tmp_path / "again.bvh", clip.motions, like=clip.source)
    written = parse_bvh(tmp_path / "again.bvh")
    nodes = map_bones(written.names, written.parents).bones
    places = bvh.bvh_transforms(written)[1][list(nodes)] * clip.source.units
    places = to_z_up(places, clip.source.up)
    np.testing.assert_allclose(places.transpose(1, 0, 2), clip.motions[0].positions, atol=TENTH_MILLIMETRE)


@pytest.mark.parametrize("name", ["salsa/salsa_10_leader", *(f"bvh_zoo/{name}" for name in ZOO if "daz" not in name)])
def test_a_real_recording_survives_a_round_trip(corpus: Path, tmp_path: Path, name: str) -> None:
    clip = read(corpus / f"{name}.bvh")
    write(tmp_path / "again.bvh", clip.motions, like=clip.source)
    again = read(tmp_path / "again.bvh")
    assert (again.source.units, again.source.up, again.source.fps) == (
        pytest.approx(clip.source.units),
        clip.source.up,
        clip.source.fps,
    )
    np.testing.assert_allclose(again.motions[0].positions, clip.motions[0].positions, atol=TENTH_MILLIMETRE)


def test_a_partner_has_the_leaders_rate_and_length(tmp_path: Path) -> None:
    source = Source(tmp_path / "leader.bvh", 0.01, "Z", 60.0, 101)
    write(tmp_path / "partner.bvh", dance(frames=45, fps=30.0), like=source)
    written = read(tmp_path / "partner.bvh").source
    assert (written.units, written.up, written.fps, written.frames) == (0.01, "Z", 60.0, 101)


def test_written_euler_angles_are_unwrapped(tmp_path: Path) -> None:
    spin = rotations.identity(90, 29)
    spin[:, 0] = rotations.about_z(np.linspace(0.0, 12.0, 90))
    write(tmp_path / "spin.bvh", Motion(30.0, DEFAULT_SKELETON, np.zeros((90, 3)), spin))
    assert np.abs(np.diff(parse_bvh(tmp_path / "spin.bvh").values[:, 3:], axis=0)).max() < 180.0


# What is refused
