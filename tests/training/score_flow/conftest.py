"""Small synthetic pairs, their bar table and an untrained task for the tests of score-flow's training."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.models.score_flow.conditions import BarVAEConfig, ScoreFlowConfig
from backend.models.score_flow.network.flow import ScoreFlow
from backend.music.score import Note, Score, part_from_notes
from rigs.motion import resample
from rigs.sample_dance.salsa import sample_dance
from training.data.music_pairs import Pair
from training.experiment.config import CONFIGS, read_config
from training.score_flow.dataset import BarTable, ScoreFlowTrainingConfig, build_bar_table
from training.score_flow.task import ScoreFlowTask

CONFIG = CONFIGS / "score-flow.toml"
SMALL = ScoreFlowConfig(BarVAEConfig(8, 16, width=64, beat=32), width=64, layers=2, dance_width=16, shared_dim=16)
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


@pytest.fixture(scope="package")
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


@pytest.fixture(scope="package")
def config() -> ScoreFlowTrainingConfig:
    return replace(
        read_config(CONFIG, ScoreFlowTrainingConfig)[1], steps=200, vae_steps=100, vae_batch_size=16, batch_size=24
    )


@pytest.fixture(scope="package")
def table(pairs: list[Pair]) -> BarTable:
    return build_bar_table(pairs, [("alone", song(9))])


@pytest.fixture
def task(table: BarTable, config: ScoreFlowTrainingConfig) -> ScoreFlowTask:
    torch.manual_seed(1)
    return ScoreFlowTask(ScoreFlow(SMALL), config, table, table)
