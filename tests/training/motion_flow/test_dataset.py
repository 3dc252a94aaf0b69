"""Windows of a motion flow's data set."""

import torch

from tests.training.partner_flow.small_training import small_duets, small_windows


def test_equal_steps_have_equal_windows_wherever_training_starts() -> None:
    windows = small_windows(small_duets())
    first = [batch.leader for batch, _ in zip(windows, range(3), strict=False)]
    windows.start = 2
    again = next(iter(windows))
    assert torch.equal(first[2], again.leader)
    assert not torch.equal(first[0], first[1])
