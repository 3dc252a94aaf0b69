"""The choreographic bridge: its published sizes, its file, and what becomes of whole pieces of dance and music."""

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.models.choreo_bridge.network import ChoreoBridge, ChoreoBridgeConfig, TrainedChoreoBridge, load, save
from backend.models.choreo_bridge.pipeline import ChoreoBridgePipeline, interpolate_catmull_rom, overlap_add
from backend.models.choreo_bridge.pose_features import blazepose_landmarks, root_relative_poses
from backend.music.score import Meter, Note, Score, part_from_notes
from backend.wire.messages import Cancelled, ComposeRequest, DanceRequest
from rigs.files import blazepose
from rigs.motion import Motion
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, JOINTS


def silent(fraction: float, what: str) -> None:
    """Progress that nobody follows."""


def never() -> bool:
    return False


def weights(folder: Path, joints: int = 29) -> Path:
    """A network that has learnt nothing, but whose music sounds and whose dancer has the shape of a real one."""
    torch.manual_seed(4)
    network = ChoreoBridge(ChoreoBridgeConfig(joints=joints, latent=16, bridge=4))
    with torch.no_grad():
        for layer in (m for m in network.bridges.modules() if isinstance(m, torch.nn.Linear)):
            layer.weight.mul_(3.0)  # as torch begins them, little of what goes in would come out
        rest = torch.from_numpy(root_relative_poses(sample_dance()[:1], np.zeros(32), joints)).float()
        network.vae("dance").decoder[-1].bias.copy_(torch.atanh(rest / 1.25).flatten())
        network.vae("music").decoder[-1].bias.copy_(0.3 * torch.rand(32 * 128))
    save(
        folder / "bridge.safetensors", TrainedChoreoBridge(network, torch.from_numpy(DEFAULT_SKELETON.offsets).float())
    )
    return folder / "bridge.safetensors"


@pytest.fixture(scope="module", params=[29, 33])
def pipeline(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ChoreoBridgePipeline:
    return ChoreoBridgePipeline(weights(tmp_path_factory.mktemp("weights"), request.param), "cpu")


def piece(steps: int, meters: tuple[Meter, ...] = (Meter(0),)) -> Score:
    """A bass note on every beat, at 120 beats a minute."""
    bass = part_from_notes([Note(28, 90, step, step + 2) for step in range(0, steps, 4)], steps)
    rest = part_from_notes([], steps)
    return Score(rest, bass, rest, np.arange(steps + 1) / 8, meters)


def test_the_networks_are_the_published_ones() -> None:
    network = ChoreoBridge(ChoreoBridgeConfig(joints=33))

    def sizes(layers: torch.nn.Module) -> list[tuple[int, int]]:
        return [(m.in_features, m.out_features) for m in layers.modules() if isinstance(m, torch.nn.Linear)]

    for side, width in (("music", 4096), ("dance", 32 * 33 * 3)):
        vae, bridge = network.vae(side), network.bridge(side)
        assert sizes(vae.encoder) == [(width, 512), (512, 256), (256, 128)]
        assert sizes(vae.mean) == sizes(vae.log_variance) == [(128, 128)]
        assert sizes(vae.decoder) == [(128, 128), (128, 256), (256, 512), (512, width)]
        assert sizes(bridge.encoder) == [(128, 256), (256, 128)]
        assert sizes(bridge.mean) == [(128, 32)]
        assert sizes(bridge.decoder) == [(32, 128), (128, 256), (256, 128)]


def test_either_side_goes_over_to_the_other_within_the_bounds_of_tanh() -> None:
    network = ChoreoBridge(ChoreoBridgeConfig())
    rolls, dance = 50.0 * torch.rand(2, 32, 128), 50.0 * torch.randn(2, 32, 29, 3)
    with torch.no_grad():
        made = network.translate(rolls, "music", "dance")
        assert made.shape == (2, 32, 29, 3)
        assert made.abs().max() <= 1.25
        made = network.translate(dance, "dance", "music")
        assert made.shape == (2, 32, 128)
        assert made.abs().max() <= 1.0
        assert network.reconstruct(dance, "dance").shape == dance.shape


def test_weights_come_back_in_half_precision(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = ChoreoBridge(ChoreoBridgeConfig(joints=5, latent=8, bridge=4))
    body = torch.from_numpy(DEFAULT_SKELETON.offsets).float()
    save(tmp_path / "bridge.safetensors", TrainedChoreoBridge(network, body))
    assert [path.name for path in tmp_path.iterdir()] == ["bridge.safetensors"]
    again = load(tmp_path / "bridge.safetensors")
    assert again.network.config == network.config
    torch.testing.assert_close(again.body, body)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(again.network.state_dict()[name], tensor, rtol=1e-3, atol=1e-6)


def test_poses_stand_around_the_pelvis_and_hold_behind_the_end() -> None:
    dance = sample_dance()
    found = root_relative_poses(dance, np.array([1.0, 2.0, 99.0]), 29)
    np.testing.assert_allclose(found[0], dance.positions[30] - dance.root[30], atol=1e-12)
    np.testing.assert_allclose(found[2], dance.positions[-1] - dance.root[-1], atol=1e-12)


def test_landmarks_lead_back_to_the_joints() -> None:
    """By way of the reader of BlazePose's files, within what a guess at nose and ears allows."""
    dance = sample_dance()[:200]
    seen = blazepose_landmarks(dance)
    assert seen.shape == (200, 33, 3)
    off = np.linalg.norm(blazepose.joints_from_landmarks(seen) - dance.positions, axis=-1).mean(axis=0)
    assert max(off) < 0.05, JOINTS[int(off.argmax())]
    left, right = (seen[:, blazepose.LANDMARKS.index(f"{side}_ear")] for side in ("left", "right"))
    np.testing.assert_allclose(np.linalg.norm(left - right, axis=-1), 0.15, atol=1e-9)


def test_overlapping_windows_are_averaged_and_a_gap_is_known() -> None:
    made = np.stack([np.full((32, 1), 1.0), np.full((32, 1), 3.0), np.full((32, 1), 5.0)])
    whole, known = overlap_add(made, np.array([0, 16, 60]), 80)
    assert (whole[:16] == 1.0).all()
    assert 1.0 < whole[16, 0] < whole[31, 0] < 3.0
    np.testing.assert_allclose(whole[23:25, 0].mean(), 2.0)
    np.testing.assert_allclose(whole[60:, 0], 5.0)
    assert np.flatnonzero(~known).tolist() == list(range(48, 60))


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
    dance = pipeline.dance(request, silent, never)
    assert dance.fps == 50.0
    assert len(dance) == request.frames == int(steps / 8 * 50) + 1
    assert np.isfinite(dance.positions).all()
    np.testing.assert_allclose(dance.positions[..., 2].min(axis=1), 0.0, atol=1e-9)
    assert (np.abs(dance.root[:, :2]) < 0.5).all()


def test_the_dance_depends_on_the_music(pipeline: ChoreoBridgePipeline) -> None:
    other = piece(64)
    louder = part_from_notes([Note(70 + step % 8, 127, step, step + 1) for step in range(64)], 64)
    other = Score(other.drums, other.bass, louder, other.seconds)
    one, two = (pipeline.dance(DanceRequest(score), silent, never) for score in (piece(64), other))
    assert np.abs(one.positions - two.positions).max() > 1e-3


def test_music_begins_with_the_dance_and_ends_with_it(pipeline: ChoreoBridgePipeline) -> None:
    dance = sample_dance()
    score = pipeline.compose(ComposeRequest((dance,), model="choreo-bridge"), silent, never)
    step = float(np.median(np.diff(score.seconds)))
    assert score.seconds[0] == 0.0
    assert (np.diff(score.seconds) > 0.0).all()
    assert abs(score.seconds[-1] - dance.seconds) <= step
    assert step == pytest.approx(1.0 / 12.0, rel=0.02)  # the sample dance steps 180 times a minute
    assert all(part.onset.any() for part in (score.drums, score.bass, score.melody))


def test_a_given_tempo_and_the_parts_asked_for_are_kept(pipeline: ChoreoBridgePipeline) -> None:
    request = ComposeRequest((sample_dance()[:200],), model="choreo-bridge", tempo=90.0, parts=("bass",))
    score = pipeline.compose(request, silent, never)
    np.testing.assert_allclose(np.diff(score.seconds), 1.0 / 6.0)
    assert score.bass.onset.any()
    assert not score.drums.onset.any()
    assert not score.melody.onset.any()


def test_a_dancer_who_stands_is_asked_for_a_tempo(pipeline: ChoreoBridgePipeline) -> None:
    still = Motion(30.0, DEFAULT_SKELETON, np.zeros((200, 3)), np.tile([1.0, 0.0, 0.0, 0.0], (200, 29, 1)))
    with pytest.raises(ValueError, match="tempo: no beat found in the dance, beats a minute expected"):
        pipeline.compose(ComposeRequest((still,)), silent, never)


def test_work_that_is_called_off_ends(pipeline: ChoreoBridgePipeline) -> None:
    with pytest.raises(Cancelled):
        pipeline.dance(DanceRequest(piece(64)), silent, lambda: True)
