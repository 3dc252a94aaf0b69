"""Camera framing by projection: every dancer stays in frame."""

import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.media import camera_framing
from motions import swaying_motion

from rigs import Array
from rigs.motion import translate

WIDTH, HEIGHT = 0.33, 0.185


def pair(travel: float, apart: float = 0.7) -> Array:
    leader, partner = swaying_motion(frames=120), swaying_motion(frames=120, x=apart)
    way = np.linspace(0.0, travel, 120)[:, None] * np.array([0.6, 0.8, 0.0])
    return np.stack([translate(leader, way).positions, translate(partner, way).positions], axis=1)


def projected(view: camera_framing.CameraPath, points: Array) -> tuple[Array, Array, Array]:
    right = np.cross(view.forward, view.up)
    away = points - view.eye[:, None, None]
    depth = away @ view.forward
    return away @ right / depth / WIDTH, away @ view.up / depth / HEIGHT, depth


@pytest.mark.parametrize("travel", [0.0, 3.0, 12.0])
def test_everyone_stays_in_the_picture_in_every_frame(travel: float) -> None:
    dancers = pair(travel)
    across, above, depth = projected(camera_framing.frame_dancers(dancers, 30.0, width=WIDTH, height=HEIGHT), dancers)
    assert depth.min() > 1.0
    assert np.abs(across).max() < 1.0
    assert np.abs(above).max() < 1.0


def test_the_pair_fills_the_picture() -> None:
    dancers = pair(0.0)
    _, above, _ = projected(camera_framing.frame_dancers(dancers, 30.0, width=WIDTH, height=HEIGHT), dancers)
    assert np.ptp(above) > 1.2


def test_the_dancers_stand_beside_each_other_and_not_behind() -> None:
    dancers = pair(0.0)
    across, _, _ = projected(camera_framing.frame_dancers(dancers, 30.0, width=WIDTH, height=HEIGHT), dancers)
    assert np.abs(across[:, 0, 0] - across[:, 1, 0]).min() > 0.2


def test_the_camera_follows_without_haste() -> None:
    dancers = pair(3.0)
    view = camera_framing.frame_dancers(dancers, 30.0, width=WIDTH, height=HEIGHT)
    speed = np.linalg.norm(np.diff(view.eye, axis=0), axis=-1) * 30.0
    assert 0.0 < speed.max() < 1.0
    assert np.abs(np.diff(speed)).max() < 0.05


def test_one_dancer_alone_is_framed() -> None:
    dancers = pair(0.0)[:, :1]
    across, above, _ = projected(camera_framing.frame_dancers(dancers, 30.0, width=WIDTH, height=HEIGHT), dancers)
    assert max(np.abs(across).max(), np.abs(above).max()) < 1.0
