"""Retargeting leader and partner onto two rigs in one click: who takes whose motion, held hands, and errors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import dancers
from bl_ext.user_default.pas_de_deux.operators.retarget import PASDEDEUX_OT_retarget

from rigs import Array, files
from rigs.sample_dance.salsa import sample_dance
from tests.blender.modal_run import ModalRun
from tests.rig_builders import CHARACTERS, build

FRAMES = range(1, 2000, 9)
SIZES = (0.8, 1.2)


def bone_path(rig: bpy.types.Object, bone: str, end: str) -> Array:
    """A bone's head or tail in the scene over `FRAMES`: (F, 3)."""
    path = []
    for frame in FRAMES:
        bpy.context.scene.frame_set(frame)
        evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
        path.append(evaluated.matrix_world @ getattr(evaluated.pose.bones[bone], end))
    return np.array(path)


def hand_distance(leader: bpy.types.Object, partner: bpy.types.Object, character: str | None = None) -> Array:
    """The distance of the leader's left hand from the partner's right one over `FRAMES`."""
    hands = [("left_wrist", "head"), ("right_wrist", "head")]
    if character:
        hands = [CHARACTERS[character].places[joint] for joint, _ in hands]
    paths = [bone_path(rig, *hand) for rig, hand in zip((leader, partner), hands, strict=True)]
    return np.asarray(np.linalg.norm(paths[0] - paths[1], axis=-1))


@pytest.fixture
def rigs(corpus: Path) -> list[bpy.types.Object]:
    """A small and a tall character."""
    targets = []
    for size in SIZES:
        target = build("UE-style", corpus)
        target.scale = (size,) * 3
        targets.append(target)
    return targets


def select(*objects: bpy.types.Object) -> None:
    """Select objects, the last one active."""
    bpy.ops.object.select_all(action="DESELECT")
    for obj in objects:
        obj.select_set(True)
        bpy.context.view_layer.objects.active = obj


def test_one_click_brings_both_onto_the_selected_rigs_with_hands_held(
    corpus: Path, rigs: list[bpy.types.Object]
) -> None:
    names = [str(corpus / "salsa" / f"salsa_07_{role}.bvh") for role in ("leader", "follower")]
    bpy.ops.pasdedeux.import_duet(filepath=names[0], partner_filepath=names[1], body=False)
    settings = bpy.context.scene.pas_de_deux
    small, tall = rigs
    select(tall, small)
    assert bpy.ops.pasdedeux.retarget_pair() == {"FINISHED"}
    theirs = hand_distance(settings.leader, settings.partner)
    ours = hand_distance(small, tall, "UE-style")
    held = theirs < 0.15
    assert held.sum() > 20
    assert np.abs(ours - theirs)[held].max() < 0.02


@pytest.fixture
def duet(tmp_path: Path) -> None:
    """A short duet of leader and partner."""
    dance = sample_dance()[:60]
    files.write(tmp_path / "a.bvh", dance)
    files.write(tmp_path / "b.bvh", sample_dance()[60:120])
    bpy.ops.pasdedeux.import_duet(
        filepath=str(tmp_path / "a.bvh"), partner_filepath=str(tmp_path / "b.bvh"), body=False
    )


@pytest.mark.parametrize("how", ["named", "panel", "panel and selected"])
def test_rigs_can_be_chosen(duet: None, rigs: list[bpy.types.Object], how: str) -> None:
    first, second = rigs
    chosen = bpy.context.scene.pas_de_deux.retargeting
    if how == "named":
        bpy.ops.pasdedeux.retarget_pair(leader_target=first.name, partner_target=second.name)
    else:
        chosen.target = first
        if how == "panel":
            chosen.partner_target = second
        else:
            select(second)
        bpy.ops.pasdedeux.retarget_pair()
    settings = bpy.context.scene.pas_de_deux
    for rig, dancer in ((first, settings.leader), (second, settings.partner)):
        head, hips = CHARACTERS["UE-style"].places["pelvis"], ("pelvis", "head")
        travel = [np.diff(path[:6], axis=0) for path in (bone_path(rig, *head), bone_path(dancer, *hips))]
        assert np.corrcoef(travel[0].ravel(), travel[1].ravel())[0, 1] > 0.9


def test_leader_partner_and_selection_stay(duet: None, rigs: list[bpy.types.Object]) -> None:
    settings = bpy.context.scene.pas_de_deux
    before = settings.leader, settings.partner
    select(*rigs)
    frame = bpy.context.scene.frame_current
    bpy.ops.pasdedeux.retarget_pair()
    assert (settings.leader, settings.partner) == before
    assert (bpy.context.object, set(bpy.context.selected_objects)) == (rigs[1], set(rigs))
    assert bpy.context.scene.frame_current == frame


def test_one_undo_takes_both_back(
    duet: None, rigs: list[bpy.types.Object], scene_state: Callable[[], dict[str, Any]]
) -> None:
    select(*rigs)
    bpy.ops.ed.undo_push(message="before")
    before = scene_state()
    bpy.ops.pasdedeux.retarget_pair("EXEC_DEFAULT", True)
    assert scene_state() != before
    bpy.ops.ed.undo()
    assert scene_state() == before


def nameless(rig: bpy.types.Object) -> bpy.types.Object:
    """A rig whose bones' names say nothing any more."""
    for n, bone in enumerate(rig.data.bones):
        bone.name = f"bone {n:03}"
    return rig


def test_doubtful_bones_of_both_rigs_are_asked_about(duet: None, rigs: list[bpy.types.Object]) -> None:
    settings = bpy.context.scene.pas_de_deux
    first, second = (nameless(rig) for rig in rigs)
    run = ModalRun(
        PASDEDEUX_OT_retarget,
        source=settings.leader.name,
        target=first.name,
        partner_source=settings.partner.name,
        partner_target=second.name,
    )
    question = run.question(bpy.context)
    for rig in (first, second):
        assert f"Bones of {rig.name} that may be wrong:" in question


def test_a_script_is_warned_of_doubtful_bones_of_both_rigs(
    duet: None, rigs: list[bpy.types.Object], capfd: pytest.CaptureFixture[str]
) -> None:
    first, second = (nameless(rig) for rig in rigs)
    assert bpy.ops.pasdedeux.retarget_pair(leader_target=first.name, partner_target=second.name) == {"FINISHED"}
    out = capfd.readouterr().out
    for rig in (first, second):
        assert f"Warning: {rig.name}: " in out
        assert rig.animation_data.action


def test_what_is_missing_is_one_sentence(
    duet: None, rigs: list[bpy.types.Object], scene_state: Callable[[], dict[str, Any]]
) -> None:
    select(rigs[0])
    before = scene_state()
    with pytest.raises(RuntimeError, match="2 armatures besides leader and partner expected, 1 selected"):
        bpy.ops.pasdedeux.retarget_pair()
    assert scene_state() == before
    bpy.context.scene.pas_de_deux.partner = None
    with pytest.raises(RuntimeError, match="Choose the partner first: press Import Duet or Generate Partner"):
        bpy.ops.pasdedeux.retarget_pair()
    bpy.context.scene.pas_de_deux.leader = None
    dancers.select_only(bpy.context, rigs[0])
    with pytest.raises(RuntimeError, match="Choose the partner first"):
        bpy.ops.pasdedeux.retarget_pair()
