"""Frame numbers from image names of all kinds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rigs.files import BadFile
from rigs.files.joint_positions.image_frames import image_frames

PATH = Path("poses.json")
IN_THEIR_ORDER = "poses.json: no number that counts one by one found in the image names; taken as frames in their order"


@pytest.mark.parametrize(
    "name",
    [
        "{}.jpg", "{:06d}.jpg", "clip_2024-05-01_{}_1080p.png", "2024-05-01 {:03d} take 2.png",
        "cam1/frame{:04d}_30fps.png",
        "frame_{:04d}_2.5.png", "IMG{:05d}-1920x1080.jpeg",
    ],
)  # fmt: skip
def test_the_number_that_counts_up_is_the_frame(name: str) -> None:
    images = [name.format(f) for f in range(8, 20) for _ in range(2)]
    frames, warnings = image_frames(PATH, images)
    np.testing.assert_array_equal(frames, np.repeat(np.arange(12), 2))
    assert warnings == []


def test_numbers_may_be_numbers_out_of_order_and_with_gaps() -> None:
    np.testing.assert_array_equal(image_frames(PATH, [7, 5, 12])[0], [2, 0, 7])


def test_of_two_numbers_that_count_the_one_in_small_steps_is_the_frame() -> None:
    frames, _ = image_frames(PATH, [f"{f:03d}_{f * 33:06d}ms.png" for f in (0, 1, 2, 5)])
    np.testing.assert_array_equal(frames, [0, 1, 2, 5])


@pytest.mark.parametrize(
    "names",
    [
        [f"{f // 25}m{f % 25}.png" for f in range(60)],  # no number of its own counts: seconds and frames
        [f"{1_700_000_000_000 + 33 * f}.png" for f in range(60)],  # time stamps
    ],
)
def test_images_without_a_counter_are_taken_in_order_with_a_warning(names: list[str]) -> None:
    shuffled = np.random.default_rng(1).permutation(len(names))
    frames, warnings = image_frames(PATH, [names[at] for at in shuffled])
    np.testing.assert_array_equal(frames, shuffled)
    assert warnings == [IN_THEIR_ORDER]


def test_one_image_is_one_frame() -> None:
    np.testing.assert_array_equal(image_frames(PATH, ["a_2024_1.png"] * 2)[0], [0, 0])


@pytest.mark.parametrize(
    ("images", "complaint"),
    [
        (["3.png", "still.png"], "poses.json, detection 1: an image file name with a number expected as 'image_id'"),
        ([1, None], "poses.json, detection 1: an image file name with a number expected"),
        (["left_1.png", "right_1.png"], "poses.json: a number that counts up expected in the image file names"),
    ],
)
def test_names_that_tell_no_order_are_refused(images: list[Any], complaint: str) -> None:
    with pytest.raises(BadFile, match=complaint):
        image_frames(PATH, images)
