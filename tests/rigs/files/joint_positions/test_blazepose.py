"""BlazePose landmarks: a known dancer is recovered from its 33 landmarks."""

from pathlib import Path

import numpy as np
import pytest

from rigs import Array, rotations
from rigs.files import BadFile, read
from rigs.files.joint_positions import blazepose
from rigs.files.joint_positions.blazepose import LANDMARKS
from rigs.motion import Motion
from rigs.skeleton import DEFAULT_SKELETON, INDEX

SAME = [name for name in LANDMARKS if name in INDEX and not name.endswith("thumb")]
SHOWN = {
    # landmark: the joint in whose axes it is, and where it is there, m
    "nose": ("jaw", (0.0, -0.12, 0.03)),
    "left_ear": ("jaw", (0.075, 0.0, 0.03)),
    "right_ear": ("jaw", (-0.075, 0.0, 0.03)),
    "left_index": ("left_wrist", (0.08, -0.03, 0.0)),
    "left_pinky": ("left_wrist", (0.08, 0.03, 0.0)),
    "right_index": ("right_wrist", (-0.08, -0.03, 0.0)),
    "right_pinky": ("right_wrist", (-0.08, 0.03, 0.0)),
    "left_heel": ("left_ankle", (0.0, 0.05, -0.07)),
    "right_heel": ("right_ankle", (0.0, 0.05, -0.07)),
    "left_foot_index": ("left_ankle", (0.0, -0.2, -0.07)),
    "right_foot_index": ("right_ankle", (0.0, -0.2, -0.07)),
}


def dancer(facing: float = 0.4, frames: int = 50) -> Motion:
    """Bends arms, knees and trunk."""
    wave = 0.5 + 0.4 * np.sin(np.arange(frames) / 8.0)
    turned = rotations.identity(frames, 29)
    turned[:, 0] = rotations.about_z(facing + wave)
    for name, axis, much in (
        ("left_elbow", (0, 0, -1), 1.5),
        ("right_elbow", (0, 0, 1), 1.0),
        ("left_knee", (1, 0, 0), 1.0),
        ("spine2", (1, 0, 0), 0.3),
        ("neck", (0, 0, 1), 0.5),
    ):
        turned[:, INDEX[name]] = rotations.from_axis_angle(np.array(axis, float), much * wave)
    return Motion(30.0, DEFAULT_SKELETON, np.repeat(DEFAULT_SKELETON.offsets[:1], frames, axis=0), turned)


def landmarks(motion: Motion) -> Array:
    """(F, 33, 3) m as MediaPipe gives them: about the middle of the hips, x right, y down, z away."""
    from rigs import kinematics

    world = kinematics.global_rotations(motion.rotations)
    places = {name: motion.positions[:, INDEX[name]] for name in SAME}
    for name, (joint, offset) in SHOWN.items():
        j = INDEX[joint]
        places[name] = motion.positions[:, j] + rotations.rotate(world[:, j], np.array(offset))
    points = np.stack([places.get(name, places["nose"]) for name in LANDMARKS], axis=1)
    hips = points[:, [LANDMARKS.index("left_hip"), LANDMARKS.index("right_hip")]].mean(axis=1, keepdims=True)
    x, y, z = np.moveaxis(points - hips, -1, 0)
    return np.stack([x, -z, y], axis=-1)


def save(path: Path, array: Array) -> Path:
    np.save(path, array)
    return path


def test_there_are_33_landmarks_in_mediapipes_order() -> None:
    assert len(LANDMARKS) == 33
    at = {"nose": 0, "left_ear": 7, "left_shoulder": 11, "right_wrist": 16, "left_index": 19, "right_thumb": 22}
    at |= {"left_hip": 23, "right_knee": 26, "left_ankle": 27, "right_heel": 30, "left_foot_index": 31}
    assert {name: LANDMARKS.index(name) for name in at} == at


@pytest.mark.parametrize("facing", [0.0, 2.5])
def test_the_limbs_are_where_the_landmarks_are(tmp_path: Path, facing: float) -> None:
    truth = dancer(facing)
    (result,) = read(save(tmp_path / "solo.npy", landmarks(truth))).motions
    limbs = [INDEX[name] for name in SAME]
    hips = [INDEX["left_hip"], INDEX["right_hip"]]
    points, shown = (motion.positions - motion.positions[:, hips].mean(axis=1)[:, None] for motion in (result, truth))
    np.testing.assert_allclose(points[:, limbs], shown[:, limbs], atol=0.03)
    assert np.linalg.norm(points - shown, axis=-1).mean() < 0.02
    apart = rotations.heading(result.rotations[:, 0]) - rotations.heading(truth.rotations[:, 0])
    np.testing.assert_allclose(np.cos(apart), 1.0, atol=1e-3)


def test_the_dancer_stands_upright_on_the_floor_facing_the_camera(tmp_path: Path) -> None:
    clip = read(save(tmp_path / "solo.npy", landmarks(dancer(-0.5))))
    (result,) = clip.motions
    assert (clip.source.up, clip.source.fps, clip.source.frames) == ("Y", 30.0, 50)
    assert np.abs(rotations.heading(result.rotations[:, 0])).max() < 0.5
    toes = result.positions[:, [INDEX["left_bigtoe"], INDEX["right_bigtoe"]], 2]
    assert abs(np.percentile(toes.min(axis=1), 5)) < 1e-6
    assert (result.positions[:, INDEX["head"], 2] > 1.4).all()
    assert (result.positions[:, INDEX["left_wrist"], 0] > result.positions[:, INDEX["right_wrist"], 0]).all()


def test_visibility_columns_and_archives_change_nothing(tmp_path: Path) -> None:
    points = landmarks(dancer())
    plain = read(save(tmp_path / "plain.npy", points)).motions[0]
    with_sureness = np.concatenate([points, np.full((*points.shape[:2], 1), 0.9)], axis=-1)
    assert np.array_equal(read(save(tmp_path / "four.npy", with_sureness)).motions[0].root, plain.root)
    np.savez(tmp_path / "archive.npz", fps=25.0, landmarks=with_sureness)
    archived = read(tmp_path / "archive.npz")
    assert archived.motions[0].fps == archived.source.fps == 25.0
    np.testing.assert_allclose(archived.motions[0].positions, plain.positions, atol=0.01)
    assert read(tmp_path / "archive.npz", fps=60.0).motions[0].fps == 60.0


def test_frames_without_a_detection_are_interpolated_and_reported(tmp_path: Path) -> None:
    points = landmarks(dancer())
    whole = read(save(tmp_path / "whole.npy", points)).motions[0]
    points[20:23] = np.nan
    clip = read(save(tmp_path / "gaps.npy", points), fps=30.0)
    assert clip.warnings == ("gaps.npy: joints not detected in 3 of 50 frames, interpolated",)
    np.testing.assert_allclose(clip.motions[0].positions, whole.positions, atol=0.05)


def one_infinity(rows: Array) -> Array:
    rows[3, LANDMARKS.index("left_knee"), 1] = np.inf
    return rows


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (one_infinity, "wrong.npy, row 3, left_knee: a position in metres expected"),
        (lambda rows: rows * np.nan, "wrong.npy, row 0, nose: a position in metres expected"),
        (lambda rows: rows * 1e5, "wrong.npy, row 0, .*: a position in metres expected"),
        (lambda rows: rows * 0.0, "wrong.npy, frame 0, .*: a place apart from .* expected"),
        (lambda rows: rows[..., :2], r"wrong.npy: .*\(rows, 33, 3\), expected, \(50, 33, 2\) found"),
        (lambda rows: rows[:0], r"wrong.npy: .*expected, \(0, 33, 3\) found"),
    ],
)
def test_wrong_landmarks_are_refused_in_one_sentence(tmp_path: Path, spoil, complaint: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadFile, match=complaint) as refused:
        read(save(tmp_path / "wrong.npy", spoil(landmarks(dancer()))))
    assert "\n" not in str(refused.value)


def test_all_29_joints_are_estimated() -> None:
    assert blazepose.joints_from_landmarks(np.random.default_rng(1).normal(size=(4, 33, 3))).shape == (4, 29, 3)
