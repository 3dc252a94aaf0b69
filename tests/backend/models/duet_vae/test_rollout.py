"""Rolling the duet model out: any length, either dancer, and a body that stays one."""

import pytest
import torch
from torch import Tensor

from backend.models.duet_vae.network import DuetConfig, DuetVAE, Normalisation, place
from backend.models.duet_vae.rollout import (
    APART,
    FEET,
    HIGHEST,
    HIPS,
    Poses,
    close_up,
    on_floor,
    plausible,
    rollout,
    with_bones,
)
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, PARENTS


@pytest.fixture(scope="module")
def network() -> DuetVAE:
    torch.manual_seed(0)
    return DuetVAE(DuetConfig(window=16)).eval()


@pytest.fixture(scope="module")
def dance() -> Tensor:
    return torch.from_numpy(sample_dance().positions[:60]).float()[None]


NORMALISATION = Normalisation(torch.zeros(87), torch.ones(87))


@pytest.mark.parametrize("dancer", [1, 2])
@pytest.mark.parametrize("given", [1, 5, 40])
def test_either_dancer_for_any_length_from_any_history(
    network: DuetVAE, dance: Tensor, dancer: int, given: int
) -> None:
    made = rollout(network, NORMALISATION, dance, dance[:, :given] + 1.0, dancer)
    assert made.shape == dance.shape
    assert torch.equal(made[:, :given], dance[:, :given] + 1.0)
    assert torch.isfinite(made).all()


@pytest.mark.parametrize("dancer", [1, 2])
def test_a_frame_hangs_on_the_window_before_it_and_on_nothing_later(
    network: DuetVAE, dance: Tensor, dancer: int
) -> None:
    """The known dancer's frame f reaches the made one's f + 1, not f; the network's weights are random."""
    later = dance.clone()
    later[:, 30:] += torch.randn(29, 3)
    made = rollout(network, NORMALISATION, dance, dance[:, :5], dancer)
    other = rollout(network, NORMALISATION, later, dance[:, :5], dancer)
    assert torch.equal(made[:, :31], other[:, :31])
    assert (made[:, 31] - other[:, 31]).abs().max() > 1e-6


def test_one_step_is_what_the_network_says(network: DuetVAE, dance: Tensor) -> None:
    """Unplaced by hand: the known dancer stands at the origin, turned to have the hips along x."""
    still = torch.from_numpy(DEFAULT_SKELETON.rest_positions()).float().expand(1, 17, -1, -1).clone()
    made = rollout(network, NORMALISATION, still, still[:, :16] + torch.tensor([0.0, -1.0, 0.0]), 2)
    with torch.no_grad():
        out = network(still[:, :16].flatten(2), (still[:, :16] + torch.tensor([0.0, -1.0, 0.0])).flatten(2))
    torch.testing.assert_close(made[0, 16].flatten(), out.two[0, -1], rtol=0, atol=1e-5)


def test_without_noise_nothing_is_sampled_and_noise_is_a_takes_own(network: DuetVAE, dance: Tensor) -> None:
    def roll(known: Tensor, noise: Tensor | None) -> Tensor:
        return rollout(network, NORMALISATION, known, known[:, :5], 2, noise=noise)

    noise = torch.randn(3, 2, 60, 64, generator=torch.Generator().manual_seed(1))
    assert torch.equal(roll(dance, None), roll(dance, None))
    both = roll(dance.expand(2, -1, -1, -1), noise)
    assert (both[0] - both[1]).abs().max() > 1e-6
    alone = roll(dance, noise[:, :1])
    torch.testing.assert_close(both[:1, :20], alone[:, :20], rtol=0, atol=1e-4)


def test_watching_can_end_a_rollout(network: DuetVAE, dance: Tensor) -> None:
    seen = []

    def watch(frame: int) -> None:
        seen.append(frame)
        if frame == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rollout(network, NORMALISATION, dance, dance[:, :5], 2, watch=watch)
    assert seen == list(range(5, 21))


def test_bones_keep_their_lengths_and_directions() -> None:
    body = torch.from_numpy(DEFAULT_SKELETON.offsets).float()
    pose = torch.randn(4, 29, 3)
    kept = with_bones(pose, body)
    parents = list(PARENTS[1:])
    bones, wanted = kept[:, 1:] - kept[:, parents], pose[:, 1:] - pose[:, parents]
    torch.testing.assert_close(bones.norm(dim=-1), body[1:].norm(dim=-1).expand(4, -1))
    cosine = torch.nn.functional.cosine_similarity(bones, wanted, dim=-1)
    torch.testing.assert_close(cosine, torch.ones_like(cosine))
    assert torch.equal(kept[:, 0], pose[:, 0])


@pytest.mark.parametrize(("height", "drawn"), [(0.5, -1), (-0.3, 1), (0.04, 0)])
def test_a_foot_off_the_floor_is_drawn_to_it(height: float, drawn: int) -> None:
    floor = 0.04
    pose = torch.from_numpy(DEFAULT_SKELETON.rest_positions()).float()[None]
    pose = pose + torch.tensor([0.0, 0.0, height]) - pose[:, FEET, 2].amin() * torch.tensor([0.0, 0.0, 1.0])
    lift = on_floor(pose, floor) - pose
    assert torch.sign(lift[0, 0, 2].round(decimals=6)) == drawn
    for _ in range(40):
        pose = on_floor(pose, floor)
    assert floor - 1e-5 < pose[0, FEET, 2].min() < floor + HIGHEST + 1e-3


def test_a_pose_comes_back_to_where_real_ones_are_and_real_ones_stay() -> None:
    poses = torch.from_numpy(sample_dance().positions).float()
    torch.manual_seed(0)
    directions, _ = torch.linalg.qr(torch.randn(87, 87))
    own = torch.from_numpy(DEFAULT_SKELETON.rest_positions()).float()
    span = Poses(own.flatten(), directions, torch.full((87,), 0.02), torch.full((5,), 3.0))
    fallen = own[:, [0, 2, 1]] * torch.tensor([1.0, 1.0, 0.3])
    back = plausible(fallen[None], span)
    placed = place(back[:, None], HIPS).into(back[:, None])[0, 0]
    assert (fallen - own).norm(dim=-1).max() > 1.0
    assert (placed - own).norm(dim=-1).max() < 0.3
    wide = Poses(own.flatten(), directions, torch.full((87,), 10.0), torch.full((5,), 3.0))
    torch.testing.assert_close(plausible(poses, wide), poses, rtol=0, atol=1e-4)


def test_a_couple_too_far_apart_closes_up() -> None:
    here, there = torch.zeros(1, 29, 3), torch.zeros(1, 29, 3)
    there[..., 0] = 3.0
    for _ in range(40):
        here = close_up(here, there)
    torch.testing.assert_close(here[0, 0], torch.tensor([3.0 - APART, 0.0, 0.0]), rtol=0, atol=1e-3)
    near = there + torch.tensor([0.0, 1.0, 0.0])
    assert torch.equal(close_up(near, there), near)
