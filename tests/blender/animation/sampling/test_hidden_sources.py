"""Dancers that Blender leaves out of the depsgraph are sampled as they would show, and the scene stays as it is."""

from collections.abc import Callable
from typing import Any

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import dancers
from bl_ext.user_default.pas_de_deux.animation.sampling import evaluation
from motions import joint_positions

from rigs import Array
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON

FRAMES = range(1, 61)
LOOKED_AT = (1, 14, 37, 60)
MILLIMETRE = 1e-3


def hide_viewport(dancer: bpy.types.Object, *_: Any) -> None:
    for obj in bpy.data.collections["stage"].objects:
        obj.hide_viewport = True


def hide_alone(dancer: bpy.types.Object) -> None:
    dancer.hide_viewport = True


def exclude(dancer: bpy.types.Object) -> None:
    bpy.context.view_layer.layer_collection.children["stage"].exclude = True


def hide_collection(dancer: bpy.types.Object) -> None:
    bpy.data.collections["stage"].hide_viewport = True


def hide_layer_collection(dancer: bpy.types.Object) -> None:
    bpy.context.view_layer.layer_collection.children["stage"].hide_viewport = True


def hide_by_eye(dancer: bpy.types.Object) -> None:
    for obj in bpy.data.collections["stage"].objects:
        obj.hide_set(True)


def other_view_layer(dancer: bpy.types.Object) -> None:
    layer = bpy.context.scene.view_layers.new("other")
    layer.layer_collection.children["stage"].exclude = True
    bpy.context.window.view_layer = layer


HIDING = [
    hide_viewport,
    hide_alone,
    exclude,
    hide_collection,
    hide_layer_collection,
    hide_by_eye,
    other_view_layer,
]


def parent(dancer: bpy.types.Object) -> None:
    dancer.parent = turntable()


def bone_parent(dancer: bpy.types.Object) -> None:
    dancer.parent, dancer.parent_type, dancer.parent_bone = lift(), "BONE", "lift"


def object_constraint(dancer: bpy.types.Object) -> None:
    dancer.constraints.new("CHILD_OF").target = turntable()


def bone_constraint(dancer: bpy.types.Object) -> None:
    dancer.pose.bones["spine2"].constraints.new("COPY_ROTATION").target = turntable()


def driver(dancer: bpy.types.Object) -> None:
    dancer.driver_add("location", 0).driver.expression = "frame * 0.05"


def driver_by_object(dancer: bpy.types.Object) -> None:
    by = dancer.driver_add("location", 2).driver
    variable = by.variables.new()
    variable.type, variable.targets[0].id = "TRANSFORMS", turntable()
    variable.targets[0].transform_type = "LOC_X"
    by.expression = variable.name


def strips(dancer: bpy.types.Object) -> None:
    animation = dancer.animation_data
    action, slot = animation.action, getattr(animation, "action_slot", None)
    strip = animation.nla_tracks.new().strips.new("dance", 11, action)
    if slot is not None:
        strip.action_slot = slot
    animation.action = None


MOVING = [parent, bone_parent, object_constraint, bone_constraint, driver, driver_by_object, strips]


def turntable() -> bpy.types.Object:
    empty = bpy.data.objects.new("turntable", None)
    bpy.data.collections["stage"].objects.link(empty)
    for frame, turn in ((1, 0.2), (60, 2.0)):
        empty.location, empty.rotation_euler = (turn, 0.5, 0.1), (0.0, 0.1 * turn, turn)
        empty.keyframe_insert("location", frame=frame)
        empty.keyframe_insert("rotation_euler", frame=frame)
    return empty


def lift() -> bpy.types.Object:
    rig = bpy.data.objects.new("lift", bpy.data.armatures.new("lift"))
    bpy.data.collections["stage"].objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    bone = rig.data.edit_bones.new("lift")
    bone.tail = (0.0, 1.0, 0.0)
    bpy.ops.object.mode_set(mode="OBJECT")
    for frame, height in ((1, 0.0), (60, 1.5)):
        rig.pose.bones["lift"].location = (0.0, 0.0, height)
        rig.pose.bones["lift"].keyframe_insert("location", frame=frame)
    return rig


@pytest.fixture
def dancer() -> bpy.types.Object:
    """A dancer in a collection of its own, keyed over `FRAMES`."""
    scene = bpy.context.scene
    scene.render.fps = 30
    stage = bpy.data.collections.new("stage")
    scene.collection.children.link(stage)
    dancer = dancers.add_dancer(bpy.context, "dancer", DEFAULT_SKELETON, partner=False, body=False)
    dancers.animate_dancer(bpy.context, dancer, sample_dance()[: len(FRAMES)], "dance", FRAMES.start)
    scene.collection.objects.unlink(dancer)
    stage.objects.link(dancer)
    bpy.context.view_layer.update()
    return dancer


def shown_positions(dancer: bpy.types.Object) -> Array:
    """The joints (F, 29, 3) that Blender shows in the frames looked at."""
    shown = np.array([joint_positions(dancer, frame) for frame in LOOKED_AT])
    bpy.context.scene.frame_set(9)
    return shown


def sampled_positions(dancer: bpy.types.Object) -> Array:
    motion = dancers.sample_dancers(bpy.context, [dancer], FRAMES).motions[0]
    return motion.positions[[frame - FRAMES.start for frame in LOOKED_AT]]


def retargeted_positions(dancer: bpy.types.Object) -> Array:
    """The joints of a dancer to which a visible one was retargeted."""
    target = dancers.add_dancer(bpy.context, "reference", DEFAULT_SKELETON, partner=True, body=False)
    assert bpy.ops.pasdedeux.retarget(source=dancer.name, target="reference", contacts=False) == {"FINISHED"}
    return shown_positions(target)


def distance(positions: Array, expected: Array) -> float:
    """The greatest distance between joints in m."""
    return float(np.linalg.norm(positions - expected, axis=-1).max())


@pytest.mark.parametrize("move", MOVING, ids=lambda f: f.__name__)
@pytest.mark.parametrize("hide", HIDING, ids=lambda f: f.__name__)
def test_a_hidden_dancer_is_sampled_as_it_would_show(
    dancer: bpy.types.Object, hide: Callable[[bpy.types.Object], None], move: Callable[[bpy.types.Object], None]
) -> None:
    move(dancer)
    bpy.context.view_layer.update()
    shown = shown_positions(dancer)
    hide(dancer)
    bpy.context.view_layer.update()
    assert distance(sampled_positions(dancer), shown) < 0.1 * MILLIMETRE


def test_sampling_a_hidden_dancer_leaves_the_scene_as_it_was(
    dancer: bpy.types.Object, scene_state: Callable[[], dict[str, Any]]
) -> None:
    parent(dancer)
    other = dancers.add_dancer(bpy.context, "other", DEFAULT_SKELETON, partner=True, body=False)
    dancers.select_only(bpy.context, other)
    exclude(dancer)
    bpy.context.scene.frame_set(17, subframe=0.5)
    before = scene_state()
    sampled_positions(dancer)
    assert scene_state() == before
    assert bpy.context.scene.frame_subframe == 0.5
    assert bpy.context.view_layer.layer_collection.children["stage"].exclude
    assert not dancer.visible_get()


def test_an_error_while_a_hidden_dancer_is_evaluated_leaves_the_scene_as_it_was(
    dancer: bpy.types.Object, scene_state: Callable[[], dict[str, Any]]
) -> None:
    hide_viewport(dancer)
    before = scene_state()

    def fail() -> None:
        with evaluation.evaluate_hidden(bpy.context, [dancer]):
            assert "Pas de Deux evaluation" in bpy.data.objects
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert scene_state() == before


def test_a_hidden_leader_on_a_moving_platform_has_a_partner_that_goes_along(dancer: bpy.types.Object) -> None:
    parent(dancer)
    bpy.context.view_layer.update()
    settings = bpy.context.scene.pas_de_deux
    settings.model, settings.formation, settings.leader = "mirror", "facing", dancer
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    shown = shown_positions(settings.partner)
    bpy.data.objects.remove(settings.partner)
    for hide in (hide_viewport, exclude):
        hide(dancer)
        assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
        assert distance(shown_positions(settings.partner), shown) < 0.1 * MILLIMETRE
        bpy.data.objects.remove(settings.partner)


def test_a_camera_follows_a_hidden_dancer_as_one_that_shows(dancer: bpy.types.Object) -> None:
    parent(dancer)
    bpy.context.view_layer.update()
    bpy.context.scene.pas_de_deux.leader = dancer
    paths = []
    for hide in (lambda _: None, hide_viewport, exclude):
        hide(dancer)
        assert bpy.ops.pasdedeux.add_follow_camera() == {"FINISHED"}
        camera = bpy.context.scene.camera
        places = []
        for frame in LOOKED_AT:
            bpy.context.scene.frame_set(frame)
            places.append(tuple(camera.matrix_world.translation))
        paths.append(np.array(places))
        bpy.data.objects.remove(camera)
    assert np.ptp(paths[0], axis=0).max() > 0.3
    assert np.abs(np.array(paths[1:]) - paths[0]).max() < MILLIMETRE


def test_a_hidden_source_without_keys_of_its_own_is_retargeted_as_it_is_moved(dancer: bpy.types.Object) -> None:
    expected = retargeted_positions(dancer)
    puppet = dancers.add_dancer(bpy.context, "puppet", DEFAULT_SKELETON, partner=False, body=False)
    for bone in puppet.pose.bones:
        constraint = bone.constraints.new("COPY_TRANSFORMS")
        constraint.target, constraint.subtarget = dancer, bone.name
    target = dancers.add_dancer(bpy.context, "target", DEFAULT_SKELETON, partner=True, body=False)
    for obj in (puppet, dancer):
        obj.hide_viewport = True
    assert bpy.ops.pasdedeux.retarget(source="puppet", target="target", contacts=False) == {"FINISHED"}
    assert distance(shown_positions(target), expected) < MILLIMETRE


def test_a_hidden_target_on_a_moved_parent_dances_where_the_source_does(dancer: bpy.types.Object) -> None:
    expected = retargeted_positions(dancer)
    target = dancers.add_dancer(bpy.context, "target", DEFAULT_SKELETON, partner=True, body=False)
    above = bpy.data.objects.new("above", None)
    bpy.context.scene.collection.objects.link(above)
    target.parent, target.hide_viewport = above, True
    bpy.context.view_layer.update()
    above.location, above.rotation_euler = (2.0, -1.0, 0.5), (0.0, 0.0, 0.8)
    assert bpy.ops.pasdedeux.retarget(source="dancer", target="target", contacts=False) == {"FINISHED"}
    target.hide_viewport = False
    assert distance(shown_positions(target), expected) < MILLIMETRE


def test_a_dancer_in_rest_position_is_read_in_its_pose_with_a_warning(dancer: bpy.types.Object) -> None:
    shown = shown_positions(dancer)
    dancer.data.pose_position = "REST"
    sampled = dancers.sample_dancers(bpy.context, [dancer], FRAMES)
    positions = sampled.motions[0].positions[[frame - FRAMES.start for frame in LOOKED_AT]]
    assert distance(positions, shown) < 0.1 * MILLIMETRE
    assert dancer.data.pose_position == "REST"
    assert sampled.warnings == ("dancer is shown in Rest Position: its pose was read all the same",)


def test_a_constrained_leader_in_edit_mode_is_refused_before_the_work(dancer: bpy.types.Object) -> None:
    bone_constraint(dancer)
    bpy.context.scene.pas_de_deux.model = "mirror"
    bpy.context.scene.pas_de_deux.leader = dancer
    dancers.select_only(bpy.context, dancer)
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(RuntimeError, match="dancer is in Edit Mode, which shows its rest pose alone: leave Edit Mode"):
        bpy.ops.pasdedeux.generate_partner()
    assert bpy.context.mode == "EDIT_ARMATURE"


def test_a_leader_in_edit_mode_that_its_keys_move_is_read(dancer: bpy.types.Object) -> None:
    shown = shown_positions(dancer)
    dancers.select_only(bpy.context, dancer)
    bpy.ops.object.mode_set(mode="EDIT")
    assert distance(sampled_positions(dancer), shown) < 0.1 * MILLIMETRE


@pytest.mark.parametrize(
    ("hold", "reason"),
    [
        ("mute", "its action dance has moving keys: its F-curves are muted"),
        ("constrain", "its action dance has moving keys: see which constraints, drivers or NLA strips hold it"),
        ("solo", "its action dance has moving keys: a solo NLA track plays alone"),
    ],
)
def test_a_dancer_that_something_holds_still_is_said_to_stand_still(
    dancer: bpy.types.Object, hold: str, reason: str
) -> None:
    from bl_ext.user_default.pas_de_deux.animation.keys import fcurves

    if hold == "mute":
        for curve in fcurves.action_fcurves(dancer):
            curve.mute = True
    elif hold == "constrain":
        statue = dancers.add_dancer(bpy.context, "statue", DEFAULT_SKELETON, partner=False, body=False)
        for bone in dancer.pose.bones:
            constraint = bone.constraints.new("COPY_TRANSFORMS")
            constraint.target, constraint.subtarget = statue, bone.name
    else:
        pose = bpy.data.actions.new("pose")
        strip = dancer.animation_data.nla_tracks.new().strips.new("pose", 1, pose)
        strip.id_data.animation_data.nla_tracks[0].is_solo = True
    bpy.context.view_layer.update()
    assert dancers.sample_dancers(bpy.context, [dancer], FRAMES).warnings == (
        f"dancer stands still in frames 1 to 60, although {reason}",
    )


def test_a_dancer_who_truly_stands_still_is_no_warning(dancer: bpy.types.Object) -> None:
    dancer.animation_data_clear()
    for bone in dancer.pose.bones:
        bone.rotation_quaternion, bone.location = (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
        for frame in (1, 60):
            bone.keyframe_insert("rotation_quaternion", frame=frame)
    assert dancers.sample_dancers(bpy.context, [dancer], FRAMES).warnings == ()


def test_a_dancer_without_animation_is_said_to_stand_still(dancer: bpy.types.Object) -> None:
    dancer.animation_data_clear()
    assert dancers.sample_dancers(bpy.context, [dancer], FRAMES).warnings == (
        "dancer has no animation and stands still in frames 1 to 60",
    )


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("SCRIPTED", "is a script, and scripts are not allowed to run here"),  # as `bpy` starts by default
        ("AVERAGE", "does not work, so that its pose may not be as meant"),
    ],
)
def test_a_driver_that_does_not_work_is_named(dancer: bpy.types.Object, kind: str, reason: str) -> None:
    broken = dancer.pose.bones["spine1"].driver_add("location", 0).driver
    broken.type = kind
    if kind == "SCRIPTED":
        broken.expression = "(lambda: frame)()"
    else:
        broken.variables.new().targets[0].data_path = "location.x"
    bpy.context.view_layer.update()
    assert dancers.sample_dancers(bpy.context, [dancer], FRAMES).warnings == (
        f'dancer: the driver of pose.bones["spine1"].location {reason}',
    )


def test_a_strip_that_is_tweaked_has_the_frames_at_which_it_plays(dancer: bpy.types.Object) -> None:
    strips(dancer)
    strip = dancer.animation_data.nla_tracks[0].strips[0]
    strip.frame_end, strip.frame_start = 1_060.0, 1_001.0
    strip.frame_end = 1_060.0
    strip.select = dancer.animation_data.nla_tracks[0].select = True
    shown = dancers.frames_of(bpy.context.scene, dancer)
    dancer.animation_data.use_tweak_mode = True
    assert dancer.animation_data.use_tweak_mode
    assert dancers.frames_of(bpy.context.scene, dancer) == shown
    assert shown.start == 1_001


def test_a_leader_none_of_whose_slots_is_assigned_is_refused(dancer: bpy.types.Object) -> None:
    if not hasattr(dancer.animation_data, "action_slot"):
        pytest.skip("actions have no slots before Blender 4.4")
    dancer.animation_data.action_slot = None
    bpy.context.scene.pas_de_deux.model = "mirror"
    bpy.context.scene.pas_de_deux.leader = dancer
    with pytest.raises(RuntimeError, match="dancer: no slot of its action dance is assigned, so that it plays nothing"):
        bpy.ops.pasdedeux.generate_partner()
