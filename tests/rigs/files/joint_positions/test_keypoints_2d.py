"""2D keypoints of every usual program are refused with what is needed instead."""

import json
from pathlib import Path
from typing import Any

import pytest

from rigs.files import BadFile, read

POINTS = [100.0, 200.0, 0.9] * 17
BOX = [0.0, 0.0, 50.0, 150.0]
NEEDED = "lift the video to 3D with HybrIK, WHAM or GVHMR and open its result"

FILES: dict[str, tuple[str, Any]] = {
    "OpenPose": ("OpenPose", {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": POINTS}]}),
    "early OpenPose": ("OpenPose", {"version": 0.1, "people": [{"pose_keypoints": POINTS}]}),
    "COCO annotations": (
        "COCO",
        {"images": [{"id": 1}], "annotations": [{"image_id": 1, "keypoints": POINTS}], "categories": []},
    ),
    "COCO results": ("AlphaPose or COCO", [{"image_id": 1, "category_id": 1, "keypoints": POINTS, "score": 0.9}]),
    "AlphaPose": ("AlphaPose or COCO", [{"image_id": "0.jpg", "keypoints": POINTS, "score": 2.9, "box": BOX}]),
    "AlphaPose for CMU": ("AlphaPose", {"version": 0.1, "bodies": [{"joints": POINTS}]}),
    "MMPose": (
        "MMPose",
        {"instance_info": [{"frame_id": 0, "instances": [{"keypoints": [[1.0, 2.0]] * 17, "keypoint_scores": [1.0]}]}]},
    ),
    "MMPose of an image": ("MMPose", [{"keypoints": [[1.0, 2.0]] * 17, "keypoint_scores": [0.9] * 17, "bbox": [BOX]}]),
    "OpenPifPaf": ("OpenPifPaf", [{"keypoints": POINTS, "bbox": BOX, "score": 0.8, "category_id": 1}]),
    "MediaPipe": ("MediaPipe", {"frames": [{"poseLandmarks": [{"x": 0.5, "y": 0.4, "z": 0.0}] * 33}]}),
}


@pytest.mark.parametrize("program", FILES)
def test_2d_keypoints_are_refused_with_what_is_needed(tmp_path: Path, program: str) -> None:
    name, content = FILES[program]
    (tmp_path / "poses.json").write_text(json.dumps(content))
    with pytest.raises(BadFile) as refused:
        read(tmp_path / "poses.json")
    assert str(refused.value) == f"poses.json: 3D joints expected, 2D keypoints of {name} found; {NEEDED}"


def test_a_folder_of_openpose_results_is_refused_as_these(tmp_path: Path) -> None:
    folder = tmp_path / "poses"
    folder.mkdir()
    for frame in range(3):
        (folder / f"clip_{frame:012d}_keypoints.json").write_text(json.dumps(FILES["OpenPose"][1]))
    with pytest.raises(BadFile) as refused:
        read(folder)
    assert str(refused.value) == f"poses: a file expected, a folder found with 2D keypoints of OpenPose; {NEEDED}"
