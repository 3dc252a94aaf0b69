"""Bars as tensors: transposition."""

import torch

from backend.models.score_flow.bar_features import bar_starts, extract_bars
from backend.models.score_flow.network.bar_vae import transpose_rows
from tests.backend.models.score_flow.test_bar_features import scale


def test_transposed_bars_are_those_of_the_transposed_score() -> None:
    score = scale(0)
    bars = torch.from_numpy(extract_bars(score, bar_starts(score)).onset).float()
    for shift in (-5, 3, 6):
        wanted = extract_bars(score, bar_starts(score), shift).onset
        made = transpose_rows(bars, torch.full((2,), shift)).numpy() > 0
        assert (made == wanted).all()
