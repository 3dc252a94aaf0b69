"""Evaluation of objects that Blender leaves out of the depsgraph: hidden ones, and those in excluded collections.

Their evaluated pose is one frozen frame, without an error. A helper that depends on them, without vertices, has Blender
evaluate them and all that they depend on: parents, constraints' targets, drivers' objects, hidden or not.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import bpy

from ...context_access import active_scene, active_view_layer, armature_data

_HELPER = "Pas de Deux evaluation"


class NotEvaluated(ValueError):
    """An object that Blender does not evaluate as it should be shown; the text is one sentence."""


@contextmanager
def evaluate_hidden(context: bpy.types.Context, armatures: Sequence[bpy.types.Object]) -> Iterator[None]:
    """Have the armatures evaluated for a while, with every change of the frame, though they may be hidden.

    Their visibility, the selection and the scene's objects are the same afterwards. Raises NotEvaluated.
    """
    layer = active_view_layer(context)
    hidden = [armature for armature in armatures if not armature.visible_get(view_layer=layer)]
    if not hidden:
        yield
        return
    scene = active_scene(context)
    if not scene.is_editable:
        raise NotEvaluated(
            f"{hidden[0].name} is hidden, and cannot be evaluated in {scene.name}, which is linked from another file: "
            "show it"
        )
    with ExitStack() as stack:
        for armature in hidden:
            stack.enter_context(_helper(scene, armature))
        layer.update()
        yield


@contextmanager
def _helper(scene: bpy.types.Scene, armature: bpy.types.Object) -> Iterator[None]:
    """An object of the scene that depends on the armature's whole pose and on its transform."""
    mesh = bpy.data.meshes.new(_HELPER)
    helper = bpy.data.objects.new(_HELPER, mesh)
    try:
        modifier = helper.modifiers.new("Armature", "ARMATURE")
        assert isinstance(modifier, bpy.types.ArmatureModifier)
        modifier.object = armature
        # Without envelopes it would depend on the bones of its vertex groups alone.
        modifier.use_bone_envelopes = True
        scene.collection.objects.link(helper)
        yield
    finally:
        bpy.data.objects.remove(helper)
        bpy.data.meshes.remove(mesh)


def update_transforms(context: bpy.types.Context, armatures: Sequence[bpy.types.Object]) -> None:
    """Bring the world matrices of hidden armatures up to date, as Blender does for those that show."""
    with evaluate_hidden(context, armatures):
        pass


@contextmanager
def pose_position(armatures: Sequence[bpy.types.Object]) -> Iterator[list[bpy.types.Object]]:
    """Pose armatures that are shown in Rest Position for a while; yields these."""
    at_rest = [obj for obj in armatures if armature_data(obj).pose_position == "REST"]
    try:
        for obj in at_rest:
            armature_data(obj).pose_position = "POSE"
        yield at_rest
    finally:
        for obj in at_rest:
            armature_data(obj).pose_position = "REST"


def require_pose(armature: bpy.types.Object) -> None:
    """Raise NotEvaluated for an armature in Edit Mode, of which Blender evaluates the rest pose alone."""
    if armature_data(armature).is_editmode:
        raise NotEvaluated(f"{armature.name} is in Edit Mode, which shows its rest pose alone: leave Edit Mode first")
