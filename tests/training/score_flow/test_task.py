"""Training of score-flow on little data: the VAE and the flow learn, and weights are left that compose."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.models.score_flow.conditions import BarVAEConfig
from backend.models.score_flow.network.flow import load
from backend.models.score_flow.pipeline import ScoreFlowPipeline
from backend.music import midi
from backend.wire.messages import ComposeRequest
from rigs import files
from tests.training.score_flow.conftest import CONFIG
from training.data.music_pairs import MANIFEST, Pair
from training.score_flow.dataset import BarBatches, BarTable, ScoreFlowTrainingConfig
from training.score_flow.task import ScoreFlowTask, sliced_wasserstein, train
from training.score_flow.validation import reconstruction_f1


def test_the_vae_learns_to_reconstruct(task: ScoreFlowTask, table: BarTable, config: ScoreFlowTrainingConfig) -> None:
    network, batches = task.network, BarBatches(table, config)
    before, losses = reconstruction_f1(network, table), []
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for step in range(150):
        torch.manual_seed(step)
        terms = task.vae_loss(batches.sample_batch(np.random.default_rng(step)))
        loss = sum(terms.values(), torch.zeros(()))
        losses.append(float(terms["pitched"].detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = reconstruction_f1(network, table)
    assert after["drums"] > before["drums"] + 0.4
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])


def test_the_flow_learns_from_dance_and_past(
    task: ScoreFlowTask, table: BarTable, config: ScoreFlowTrainingConfig
) -> None:
    task.freeze_vae()
    network, batches = task.network, BarBatches(table, config)
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=2e-3)
    losses = []
    for step in range(120):
        torch.manual_seed(step)
        terms = task.flow_loss(batches.sample_batch(np.random.default_rng(step)))
        optimizer.zero_grad()
        sum(terms.values(), torch.zeros(())).backward()
        optimizer.step()
        losses.append([float(terms[name].detach()) for name in ("flow", "onset head")])
    first, last = np.mean(losses[:10], axis=0), np.mean(losses[-10:], axis=0)
    assert (last < 0.9 * first).all()


def test_the_vae_is_frozen_while_the_flow_is_trained(
    task: ScoreFlowTask, table: BarTable, config: ScoreFlowTrainingConfig
) -> None:
    task.freeze_vae()
    terms = task.flow_loss(BarBatches(table, config).sample_batch(np.random.default_rng(0)))
    (terms["flow"] + terms["contrastive"]).backward()
    assert all(p.grad is None for p in task.network.vae.parameters())
    assert any(p.grad is not None and p.grad.any() for p in task.network.dance_encoder.parameters())


def test_windows_of_one_song_or_recording_are_no_negatives(task: ScoreFlowTask, table: BarTable) -> None:
    apart, same = torch.tensor([0, 8, 16]), torch.tensor([0, 1, 2])
    points = torch.nn.functional.normalize(torch.randn(3, 16), dim=1)
    assert float(task.contrastive_loss(points, points.roll(1, 0), apart)) > 0.5
    assert float(task.contrastive_loss(points, points.roll(1, 0), same)) == pytest.approx(0.0, abs=1e-6)


def test_the_sliced_wasserstein_distance_of_a_shifted_cloud_is_the_shift() -> None:
    torch.manual_seed(0)
    cloud = torch.randn(200, 8)
    assert float(sliced_wasserstein(cloud, cloud[torch.randperm(200)])) == pytest.approx(0.0, abs=1e-9)
    distance = torch.tensor([float(sliced_wasserstein(cloud, cloud + 0.5)) for _ in range(50)]).mean()
    assert float(distance) == pytest.approx(8 * 0.25, rel=0.1)


def test_a_training_leaves_weights_that_compose(pairs: list[Pair], tmp_path: Path) -> None:
    folder = tmp_path / "pairs"
    folder.mkdir()
    for pair in pairs:
        files.write(folder / f"{pair.name}.npz", pair.dancer)
        midi.write(folder / f"{pair.name}.mid", pair.score)
    listed = [
        {"name": pair.name, "recording": pair.recording, "song": pair.song, "part": part}
        for pair, part in zip(pairs, ("train", "train", "train", "train", "validation", "test"), strict=True)
    ]
    (folder / MANIFEST).write_text(json.dumps({"pairs": listed}))
    text = re.sub(r"\ncoder_steps = \d+", "\ncoder_steps = 3", CONFIG.read_text())
    text = re.sub(r"\nbatch = \d+", "\nbatch = 4", text) + (
        "\n[network]\nwidth = 16\nlayers = 1\ndance_width = 8\nshared_dim = 8\n"
        "vae = {drums = 4, pitched = 8, width = 16, beat = 8}\n"
    )
    config = tmp_path / "config.toml"
    config.write_text(re.sub(r"\nsteps = \d+", "\nsteps = 5", text))
    train(folder, tmp_path / "run", config, resume=False)
    weights = tmp_path / "run" / "score-flow.safetensors"
    assert load(weights).config.vae == BarVAEConfig(4, 8, 16, 8)
    assert torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["global_step"] == 5
    assert "synthetic" in weights.with_suffix(".md").read_text().lower()
    score = ScoreFlowPipeline(weights, "cpu").compose(
        ComposeRequest((pairs[0].dancer,)), lambda fraction, what: None, lambda: False
    )
    assert abs(score.seconds[-1] - pairs[0].dancer.seconds) < 0.3
