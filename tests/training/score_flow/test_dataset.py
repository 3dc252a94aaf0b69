"""Bar table, batches and conditions of score-flow's training."""

import numpy as np
import torch

from training.score_flow.dataset import (
    BarBatches,
    BarTable,
    ScoreFlowTrainingConfig,
    bar_condition,
    encode_table,
    preceding_bars,
)
from training.score_flow.task import ScoreFlowTask


def test_bars_refer_to_earlier_bars_and_to_their_dance(table: BarTable) -> None:
    assert len(table) == 7 * 8
    assert table.previous[:9].tolist() == [-1, 0, 1, 2, 3, 4, 5, 6, -1]
    assert table.repeated[8:13].tolist() == [-1, -1, -1, -1, 8]
    assert table.window_index.tolist() == [*range(48), *[-1] * 8]
    assert table.parts[::8].tolist() == [[1, 1], [1, 0], [0, 1], [1, 1], [1, 0], [0, 1], [1, 1]]
    assert table.windows.shape[:2] == (48, 2)
    assert not torch.equal(table.windows[:, 0], table.windows[:, 1])


def test_notes_that_sound_last_are_tied(table: BarTable) -> None:
    assert torch.equal(table.tied[1], table.sustain[0, -1])
    assert not table.tied[0].any()


def test_bars_after_a_gap_have_no_previous_bar() -> None:
    assert preceding_bars(np.array([0, 16, 48, 64]), 1).tolist() == [-1, 0, -1, 2]
    assert preceding_bars(np.array([0, 16, 48, 64]), 4).tolist() == [-1, -1, -1, 0]


def test_equal_steps_have_equal_batches(table: BarTable, config: ScoreFlowTrainingConfig) -> None:
    windows = BarBatches(table, config)
    first = [batch for batch, _ in zip(windows, range(3), strict=False)]
    windows.start = 2
    again = next(iter(windows))
    assert all(torch.equal(one, other) for one, other in zip(first[2], again, strict=True))
    assert not torch.equal(first[0].flow, first[1].flow)


def test_missing_dances_and_bars_are_0_in_the_condition(task: ScoreFlowTask, table: BarTable) -> None:
    latents = encode_table(task.network, table)
    batch = torch.tensor([0, 5, 50])
    condition = bar_condition(
        task.network, table, latents, batch, table.windows[table.window_index[batch].clamp_min(0), 0]
    )
    assert condition.has_dance.tolist() == [1, 1, 0]
    assert not condition.dance[2].any()
    assert condition.has_previous.tolist() == [0, 1, 1]
    assert condition.has_repeated.tolist() == [0, 1, 0]
    assert not condition.previous[0].any()
