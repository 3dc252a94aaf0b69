"""Importing FBX and glTF files with several takes, sparse keyframes or odd rates, and several dancers."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import dancers
from fbx_text import write_as_text
from gltf_files import write_glb
from motions import joint_positions, max_joint_error, travelling_motion

from rigs.motion import Motion, resample

gltf = pytest.mark.skipif(bpy.app.version < (4, 5, 0), reason="Blender 4.2 does not read glTF")
MILLIMETRE = 1e-3


def still_motion(frames: int = 40, x: float = 0.0) -> Motion:
    pose = travelling_motion(frames=1, x=x)
    return resample(pose, 30.0, frames)


def take_list() -> list[Any]:
    return list(bpy.context.scene.pas_de_deux.take_list)


def take_names() -> list[str]:
    return [entry.name for entry in take_list()]


def warnings() -> list[str]:
    return [notice.text for notice in bpy.context.scene.pas_de_deux.notices]


def scene_rate() -> float:
    return bpy.context.scene.render.fps / bpy.context.scene.render.fps_base


def action_seconds() -> float:
    first, last = bpy.context.object.animation_data.action.frame_range
    return (last - first) / scene_rate()


@gltf
@pytest.mark.parametrize("scene_fps", [24, 30, 60])
@pytest.mark.parametrize("spacing", [0.4, 0.2, 0.8])
def test_poses_far_apart_keep_their_length_and_the_scenes_rate(tmp_path: Path, scene_fps: int, spacing: float) -> None:
    motion = travelling_motion(frames=121)
    write_glb(tmp_path / "poses.glb", {"dance": [(motion, np.arange(0.0, 4.01, spacing))]})
    bpy.context.scene.render.fps = scene_fps
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "poses.glb"), body=False)
    assert scene_rate() == scene_fps
    assert action_seconds() == pytest.approx(4.0, abs=0.5 / scene_fps)
    assert not warnings()
    for second in (0.0, 2.0, 4.0) if spacing < 0.8 else (0.0, 4.0):  # which have keyframes
        found = joint_positions(bpy.context.object, 1 + round(second * scene_fps))
        np.testing.assert_allclose(found, motion.positions[round(second * 30.0)], atol=MILLIMETRE)


@gltf
@pytest.mark.parametrize("rate", [12.5, 8.0, 15.0])
def test_keyframes_at_an_odd_rate_leave_the_scenes(tmp_path: Path, rate: float) -> None:
    motion = travelling_motion(frames=101, fps=rate)
    write_glb(tmp_path / "odd.glb", {"dance": [(motion, np.arange(101) / rate)]})
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "odd.glb"), body=False)
    assert scene_rate() == 24.0
    assert action_seconds() == pytest.approx(100.0 / rate, abs=0.5 / 24.0)


@gltf
@pytest.mark.parametrize("rate", [24.0, 25.0, 29.97, 30.0, 50.0, 60.0, 119.88, 120.0])
def test_keyframes_on_every_frame_tell_the_rate(tmp_path: Path, rate: float) -> None:
    motion = travelling_motion(frames=200, fps=rate)
    write_glb(tmp_path / "dense.glb", {"dance": [(motion, 1.0 / 24.0 + np.arange(200) / rate)]})
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "dense.glb"), body=False)
    assert scene_rate() == pytest.approx(rate, rel=1e-4)
    assert tuple(bpy.context.object.animation_data.action.frame_range) == (1.0, 200.0)
    assert max_joint_error(bpy.context.object, motion) < MILLIMETRE


@gltf
def test_the_scenes_rate_stays_if_the_user_says_so(tmp_path: Path) -> None:
    motion = travelling_motion(frames=61, fps=60.0)
    write_glb(tmp_path / "dense.glb", {"dance": [(motion, np.arange(61) / 60.0)]})
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "dense.glb"), body=False, match_rate=False)
    assert scene_rate() == 24.0
    assert action_seconds() == pytest.approx(1.0)


@gltf
@pytest.mark.parametrize("order", [("walk", "pose"), ("pose", "walk")])
def test_all_takes_come_in_and_the_liveliest_is_shown(tmp_path: Path, order: Iterable[str]) -> None:
    motions = {"walk": travelling_motion(frames=90), "pose": still_motion(frames=120)}
    takes = {name: [(motions[name], np.arange(len(motions[name])) / 30.0)] for name in order}
    write_glb(tmp_path / "two.glb", takes)
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "two.glb"), body=False)
    dancer = bpy.context.object
    assert take_names() == list(order)
    assert dancer.animation_data.action.name == "walk"
    assert max_joint_error(dancer, motions["walk"]) < MILLIMETRE
    (warning,) = warnings()
    first, second = order
    assert warning.startswith(f'two.glb: 2 takes found, "{first}" and "{second}": "walk" moves most and is shown')
    bpy.ops.pasdedeux.take_show(index=take_names().index("pose"))
    assert dancer.animation_data.action.name == "pose"
    assert max_joint_error(dancer, motions["pose"]) < MILLIMETRE
    assert all(action.use_fake_user for action in bpy.data.actions)
    assert len(bpy.data.actions) == 2


@gltf
def test_takes_of_one_name_are_numbered_in_the_files_order(tmp_path: Path) -> None:
    motions = [travelling_motion(frames=30), travelling_motion(frames=45)]
    takes = {name: [(motion, np.arange(len(motion)) / 30.0)] for name, motion in zip("ab", motions, strict=True)}
    write_glb(tmp_path / "same.glb", takes)
    content = (tmp_path / "same.glb").read_bytes()
    (tmp_path / "same.glb").write_bytes(content.replace(b'"name": "b"', b'"name": "a"'))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "same.glb"), body=False)
    assert take_names() == ["a 1", "a 2"]
    assert [len(range(*map(int, entry.action.frame_range))) + 1 for entry in take_list()] == [30, 45]


@gltf
def test_takes_survive_saving_and_opening(tmp_path: Path) -> None:
    takes = {name: [(travelling_motion(frames=30), np.arange(30) / 30.0)] for name in ("one", "two", "three")}
    write_glb(tmp_path / "three.glb", takes)
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "three.glb"), body=False)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert sorted(action.name for action in bpy.data.actions) == ["one", "three", "two"]
    assert take_names() == ["one", "two", "three"]


@gltf
def test_two_dancers_of_one_file_share_its_takes(tmp_path: Path) -> None:
    seconds = np.arange(60) / 30.0
    pair = [(travelling_motion(), seconds), (travelling_motion(x=1.0), seconds)]
    apart = [(still_motion(60), seconds), (still_motion(60, x=2.0), seconds)]
    write_glb(tmp_path / "duet.glb", {"apart": apart, "dance": pair}, prefixes=("A:", "B:"))
    bpy.ops.pasdedeux.import_duet(filepath=str(tmp_path / "duet.glb"), body=False)
    settings = bpy.context.scene.pas_de_deux
    assert take_names() == ["apart", "dance"]
    for dancer, (motion, _) in zip((settings.leader, settings.partner), pair, strict=True):
        assert max_joint_error(dancer, motion) < MILLIMETRE
    bpy.ops.pasdedeux.take_show(index=0)
    for dancer, (motion, _) in zip((settings.leader, settings.partner), apart, strict=True):
        assert max_joint_error(dancer, motion) < MILLIMETRE


@gltf
def test_dancers_with_takes_of_their_own_dance_them_together(tmp_path: Path) -> None:
    seconds = np.arange(60) / 30.0
    first, second = travelling_motion(), travelling_motion(x=1.0)
    takes = {"A dances": [(first, seconds), None], "B dances": [None, (second, seconds)]}
    write_glb(tmp_path / "each.glb", takes, prefixes=("A:", "B:"))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "each.glb"), body=False)
    for name, motion in (("each 1", first), ("each 2", second)):
        assert max_joint_error(bpy.data.objects[name], motion) < MILLIMETRE
    assert not warnings()
    assert take_names() == ["A dances", "B dances"]
    bpy.ops.wm.read_homefile(use_empty=True)
    takes["B stands"] = [None, (still_motion(60, x=1.0), seconds)]
    write_glb(tmp_path / "each.glb", takes, prefixes=("A:", "B:"))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "each.glb"), body=False)
    assert max_joint_error(bpy.data.objects["each 2"], second) < MILLIMETRE
    (warning,) = warnings()
    assert warning.endswith('"A dances" and "B dances" move most and are shown; "B stands" stands still')


def export_fbx(path: Path, **options: object) -> None:
    bpy.ops.export_scene.fbx(
        filepath=str(path),
        **{"object_types": {"ARMATURE", "EMPTY"}, "add_leaf_bones": False, "bake_anim_simplify_factor": 0.0, **options},
    )
    bpy.ops.wm.read_homefile(use_empty=True)


def add_dancer(motion: Motion, name: str = "Dancer") -> bpy.types.Object:
    bpy.context.scene.render.fps = round(motion.fps)
    dancer = dancers.add_dancer(bpy.context, name, motion.skeleton, partner=False, body=False)
    dancers.animate_dancer(bpy.context, dancer, motion, name, 1)
    return dancer


def test_all_takes_of_an_fbx_come_in_and_the_liveliest_is_shown(tmp_path: Path) -> None:
    motions = {"bind": still_motion(frames=2), "idle": still_motion(frames=50), "salsa": travelling_motion(frames=80)}
    for name, motion in motions.items():
        if name == "bind":
            dancer = add_dancer(motion)
        else:
            dancer.animation_data.action.use_fake_user = True
            dancers.animate_dancer(bpy.context, dancer, motion, name, 1)
        dancer.animation_data.action.name = name
        if hasattr(dancer.animation_data, "action_slot"):
            dancer.animation_data.action_slot.name_display = "Dancer"
    export_fbx(tmp_path / "takes.fbx", bake_anim_use_all_actions=True, bake_anim_use_nla_strips=False)
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "takes.fbx"), body=False)
    dancer = bpy.context.object
    assert sorted(take_names())[:3] == ["bind", "idle", "salsa"]
    assert dancer.animation_data.action.name == "salsa"
    assert max_joint_error(dancer, motions["salsa"]) < MILLIMETRE
    bpy.ops.pasdedeux.take_show(index=take_names().index("idle"))
    assert max_joint_error(dancer, motions["idle"]) < MILLIMETRE


@pytest.mark.parametrize(("fps", "base"), [(30, 1.001), (25, 1.0), (13, 1.04), (120, 1.001), (5, 2.0)])
def test_an_fbx_keeps_its_seconds_at_any_rate(tmp_path: Path, fps: int, base: float) -> None:
    rate, frames = fps / base, 101
    motion = travelling_motion(frames=frames, fps=rate)
    add_dancer(motion)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = fps, base
    scene.frame_start, scene.frame_end = 1, frames
    export_fbx(tmp_path / "rate.fbx", bake_anim_use_all_actions=False, bake_anim_use_nla_strips=False)
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "rate.fbx"), body=False)
    assert action_seconds() == pytest.approx((frames - 1) / rate, abs=0.6 / scene_rate())
    assert scene_rate() == pytest.approx(max(rate, 25.0), rel=1e-3)
    step = scene_rate() / rate
    for f in (0, 40, 100):
        found = joint_positions(bpy.context.object, 1 + round(f * step))
        np.testing.assert_allclose(found, motion.positions[f], atol=3.0 * MILLIMETRE)


def test_two_characters_of_an_fbx_are_two_dancers_and_markers_and_props_none(tmp_path: Path) -> None:
    pair = [travelling_motion(), travelling_motion(x=1.2)]
    for name, motion in zip(("Lead", "Follow"), pair, strict=True):
        dancer = add_dancer(motion, name)
        for bone in dancer.data.bones:
            bone.name = f"{name}:{bone.name}"
    bpy.ops.object.armature_add()
    prop = bpy.context.object
    prop.name = "Chair"
    prop.pose.bones[0].keyframe_insert("location", frame=1)
    for marker in ("Optical:M001", "Optical:M002"):
        bpy.ops.object.empty_add(location=(0.3, 0.0, 1.0))
        bpy.context.object.name = marker
        bpy.context.object.keyframe_insert("location", frame=1)
    export_fbx(tmp_path / "stage.fbx", bake_anim_use_all_actions=False, bake_anim_use_nla_strips=False)
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "stage.fbx"), body=False)
    found = [obj for obj in bpy.context.scene.objects if obj.type == "ARMATURE"]
    assert sorted(obj.name for obj in found) == ["stage 1", "stage 2"]
    by_place = sorted(found, key=lambda obj: joint_positions(obj, 1)[0, 0])
    for dancer, motion in zip(by_place, pair, strict=True):
        assert max_joint_error(dancer, motion) < MILLIMETRE
    assert warnings() == ['stage.fbx: "Chair" left out, without the bones of a dancer']


def test_an_fbx_as_text_moves_as_its_binary_does(tmp_path: Path) -> None:
    motion = travelling_motion(frames=40)
    add_dancer(motion)
    bpy.context.scene.frame_end = 40
    export_fbx(tmp_path / "binary.fbx", bake_anim_use_all_actions=False, bake_anim_use_nla_strips=False)
    write_as_text(tmp_path / "binary.fbx", tmp_path / "text.fbx")
    assert b"Kaydara" not in (tmp_path / "text.fbx").read_bytes()
    if bpy.app.version < (4, 5, 0):
        with pytest.raises(RuntimeError, match=r"text\.fbx: Blender reads only binary FBX 7\.1 or later, text found"):
            bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "text.fbx"), body=False)
        return
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "text.fbx"), body=False)
    assert scene_rate() == 30.0
    assert tuple(bpy.context.object.animation_data.action.frame_range) == (1.0, 40.0)
    assert max_joint_error(bpy.context.object, motion) < MILLIMETRE


def test_layers_of_a_take_are_takes_of_their_own_and_told(tmp_path: Path) -> None:
    """As no exporter of Blender writes layers, a name in its file is changed to have two layers of one take."""
    dancer = add_dancer(still_motion(frames=30))
    dancer.animation_data.action.name, dancer.animation_data.action.use_fake_user = "Take1|BaseLayer", True
    dancers.animate_dancer(bpy.context, dancer, travelling_motion(frames=30), "Take1|SwayLayer", 1)
    export_fbx(tmp_path / "layers.fbx", bake_anim_use_all_actions=True, bake_anim_use_nla_strips=False)
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "layers.fbx"), body=False)
    assert {"Take1, layer BaseLayer", "Take1, layer SwayLayer"} <= set(take_names())
    assert bpy.context.object.animation_data.action.name == "Take1, layer SwayLayer"
    layers = [text for text in warnings() if text.startswith("layers.fbx: animation layers ")]
    assert len(layers) == 1
    assert '"BaseLayer"' in layers[0]
    assert "merge them in the program the file comes from" in layers[0]


@gltf
@pytest.mark.parametrize("stray", [1e9, 1e30, float("nan"), float("inf")])
def test_a_keyframe_at_no_time_that_blender_has_is_refused(tmp_path: Path, stray: float) -> None:
    motion = travelling_motion(frames=40)
    times = np.arange(40, dtype=np.float32) / np.float32(30.0)
    write_glb(tmp_path / "stray.glb", {"dance": [(motion, times.astype(float))]})
    content, damaged = (tmp_path / "stray.glb").read_bytes(), np.append(times[:-1], np.float32(stray))
    assert times.tobytes() in content
    (tmp_path / "stray.glb").write_bytes(content.replace(times.tobytes(), damaged.tobytes()))
    before = set(bpy.data.objects)
    with pytest.raises(RuntimeError, match=r"stray\.glb: "):
        bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "stray.glb"), body=False)
    assert set(bpy.data.objects) == before
