"""What augmentation may change of a duet, and what it may not."""

import torch

from rigs.skeleton import INDEX, MIRROR_JOINTS
from training.duet_vae.augmentation import chance, mirror_some, wander


def test_mirroring_keeps_the_distances_between_the_dancers() -> None:
    windows = torch.randn(8, 2, 5, 29, 3)
    mirrored = mirror_some(windows, 1.0)
    swapped = list(MIRROR_JOINTS)
    between = torch.cdist(windows[:, 0], windows[:, 1])
    torch.testing.assert_close(torch.cdist(mirrored[:, 0], mirrored[:, 1]), between[:, :, swapped][..., swapped])
    left, right = INDEX["left_wrist"], INDEX["right_wrist"]
    torch.testing.assert_close(mirrored[..., left, 0], -windows[..., right, 0])


def test_a_chance_of_one_in_ten_comes_true_once_in_ten() -> None:
    """A normal draw would be below 0.1 in 54 of 100 times."""
    torch.manual_seed(0)
    assert abs(sum(chance(0.1) for _ in range(5000)) / 5000 - 0.1) < 0.015


def test_about_the_asked_part_is_mirrored_by_a_uniform_draw() -> None:
    """Of a normal draw, 84 in 100 would be below 1 and 50 in 100 below 0."""
    torch.manual_seed(0)
    windows = torch.randn(4000, 2, 1, 29, 3)
    for probability in (0.1, 0.5):
        changed = (mirror_some(windows, probability) != windows).flatten(1).any(1).float().mean()
        assert abs(float(changed) - probability) < 0.03
    assert torch.equal(mirror_some(windows, 0.0), windows)


def test_one_dancer_of_some_pairs_drifts_part_of_the_way_to_another_pose() -> None:
    torch.manual_seed(0)
    poses = torch.randn(500, 2, 1, 87).expand(-1, -1, 65, -1)
    drift = wander(poses, 0.7)
    assert drift.shape == poses.shape
    drifts = drift.norm(dim=-1).amax(-1) > 0
    assert not drifts.all(-1).any()
    assert abs(float(drifts.any(-1).float().mean()) - 0.7) < 0.06
    torch.testing.assert_close(drift.diff(n=2, dim=2), torch.zeros(500, 2, 63, 87), rtol=0, atol=1e-5)
    others = poses[:, :, 0].flatten(0, 1)
    pair = drifts.nonzero()[0]
    whole_way = others.unflatten(0, (500, 2))[:, pair[1]] - poses[pair[0], pair[1], 0]
    along = torch.nn.functional.cosine_similarity(whole_way, drift[pair[0], pair[1], -1], dim=-1)
    assert along.nan_to_num().max() > 0.9999
    assert (drift.norm(dim=-1).amax() <= (poses[:, :, 0].norm(dim=-1).amax() * 2)).all()
