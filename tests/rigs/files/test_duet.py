"""Pairing the dancers of one file or of two: roles by name, one clock, one world, and doubtful pairs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rigs.files import BadFile, Clip, Source
from rigs.files.duet import leader_first, pair_dancers
from rigs.motion import Motion, resample
from rigs.sample_dance.salsa import sample_dance


def clip(name: str, *motions: Motion, units: float = 0.01) -> Clip:
    return Clip(motions, Source(Path(name), units, "Y", motions[0].fps, len(motions[0])))


@pytest.fixture
def leader() -> Motion:
    return sample_dance()[:60]


@pytest.fixture
def partner(leader: Motion) -> Motion:
    return replace(leader, root=leader.root + np.array([0.4, -0.6, 0.0]))


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (("a_follower.bvh", "b_leader.bvh"), "b_leader.bvh"),
        (("Partner.fbx", "dancer.fbx"), "dancer.fbx"),
        (("one.bvh", "two.bvh"), "one.bvh"),
    ],
)
def test_names_tell_who_leads(names: tuple[str, str], first: str) -> None:
    assert leader_first([Path(name) for name in names])[0].name == first


def test_two_dancers_of_a_file_stay_where_they_are(leader: Motion, partner: Motion) -> None:
    duet = pair_dancers([clip("duet.npz", leader, partner)])
    assert duet.leader is leader
    np.testing.assert_array_equal(duet.partner.root, partner.root)
    assert duet.warnings == ()


def test_swapped_the_second_leads(leader: Motion, partner: Motion) -> None:
    duet = pair_dancers([clip("a.bvh", leader), clip("b.bvh", partner)], swap=True)
    np.testing.assert_array_equal(duet.leader.root, partner.root)
    np.testing.assert_array_equal(duet.partner.root, leader.root)


def test_files_of_different_rates_keep_them_and_start_together(leader: Motion, partner: Motion) -> None:
    duet = pair_dancers([clip("a.bvh", leader), clip("b.bvh", resample(partner, 120.0))])
    assert (duet.leader.fps, duet.partner.fps) == (30.0, 120.0)
    np.testing.assert_allclose(duet.partner.root[::4], partner.root, atol=1e-9)
    assert duet.warnings == ()


def test_files_of_one_kind_are_read_in_one_unit(leader: Motion, partner: Motion) -> None:
    inches = 2.54
    misread = Motion(partner.fps, partner.skeleton.scale(1 / inches), partner.root / inches, partner.rotations)
    clips = [clip("a.bvh", leader, units=0.0254), clip("b.bvh", misread, units=0.01)]
    np.testing.assert_allclose(pair_dancers(clips).partner.positions, partner.positions, atol=1e-9)


def test_files_in_truly_different_units_stay_as_they_are(leader: Motion, partner: Motion) -> None:
    clips = [clip("a.bvh", leader, units=0.01), clip("b.bvh", partner, units=1.0)]
    np.testing.assert_array_equal(pair_dancers(clips).partner.root, partner.root)


def test_dancers_recorded_alone_are_told(leader: Motion) -> None:
    duet = pair_dancers([clip("a.bvh", leader), clip("b.bvh", leader)])
    assert duet.warnings == ("a.bvh and b.bvh: both dancers stand in the same place, as if each was recorded alone",)


def test_files_of_different_lengths_are_told(leader: Motion, partner: Motion) -> None:
    duet = pair_dancers([clip("a.bvh", leader), clip("b.bvh", partner[:30])])
    assert duet.warnings == ("a.bvh lasts 2.0 s and b.bvh lasts 1.0 s: they may be of different takes",)


def test_a_duet_needs_two_dancers(leader: Motion, partner: Motion) -> None:
    with pytest.raises(BadFile, match=r"a\.bvh: one dancer found, choose the file of the other dancer as well"):
        pair_dancers([clip("a.bvh", leader)])
    with pytest.raises(BadFile, match=r"a\.npz: 2 dancers found; choose it alone, or two files"):
        pair_dancers([clip("b.bvh", leader), clip("a.npz", leader, partner)])
    with pytest.raises(BadFile, match=r"a\.fbx: two dancers expected, 3 found; import it with Import Mocap"):
        pair_dancers([clip("a.fbx", leader, partner, leader)])
