"""AlphaPose results: real ones against the authors' tracking, synthetic ones, and invalid ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rigs import Array
from rigs.contacts import floor_height
from rigs.files import BadFile, read
from rigs.files.joint_positions import alphapose
from rigs.skeleton import DEFAULT_SKELETON, INDEX

RESULTS = "hybrik/alphapose_test-results.json"
LINKED = "hybrik/pose_extraction_video_1.npy"
PIXELS = 400.0
"""In a metre, in the made-up pictures."""


def pose(facing: float) -> Array:
    """24 joints (24, 3) m of a T-pose turned by `facing`, about the pelvis, in camera axes."""
    rest = DEFAULT_SKELETON.rest_positions()[:24] - DEFAULT_SKELETON.rest_positions()[0]
    turned = np.stack(
        [
            rest[:, 0] * np.cos(facing) - rest[:, 1] * np.sin(facing),
            rest[:, 0] * np.sin(facing) + rest[:, 1] * np.cos(facing),
        ]
    )
    return np.stack([turned[0], -rest[:, 2], turned[1]], axis=-1)


def detection(frame: int, facing: float, place: float, **changes: Any) -> dict[str, Any]:
    joints = pose(facing)
    pixels = np.concatenate([(joints[:, :2] + [place, 0.0]) * PIXELS + 900.0, np.ones((24, 1))], axis=-1)
    whole = {
        "image_id": f"{frame}.jpg",
        "category_id": 1,
        "keypoints": pixels.ravel().tolist(),
        "score": 3.0,
        "box": [0.0, 0.0, 1.0, 1.0],
        "idx": 1,
        "pred_xyz_jts": joints.tolist(),
    }
    return {key: value for key, value in (whole | changes).items() if value is not None}


def couple(frames: int = 12) -> list[dict[str, Any]]:
    """Two who stand 0.9 m apart, each turning their own way; who comes first changes with every picture."""
    result = []
    for f in range(frames):
        both = [detection(f, 0.05 * f, 0.3), detection(f, np.pi - 0.05 * f, -0.6)]
        result += both if f % 2 == 0 else both[::-1]
    return result


def saved(folder: Path, result: Any) -> Path:
    path = folder / "poses.json"
    path.write_text(result if isinstance(result, str) else json.dumps(result))
    return path


def test_dancers_are_tracked_as_the_authors_track_them(corpus: Path) -> None:
    """Their rows alternate between the two dancers; they have smoothed them, but never swapped."""
    frames, poses, pixels, scores, _ = alphapose._parse_detections(corpus / RESULTS)
    rows = np.load(corpus / LINKED)
    tracks = alphapose._track_dancers(frames, poses, pixels, scores)
    assert [len(track) for track in tracks] == [296, 267]
    for track, own, other in ((tracks[0], rows[0::2], rows[1::2]), (tracks[1], rows[1::2], rows[0::2])):
        near, far = (np.abs(poses[track] - theirs[frames[track]]).max(axis=(1, 2)) for theirs in (own, other))
        assert (near < far).all()


def test_real_dancers_share_one_world_space(corpus: Path) -> None:
    clip = read(corpus / RESULTS)
    assert [len(motion) for motion in clip.motions] == [297, 297]
    assert (clip.source.fps, clip.source.units) == (30.0, 1.0)
    assert min(floor_height(motion.positions) for motion in clip.motions) == pytest.approx(0.0, abs=1e-9)
    assert max(floor_height(motion.positions) for motion in clip.motions) < 0.25
    apart = np.linalg.norm(clip.motions[0].root - clip.motions[1].root, axis=-1)
    assert 0.05 < apart.min() < np.median(apart) < apart.max() < 1.5
    for motion in clip.motions:
        assert np.linalg.norm(np.diff(motion.root, axis=0), axis=-1).max() < 0.2
        assert np.mean(motion.positions[:, INDEX["jaw"], 2] > motion.root[:, 2]) > 0.99


def test_missed_detections_are_interpolated_and_reported(corpus: Path) -> None:
    assert read(corpus / RESULTS).warnings == (
        "alphapose_test-results.json: no frame rate found, 30 a second assumed; --fps gives the true one",
        "alphapose_test-results.json: dancer 1 not detected in 1 of 297 frames, interpolated",
        "alphapose_test-results.json: dancer 2 not detected in 30 of 297 frames, interpolated",
    )


def test_positions_and_poses_are_recovered(tmp_path: Path) -> None:
    first, second = read(saved(tmp_path, couple())).motions
    np.testing.assert_allclose(second.root - first.root, np.tile([-0.9, 0.0, 0.0], (12, 1)), atol=1e-6)
    camera_pose = pose(0.25)[:, [0, 2, 1]] * [1.0, 1.0, -1.0]
    np.testing.assert_allclose(first.positions[5, :22] - first.root[5], camera_pose[:22], atol=1e-6)


def test_duplicate_detections_and_passers_by_are_dropped(tmp_path: Path) -> None:
    result = couple()
    ghost = detection(6, 0.3, 0.35, score=2.0)
    missing = [one for one in result if one["image_id"] != "6.jpg"] + [result[12], ghost]
    first, second = read(saved(tmp_path, missing)).motions
    whole = read(saved(tmp_path, result)).motions
    np.testing.assert_allclose(first.positions, whole[0].positions, atol=1e-3)
    np.testing.assert_allclose(second.positions, whole[1].positions, atol=0.02)
    passing = [*result, detection(3, 1.0, 2.0, score=1.0)]
    for motion, same in zip(read(saved(tmp_path, passing)).motions, whole, strict=True):
        np.testing.assert_array_equal(motion.positions, same.positions)


def test_one_dancer_alone_is_one_motion_at_the_rate_given(tmp_path: Path) -> None:
    clip = read(saved(tmp_path, [detection(f, 0.05 * f, 0.0) for f in range(9)]), fps=25.0)
    assert [len(motion) for motion in clip.motions] == [9]
    assert clip.motions[0].fps == clip.source.fps == 25.0
    assert clip.warnings == ()


@pytest.mark.parametrize(
    ("result", "complaint"),
    [
        ("{", "poses.json: AlphaPose results expected, no JSON found"),
        ("[]", "poses.json: AlphaPose results expected, a list of detections"),
        ({"0.jpg": {}}, "poses.json: AlphaPose results expected, a list of detections"),
        (
            [detection(0, 0.0, 0.0, pred_xyz_jts=None)],
            r"poses.json: 3D joints expected, 2D keypoints of AlphaPose or COCO",
        ),
        ([detection(0, 0.0, 0.0, image_id="x.jpg")], r"detection 0: an image file name with .*'x.jpg' found"),
        ([detection(0, 0.0, 0.0, pred_xyz_jts=[[1.0, 2.0]])], r"detection 0: numbers in groups of three expected"),
        ([detection(0, 0.0, 0.0, keypoints=["a"] * 72)], r"detection 0: numbers in groups of three expected"),
        (
            [detection(0, 0.0, 0.0, pred_xyz_jts=pose(0.0)[:17].tolist())],
            r"24 or 29 joints, .* expected, 17 and 24 found",
        ),
        ([detection(0, 0.0, 0.0, keypoints=[float("nan")] * 72)], "poses.json, detection 0: finite numbers expected"),
        ([detection(0, 0.0, 0.0, pred_xyz_jts=[[1e9] * 3] * 24)], "poses.json, row 0, pelvis: a position in metres"),
        (
            [detection(0, 0.0, 0.0, pred_xyz_jts=[[0.0] * 3] * 24)],
            "poses.json: pixel coordinates that match the joints in metres expected",
        ),
        ([1, 2], "poses.json: AlphaPose results expected"),
    ],
)
def test_invalid_results_are_refused_in_one_sentence(tmp_path: Path, result: Any, complaint: str) -> None:
    with pytest.raises(BadFile, match=complaint) as refused:
        read(saved(tmp_path, result))
    assert "\n" not in str(refused.value)


def test_a_truncated_file_is_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"poses\.json: AlphaPose results expected, no JSON found"):
        read(saved(tmp_path, (corpus / RESULTS).read_text()[:100_000]))


def test_a_byte_order_mark_and_dated_image_names_change_nothing(tmp_path: Path) -> None:
    plain = read(saved(tmp_path, couple()), fps=30.0)
    dated = [one | {"image_id": f"clip_2024-05-01_{one['image_id'][:-4]}_1080p.png"} for one in couple()]
    (tmp_path / "dated.json").write_text(json.dumps(dated), "utf-8-sig")
    clip = read(tmp_path / "dated.json", fps=30.0)
    assert (len(clip.motions), len(clip.motions[0])) == (2, 12)
    for found, expected in zip(clip.motions, plain.motions, strict=True):
        np.testing.assert_array_equal(found.positions, expected.positions)
