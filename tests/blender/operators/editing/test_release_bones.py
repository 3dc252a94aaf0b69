"""Warnings of bones that do not follow generated, shown and baked keys, and Release Bones."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from motions import joint_positions

from rigs.skeleton import JOINTS
from tests.rig_builders import build

ELBOW = "left_elbow"


def warnings(operator: str) -> list[str]:
    return [notice.text for notice in bpy.context.scene.pas_de_deux.notices if notice.operator == operator]


def elbow_bend(dancer: bpy.types.Object, frame: int = 60) -> float:
    """The angle between upper arm and forearm in degrees."""
    places = joint_positions(dancer, frame)
    shoulder, elbow, wrist = (places[JOINTS.index(f"left_{joint}")] for joint in ("shoulder", "elbow", "wrist"))
    upper, lower = elbow - shoulder, wrist - elbow
    return float(np.degrees(np.arccos(upper @ lower / np.linalg.norm(upper) / np.linalg.norm(lower))))


@pytest.fixture
def partner(dancing_leader: bpy.types.Object) -> bpy.types.Object:
    """A partner who mirrors the leader."""
    bpy.context.scene.pas_de_deux.model = "mirror"
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    assert warnings("pasdedeux.generate_partner") == []
    return bpy.context.scene.pas_de_deux.partner


def hold_elbow(dancer: bpy.types.Object) -> bpy.types.Constraint:
    """Keep the dancer's left elbow bent by a constraint."""
    constraint = dancer.pose.bones[ELBOW].constraints.new("LIMIT_ROTATION")
    constraint.owner_space, constraint.use_limit_x, constraint.use_limit_z = "LOCAL", True, True
    constraint.min_x = constraint.max_x = constraint.min_z = constraint.max_z = 1.0
    return constraint


def run(operator: str, dancer: bpy.types.Object) -> None:
    """Write the dancer's keys, or show them, by an operator."""
    bpy.context.view_layer.objects.active = dancer
    assert getattr(bpy.ops.pasdedeux, operator)() == {"FINISHED"}


@pytest.mark.parametrize("operator", ["generate_partner", "take_show"])
def test_a_partner_whose_elbow_is_held_is_told_and_released(partner: bpy.types.Object, operator: str) -> None:
    free = elbow_bend(partner)
    constraint = hold_elbow(partner)
    assert abs(elbow_bend(partner) - free) > 10.0
    run(operator, partner)
    (warning,) = warnings(f"pasdedeux.{operator}")
    assert f"{partner.name} does not follow its keys: {ELBOW} off by" in warning
    assert f"held by constraint {constraint.name} of {ELBOW}; Release Bones" in warning
    assert bpy.ops.pasdedeux.release_bones() == {"FINISHED"}
    assert constraint.mute
    assert abs(elbow_bend(partner) - free) < 0.1
    run(operator, partner)
    assert warnings(f"pasdedeux.{operator}") == []


@pytest.mark.parametrize("name", ["Rigify", "Mixamo", "UE-style"])
def test_a_partner_s_own_rig_that_nothing_holds_is_not_warned_of(
    dancing_leader: bpy.types.Object, corpus: Path, name: str
) -> None:
    settings = bpy.context.scene.pas_de_deux
    rig = build(name, corpus)
    for bone in list(rig.pose.bones)[:3]:
        bone.location = (0.05, 0.0, 0.1)
    settings.partner, settings.model = rig, "mirror"
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    assert warnings("pasdedeux.generate_partner") == []
    run("take_show", rig)
    assert warnings("pasdedeux.take_show") == []


def test_baked_edits_are_checked(partner: bpy.types.Object) -> None:
    partner.data.pose_position = "REST"
    run("bake_edits", partner)
    partner.data.pose_position = "POSE"
    assert bpy.context.scene.pas_de_deux.partner == partner
    run("take_show", partner)
    hold_elbow(partner)
    run("bake_edits", partner)
    # What was baked is what is shown, so the constraint that bent the elbow changes nothing of it.
    assert warnings("pasdedeux.bake_edits") == []


def test_limbs_that_the_animator_moves_by_ik_are_no_fault(partner: bpy.types.Object) -> None:
    bpy.context.view_layer.objects.active = partner
    assert bpy.ops.pasdedeux.add_controls() == {"FINISHED"}
    hand = partner.pose.bones["left_hand_ik"]
    hand["IK"] = 1.0
    hand.location[2] += 0.3
    bpy.context.scene.frame_set(60)
    run("take_show", partner)
    assert warnings("pasdedeux.take_show") == []


def test_bones_of_a_correction_layer_are_no_fault(partner: bpy.types.Object) -> None:
    bpy.context.view_layer.objects.active = partner
    assert bpy.ops.pasdedeux.add_correction_layer() == {"FINISHED"}
    bone = partner.pose.bones[ELBOW]
    bone.rotation_quaternion = (0.8, 0.0, 0.0, 0.6)
    bone.keyframe_insert("rotation_quaternion", frame=60)
    run("take_show", partner)
    assert warnings("pasdedeux.take_show") == []


def test_nothing_to_release_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="no bones to release"):
        bpy.ops.pasdedeux.release_bones()
