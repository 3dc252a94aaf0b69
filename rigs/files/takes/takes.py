"""Files with several takes of the same dancers (FBX, glTF): conversion of them all, and which of them moves most."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rigs.files import AS_STATED, BadFile, Clip, ReadOptions, check_movement
from rigs.files.dancer_trees import find_dancer_trees
from rigs.files.recording import Recording, to_clip
from rigs.motion import Motion

_LONG_ENOUGH = 10.0  # s; a longer take is no livelier for its length
_STILL = 0.02  # m that the average joint moves, less than in any movement
_MAX_NAMES = 8


@dataclass(frozen=True)
class RecordedTake:
    """One take of a file: its name there, and a recording of each skeleton, always in the same order.

    keyed: for each skeleton the names of the bones that it animates; the others stay as they are without animation.
    """

    name: str
    recordings: tuple[Recording, ...]
    keyed: tuple[frozenset[str], ...]

    def adapt(self, function: Callable[[Recording], Recording]) -> "RecordedTake":
        """The take with a function applied to its recordings."""
        return replace(self, recordings=tuple(map(function, self.recordings)))


@dataclass(frozen=True)
class Take:
    """One take of a file: its name there, a motion of each dancer, and the numbers of those that it animates."""

    name: str
    motions: tuple[Motion, ...]
    moved: frozenset[int]


@dataclass(frozen=True)
class ClipOfTakes(Clip):
    """A clip whose motions are those of the file's liveliest take, or of that of each dancer.

    takes: all takes, in the order of the file.  shown: for each dancer the number of the take whose motion it has.
    has_rate: whether the file states a frame rate, or its keyframes tell it.
    """

    takes: tuple[Take, ...] = ()
    shown: tuple[int, ...] = ()
    has_rate: bool = True


def to_clip_of_takes(
    path: Path,
    takes: Sequence[RecordedTake],
    skeletons: Sequence[str],
    options: ReadOptions = AS_STATED,
    *,
    has_rate: bool = True,
    warnings: Sequence[str] = (),
) -> ClipOfTakes:
    """Convert the takes of a file to a clip of its dancers; each has one bone map and one body in all takes.

    skeletons: their names, in the order of the takes' recordings; those that are no dancer's are named in a warning.
    warnings: of the file, to be told first.  Raises BadFile, of the first skeleton, if none is a dancer.
    """
    clips, errors, others = [], [], []
    bones: list[tuple[int, frozenset[str]]] = []  # of each dancer: the number of the skeleton, and names in it
    lengths = [take.recordings[0].positions.shape[1] for take in takes]
    for n, name in enumerate(skeletons):
        try:
            clips.append(to_clip(path, _join([take.recordings[n] for take in takes]), options))
            bones += [(n, names) for names in _dancers_bones(takes[0].recordings[n])]
        except BadFile as error:
            errors.append(error)
            others.append(name)
    if not clips:
        raise errors[0]
    starts = np.cumsum([0, *lengths[:-1]])
    motions = [motion for clip in clips for motion in clip.motions]
    converted = [
        Take(
            take.name,
            tuple(motion[start : start + length] for motion in motions),
            frozenset(dancer for dancer, (n, names) in enumerate(bones) if take.keyed[n] & names),
        )
        for take, start, length in zip(takes, starts.tolist(), lengths, strict=True)
    ]
    converted = [take for take in converted if take.moved] or converted[:1]
    shown = choose_shown(converted)
    sentences = [*warnings, *(warning for clip in clips for warning in clip.warnings)]
    if others:
        names = ", ".join(f'"{name}"' for name in others)
        sentences.append(f"{path.name}: {names} left out, without the bones of a dancer")
    if len(converted) > len(set(shown)):
        sentences.append(describe_takes(path.name, converted, shown))
    chosen = tuple(converted[n].motions[dancer] for dancer, n in enumerate(shown))
    source = replace(clips[0].source, frames=len(chosen[0]))
    clip = ClipOfTakes(chosen, source, tuple(dict.fromkeys(sentences)), tuple(converted), shown, has_rate)
    return replace(clip, warnings=check_movement(clip).warnings)


def _dancers_bones(recording: Recording) -> list[frozenset[str]]:
    """The names of the bones of each dancer in a recording, in the order in which `to_clip` has them."""
    trees, _ = find_dancer_trees(recording.names, recording.parents, recording.rest_positions)
    if len(trees) < 2:
        return [frozenset(recording.names)]
    return [frozenset(recording.names[node] for node in tree) for tree in trees]


def liveliness(take: Take) -> float:
    """How much a take moves: the mean speed of its dancers' joints times its length, of which at most 10 s count, m."""
    return max(map(_movement, take.motions))


def choose_shown(takes: Sequence[Take]) -> tuple[int, ...]:
    """For each dancer the number of the take that moves most; the first of equals.

    If that is not the dancer's, as where each dancer has its own takes, it is the liveliest of the dancer's; a dancer
    that none animates stands through the liveliest of all.
    """
    order = sorted(range(len(takes)), key=lambda n: -liveliness(takes[n]))
    shown: dict[int, int] = {}
    for n in order:
        if not takes[n].moved & shown.keys():
            shown |= dict.fromkeys(takes[n].moved, n)
    return tuple(shown.get(dancer, order[0]) for dancer in range(len(takes[0].motions)))


def describe_takes(name: str, takes: Sequence[Take], shown: Sequence[int]) -> str:
    """One sentence on the takes of the file `name`, and which of them are shown."""
    quoted = [f'"{take.name}"' for take in takes]
    still = [quoted[n] for n, take in enumerate(takes) if n not in shown and liveliness(take) < _STILL]
    listed = (
        quoted if len(quoted) <= _MAX_NAMES else [*quoted[: _MAX_NAMES - 1], f"{len(quoted) - _MAX_NAMES + 1} more"]
    )
    stand = f"; {', '.join(still)} {'stands' if len(still) == 1 else 'stand'} still" if still else ""
    found = f"{len(takes)} takes found, {', '.join(listed[:-1])} and {listed[-1]}"
    most = [quoted[n] for n in dict.fromkeys(shown)]
    verbs = ("moves", "is") if len(most) == 1 else ("move", "are")
    return f"{name}: {found}: {' and '.join(most)} {verbs[0]} most and {verbs[1]} shown{stand}"


def _movement(motion: Motion) -> float:
    if len(motion) < 2:
        return 0.0
    path = float(np.linalg.norm(np.diff(motion.positions, axis=0), axis=-1).sum(axis=0).mean())
    return path * min(1.0, _LONG_ENOUGH / motion.seconds)


def _join(recordings: Sequence[Recording]) -> Recording:
    """One recording of the same skeleton's recordings, one after the other."""
    first, *others = recordings
    if not others:
        return first
    return replace(
        first,
        world_rotations=np.concatenate([recording.world_rotations for recording in recordings], axis=1),
        positions=np.concatenate([recording.positions for recording in recordings], axis=1),
    )
