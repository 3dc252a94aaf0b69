"""Pair dances with music that they were never danced to, by tempo, beat and energy: synthetic pairs.

    python training/pairs.py --dances DIR [DIR ...] --midi DIR [DIR ...] --out PAIRS

Dances and music recorded together need none of this: a folder of NAME.bvh and NAME.mid is a folder of pairs. Pairs made
here are called synthetic everywhere, as the dancers did not dance to this music.

A dance is cut into clips of eight bars that begin with a phrase (`rigs.choreography.beat_tracking`). A clip fits an
excerpt of a song if dance and music can meet at half the tempo difference without any beat changing its length by more
than 15 %. Excerpts are chosen whose loudness correlates best with the dancer's speed. The dance is then time-warped so
that its beats are the music's. Recordings and songs are split into training, validation and test before pairing.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track

from backend.models.common.energy import STILL_SPEED
from backend.music import midi
from backend.music.pulse import dance_pulse
from rigs import Array, files
from rigs.choreography.beat_tracking import BEATS_PER_BAR, track_beats
from rigs.files import BadFile
from rigs.files.atomic_write import atomic_path
from rigs.motion import Motion, interpolate
from training.data.duets import FPS, PARTS, assign_parts, clean_duet, find_duets, recording_files
from training.data.music_pairs import MANIFEST
from training.data.songs import KINDS, Song, cut_song, find_songs

BARS = 8
"""Bars of four beats in a clip."""
_HOP_BARS = 4
"""Bars from the beginning of a clip to that of the next."""
_MIN_BARS = 4
"""Bars of the last clip at least."""
_MAX_WARP = 1.15
"""Factor by which a beat may get longer or shorter."""
_TOLERANCE = 1e-6
_MANIFEST_NOTE = "dance and music never met: paired by tempo, beat and energy"
_TEMPO_WEIGHT, _LEVEL_WEIGHT, _REUSE_WEIGHT = 1.0, 0.2, 0.02
"""Costs relative to a correlation of 1: of the log tempo change, of the difference of mean loudness and mean energy in
standard deviations, and of each earlier use of a song."""


@dataclass(frozen=True)
class PairingConfig:
    """Pair dances with music by tempo, beat and energy."""

    dances: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR [DIR ...]")]
    """Folders of dances: NAME_leader and NAME_follower, or any files of one dancer each."""
    midi: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR [DIR ...]")]
    """Folders of MIDI files, searched recursively."""
    out: Path
    """Output folder; must not exist yet."""
    each: int = 4
    """Songs of each kind (drums, tune, band) to pair with each clip."""
    validation: tuple[str, ...] = ("salsa_10",)
    """Recordings for validation."""
    test: tuple[str, ...] = ("salsa_07",)
    """Recordings for the test."""


@dataclass(frozen=True)
class DanceClip:
    """Some bars of a dance.

    beats: (B + 1,) s, beats of the movement, the first of which begins a phrase.
    energy: (2 B,) log of the mean joint speed in m/s, in each half beat.
    """

    name: str
    recording: str
    dancer: Motion
    beats: Array
    energy: Array


@dataclass(frozen=True)
class SongMatch:
    """A clip and an excerpt of a song that begins with beat `first` of its pulse.

    time_stretch: factor by which the music is played slower.  cost: lower is a better match.
    """

    clip: DanceClip
    song: Song
    first: int
    time_stretch: float
    cost: float


def main() -> int:
    """Run the command; returns the exit status: 0 done, 2 bad input."""
    config = tyro.cli(PairingConfig)
    try:
        make_pairs(config)
    except BadFile as bad:
        print(bad, file=sys.stderr)
        return 2
    return 0


def make_pairs(config: PairingConfig) -> None:
    """Make the folder of pairs, atomically. Raises BadFile."""
    if config.out.exists():
        raise BadFile(f"{config.out}: already exists, another --out expected")
    console = Console(stderr=True)
    clips = [clip for folder in config.dances for clip in find_dance_clips(folder)]
    parts = assign_parts({clip.recording for clip in clips}, config.validation, config.test)
    songs = find_songs(config.midi)
    entries = []
    with atomic_path(config.out) as partial:
        partial.mkdir(parents=True)
        for part in PARTS:
            part_clips = [clip for clip in clips if parts[clip.recording] == part]
            matches = match_songs(part_clips, songs[part], config.each)
            label = f"{part}: {len(part_clips)} clips, {len(songs[part])} songs"
            entries += [
                {"part": part, **write_pair(match, partial)} for match in track(matches, label, console=console)
            ]
        if not entries:
            raise BadFile(f"{config.out}: no pair found, dances and songs of one part and of similar tempi expected")
        manifest = {"synthetic": True, "how": _MANIFEST_NOTE, "pairs": entries}
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=1))
    counts = {part: sum(entry["part"] == part for entry in entries) for part in PARTS}
    console.print(f"{config.out}: {len(entries)} synthetic pairs, {counts}")


def find_dance_clips(folder: Path) -> list[DanceClip]:
    """Cut the dances of a folder into clips, of both dancers of each couple or of solo dancers."""
    clips = []
    offsets = Counter[str]()  # tenths of a second of each recording in the movements before
    for recording, dancers in _read_dances(folder):
        offset = offsets[recording]
        offsets[recording] += round(10.0 * next(iter(dancers.values())).seconds) + 1
        try:
            beats = track_beats(*dancers.values())
        except ValueError:
            continue
        times = beats.times[beats.phrase_start :]
        for first in range(0, len(times) - _MIN_BARS * BEATS_PER_BAR, _HOP_BARS * BEATS_PER_BAR):
            clip_beats = times[first : first + BARS * BEATS_PER_BAR + 1]
            if first and len(clip_beats) <= _HOP_BARS * BEATS_PER_BAR + 1:
                break  # the clip before holds all of it
            clip_beats = clip_beats[: (len(clip_beats) - 1) // BEATS_PER_BAR * BEATS_PER_BAR + 1]
            for role, dancer in dancers.items():
                name = f"{recording}_{role}_{offset + round(clip_beats[0] * 10):04d}".replace("__", "_")
                clips.append(DanceClip(name, recording, dancer, clip_beats, _half_beat_energy(dancer, clip_beats)))
    return clips


def _read_dances(folder: Path) -> Iterator[tuple[str, dict[str, Motion]]]:
    """Recordings of a folder, cleaned, and their dancers by role. Raises BadFile."""
    if not folder.is_dir():
        raise BadFile(f"{folder}: a folder of dances expected")
    paths = recording_files(folder)
    if any(path.stem.endswith(("_leader", "_follower")) for path in paths):
        for duet in find_duets(folder):
            for movement in clean_duet(duet):
                yield duet.name, {"leader": movement.leader, "follower": movement.follower}
    else:
        for path in paths:
            yield path.stem, {"solo": files.read(path).motions[0]}


def _half_beat_energy(dancer: Motion, beats: Array) -> Array:
    """Log of the mean joint speed (2 B,) in m/s between half beats of the beats (B + 1,) s."""
    speed = np.linalg.norm(np.diff(dancer.positions, axis=0), axis=-1).mean(axis=-1) * dancer.fps
    path = np.concatenate([[0.0], np.cumsum(speed) / dancer.fps])
    halves = np.interp(np.arange(0.0, len(beats) - 0.75, 0.5), np.arange(len(beats)), beats)
    distance = np.diff(np.interp(halves, np.arange(len(path)) / dancer.fps, path))
    return np.log(distance / np.diff(halves) + STILL_SPEED)


def match_songs(clips: Sequence[DanceClip], songs: Sequence[Song], each: int) -> list[SongMatch]:
    """Find the best `each` excerpts of each kind for each clip, no two of one song."""
    if not clips:
        return []
    energy = np.concatenate([clip.energy for clip in clips])
    matches: list[SongMatch] = []
    uses = Counter[str]()
    for clip in clips:
        profile = (clip.energy - energy.mean()) / energy.std()
        candidates = [match for song in songs if (match := _best_excerpt(clip, profile, song)) is not None]
        candidates.sort(key=lambda match: match.cost + _REUSE_WEIGHT * uses[match.song.name])
        for kind in KINDS:
            best = [match for match in candidates if match.song.kind == kind][:each]
            uses.update(match.song.name for match in best)
            matches += best
    return matches


def _best_excerpt(clip: DanceClip, profile: Array, song: Song) -> SongMatch | None:
    """The excerpt of a song that matches a clip best, if it can be warped to any."""
    beats = len(clip.beats) - 1
    starts = song.phrases[song.phrases + beats < len(song.pulse.seconds)]
    if not len(starts):
        return None
    lengths = np.diff(song.pulse.seconds)[starts[:, None] + np.arange(beats)]
    log_change = np.log(lengths / np.diff(clip.beats))
    half_change = log_change.mean(axis=1, keepdims=True) / 2.0
    largest = np.abs(np.hstack([log_change - half_change, half_change])).max(axis=1)
    fits = largest <= np.log(_MAX_WARP) + _TOLERANCE
    if not fits.any():
        return None
    loudness = song.loudness[2 * starts[:, None] + np.arange(2 * beats)]
    level = np.abs(loudness.mean(axis=1) - profile.mean())
    correlation = _standardize(loudness) @ _standardize(profile) / len(profile)
    costs = 1.0 - correlation + _LEVEL_WEIGHT * level + _TEMPO_WEIGHT * np.abs(half_change[:, 0])
    costs = np.where(fits, costs, np.inf)
    best = int(costs.argmin())
    return SongMatch(clip, song, int(starts[best]), float(np.exp(-half_change[best, 0])), float(costs[best]))


def _standardize(rows: Array) -> Array:
    """Rows (..., N) with mean 0 and standard deviation 1."""
    deviation = np.maximum(rows.std(axis=-1, keepdims=True), 1e-6)
    return (rows - rows.mean(axis=-1, keepdims=True)) / deviation


def write_pair(match: SongMatch, folder: Path) -> dict[str, str | float]:
    """Write both files of a match, and return its entry for the manifest."""
    clip, song = match.clip, match.song
    beats = len(clip.beats) - 1
    score = cut_song(song, match.first, beats, match.time_stretch)
    music_beats = song.pulse.seconds[match.first : match.first + beats + 1] * match.time_stretch
    music_beats = music_beats - music_beats[0]
    dance_times = np.interp(np.arange(0.0, music_beats[-1], 1.0 / FPS), music_beats, clip.beats)
    dancer = interpolate(clip.dancer, FPS, dance_times * clip.dancer.fps)
    name = f"{clip.name}__{song.name}"
    files.write(folder / f"{name}.npz", dancer)
    midi.write(folder / f"{name}.mid", score)
    dance_pulse(score)  # raises ValueError if the excerpt has no beat
    return {
        "name": name,
        "recording": clip.recording,
        "song": song.source,
        "kind": song.kind,
        "from": round(float(clip.beats[0]), 3),
        "tempo": round(60.0 * beats / float(music_beats[-1]), 2),
        "played slower": round(match.time_stretch, 4),
        "cost": round(match.cost, 4),
    }


if __name__ == "__main__":
    sys.exit(main())
