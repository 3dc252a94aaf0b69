"""How truly the extension carries a dance over to a rig, seen on Blender's evaluated rigs.

Only to be imported after the extension has been installed: `tests.installed`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from rigs import contacts
from rigs.skeleton import JOINTS
from tests.benchmarks import evaluated_bones, measures
from tests.benchmarks.silence import quiet
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
"""Of the leader's and the partner's rig, when hands are to hold although the bodies have changed."""

MEAN_ANGLE, P99_ANGLE = 1.0, 3.0  # degrees
SUNK = 1.0  # cm
HOLD_ERROR = 2.0  # cm


@dataclass(frozen=True)
class Carried:
    """One take on one rig.

    limbs, foot, hand, trunk: mean and 99th percentile in degrees, before contacts are fixed; None where the rig has no
    such part.  with_contacts: the limbs', after.  slide, source_slide: cm a planted second, the source's at the rig's
    size.  sunk: cm.
    """

    rig: str
    take: str
    confidence: float
    wrong: tuple[str, ...]
    limbs: tuple[float, float]
    foot: tuple[float, float] | None
    hand: tuple[float, float] | None
    trunk: tuple[float, float] | None
    with_contacts: tuple[float, float]
    slide: float
    source_slide: float
    sunk: float

    def faults(self) -> list[str]:
        """What misses its bound, one sentence each."""
        checks = (
            (not self.wrong, f"wrong bones: {'; '.join(self.wrong)}"),
            (self.limbs[0] <= MEAN_ANGLE, f"limbs {self.limbs[0]:.2f} degrees on average, {MEAN_ANGLE} at most"),
            (self.limbs[1] <= P99_ANGLE, f"limbs {self.limbs[1]:.2f} degrees (99th percentile), {P99_ANGLE} at most"),
            (self.slide <= self.source_slide, f"feet slide {self.slide:.2f} cm/s, {self.source_slide:.2f} at most"),
            (self.sunk <= SUNK, f"soles sink {self.sunk:.2f} cm, {SUNK} at most"),
        )  # fmt: skip
        return [f"{self.rig}, {self.take}: {what}" for kept, what in checks if not kept]


@dataclass(frozen=True)
class Held:
    """A couple whose rigs have other sizes.

    mean, p99, worst: cm between how near hands are and should be.  frames: in how many they hold.
    """

    rig: str
    frames: int
    mean: float
    p99: float
    worst: float

    def faults(self) -> list[str]:
        if self.p99 <= HOLD_ERROR:
            return []
        return [f"{self.rig}: hands are {self.p99:.1f} cm off at the 99th percentile, {HOLD_ERROR} at most"]


def empty_scene() -> None:
    """Begin with nothing but the enabled extension."""
    import addon_utils

    bpy.ops.wm.read_homefile(use_empty=True)
    if PACKAGE not in bpy.context.preferences.addons:
        addon_utils.enable(PACKAGE, default_set=True)


def dancer(path: Path) -> bpy.types.Object:
    """The first dancer of a file as our own armature, keyed, without a body."""
    with quiet():
        bpy.ops.pasdedeux.import_mocap(filepath=str(path), body=False)
    return bpy.context.object


def retarget(**options: object) -> None:
    """The operator, without what it says."""
    with quiet():
        bpy.ops.pasdedeux.retarget(**options)


def frames_of(thing: bpy.types.Object) -> range:
    first, last = thing.animation_data.action.frame_range
    return range(round(first), round(last) + 1)


def carry(rig: bpy.types.Object, name: str, take: str, path: Path, every: int = 3) -> Carried:
    """Retarget a take to a rig of `build` and measure: angles in one frame of `every`, feet in each."""
    source = dancer(path)
    frames = frames_of(source)
    fps = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
    character = CHARACTERS[name]
    confidence, chosen = mapped(rig)
    retarget(source=source.name, target=rig.name, contacts=False)
    bare_source, bare, _ = places_of(source, rig, name, frames[::every])
    retarget(source=source.name, target=rig.name, contacts=True)
    whole_source, whole, soles = places_of(source, rig, name, frames)
    planted = contacts.foot_contacts(np.stack([whole_source[joint] for joint in JOINTS], axis=1), fps)
    size = measures.leg_length(whole) / measures.leg_length(whole_source)
    discard(source, rig)
    return Carried(
        rig=name,
        take=take,
        confidence=confidence,
        wrong=tuple(wrong_bones(character, chosen)),
        limbs=_spread(measures.turned_away(bare_source, bare)) or (180.0, 180.0),
        foot=_spread(measures.turned_away(bare_source, bare, {"foot": measures.ENDS["foot"]})),
        hand=_spread(measures.turned_away(bare_source, bare, {"hand": measures.ENDS["hand"]})),
        trunk=_spread(measures.trunk(bare_source, bare)),
        with_contacts=_spread(measures.turned_away(whole_source, whole)) or (180.0, 180.0),
        slide=measures.slide(whole, planted, fps),
        source_slide=size * measures.slide(whole_source, planted, fps),
        sunk=measures.sunk(soles),
    )


def hold(name: str, corpus: Path, every: int = 1) -> Held:
    """Retarget the couple to two rigs of one kind and other sizes, and measure their hands."""
    empty_scene()
    sources = [dancer(corpus / file) for file in COUPLE]
    targets = []
    for size in SIZES:
        rig = build(name, corpus)
        rig.name = f"{name} {size}"
        rig.scale *= size
        targets.append(rig)
    bpy.context.view_layer.update()
    couple(sources, targets)
    frames = frames_of(sources[0])[::every]
    fps = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base / every
    found = [places_of(source, rig, name, frames) for source, rig in zip(sources, targets, strict=True)]
    errors = measures.hold_errors((found[0][0], found[1][0]), (found[0][1], found[1][1]), fps)
    return Held(name, len(errors), float(errors.mean()), float(np.percentile(errors, 99)), float(errors.max()))


def couple(sources: list[bpy.types.Object], targets: list[bpy.types.Object]) -> None:
    """Retarget two dancers at once, so that hands which hold go on holding."""
    retarget(
        source=sources[0].name, target=targets[0].name, partner_source=sources[1].name, partner_target=targets[1].name
    )


def mapped(rig: bpy.types.Object) -> tuple[float, dict[str, str | None]]:
    """How sure the extension is of the rig's map, and which bone it chose for each joint."""
    from bl_ext.user_default.pas_de_deux.animation import armatures
    from bl_ext.user_default.pas_de_deux.animation import rig_motion

    mapping = rig_motion.rig_mapping(rig)
    names = armatures.read_rig(rig).names
    chosen = {joint: names[bone] if bone >= 0 else None for joint, bone in zip(JOINTS, mapping.bones, strict=True)}
    return mapping.confidence, chosen


def places_of(
    source: bpy.types.Object, rig: bpy.types.Object, name: str, frames: range
) -> tuple[Mapping[str, Array], Mapping[str, Array], Array]:
    """Where the joints are seen on source and rig, and the rig's soles (F, S, 3)."""
    character = CHARACTERS[name]
    ours, theirs = evaluated_bones.joints(source, None), evaluated_bones.joints(rig, character)
    found = evaluated_bones.watch([ours[1], theirs[1], evaluated_bones.soles(rig, character)], frames)
    by_joint = [
        {joint: places[:, n] for n, joint in enumerate(names)}
        for names, places in zip((ours[0], theirs[0]), found[:2], strict=True)
    ]
    return by_joint[0], by_joint[1], found[2]


def discard(source: bpy.types.Object, rig: bpy.types.Object) -> None:
    """Remove the dancers that came in, and bring the rig back to rest."""
    reset_pose(rig)
    names = set(JOINTS)
    for thing in [thing for thing in bpy.data.objects if thing.type == "ARMATURE" and thing != rig]:
        if names <= {bone.name for bone in thing.data.bones}:
            bpy.data.objects.remove(thing)
    for action in list(bpy.data.actions):
        bpy.data.actions.remove(action)
    bpy.context.scene.frame_set(bpy.context.scene.frame_start)


def _spread(angles: Array) -> tuple[float, float] | None:
    """Mean and 99th percentile; None of nothing."""
    return (float(angles.mean()), float(np.percentile(angles, 99))) if angles.size else None
