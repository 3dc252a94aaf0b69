"""Presets of naming conventions: every preset names real joints on both sides."""

from pathlib import Path

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


def test_a_moment_without_the_presets_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    naming_conventions.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(f"{naming_conventions.__module__}.__file__", str(tmp_path / "naming_conventions.py"))
        with pytest.raises(FileNotFoundError):
            naming_conventions()
    assert naming_conventions()
