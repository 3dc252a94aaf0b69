"""Requests to partner-flow through the engine: takes, histories, places, redone and kept frames, previews."""

from pathlib import Path

import numpy as np
import pytest

from backend.engine import Engine
from backend.model_registry import WEIGHTS_VARIABLE
from backend.models.partner_flow.conditions import NAME
from backend.wire.direction import PARTS, Direction
from backend.wire.messages import PartnerRequest
from rigs.motion import Motion, resample, rotate_about_z, translate
from rigs.sample_dance.salsa import sample_dance
from tests.backend.models.small_networks import small_partner_flow


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    small_partner_flow().save(tmp_path / f"{NAME}.safetensors")
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    return Engine("cpu")


def test_takes_have_the_leader_s_frames_and_rate_and_differ(engine: Engine) -> None:
    leader = sample_dance()[:130]
    takes = engine.partner(PartnerRequest(leader, model=NAME, seed=3, takes=2))
    assert [(len(take), take.fps) for take in takes] == [(130, leader.fps)] * 2
    assert np.abs(takes[0].root - takes[1].root).max() > 1e-3


def test_equal_seeds_give_equal_takes(engine: Engine) -> None:
    first, second = (
        engine.partner(PartnerRequest(sample_dance()[:100], model=NAME, seed=5, takes=takes))[0] for takes in (1, 2)
    )
    assert np.abs(first.positions - second.positions).max() < 2e-3


def test_a_history_is_kept_and_continued(engine: Engine) -> None:
    leader = sample_dance()[:180]
    history = Motion(leader.fps, leader.skeleton, leader.root + np.array([1.0, 0.0, 0.0]), leader.rotations)[:90]
    [take] = engine.partner(PartnerRequest(leader, model=NAME, history=history))
    assert np.allclose(take.root[:88], history.root[:88])
    assert np.linalg.norm(take.root[90] - take.root[89]) < 0.2


@pytest.mark.parametrize(("ahead", "left", "turned"), [(1.0, 0.0, 0.0), (0.5, 0.8, 90.0), (-1.2, 0.1, -45.0)])
def test_a_partner_starts_at_the_place_asked_for(engine: Engine, ahead: float, left: float, turned: float) -> None:
    leader = rotate_about_z(sample_dance()[:40], 0.7)
    direction = Direction(place=(ahead, left, turned), without=PARTS)
    [take] = engine.partner(PartnerRequest(leader, model=NAME, direction=direction))
    hips = leader.positions[0, 1] - leader.positions[0, 2]
    to_left = np.array([hips[0], hips[1]]) / np.hypot(hips[0], hips[1])
    front = np.array([to_left[1], -to_left[0]])
    offset = (take.root[0] - leader.root[0])[:2]
    assert np.allclose([offset @ front, offset @ to_left], [ahead, left], atol=0.12)
    own_hips = take.positions[0, 1] - take.positions[0, 2]
    facing = np.degrees(np.arctan2(-own_hips[0], own_hips[1]) - np.arctan2(-offset[1], -offset[0]))
    assert abs((facing - turned + 180.0) % 360.0 - 180.0) < 15.0


@pytest.mark.parametrize("rate", [30.0, 60.0, 24.0])
def test_frames_outside_the_redone_range_do_not_change(engine: Engine, rate: float) -> None:
    leader, draft = leader_and_draft(rate)
    direction = Direction(redo=(40, 90))
    [take] = engine.partner(PartnerRequest(leader, model=NAME, draft=draft, direction=direction))
    outside = np.r_[0:40, 91 : len(leader)]
    assert np.array_equal(take.root[outside], draft.root[outside])
    assert np.array_equal(take.rotations[outside], draft.rotations[outside])
    assert np.abs(take.positions - draft.positions)[41:90].max() > 0.05


@pytest.mark.parametrize("rate", [30.0, 60.0, 24.0])
def test_kept_frames_are_reached(engine: Engine, rate: float) -> None:
    leader, draft = leader_and_draft(rate)
    for keep in ((0, 33, 90), (50,)):
        request = PartnerRequest(leader, model=NAME, draft=draft, direction=Direction(keep=keep), takes=2)
        for take in engine.partner(request):
            assert np.abs(take.positions - draft.positions)[list(keep)].max() < 1e-3
            assert np.abs(take.positions - draft.positions).max() > 0.05


def test_previews_show_each_block_of_every_take(engine: Engine) -> None:
    previews: list[tuple[int, int, Motion]] = []
    leader = resample(sample_dance()[:120], 30.0)
    direction = Direction(without=PARTS)
    request = PartnerRequest(leader, model=NAME, takes=2, preview=True, direction=direction)
    takes = engine.partner(request, preview=lambda *block: previews.append(block))
    for number, take in enumerate(takes, start=1):
        blocks = [(first, motion) for n, first, motion in previews if n == number]
        assert [first for first, _ in blocks] == list(range(0, len(leader), 8))
        root = np.concatenate([motion.root for _, motion in blocks])[: len(leader)]
        assert np.abs(root - take.root).max() < 1e-5


def leader_and_draft(rate: float) -> tuple[Motion, Motion]:
    """A leader, and a draft of a partner."""
    leader = resample(sample_dance()[:300], rate)
    draft = translate(rotate_about_z(leader, np.pi), np.array([0.0, -1.2, 0.0]))
    assert len(leader) > 100
    return leader, draft
