"""The BVH reader and writer against Blender's own BVH importer."""

from pathlib import Path

import numpy as np
import pytest

from rigs import Array, rotations
from rigs.bone_mapping.bone_map import REQUIRED
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.files import read, write
from rigs.files.bvh import bvh
from rigs.files.bvh.bvh_parser import parse_bvh
from rigs.files.bvh.bvh_writer import format_bvh
from rigs.files.conventions.axes import to_z_up
from rigs.motion import Motion, resample
from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS, rest_positions

bpy = pytest.importorskip("bpy", reason="no Blender: the bpy module is not installed here")

FILES = {
    # file: the scale at which it is a person, or about as large
    "salsa/salsa_07_leader.bvh": 0.01,
    "salsa/salsa_10_follower.bvh": 0.01,
    "bvh_zoo/AD_cmu1_jumping_jacks.bvh": 0.0564,
    "bvh_zoo/AD_fair1_dab.bvh": 0.0354,
    "bvh_zoo/AD_rokoko_jesse_dance.bvh": 0.01,
    "bvh_zoo/cmu_daz_60_01.bvh": 1.31,
    "bvh_zoo/dataset-1_dance-short_normal_001.bvh": 0.01,
    "bvh_zoo/pybvh_bvh_test1.bvh": 0.0254,
    "bvh_zoo/pybvh_bvh_test2.bvh": 0.01,
    "bvh_zoo/pybvh_full_precision_frame_time.bvh": 0.1,
    "bvh_zoo/pybvh_rotation_first_root.bvh": 0.1,
    "bvh_zoo/pybvh_standard_skeleton.bvh": 0.0254,
}
DANCERS = [name for name in FILES if "full_precision" not in name and "rotation_first" not in name]
MILLIMETRE = 1e-3


@pytest.mark.parametrize("name", FILES)
def test_every_joint_is_where_blender_puts_it(corpus: Path, name: str) -> None:
    parsed = parse_bvh(corpus / name)
    joints = [node for node, channels in enumerate(parsed.channels) if channels]
    frames = some_of(len(parsed.values))
    ours = to_z_up(bvh.bvh_transforms(parsed)[1][joints][:, frames], "Y") * FILES[name]
    rig = imported(corpus / name, scale=FILES[name], up="Y")
    theirs = joint_heads(rig, [parsed.names[node] for node in joints], frames)
    np.testing.assert_allclose(ours, theirs, atol=MILLIMETRE)


@pytest.mark.parametrize("name", DANCERS)
def test_a_read_dancer_moves_every_joint_where_blender_does(corpus: Path, name: str) -> None:
    clip = read(corpus / name)
    parsed = parse_bvh(corpus / name)
    mapping = map_bones(parsed.names, parsed.parents, rest_positions(parsed.offsets, parsed.parents))
    bones = {
        joint: parsed.names[bone]
        for joint, bone in zip(JOINTS, mapping.bones, strict=True)
        if bone >= 0 and parsed.channels[bone] and joint not in clip.source.filled_joints
    }
    assert set(REQUIRED) <= set(bones)
    frames = some_of(len(clip.motions[0]))
    ours = clip.motions[0].positions[frames][:, [INDEX[joint] for joint in bones]].transpose(1, 0, 2)
    rig = imported(corpus / name, scale=clip.source.units, up=clip.source.up)
    np.testing.assert_allclose(ours, joint_heads(rig, list(bones.values()), frames), atol=MILLIMETRE)


def test_a_written_partner_stands_beside_its_leader(corpus: Path, tmp_path: Path) -> None:
    source = read(corpus / "salsa/salsa_07_leader.bvh").source
    follower = read(corpus / "salsa/salsa_07_follower.bvh").motions[0]
    partner = tmp_path / "partner.bvh"
    write(partner, resample(follower, 30.0), like=source)
    files = {
        "leader": corpus / "salsa/salsa_07_leader.bvh",
        "follower": corpus / "salsa/salsa_07_follower.bvh",
        "partner": partner,
    }
    rigs = {role: imported(file, scale=source.units, up=source.up) for role, file in files.items()}
    assert key_range(rigs["partner"]) == key_range(rigs["leader"])
    same = {"pelvis": "root", "left_knee": "ltibia", "left_ankle": "lfoot", "right_wrist": "rhand", "jaw": "head"}
    frames = np.array([0, 400, 1200, len(follower) - 1])  # even ones, which a path through 30 fps keeps
    written = joint_heads(rigs["partner"], list(same), frames)
    original = joint_heads(rigs["follower"], list(same.values()), frames)
    np.testing.assert_allclose(written, original, atol=MILLIMETRE)


@pytest.mark.parametrize(("units", "up"), [(0.01, "Y"), (1.0, "Z"), (0.0254, "Y")])
def test_a_written_dance_reads_the_same_in_blender(tmp_path: Path, units: float, up: str) -> None:
    random = np.random.default_rng(3)
    turned = rotations.from_rotation_vector(random.normal(0.0, 0.9, (10, 29, 3)))
    dance = Motion(30.0, DEFAULT_SKELETON, random.normal(0.0, 1.0, (10, 3)), turned)
    path = tmp_path / "dance.bvh"
    path.write_text(format_bvh(bvh.from_motion(dance, units, up)))
    rig = imported(path, scale=units, up=up)
    names = [bone.name for bone in rig.pose.bones]
    ours = dance.positions[:, [INDEX[name] for name in names]].transpose(1, 0, 2)
    np.testing.assert_allclose(joint_heads(rig, names, np.arange(10)), ours, atol=1e-4)


def imported(path: Path, *, scale: float, up: str) -> "bpy.types.Object":
    """The armature that Blender's own importer makes of a file."""
    forward = "-Z" if up == "Y" else "Y"
    bpy.ops.import_anim.bvh(filepath=str(path), global_scale=scale, axis_up=up, axis_forward=forward)
    return bpy.context.object


def joint_heads(rig: "bpy.types.Object", names: list[str], frames: Array) -> Array:
    """World positions (N, F, 3) of the bones' heads; the importer keys a file's frame 0 on frame 1."""
    heads = []
    for frame in frames:
        bpy.context.scene.frame_set(int(frame) + 1)
        heads.append([rig.matrix_world @ rig.pose.bones[name].head for name in names])
    return np.array(heads).transpose(1, 0, 2)


def key_range(rig: "bpy.types.Object") -> tuple[float, float]:
    return tuple(rig.animation_data.action.frame_range)


def some_of(frames: int) -> Array:
    return np.unique(np.linspace(0, frames - 1, 7).astype(int))
