"""A rig with French names: mapped by its words, and refused where a bone map has one bone twice or an arm on a leg."""

from pathlib import Path

import bpy
import numpy as np
import pytest

from rigs import files
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS, PARENTS

SIDED = {
    "hip": "Cuisse", "knee": "Tibia", "ankle": "Pied", "foot": "Orteils",
    "collar": "Clavicule", "shoulder": "Bras", "elbow": "AvantBras", "wrist": "Main",
}  # fmt: skip
FRENCH = {"pelvis": "Bassin", "spine1": "Colonne1", "spine2": "Colonne2", "spine3": "Poitrine", "neck": "Cou"}
FRENCH |= {"jaw": "Tete"}
FRENCH |= {f"left_{joint}": f"{word}_G" for joint, word in SIDED.items()}
FRENCH |= {f"right_{joint}": f"{word}_D" for joint, word in SIDED.items()}


@pytest.fixture
def source(tmp_path: Path) -> bpy.types.Object:
    """Two seconds of the sample dance on a dancer of our own."""
    files.write(tmp_path / "dance.npz", sample_dance()[:60])
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "dance.npz"), body=False)
    return bpy.context.object


@pytest.fixture
def target() -> bpy.types.Object:
    """A rig of our proportions with French names, active."""
    heads = DEFAULT_SKELETON.rest_positions()
    rig = bpy.data.objects.new("Danseuse", bpy.data.armatures.new("Danseuse"))
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for j, joint in enumerate(JOINTS):
        if joint in FRENCH:
            bone = rig.data.edit_bones.new(FRENCH[joint])
            child = next((c for c, parent in enumerate(PARENTS) if parent == j and JOINTS[c] in FRENCH), -1)
            bone.head = heads[j].tolist()
            bone.tail = (heads[child] if child >= 0 else heads[j] + np.array([0.0, 0.0, 0.1])).tolist()
            if PARENTS[j] >= 0:
                bone.parent = rig.data.edit_bones[FRENCH[JOINTS[PARENTS[j]]]]
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig


def test_french_words_are_mapped_and_retargeted(source: bpy.types.Object, target: bpy.types.Object) -> None:
    assert bpy.ops.pasdedeux.map_bones() == {"FINISHED"}
    chosen = {row.name: row.bone for row in target.data.pas_de_deux.joints if row.bone and "end site" not in row.bone}
    assert {joint: chosen.get(joint) for joint in FRENCH} == FRENCH
    assert bpy.ops.pasdedeux.retarget(source=source.name, target=target.name, contacts=False) == {"FINISHED"}
    for frame in (1, 30, 60):
        bpy.context.scene.frame_set(frame)
        pose = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        wanted = source.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        for upper, lower in (("left_shoulder", "left_elbow"), ("right_hip", "right_knee"), ("pelvis", "neck")):
            ours = (pose[FRENCH[lower]].head - pose[FRENCH[upper]].head).normalized()
            theirs = (wanted[lower].head - wanted[upper].head).normalized()
            assert np.degrees(ours.angle(theirs)) < (5.0 if upper == "pelvis" else 0.3)


@pytest.mark.parametrize(
    ("joint", "bone", "sentence"),
    [
        ("right_hip", "Bassin", "Bassin is the Pelvis and the Right Hip at once"),
        ("left_shoulder", "Tibia_G", "Tibia_G is the Left Knee and the Left Shoulder at once"),
        ("left_shoulder", "Orteils_G", "Orteils_G is the"),
    ],
    ids=["pelvis twice", "shoulder on the knee", "shoulder on the foot"],
)
@pytest.mark.parametrize("operator", ["retarget", "retarget_batch"])
def test_a_map_that_no_body_has_is_refused_and_changes_nothing(
    source: bpy.types.Object,
    target: bpy.types.Object,
    tmp_path: Path,
    operator: str,
    joint: str,
    bone: str,
    sentence: str,
) -> None:
    batch = {"directory": str(tmp_path), "files": [{"name": "dance.npz"}]}
    options = {"source": source.name} if operator == "retarget" else batch
    bpy.ops.pasdedeux.map_bones()
    target.data.pas_de_deux.joints[INDEX[joint]].bone = bone
    try:
        with pytest.raises(RuntimeError, match=sentence):
            getattr(bpy.ops.pasdedeux, operator)(target=target.name, **options)
        assert target.animation_data is None
    finally:
        bpy.context.view_layer.objects.active = target
        bpy.ops.pasdedeux.map_bones(forget=True)
