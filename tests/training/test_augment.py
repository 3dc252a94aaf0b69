"""What augmentation may change of a duet, and what it may not."""

import torch

from rigs.skeleton import INDEX, MIRRORED
from training.augment import add_noise, mirror_some, wander


def test_mirroring_keeps_the_distances_between_the_dancers() -> None:
    windows = torch.randn(8, 2, 5, 29, 3)
    mirrored = mirror_some(windows, 1.0)
    swapped = list(MIRRORED)
    between = torch.cdist(windows[:, 0], windows[:, 1])
    torch.testing.assert_close(torch.cdist(mirrored[:, 0], mirrored[:, 1]), between[:, :, swapped][..., swapped])
    left, right = INDEX["left_wrist"], INDEX["right_wrist"]
    torch.testing.assert_close(mirrored[..., left, 0], -windows[..., right, 0])


def test_about_the_asked_part_is_mirrored_by_a_uniform_draw() -> None:
    """Of a normal draw, 84 in 100 would be below 1 and 50 in 100 below 0."""
    torch.manual_seed(0)
    windows = torch.randn(4000, 2, 1, 29, 3)
    for probability in (0.1, 0.5):
        changed = (mirror_some(windows, probability) != windows).flatten(1).any(1).float().mean()
        assert abs(float(changed) - probability) < 0.03
    assert torch.equal(mirror_some(windows, 0.0), windows)


def test_noise_has_the_asked_deviation() -> None:
    torch.manual_seed(0)
    poses = torch.zeros(64, 2, 64, 87)
    assert abs(float(add_noise(poses, 0.01).std()) - 0.01) < 1e-4


def test_one_dancer_wanders_and_finds_back() -> None:
    torch.manual_seed(0)
    poses = torch.randn(500, 2, 1, 87).expand(-1, -1, 65, -1)
    drift = (wander(poses, 0.7, 0.06) - poses).norm(dim=-1)
    wandered = drift.amax(-1) > 1e-4
    assert not wandered.all(-1).any()
    assert abs(float(wandered.any(-1).float().mean()) - 0.7) < 0.06
    assert (drift.diff(dim=-1) <= 1e-4).all()
    moving = drift[wandered]
    ratio = moving[:, -1] / moving[:, -2]
    torch.testing.assert_close(ratio[moving[:, -1] > 1e-2].median(), torch.tensor(0.94), rtol=0, atol=1e-3)
