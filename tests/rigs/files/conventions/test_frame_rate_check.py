"""Frame-rate check: rates that steps or jumps contradict are reported, true ones are not."""

from dataclasses import replace
from pathlib import Path

import pytest

from rigs import pose_fitting
from rigs.files import read
from rigs.files.conventions import frame_rate_check
from rigs.files.conventions.frame_rate_check import doubt_frame_rate
from tests.rigs.files.bvh.bvh_files import ZOO
from tests.rigs.files.conventions import posed_clips


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


@pytest.mark.parametrize("clip", posed_clips.CLIPS)
def test_no_true_rate_is_doubted(clip: str) -> None:
    assert doubt_frame_rate(posed_clips.motion(clip)) is None


@pytest.mark.parametrize("speed", [3.5, 5.0, 9.0])
@pytest.mark.parametrize("lift", [0.15, 0.5])
def test_fast_running_is_no_wrong_rate(speed: float, lift: float) -> None:
    positions = posed_clips.running(6.0, speed, 1.2 + 0.1 * speed, lift)
    assert doubt_frame_rate(pose_fitting.fit_motion(positions, posed_clips.FPS)) is None


@pytest.mark.parametrize("clip", ["jumps", "trampoline"])
@pytest.mark.parametrize("rate", [10.0, 15.0, 60.0, 120.0])
def test_jumps_tell_the_rate_in_both_directions(clip: str, rate: float) -> None:
    motion = replace(posed_clips.motion(clip), fps=rate)
    doubt = doubt_frame_rate(motion)
    assert doubt is not None
    assert doubt.better == posed_clips.FPS
    assert doubt.confidence >= 0.8
    (warning,) = frame_rate_check.frame_rate_warnings(motion, "x.bvh")
    assert f"its {rate:g} frames a second may be wrong, 30 would fit better, --fps (Frame Rate in" in warning


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_jumps_of_a_real_dance_tell_its_rate(corpus: Path, factor: float) -> None:
    motion = read(corpus / "bvh_zoo" / "AD_rokoko_jesse_dance.bvh").motions[0]
    doubt = doubt_frame_rate(replace(motion, fps=motion.fps * factor))
    assert doubt is not None
    assert doubt.better == motion.fps == 100.0


def test_slow_movement_without_jumps_is_not_doubted(corpus: Path) -> None:
    motion = read(corpus / "salsa/salsa_01_leader.bvh").motions[0]
    assert doubt_frame_rate(replace(motion, fps=30.0)) is None
