"""Files that the command's tests read."""

import re
from pathlib import Path

import numpy as np
import pytest

from rigs import files
from rigs.motion import mirror, resample, translate
from tests.backend.cli.command import dance, legs


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of a few dancers, good and bad."""
    folder = tmp_path_factory.mktemp("shelf")
    leader = dance(60.0)
    files.write(folder / "leader.bvh", leader)
    files.write(folder / "partner.bvh", translate(mirror(leader), np.array([0.0, -1.0, 0.0]))[:50])
    files.write(folder / "slow_partner.bvh", resample(translate(mirror(leader), np.array([0.0, -1.0, 0.0]))[:50], 25.0))
    files.write(folder / "pair.npz", [leader, translate(mirror(leader), np.array([0.0, -3.0, 0.0]))])
    text = (folder / "leader.bvh").read_text()
    middle = text.index("\n", len(text) * 2 // 3) + 1
    (folder / "damaged.bvh").write_text(text[:middle] + "1 2 3\n" + text[middle:])
    (folder / "empty.bvh").touch()
    (folder / "nameless_arms.bvh").write_text(re.sub(r"\w+_(collar|shoulder|elbow|wrist|thumb|middle)\b", "prop", text))
    (folder / "armless.bvh").write_text(legs())
    return folder
