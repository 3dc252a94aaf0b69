"""Songs from MIDI files to pair with dances: bars of four, loudness of each half beat, and combined bands."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from backend.music import midi
from backend.music.midi_parser import SUFFIXES
from backend.music.music_features import log_loudness
from backend.music.pulse import Pulse, dance_pulse
from backend.music.score import PITCHES, Meter, Part, Score, cut_part
from rigs import Array
from rigs.files import BadFile
from training.data.duets import PARTS

KINDS = ("drums", "tune", "band")
BEATS_FILE = "beat_midi.txt"
"""File with beats that POP909 has beside each song, as its meters are wrong: seconds, unused, 1 on downbeats."""
_SPLIT_PERIOD = 10
"""One song of so many is for validation, and one for the test."""
_BAR_STEPS = 16
"""Sixteenths in a bar of four quarters."""
_HALVES = 2


@dataclass(frozen=True)
class Song:
    """Music in bars of four.

    source: the file it comes from; of a band, that of its tune.  kind: one of KINDS.
    phrases: (N,) beats of the pulse that begin both a dancer's phrase and a bar.
    loudness: (2 P,) of each half beat of the pulse, standardized over the songs of its kind.
    """

    name: str
    source: str
    kind: str
    score: Score
    pulse: Pulse
    phrases: Array
    loudness: Array


class _NamedScore(NamedTuple):
    name: str
    source: str
    score: Score


def find_songs(folders: Iterable[Path]) -> dict[str, list[Song]]:
    """Find the songs of each part of the split: files with drums, tunes, and bands, a tune over another file's drums.

    Files that are not in bars of four are left out. Songs are split by their order among those of their kind.
    Prints the files' warnings. Raises BadFile.
    """
    files = {path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES}
    paths = sorted(path for path in files if not path.name.startswith("."))
    if not paths:
        raise BadFile(f"{', '.join(map(str, folders))}: MIDI files expected, none found")
    scores: dict[str, dict[str, Score]] = {"drums": {}, "tune": {}}
    for path, name in zip(paths, _unique_names(paths), strict=True):
        song = midi.read(path)
        for warning in song.warnings:
            print(warning, file=sys.stderr)
        score = read_as_four_four(song.score, path)
        if score is not None:
            scores["drums" if score.drums.onset.any() else "tune"][name] = score
    parts: dict[str, dict[str, list[_NamedScore]]] = {part: {kind: [] for kind in KINDS} for part in PARTS}
    for kind, scores_by_name in scores.items():
        for number, (name, score) in enumerate(sorted(scores_by_name.items())):
            part = {0: "validation", _SPLIT_PERIOD // 2: "test"}.get(number % _SPLIT_PERIOD, "train")
            parts[part][kind].append(_NamedScore(name, name, score))
    for kinds in parts.values():
        rng = np.random.default_rng(0)
        for tune in kinds["tune"]:
            if kinds["drums"]:
                drums = kinds["drums"][rng.integers(len(kinds["drums"]))]
                band = combine_band(tune.score, drums.score)
                kinds["band"].append(_NamedScore(f"{tune.name}+{drums.name}", tune.name, band))
    return {part: [song for kind in KINDS for song in _analyze(kind, kinds[kind])] for part, kinds in parts.items()}


def _unique_names(paths: Sequence[Path]) -> Iterator[str]:
    """Names of files, with their folders as far as needed to be unique."""
    parts = [path.relative_to(path.anchor).with_suffix("").parts for path in paths]
    suffixes = [["-".join(own[-k:]) for k in range(1, len(own) + 1)] for own in parts]
    counts = Counter(suffix for own in suffixes for suffix in own)
    for path, own in zip(paths, suffixes, strict=True):
        yield next((suffix for suffix in own if counts[suffix] == 1), path.name)


def read_as_four_four(score: Score, path: Path) -> Score | None:
    """Return a score in bars of four quarters, by its own meter or by the beats file beside it; None in other meters.

    Raises BadFile for a beats file that can't be read.
    """
    beats_file = path.with_name(BEATS_FILE)
    if beats_file.exists():
        try:
            times, _, is_downbeat = np.loadtxt(beats_file, ndmin=2).T
        except ValueError:
            is_downbeat = times = np.zeros(0)
        if not (is_downbeat == 1.0).any():
            raise BadFile(f"{beats_file}: rows of seconds, any number, and 1 on a downbeat expected")
        downbeats = np.interp(times[is_downbeat == 1.0], score.seconds, np.arange(score.steps + 1.0))
        mean_phase = np.exp(2j * np.pi * downbeats / _BAR_STEPS).mean()
        pickup = round(float(np.angle(mean_phase)) / (2 * np.pi) * _BAR_STEPS) % _BAR_STEPS
        meters = (Meter(0, pickup, 16), Meter(pickup)) if pickup else (Meter(0),)
        return replace(score, meters=meters) if score.steps > 2 * _BAR_STEPS else None
    following = [*score.meters[1:], Meter(score.steps)]
    lengths = [later.step - meter.step for meter, later in zip(score.meters, following, strict=True)]
    is_four_four = [meter.bar_steps == _BAR_STEPS for meter in score.meters]
    steps_in_four = sum(length for length, is_four in zip(lengths, is_four_four, strict=True) if is_four)
    return score if steps_in_four > 0.9 * score.steps else None


def combine_band(tune: Score, drums: Score) -> Score:
    """Combine a tune with another file's drums, looped from the first whole bar on, at the tune's tempo."""
    start = next((meter.step for meter in tune.meters if meter.bar_steps == _BAR_STEPS), 0)
    drums_start = next((meter.step for meter in drums.meters if meter.bar_steps == _BAR_STEPS), 0)
    bars = max((drums.steps - drums_start) // _BAR_STEPS, 1)
    loop = drums_start + np.arange(tune.steps - start) % (bars * _BAR_STEPS)
    loop = np.minimum(loop, drums.steps - 1)

    def loop_rows(rows: Array) -> Array:
        result = np.zeros((tune.steps, PITCHES), rows.dtype)
        result[start:] = rows[loop]
        return result

    onset, velocity = loop_rows(drums.drums.onset), loop_rows(drums.drums.velocity)
    return replace(tune, drums=Part(onset, onset, velocity), swing=drums.swing)


def cut_song(song: Song, first: int, beats: int, time_stretch: float = 1.0) -> Score:
    """Cut `beats` beats of a song's pulse from beat `first` on, `time_stretch` times slower, without tied notes."""
    score = song.score
    start, stop = (round(float(song.pulse.positions[first + beat])) for beat in (0, beats))
    drums, bass, melody = (cut_part(part, start, stop, drop_tied=True) for part in score.parts.values())
    seconds = (score.seconds[start : stop + 1] - score.seconds[start]) * time_stretch
    return Score(drums, bass, melody, seconds, swing=score.swing)


def _analyze(kind: str, scores: Sequence[_NamedScore]) -> list[Song]:
    """Find pulse, phrases and standardized loudness of the songs of one kind."""
    pulses = [dance_pulse(score) for _, _, score in scores]
    loudness = [_half_beat_loudness(score, pulse) for (_, _, score), pulse in zip(scores, pulses, strict=True)]
    all_loudness = np.concatenate(loudness) if loudness else np.zeros(1)
    mean, deviation = all_loudness.mean(), max(all_loudness.std(), 1e-6)
    return [
        Song(name, source, kind, score, pulse, _phrase_starts(score, pulse), (rows - mean) / deviation)
        for (name, source, score), pulse, rows in zip(scores, pulses, loudness, strict=True)
    ]


def _phrase_starts(score: Score, pulse: Pulse) -> Array:
    """Beats (N,) of a pulse that begin both a dancer's phrase and a bar of the score."""
    return np.flatnonzero(np.isin(pulse.positions, score.bars) & (pulse.counts == 0))


def _half_beat_loudness(score: Score, pulse: Pulse) -> Array:
    """Log (2 P,) of the summed onset velocities, 0 to 1 each, in each half beat of a pulse."""
    positions, beats = pulse.positions, len(pulse.positions)
    halves = np.interp(np.arange(_HALVES * beats + 1) / _HALVES, np.arange(beats), positions)
    last = positions[-1] + (np.arange(3) / _HALVES) * (positions[-1] - positions[-2])
    halves[-3:] = np.minimum(last, score.steps)
    return log_loudness(score, halves)
