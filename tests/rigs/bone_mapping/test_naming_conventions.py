"""Presets of naming conventions: every preset names real joints on both sides."""

import pytest

from rigs.bone_mapping.bone_map import REQUIRED
from rigs.bone_mapping.naming_conventions import NamingConvention, naming_conventions
from rigs.skeleton import JOINTS


@pytest.mark.parametrize("convention", naming_conventions(), ids=lambda convention: convention.name)
def test_every_preset_names_real_joints_on_both_sides(convention: NamingConvention) -> None:
    joints = convention.joints
    assert set(joints) <= set(JOINTS)
    assert set(REQUIRED) <= set(joints)
    for joint, keys in joints.items():
        side = joint.split("_")[0] if "_" in joint else None
        assert all(stem and side in (key_side, None) for key_side, stem in keys)
