"""The score flow's network and composing with it: weights that know nothing play badly, but by all the rules."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.models.common.weights_file import save_weights
from backend.models.score_flow.bar_features import DRUM_ROWS, PITCHED_ROWS, ROWS, Bars
from backend.models.score_flow.bar_vae import BarTensors, BarVAEConfig
from backend.models.score_flow.beat_grid import BarGrid, fit_bar_grid
from backend.models.score_flow.cadence import add_cadence
from backend.models.score_flow.dance_features import SPEED_INDEX, WINDOW_POSES, pose_features, pose_window, window_times
from backend.models.score_flow.network import ScoreFlow, ScoreFlowConfig, load, save
from backend.models.score_flow.note_decoding import VOICE_SLICES, decode_notes
from backend.models.score_flow.pipeline import ScoreFlowPipeline, dance_windows, sample_bars, score_from_takes
from backend.music.score import Score, part_to_notes
from backend.wire.messages import Cancelled, ComposeRequest
from rigs.motion import Motion, rotate_about_z, translate
from rigs.sample_dance.salsa import sample_dance

SMALL = ScoreFlowConfig(BarVAEConfig(4, 8, width=16, beat=8), width=16, layers=1, reader=8, shared=8)


@pytest.fixture(scope="module")
def dancer() -> Motion:
    return sample_dance()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = ScoreFlow(SMALL)
    torch.nn.init.normal_(network.write[1].weight, std=1.0)
    for coder in (network.coders.drums, network.coders.pitched):
        torch.nn.init.normal_(coder.take.weight, std=3.0)
    network.begins.fill_(0.52)
    path = tmp_path_factory.mktemp("weights") / "score-flow.safetensors"
    save(path, network)
    return path


@pytest.fixture(scope="module")
def composer(weights: Path) -> ScoreFlowPipeline:
    return ScoreFlowPipeline(weights, "cpu")


def composed(composer: ScoreFlowPipeline, request: ComposeRequest) -> Score:
    return composer.compose(request, lambda fraction, what: None, lambda: False)


def test_a_dance_is_seen_the_same_wherever_it_stands_and_faces(dancer: Motion) -> None:
    elsewhere = translate(rotate_about_z(dancer, 2.0), np.array([3.0, -1.0, 0.0]))
    assert np.allclose(pose_features(dancer), pose_features(elsewhere), atol=1e-4)


def test_a_window_has_the_poses_of_its_moments(dancer: Motion) -> None:
    track = pose_features(dancer)
    seconds = 2.0 + np.arange(33) / 15.0
    window = pose_window(track, seconds)
    assert window.shape == (WINDOW_POSES, track.shape[1])
    assert np.allclose(window[::2], track[60:124:2], atol=1e-5)


def test_before_and_after_the_dance_poses_are_held(dancer: Motion) -> None:
    track = pose_features(dancer)
    early = window_times(np.arange(65) / 8.0, 0)
    assert early[0] == pytest.approx(-2.0)
    assert early[-1] == pytest.approx(2.0)
    window = pose_window(track, early)
    assert (window[: WINDOW_POSES // 2] == track[0]).all()
    late = pose_window(track, window_times(np.arange(65) / 8.0 + dancer.seconds - 7.0, 64))
    assert np.allclose(late[WINDOW_POSES // 2 :], track[-1])


def test_the_last_number_of_a_pose_is_the_joints_speed(dancer: Motion) -> None:
    standing = replace(dancer, root=dancer.root[:1].repeat(40, 0), rotations=dancer.rotations[:1].repeat(40, 0))
    assert np.allclose(pose_features(standing)[:, SPEED_INDEX], 0.0)
    assert pose_features(dancer)[:, SPEED_INDEX].mean() > 0.3


def test_bars_lie_on_the_dancers_beats_from_the_first_frame_to_the_last(dancer: Motion) -> None:
    lines = fit_bar_grid([dancer], None, 4 / 3)
    assert lines.seconds[0] == 0.0
    assert abs(lines.seconds[-1] - dancer.seconds) < 0.1
    steps = np.diff(lines.seconds)
    assert (steps > 0.03).all()
    assert np.median(steps) * 4 == pytest.approx(1 / 3, rel=0.03)  # the sample dance has 180 steps a minute


def test_a_bar_has_eight_steps_of_the_dancers_where_that_is_more_usual(dancer: Motion) -> None:
    lines = fit_bar_grid([dancer], None, 2.7)
    assert np.median(np.diff(lines.seconds)) * 16 == pytest.approx(8 / 3, rel=0.03)


def test_a_given_tempo_is_even(dancer: Motion) -> None:
    lines = fit_bar_grid([dancer], 100.0, 2.0)
    assert np.allclose(np.diff(lines.seconds)[1:], 0.15)
    assert lines.bar_starts[0] <= 0 < lines.bar_starts[1]


def test_music_lasts_as_long_as_the_dance_and_plays_all_parts(composer: ScoreFlowPipeline, dancer: Motion) -> None:
    score = composed(composer, ComposeRequest((dancer,)))
    assert score.seconds[0] == 0.0
    assert abs(score.seconds[-1] - dancer.seconds) < 0.2
    assert all(getattr(score, part).onset.any() for part in ("drums", "bass", "melody"))


def test_bass_has_one_voice_and_the_melody_four_at_most_begin(composer: ScoreFlowPipeline, dancer: Motion) -> None:
    score = composed(composer, ComposeRequest((dancer,)))
    last = score.steps - 16  # the end is a chord that is written
    assert score.bass.sustain[:last].sum(axis=1).max() == 1
    assert score.melody.onset[:last].sum(axis=1).max() <= 4


def test_only_parts_that_are_asked_for_play(composer: ScoreFlowPipeline, dancer: Motion) -> None:
    score = composed(composer, ComposeRequest((dancer,), parts=("bass",)))
    assert score.bass.onset.any()
    assert not score.drums.onset.any()
    assert not score.melody.onset.any()


def test_a_piece_may_break_off_instead_of_ending(composer: ScoreFlowPipeline, dancer: Motion) -> None:
    request = ComposeRequest((dancer,), seed=2)
    takes = composer.sample_takes(request, lambda fraction, what: None, lambda: False)
    whole, broken = score_from_takes(takes, request), score_from_takes(takes, request, ends=False)
    last = int(whole.bars[-2])
    assert (whole.drums.onset[:last] == broken.drums.onset[:last]).all()
    assert not whole.drums.onset[-2:].any()
    assert broken.drums.onset[last:].sum() > whole.drums.onset[last:].sum()


def test_equal_seeds_give_equal_music_and_others_other(composer: ScoreFlowPipeline, dancer: Motion) -> None:
    first, again, other = (composed(composer, ComposeRequest((dancer,), seed=seed)) for seed in (3, 3, 4))
    assert part_to_notes(first.melody) == part_to_notes(again.melody)
    assert part_to_notes(first.melody) != part_to_notes(other.melody)


def test_another_dance_gives_other_music_and_so_does_a_second_dancer(
    composer: ScoreFlowPipeline, dancer: Motion
) -> None:
    lines = BarGrid(np.arange(129) / 6.4, 0)
    slow = Motion(dancer.fps, dancer.skeleton, dancer.root[::-1], dancer.rotations[::-1])
    tracks = pose_features(dancer), pose_features(slow)
    made = [
        sample_bars(composer.network, dance_windows(seen, lines), lines, torch.ones(1, 2), 0, lambda bar: None)[0]
        for seen in ([tracks[0]], [tracks[1]], [tracks[0], tracks[1]])
    ]
    assert not (made[0].velocity == made[1].velocity).all()
    assert not (made[2].velocity == made[0].velocity).all()
    assert not (made[2].velocity == made[1].velocity).all()


def test_progress_is_told_and_composing_can_be_called_off(composer: ScoreFlowPipeline, dancer: Motion) -> None:
    told: list[float] = []
    composer.compose(ComposeRequest((dancer,)), lambda fraction, what: told.append(fraction), lambda: False)
    assert told == sorted(told)
    assert len(told) > 5
    with pytest.raises(Cancelled):
        composer.compose(ComposeRequest((dancer,)), lambda fraction, what: None, lambda: True)


def test_notes_are_held_over_the_bar_line_and_end_when_another_begins() -> None:
    chances = BarTensors(torch.zeros(1, 16, ROWS), torch.ones(1, 16, PITCHED_ROWS), torch.zeros(1, 16, DRUM_ROWS + 3))
    bass = VOICE_SLICES["bass"]
    chances.onset[0, 8, bass.start + 5] = 0.9
    held = torch.zeros(1, PITCHED_ROWS, dtype=torch.bool)
    held[0, 2] = True
    notes, after = decode_notes(chances, held, torch.full((DRUM_ROWS + 3,), 0.5), torch.full((3,), 0.5))
    assert notes.sustain[0, :8].nonzero()[:, 1].unique().tolist() == [2]
    assert notes.sustain[0, 8:].nonzero()[:, 1].unique().tolist() == [5]
    assert after[0].nonzero()[:, 0].tolist() == [5]


def test_a_piece_ends_on_the_tonic() -> None:
    rng = np.random.default_rng(0)
    onset = np.zeros((4, 16, ROWS), bool)
    onset[:, ::4, 0] = True
    onset[:, ::2, DRUM_ROWS + 12 + np.array([0, 7, 4, 0, 7, 4, 0, 7]) % 12] = True
    sustain = onset[..., DRUM_ROWS:].copy()
    lines = BarGrid(np.arange(58) / 8.0, 0)
    bars = add_cadence(Bars(onset, sustain, rng.random((4, 16, DRUM_ROWS + 3))), lines)
    assert bars.onset[3, 0].sum() == 2 + 1 + 3 + 1
    assert not bars.onset[3, 1:].any()
    pitches = np.flatnonzero(bars.onset[3, 0, DRUM_ROWS : DRUM_ROWS + 24]) + 28
    assert pitches % 12 == [0]
    assert (bars.onset[:3] == onset[:3]).all()


def test_weights_come_back_as_they_were(weights: Path) -> None:
    network = load(weights)
    assert network.config == SMALL
    other = weights.with_name("other.safetensors")
    save_weights(other, "partner-flow", {}, {"x": torch.zeros(1)})
    with pytest.raises(ValueError, match="score-flow"):
        load(other)
