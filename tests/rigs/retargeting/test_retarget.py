"""Retargeting against Blender's own rule for posing bones, worked out with matrices, on characters made up for it."""

from dataclasses import replace

import numpy as np
import pytest

from rigs import rotations
from rigs.characters.humanoid import humanoid_from_rig
from rigs.motion import Motion
from rigs.retargeting.bone_transforms import bone_transforms
from rigs.retargeting.retarget import RetargetOptions, retarget, transfer_motion
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, INDEX
from tests.rigs.characters.synthetic_characters import Bones, a_posed, mapped, moved, rig, swung, t_posed

LIMBS = [
    (f"{side}_{upper}", f"{side}_{lower}")
    for side in ("left", "right")
    for upper, lower in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
]
PLAIN = RetargetOptions(plant_feet=False)


@pytest.fixture(scope="module")
def dance() -> Motion:
    return sample_dance()[:240]


def _angles(motion: Motion, places: dict[str, np.ndarray], upper: str, lower: str) -> np.ndarray:
    """Between a limb's bone on the rig and in the source, (F,) degrees."""
    ours = rotations.normalize(places[lower] - places[upper])
    theirs = rotations.normalize(motion.positions[:, INDEX[lower]] - motion.positions[:, INDEX[upper]])
    return np.degrees(np.arccos(np.clip(np.sum(ours * theirs, axis=-1), -1.0, 1.0)))


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("rest", ["T-pose", "A-pose"])
def test_limbs_point_where_the_source_s_do_whatever_the_rest_pose_the_rolls_and_the_object(
    dance: Motion, rest: str, seed: int | None
) -> None:
    bones = t_posed(0.8) if rest == "T-pose" else a_posed(t_posed(0.8))
    character = rig(bones, seed=seed, turn=2.0, move=np.array([3.0, -1.0, 0.0]), scale=0.01)
    body = humanoid_from_rig(character, mapped(character))
    places = moved(character, bone_transforms(retarget(dance, body, PLAIN), body))
    for upper, lower in LIMBS:
        assert _angles(dance, places, upper, lower).max() < 0.01, upper


def test_a_dancer_of_the_source_s_own_build_dances_the_same(dance: Motion) -> None:
    character = rig(t_posed())
    body = humanoid_from_rig(character, mapped(character))
    motion = replace(dance, skeleton=DEFAULT_SKELETON)
    places = moved(character, bone_transforms(transfer_motion(motion, body), body))
    trunk_and_limbs = [n for n in places if "collar" not in n and "foot" not in n and "toe" not in n]
    away = {name: np.abs(places[name] - motion.positions[:, INDEX[name]]).max() for name in trunk_and_limbs}
    assert max(away.values()) < 0.03, away


@pytest.mark.parametrize("size", [0.5, 1.5])
def test_the_way_is_scaled_by_the_legs(dance: Motion, size: float) -> None:
    character = rig(t_posed(size))
    body = humanoid_from_rig(character, mapped(character))
    figure = transfer_motion(replace(dance, skeleton=DEFAULT_SKELETON), body)
    hips = [INDEX["left_hip"], INDEX["right_hip"]]
    theirs, ours = (f.positions[:, hips].mean(axis=1) for f in (dance, figure))
    assert np.allclose(ours[:, :2], size * theirs[:, :2], atol=0.02)
    assert abs(np.ptp(ours[:, 2]) - size * np.ptp(theirs[:, 2])) < 0.01


def _with_spine(count: int) -> Bones:
    """A dancer with so many bones from pelvis to neck, evenly set."""
    bones = t_posed()
    low, high = bones["pelvis"][1], bones["neck"][1]
    chain = {f"spine_{n + 1:02}": low + (high - low) * (n + 0.5) / (count + 0.5) for n in range(count)}
    kept = {name: bone for name, bone in bones.items() if not name.startswith("spine")}
    above = "pelvis"
    for name, head in chain.items():
        kept[name], above = (above, head), name
    return {n: (above if parent == "spine3" else parent, head) for n, (parent, head) in kept.items()}


def _bent(degrees: float) -> Motion:
    """Two frames: upright, and with the chest bent forward, a third of it in each joint of the spine."""
    turned = rotations.identity(2, 29)
    for name in ("spine1", "spine2", "spine3"):
        turned[1, INDEX[name]] = rotations.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.radians(degrees / 3.0))
    return Motion(30.0, DEFAULT_SKELETON, np.tile(DEFAULT_SKELETON.offsets[0], (2, 1)), turned)


@pytest.mark.parametrize("count", [1, 2, 6])
def test_spines_of_any_length_share_the_bend(count: int) -> None:
    character = rig(_with_spine(count))
    body = humanoid_from_rig(character, mapped(character))
    turns = bone_transforms(transfer_motion(_bent(60.0), body), body).rotations
    bends = [np.degrees(rotations.angle_between(*turns[f"spine_{n + 1:02}"])) for n in range(count)]
    assert sum(bends) == pytest.approx(60.0, abs=1e-6)
    assert max(bends) < 2.0 * 60.0 / count + 1e-6 or count == 1


@pytest.mark.parametrize("missing", ["_collar", "_foot", "neck"])
def test_a_rig_without_these_joints_dances(dance: Motion, missing: str) -> None:
    bones = t_posed()
    gone = [name for name in bones if name.endswith(missing) or (missing == "_foot" and name.endswith("bigtoe"))]

    def kept(parent: str | None) -> str | None:
        while parent in gone:
            parent = bones[parent][0]
        return parent

    character = rig({name: (kept(parent), head) for name, (parent, head) in bones.items() if name not in gone})
    body = humanoid_from_rig(character, mapped(character))
    places = moved(character, bone_transforms(retarget(dance, body, PLAIN), body))
    for upper, lower in LIMBS:
        assert _angles(dance, places, upper, lower).max() < 0.01


def test_a_bone_that_does_not_inherit_rotation_still_points_right(dance: Motion) -> None:
    character = rig(t_posed(), seed=6)
    free = [name in ("left_shoulder", "right_hip", "jaw") for name in character.names]
    character = replace(character, inherits_rotation=tuple(not f for f in free))
    body = humanoid_from_rig(character, mapped(character))
    figure = retarget(dance, body, PLAIN)
    places = moved(character, bone_transforms(figure, body))
    for upper, lower in LIMBS:
        assert _angles(dance, places, upper, lower).max() < 0.01, upper


def test_soles_that_rest_lie_flat_however_high_the_ankle_is(dance: Motion) -> None:
    bones = t_posed()
    for side in ("left", "right"):
        ankle = bones[f"{side}_ankle"][1]
        bones[f"{side}_ankle"] = (f"{side}_knee", ankle + np.array([0.0, 0.0, 0.05]))
    character = rig(bones)
    body = humanoid_from_rig(character, mapped(character))
    figure = transfer_motion(dance, body)
    flat = figure.foot_contacts[:, 0] & figure.foot_contacts[:, 1]
    normals = rotations.rotate(figure.world_rotations[flat, INDEX["left_ankle"]], np.array([0.0, 0.0, 1.0]))
    assert np.degrees(np.median(np.arccos(normals[:, 2].clip(-1.0, 1.0)))) < 3.0


def test_a_swing_of_the_rest_pose_changes_nothing(dance: Motion) -> None:
    straight, bent = t_posed(), swung(t_posed(), "left_hip", np.array([0.0, 1.0, 0.0]), -25.0)
    found = []
    for bones in (straight, bent):
        character = rig(bones)
        body = humanoid_from_rig(character, mapped(character))
        found.append(moved(character, bone_transforms(retarget(dance, body, PLAIN), body)))
    assert np.abs(found[0]["left_ankle"] - found[1]["left_ankle"]).max() < 0.02
