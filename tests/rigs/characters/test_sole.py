"""Soles of synthetic characters in poses of known height."""

import numpy as np
import pytest

from rigs import rotations
from rigs.characters.humanoid import humanoid_from_rig
from rigs.characters.sole import find_sole
from rigs.skeleton import INDEX
from tests.rigs.characters.synthetic_characters import bone_map_of, make_rig, t_pose_bones

SIZE = 1.2
RIG = make_rig(t_pose_bones(SIZE), seed=4)
HUMANOID = humanoid_from_rig(RIG, bone_map_of(RIG))


@pytest.mark.parametrize("side", ["left", "right"])
def test_at_rest_the_sole_is_on_the_floor(side: str) -> None:
    ankle, ball = (INDEX[f"{side}_{joint}"] for joint in ("ankle", "foot"))
    foot, toes = HUMANOID.rest_rotations[[ankle, ball], None]
    lowest = find_sole(HUMANOID, side).lowest_height(foot, toes)
    np.testing.assert_allclose(lowest, HUMANOID.floor - HUMANOID.rest_positions[ankle, 2], atol=1e-9)


def test_on_tiptoe_the_lowest_point_is_the_tip_of_the_toes() -> None:
    ankle, ball, tip = (INDEX[f"left_{joint}"] for joint in ("ankle", "foot", "bigtoe"))
    down = rotations.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.pi / 2.0)
    foot, toes = rotations.multiply(down, HUMANOID.rest_rotations[[ankle, ball]])[:, None]
    length = HUMANOID.rest_positions[ankle, 1] - HUMANOID.rest_positions[tip, 1]
    np.testing.assert_allclose(find_sole(HUMANOID, "left").lowest_height(foot, toes), -length, atol=1e-9)
