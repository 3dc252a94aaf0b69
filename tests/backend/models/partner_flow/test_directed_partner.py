"""The shipped partner flow as an animator directs it: poses met, ranges redone without jumps, more or less movement."""

import numpy as np
import pytest

from backend.engine import Engine
from backend.wire.direction import Direction
from backend.wire.messages import PartnerRequest
from rigs import Array, rotations
from rigs.kinematics import global_rotations
from rigs.motion import Motion, resample
from rigs.sample_dance.salsa import sample_dance

FPS = 30.0


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("cpu")


@pytest.fixture(scope="module")
def leader() -> Motion:
    return resample(sample_dance(), FPS)[:240]


@pytest.fixture(scope="module")
def draft(engine: Engine, leader: Motion) -> Motion:
    return engine.partner(PartnerRequest(leader, seed=1))[0]


def speed(motion: Motion) -> float:
    return float(np.linalg.norm(np.diff(motion.positions, axis=0), axis=-1).mean() * motion.fps)


def acceleration(motion: Motion) -> Array:
    """The joints' mean acceleration (F - 2,) m/s²."""
    return np.linalg.norm(np.diff(motion.positions, n=2, axis=0), axis=-1).mean(axis=-1) * motion.fps**2


def test_poses_are_met_within_two_centimetres_and_three_degrees(engine: Engine, leader: Motion, draft: Motion) -> None:
    keep = (0, 47, 100, 101, 180)
    request = PartnerRequest(leader, seed=9, draft=draft, direction=Direction(keep=keep), takes=2)
    for take in engine.partner(request):
        frames = list(keep)
        assert np.linalg.norm(take.positions - draft.positions, axis=-1)[frames].max() < 0.02
        world = [global_rotations(motion.rotations)[frames] for motion in (take, draft)]
        assert np.degrees(rotations.angle_between(*world)).max() < 3.0
        assert np.linalg.norm(take.positions - draft.positions, axis=-1).max() > 0.2
        for frame in keep[1:]:
            assert acceleration(take)[frame - 6 : frame + 5].max() < 3.0 * np.quantile(acceleration(draft), 0.99)


@pytest.mark.parametrize(("first", "last"), [(60, 140), (0, 90), (150, 239), (100, 104)])
def test_a_redone_range_joins_without_a_jump(
    engine: Engine, leader: Motion, draft: Motion, first: int, last: int
) -> None:
    request = PartnerRequest(leader, seed=9, draft=draft, direction=Direction(redo=(first, last)), takes=3)
    usual = np.quantile(acceleration(draft), 0.99)
    for take in engine.partner(request):
        outside = np.r_[0:first, last + 1 : len(leader)]
        assert np.array_equal(take.rotations[outside], draft.rotations[outside])
        joins = [frame for frame in (first, last + 1) if 3 < frame < len(leader) - 3]
        for frame in joins:
            assert acceleration(take)[frame - 3 : frame + 1].max() < 1.5 * usual


def test_a_redone_range_is_another_dance(engine: Engine, leader: Motion, draft: Motion) -> None:
    request = PartnerRequest(leader, seed=9, draft=draft, direction=Direction(redo=(60, 180)))
    [take] = engine.partner(request)
    assert np.linalg.norm(take.positions - draft.positions, axis=-1)[80:160].mean() > 0.05


def test_energy_is_how_much_it_moves(engine: Engine, leader: Motion) -> None:
    speeds = []
    for energy in (0.6, 1.0, 1.6):
        takes = engine.partner(PartnerRequest(leader, takes=3, direction=Direction(energy=energy)))
        speeds.append(np.mean([speed(take) for take in takes]))
    assert speeds[0] < 0.9 * speeds[1] < speeds[1] < 0.95 * speeds[2]


def test_who_follows_closely_stays_nearer(engine: Engine, leader: Motion) -> None:
    apart = []
    for closeness in (0.0, 1.0):
        takes = engine.partner(PartnerRequest(leader, takes=3, direction=Direction(closeness=closeness)))
        apart.append(np.mean([np.linalg.norm((t.root - leader.root)[90:, :2], axis=-1).mean() for t in takes]))
    assert apart[1] < apart[0]


def test_takes_of_one_request_differ(engine: Engine, leader: Motion) -> None:
    takes = engine.partner(PartnerRequest(leader, takes=4, seed=3))
    for n, one in enumerate(takes):
        for other in takes[n + 1 :]:
            assert np.linalg.norm(one.positions - other.positions, axis=-1)[60:].mean() > 0.1


@pytest.mark.parametrize("role", ["follow", "lead"])
def test_a_partner_stays_by_the_leader_on_the_floor_and_moves(engine: Engine, leader: Motion, role: str) -> None:
    for take in engine.partner(PartnerRequest(leader, role=role, takes=2)):
        apart = np.linalg.norm((take.root - leader.root)[:, :2], axis=-1)
        assert apart.min() > 0.25
        assert np.median(apart) < 1.2
        assert 0.3 < speed(take) < 1.5
        assert take.positions[..., 2].min() > -0.05
        assert (take.positions[:, [10, 11, 27, 28], 2].min(axis=1) < 0.1).mean() > 0.97
