"""Calibration of score-flow's thresholds."""

import pytest
import torch

from backend.models.score_flow.bar_features import DRUM_ROWS
from backend.models.score_flow.note_decoding import decode_onsets
from training.score_flow.calibration import calibrate_thresholds
from training.score_flow.dataset import BarTable, bar_condition, encode_table
from training.score_flow.metrics import sample_probabilities
from training.score_flow.task import ScoreFlowTask


def test_sampled_music_has_as_many_notes_as_real_music(task: ScoreFlowTask, table: BarTable) -> None:
    task.freeze_vae()
    network = task.network.eval()
    calibrate_thresholds(network, table, table)
    latents = encode_table(network, table)
    condition = bar_condition(network, table, latents, torch.arange(48), table.windows[:, 0])
    probabilities = sample_probabilities(network, condition, torch.Generator().manual_seed(5)).onset.numpy()
    onset = torch.from_numpy(decode_onsets(probabilities, network.onset_thresholds.numpy()))
    has = table.parts[:48, 0] > 0
    sampled, real = (float(part[has][..., :DRUM_ROWS].float().mean()) for part in (onset, table.onset[:48] > 0))
    assert sampled == pytest.approx(real, rel=0.35)
