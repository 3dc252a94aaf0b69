"""dance-flow's pipeline with untrained weights, which must dance to any music, and with the shipped ones."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.engine import Engine
from backend.model_registry import WEIGHTS_VARIABLE, weights_path
from backend.models.dance_flow.conditions import NAME
from backend.models.dance_flow.pipeline import DanceFlowPipeline
from backend.models.motion_flow.network import INITIAL_PASTS
from backend.music.music_features import MUSIC_DIM
from backend.music.pulse import dance_pulse
from backend.music.score import Note, Score, part_from_notes
from backend.wire.messages import Cancelled, DanceRequest
from rigs import Array, rotations
from rigs.choreography.beat_alignment import speed_rhythm
from rigs.contacts import floor_height, foot_contacts
from rigs.motion import Motion
from rigs.skeleton import INDEX, JOINTS
from tests.backend.models.small_networks import small_dance_flow

WITHOUT_HANDS = [j for j, name in enumerate(JOINTS) if not name.endswith(("wrist", "thumb", "middle"))]
TOES = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("foot", "bigtoe")]


def music(bars: int = 4, tempo: float = 180.0, loudness: Callable[[int], int] = lambda bar: 90) -> Score:
    """Bars of four quarters: drums, a bass and a melody, as loud as a bar is; louder ones have more notes."""
    steps = 16 * bars
    drums, bass, melody = list[Note](), list[Note](), list[Note]()
    for bar in range(bars):
        velocity, first = loudness(bar), 16 * bar
        often = 4 if velocity < 100 else 2
        drums += [Note(38 if at % 8 == 4 else 36, velocity, first + at, first + at + 1) for at in range(0, 16, often)]
        bass += [Note(36 + 2 * (bar % 4), velocity, first + at, first + at + 4) for at in (0, 8)]
        melody += [Note(60 + (bar + at) % 12, velocity, first + at, first + at + often) for at in range(0, 16, often)]
    parts = (part_from_notes(notes, steps) for notes in (drums, bass, melody))
    return Score(*parts, 15.0 / tempo * np.arange(steps + 1))


@pytest.fixture(scope="module")
def small_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained weights, whose n-th initial past stands 0.5 mm higher than the one before."""
    network = small_dance_flow()
    network.initial_pasts[..., 2] += 0.0005 * torch.arange(INITIAL_PASTS)[:, None]
    network.rhythm[0, 0] = 0.2
    path = tmp_path_factory.mktemp("weights") / f"{NAME}.safetensors"
    network.save(path)
    return path


@pytest.fixture(scope="module")
def small(small_weights: Path) -> DanceFlowPipeline:
    return DanceFlowPipeline(small_weights, "cpu")


def generate(pipeline: DanceFlowPipeline, request: DanceRequest) -> Motion:
    return pipeline.dance(request, lambda fraction, status: None, lambda: False)


def speed(dance: Motion) -> Array:
    """(F - 1,) the joints' mean speed in m/s."""
    return np.linalg.norm(np.diff(dance.positions, axis=0), axis=-1).mean(axis=1) * dance.fps


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0, 29.97])
def test_a_dance_is_as_long_as_its_music_at_the_requested_rate(small: DanceFlowPipeline, fps: float) -> None:
    request = DanceRequest(music(2), fps=fps)
    dance = generate(small, request)
    assert (dance.fps, len(dance)) == (fps, request.frames)
    assert 0.0 <= request.score.seconds[-1] - dance.seconds < 1.0 / fps
    assert np.isfinite(dance.positions).all()


def test_equal_seeds_give_equal_dances_and_other_seeds_others(small: DanceFlowPipeline) -> None:
    first, again, other = (generate(small, DanceRequest(music(2), seed=seed)) for seed in (3, 3, 4))
    assert np.array_equal(first.rotations, again.rotations)
    assert np.array_equal(first.root, again.root)
    assert np.abs(first.positions - other.positions).max() > 1e-3


def test_other_music_gives_another_dance(small: DanceFlowPipeline) -> None:
    one, other = (generate(small, DanceRequest(score)) for score in (music(2), music(2, loudness=lambda bar: 120)))
    assert np.abs(one.positions - other.positions).max() > 1e-3


def test_progress_rises_and_a_dance_can_be_cancelled(small: DanceFlowPipeline) -> None:
    fractions: list[float] = []
    small.dance(
        DanceRequest(music(4)), lambda fraction, status: fractions.append(fraction), lambda: len(fractions) > 1000
    )
    assert fractions == sorted(fractions)
    assert len(fractions) > 10
    assert fractions[0] == 0.0
    assert fractions[-1] < 1.0
    with pytest.raises(Cancelled):
        small.dance(
            DanceRequest(music(4)), lambda fraction, status: fractions.append(fraction), lambda: len(fractions) > 20
        )


def test_the_initial_past_is_of_about_the_music_s_first_count(small: DanceFlowPipeline) -> None:
    """The n-th initial past is of the count n / 6, and recognisable by its height."""
    counts = set()
    for count in (0.0, 3.0, 7.5):
        features = torch.zeros(1, MUSIC_DIM)
        features[0, 3], features[0, 7] = np.sin(np.pi * count / 4.0), np.cos(np.pi * count / 4.0)
        for seed in range(12):
            past = small.initial_past(features, seed)
            past_count = (float(past.root[-1, 2]) - 0.95) / 0.0005 / 6.0
            assert abs((past_count - count + 4.0) % 8.0 - 4.0) < 0.7
            counts.add(round(past_count, 1))
    assert len(counts) > 6


def test_the_engine_prefers_the_user_s_own_weights(small_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(small_weights.parent))
    request = DanceRequest(music(2), seed=1)
    (dance,) = Engine("cpu").dance(request)
    assert np.array_equal(dance.root, generate(DanceFlowPipeline(small_weights, "cpu"), request).root)


SONG = music(10, 186.0, lambda bar: 60 if bar < 5 else 110)
"""Thirteen seconds, the first half quiet, the other one louder and with twice as many notes."""
EVEN = music(8, 186.0)
"""Ten seconds, all alike."""


@pytest.fixture(scope="module")
def shipped() -> DanceFlowPipeline:
    return DanceFlowPipeline(weights_path(NAME), "cpu")


@pytest.fixture(scope="module")
def dances(shipped: DanceFlowPipeline) -> list[Motion]:
    """Three to `SONG`."""
    return [generate(shipped, DanceRequest(SONG, seed=seed)) for seed in range(3)]


def test_feet_are_in_time_with_the_music(shipped: DanceFlowPipeline, dances: list[Motion]) -> None:
    real = shipped.network.rhythm.astype(np.float64) @ [1.0, 1.0j]

    def rhythm_match(late: float) -> float:
        """Share of the real dancers' rhythm in the dances, if the music were so many counts later."""
        counts = dance_pulse(SONG).counts_at(np.arange(len(dances[0])) / 30.0) - late
        rhythm = np.mean([speed_rhythm(dance.positions, counts, 30.0) for dance in dances], axis=0)
        return float((rhythm * real.conj()).real.sum() / (np.abs(real) ** 2).sum())

    assert rhythm_match(0.0) > 0.5
    assert max(rhythm_match(late) for late in (0.5, 1.0, 1.5)) < 0.5 * rhythm_match(0.0)


def test_a_dance_begins_near_the_origin_facing_about_minus_y(dances: list[Motion]) -> None:
    for dance in dances:
        assert np.linalg.norm(dance.root[0, :2]) < 0.15
        hips = dance.positions[0, INDEX["left_hip"]] - dance.positions[0, INDEX["right_hip"]]
        assert hips[0] / np.linalg.norm(hips) > 0.9


def test_dancers_move_as_much_as_people_do_and_stay_near_home(dances: list[Motion]) -> None:
    for dance in dances:
        assert 0.2 < speed(dance).mean() < 1.5
        assert np.linalg.norm(dance.root[:, :2], axis=-1).max() < 2.5
        assert np.abs(dance.root[:, 2] - np.median(dance.root[:, 2])).max() < 0.35


def test_bodies_stay_upright_and_joints_turn_at_human_rates(dances: list[Motion]) -> None:
    """Mocap of the salsa danced turns wrists by up to 100 degrees from frame to frame."""
    for dance in dances:
        up = dance.positions[:, INDEX["head"], 2] - dance.root[:, 2]
        assert up.min() > 0.3
        turned = rotations.angle_between(dance.rotations[1:], dance.rotations[:-1])
        assert np.degrees(turned[:, WITHOUT_HANDS]).max() < 60.0
        assert np.linalg.norm(np.diff(dance.positions, axis=0), axis=-1).max() * 30.0 < 12.0


@pytest.fixture(scope="module")
def even(shipped: DanceFlowPipeline) -> list[Motion]:
    """Two to `EVEN`."""
    return [generate(shipped, DanceRequest(EVEN, seed=seed)) for seed in range(2)]


def test_feet_stand_on_one_floor_and_do_not_slide(even: list[Motion]) -> None:
    for dance in even:
        floor = floor_height(dance.positions)
        assert abs(floor) < 0.02
        lowest = dance.positions[:, TOES, 2].min(axis=1)
        assert lowest.min() > floor - 0.04
        assert np.median(lowest) < floor + 0.04
        resting = foot_contacts(dance.positions, 30.0)[:, [1, 3]]
        assert resting.any(axis=1).mean() > 0.6  # real dancers of salsa stand more firmly: 0.9 to 0.97
        balls = dance.positions[:, [INDEX["left_foot"], INDEX["right_foot"]], :2]
        way = np.linalg.norm(np.diff(balls, axis=0), axis=-1) * 30.0
        assert way[resting[1:] & resting[:-1]].mean() < 0.15


def test_a_loud_half_has_more_movement_than_a_quiet_one(dances: list[Motion]) -> None:
    quiet, loud = (
        np.mean([speed(dance)[part].mean() for dance in dances]) for part in (slice(30, 165), slice(225, 360))
    )
    assert loud > 1.15 * quiet


def test_more_energy_is_more_movement(shipped: DanceFlowPipeline) -> None:
    score = music(6, 186.0)
    calm, usual, wild = (
        speed(generate(shipped, DanceRequest(score, energy=energy))).mean() for energy in (0.5, 1.0, 2.0)
    )
    assert 1.1 * calm < usual
    assert 1.1 * usual < wild


def test_seeds_give_different_dances(dances: list[Motion]) -> None:
    local = [dance.positions - dance.root[:, None] for dance in dances]
    for one, other in pairwise(local):
        assert np.linalg.norm(one - other, axis=-1).mean() > 0.05


@pytest.mark.parametrize("tempo", [70.0, 240.0])
def test_slow_and_fast_music_is_danced_at_a_human_step_rate(shipped: DanceFlowPipeline, tempo: float) -> None:
    """Two steps to a beat of the slow one, every other beat of the fast one."""
    score = music(4 if tempo < 100.0 else 12, tempo)
    dance = generate(shipped, DanceRequest(score))
    counts = dance_pulse(score).counts_at(np.arange(len(dance)) / 30.0)
    real = shipped.network.rhythm.astype(np.float64) @ [1.0, 1.0j]
    rhythm = speed_rhythm(dance.positions, counts, 30.0)
    assert (rhythm * real.conj()).real.sum() > 0.3 * (np.abs(real) ** 2).sum()


def test_a_partner_dances_along_in_a_duet() -> None:
    request = DanceRequest(replace(music(4), swing=0.6), duet=True, seed=2, fps=24.0)
    one, other = Engine("cpu").dance(request)
    assert len(one) == len(other) == request.frames
    apart = np.linalg.norm((one.root - other.root)[:, :2], axis=-1)
    assert 0.2 < apart.min() <= apart.max() < 2.5
