"""Hidden markers are filled along with the body that carries them."""

import numpy as np

from rigs import Array, rotations
from rigs.files.markers.marker_gaps import fill_marker_gaps

HIPS, SHOULDERS = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")
BODY = {
    "left_hip": (0.12, -0.05, 1.0),
    "right_hip": (-0.12, -0.05, 1.0),
    "left_shoulder": (0.2, 0.0, 1.45),
    "right_shoulder": (-0.2, 0.0, 1.45),
    "left_hand": (0.6, -0.2, 1.2),
}


def spinning_and_travelling(frames: int = 100) -> dict[str, Array]:
    """A stiff body that turns once and travels 2 m."""
    turn = rotations.about_z(np.linspace(0.0, 2.0 * np.pi, frames))
    path = np.linspace((0.0, 0.0, 0.0), (2.0, 0.0, 0.0), frames)
    return {name: rotations.rotate(turn, np.array(place)) + path for name, place in BODY.items()}


def test_a_hand_that_is_hidden_for_half_a_turn_goes_around_with_the_body() -> None:
    truth, points = spinning_and_travelling(), spinning_and_travelling()
    points["left_hand"][20:70] = np.nan
    assert fill_marker_gaps(points, HIPS, SHOULDERS) == {"left_hand": 50}
    np.testing.assert_allclose(points["left_hand"], truth["left_hand"], atol=1e-9)


def test_the_ends_of_a_recording_are_filled_along_with_the_body() -> None:
    truth, points = spinning_and_travelling(), spinning_and_travelling()
    points["left_hand"][:10] = np.nan
    points["left_hand"][90:] = np.nan
    assert fill_marker_gaps(points, HIPS, SHOULDERS) == {"left_hand": 20}
    np.testing.assert_allclose(points["left_hand"], truth["left_hand"], atol=1e-9)


def test_markers_of_the_trunk_itself_are_interpolated_where_they_are() -> None:
    truth, points = spinning_and_travelling(), spinning_and_travelling()
    points["left_hip"][50:53] = np.nan
    points["right_shoulder"][10] = np.nan
    assert fill_marker_gaps(points, HIPS, SHOULDERS) == {"left_hip": 3, "right_shoulder": 1}
    for name, places in truth.items():
        np.testing.assert_allclose(points[name], places, atol=0.005)
