"""`BoneMap`: which bone of a rig is which of the 29 joints, and the bones of its spine and neck."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rigs.bone_mapping.bone_hierarchy import ancestors
from rigs.bone_mapping.naming_conventions import NamingConvention
from rigs.one_line import one_line
from rigs.skeleton import CHILDREN, INDEX, JOINTS, PARENTS

_PAIRED_JOINTS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
REQUIRED: tuple[str, ...] = ("pelvis", *(f"{side}_{joint}" for joint in _PAIRED_JOINTS for side in ("left", "right")))
"""The joints without which a rig is no humanoid with two arms and two legs."""
SPINE_JOINTS = ("spine1", "spine2", "spine3")


class UnmappableRig(ValueError):
    """Error for a rig that is no humanoid; its text is one clause that names the missing joint."""

    def __init__(self, clause: str) -> None:
        super().__init__(one_line(clause))


BY_STRUCTURE = NamingConvention("bone positions", {})
"""The convention of rigs that are mapped by the positions of their bones."""


@dataclass(frozen=True)
class BoneMap:
    """Which bone is which joint, and with what confidence.

    convention: the naming convention that matched.
    bones: (29,) each joint's index among the rig's bones, or -1 where the rig has none.
    joint_confidence: (29,) from 0, where there is no bone, to 1.
    confidence: 0 to 1, the mean over the required joints.
    spine: the bones that bend the trunk, from the first above the pelvis's up to and including the chest's.
    neck: the bones from the neck's first up to and including the head's.
    """

    convention: NamingConvention
    bones: tuple[int, ...]
    joint_confidence: tuple[float, ...] = ()
    confidence: float = 1.0
    spine: tuple[int, ...] = ()
    neck: tuple[int, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """The joints that the rig does not have."""
        return tuple(name for name, bone in zip(JOINTS, self.bones, strict=True) if bone < 0)


def build_bone_map(
    convention: NamingConvention, bones: Sequence[int], joint_confidence: Sequence[float], parents: Sequence[int]
) -> BoneMap:
    """Build the BoneMap of (29,) bones, with the chains of spine and neck."""
    required = [joint_confidence[INDEX[joint]] for joint in REQUIRED]
    allowed = None if not convention.controls else bones
    pelvis = bones[INDEX["pelvis"]]
    spine = _bone_chain([bones[INDEX[joint]] for joint in reversed(SPINE_JOINTS)], (pelvis,), parents, allowed)
    neck = _bone_chain([bones[INDEX["jaw"]], bones[INDEX["neck"]]], (pelvis, *spine), parents, allowed)
    if bones[INDEX["neck"]] in neck:
        neck = neck[neck.index(bones[INDEX["neck"]]) :]
    return BoneMap(
        convention,
        tuple(bones),
        tuple(joint_confidence),
        confidence=sum(required) / len(required) if all(required) else 0.0,
        spine=spine,
        neck=neck,
    )


def _bone_chain(
    tops: Sequence[int], stops: Sequence[int], parents: Sequence[int], allowed: Sequence[int] | None
) -> tuple[int, ...]:
    """The bones from above one of `stops` up to the first of `tops` that is a bone.

    allowed: the bones that may be in it; if None, any, but only `tops` if the path up to it passes no stop.
    """
    top = next((bone for bone in tops if bone >= 0), -1)
    path = [top, *ancestors(top, parents)] if top >= 0 else []
    stop = next((n for n, bone in enumerate(path) if bone in stops), -1)
    members = allowed if allowed is not None else path if stop >= 0 else tops
    return tuple(bone for bone in reversed(path[: stop if stop >= 0 else None]) if bone in members)


def nearest_mapped_ancestor(j: int, bones: Sequence[int]) -> int:
    """The bone of the nearest joint above `j` that has one, or -1."""
    j = PARENTS[j]
    while j >= 0 and bones[j] < 0:
        j = PARENTS[j]
    return bones[j] if j >= 0 else -1


def nearest_mapped_descendants(j: int, bones: Sequence[int]) -> Iterator[int]:
    """The nearest joints below `j` that have bones."""
    for child in CHILDREN[j]:
        if bones[child] >= 0:
            yield child
        else:
            yield from nearest_mapped_descendants(child, bones)
