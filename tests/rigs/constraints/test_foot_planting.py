"""Foot planting, measured at the soles of synthetic characters."""

import numpy as np
import pytest

from rigs import rotations
from rigs.characters.humanoid import Humanoid, humanoid_from_rig
from rigs.characters.posed_humanoid import PosedHumanoid
from rigs.constraints.foot_planting import plant_feet
from rigs.motion import Motion
from rigs.retargeting.retarget import transfer_motion
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import INDEX
from tests.rigs.characters.synthetic_characters import a_pose_bones, bone_map_of, make_rig, t_pose_bones

FEET = ("left_ankle", "left_foot", "right_ankle", "right_foot")


@pytest.fixture(scope="module")
def dance() -> Motion:
    return sample_dance()[:600]


@pytest.fixture(scope="module", params=[0.7, 1.3])
def body(request: pytest.FixtureRequest) -> Humanoid:
    character = make_rig(a_pose_bones(t_pose_bones(request.param)), seed=1)
    return humanoid_from_rig(character, bone_map_of(character))


def _slide(positions: np.ndarray, resting: np.ndarray, fps: float) -> np.ndarray:
    """The mean speed along the floor (4,) m/s of the feet's joints while they rest."""
    speed = np.linalg.norm(np.diff(positions[:, [INDEX[name] for name in FEET], :2], axis=0), axis=-1) * fps
    both = resting[1:] & resting[:-1]
    return np.sum(speed * both, axis=0) / both.sum(axis=0)


def _soles(posed: PosedHumanoid, body: Humanoid) -> np.ndarray:
    """How high the points under heel, ball and tip of both feet are (F, 6) m; at rest they are on the floor."""
    lowest = []
    for side in ("left", "right"):
        for joint, bone in (("ankle", "ankle"), ("foot", "ankle"), ("bigtoe", "foot")):
            point, carrier = INDEX[f"{side}_{joint}"], INDEX[f"{side}_{bone}"]
            under = np.array([0.0, 0.0, body.floor - body.rest_positions[point, 2]])
            at_rest = rotations.rotate(rotations.inverse(body.rest_rotations[carrier]), under)
            lowest.append(
                posed.positions[:, point, 2] + rotations.rotate(posed.world_rotations[:, carrier], at_rest)[:, 2]
            )
    return np.stack(lowest, axis=1) - posed.floor


def test_planted_feet_slide_less_than_the_source_s(dance: Motion, body: Humanoid) -> None:
    free = transfer_motion(dance, body)
    source = _slide(dance.positions, free.foot_contacts, dance.fps)
    planted = _slide(plant_feet(free, body).positions, free.foot_contacts, dance.fps)
    scale = body.leg_length / 0.8
    assert (planted[[1, 3]] <= scale * source[[1, 3]] + 1e-3).all()
    assert planted.mean() < 0.6 * scale * source.mean() + 0.01


def test_nothing_sinks_below_the_floor(dance: Motion, body: Humanoid) -> None:
    low = _soles(transfer_motion(dance, body).translate(np.tile([0.0, 0.0, -0.04], (len(dance), 1))), body)
    assert low.min() < -0.03
    posed = plant_feet(transfer_motion(dance, body).translate(np.tile([0.0, 0.0, -0.04], (len(dance), 1))), body)
    assert _soles(posed, body).min() > -0.01


def test_legs_keep_their_lengths_and_their_bones_follow(dance: Motion, body: Humanoid) -> None:
    posed = plant_feet(transfer_motion(dance, body), body)
    for upper, lower in (("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("right_hip", "right_knee")):
        bone = posed.positions[:, INDEX[lower]] - posed.positions[:, INDEX[upper]]
        at_rest = body.rest_positions[INDEX[lower]] - body.rest_positions[INDEX[upper]]
        assert np.allclose(np.linalg.norm(bone, axis=-1), np.linalg.norm(at_rest), atol=1e-6)
        turn = rotations.multiply(
            posed.world_rotations[:, INDEX[upper]], rotations.inverse(body.rest_rotations[INDEX[upper]])
        )
        assert np.allclose(rotations.rotate(turn, at_rest), bone, atol=1e-6)


def test_knees_stay_in_their_planes(dance: Motion, body: Humanoid) -> None:
    free = transfer_motion(dance, body)
    posed = plant_feet(free, body)
    for side in ("left", "right"):
        hip, knee, ankle = (INDEX[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))

        def out(f: PosedHumanoid, hip: int = hip, knee: int = knee, ankle: int = ankle) -> np.ndarray:
            along = rotations.normalize(f.positions[:, ankle] - f.positions[:, hip])
            bend = f.positions[:, knee] - f.positions[:, hip]
            return bend - np.sum(bend * along, axis=-1, keepdims=True) * along

        bent = np.linalg.norm(out(free), axis=-1) > 0.08
        cosines = np.sum(rotations.normalize(out(free)) * rotations.normalize(out(posed)), axis=-1)
        assert bent.sum() > 100
        assert cosines[bent].min() > np.cos(np.radians(25.0))


def test_planting_does_not_shake_the_body(dance: Motion, body: Humanoid) -> None:
    free = transfer_motion(dance, body)
    posed = plant_feet(free, body)

    def jolt(f: PosedHumanoid, joint: str) -> float:
        return float(np.percentile(np.abs(np.diff(f.positions[:, INDEX[joint]], 2, axis=0)), 99.5))

    for joint in ("left_ankle", "right_ankle", "left_knee", "right_knee", "pelvis"):
        assert jolt(posed, joint) < 1.5 * jolt(free, joint) + 2e-4, joint


def test_a_dancer_without_contacts_is_left_as_it_is_above_the_floor(body: Humanoid) -> None:
    dance = sample_dance()[:30]
    free = transfer_motion(dance, body)
    raised = PosedHumanoid(
        free.fps,
        free.positions + np.array([0.0, 0.0, 1.0]),
        free.world_rotations,
        free.bend_rotations,
        np.zeros_like(free.foot_contacts),
        free.toe_paths,
        free.floor,
    )
    posed = plant_feet(raised, body)
    assert np.allclose(posed.positions, raised.positions, atol=2e-3)
