"""The beat of a dance, against dances whose beat is known and couples who dance to one music."""

from pathlib import Path

import numpy as np
import pytest

from rigs import files, rotations
from rigs.choreography.beat_tracking import BEATS_PER_PHRASE, estimate_beat, track_beats
from rigs.motion import Motion, interpolate, mirror, resample, translate
from rigs.sample_dance.salsa import BEAT, sample_dance
from rigs.skeleton import DEFAULT_SKELETON, INDEX


def marching(period: float, start: float, joint: str, fps: float = 60.0, seconds: float = 12.0) -> Motion:
    """A dancer who moves a limb on every beat and rests in between, a little unevenly."""
    time = np.arange(round(seconds * fps)) / fps
    count = (time - start) / period
    swing = np.interp(np.mod(count, 1.0), [0.0, 0.25, 0.75, 1.0], [0.0, 0.0, 1.0, 1.0]) + np.floor(count)
    loud = np.random.default_rng(1).uniform(0.7, 1.3, 500)
    way = np.cumsum(loud * (-1.0) ** np.arange(500))
    turning = np.zeros((len(time), 29, 3))
    turning[:, INDEX[joint], :2] = 0.6 * np.interp(swing + 10.0, np.arange(500), way)[:, None]
    return Motion(
        fps,
        DEFAULT_SKELETON,
        np.tile(DEFAULT_SKELETON.offsets[0], (len(time), 1)),
        rotations.from_rotation_vector(turning),
    )


def off_the_beat(time: float, period: float) -> float:
    """How far a moment is from the nearest beat of those at 0, `period`, 2 `period`..."""
    return abs((time + period / 2.0) % period - period / 2.0)


@pytest.mark.parametrize("fps", [30.0, 60.0, 120.0])
def test_the_beat_of_a_dance_made_on_a_beat_is_found(fps: float) -> None:
    beat = estimate_beat(resample(sample_dance(), fps))
    assert beat.period == pytest.approx(BEAT, rel=0.01)
    assert off_the_beat(beat.first, BEAT) < 0.05


@pytest.mark.parametrize("joint", ["left_hip", "left_shoulder"])
@pytest.mark.parametrize("period", [0.32, 0.4, 0.5, 0.58])
def test_the_moments_of_rest_are_the_beats(period: float, joint: str) -> None:
    beat = estimate_beat(marching(period, 0.11, joint))
    assert beat.period == pytest.approx(period, rel=0.015)
    assert off_the_beat(beat.first - 0.11, period) < 0.06


def test_most_couples_agree_on_their_beat(corpus: Path) -> None:
    takes = [corpus / "salsa" / f"salsa_{take}_" for take in ("01", "03", "05", "06", "11", "13")]
    periods = np.array(
        [
            [estimate_beat(files.read(f"{take}{role}.bvh").motions[0]).period for role in ("leader", "follower")]
            for take in takes
        ]
    )
    agree = np.abs(periods[:, 0] / periods[:, 1] - 1.0) < 0.05
    assert agree.sum() >= 5, periods


@pytest.mark.parametrize(
    ("dance", "message"),
    [
        (sample_dance()[:100], "4 s of dance or more expected to find its beat, 3.3 s found"),
        (sample_dance()[np.zeros(200, int)], "a dance expected that has a beat, none found"),  # type: ignore[index]
    ],
)
def test_without_a_beat_a_sentence_says_so(dance: Motion, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimate_beat(dance)


@pytest.mark.parametrize("period", [0.3, 0.36, 0.42, 0.5])
def test_every_beat_of_a_dance_made_on_beats_is_found_once(period: float) -> None:
    beats = track_beats(marching(period, 0.11, "left_hip"))
    counted = (beats.times - 0.11) / period
    assert np.abs(counted - np.rint(counted)).max() * period < 0.03
    assert (np.diff(np.rint(counted)) == 1.0).all()
    assert len(beats.times) >= 12.0 / period - 3.0


def test_every_beat_of_the_sample_dance_is_found_once() -> None:
    counted = track_beats(sample_dance()).times / BEAT
    assert np.abs(counted - np.rint(counted)).max() * BEAT < 0.05
    assert (np.diff(np.rint(counted)) == 1.0).all()


def test_beats_follow_a_dance_that_gets_slower_and_faster() -> None:
    """By a tenth. The first beats and the last ones, which have neighbours on one side alone, are less sure."""
    even = marching(0.4, 0.0, "left_hip", seconds=24.0)
    seconds = np.arange(0.0, 22.0, 1.0 / 60.0)
    uneven = interpolate(even, 60.0, 60.0 * (seconds + 0.35 * np.sin(seconds / 4.0)))
    shown = track_beats(uneven).times
    counted = (shown + 0.35 * np.sin(shown / 4.0)) / 0.4
    assert np.abs(counted - np.rint(counted))[3:-3].max() * 0.4 < 0.05
    assert (np.diff(np.rint(counted)) == 1.0).all()


@pytest.mark.parametrize("travelling", range(BEATS_PER_PHRASE))
def test_a_phrase_begins_with_the_step_that_travels_the_most(travelling: int) -> None:
    dance = marching(0.4, 0.0, "left_hip", seconds=20.0)
    count = np.arange(len(dance)) / dance.fps / 0.4 - travelling + 1.0  # the way of a step lies before its beat
    way = 0.6 * (
        np.floor(count / BEATS_PER_PHRASE)
        + np.clip(np.interp(count % BEATS_PER_PHRASE, [0.25, 0.75], [0.0, 1.0]), 0.0, 1.0)
    )
    gone = Motion(dance.fps, dance.skeleton, dance.root + way[:, None] * [0.0, -1.0, 0.0], dance.rotations)
    beats = track_beats(gone, period=0.4)
    first = beats.times[beats.phrase_start :: BEATS_PER_PHRASE] / 0.4
    assert np.allclose((first - travelling + 4.0) % BEATS_PER_PHRASE - 4.0, 0.0, atol=0.1)


def test_two_who_dance_together_have_one_beat() -> None:
    leader = sample_dance()
    follower = translate(mirror(leader), np.array([0.0, -0.9, 0.0]))
    alone, together = track_beats(leader), track_beats(leader, follower)
    assert together.phrase_start == alone.phrase_start
    assert np.abs(together.times - alone.times).max() < 0.03


def test_where_one_of_two_stands_the_other_gives_the_beat() -> None:
    leader = sample_dance()
    still = interpolate(leader, leader.fps, np.zeros(len(leader)))
    assert np.array_equal(track_beats(leader, still).times, track_beats(leader).times)


def test_a_period_that_is_given_is_kept_to() -> None:
    beats = track_beats(sample_dance(), period=2.0 * BEAT)
    assert np.median(np.diff(beats.times)) == pytest.approx(2.0 * BEAT, rel=0.05)
