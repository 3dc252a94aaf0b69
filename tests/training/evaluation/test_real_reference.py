"""What real couples are like: the published FID's clips, and that a real partner is at home among them."""

import numpy as np
import pytest

from tests.training.data.duet_files import duet
from training.data.duets import Duet
from training.evaluation.real_reference import RealReference, clip_features, real_reference


@pytest.fixture(scope="module")
def couple() -> Duet:
    return Duet("a", *duet(900))


@pytest.fixture(scope="module")
def reference(couple: Duet) -> RealReference:
    return real_reference([couple[:450]], [couple[450:]], 0)


def test_published_fid_grows_with_the_noise_of_a_partner(couple: Duet, reference: RealReference) -> None:
    leader, follower = couple.positions()
    rng = np.random.default_rng(1)
    fids = []
    for noise in (0.0, 0.01, 0.03):
        features = clip_features(follower + noise * rng.normal(size=follower.shape), leader)
        fids.append(reference.published["kinetic"].fid(features["kinetic"]))
    assert fids[0] < fids[1] < fids[2]


def test_published_fid_cd_sees_the_couple_and_not_its_place(couple: Duet, reference: RealReference) -> None:
    leader, follower = couple.positions()
    offset = np.array([3.0, 0.0, 0.0])
    here, elsewhere, parted = (
        reference.published["cross"].fid(clip_features(partner, other)["cross"])
        for partner, other in ((follower, leader), (follower + offset, leader + offset), (follower + offset, leader))
    )
    assert elsewhere == pytest.approx(here)
    assert parted > 100.0 * here
