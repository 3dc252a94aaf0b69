"""Pair dances with music that they were never danced to, by tempo, beat and energy: synthetic pairs.

    python training/pairs.py --dances DIR [DIR ...] --midi DIR [DIR ...] --out PAIRS

Who has dance and music on one clock needs none of this: a folder of NAME.bvh and NAME.mid is a folder of pairs. What
is made here is called synthetic everywhere, for no dancer heard this music.

A dance is cut into pieces of eight bars, which begin where a phrase does (`rigs.choreography.beat_tracking`). Each is
laid beside every stretch of every song in whose pulse it fits where dance and music meet halfway, without any beat of
the one or the other getting 15 % longer or shorter. Those stretches are kept whose loudness rises and falls the most
with the dancer's speed. The dance is then warped in time until its beats are the music's. Recordings and songs are
dealt out to training, validation and test before anything is paired.
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
"""Bars of four beats in a piece of dance."""
_HOP = 4
"""Bars from the beginning of a piece to that of the next."""
_LEAST = 4
"""Bars that a last piece has at least."""
_WARP = 1.15
"""Times by which a beat may get longer or shorter."""
_MARGIN = 1e-6
_HOW = "dance and music never met: paired by tempo, beat and energy"
_TEMPO, _LEVEL, _TIRED = 1.0, 0.2, 0.02
"""How much these count beside what is missing to a correlation of 1 between loudness and speed: the log of a change of
tempo, the difference of the means in deviations, and each time that a song was taken already."""


@dataclass(frozen=True)
class PairingConfig:
    """Pair dances with music by tempo, beat and energy."""

    dances: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR [DIR ...]")]
    """Folders of dances: NAME_leader and NAME_follower, or any files of one dancer each."""
    midi: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR [DIR ...]")]
    """Folders of MIDI files, searched with all that is in them."""
    out: Path
    """A folder for the pairs, which is not there yet."""
    each: int = 4
    """Songs of a kind (drums, tune, both) that each piece of dance is paired with."""
    validation: tuple[str, ...] = ("salsa_10",)
    """Recordings for validation."""
    test: tuple[str, ...] = ("salsa_07",)
    """Recordings for the test."""


@dataclass(frozen=True)
class DanceClip:
    """Some bars of a dance.

    beats: (B + 1,) s of the dancer's movement, the first one begins a phrase.
    liveliness: (2 B,) the joints' speed in each half beat, as the log of m/s.
    """

    name: str
    recording: str
    dancer: Motion
    beats: Array
    energy: Array


@dataclass(frozen=True)
class SongMatch:
    """A piece of dance beside a stretch of a song, which begins with its pulse's step `first`.

    slower: times by which the music is played slower.  cost: how ill they go with each other.
    """

    piece: DanceClip
    song: Song
    first: int
    slower: float
    cost: float


def main() -> int:
    """Run the command; 0 done, 2 bad input."""
    asked = tyro.cli(PairingConfig)
    try:
        make_pairs(asked)
    except BadFile as bad:
        print(bad, file=sys.stderr)
        return 2
    return 0


def make_pairs(asked: PairingConfig) -> None:
    """Make the folder of pairs, whole or not at all. Raises BadFile."""
    if asked.out.exists():
        raise BadFile(f"{asked.out}: is there already, another --out expected")
    console = Console(stderr=True)
    pieces = [piece for folder in asked.dances for piece in find_dance_clips(folder)]
    parts = assign_parts({piece.recording for piece in pieces}, asked.validation, asked.test)
    songs = find_songs(asked.midi)
    listed = []
    with atomic_path(asked.out) as partial:
        partial.mkdir(parents=True)
        for part in PARTS:
            mine = [piece for piece in pieces if parts[piece.recording] == part]
            matches = match_songs(mine, songs[part], asked.each)
            what = f"{part}: {len(mine)} pieces, {len(songs[part])} songs"
            listed += [{"part": part, **write_pair(match, partial)} for match in track(matches, what, console=console)]
        if not listed:
            raise BadFile(f"{asked.out}: no pair found, dances and songs of one part and of like tempi expected")
        (partial / MANIFEST).write_text(json.dumps({"synthetic": True, "how": _HOW, "pairs": listed}, indent=1))
    kinds = {part: sum(pair["part"] == part for pair in listed) for part in PARTS}
    console.print(f"{asked.out}: {len(listed)} synthetic pairs, {kinds}")


def find_dance_clips(folder: Path) -> list[DanceClip]:
    """The dances of a folder in pieces: both dancers of each couple, or each dancer of what are no couples."""
    found = []
    past = Counter[str]()  # tenths of a second of each recording that the movements before have taken
    for recording, dancers in _dances(folder):
        begin = past[recording]
        past[recording] += round(10.0 * next(iter(dancers.values())).seconds) + 1
        try:
            beats = track_beats(*dancers.values())
        except ValueError:
            continue
        times = beats.times[beats.one :]
        for first in range(0, len(times) - _LEAST * BEATS_PER_BAR, _HOP * BEATS_PER_BAR):
            inside = times[first : first + BARS * BEATS_PER_BAR + 1]
            if first and len(inside) <= _HOP * BEATS_PER_BAR + 1:
                break  # the piece before holds all of it
            inside = inside[: (len(inside) - 1) // BEATS_PER_BAR * BEATS_PER_BAR + 1]
            for who, dancer in dancers.items():
                name = f"{recording}_{who}_{begin + round(inside[0] * 10):04d}".replace("__", "_")
                found.append(DanceClip(name, recording, dancer, inside, _liveliness(dancer, inside)))
    return found


def _dances(folder: Path) -> Iterator[tuple[str, dict[str, Motion]]]:
    """The recordings of a folder, cleaned, by who dances in them."""
    if not folder.is_dir():
        raise BadFile(f"{folder}: a folder of dances expected")
    paths = recording_files(folder)
    if any(path.stem.endswith(("_leader", "_follower")) for path in paths):
        for duet in find_duets(folder):
            for piece in clean_duet(duet):
                yield duet.name, {"leader": piece.leader, "follower": piece.follower}
    else:
        for path in paths:
            yield path.stem, {"solo": files.read(path).motions[0]}


def _liveliness(dancer: Motion, beats: Array) -> Array:
    speed = np.linalg.norm(np.diff(dancer.positions, axis=0), axis=-1).mean(axis=-1) * dancer.fps
    far = np.concatenate([[0.0], np.cumsum(speed) / dancer.fps])
    halves = _halved(beats)
    way = np.diff(np.interp(halves, np.arange(len(far)) / dancer.fps, far))
    return np.log(way / np.diff(halves) + STILL_SPEED)


def _halved(beats: Array) -> Array:
    """The beats (B + 1,) and what lies halfway between them: (2 B + 1,)."""
    return np.interp(np.arange(0.0, len(beats) - 0.75, 0.5), np.arange(len(beats)), beats)


def match_songs(pieces: Sequence[DanceClip], songs: Sequence[Song], each: int) -> list[SongMatch]:
    """For each piece the best stretches of music, of each kind so many, no two of one song."""
    if not pieces:
        return []
    lively = np.concatenate([piece.energy for piece in pieces])
    found: list[SongMatch] = []
    taken = Counter[str]()
    for piece in pieces:
        profile = (piece.energy - lively.mean()) / lively.std()
        best = [match for song in songs if (match := _best(piece, profile, song)) is not None]
        best.sort(key=lambda match: match.cost + _TIRED * taken[match.song.name])
        for kind in KINDS:
            chosen = [match for match in best if match.song.kind == kind][:each]
            taken.update(match.song.name for match in chosen)
            found += chosen
    return found


def _best(piece: DanceClip, profile: Array, song: Song) -> SongMatch | None:
    """The stretch of a song that goes best with a piece, if the piece can be warped to any."""
    beats = len(piece.beats) - 1
    begins = song.phrases[song.phrases + beats < len(song.pulse.seconds)]
    if not len(begins):
        return None
    lengths = np.diff(song.pulse.seconds)[begins[:, None] + np.arange(beats)]
    change = np.log(lengths / np.diff(piece.beats))
    halfway = change.mean(axis=1, keepdims=True) / 2.0
    fits = np.abs(np.hstack([change - halfway, halfway])).max(axis=1) <= np.log(_WARP) + _MARGIN
    if not fits.any():
        return None
    loudness = song.loudness[2 * begins[:, None] + np.arange(2 * beats)]
    level = np.abs(loudness.mean(axis=1) - profile.mean())
    alike = _standard(loudness) @ _standard(profile) / len(profile)
    cost = np.where(fits, 1.0 - alike + _LEVEL * level + _TEMPO * np.abs(halfway[:, 0]), np.inf)
    best = int(cost.argmin())
    return SongMatch(piece, song, int(begins[best]), float(np.exp(-halfway[best, 0])), float(cost[best]))


def _standard(rows: Array) -> Array:
    """Rows (..., N) with a mean of 0 and a deviation of 1."""
    spread = np.maximum(rows.std(axis=-1, keepdims=True), 1e-6)
    return (rows - rows.mean(axis=-1, keepdims=True)) / spread


def write_pair(match: SongMatch, folder: Path) -> dict[str, str | float]:
    """Write both files of a match; what the list of pairs says of it."""
    piece, song = match.piece, match.song
    beats = len(piece.beats) - 1
    score = cut_song(song, match.first, beats, match.slower)
    there = song.pulse.seconds[match.first : match.first + beats + 1] * match.slower
    at = np.interp(np.arange(0.0, there[-1] - there[0], 1.0 / FPS), there - there[0], piece.beats)
    dancer = interpolate(piece.dancer, FPS, at * piece.dancer.fps)
    name = f"{piece.name}__{song.name}"
    files.write(folder / f"{name}.npz", dancer)
    midi.write(folder / f"{name}.mid", score)
    dance_pulse(score)  # raises where a dancer would hear no beat in what was written
    return {
        "name": name,
        "recording": piece.recording,
        "song": song.source,
        "kind": song.kind,
        "from": round(float(piece.beats[0]), 3),
        "tempo": round(60.0 * beats / float(there[-1] - there[0]), 2),
        "played slower": round(match.slower, 4),
        "cost": round(match.cost, 4),
    }


if __name__ == "__main__":
    sys.exit(main())
