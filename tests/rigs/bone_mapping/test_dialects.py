"""Presets of tools' bone names, each on a rig with that tool's bones, in all their spellings, units and axes."""

import pytest

from rigs.bone_mapping.bone_mapper import map_bones
from rigs.skeleton import CHILDREN, INDEX, JOINTS
from tests.rigs.bone_mapping.dialect_rigs import DialectRig, dialect_names, dialect_rigs, turned

RIGS = [rig for name in dialect_names() for rig in dialect_rigs(name)]


def wrong_joints(rig: DialectRig, names: list[str], bones: tuple[int, ...]) -> dict[str, str | None]:
    """The joints with another bone than the truth has; of leaves it need not speak."""
    mapped = {joint: names[bone] for joint, bone in zip(JOINTS, bones, strict=True) if bone >= 0}
    checked = [joint for joint in JOINTS if joint in rig.joints or CHILDREN[INDEX[joint]]]
    return {joint: mapped.get(joint) for joint in checked if mapped.get(joint) != rig.joints.get(joint)}


@pytest.mark.parametrize("form", ["names only", "Z up, m", "Y up, cm", "with tails, mm"])
@pytest.mark.parametrize("rig", RIGS, ids=lambda rig: rig.label)
def test_all_bones_of_a_dialect_are_mapped_and_its_convention_is_recognised(rig: DialectRig, form: str) -> None:
    rig = rig.with_tails() if "tails" in form else rig
    hierarchy = rig.rig
    heads = None
    if form != "names only":
        unit = {"m": 1.0, "cm": 0.01, "mm": 0.001}[form.split()[-1]]
        assert hierarchy.heads is not None
        heads = turned(hierarchy.heads, y_up="Y up" in form, unit=unit)
    bone_map = map_bones(hierarchy.names, hierarchy.parents, heads)
    assert wrong_joints(rig, hierarchy.names, bone_map.bones) == {}
    assert bone_map.convention.name == rig.convention
    assert bone_map.confidence > 0.95
