"""Panels, drawn without a window: their properties and operators exist, and every joint has a row."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from bl_ext.user_default.pas_de_deux import background_job, panels
from bl_ext.user_default.pas_de_deux.panels import bone_map, leader

from rigs.bone_mapping.joint_labels import JOINT_LABELS
from rigs.skeleton import JOINTS


class Layout:
    """A UILayout that checks what it is asked to draw, and records the labels."""

    def __init__(self, texts: list[str]) -> None:
        self.__dict__["texts"] = texts

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: Layout(self.texts)

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in bpy.types.UILayout.bl_rna.properties

    def prop(self, data: Any, name: str, **_: Any) -> None:
        assert name in data.bl_rna.properties or data.get(name.removeprefix('["').removesuffix('"]')) is not None

    def prop_search(self, data: Any, name: str, search_data: Any, search_property: str, **_: Any) -> None:
        assert name in data.bl_rna.properties
        assert search_property in search_data.bl_rna.properties

    def operator(self, idname: str, **_: Any) -> Any:
        operator = getattr(bpy.types, "PASDEDEUX_OT_" + idname.removeprefix("pasdedeux."))
        names = {name for cls in operator.__mro__ for name in getattr(cls, "__annotations__", {})}
        return SimpleNamespace(**dict.fromkeys(names))

    def label(self, *, text: str, **_: Any) -> None:
        self.texts.append(text)

    def progress(self, *, factor: float, text: str) -> None:
        self.texts.append(text)


@pytest.mark.parametrize("model", ["partner-flow", "canon"])
def test_every_panel_draws(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bpy.context.scene.pas_de_deux.model = model
    bpy.ops.pasdedeux.add_dancer()
    bpy.ops.pasdedeux.map_bones()
    bpy.ops.pasdedeux.add_controls()
    monkeypatch.setattr(background_job.main_slot, "job", background_job.Job(lambda _: None))
    texts: list[str] = []
    for panel in panels.CLASSES:
        if issubclass(panel, bpy.types.Panel):
            panel.draw(SimpleNamespace(layout=Layout(texts)), bpy.context)
    assert {"starting", "Left Arm", "Ball"} <= set(texts)


def test_the_bone_map_shows_every_joint_once() -> None:
    assert sorted(joint for joints in JOINT_LABELS.values() for joint in joints) == sorted(JOINTS)


def test_the_bone_map_says_below_a_row_why_its_bone_is_impossible() -> None:
    bpy.ops.pasdedeux.add_dancer()
    bpy.ops.pasdedeux.map_bones()
    joints = bpy.context.object.data.pas_de_deux.joints
    for bone, told in (("pelvis", False), ("right_hip", True)):
        joints["pelvis"].bone = bone
        texts: list[str] = []
        bone_map.PASDEDEUX_PT_bones.draw(SimpleNamespace(layout=Layout(texts)), bpy.context)
        sentence = "right_hip is the Pelvis and the Right Hip at once: choose another bone for one of them"
        assert (" ".join(texts).count(sentence) == 2) == told
        assert ("No body has these bones" in texts) == told


def test_the_leader_panel_shows_the_last_imports_warnings_until_they_are_dismissed(corpus: Path) -> None:
    path = str(corpus / "bvh_zoo" / "cmu_daz_60_01.bvh")
    bpy.ops.pasdedeux.import_mocap(filepath=path, body=False)
    lines = drawn_lines(leader.PASDEDEUX_PT_leader)
    start = lines.index("Warning")
    assert " ".join(lines[start + 1 :]) == bpy.context.scene.pas_de_deux.notices[0].text
    assert lines[start + 1].startswith("cmu_daz_60_01.bvh: steps of")
    assert max(map(len, lines[start + 1 :])) < 50
    bpy.ops.pasdedeux.dismiss_notices(operators=",".join(leader.IMPORTS))
    assert "Warning" not in drawn_lines(leader.PASDEDEUX_PT_leader)


def test_an_import_without_warnings_takes_those_of_the_one_before_away(corpus: Path) -> None:
    path = str(corpus / "bvh_zoo" / "cmu_daz_60_01.bvh")
    bpy.ops.pasdedeux.import_mocap(filepath=path, body=False)
    assert len(bpy.context.scene.pas_de_deux.notices) == 1
    bpy.ops.pasdedeux.import_mocap(filepath=path, body=False, fps=60.0)
    assert not len(bpy.context.scene.pas_de_deux.notices)


def drawn_lines(panel: type) -> list[str]:
    texts: list[str] = []
    panel.draw(SimpleNamespace(layout=Layout(texts)), bpy.context)  # type: ignore[attr-defined]
    return texts
