"""Dancing to music with the dance flow: what any weights must do, and what the shipped ones do to music."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.engine import Engine
from backend.model_registry import WEIGHTS_VARIABLE, weights_path
from backend.models.dance_flow.network import NAME, DanceFlow, music_leader
from backend.models.dance_flow.pipeline import DanceFlowPipeline
from backend.models.motion_flow.features import ROTATED_JOINTS, floor_frame_at
from backend.models.motion_flow.network import INITIAL_PASTS, MotionFlowConfig
from backend.models.partner_flow.network import PartnerFlow
from backend.music.music_features import MUSIC_DIM
from backend.music.pulse import dance_pulse
from backend.music.score import Note, Score, part_from_notes
from backend.wire.messages import Cancelled, DanceRequest
from rigs import Array, rotations
from rigs.choreography.beat_alignment import speed_rhythm
from rigs.contacts import floor_height, foot_contacts
from rigs.motion import Motion
from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS

SMALL = MotionFlowConfig(width=32, layers=1, heads=2)
WITHOUT_HANDS = [j for j, name in enumerate(JOINTS) if not name.endswith(("wrist", "thumb", "middle"))]
TOES = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("foot", "bigtoe")]


def music(bars: int = 4, tempo: float = 180.0, loud: Callable[[int], int] = lambda bar: 90) -> Score:
    """Bars of four quarters: drums, a bass and a melody, as loud as a bar is; louder ones have more notes."""
    steps = 16 * bars
    drums, bass, melody = list[Note](), list[Note](), list[Note]()
    for bar in range(bars):
        strength, first = loud(bar), 16 * bar
        often = 4 if strength < 100 else 2
        drums += [Note(38 if at % 8 == 4 else 36, strength, first + at, first + at + 1) for at in range(0, 16, often)]
        bass += [Note(36 + 2 * (bar % 4), strength, first + at, first + at + 4) for at in (0, 8)]
        melody += [Note(60 + (bar + at) % 12, strength, first + at, first + at + often) for at in range(0, 16, often)]
    parts = (part_from_notes(notes, steps) for notes in (drums, bass, melody))
    return Score(*parts, 15.0 / tempo * np.arange(steps + 1))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that know nothing but how a body stands, in a few slightly different ways."""
    torch.manual_seed(0)
    network = DanceFlow(SMALL)
    torch.nn.init.normal_(network.out_proj.weight, std=0.02)
    for role in range(2):
        network.bone_offsets[role] = torch.from_numpy(DEFAULT_SKELETON.offsets)
        network.initial_counts[role] = 8.0 * torch.arange(INITIAL_PASTS) / INITIAL_PASTS
    network.initial_pasts[..., 2] = 0.95 + 0.0005 * torch.arange(INITIAL_PASTS)[:, None]
    network.initial_pasts[..., 3:-4] = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]).repeat(len(ROTATED_JOINTS))
    network.rhythm[0, 0] = 0.2
    path = tmp_path_factory.mktemp("weights") / f"{NAME}.safetensors"
    network.save(path)
    return path


@pytest.fixture(scope="module")
def dancer(small: Path) -> DanceFlowPipeline:
    return DanceFlowPipeline(small, "cpu")


def danced(dancer: DanceFlowPipeline, request: DanceRequest) -> Motion:
    return dancer.dance(request, lambda fraction, what: None, lambda: False)


def speed(dance: Motion) -> Array:
    """(F - 1,) the joints' mean speed in m/s."""
    return np.linalg.norm(np.diff(dance.positions, axis=0), axis=-1).mean(axis=1) * dance.fps


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0, 29.97])
def test_a_dance_is_as_long_as_its_music_at_the_rate_that_is_asked_for(dancer: DanceFlowPipeline, fps: float) -> None:
    request = DanceRequest(music(2), fps=fps)
    made = danced(dancer, request)
    assert (made.fps, len(made)) == (fps, request.frames)
    assert 0.0 <= request.score.seconds[-1] - made.seconds < 1.0 / fps
    assert np.isfinite(made.positions).all()


def test_equal_seeds_give_equal_dances_and_others_other_ones(dancer: DanceFlowPipeline) -> None:
    first, again, other = (danced(dancer, DanceRequest(music(2), seed=seed)) for seed in (3, 3, 4))
    assert np.array_equal(first.rotations, again.rotations)
    assert np.array_equal(first.root, again.root)
    assert np.abs(first.positions - other.positions).max() > 1e-3


def test_other_music_gives_another_dance(dancer: DanceFlowPipeline) -> None:
    one, other = (danced(dancer, DanceRequest(score)) for score in (music(2), music(2, loud=lambda bar: 120)))
    assert np.abs(one.positions - other.positions).max() > 1e-3


def test_progress_is_told_and_dancing_can_be_called_off(dancer: DanceFlowPipeline) -> None:
    told: list[float] = []
    dancer.dance(DanceRequest(music(4)), lambda fraction, what: told.append(fraction), lambda: len(told) > 1000)
    assert told == sorted(told)
    assert len(told) > 10
    assert told[0] == 0.0
    assert told[-1] < 1.0
    with pytest.raises(Cancelled):
        dancer.dance(DanceRequest(music(4)), lambda fraction, what: told.append(fraction), lambda: len(told) > 20)


def test_music_that_cannot_be_danced_to_is_refused(dancer: DanceFlowPipeline) -> None:
    score = music(1)
    parts = (part_from_notes([], 2) for _ in range(3))
    with pytest.raises(ValueError, match="music of two beats or more expected, 2 sixteenths found"):
        danced(dancer, DanceRequest(Score(*parts, score.seconds[:3])))


def test_a_dance_begins_with_a_way_from_about_the_music_s_count(dancer: DanceFlowPipeline) -> None:
    """Ways to begin are told apart by their height here: the n-th is that of the count n / 6."""
    heights = set()
    for count in (0.0, 3.0, 7.5):
        hearing = torch.zeros(1, MUSIC_DIM)
        hearing[0, 3], hearing[0, 7] = np.sin(np.pi * count / 4.0), np.cos(np.pi * count / 4.0)
        for seed in range(12):
            begun = dancer.initial_past(hearing, seed)
            found = (float(begun.root[-1, 2]) - 0.95) / 0.0005 / 6.0
            assert abs((found - count + 4.0) % 8.0 - 4.0) < 0.7
            heights.add(round(found, 1))
    assert len(heights) > 6


def test_home_is_seen_from_where_the_dancer_stands_and_faces() -> None:
    """One who stands 2 m to the left of home, facing +X, has it 2 m to their right."""
    leader = music_leader(torch.zeros(5, MUSIC_DIM), torch.tensor([0.0, 0.0]))[None]
    places = [floor_frame_at(torch.tensor([0.0, 2.0, 1.0]), torch.tensor(turn)) for turn in (0.0, np.pi / 2.0)]
    seen = [DanceFlow(SMALL).leader_features(place, leader)[0, :, MUSIC_DIM:] for place in places]
    assert seen[0].shape == (4, 2)
    assert torch.allclose(seen[0], torch.tensor([0.0, -2.0]).expand(4, 2), atol=1e-5)
    assert torch.allclose(seen[1].norm(dim=-1), torch.tensor(2.0), atol=1e-5)
    assert torch.allclose(seen[1][:, 1], torch.tensor(0.0), atol=1e-5)


def test_the_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    PartnerFlow(SMALL).save(tmp_path / "partner.safetensors")
    with pytest.raises(ValueError, match="weights of dance-flow expected, those of partner-flow found"):
        DanceFlowPipeline(tmp_path / "partner.safetensors", "cpu")


def test_the_engine_dances_with_ones_own_weights(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(small.parent))
    request = DanceRequest(music(2), seed=1)
    (made,) = Engine("cpu").dance(request)
    assert np.array_equal(made.root, danced(DanceFlowPipeline(small, "cpu"), request).root)


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
    return [danced(shipped, DanceRequest(SONG, seed=seed)) for seed in range(3)]


def test_feet_keep_to_the_music_and_not_beside_it(shipped: DanceFlowPipeline, dances: list[Motion]) -> None:
    usual = shipped.network.rhythm.double().numpy() @ [1.0, 1.0j]

    def kept(late: float) -> float:
        """How much of real dancers' rhythm there is, were the music so many counts later."""
        counts = dance_pulse(SONG).counts_at(np.arange(len(dances[0])) / 30.0) - late
        found = np.mean([speed_rhythm(dance.positions, counts, 30.0) for dance in dances], axis=0)
        return float((found * usual.conj()).real.sum() / (np.abs(usual) ** 2).sum())

    assert kept(0.0) > 0.5
    assert max(kept(late) for late in (0.5, 1.0, 1.5)) < 0.5 * kept(0.0)


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


def test_bodies_are_whole(dances: list[Motion]) -> None:
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
    return [danced(shipped, DanceRequest(EVEN, seed=seed)) for seed in range(2)]


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


def test_a_loud_half_is_danced_livelier_than_a_quiet_one(dances: list[Motion]) -> None:
    quiet, loud = (
        np.mean([speed(dance)[part].mean() for dance in dances]) for part in (slice(30, 165), slice(225, 360))
    )
    assert loud > 1.15 * quiet


def test_more_energy_is_more_movement(shipped: DanceFlowPipeline) -> None:
    score = music(6, 186.0)
    calm, usual, wild = (
        speed(danced(shipped, DanceRequest(score, energy=energy))).mean() for energy in (0.5, 1.0, 2.0)
    )
    assert 1.1 * calm < usual
    assert 1.1 * usual < wild


def test_seeds_dance_each_their_own_way(dances: list[Motion]) -> None:
    seen = [dance.positions - dance.root[:, None] for dance in dances]
    for one, other in pairwise(seen):
        assert np.linalg.norm(one - other, axis=-1).mean() > 0.05


@pytest.mark.parametrize("tempo", [70.0, 240.0])
def test_slow_and_fast_music_is_stepped_to_at_a_dancer_s_rate(shipped: DanceFlowPipeline, tempo: float) -> None:
    """Two steps to a beat of the slow one, every other beat of the fast one."""
    score = music(4 if tempo < 100.0 else 12, tempo)
    made = danced(shipped, DanceRequest(score))
    counts = dance_pulse(score).counts_at(np.arange(len(made)) / 30.0)
    usual = shipped.network.rhythm.double().numpy() @ [1.0, 1.0j]
    found = speed_rhythm(made.positions, counts, 30.0)
    assert (found * usual.conj()).real.sum() > 0.3 * (np.abs(usual) ** 2).sum()


def test_a_partner_dances_along_in_a_duet() -> None:
    request = DanceRequest(replace(music(4), swing=0.6), duet=True, seed=2, fps=24.0)
    one, other = Engine("cpu").dance(request)
    assert len(one) == len(other) == request.frames
    apart = np.linalg.norm((one.root - other.root)[:, :2], axis=-1)
    assert 0.2 < apart.min() <= apart.max() < 2.5
