"""Composing with score-flow: untrained weights compose badly, but by all the rules."""

from pathlib import Path

import numpy as np
import pytest

from backend.models.score_flow.dance_features import BarGrid, pose_features, pose_windows
from backend.models.score_flow.pipeline import ScoreFlowPipeline, sample_bars, score_from_takes
from backend.music.score import Score, part_to_notes
from backend.wire.messages import Cancelled, ComposeRequest
from rigs.motion import Motion


@pytest.fixture(scope="module")
def pipeline(weights: Path) -> ScoreFlowPipeline:
    return ScoreFlowPipeline(weights, "cpu")


def compose(pipeline: ScoreFlowPipeline, request: ComposeRequest) -> Score:
    return pipeline.compose(request, lambda fraction, what: None, lambda: False)


def test_music_lasts_as_long_as_the_dance_and_plays_all_parts(pipeline: ScoreFlowPipeline, dancer: Motion) -> None:
    score = compose(pipeline, ComposeRequest((dancer,)))
    assert score.seconds[0] == 0.0
    assert abs(score.seconds[-1] - dancer.seconds) < 0.2
    assert all(getattr(score, part).onset.any() for part in ("drums", "bass", "melody"))


def test_the_bass_is_monophonic_and_the_melody_has_at_most_four_onsets(
    pipeline: ScoreFlowPipeline, dancer: Motion
) -> None:
    score = compose(pipeline, ComposeRequest((dancer,)))
    last = score.steps - 16  # the end is a chord that is written
    assert score.bass.sustain[:last].sum(axis=1).max() == 1
    assert score.melody.onset[:last].sum(axis=1).max() <= 4


def test_only_the_requested_parts_play(pipeline: ScoreFlowPipeline, dancer: Motion) -> None:
    score = compose(pipeline, ComposeRequest((dancer,), parts=("bass",)))
    assert score.bass.onset.any()
    assert not score.drums.onset.any()
    assert not score.melody.onset.any()


def test_a_piece_may_break_off_without_a_cadence(pipeline: ScoreFlowPipeline, dancer: Motion) -> None:
    request = ComposeRequest((dancer,), seed=2)
    takes = pipeline.sample_takes(request, lambda fraction, what: None, lambda: False)
    whole, broken = score_from_takes(takes, request), score_from_takes(takes, request, cadence=False)
    last = int(whole.bars[-2])
    assert (whole.drums.onset[:last] == broken.drums.onset[:last]).all()
    assert not whole.drums.onset[-2:].any()
    assert broken.drums.onset[last:].sum() > whole.drums.onset[last:].sum()


def test_equal_seeds_give_equal_music_and_others_other(pipeline: ScoreFlowPipeline, dancer: Motion) -> None:
    first, again, other = (compose(pipeline, ComposeRequest((dancer,), seed=seed)) for seed in (3, 3, 4))
    assert part_to_notes(first.melody) == part_to_notes(again.melody)
    assert part_to_notes(first.melody) != part_to_notes(other.melody)


def test_another_dance_gives_other_music_and_so_does_a_second_dancer(
    pipeline: ScoreFlowPipeline, dancer: Motion
) -> None:
    grid = BarGrid(np.arange(129) / 6.4, 0)
    slow = Motion(dancer.fps, dancer.skeleton, dancer.root[::-1], dancer.rotations[::-1])
    features = pose_features(dancer), pose_features(slow)
    bars = [
        sample_bars(pipeline.network, windows, grid, np.ones((1, 2), np.float32), 0, lambda bar: None)[0]
        for dancers in ([features[0]], [features[1]], [features[0], features[1]])
        for windows in [pose_windows(dancers, grid.seconds, grid.bar_starts)]
    ]
    assert not (bars[0].velocity == bars[1].velocity).all()
    assert not (bars[2].velocity == bars[0].velocity).all()
    assert not (bars[2].velocity == bars[1].velocity).all()


def test_composing_reports_progress_and_can_be_cancelled(pipeline: ScoreFlowPipeline, dancer: Motion) -> None:
    fractions: list[float] = []
    pipeline.compose(ComposeRequest((dancer,)), lambda fraction, what: fractions.append(fraction), lambda: False)
    assert fractions == sorted(fractions)
    assert len(fractions) > 5
    with pytest.raises(Cancelled):
        pipeline.compose(ComposeRequest((dancer,)), lambda fraction, what: None, lambda: True)
