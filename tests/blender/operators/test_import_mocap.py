"""Importing mocap: the evaluated pose against the file's reader and Blender's importers, and errors."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation.interchange.fbx_gltf import read_armatures
from bl_ext.user_default.pas_de_deux.animation.interchange.fbx_gltf_export import export_dancer
from motions import TENTH_OF_A_MILLIMETRE, max_joint_error, random_motion, swaying_motion, travelling_motion

from rigs import Array, files
from rigs.motion import resample
from rigs.sample_dance.salsa import sample_dance
from tests.rigs.files.markers.c3d_files import markers_on, write_markers

EMPTY_GLB = b"glTF\x02\x00\x00\x00\x30\x00\x00\x00\x1c\x00\x00\x00JSON" + b'{"asset":{"version":"2.0"}} '
"""A whole glTF file with nothing in it."""


@pytest.fixture
def leader(tmp_path: Path) -> Path:
    path = tmp_path / "leader.bvh"
    files.write(path, random_motion(frames=50, fps=60.0))
    return path


def test_a_recording_comes_in_where_its_reader_says(corpus: Path) -> None:
    path = corpus / "salsa" / "salsa_10_leader.bvh"
    bpy.ops.pasdedeux.import_mocap(filepath=str(path))
    motion = files.read(path).motions[0]
    assert max_joint_error(bpy.context.object, motion, every=120) < TENTH_OF_A_MILLIMETRE


def amass_file(folder: Path) -> Path:
    frames = 40
    poses = np.zeros((frames, 52, 3))
    poses[:, 0, 0] = np.pi / 2.0  # stood up in a world with Z up
    poses[:, 18, 1] = np.linspace(0.0, -1.5, frames)  # bends the left elbow
    trans = np.linspace((0.0, 0.0, 0.9), (0.4, 0.0, 0.9), frames)
    path = folder / "amass.npz"
    np.savez(path, poses=poses.reshape(frames, 156), trans=trans, mocap_framerate=60.0, gender="male")
    return path


def marker_file(folder: Path) -> Path:
    return write_markers(folder / "markers.c3d", markers_on(sample_dance()[:40]), fps=30.0)


def table_file(folder: Path) -> Path:
    files.write(folder / "table.csv", sample_dance()[:40])
    return folder / "table.csv"


@pytest.mark.parametrize("build", [amass_file, marker_file, table_file])
def test_smpl_poses_markers_and_tables_come_in_where_their_reader_says(
    tmp_path: Path, build: Callable[[Path], Path]
) -> None:
    path = build(tmp_path)
    assert bpy.ops.pasdedeux.import_mocap(filepath=str(path)) == {"FINISHED"}
    motion = files.read(path).motions[0]
    assert len(motion) == 40
    assert max_joint_error(bpy.context.object, motion) < TENTH_OF_A_MILLIMETRE


def test_a_pickled_result_is_refused_with_what_to_save_instead(tmp_path: Path) -> None:
    (tmp_path / "hmr4d_results.pt").write_bytes(b"PK")
    with pytest.raises(RuntimeError, match=r"pickled Python objects found; .*smpl_params_global"):
        bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "hmr4d_results.pt"))


def test_the_new_armature_is_active_and_the_leader(leader: Path) -> None:
    assert bpy.ops.pasdedeux.import_mocap(filepath=str(leader)) == {"FINISHED"}
    assert bpy.context.object.type == "ARMATURE"
    assert bpy.context.object.name == "leader"
    assert bpy.context.scene.pas_de_deux.leader == bpy.context.object


def test_the_first_dancer_sets_the_frame_rate_and_lengthens_the_scene(tmp_path: Path) -> None:
    files.write(tmp_path / "long.bvh", swaying_motion(frames=400, fps=60.0))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "long.bvh"))
    scene = bpy.context.scene
    assert scene.render.fps / scene.render.fps_base == pytest.approx(60.0)
    assert (scene.frame_start, scene.frame_end) == (1, 400)


def test_a_later_dancer_is_brought_to_the_scenes_frame_rate_and_leads(
    leader: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader))
    files.write(tmp_path / "slow.bvh", random_motion(frames=50, fps=25.0, seed=1))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "slow.bvh"))
    output = capfd.readouterr()
    assert "Resampled from 25 to 60 frames per second: the scene holds animation" in output.out + output.err
    assert bpy.context.scene.render.fps == 60
    motion = resample(files.read(tmp_path / "slow.bvh").motions[0], 60.0)
    assert max_joint_error(bpy.context.object, motion) < TENTH_OF_A_MILLIMETRE
    assert bpy.context.scene.pas_de_deux.leader.name == "slow"


def test_a_file_of_two_dancers_gives_two_armatures_in_one_world(tmp_path: Path) -> None:
    pair = (swaying_motion(), swaying_motion(x=0.8))
    files.write(tmp_path / "duet.npz", pair)
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "duet.npz"))
    for name, motion in zip(("duet 1", "duet 2"), pair, strict=True):
        assert max_joint_error(bpy.data.objects[name], motion) < TENTH_OF_A_MILLIMETRE
    assert bpy.context.object.name == "duet 1"


def test_each_dancer_has_a_body_that_follows_the_bones(leader: Path) -> None:
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader))
    (body,) = bpy.context.object.children
    tops = []
    for frame in (1, 50):
        bpy.context.scene.frame_set(frame)
        evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
        tops.append(max((vertex.co.z, vertex.co.x) for vertex in evaluated.vertices))
    assert tops[0] != pytest.approx(tops[1], abs=0.01)


def test_without_a_body_only_the_armature_comes_in(leader: Path) -> None:
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader), body=False)
    assert not bpy.data.meshes


def test_the_frame_rate_can_be_given(leader: Path) -> None:
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader), fps=25.0)
    assert bpy.context.scene.render.fps / bpy.context.scene.render.fps_base == pytest.approx(25.0)
    assert bpy.context.object.animation_data.action.frame_range[1] == 50.0


def test_the_up_axis_and_the_unit_can_be_given(tmp_path: Path) -> None:
    motion = swaying_motion(frames=20)
    files.write(tmp_path / "feet.bvh", motion, like=files.Source(tmp_path / "x.bvh", 0.3048, "-X", motion.fps, 20))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "feet.bvh"), up_axis="-X", unit="ft")
    assert max_joint_error(bpy.context.object, motion) < TENTH_OF_A_MILLIMETRE
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "feet.bvh"), up_axis="X", unit="m")
    overridden = files.read(tmp_path / "feet.bvh", files.ReadOptions(up="X", unit="m")).motions[0]
    assert overridden.positions[:, 15, 2].mean() < overridden.positions[:, 7, 2].mean() - 4.0
    assert max_joint_error(bpy.context.object, overridden) < 10.0 * TENTH_OF_A_MILLIMETRE


@pytest.mark.parametrize("size", [0.3, 2.5])
def test_a_character_of_another_size_keeps_it_in_an_fbx(tmp_path: Path, size: float) -> None:
    motion = travelling_motion(frames=20)
    motion = replace(motion, skeleton=motion.skeleton.scale(size), root=motion.root * size)
    export_dancer(tmp_path / "robot.fbx", motion, "robot")
    clip = read_armatures(bpy.context, tmp_path / "robot.fbx")()
    np.testing.assert_allclose(clip.motions[0].positions, motion.positions, atol=10.0 * TENTH_OF_A_MILLIMETRE)
    assert clip.warnings[0].startswith(f"robot.fbx: a body {1.7 * size:.2f} m tall found; read in metres, --unit")


def test_a_dancer_on_its_head_is_turned_and_it_is_reported(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    motion = sample_dance()[:120]
    files.write(tmp_path / "leader.bvh", motion)
    text = (tmp_path / "leader.bvh").read_text()
    axes = "  OFFSET 0 0 0\n  CHANNELS 3 Xrotation Yrotation Zrotation\n  JOINT pelvis\n"
    hierarchy, values = text.replace("ROOT pelvis\n", "ROOT turned\n{\n" + axes).split("MOTION\n")
    header, rows = values.splitlines()[:2], values.splitlines()[2:]
    turned = "\n".join([hierarchy.rstrip() + "\n}\nMOTION", *header, *(f"180 0 0 {row}" for row in rows)])
    (tmp_path / "turned.bvh").write_text(turned + "\n")
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "turned.bvh"))
    output = capfd.readouterr()
    assert "but the dancer moves as if -Y were up" in output.out + output.err
    expected = files.read(tmp_path / "leader.bvh").motions[0]
    assert max_joint_error(bpy.context.object, expected) < TENTH_OF_A_MILLIMETRE


def test_a_rate_that_makes_feet_too_fast_is_reported(corpus: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = str(corpus / "bvh_zoo" / "cmu_daz_60_01.bvh")
    assert bpy.ops.pasdedeux.import_mocap(filepath=path, body=False) == {"FINISHED"}
    output = capfd.readouterr()
    assert "Warning: cmu_daz_60_01.bvh: steps of 3.7 m/s found" in output.out + output.err
    assert bpy.ops.pasdedeux.import_mocap(filepath=path, body=False, fps=60.0) == {"FINISHED"}
    output = capfd.readouterr()
    assert "Warning" not in output.out + output.err


@pytest.mark.parametrize(
    "path", ["cmu_solo/05_02.amc", "hybrik/alphapose_test-results.json", "hybrik/pose_extraction_video_1.npy"]
)
def test_every_kind_of_file_comes_in(corpus: Path, path: str) -> None:
    bpy.ops.pasdedeux.import_mocap(filepath=str(corpus / path), body=False)
    motion = files.read(corpus / path).motions[0]
    assert max_joint_error(bpy.context.object, motion, every=100) < TENTH_OF_A_MILLIMETRE


FBX = {
    # file: frames, rate, and for some joints the bone that begins there
    "Samba_Dancing.fbx": (547, 30.0, "mixamorig:{}"),
    "Swing_Dancing.fbx": (628, 30.0, "mixamorig:{}"),
    "deepmotion_Ballet2.fbx": (560, 30.0, "{}_JNT"),
    "maya_human_ik_7400_binary.fbx": (1, 24.0, "Character1_{}"),
}
HUMAN_IK = {"pelvis": "Hips", "left_knee": "LeftLeg", "right_ankle": "RightFoot", "left_elbow": "LeftForeArm",
            "right_wrist": "RightHand", "left_shoulder": "LeftArm", "neck": "Neck", "jaw": "Head"}  # fmt: skip
DEEPMOTION = {"pelvis": "hips", "left_knee": "l_leg", "right_ankle": "r_foot", "left_elbow": "l_forearm",
              "right_wrist": "r_hand", "left_shoulder": "l_arm", "neck": "neck", "jaw": "head"}  # fmt: skip


@pytest.mark.parametrize("name", FBX)
def test_an_fbx_dancer_moves_where_blenders_importer_has_it(corpus: Path, name: str) -> None:
    path = str(corpus / "fbx_zoo" / name)
    frames, fps, pattern = FBX[name]
    bpy.ops.pasdedeux.import_mocap(filepath=path, body=False)
    dancer, scene = bpy.context.object, bpy.context.scene
    assert dancer.animation_data.action.frame_range[1] == frames
    assert scene.render.fps / scene.render.fps_base == pytest.approx(fps)
    bpy.ops.import_scene.fbx(filepath=path)
    (theirs,) = (obj for obj in scene.objects if obj.type == "ARMATURE" and obj != dancer)
    names = DEEPMOTION if "deepmotion" in name else HUMAN_IK
    first = round(theirs.animation_data.action.frame_range[0])
    for frame in range(0, frames, 60):
        expected = heads(theirs, [pattern.format(bone) for bone in names.values()], first + frame)
        np.testing.assert_allclose(heads(dancer, list(names), 1 + frame), expected, atol=1e-3)


def heads(rig: bpy.types.Object, names: list[str], frame: int) -> Array:
    bpy.context.scene.frame_set(frame)
    evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.matrix_world @ evaluated.pose.bones[name].head for name in names])


def test_nothing_but_the_dancer_comes_out_of_an_fbx(corpus: Path) -> None:
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.pasdedeux.import_mocap(filepath=str(corpus / "fbx_zoo" / "Samba_Dancing.fbx"), body=False)
    assert sorted(obj.name for obj in bpy.data.objects) == ["Cube", "Samba_Dancing"]
    assert [len(blocks) for blocks in (bpy.data.armatures, bpy.data.actions, bpy.data.meshes)] == [1, 1, 1]
    assert not bpy.data.materials
    assert len(bpy.data.scenes) == 1
    assert bpy.context.object.name == "Samba_Dancing"


def test_one_undo_step_takes_an_fbx_back(corpus: Path, scene_state: Callable[[], dict[str, Any]]) -> None:
    bpy.ops.ed.undo_push(message="before")
    before = scene_state()
    path = corpus / "fbx_zoo" / "maya_human_ik_7400_binary.fbx"
    bpy.ops.pasdedeux.import_mocap("EXEC_DEFAULT", True, filepath=str(path))
    assert scene_state() != before
    bpy.ops.ed.undo()
    assert scene_state() == before


def test_an_fbx_comes_in_while_a_mesh_is_edited(corpus: Path) -> None:
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.pasdedeux.import_mocap(filepath=str(corpus / "fbx_zoo" / "maya_human_ik_7400_binary.fbx"))
    assert bpy.context.object.name == "maya_human_ik_7400_binary"


@pytest.mark.parametrize("fps", [24.0, 50.0])
def test_a_gltf_dancer_keeps_rate_and_place(tmp_path: Path, fps: float) -> None:
    if bpy.app.version < (4, 5, 0):  # whose exporter, too, crashes Blender at times
        (tmp_path / "dance.glb").write_bytes(EMPTY_GLB)
        with pytest.raises(RuntimeError, match=r"dance\.glb: Blender 4\.5 or later expected for glTF"):
            bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "dance.glb"), body=False)
        return
    motion = random_motion(frames=60, fps=fps, seed=2)
    files.write(tmp_path / "dance.bvh", motion)
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "dance.bvh"), body=False)
    bpy.ops.export_scene.gltf(filepath=str(tmp_path / "dance.glb"), export_animation_mode="ACTIVE_ACTIONS")
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "dance.glb"), body=False)
    scene = bpy.context.scene
    assert scene.render.fps / scene.render.fps_base == pytest.approx(fps)
    assert len(bpy.data.objects) == len(bpy.data.actions) == 1
    assert max_joint_error(bpy.context.object, motion) < 1e-3


OLD_FBX = "Blender reads only binary FBX 7.1 or later" if bpy.app.version < (4, 5, 0) else ""
AT_REST = "a movement expected, a character that rests found"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("maya_human_ik_6100_binary", f"{OLD_FBX}, version 6.1 found; export it again" if OLD_FBX else AT_REST),
        ("maya_human_ik_7400_ascii", f"{OLD_FBX}, text found; export it again" if OLD_FBX else AT_REST),
        ("maya_character_7500_binary", AT_REST),
        ("motionbuilder_thumbnail_7700_binary", "an armature with a dancer's bones expected, none found"),
    ],
)
def test_an_fbx_without_a_dance_is_one_sentence_and_an_untouched_scene(
    corpus: Path, scene_state: Callable[[], dict[str, Any]], name: str, message: str
) -> None:
    before = scene_state()
    with pytest.raises(RuntimeError, match=f"{name}.fbx: {message}") as error:
        bpy.ops.pasdedeux.import_mocap(filepath=str(corpus / "fbx_zoo" / f"{name}.fbx"))
    assert len(str(error.value).strip().splitlines()) == 1
    assert scene_state() == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.fbx", b"", "empty.fbx: empty file, a character with a movement expected"),
        ("words.fbx", b"not an fbx", "words.fbx: Blender reads only binary FBX 7.1 or later, no FBX found"),
        ("words.glb", b"not a gltf", "words.glb: a whole file that Blender can import expected"),
        (
            "cut.glb",
            b"glTF",
            r"cut\.glb: (a whole file .*|Blender 4\.5 or later) expected(?!.*Location)",
        ),
        ("missing.fbx", None, "missing.fbx: no such file"),
        ("cut.fbx", 40_000, r"cut.fbx, byte \d+: a node that ends within the file expected; export it again"),
        ("bone.fbx", "a bone", "bone.fbx: no bone for .*; a humanoid with two arms and two legs expected"),
    ],
)
def test_a_bad_fbx_is_one_sentence_and_an_untouched_scene(
    corpus: Path,
    tmp_path: Path,
    scene_state: Callable[[], dict[str, Any]],
    name: str,
    content: bytes | str | int | None,
    message: str,
) -> None:
    path = tmp_path / name
    if isinstance(content, int):
        path.write_bytes((corpus / "fbx_zoo" / "Samba_Dancing.fbx").read_bytes()[:content])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        bpy.ops.object.armature_add()
        bpy.context.object.pose.bones[0].keyframe_insert("location", frame=1)
        bpy.ops.export_scene.fbx(filepath=str(path))
        bpy.ops.wm.read_homefile(use_empty=True)
    before = scene_state()
    with pytest.raises(RuntimeError, match=message) as error:
        bpy.ops.pasdedeux.import_mocap(filepath=str(path))
    assert len(str(error.value).strip().splitlines()) == 1
    assert scene_state() == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.bvh", None, "missing.bvh: no such file"),
        ("empty.bvh", "", "empty.bvh: empty file"),
        ("words.bvh", "not a skeleton", "words.bvh"),
        ("leader.txt", "", r"leader.txt: \.bvh, .*, \.fbx, \.glb or \.gltf file extension expected"),
    ],
)
def test_a_bad_file_is_one_sentence_and_an_untouched_scene(
    tmp_path: Path, scene_state: Callable[[], dict[str, Any]], name: str, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    before = scene_state()
    with pytest.raises(RuntimeError, match=message) as error:
        bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / name))
    assert len(str(error.value).strip().splitlines()) == 1
    assert scene_state() == before


def test_a_chosen_file_that_blender_cannot_read_is_one_sentence(corpus: Path) -> None:
    with pytest.raises(RuntimeError, match=r"^Error: maya_human_ik_6100_binary\.fbx: [^\n]*\n$"):
        bpy.ops.pasdedeux.choose_mocap(filepath=str(corpus / "fbx_zoo/maya_human_ik_6100_binary.fbx"))


def test_one_undo_step_takes_the_import_back(leader: Path, scene_state: Callable[[], dict[str, Any]]) -> None:
    bpy.ops.ed.undo_push(message="before")
    before = scene_state()
    bpy.ops.pasdedeux.import_mocap("EXEC_DEFAULT", True, filepath=str(leader))
    assert scene_state() != before
    bpy.ops.ed.undo()
    assert scene_state() == before


@pytest.mark.parametrize("mode", ["EDIT", "SCULPT", "POSE"])
@pytest.mark.parametrize("hide", [False, True])
def test_importing_in_any_mode_makes_the_dancer_active_in_object_mode(leader: Path, mode: str, hide: bool) -> None:
    (bpy.ops.object.armature_add if mode == "POSE" else bpy.ops.mesh.primitive_cube_add)()
    bpy.ops.object.mode_set(mode=mode)
    bpy.context.object.hide_viewport = hide
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader))
    assert (bpy.context.object.name, bpy.context.mode) == ("leader", "OBJECT")
    assert bpy.context.selected_objects == [bpy.context.object]


def animate_material() -> None:
    material = bpy.data.materials.new("glow")
    material.use_nodes = True
    material.node_tree.nodes[0].inputs[0].keyframe_insert("default_value", frame=1)


def animate_camera() -> None:
    bpy.ops.object.camera_add()
    bpy.context.object.data.keyframe_insert("lens", frame=1)


def animate_in_strip() -> None:
    bpy.ops.object.empty_add()
    animation = bpy.context.object.animation_data_create()
    animation.nla_tracks.new().strips.new("strip", 1, bpy.data.actions.new("move"))


def add_marker() -> None:
    bpy.context.scene.timeline_markers.new("cue", frame=10)


@pytest.mark.parametrize("animate", [animate_material, animate_camera, animate_in_strip, add_marker])
def test_a_scene_with_any_animation_keeps_its_frame_rate(leader: Path, animate: Callable[[], None]) -> None:
    animate()
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader))
    assert bpy.context.scene.render.fps == 24
    motion = resample(files.read(leader).motions[0], 24.0)
    assert max_joint_error(bpy.context.object, motion) < TENTH_OF_A_MILLIMETRE


def test_an_empty_scene_beside_an_animated_one_takes_the_files_rate_and_says_so(
    leader: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bpy.ops.object.empty_add()
    bpy.context.object.keyframe_insert("location", frame=1)
    bpy.context.window.scene = bpy.data.scenes.new("second")
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader))
    assert bpy.context.scene.render.fps == 60
    output = capfd.readouterr()
    assert "The scene's frame rate was 24 and is now 60, as in the file" in output.out + output.err
