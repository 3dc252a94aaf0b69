"""Scenes of any unit scale and dancers of any object scale: the partner stands beside the leader, at its size."""

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import dancers
from motions import joint_positions

from rigs import Array, files
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, INDEX

FRAME = 60


def height(dancer: bpy.types.Object) -> float:
    """The height of a dancer's rest pose in Blender units."""
    heads = np.array([dancer.matrix_world @ bone.head_local for bone in dancer.data.bones])
    return float(np.ptp(heads[:, 2]))


def mirrored_partner(leader: bpy.types.Object, distance: float = 1.0) -> bpy.types.Object:
    settings = bpy.context.scene.pas_de_deux
    settings.model, settings.formation, settings.distance, settings.leader = "mirror", "facing", distance, leader
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    return settings.partner


def add_leader() -> bpy.types.Object:
    bpy.context.scene.render.fps = 30
    leader = dancers.add_dancer(bpy.context, "leader", DEFAULT_SKELETON, partner=False, body=False)
    dancers.animate_dancer(bpy.context, leader, sample_dance()[:91], "dance", 1)
    return leader


def expected_distance() -> float:
    """How far apart the pelvises are in `FRAME` with no scale anywhere."""
    bpy.ops.wm.read_homefile(use_empty=True)
    leader = add_leader()
    distance = pelvis_distance(leader, mirrored_partner(leader))
    bpy.ops.wm.read_homefile(use_empty=True)
    return distance


def pelvis_distance(leader: bpy.types.Object, partner: bpy.types.Object) -> float:
    pelvis = INDEX["pelvis"]
    return float(np.linalg.norm(joint_positions(leader, FRAME)[pelvis] - joint_positions(partner, FRAME)[pelvis]))


@pytest.mark.parametrize("scale", [0.1, 0.01, 0.001, 10.0])
def test_a_scaled_leader_has_a_partner_of_its_size_beside_it(scale: float) -> None:
    distance = expected_distance()
    leader = add_leader()
    leader.scale = (scale,) * 3
    partner = mirrored_partner(leader)
    assert height(partner) == pytest.approx(height(leader), rel=1e-3)
    assert pelvis_distance(leader, partner) == pytest.approx(scale * distance, rel=1e-3)


@pytest.mark.parametrize("scale", [0.1, 0.01, 0.25])
def test_a_scaled_pair_that_is_retargeted_has_its_hands_as_far_apart_for_its_size(scale: float) -> None:
    sizes = {}
    for factor in (1.0, scale):
        bpy.ops.wm.read_homefile(use_empty=True)
        leader = add_leader()
        leader.scale, leader.location = (factor,) * 3, (3.0 * factor, -factor, 0.0)
        partner = mirrored_partner(leader, 0.7)
        for name in ("first", "second"):
            rig = dancers.add_dancer(bpy.context, name, DEFAULT_SKELETON, partner=True, body=False)
            rig.scale = (factor,) * 3
        bpy.context.view_layer.update()
        assert bpy.ops.pasdedeux.retarget(
            source="leader", target="first", partner_source=partner.name, partner_target="second"
        ) == {"FINISHED"}
        hands = [INDEX["left_wrist"], INDEX["right_wrist"]]
        pair = [joint_positions(bpy.data.objects[name], FRAME) for name in ("first", "second")]
        sizes[factor] = np.linalg.norm(pair[0][hands, None] - pair[1][None, hands], axis=-1) / factor
    assert np.abs(sizes[scale] - sizes[1.0]).max() < 2e-3


def test_a_leader_that_grows_is_said_to() -> None:
    leader = add_leader()
    for frame, scale in ((1, 1.0), (91, 2.0)):
        leader.scale = (scale,) * 3
        leader.keyframe_insert("scale", frame=frame)
    mirrored_partner(leader)
    assert [notice.text for notice in bpy.context.scene.pas_de_deux.notices] == [
        "leader: its scale is animated, and the size in the current frame was taken for all"
    ]


def test_a_parented_and_scaled_leader_has_a_partner_of_its_size_beside_it() -> None:
    distance = expected_distance()
    leader = add_leader()
    empty = bpy.data.objects.new("empty", None)
    bpy.context.scene.collection.objects.link(empty)
    empty.scale, empty.location, empty.rotation_euler = (0.2, 0.2, 0.2), (3.0, 1.0, 0.0), (0.0, 0.0, 0.7)
    leader.parent, leader.scale = empty, (0.5, 0.5, 0.5)
    partner = mirrored_partner(leader)
    assert height(partner) == pytest.approx(height(leader), rel=1e-3)
    assert pelvis_distance(leader, partner) == pytest.approx(0.1 * distance, rel=1e-3)


def test_a_scaled_and_parented_partner_rig_is_animated_in_the_world() -> None:
    leader = add_leader()
    unscaled = joint_positions(mirrored_partner(leader), FRAME)
    rig = bpy.context.scene.pas_de_deux.partner = dancers.add_dancer(
        bpy.context, "small data", DEFAULT_SKELETON, partner=True, body=False, metres=100.0
    )
    empty = bpy.data.objects.new("empty", None)
    bpy.context.scene.collection.objects.link(empty)
    empty.scale, empty.location = (20.0, 20.0, 20.0), (3.0, 1.0, 0.0)
    rig.parent, rig.scale = empty, (5.0, 5.0, 5.0)
    assert np.abs(joint_positions(mirrored_partner(leader), FRAME) - unscaled).max() < 1e-3


def test_in_centimetres_dancers_are_a_hundred_times_as_large(tmp_path: "files.Path") -> None:
    distance = expected_distance()
    files.write(tmp_path / "leader.bvh", sample_dance()[:91])
    expected: Array = files.read(tmp_path / "leader.bvh").motions[0].positions[FRAME - 1]
    bpy.context.scene.unit_settings.scale_length = 0.01
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "leader.bvh"))
    leader = bpy.context.scene.pas_de_deux.leader
    assert tuple(leader.scale) == (1.0, 1.0, 1.0)
    assert np.abs(joint_positions(leader, FRAME) - 100.0 * expected).max() < 0.01
    (body,) = leader.children
    assert max(vertex.co.z for vertex in body.data.vertices) == pytest.approx(171.0, abs=8.0)
    partner = mirrored_partner(leader)
    assert height(partner) == pytest.approx(height(leader), rel=1e-3)
    assert pelvis_distance(leader, partner) == pytest.approx(100.0 * distance, rel=0.01)


def test_a_leader_in_metres_keeps_its_size_in_a_scene_of_centimetres() -> None:
    distance = expected_distance()
    leader = add_leader()
    bpy.context.scene.unit_settings.scale_length = 0.01
    partner = mirrored_partner(leader)
    assert height(partner) == pytest.approx(height(leader), rel=1e-3)
    assert pelvis_distance(leader, partner) == pytest.approx(distance, rel=1e-3)


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        ((1.0, 1.0, 2.0), "leader: it is scaled by 1, 1, 2: give its Scale one positive value for X, Y and Z"),
        ((-1.0, 1.0, 1.0), "leader: it is scaled by -1, 1, 1: give its Scale one positive value"),
    ],
)
def test_an_uneven_scale_is_one_sentence(scale: tuple[float, float, float], message: str) -> None:
    leader = add_leader()
    leader.scale = scale
    with pytest.raises(RuntimeError, match=message):
        mirrored_partner(leader)


def test_an_uneven_scale_of_a_parent_names_the_parent() -> None:
    leader = add_leader()
    empty = bpy.data.objects.new("stage", None)
    bpy.context.scene.collection.objects.link(empty)
    leader.parent, empty.scale = empty, (1.0, 3.0, 1.0)
    with pytest.raises(RuntimeError, match="leader: its parent stage is scaled by 1, 3, 1: give its Scale"):
        mirrored_partner(leader)


def test_the_partner_is_not_taken_for_the_leader_because_it_is_active() -> None:
    leader = add_leader()
    partner = mirrored_partner(leader)
    settings = bpy.context.scene.pas_de_deux
    settings.leader = None
    dancers.select_only(bpy.context, partner)
    with pytest.raises(RuntimeError, match="leader partner is the partner: choose the other dancer as Leader"):
        bpy.ops.pasdedeux.generate_partner()
