"""duet-vae's representation of poses: pair frame, normalization and principal components."""

import torch

from backend.models.duet_vae.pose_space import PoseNormalizer, PosePCA, clamp_to_pose_space, pair_frame
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON


def test_normalization_is_one_for_inputs_and_targets() -> None:
    """It is not each frame's own: a frame's normalised values do not depend on the frames beside it."""
    normalizer = PoseNormalizer(torch.randn(87), torch.rand(87) + 0.5)
    window = torch.randn(2, 64, 29, 3)
    torch.testing.assert_close(normalizer.normalize(window)[:, 5], normalizer.normalize(window[:, 5]))
    torch.testing.assert_close(normalizer.denormalize(normalizer.normalize(window)), window, rtol=0, atol=1e-5)


def test_the_pair_frame_rotates_and_moves_both_dancers_together() -> None:
    one, two = torch.randn(2, 4, 10, 29, 3)
    frame = pair_frame(one)
    local_one, local_two = frame.to_local(one), frame.to_local(two)
    torch.testing.assert_close((local_one - local_two).norm(dim=-1), (one - two).norm(dim=-1))
    torch.testing.assert_close(frame.to_world(local_two), two, rtol=0, atol=1e-5)
    torch.testing.assert_close(local_one[:, 0, 0, :2], torch.zeros(4, 2))
    across = local_one[:, 0, 1] - local_one[:, 0, 2]
    torch.testing.assert_close(across[:, 1], torch.zeros(4), rtol=0, atol=1e-5)
    assert (across[:, 0] > 0).all()


def test_an_implausible_pose_is_clamped_and_real_ones_stay() -> None:
    poses = torch.from_numpy(sample_dance().positions).float()
    torch.manual_seed(0)
    components, _ = torch.linalg.qr(torch.randn(87, 87))
    own = torch.from_numpy(DEFAULT_SKELETON.rest_positions()).float()
    pca = PosePCA(own.flatten(), components, torch.full((87,), 0.02), torch.full((5,), 3.0))
    fallen = own[:, [0, 2, 1]] * torch.tensor([1.0, 1.0, 0.3])
    back = clamp_to_pose_space(fallen[None], pca)
    local = pair_frame(back[:, None]).to_local(back[:, None])[0, 0]
    assert (fallen - own).norm(dim=-1).max() > 1.0
    assert (local - own).norm(dim=-1).max() < 0.3
    wide = PosePCA(own.flatten(), components, torch.full((87,), 10.0), torch.full((5,), 3.0))
    torch.testing.assert_close(clamp_to_pose_space(poses, wide), poses, rtol=0, atol=1e-4)
