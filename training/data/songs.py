"""MIDI files as music to dance to: which bars they have, how loud each half beat is, and bands put together of two."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backend.music import midi
from backend.music.pulse import Pulse, dance_pulse
from backend.music.score import PITCHES, Meter, Part, Score
from rigs import Array
from rigs.files import BadFile
from training.data.duets import PARTS

KINDS = ("drums", "tune", "band")
BEATS_FILE = "beat_midi.txt"
"""The file with beats that POP909 has beside each song, whose own meters are wrong: seconds, -, 1 in a bar's first."""
_EACH = 10
"""One song of so many is for validation and another for the test."""
_BAR = 16
"""Sixteenths in a bar of four quarters."""
_HALVES = 2


@dataclass(frozen=True)
class Song:
    """Music in bars of four.

    of: the file it is, or whose tune it is.  kind: one of KINDS.  phrases: (N,) which of the pulse's steps begin a
    dancer's phrase, and a bar.
    loudness: (2 P,) of each half of a pulse's step, in deviations from the mean of the songs of its kind.
    """

    name: str
    source: str
    kind: str
    score: Score
    pulse: Pulse
    phrases: Array
    loudness: Array


def find_songs(folders: Iterable[Path]) -> dict[str, list[Song]]:
    """The songs of each part: files with drums, files with a tune, and bands, a tune over another file's drums.

    Files that are not in bars of four are left out. Songs are dealt out by their order among those of their kind.
    Raises BadFile.
    """
    files = {path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in midi.SUFFIXES}
    paths = sorted(path for path in files if not path.name.startswith("."))
    if not paths:
        raise BadFile(f"{', '.join(map(str, folders))}: MIDI files expected, none found")
    scores: dict[str, dict[str, Score]] = {"drums": {}, "tune": {}}
    for path, name in zip(paths, _names(paths), strict=True):
        score = read_as_four_four(midi.read(path), path)
        if score is not None:
            scores["drums" if score.drums.onset.any() else "tune"][name] = score
    dealt: dict[str, dict[str, list[tuple[str, str, Score]]]] = {part: {kind: [] for kind in KINDS} for part in PARTS}
    for kind, named in scores.items():
        for number, (name, score) in enumerate(sorted(named.items())):
            part = {0: "validation", _EACH // 2: "test"}.get(number % _EACH, "train")
            dealt[part][kind].append((name, name, score))
    for kinds in dealt.values():
        rng = np.random.default_rng(0)
        for name, _, score in kinds["tune"]:
            if kinds["drums"]:
                drummer, _, drums = kinds["drums"][rng.integers(len(kinds["drums"]))]
                kinds["band"].append((f"{name}+{drummer}", name, combine_band(score, drums)))
    return {part: [song for kind in KINDS for song in _heard(kind, kinds[kind])] for part, kinds in dealt.items()}


def _names(paths: Sequence[Path]) -> Iterator[str]:
    """What the files are called, with the folders that they are in as far as others have the same name."""
    parts = [path.relative_to(path.anchor).with_suffix("").parts for path in paths]
    ends = [["-".join(own[-k:]) for k in range(1, len(own) + 1)] for own in parts]
    taken = Counter(end for own in ends for end in own)
    for path, own in zip(paths, ends, strict=True):
        yield next((end for end in own if taken[end] == 1), path.name)


def read_as_four_four(score: Score, path: Path) -> Score | None:
    """The score in bars of four quarters, by its own meter or by the beats written beside it; None if it has others.

    Raises BadFile for beats that cannot be read.
    """
    beside = path.with_name(BEATS_FILE)
    if beside.exists():
        try:
            times, _, one = np.loadtxt(beside, ndmin=2).T
        except ValueError:
            one = times = np.zeros(0)
        if not (one == 1.0).any():
            raise BadFile(f"{beside}: rows of seconds, any number, and 1 in a bar's first expected")
        ones = np.interp(times[one == 1.0], score.seconds, np.arange(score.steps + 1.0))
        phase = np.exp(2j * np.pi * ones / _BAR).mean()
        pickup = round(float(np.angle(phase)) / (2 * np.pi) * _BAR) % _BAR
        meters = (Meter(0, pickup, 16), Meter(pickup)) if pickup else (Meter(0),)
        return replace(score, meters=meters) if score.steps > 2 * _BAR else None
    inside = [*score.meters[1:], Meter(score.steps)]
    lengths = [later.step - meter.step for meter, later in zip(score.meters, inside, strict=True)]
    fours = sum(length for meter, length in zip(score.meters, lengths, strict=True) if meter.bar_steps == _BAR)
    return score if fours > 0.9 * score.steps else None


def combine_band(tune: Score, drums: Score) -> Score:
    """A tune over the drums of another file, over and over, from the first whole bar on; the tempo is the tune's."""
    start = next((meter.step for meter in tune.meters if meter.bar_steps == _BAR), 0)
    begins = next((meter.step for meter in drums.meters if meter.bar_steps == _BAR), 0)
    bars = max((drums.steps - begins) // _BAR, 1)
    again = begins + np.arange(tune.steps - start) % (bars * _BAR)
    again = np.minimum(again, drums.steps - 1)

    def over(rows: Array) -> Array:
        made = np.zeros((tune.steps, PITCHES), rows.dtype)
        made[start:] = rows[again]
        return made

    part = drums.drums
    return replace(tune, drums=Part(over(part.onset), over(part.onset), over(part.velocity)), swing=drums.swing)


def cut_song(song: Song, first: int, beats: int, slower: float = 1.0) -> Score:
    """So many steps of a song's pulse from the step `first` on, as a piece of its own, so many times slower."""
    score = song.score
    start, stop = (round(float(song.pulse.positions[first + step])) for step in (0, beats))
    drums, bass, melody = (_between(part, start, stop) for part in (score.drums, score.bass, score.melody))
    seconds = (score.seconds[start : stop + 1] - score.seconds[start]) * slower
    return Score(drums, bass, melody, seconds, swing=score.swing)


def _between(part: Part, start: int, stop: int) -> Part:
    onset, sustain = part.onset[start:stop].copy(), part.sustain[start:stop].copy()
    velocity = part.velocity[start:stop].copy()
    going_on = sustain[0] & ~onset[0]  # what began before the stretch is not in it
    ends = np.where((onset | ~sustain).any(axis=0), (onset | ~sustain).argmax(axis=0), len(sustain))
    sustain[(np.arange(len(sustain))[:, None] < ends) & going_on] = False
    return Part(onset, sustain, velocity)


def _heard(kind: str, named: Sequence[tuple[str, str, Score]]) -> list[Song]:
    pulses = [dance_pulse(score) for _, _, score in named]
    loud = [_loudness(score, of) for (_, _, score), of in zip(named, pulses, strict=True)]
    together = np.concatenate(loud) if loud else np.zeros(1)
    mean, spread = together.mean(), max(together.std(), 1e-6)
    return [
        Song(name, of, kind, score, beats, _phrases(score, beats), (rows - mean) / spread)
        for (name, of, score), beats, rows in zip(named, pulses, loud, strict=True)
    ]


def _phrases(score: Score, beats: Pulse) -> Array:
    """Which of a pulse's steps begin a dancer's phrase and one of the score's bars (N,)."""
    return np.flatnonzero(np.isin(beats.positions, score.bars) & (beats.counts == 0))


def _loudness(score: Score, beats: Pulse) -> Array:
    """(2 P,) the log of what begins in each half of a pulse's step: velocities of all notes, from 0 to 1 each."""
    struck = sum(part.velocity.sum(axis=1) / 127.0 for part in (score.drums, score.bass, score.melody))
    far = np.concatenate([[0.0], np.cumsum(struck)])
    halves = np.interp(
        np.arange(_HALVES * len(beats.positions) + 1) / _HALVES, np.arange(len(beats.positions)), beats.positions
    )
    last = beats.positions[-1] + (np.arange(3) / _HALVES) * (beats.positions[-1] - beats.positions[-2])
    halves[-3:] = np.minimum(last, score.steps)
    # A note on a half's beginning belongs to it, so the halves are asked for a little before.
    begun = np.interp(np.maximum(halves - 0.5, 0.0), np.arange(score.steps + 1.0), far)
    return np.log1p(np.diff(begun))
