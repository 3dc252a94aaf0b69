"""Bone maps as JSON: round trips, and errors for bad maps."""

import json

import pytest

from rigs.bone_mapping.bone_mapper import map_bones
from rigs.bone_mapping.map_io import BadMap, from_json, skeleton_hash, to_json
from rigs.skeleton import INDEX, JOINTS, PARENTS
from tests.rigs.bone_mapping.known_rigs import tool_hierarchy

NAMES = list(JOINTS)


@pytest.mark.parametrize("name", ["unreal5", "daz_genesis8", "auto_rig_pro", "sparse"])
def test_a_bone_map_survives_a_round_trip(name: str) -> None:
    rig, _, _ = tool_hierarchy(name)
    bone_map = map_bones(rig.names, rig.parents)
    back = from_json(to_json(bone_map, rig.names), rig.names, rig.parents)
    assert back.bones == bone_map.bones
    assert back.joint_confidence == pytest.approx(bone_map.joint_confidence, abs=1e-3)
    assert (back.convention, back.spine, back.neck) == (bone_map.convention, bone_map.spine, bone_map.neck)


def test_a_bone_map_applies_to_bones_in_another_order() -> None:
    rig, _, _ = tool_hierarchy("vroid")
    text = to_json(map_bones(rig.names, rig.parents), rig.names)
    names = sorted(rig.names)
    parents = [names.index(rig.names[up]) if up >= 0 else -1 for up in (rig.parents[rig.names.index(n)] for n in names)]
    back = from_json(text, names, parents)
    assert names[back.bones[INDEX["left_knee"]]] == "J_Bip_L_LowerLeg"


def test_a_hand_written_bone_map_needs_only_bones() -> None:
    text = json.dumps({"kind": "Pas de Deux bone map", "joints": {"pelvis": {"bone": "jaw"}}})
    bone_map = from_json(text, NAMES, PARENTS)
    assert bone_map.bones[INDEX["pelvis"]] == INDEX["jaw"]
    assert bone_map.joint_confidence[INDEX["pelvis"]] == 1.0
    assert len(bone_map.missing) == 28
    assert bone_map.confidence == 0.0


@pytest.mark.parametrize(
    ("joints", "complaint"),
    [
        ({"left knee": {"bone": "jaw"}}, "left knee: one of the 29 joints expected"),
        ({"left_knee": "jaw"}, 'left_knee: an object with the name of a "bone" expected, "jaw" found'),
        ({"left_knee": {"bone": "shin"}}, "left_knee: a bone of this rig expected, shin found"),
        ({"left_knee": {"bone": "jaw", "sureness": 2}}, "left_knee: a sureness from 0 to 1 expected, 2 found"),
        (
            {"left_knee": {"bone": "jaw"}, "right_knee": {"bone": "jaw"}},
            "jaw is the Left Knee and the Right Knee at once: choose another bone for one of them",
        ),
        ([], 'an object with "kind": "Pas de Deux bone map" and "joints" expected'),
    ],
)
def test_the_error_for_a_bad_bone_map_names_the_joint(joints: object, complaint: str) -> None:
    with pytest.raises(BadMap) as refused:
        from_json(json.dumps({"kind": "Pas de Deux bone map", "joints": joints}), NAMES, PARENTS)
    assert str(refused.value) == complaint


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "Pas de Deux bone map"}', '{"kind": "x", "joints": {}}'])
def test_text_that_is_no_bone_map_is_refused(text: str) -> None:
    with pytest.raises(BadMap, match="expected"):
        from_json(text, NAMES, PARENTS)


def test_the_skeleton_hash_depends_on_names_and_parents_alone() -> None:
    order = list(reversed(range(29)))
    names, parents = [NAMES[j] for j in order], [order.index(PARENTS[j]) if j else -1 for j in order]
    own = skeleton_hash(NAMES, PARENTS)
    assert skeleton_hash(names, parents) == own
    assert skeleton_hash(["hips", *NAMES[1:]], PARENTS) != own
    assert skeleton_hash(NAMES, [-1, 0, 0, 0, 1, 1, *PARENTS[6:]]) != own
    assert len(own) == 16
