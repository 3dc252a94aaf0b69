"""Piano-roll plots: which part is where, at which time and pitch, and how dark."""

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import rgb_to_hsv

from backend.music.score import Note, Score, part_from_notes
from training.experiment.plots import plot_piano_roll

HUES = {"drums": 15 / 360, "bass": 211 / 360, "melody": 175 / 360}


def plotted(path, *, span=None, **parts) -> np.ndarray:
    """The picture (H, W, 3) of a score of four bars in eight seconds; notes of (pitch, velocity, first step, end)."""
    notes = (part_from_notes((Note(*note) for note in parts.get(name, ())), 64) for name in HUES)
    plot_piano_roll(Score(*notes, np.arange(65) / 8), path, span=span)
    return pyplot.imread(path)[..., :3]


def points_of(part: str, picture: np.ndarray) -> np.ndarray:
    """(N, 2) the row and column, 0 to 1, of each point in a part's colour."""
    hue, saturation, _ = np.moveaxis(rgb_to_hsv(picture), -1, 0)
    return np.argwhere((np.abs(hue - HUES[part]) < 0.03) & (saturation > 0.15)) / picture.shape[:2]


@pytest.mark.parametrize(("part", "pitch"), [("drums", 38), ("bass", 40), ("melody", 67)])
def test_each_part_is_drawn_in_its_panel_and_no_other(tmp_path, part, pitch):
    picture = plotted(tmp_path / "roll.png", **{part: [(pitch, 100, 0, 16)]})
    assert len(points_of(part, picture)) > 20
    assert not any(len(points_of(other, picture)) for other in HUES if other != part)


def test_time_goes_to_the_right_and_pitch_upwards(tmp_path):
    picture = plotted(tmp_path / "roll.png", melody=[(60, 100, 0, 4), (72, 100, 48, 52)])
    points = points_of("melody", picture)
    first, second = (points[inside] for inside in (points[:, 1] < 0.5, points[:, 1] >= 0.5))
    assert first[:, 0].min() > second[:, 0].max()
    across = second[:, 1].min() - first[:, 1].min()
    assert across == pytest.approx(0.75 * (1.0 - first[:, 1].min()), abs=0.03)


def test_a_note_is_as_long_as_it_lasts_and_as_dark_as_its_velocity_is_high(tmp_path):
    def darkness_and_length(velocity: int, end: int) -> tuple[float, float]:
        picture = plotted(tmp_path / "roll.png", melody=[(60, velocity, 8, end)])
        points = points_of("melody", picture)
        rows, columns = np.rint(points * picture.shape[:2]).astype(int).T
        return float(np.median(picture[rows, columns].sum(-1))), float(np.ptp(points[:, 1]))

    assert darkness_and_length(40, 24)[0] > 1.2 * darkness_and_length(120, 24)[0]
    assert darkness_and_length(100, 40)[1] == pytest.approx(2.0 * darkness_and_length(100, 24)[1], rel=0.05)


def test_a_span_shows_only_what_lies_in_it(tmp_path):
    notes = [(60, 100, 0, 4), (72, 100, 48, 52)]
    points = points_of("melody", plotted(tmp_path / "roll.png", melody=notes, span=(4.0, 8.0)))
    assert points[:, 1].min() > 0.5
    assert not len(points_of("melody", plotted(tmp_path / "roll.png", melody=notes, span=(1.0, 4.0))))


def test_nothing_is_left_beside_the_picture(tmp_path):
    plotted(tmp_path / "roll.png")
    assert [path.name for path in tmp_path.iterdir()] == ["roll.png"]
