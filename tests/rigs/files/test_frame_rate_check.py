"""Frame-rate check: a doubled frame rate is detected, a true one is not reported."""

from pathlib import Path

import pytest

from rigs.files import frame_rate_check, read
from tests.rigs.files.bvh_files import ZOO


@pytest.mark.parametrize("take", ["01_leader", "05_follower", "07_leader", "10_leader"])
def test_a_doubled_frame_rate_is_reported_and_the_true_one_is_not(corpus: Path, take: str) -> None:
    motion = read(corpus / f"salsa/salsa_{take}.bvh").motions[0]
    assert frame_rate_check.frame_rate_warnings(motion, "salsa.bvh") == ()
    hasty = read(corpus / f"salsa/salsa_{take}.bvh", fps=120.0)
    (warning,) = hasty.warnings
    assert warning.startswith(f"salsa_{take}.bvh: steps of ")
    assert "its 120 frames a second may be wrong, 60 would fit better" in warning


def test_only_the_wrong_frame_time_is_reported_among_real_files(corpus: Path) -> None:
    doubted = {
        name
        for name in ZOO
        if any("frames a second" in warning for warning in read(corpus / f"bvh_zoo/{name}.bvh").warnings)
    }
    assert doubted == {"cmu_daz_60_01"}
    assert read(corpus / "bvh_zoo/cmu_daz_60_01.bvh", fps=60.0).warnings == ()
