"""duet-vae's rollout: any length, either dancer, and constraints on each frame."""

import pytest
import torch
from torch import Tensor

from backend.models.duet_vae.network import DuetVAE, DuetVaeConfig
from backend.models.duet_vae.pose_space import PoseNormalizer
from backend.models.duet_vae.rollout import (
    MAX_COUPLE_DISTANCE,
    MAX_FOOT_HEIGHT,
    keep_on_floor,
    limit_couple_distance,
    restore_bone_lengths,
    rollout,
)
from rigs.contacts import TOES
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, PARENTS


@pytest.fixture(scope="module")
def network() -> DuetVAE:
    torch.manual_seed(0)
    return DuetVAE(DuetVaeConfig(window=16)).eval()


@pytest.fixture(scope="module")
def dance() -> Tensor:
    return torch.from_numpy(sample_dance().positions[:60]).float()[None]


NORMALIZER = PoseNormalizer(torch.zeros(87), torch.ones(87))


@pytest.mark.parametrize("dancer", [1, 2])
@pytest.mark.parametrize("given", [1, 5, 40])
def test_either_dancer_for_any_length_from_any_history(
    network: DuetVAE, dance: Tensor, dancer: int, given: int
) -> None:
    generated = rollout(network, NORMALIZER, dance, dance[:, :given] + 1.0, dancer)
    assert generated.shape == dance.shape
    assert torch.equal(generated[:, :given], dance[:, :given] + 1.0)
    assert torch.isfinite(generated).all()


@pytest.mark.parametrize("dancer", [1, 2])
def test_a_frame_depends_on_the_window_before_it_and_on_nothing_later(
    network: DuetVAE, dance: Tensor, dancer: int
) -> None:
    """The given dancer's frame f reaches the generated one's f + 1, not f; the network's weights are random."""
    later = dance.clone()
    later[:, 30:] += torch.randn(29, 3)
    generated = rollout(network, NORMALIZER, dance, dance[:, :5], dancer)
    other = rollout(network, NORMALIZER, later, dance[:, :5], dancer)
    assert torch.equal(generated[:, :31], other[:, :31])
    assert (generated[:, 31] - other[:, 31]).abs().max() > 1e-6


def test_one_step_is_the_networks_output(network: DuetVAE, dance: Tensor) -> None:
    """In the pair frame already: dancer one stands at the origin, hips along x."""
    still = torch.from_numpy(DEFAULT_SKELETON.rest_positions()).float().expand(1, 17, -1, -1).clone()
    generated = rollout(network, NORMALIZER, still, still[:, :16] + torch.tensor([0.0, -1.0, 0.0]), 2)
    with torch.no_grad():
        out = network(still[:, :16].flatten(2), (still[:, :16] + torch.tensor([0.0, -1.0, 0.0])).flatten(2))
    torch.testing.assert_close(generated[0, 16].flatten(), out.two[0, -1], rtol=0, atol=1e-5)


def test_without_noise_nothing_is_sampled_and_noise_is_a_takes_own(network: DuetVAE, dance: Tensor) -> None:
    def roll(other: Tensor, noise: Tensor | None) -> Tensor:
        return rollout(network, NORMALIZER, other, other[:, :5], 2, noise=noise)

    noise = torch.randn(3, 2, 60, 64, generator=torch.Generator().manual_seed(1))
    assert torch.equal(roll(dance, None), roll(dance, None))
    both = roll(dance.expand(2, -1, -1, -1), noise)
    assert (both[0] - both[1]).abs().max() > 1e-6
    alone = roll(dance, noise[:, :1])
    torch.testing.assert_close(both[:1, :20], alone[:, :20], rtol=0, atol=1e-4)


def test_the_frame_callback_can_end_a_rollout(network: DuetVAE, dance: Tensor) -> None:
    frames = []

    def on_frame(frame: int) -> None:
        frames.append(frame)
        if frame == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rollout(network, NORMALIZER, dance, dance[:, :5], 2, on_frame=on_frame)
    assert frames == list(range(5, 21))


def test_bones_keep_their_lengths_and_directions() -> None:
    body = torch.from_numpy(DEFAULT_SKELETON.offsets).float()
    pose = torch.randn(4, 29, 3)
    restored = restore_bone_lengths(pose, body)
    parents = list(PARENTS[1:])
    bones, wanted = restored[:, 1:] - restored[:, parents], pose[:, 1:] - pose[:, parents]
    torch.testing.assert_close(bones.norm(dim=-1), body[1:].norm(dim=-1).expand(4, -1))
    cosine = torch.nn.functional.cosine_similarity(bones, wanted, dim=-1)
    torch.testing.assert_close(cosine, torch.ones_like(cosine))
    assert torch.equal(restored[:, 0], pose[:, 0])


@pytest.mark.parametrize(("height", "sign"), [(0.5, -1), (-0.3, 1), (0.04, 0)])
def test_a_foot_off_the_floor_is_moved_to_it(height: float, sign: int) -> None:
    floor = 0.04
    pose = torch.from_numpy(DEFAULT_SKELETON.rest_positions()).float()[None]
    pose = pose + torch.tensor([0.0, 0.0, height]) - pose[:, TOES, 2].amin() * torch.tensor([0.0, 0.0, 1.0])
    lift = keep_on_floor(pose, floor) - pose
    assert torch.sign(lift[0, 0, 2].round(decimals=6)) == sign
    for _ in range(40):
        pose = keep_on_floor(pose, floor)
    assert floor - 1e-5 < pose[0, TOES, 2].min() < floor + MAX_FOOT_HEIGHT + 1e-3


def test_a_couple_too_far_apart_moves_together() -> None:
    here, there = torch.zeros(1, 29, 3), torch.zeros(1, 29, 3)
    there[..., 0] = 3.0
    for _ in range(40):
        here = limit_couple_distance(here, there)
    torch.testing.assert_close(here[0, 0], torch.tensor([3.0 - MAX_COUPLE_DISTANCE, 0.0, 0.0]), rtol=0, atol=1e-3)
    near = there + torch.tensor([0.0, 1.0, 0.0])
    assert torch.equal(limit_couple_distance(near, there), near)
