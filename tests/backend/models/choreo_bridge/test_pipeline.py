"""choreo-bridge's pipeline: whole dances and scores from overlapping windows."""

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.models.choreo_bridge.network import ChoreoBridge, ChoreoBridgeConfig, save
from backend.models.choreo_bridge.pipeline import ChoreoBridgePipeline, interpolate_catmull_rom, overlap_add
from backend.models.choreo_bridge.pose_features import root_relative_poses
from backend.music.score import Meter, Note, Score, part_from_notes
from backend.wire.messages import Cancelled, ComposeRequest, DanceRequest
from rigs.motion import Motion
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON


def ignore_progress(fraction: float, what: str) -> None:
    """A progress callback that does nothing."""


def never() -> bool:
    return False


def save_random_weights(folder: Path, joints: int = 29) -> Path:
    """Save an untrained network whose music has notes and whose dancer has the shape of a real one."""
    torch.manual_seed(4)
    network = ChoreoBridge(ChoreoBridgeConfig(joints=joints, latent=16, bridge=4))
    with torch.no_grad():
        for layer in (m for m in network.bridges.modules() if isinstance(m, torch.nn.Linear)):
            layer.weight.mul_(3.0)  # as torch initializes them, the output hardly depends on the input
        rest = torch.from_numpy(root_relative_poses(sample_dance()[:1], np.zeros(32), joints)).float()
        network.vae("dance").decoder[-1].bias.copy_(torch.atanh(rest / 1.25).flatten())
        network.vae("music").decoder[-1].bias.copy_(0.3 * torch.rand(32 * 128))
    save(folder / "bridge.safetensors", network, DEFAULT_SKELETON.offsets)
    return folder / "bridge.safetensors"


@pytest.fixture(scope="module", params=[29, 33])
def pipeline(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ChoreoBridgePipeline:
    return ChoreoBridgePipeline(save_random_weights(tmp_path_factory.mktemp("weights"), request.param), "cpu")


def piece(steps: int, meters: tuple[Meter, ...] = (Meter(0),)) -> Score:
    """A bass note on every beat, at 120 beats a minute."""
    bass = part_from_notes([Note(28, 90, step, step + 2) for step in range(0, steps, 4)], steps)
    rest = part_from_notes([], steps)
    return Score(rest, bass, rest, np.arange(steps + 1) / 8, meters)


def test_overlapping_windows_are_averaged_and_gaps_are_marked() -> None:
    windows = np.stack([np.full((32, 1), 1.0), np.full((32, 1), 3.0), np.full((32, 1), 5.0)])
    joined, covered = overlap_add(windows, np.array([0, 16, 60]), 80)
    assert (joined[:16] == 1.0).all()
    assert 1.0 < joined[16, 0] < joined[31, 0] < 3.0
    np.testing.assert_allclose(joined[23:25, 0].mean(), 2.0)
    np.testing.assert_allclose(joined[60:, 0], 5.0)
    assert np.flatnonzero(~covered).tolist() == list(range(48, 60))


def test_curves_between_uneven_steps_follow_a_parabola_and_hold_at_the_ends() -> None:
    seconds = np.array([0.0, 0.5, 0.7, 1.5, 2.0])
    values = np.stack([seconds**2, 3.0 * seconds], axis=-1)
    at = np.linspace(0.5, 1.5, 20)
    np.testing.assert_allclose(
        interpolate_catmull_rom(seconds, values, at), np.stack([at**2, 3.0 * at], axis=-1), atol=1e-9
    )
    np.testing.assert_allclose(interpolate_catmull_rom(seconds, values, np.array([-1.0, 9.0])), values[[0, -1]])


@pytest.mark.parametrize(
    ("steps", "meters"), [(64, (Meter(0),)), (20, (Meter(0),)), (100, (Meter(0, 1, 4), Meter(4, 3, 4)))]
)
def test_a_dance_lasts_as_long_as_its_music_at_the_rate_asked_for(
    pipeline: ChoreoBridgePipeline, steps: int, meters: tuple[Meter, ...]
) -> None:
    request = DanceRequest(piece(steps, meters), model="choreo-bridge", fps=50.0)
    dance = pipeline.dance(request, ignore_progress, never)
    assert dance.fps == 50.0
    assert len(dance) == request.frames == int(steps / 8 * 50) + 1
    assert np.isfinite(dance.positions).all()
    np.testing.assert_allclose(dance.positions[..., 2].min(axis=1), 0.0, atol=1e-9)
    assert (np.abs(dance.root[:, :2]) < 0.5).all()


def test_the_dance_depends_on_the_music(pipeline: ChoreoBridgePipeline) -> None:
    other = piece(64)
    louder = part_from_notes([Note(70 + step % 8, 127, step, step + 1) for step in range(64)], 64)
    other = Score(other.drums, other.bass, louder, other.seconds)
    one, two = (pipeline.dance(DanceRequest(score), ignore_progress, never) for score in (piece(64), other))
    assert np.abs(one.positions - two.positions).max() > 1e-3


def test_music_begins_with_the_dance_and_ends_with_it(pipeline: ChoreoBridgePipeline) -> None:
    dance = sample_dance()
    score = pipeline.compose(ComposeRequest((dance,), model="choreo-bridge"), ignore_progress, never)
    step = float(np.median(np.diff(score.seconds)))
    assert score.seconds[0] == 0.0
    assert (np.diff(score.seconds) > 0.0).all()
    assert abs(score.seconds[-1] - dance.seconds) <= step
    assert step == pytest.approx(1.0 / 12.0, rel=0.02)  # the sample dance steps 180 times a minute
    assert all(part.onset.any() for part in (score.drums, score.bass, score.melody))


def test_a_given_tempo_and_the_parts_asked_for_are_kept(pipeline: ChoreoBridgePipeline) -> None:
    request = ComposeRequest((sample_dance()[:200],), model="choreo-bridge", tempo=90.0, parts=("bass",))
    score = pipeline.compose(request, ignore_progress, never)
    np.testing.assert_allclose(np.diff(score.seconds), 1.0 / 6.0)
    assert score.bass.onset.any()
    assert not score.drums.onset.any()
    assert not score.melody.onset.any()


def test_a_dancer_who_stands_is_asked_for_a_tempo(pipeline: ChoreoBridgePipeline) -> None:
    still = Motion(30.0, DEFAULT_SKELETON, np.zeros((200, 3)), np.tile([1.0, 0.0, 0.0, 0.0], (200, 29, 1)))
    with pytest.raises(ValueError, match="tempo: no beat found in the dance, beats a minute expected"):
        pipeline.compose(ComposeRequest((still,)), ignore_progress, never)


def test_a_dance_can_be_cancelled(pipeline: ChoreoBridgePipeline) -> None:
    with pytest.raises(Cancelled):
        pipeline.dance(DanceRequest(piece(64)), ignore_progress, lambda: True)
