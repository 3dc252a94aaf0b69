"""Training the score flow on little: what it sees of pairs, that both its halves learn, and that it leaves weights."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.models.score_flow.bar_features import DRUM_ROWS
from backend.models.score_flow.bar_vae import BarVAEConfig
from backend.models.score_flow.network import ScoreFlow, ScoreFlowConfig, load
from backend.models.score_flow.pipeline import ScoreFlowPipeline
from backend.music import midi
from backend.music.score import Note, Score, part_from_notes
from backend.wire.messages import ComposeRequest
from rigs import files
from rigs.motion import resample
from rigs.sample_dance.salsa import sample_dance
from training.data.music_pairs import MANIFEST, Pair
from training.experiment.config import read_config
from training.score_flow.calibration import calibrate_thresholds
from training.score_flow.conditioning import bar_condition, encode_table
from training.score_flow.dataset import BarBatches, BarTable, ScoreFlowTrainingConfig, build_bar_table, preceding_bars
from training.score_flow.task import ScoreFlowTask, reconstruction_f1, sliced_wasserstein, train

CONFIG = Path(__file__).resolve().parents[3] / "training" / "configs" / "score-flow.toml"
SMALL = ScoreFlowConfig(BarVAEConfig(8, 16, width=64, beat=32), width=64, layers=2, reader=16, shared=16)
STEPS = 16 * 8


def song(seed: int, *, drums: bool = True, tune: bool = True) -> Score:
    """Eight bars of 2 s over a beat and three chords."""
    rng = np.random.default_rng(seed)
    beat = [Note(36 if step % 8 == 0 else 38, 90, step, step + 1) for step in range(0, STEPS, 4)]
    hats = [Note(42, 60, step, step + 1) for step in range(0, STEPS, int(rng.integers(1, 4)))]
    roots = rng.choice([36, 41, 43], STEPS // 16)
    bass = [Note(int(root), 80, 16 * n, 16 * n + 16) for n, root in enumerate(roots)]
    melody = [
        Note(int(root + 24 + rng.choice([0, 4, 7, 12])), 80, 16 * n + step, 16 * n + step + 4)
        for n, root in enumerate(roots)
        for step in (0, 4, 8, 12)
    ]
    parts = (beat + hats if drums else [], bass if tune else [], melody if tune else [])
    return Score(*(part_from_notes(notes, STEPS) for notes in parts), np.arange(STEPS + 1) / 8.0)


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    dancer = resample(sample_dance(), 30.0)
    kinds = ((True, True), (True, False), (False, True))
    return [
        Pair(
            f"p{n}",
            dancer[20 * n : 20 * n + 480],
            song(n, drums=kinds[n % 3][0], tune=kinds[n % 3][1]),
            f"r{n}",
            f"s{n}",
        )
        for n in range(6)
    ]


@pytest.fixture(scope="module")
def plan() -> ScoreFlowTrainingConfig:
    return replace(
        read_config(CONFIG, ScoreFlowTrainingConfig)[1], steps=200, coder_steps=100, coder_batch=16, batch=24
    )


@pytest.fixture(scope="module")
def table(pairs: list[Pair]) -> BarTable:
    return build_bar_table(pairs, [("alone", song(9))])


@pytest.fixture
def module(table: BarTable, plan: ScoreFlowTrainingConfig) -> ScoreFlowTask:
    torch.manual_seed(1)
    return ScoreFlowTask(ScoreFlow(SMALL), plan, table, table)


def test_bars_know_what_they_follow_and_which_dance_they_have(table: BarTable) -> None:
    assert len(table) == 7 * 8
    assert table.previous[:9].tolist() == [-1, 0, 1, 2, 3, 4, 5, 6, -1]
    assert table.repeated[8:13].tolist() == [-1, -1, -1, -1, 8]
    assert table.window_index.tolist() == [*range(48), *[-1] * 8]
    assert table.parts[::8].tolist() == [[1, 1], [1, 0], [0, 1], [1, 1], [1, 0], [0, 1], [1, 1]]
    assert table.windows.shape[:2] == (48, 2)
    assert not torch.equal(table.windows[:, 0], table.windows[:, 1])


def test_what_is_held_is_what_sounded_last(table: BarTable) -> None:
    assert torch.equal(table.tied[1], table.sustain[0, -1])
    assert not table.tied[0].any()


def test_a_gap_between_bars_is_no_following() -> None:
    assert preceding_bars(np.array([0, 16, 48, 64]), 1).tolist() == [-1, 0, -1, 2]
    assert preceding_bars(np.array([0, 16, 48, 64]), 4).tolist() == [-1, -1, -1, 0]


def test_equal_steps_see_equal_bars(table: BarTable, plan: ScoreFlowTrainingConfig) -> None:
    windows = BarBatches(table, plan)
    first = [places for places, _ in zip(windows, range(3), strict=False)]
    windows.start = 2
    again = next(iter(windows))
    assert all(torch.equal(one, other) for one, other in zip(first[2], again, strict=True))
    assert not torch.equal(first[0].flow, first[1].flow)


def test_the_coder_learns_notes(module: ScoreFlowTask, table: BarTable, plan: ScoreFlowTrainingConfig) -> None:
    network, windows = module.network, BarBatches(table, plan)
    before, seen = reconstruction_f1(network, table), []
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    for step in range(150):
        torch.manual_seed(step)
        terms = module.vae_loss(windows.sample_batch(np.random.default_rng(step)))
        loss = sum(terms.values(), torch.zeros(()))
        seen.append(float(terms["pitched"].detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    after = reconstruction_f1(network, table)
    assert after["drums"] > before["drums"] + 0.4
    assert np.mean(seen[-10:]) < 0.5 * np.mean(seen[:10])


def test_the_flow_learns_what_follows_by_the_dance(
    module: ScoreFlowTask, table: BarTable, plan: ScoreFlowTrainingConfig
) -> None:
    module.freeze_vae()
    network, windows = module.network, BarBatches(table, plan)
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=2e-3)
    seen = []
    for step in range(120):
        torch.manual_seed(step)
        terms = module.flow_loss(windows.sample_batch(np.random.default_rng(step)))
        optimiser.zero_grad()
        sum(terms.values(), torch.zeros(())).backward()
        optimiser.step()
        seen.append([float(terms[name].detach()) for name in ("flow", "telling")])
    first, last = np.mean(seen[:10], axis=0), np.mean(seen[-10:], axis=0)
    assert (last < 0.9 * first).all()


def test_the_coder_stays_as_it_is_when_the_flow_begins(
    module: ScoreFlowTask, table: BarTable, plan: ScoreFlowTrainingConfig
) -> None:
    module.freeze_vae()
    terms = module.flow_loss(BarBatches(table, plan).sample_batch(np.random.default_rng(0)))
    (terms["flow"] + terms["pairing"]).backward()
    assert all(p.grad is None for p in module.network.coders.parameters())
    assert any(p.grad is not None and p.grad.any() for p in module.network.reader.parameters())


def test_a_window_is_not_told_from_those_of_its_own_song_or_recording(module: ScoreFlowTask, table: BarTable) -> None:
    apart, same = torch.tensor([0, 8, 16]), torch.tensor([0, 1, 2])
    points = torch.nn.functional.normalize(torch.randn(3, 16), dim=1)
    assert float(module.contrastive_loss(points, points.roll(1, 0), apart)) > 0.5
    assert float(module.contrastive_loss(points, points.roll(1, 0), same)) == pytest.approx(0.0, abs=1e-6)


def test_the_sliced_distance_of_two_clouds_is_how_far_one_was_moved() -> None:
    torch.manual_seed(0)
    cloud = torch.randn(200, 8)
    assert float(sliced_wasserstein(cloud, cloud[torch.randperm(200)])) == pytest.approx(0.0, abs=1e-9)
    moved = torch.tensor([float(sliced_wasserstein(cloud, cloud + 0.5)) for _ in range(50)]).mean()
    assert float(moved) == pytest.approx(8 * 0.25, rel=0.1)


def test_what_is_not_there_is_not_known(module: ScoreFlowTask, table: BarTable) -> None:
    codes = encode_table(module.network, table)
    places = torch.tensor([0, 5, 50])
    asked = bar_condition(
        module.network, table, codes, places, table.windows[table.window_index[places].clamp_min(0), 0]
    )
    assert asked.has_dance.tolist() == [1, 1, 0]
    assert not asked.dance[2].any()
    assert asked.has_previous.tolist() == [0, 1, 1]
    assert asked.has_repeated.tolist() == [0, 1, 0]
    assert not asked.previous[0].any()


def test_as_many_notes_are_played_as_in_real_music(module: ScoreFlowTask, table: BarTable) -> None:
    from backend.models.score_flow.note_decoding import decode_onsets
    from training.score_flow.metrics import sample_probabilities

    module.freeze_vae()
    network = module.network.eval()
    calibrate_thresholds(network, table, table)
    codes = encode_table(network, table)
    asked = bar_condition(network, table, codes, torch.arange(48), table.windows[:, 0])
    played = decode_onsets(sample_probabilities(network, asked, torch.Generator().manual_seed(5)).onset, network.begins)
    has = table.parts[:48, 0] > 0
    made, real = (float(part[has][..., :DRUM_ROWS].float().mean()) for part in (played, table.onset[:48] > 0))
    assert made == pytest.approx(real, rel=0.35)


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
        "\n[network]\nwidth = 16\nlayers = 1\nreader = 8\nshared = 8\n"
        "coder = {drums = 4, pitched = 8, width = 16, beat = 8}\n"
    )
    config = tmp_path / "plan.toml"
    config.write_text(re.sub(r"\nsteps = \d+", "\nsteps = 5", text))
    train(folder, tmp_path / "run", config, resume=False)
    weights = tmp_path / "run" / "score-flow.safetensors"
    assert load(weights).config.coder == BarVAEConfig(4, 8, 16, 8)
    assert torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["global_step"] == 5
    assert "synthetic" in weights.with_suffix(".md").read_text().lower()
    score = ScoreFlowPipeline(weights, "cpu").compose(
        ComposeRequest((pairs[0].dancer,)), lambda fraction, what: None, lambda: False
    )
    assert abs(score.seconds[-1] - pairs[0].dancer.seconds) < 0.3
