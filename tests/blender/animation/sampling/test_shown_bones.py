"""Sampled motions of rigs that blend between controls, against the evaluated bones that deform their bodies."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import armatures, dancers
from bl_ext.user_default.pas_de_deux.animation.keys import fcurves
from bl_ext.user_default.pas_de_deux.animation.sampling import shown_bones

from rigs import Array, files
from rigs.motion import Motion
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import INDEX
from tests.rig_builders import CHARACTERS, build

FRAMES = range(1, 60, 6)
LIMB_JOINTS = [
    f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
]


@pytest.fixture
def rigify(tmp_path: Path, corpus: Path) -> bpy.types.Object:
    """Rigify's human, with two seconds of the sample dance beside it on a dancer of our own."""
    files.write(tmp_path / "dance.npz", sample_dance()[:60])
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "dance.npz"), body=False)
    return build("Rigify", corpus)


def retarget(rig: bpy.types.Object, limbs: str) -> None:
    source = next(obj for obj in bpy.data.objects if obj.type == "ARMATURE" and obj != rig)
    assert bpy.ops.pasdedeux.retarget(source=source.name, target=rig.name, limbs=limbs) == {"FINISHED"}


def sample(rig: bpy.types.Object) -> Motion:
    (motion,) = dancers.sample_dancers(bpy.context, [rig], FRAMES).motions
    return motion


def errors(motion: Motion, rig: bpy.types.Object) -> dict[str, float]:
    """The greatest distance in m of each limb joint from the head of the bone that deforms the body there."""
    positions, places = motion.positions, CHARACTERS["Rigify"].places
    found: dict[str, list[Array]] = {joint: [] for joint in LIMB_JOINTS}
    for frame in FRAMES:
        bpy.context.scene.frame_set(frame)
        evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
        for joint in LIMB_JOINTS:
            bone = evaluated.pose.bones[places[joint][0]]
            found[joint].append(np.array(evaluated.matrix_world @ bone.head))
    return {
        joint: float(np.linalg.norm(positions[:, INDEX[joint]] - np.array(path), axis=-1).max())
        for joint, path in found.items()
    }


def switch_arm(rig: bpy.types.Object) -> None:
    """Blend the left arm over a second from its IK controls to its FK controls, which hold another pose."""
    curve = fcurves.fcurves_by_path(rig)['pose.bones["upper_arm_parent.L"]["IK_FK"]', 0]
    for frame in range(1, 61):
        curve.keyframe_points.insert(frame, np.clip((frame - 15.0) / 30.0, 0.0, 1.0))
    rig.pose.bones["upper_arm_fk.L"].rotation_quaternion = (0.9, 0.3, 0.3, 0.1)


def blended_rig(kind: str) -> bpy.types.Object:
    """Bones in one place: "shown" blends "fk" and "ik" by a driver, "half" copies half of "free"."""
    rig = bpy.data.objects.new("blended", bpy.data.armatures.new("blended"))
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for name in ("fk", "ik", "shown", "free", "half"):
        bone = rig.data.edit_bones.new(name)
        bone.head, bone.tail = (0.0, 0.0, 1.0), (0.0, 0.1, 1.5)
    bpy.ops.object.mode_set(mode="OBJECT")
    if kind == "ARMATURE":
        constraint = rig.pose.bones["shown"].constraints.new(kind)
        for name in ("fk", "ik"):
            target = constraint.targets.new()
            target.target, target.subtarget = rig, name
    for owner, name in (("shown", "fk"), ("shown", "ik"), ("half", "free"), ("half", "fk")):
        if kind == "ARMATURE" and owner == "shown":
            continue
        constraint = rig.pose.bones[owner].constraints.new("COPY_ROTATION" if kind == "ARMATURE" else kind)
        constraint.target, constraint.subtarget = rig, name
        constraint.influence = 0.5 if owner == "half" else 1.0
        if name == "ik":
            constraint.driver_add("influence").driver.expression = "0.0"
    bpy.context.view_layer.update()
    return rig


@pytest.mark.parametrize("limbs", ["FK", "IK", "IK to FK"])
def test_limbs_are_sampled_where_the_body_is(rigify: bpy.types.Object, limbs: str) -> None:
    retarget(rigify, "FK" if limbs == "FK" else "IK")
    if limbs == "IK to FK":
        switch_arm(rigify)
    found = errors(sample(rigify), rigify)
    # Rigify's IK stretches bones, which have one length in a motion.
    assert max(found.values()) < (1e-4 if limbs == "FK" else 15e-3), found


@pytest.mark.parametrize("kind", ["COPY_TRANSFORMS", "COPY_ROTATION", "ARMATURE"])
def test_a_bone_that_blends_two_controls_shows_them_and_one_that_copies_half_does_not(kind: str) -> None:
    rig = blended_rig(kind)
    nodes = armatures.read_rig(rig)
    controls = [nodes.index(name) for name in ("fk", "ik", "half", "free", "free end site")]
    shown = [nodes.names[node] for node in shown_bones.shown_bones(rig, nodes, controls)]
    assert shown == ["shown", "shown", "half", "free", "free end site"]
    assert shown_bones.shown_bones(rig, nodes, [-1]) == (-1,)


def test_fk_controls_alone_give_the_same_motion(rigify: bpy.types.Object, monkeypatch: pytest.MonkeyPatch) -> None:
    retarget(rigify, "FK")
    motion = sample(rigify)
    monkeypatch.setattr(dancers.rig_motion, "shown_bones", lambda _obj, _rig, bones: bones)
    by_controls = sample(rigify)
    np.testing.assert_allclose(motion.positions, by_controls.positions, atol=1e-4)
    np.testing.assert_allclose(motion.skeleton.offsets, by_controls.skeleton.offsets, atol=1e-4)
