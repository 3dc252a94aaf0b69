"""Windows of couples."""

import numpy as np

from tests.training.partner_flow.small_training import small_duets, small_windows


def test_either_dancer_is_generated_beside_the_other() -> None:
    batch = small_windows(small_duets()).batch(np.random.default_rng(0))
    assert set(batch.roles.tolist()) == {0, 1}
    for root, leader in zip(batch.poses.root, batch.leader, strict=True):
        assert (root - leader[:, 0]).norm(dim=-1).min() > 0.5
