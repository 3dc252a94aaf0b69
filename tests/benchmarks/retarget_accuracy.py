"""Retargeting accuracy of the extension, measured on Blender's evaluated rigs.

Only to be imported after the extension has been installed: `tests.installed`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from rigs import contacts
from rigs.skeleton import JOINTS
from tests.benchmarks import evaluated_bones, retarget_metrics
from tests.benchmarks.quiet_output import quiet
from tests.benchmarks.retarget_metrics import direction_errors
from tests.installed import PACKAGE
from tests.rig_builders import CHARACTERS, build, reset_pose, wrong_bones

Array = np.ndarray

TAKES = {
    "salsa 07 leader": "salsa/salsa_07_leader.bvh",
    "Rokoko dance": "bvh_zoo/AD_rokoko_jesse_dance.bvh",
    "HybrIK dancer 1": "hybrik/test_dataset_ilya_hannah.npy",
}
COUPLE = ("salsa/salsa_07_leader.bvh", "salsa/salsa_07_follower.bvh")
SIZES = (1.2, 0.8)
"""Scale of the leader's and the partner's rig in the hand-hold benchmark."""

MAX_MEAN_ANGLE, MAX_P99_ANGLE = 1.0, 3.0  # degrees
MAX_PENETRATION = 1.0  # cm
MAX_HOLD_ERROR = 2.0  # cm


@dataclass(frozen=True)
class RetargetAccuracy:
    """Accuracy of one take on one rig.

    limbs, foot, hand, trunk: mean and 99th percentile in degrees, without foot contacts; None where the rig has no such
    part.  limbs_with_contacts: with them.  foot_skating, source_foot_skating: cm per planted second, the source's at
    the rig's size.  sole_penetration: cm.
    """

    rig: str
    take: str
    confidence: float
    wrong_bones: tuple[str, ...]
    limbs: tuple[float, float]
    foot: tuple[float, float] | None
    hand: tuple[float, float] | None
    trunk: tuple[float, float] | None
    limbs_with_contacts: tuple[float, float]
    foot_skating: float
    source_foot_skating: float
    sole_penetration: float

    def missed_bounds(self) -> list[str]:
        """The bounds that are missed, one sentence each."""
        (mean, p99), slide, sink = self.limbs, self.foot_skating, self.sole_penetration
        checks = (
            (not self.wrong_bones, f"wrong bones: {'; '.join(self.wrong_bones)}"),
            (mean <= MAX_MEAN_ANGLE, f"limbs {mean:.2f} degrees on average, {MAX_MEAN_ANGLE} at most"),
            (p99 <= MAX_P99_ANGLE, f"limbs {p99:.2f} degrees (99th percentile), {MAX_P99_ANGLE} at most"),
            (slide <= self.source_foot_skating, f"feet slide {slide:.2f} cm/s, {self.source_foot_skating:.2f} at most"),
            (sink <= MAX_PENETRATION, f"soles sink {sink:.2f} cm, {MAX_PENETRATION} at most"),
        )
        return [f"{self.rig}, {self.take}: {sentence}" for within_bound, sentence in checks if not within_bound]


@dataclass(frozen=True)
class HandHoldAccuracy:
    """Hand holds of a couple on rigs of other sizes.

    mean, p99, worst: cm of error in the hands' distance.  frames: the number of frames with a hold.
    """

    rig: str
    frames: int
    mean: float
    p99: float
    worst: float

    def missed_bounds(self) -> list[str]:
        """The bound that is missed, as a sentence."""
        if self.p99 <= MAX_HOLD_ERROR:
            return []
        return [f"{self.rig}: hands are {self.p99:.1f} cm off at the 99th percentile, {MAX_HOLD_ERROR} at most"]


def empty_scene() -> None:
    """Load an empty scene with the extension enabled."""
    import addon_utils

    bpy.ops.wm.read_homefile(use_empty=True)
    if PACKAGE not in bpy.context.preferences.addons:
        addon_utils.enable(PACKAGE, default_set=True)


def import_dancer(path: Path) -> bpy.types.Object:
    """Import the first dancer of a file as our own armature, keyed, without a body."""
    with quiet():
        bpy.ops.pasdedeux.import_mocap(filepath=str(path), body=False)
    return bpy.context.object


def retarget(**options: object) -> None:
    """Run the operator quietly."""
    with quiet():
        bpy.ops.pasdedeux.retarget(**options)


def frames_of(thing: bpy.types.Object) -> range:
    """The frames of an armature's action."""
    first, last = thing.animation_data.action.frame_range
    return range(round(first), round(last) + 1)


def measure_retargeting(rig: bpy.types.Object, name: str, take: str, path: Path, every: int = 3) -> RetargetAccuracy:
    """Retarget a take to a rig of `build` and measure: angles in one frame of `every`, feet in each."""
    source = import_dancer(path)
    frames = frames_of(source)
    fps = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
    character = CHARACTERS[name]
    confidence, chosen = extension_bone_map(rig)
    retarget(source=source.name, target=rig.name, contacts=False)
    bare_source, bare, _ = joint_positions(source, rig, name, frames[::every])
    retarget(source=source.name, target=rig.name, contacts=True)
    whole_source, whole, soles = joint_positions(source, rig, name, frames)
    planted = contacts.foot_contacts(np.stack([whole_source[joint] for joint in JOINTS], axis=1), fps)
    size = retarget_metrics.leg_length(whole) / retarget_metrics.leg_length(whole_source)
    remove_dancers(source, rig)
    return RetargetAccuracy(
        rig=name,
        take=take,
        confidence=confidence,
        wrong_bones=tuple(wrong_bones(character, chosen)),
        limbs=_mean_and_p99(direction_errors(bare_source, bare)) or (180.0, 180.0),
        foot=_mean_and_p99(direction_errors(bare_source, bare, {"foot": retarget_metrics.ENDS["foot"]})),
        hand=_mean_and_p99(direction_errors(bare_source, bare, {"hand": retarget_metrics.ENDS["hand"]})),
        trunk=_mean_and_p99(retarget_metrics.trunk_error(bare_source, bare)),
        limbs_with_contacts=_mean_and_p99(direction_errors(whole_source, whole)) or (180.0, 180.0),
        foot_skating=retarget_metrics.foot_skating(whole, planted, fps),
        source_foot_skating=size * retarget_metrics.foot_skating(whole_source, planted, fps),
        sole_penetration=retarget_metrics.sole_penetration(soles),
    )


def measure_hand_holds(name: str, corpus: Path, every: int = 1) -> HandHoldAccuracy:
    """Retarget the couple to two rigs of one kind and other sizes, and measure their hands."""
    empty_scene()
    sources = [import_dancer(corpus / file) for file in COUPLE]
    targets = []
    for size in SIZES:
        rig = build(name, corpus)
        rig.name = f"{name} {size}"
        rig.scale *= size
        targets.append(rig)
    bpy.context.view_layer.update()
    retarget_pair(sources, targets)
    frames = frames_of(sources[0])[::every]
    fps = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base / every
    found = [joint_positions(source, rig, name, frames) for source, rig in zip(sources, targets, strict=True)]
    errors = retarget_metrics.hold_errors((found[0][0], found[1][0]), (found[0][1], found[1][1]), fps)
    return HandHoldAccuracy(
        name, len(errors), float(errors.mean()), float(np.percentile(errors, 99)), float(errors.max())
    )


def retarget_pair(sources: list[bpy.types.Object], targets: list[bpy.types.Object]) -> None:
    """Retarget two dancers together, so that hand holds are kept."""
    retarget(
        source=sources[0].name, target=targets[0].name, partner_source=sources[1].name, partner_target=targets[1].name
    )


def extension_bone_map(rig: bpy.types.Object) -> tuple[float, dict[str, str | None]]:
    """The confidence of the extension's bone map of a rig, and the bone of each joint."""
    from bl_ext.user_default.pas_de_deux.animation import armatures, rig_motion

    mapping = rig_motion.rig_bone_map(rig)
    names = armatures.read_rig(rig).names
    chosen = {joint: names[bone] if bone >= 0 else None for joint, bone in zip(JOINTS, mapping.bones, strict=True)}
    return mapping.confidence, chosen


def joint_positions(
    source: bpy.types.Object, rig: bpy.types.Object, name: str, frames: range
) -> tuple[Mapping[str, Array], Mapping[str, Array], Array]:
    """Evaluated joint positions of source and rig, and the rig's soles (F, S, 3)."""
    character = CHARACTERS[name]
    ours, theirs = evaluated_bones.joint_points(source, None), evaluated_bones.joint_points(rig, character)
    found = evaluated_bones.evaluate([ours[1], theirs[1], evaluated_bones.sole_points(rig, character)], frames)
    by_joint = [
        {joint: places[:, n] for n, joint in enumerate(names)}
        for names, places in zip((ours[0], theirs[0]), found[:2], strict=True)
    ]
    return by_joint[0], by_joint[1], found[2]


def remove_dancers(source: bpy.types.Object, rig: bpy.types.Object) -> None:
    """Remove the imported dancers and reset the rig's pose."""
    reset_pose(rig)
    names = set(JOINTS)
    for thing in [thing for thing in bpy.data.objects if thing.type == "ARMATURE" and thing != rig]:
        if names <= {bone.name for bone in thing.data.bones}:
            bpy.data.objects.remove(thing)
    for action in list(bpy.data.actions):
        bpy.data.actions.remove(action)
    bpy.context.scene.frame_set(bpy.context.scene.frame_start)


def _mean_and_p99(angles: Array) -> tuple[float, float] | None:
    """Mean and 99th percentile; None if empty."""
    return (float(angles.mean()), float(np.percentile(angles, 99))) if angles.size else None
