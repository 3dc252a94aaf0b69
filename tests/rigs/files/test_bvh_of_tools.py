"""BVH recordings with the bones of many tools: read as one dancer, upright, in their unit, without a warning."""

from pathlib import Path

import numpy as np
import pytest

from rigs import Array, files
from rigs.bone_mapping.bone_hierarchy import children_of
from rigs.skeleton import JOINTS, LIMB_JOINTS
from tests.rigs.bone_mapping.dialect_rigs import DialectRig, convert_positions, dialect_names, dialect_rigs

FRAMES = 30
SWING = 8.0
"""Degrees by which the legs swing sideways."""
SWAY = 0.001
"""Part of the body's height by which the roots sway."""
HELPERS = {
    "makehuman_rigify": "'DEF-elbow-helper.L', 'DEF-elbow-helper.R', 'DEF-knee-helper.L', 'DEF-knee-helper.R'",
    "mmd_basic": "'左足ＩＫ', '右足ＩＫ'",
}
"""The roots beside the dancer, of which the reader says that they are left out."""


def bvh_text(rig: DialectRig, heads: Array, tails: Array) -> str:
    """A recording of a rig with rest positions and tails (N, 3) in which the legs swing."""
    children = children_of(rig.rig.parents)
    lines, order = ["HIERARCHY"], []

    def add(bone: int) -> None:
        order.append(bone)
        parent = rig.rig.parents[bone]
        offset = heads[bone] - (heads[parent] if parent >= 0 else 0.0)
        lines.extend([f"{'ROOT' if parent < 0 else 'JOINT'} {rig.rig.names[bone]}", "{", row("OFFSET", offset)])
        channels = "6 Xposition Yposition Zposition" if parent < 0 else "3"
        lines.append(f"CHANNELS {channels} Zrotation Xrotation Yrotation")
        for child in children.get(bone, []):
            add(child)
        if bone not in children:
            lines.extend(["End Site", "{", row("OFFSET", tails[bone] - heads[bone]), "}"])
        lines.append("}")

    for root in children[-1]:
        add(root)
    joint_of = {bone: joint for joint, bone in rig.joints.items()}
    lines += ["MOTION", f"Frames: {FRAMES}", "Frame Time: 0.0333333"]
    sway = SWAY * np.ptp(heads)
    for f in range(FRAMES):
        numbers: list[float] = []
        for bone in order:
            joint = joint_of.get(rig.rig.names[bone], "")
            side = {"left_hip": 1.0, "right_hip": -1.0}.get(joint, 0.0)
            numbers += list(heads[bone] + sway * np.sin(f / 9.0)) if rig.rig.parents[bone] < 0 else []
            numbers += 0.0, side * SWING * np.sin(f / 5.0), 0.0
        lines.append(row("", np.array(numbers)))
    return "\n".join(lines)


def row(word: str, numbers: Array) -> str:
    return f"{word} " + " ".join(f"{number:.5f}" for number in numbers)


@pytest.mark.parametrize(("up", "unit"), [("Y", 0.01), ("Z", 1.0)], ids=["Y up, cm", "Z up, m"])
@pytest.mark.parametrize("name", dialect_names())
def test_a_recording_with_a_tools_bones_is_read_as_it_is(name: str, up: str, unit: float, tmp_path: Path) -> None:
    rig = dialect_rigs(name)[-1]
    assert rig.rig.heads is not None
    heads, tails = (convert_positions(at, y_up=up == "Y", unit=unit) for at in (rig.rig.heads, rig.tails))
    file = tmp_path / "take.bvh"
    file.write_text(bvh_text(rig, heads, tails), "utf-8")
    clip = files.read(file)
    assert (clip.source.up, clip.source.units, len(clip.motions)) == (up, unit, 1)
    left_out = f"take.bvh: no dancer's bones found below {HELPERS.get(name)}, left out"
    assert clip.warnings == ((left_out,) if name in HELPERS else ())
    limbs = [j for j in LIMB_JOINTS if JOINTS[j] in rig.joints]
    truth = rig.rig.heads[[rig.rig.names.index(rig.joints[JOINTS[j]]) for j in limbs]]
    np.testing.assert_allclose(clip.motions[0].positions[0, limbs], truth, atol=0.01)
