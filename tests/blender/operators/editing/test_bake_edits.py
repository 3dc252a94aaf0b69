"""Bake Edits against Blender's evaluation: what was shown is what plays afterwards, in FK and in IK."""

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import armatures, dancers
from bl_ext.user_default.pas_de_deux.animation.control_bones import LIMBS
from bl_ext.user_default.pas_de_deux.animation.keys import frame_ranges, nla
from motions import joint_positions

from rigs import Array
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, JOINTS

FRAMES = range(10, 100)


@pytest.fixture
def dancer() -> bpy.types.Object:
    bpy.context.scene.render.fps = 30
    dancer = armatures.create_armature(bpy.context, "dancer", DEFAULT_SKELETON)
    dancers.animate_dancer(bpy.context, dancer, sample_dance()[:90], "dance", 10)
    dancers.select_only(bpy.context, dancer)
    return dancer


def shown(dancer: bpy.types.Object) -> Array:
    """The joints' evaluated positions (F, 29, 3) m."""
    return np.array([joint_positions(dancer, frame) for frame in FRAMES])


def set_ik(dancer: bpy.types.Object, value: float) -> None:
    for limb in LIMBS:
        dancer.pose.bones[limb.control]["IK"] = value
    dancer.update_tag()
    bpy.context.view_layer.update()


def raise_hand(dancer: bpy.types.Object) -> None:
    """Raise the right hand by its control in a frame and key it."""
    bpy.context.scene.frame_set(40)
    control = dancer.pose.bones["right_hand_ik"]
    control.location = np.array(control.location) + np.array([0.0, 0.05, 0.0])
    control.keyframe_insert("location", frame=40)


@pytest.mark.parametrize("fewer", [False, True])
@pytest.mark.parametrize("layer", [False, True])
def test_hands_moved_in_ik_stay_so_in_fk(dancer: bpy.types.Object, layer: bool, fewer: bool) -> None:
    bpy.context.scene.pas_de_deux.fewer_keys = fewer
    bpy.ops.pasdedeux.add_controls()
    set_ik(dancer, 1.0)
    if layer:
        bpy.ops.pasdedeux.add_correction_layer()
    before = shown(dancer)
    raise_hand(dancer)
    edited = shown(dancer)
    assert np.abs(edited - before)[30, JOINTS.index("right_wrist")].max() > 0.02
    bpy.ops.pasdedeux.bake_edits()
    assert not nla.has_correction_layer(dancer)
    in_ik = shown(dancer)
    set_ik(dancer, 0.0)
    limit = 1.1e-3 if fewer else 2e-4
    assert np.linalg.norm(shown(dancer) - edited, axis=-1).max() < limit
    assert np.linalg.norm(in_ik - edited, axis=-1).max() < 2.0 * limit
    assert frame_ranges.frame_range(dancer) == FRAMES


def test_what_was_there_is_kept(dancer: bpy.types.Object) -> None:
    bpy.ops.pasdedeux.add_correction_layer()
    take, correction = nla.base_action(dancer), dancer.animation_data.action
    bpy.ops.pasdedeux.bake_edits()
    assert dancer.animation_data.action.name == "dance baked"
    assert take.use_fake_user
    assert correction.use_fake_user
    assert take in [entry.action for entry in bpy.context.scene.pas_de_deux.take_list]


def test_a_dancer_without_animation_is_refused(dancer: bpy.types.Object) -> None:
    dancers.select_only(bpy.context, armatures.create_armature(bpy.context, "still", DEFAULT_SKELETON))
    with pytest.raises(RuntimeError, match="still has no animation to bake"):
        bpy.ops.pasdedeux.bake_edits()
