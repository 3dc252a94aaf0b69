"""The end-to-end table of composed music: onsets matched in seconds, and controls of which the verdict is known."""

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from backend.models.score_flow.bar_features import KINDS, ROWS, Bars
from backend.models.score_flow.beat_grid import BarLines
from backend.music import midi
from backend.music.score import Note, Score, part_from_notes
from rigs import files
from rigs.motion import resample
from rigs.sample_dance.salsa import sample_dance
from training.data.music_pairs import MANIFEST, Pair
from training.score_flow import evaluate
from training.score_flow.evaluate import (
    BRIDGE,
    DRAWN_ON_BEATS,
    EXPECTED,
    EXPECTED_STRANGER,
    MEAN,
    OURS,
    REAL,
    STRANGER,
    gains,
    strangers,
)
from training.score_flow.onset_metrics import (
    CLASSES,
    Likely,
    Onsets,
    alike,
    best_least,
    changes,
    counted,
    f1_of,
    laid,
    matched,
    mean_bar,
    mean_of,
    on_beats,
    on_mean_tempo,
    onsets_of,
    scored,
)

STEPS = 64


def song(*, up: int = 0) -> Score:
    """Four bars of 2 s in C: a kick on each beat, a bass on C, G and C, and a tune."""
    drums = [Note(36, 90, step, step + 1) for step in range(0, STEPS, 4)]
    bass = [Note(pitch + up, 80, 16 * n, 16 * n + 16) for n, pitch in enumerate((36, 43, 41, 36))]
    scale = [60, 64, 67, 72, 67, 65, 64, 62, 60, 62, 64, 65, 67, 71, 72, 72]
    tune = [Note(pitch + up, 80, 4 * n, 4 * n + 4) for n, pitch in enumerate(scale)]
    parts = [part_from_notes(notes, STEPS) for notes in (drums, bass, tune)]
    return Score(parts[0], parts[1], parts[2], np.arange(STEPS + 1) / 8.0)


def shifted(music: Onsets, seconds: float) -> Onsets:
    return replace(music, seconds=music.seconds + seconds)


def pair(name: str, song_name: str, score: Score | None = None) -> Pair:
    return Pair(name, resample(sample_dance(), 30.0), score or song(), "r", song_name)


def test_as_many_onsets_are_matched_as_can_be() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        one, other = (np.sort(rng.random(5) * 0.5).tolist() for _ in range(2))
        near = [[abs(a - b) <= 0.05 for b in other] for a in one]
        best = max(
            size
            for size in range(6)
            for rows in combinations(range(5), size)
            for columns in combinations(range(5), size)
            if all(near[row][column] for row, column in zip(rows, columns, strict=True))
        )
        assert matched(one, other) == best


def test_music_matches_itself_a_little_late_in_any_key_and_not_much_too_late() -> None:
    real = onsets_of(song())
    assert real.begun["drums"].sum() == 16
    for part in ("drums", "bass", "melody"):
        for made in (real, shifted(real, 0.04), onsets_of(song(up=3))):
            assert f1_of(counted(made, real, part)) == 1.0
        assert f1_of(counted(shifted(real, 0.1), real, part)) == 0.0


def test_only_the_time_that_both_have_counts() -> None:
    real = onsets_of(song())
    cut = real.before(4.0)
    assert cut.begun["drums"].sum() == 8
    assert scored([[cut]], [real], [4.0])["drums"] == 1.0
    assert scored([[cut]], [real], [8.0])["drums"] == pytest.approx(2 / 3)


def test_a_part_that_the_true_music_lacks_is_not_judged() -> None:
    alone = replace(song(), drums=part_from_notes([], STEPS))
    assert set(scored([[onsets_of(song())]], [onsets_of(alone)], [8.0])) == {"bass", "melody"}


def test_a_mean_bar_on_the_right_beats_is_right_and_on_others_is_not() -> None:
    bar, real = mean_bar([song()]), onsets_of(song())
    assert bar["drums"][::4, 0].tolist() == [1.0] * 4
    right, wrong = (laid(bar, BarLines(np.arange(65) * step, 0)) for step in (0.125, 0.16))
    least = best_least([right], [real], [8.0])
    assert scored([[right.certain(least)]], [real], [8.0])["drums"] == 1.0
    assert scored([[wrong.certain(least)]], [real], [8.0])["drums"] < 0.6


def test_a_pickup_moves_the_mean_bar() -> None:
    bar = mean_bar([song()])
    made = laid(bar, BarLines(np.arange(33) * 0.125, 2)).certain(dict.fromkeys(bar, 0.5))
    assert np.flatnonzero(made.begun["drums"][:, 0])[:3].tolist() == [2, 6, 10]


def test_the_mean_bar_follows_the_dancers_beats_or_the_mean_tempo() -> None:
    bar, one = mean_bar([song()]), pair("a", "s")
    even, danced = on_mean_tempo(bar, [one], 2.0)[0], on_beats(bar, [one], 4 / 3)[0]
    assert np.allclose(np.diff(even.seconds), 0.125)
    assert np.median(np.diff(danced.seconds)) == pytest.approx(1 / 12, rel=0.05)
    assert len(danced.chances["drums"]) == len(danced.seconds)


def test_takes_are_averaged() -> None:
    onset = np.zeros((2, 16, ROWS), bool)
    onset[0, 3, 0] = True
    onset[1, 5, KINDS + 1] = True  # F, as the bass begins with E
    bars = Bars(onset, onset[..., KINDS:], np.zeros((2, 16, KINDS + 3)))
    empty = replace(bars, onset=np.zeros_like(onset))
    mean = mean_of([bars, empty], BarLines(np.arange(31) / 8.0, 2))
    assert mean.chances["drums"][1, 0] == 0.5
    assert mean.chances["bass"][19, 5] == 0.5
    assert sum(rows.sum() for rows in mean.chances.values()) == 1.0
    assert mean.certain(dict.fromkeys(mean.chances, 0.5)).begun["drums"].sum() == 1


def test_what_is_likely_is_drawn_as_often() -> None:
    likely = Likely({"drums": np.full((2000, CLASSES), 0.3)}, np.arange(2000) / 8.0)
    assert likely.drawn(1).begun["drums"].mean() == pytest.approx(0.3, abs=0.02)
    assert (likely.drawn(1).begun["drums"] == likely.drawn(1).begun["drums"]).all()


def test_onsets_are_counted_second_by_second_and_pieces_with_each_other() -> None:
    real = onsets_of(song())
    assert changes(real, "drums", 8.0).tolist() == [2] * 8
    assert alike([real, real, shifted(real, 0.1)], "drums") == pytest.approx(1 / 3)


def test_a_stranger_has_another_song_and_another_moment() -> None:
    pairs = [pair("a", "s"), pair("b", "s"), pair("c", "t"), pair("d", "t")]
    begins = {"a": 0.0, "b": 5.0, "c": 0.0, "d": 5.0}
    assert strangers(pairs, begins) == [3, 2, 1, 0]


def test_what_a_stranger_costs_is_weighed_against_half_the_gain() -> None:
    marks = {
        OURS: 0.5,
        STRANGER: 0.3,
        "drawn from the mean bar": 0.2,
        EXPECTED: 0.6,
        EXPECTED_STRANGER: 0.58,
        MEAN: 0.4,
    }
    found = gains({name: {"drums": mark} for name, mark in marks.items()})
    assert found["pieces"]["drums"] == pytest.approx({"gain": 0.3, "cost": 0.2, "lost": 2 / 3})
    assert found["what is expected"]["drums"]["lost"] == pytest.approx(0.1)
    assert "lost" not in gains({name: {"drums": 0.5 - mark} for name, mark in marks.items()})["pieces"]["drums"]


def test_a_key_that_is_known_is_not_looked_for() -> None:
    begun = onsets_of(song(up=5), 5).begun["bass"]
    assert (begun == onsets_of(song(), 0).begun["bass"]).all()
    assert not (begun == onsets_of(song(), 2).begun["bass"]).all()


def test_all_music_is_judged_and_the_figures_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SEEDS", 1), ("_SEEDS_APART", 2), ("_DIVERSE", 1), ("_KNOWN", 1)):
        monkeypatch.setattr(evaluate, name, value)
    folder, listed = tmp_path / "pairs", []
    folder.mkdir()
    for n, part in enumerate(("train", "train", "validation", "validation", "test")):
        one = pair(f"p{n}", f"s{n}", song(up=n))
        files.write(folder / f"{one.name}.npz", one.dancer[10 * n : 10 * n + 180])
        midi.write(folder / f"{one.name}.mid", one.score)
        listed.append({"name": one.name, "recording": f"{part}{n}", "song": one.song, "part": part, "from": n})
    (folder / MANIFEST).write_text(json.dumps({"pairs": listed}))
    found = evaluate.evaluate(folder, tmp_path / "found.json", ("validation",))["validation"]
    assert set(found["onsets"]) >= {OURS, STRANGER, EXPECTED, MEAN, DRAWN_ON_BEATS, BRIDGE}
    # All songs here have one and the same bar of drums, which is all that a mean has to know on the right beats.
    assert found["onsets"]["mean bar, on our beats"]["drums"] > 0.2
    assert found["music"][REAL]["variance, drums"] == pytest.approx(1.0)
    assert 0.0 < found["music"][OURS]["seeds alike, drums"] < 1.0
    assert found["strict"]["onsets"]["drums"]["mean"] == 1.0
    assert json.loads((tmp_path / "found.json").read_text())["validation"]["onsets"] == found["onsets"]
