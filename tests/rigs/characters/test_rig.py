"""Lookups in a rig's bone hierarchy."""

from tests.rigs.characters.synthetic_characters import make_rig, t_pose_bones


def test_ancestors_lead_to_the_root() -> None:
    rig = make_rig(t_pose_bones())
    ancestors = rig.ancestors(rig.index("left_ankle"))
    assert [rig.names[node] for node in ancestors] == ["left_knee", "left_hip", "pelvis"]
    assert rig.ancestors(rig.index("pelvis")) == []
