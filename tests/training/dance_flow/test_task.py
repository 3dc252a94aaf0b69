"""Training of dance-flow: its buffers, runs of a few steps from nothing and from weights, and what they leave."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.models.dance_flow.network import DanceFlow
from backend.models.dance_flow.pipeline import DanceFlowPipeline
from backend.models.motion_flow.conditions import MotionFlowConfig
from backend.models.motion_flow.network import INITIAL_PASTS
from backend.models.partner_flow.network import PartnerFlow
from backend.music.pulse import dance_pulse
from backend.wire.messages import DanceRequest
from rigs import files
from rigs.choreography.beat_alignment import speed_rhythm
from rigs.contacts import floor_height
from rigs.files import BadFile
from tests.backend.models.small_networks import SMALL
from tests.training.choreo_bridge.pairs import dancer, folder_of_pairs, pairs, song
from tests.training.dance_flow.small_training import CONFIG, couple_pairs, network_with_buffers, small_config
from training.dance_flow.dataset import DanceFlowWindows, role_of
from training.dance_flow.task import train
from training.dance_flow.validation import DanceFlowValidation
from training.data.music_pairs import Pair
from training.motion_flow.task import MotionFlowTask

FPS = 30.0
TEMPO = 8
"""Index of the tempo among the music features."""


@pytest.fixture(scope="module")
def couples() -> list[Pair]:
    return couple_pairs()


@pytest.fixture(scope="module")
def network(couples: list[Pair]) -> DanceFlow:
    return network_with_buffers(couples)


def test_each_role_has_its_dancers_bodies(network: DanceFlow, couples: list[Pair]) -> None:
    assert np.allclose(network.bone_offsets[0].numpy(), couples[0].dancer.skeleton.offsets, atol=1e-6)
    floors = [np.mean([floor_height(p.dancer.positions) for p in couples if role_of(p) == role]) for role in range(2)]
    assert np.allclose(network.floor_heights.numpy(), floors, atol=1e-4)
    assert floors[1] - floors[0] == pytest.approx(0.2, abs=0.01)


def test_the_network_has_the_statistics_of_music_and_dancers(network: DanceFlow) -> None:
    assert torch.isfinite(network.leader_mean).all()
    assert (network.leader_scale >= 0.05).all()
    assert (network.partner_scale >= 0.03).all()
    assert float(network.leader_mean[TEMPO]) == pytest.approx(np.log2(180 / 165), abs=1e-3)


def test_the_network_has_the_dancers_mean_rhythm(network: DanceFlow, couples: list[Pair]) -> None:
    rows = [
        speed_rhythm(p.dancer.positions, dance_pulse(p.score).counts_at(np.arange(180) / FPS), FPS) for p in couples
    ]
    assert np.allclose(network.rhythm.numpy() @ [1.0, 1.0j], np.mean(rows, axis=0), atol=1e-6)


def test_initial_pasts_are_of_all_counts_in_their_own_floor_frames(network: DanceFlow) -> None:
    targets = 8.0 * np.arange(INITIAL_PASTS) / INITIAL_PASTS
    for role in range(2):
        distance = (network.initial_counts[role].numpy() - targets + 4.0) % 8.0 - 4.0
        assert np.abs(distance).max() < 0.1
    assert network.initial_pasts[:, :, -1, :2].abs().max() < 1e-4  # the pelvis is over the origin
    heights = network.initial_pasts[..., 2].mean(dim=(1, 2))
    assert float(heights[0]) == pytest.approx(float(heights[1]) - 0.2, abs=0.05)


def test_the_loss_falls(couples: list[Pair]) -> None:
    network, windows = network_with_buffers(couples), DanceFlowWindows(pairs(2), SMALL, small_config())
    task = MotionFlowTask(network, windows.config, DanceFlowValidation(couples, couples[:1]))
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    first = 1 + SMALL.history
    for step in range(100):
        torch.manual_seed(step)
        batch = windows.batch(np.random.default_rng(step))
        terms = task.loss_terms(batch.poses[1:first], batch, first)
        optimizer.zero_grad()
        (terms["flow"] + 2.0 * terms["position"]).backward()
        optimizer.step()
        losses.append(float(terms["position"].detach()))
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:5])


def write_small_training(folder: Path) -> tuple[Path, Path]:
    """Write a folder of pairs, and the TOML file of a training of a few small steps on it."""
    data = folder_of_pairs(folder / "pairs", 4)
    text = CONFIG.read_text()
    for name, value in (("steps", "4"), ("batch", "4"), ("speeds", "[1.0]")):
        text, changed = re.subn(rf"^{name} = (\[.*?\]|\S+)", f"{name} = {value}", text, flags=re.MULTILINE)
        assert changed == 1
    config = folder / "config.toml"
    config.write_text(text + "\n[network]\nwidth = 16\nlayers = 1\nheads = 2\n")
    return data, config


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dance")
    data, config = write_small_training(folder)
    train(data, folder / "run", config, resume=False)
    return folder


def test_training_leaves_weights_that_dance(run: Path) -> None:
    weights = run / "run" / "dance-flow.safetensors"
    assert DanceFlow.load(weights).config.width == 16
    score = song(1)
    dance = DanceFlowPipeline(weights, "cpu").dance(DanceRequest(score), lambda fraction, what: None, lambda: False)
    assert abs(dance.seconds - score.seconds[-1]) < 1.0 / 30.0
    assert np.isfinite(dance.positions).all()


def test_training_leaves_a_card_that_calls_the_pairs_synthetic(run: Path) -> None:
    card = (run / "run" / "dance-flow.md").read_text()
    for part in ("Synthetic pairs", "| train | take0, take1 |", "| test | take3 |", "| frechet |", "| in time |"):
        assert part in card


def test_resuming_an_ended_training_changes_nothing(run: Path) -> None:
    weights = run / "run" / "dance-flow.safetensors"
    before = DanceFlow.load(weights).state_dict()
    train(run / "pairs", run / "run", run / "config.toml", resume=True)
    for name, tensor in DanceFlow.load(weights).state_dict().items():
        assert torch.equal(tensor, before[name]), name


def without_learning(run: Path, folder: Path) -> Path:
    """The TOML file of a run with a learning rate near 0."""
    config = folder / "still.toml"
    config.write_text(re.sub(r"^rate = \S+", "rate = 1e-12", (run / "config.toml").read_text(), flags=re.MULTILINE))
    return config


def test_training_starts_from_a_partner_flow_s_weights_but_for_its_leader(run: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    partner_flow = PartnerFlow(MotionFlowConfig(width=24, layers=2, heads=2))
    partner_flow.partner_mean.normal_()
    weights = tmp_path / "partner.safetensors"
    partner_flow.save(weights)
    train(run / "pairs", tmp_path / "run", without_learning(run, tmp_path), resume=False, weights=weights)
    dance_flow = DanceFlow.load(tmp_path / "run" / "dance-flow.safetensors")
    assert dance_flow.config == partner_flow.config
    assert torch.allclose(dance_flow.partner_mean, partner_flow.partner_mean, atol=2e-3)
    for name, before in partner_flow.named_parameters():
        if not name.startswith("leader_proj"):
            assert torch.allclose(dance_flow.get_parameter(name), before, atol=2e-3, rtol=1e-3), name
    assert dance_flow.leader_proj.in_features == 8 * DanceFlow.leader_dim
    assert float(dance_flow.leader_mean[TEMPO]) == pytest.approx(np.log2(180 / 165), abs=1e-2)


@pytest.mark.filterwarnings("error:Found .* in eval mode")
def test_training_starts_from_a_dance_flow_s_weights(run: Path, tmp_path: Path) -> None:
    weights = run / "run" / "dance-flow.safetensors"
    train(run / "pairs", tmp_path / "run", without_learning(run, tmp_path), resume=False, weights=weights)
    before, after = DanceFlow.load(weights), DanceFlow.load(tmp_path / "run" / "dance-flow.safetensors")
    for name, parameter in before.named_parameters():
        assert torch.allclose(after.get_parameter(name), parameter, atol=1e-4), name


def test_a_config_with_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG.read_text().replace("beside =", "behind ="))
    with pytest.raises(BadFile, match="missing or unknown settings: behind, beside"):
        train(tmp_path, tmp_path / "run", tmp_path / "config.toml", resume=False)


def test_a_folder_that_cannot_be_split_leaves_no_run(tmp_path: Path) -> None:
    files.write(tmp_path / "a.npz", dancer(0))
    with pytest.raises(BadFile, match="no pairs found"):
        train(tmp_path, tmp_path / "run", CONFIG, resume=False)
    assert not (tmp_path / "run").exists()
