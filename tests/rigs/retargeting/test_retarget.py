"""Retargeting against Blender's own rule for posing bones, by matrices, on synthetic characters."""

from dataclasses import replace

import numpy as np
import pytest

from rigs import rotations
from rigs.characters.humanoid import humanoid_from_rig
from rigs.motion import Motion
from rigs.retargeting.bone_transforms import RootMode, bone_transforms
from rigs.retargeting.retarget import RetargetOptions, retarget, transfer_motion
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, INDEX
from tests.rigs.characters.synthetic_characters import (
    Bones,
    a_pose_bones,
    bone_map_of,
    make_rig,
    posed_heads,
    rotate_branch,
    t_pose_bones,
)

LIMBS = [
    (f"{side}_{upper}", f"{side}_{lower}")
    for side in ("left", "right")
    for upper, lower in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
]
PLAIN = RetargetOptions(plant_feet=False)


@pytest.fixture(scope="module")
def dance() -> Motion:
    return sample_dance()[:240]


def _angles(motion: Motion, heads: dict[str, np.ndarray], upper: str, lower: str) -> np.ndarray:
    """Between a limb's bone on the rig and in the source, (F,) degrees."""
    target_hips = rotations.normalize(heads[lower] - heads[upper])
    source_hips = rotations.normalize(motion.positions[:, INDEX[lower]] - motion.positions[:, INDEX[upper]])
    return np.degrees(np.arccos(np.clip(np.sum(target_hips * source_hips, axis=-1), -1.0, 1.0)))


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("rest", ["T-pose", "A-pose"])
def test_limb_directions_match_whatever_the_rest_pose_bone_roll_and_object(
    dance: Motion, rest: str, seed: int | None
) -> None:
    bones = t_pose_bones(0.8) if rest == "T-pose" else a_pose_bones(t_pose_bones(0.8))
    character = make_rig(bones, seed=seed, turn=2.0, move=np.array([3.0, -1.0, 0.0]), scale=0.01)
    humanoid = humanoid_from_rig(character, bone_map_of(character))
    heads = posed_heads(character, bone_transforms(retarget(dance, humanoid, PLAIN), humanoid))
    for upper, lower in LIMBS:
        assert _angles(dance, heads, upper, lower).max() < 0.01, upper


def test_a_rig_of_the_sources_build_moves_the_same(dance: Motion) -> None:
    character = make_rig(t_pose_bones())
    humanoid = humanoid_from_rig(character, bone_map_of(character))
    motion = replace(dance, skeleton=DEFAULT_SKELETON)
    heads = posed_heads(character, bone_transforms(transfer_motion(motion, humanoid), humanoid))
    trunk_and_limbs = [n for n in heads if "collar" not in n and "foot" not in n and "toe" not in n]
    away = {name: np.abs(heads[name] - motion.positions[:, INDEX[name]]).max() for name in trunk_and_limbs}
    assert max(away.values()) < 0.03, away


@pytest.mark.parametrize("size", [0.5, 1.5])
def test_the_path_is_scaled_by_the_leg_length(dance: Motion, size: float) -> None:
    character = make_rig(t_pose_bones(size))
    humanoid = humanoid_from_rig(character, bone_map_of(character))
    posed = transfer_motion(replace(dance, skeleton=DEFAULT_SKELETON), humanoid)
    hips = [INDEX["left_hip"], INDEX["right_hip"]]
    source_hips, target_hips = (f.positions[:, hips].mean(axis=1) for f in (dance, posed))
    assert np.allclose(target_hips[:, :2], size * source_hips[:, :2], atol=0.02)
    assert abs(np.ptp(target_hips[:, 2]) - size * np.ptp(source_hips[:, 2])) < 0.01


def _with_spine(count: int) -> Bones:
    """A dancer with so many bones from pelvis to neck, evenly set."""
    bones = t_pose_bones()
    low, high = bones["pelvis"][1], bones["neck"][1]
    chain = {f"spine_{n + 1:02}": low + (high - low) * (n + 0.5) / (count + 0.5) for n in range(count)}
    remaining = {name: bone for name, bone in bones.items() if not name.startswith("spine")}
    above = "pelvis"
    for name, head in chain.items():
        remaining[name], above = (above, head), name
    return {n: (above if parent == "spine3" else parent, head) for n, (parent, head) in remaining.items()}


def _bent(degrees: float) -> Motion:
    """Two frames: upright, and with the chest bent forward, a third of it in each joint of the spine."""
    local_rotations = rotations.identity(2, 29)
    for name in ("spine1", "spine2", "spine3"):
        local_rotations[1, INDEX[name]] = rotations.from_axis_angle(
            np.array([1.0, 0.0, 0.0]), np.radians(degrees / 3.0)
        )
    return Motion(30.0, DEFAULT_SKELETON, np.tile(DEFAULT_SKELETON.offsets[0], (2, 1)), local_rotations)


@pytest.mark.parametrize("count", [1, 2, 6])
def test_spines_of_any_length_share_the_bend(count: int) -> None:
    character = make_rig(_with_spine(count))
    humanoid = humanoid_from_rig(character, bone_map_of(character))
    pose_rotations = bone_transforms(transfer_motion(_bent(60.0), humanoid), humanoid).rotations
    bends = [np.degrees(rotations.angle_between(*pose_rotations[f"spine_{n + 1:02}"])) for n in range(count)]
    assert sum(bends) == pytest.approx(60.0, abs=1e-6)
    assert max(bends) < 2.0 * 60.0 / count + 1e-6 or count == 1


@pytest.mark.parametrize("missing", ["_collar", "_foot", "neck"])
def test_a_rig_without_optional_joints_is_retargeted(dance: Motion, missing: str) -> None:
    bones = t_pose_bones()
    removed = [name for name in bones if name.endswith(missing) or (missing == "_foot" and name.endswith("bigtoe"))]

    def remaining(parent: str | None) -> str | None:
        while parent in removed:
            parent = bones[parent][0]
        return parent

    character = make_rig(
        {name: (remaining(parent), head) for name, (parent, head) in bones.items() if name not in removed}
    )
    humanoid = humanoid_from_rig(character, bone_map_of(character))
    heads = posed_heads(character, bone_transforms(retarget(dance, humanoid, PLAIN), humanoid))
    for upper, lower in LIMBS:
        assert _angles(dance, heads, upper, lower).max() < 0.01


def test_a_bone_that_does_not_inherit_rotation_still_points_right(dance: Motion) -> None:
    character = make_rig(t_pose_bones(), seed=6)
    free = [name in ("left_shoulder", "right_hip", "jaw") for name in character.names]
    character = replace(character, inherits_rotation=tuple(not f for f in free))
    humanoid = humanoid_from_rig(character, bone_map_of(character))
    posed = retarget(dance, humanoid, PLAIN)
    heads = posed_heads(character, bone_transforms(posed, humanoid))
    for upper, lower in LIMBS:
        assert _angles(dance, heads, upper, lower).max() < 0.01, upper


def test_soles_in_contact_are_flat_whatever_the_ankle_height(dance: Motion) -> None:
    bones = t_pose_bones()
    for side in ("left", "right"):
        ankle = bones[f"{side}_ankle"][1]
        bones[f"{side}_ankle"] = (f"{side}_knee", ankle + np.array([0.0, 0.0, 0.05]))
    character = make_rig(bones)
    humanoid = humanoid_from_rig(character, bone_map_of(character))
    posed = transfer_motion(dance, humanoid)
    flat = posed.foot_contacts[:, 0] & posed.foot_contacts[:, 1]
    normals = rotations.rotate(posed.world_rotations[flat, INDEX["left_ankle"]], np.array([0.0, 0.0, 1.0]))
    assert np.degrees(np.median(np.arccos(normals[:, 2].clip(-1.0, 1.0)))) < 3.0


def test_a_swung_rest_pose_gives_the_same_result(dance: Motion) -> None:
    straight, bent = t_pose_bones(), rotate_branch(t_pose_bones(), "left_hip", np.array([0.0, 1.0, 0.0]), -25.0)
    heads = []
    for bones in (straight, bent):
        character = make_rig(bones)
        humanoid = humanoid_from_rig(character, bone_map_of(character))
        heads.append(posed_heads(character, bone_transforms(retarget(dance, humanoid, PLAIN), humanoid)))
    assert np.abs(heads[0]["left_ankle"] - heads[1]["left_ankle"]).max() < 0.02


TILTS = {
    f"{degrees} about {name}": rotations.from_axis_angle(np.array(axis), np.radians(degrees))
    for degrees in (10.0, -10.0, 45.0, 90.0, 180.0)
    for name, axis in (("X", (1.0, 0.0, 0.0)), ("Y", (0.0, 1.0, 0.0)), ("both", (0.8, 0.6, 0.0)))
}


@pytest.mark.parametrize("root", ["hips", "object"])
@pytest.mark.parametrize("tilts_object", [True, False], ids=["object", "rest pose"])
@pytest.mark.parametrize("tilt", TILTS.values(), ids=list(TILTS))
def test_a_leaning_lying_or_hanging_rig_dances_as_one_that_stands(
    dance: Motion, tilt: np.ndarray, tilts_object: bool, root: RootMode
) -> None:
    heads = []
    for rest_tilt in (None, tilt):
        character = make_rig(
            t_pose_bones(), seed=4, turn=0.7, move=np.array([0.5, 1.0, 0.0]), tilt=rest_tilt, tilts_object=tilts_object
        )
        humanoid = humanoid_from_rig(character, bone_map_of(character))
        heads.append(posed_heads(character, bone_transforms(retarget(dance, humanoid), humanoid, root=root)))
    standing, tilted = heads
    # The rest pose alone does not tell how far its trunk leans as a posture: 1.8 degrees in the T-pose.
    exact = tilts_object or TILTS["90.0 about X"] is tilt or TILTS["90.0 about Y"] is tilt or np.isclose(tilt[0], 0.0)
    limit = 1e-6 if exact else 0.06
    away = {name: np.abs(tilted[name] - standing[name]).max() for name in standing}
    assert max(away.values()) < limit, away
