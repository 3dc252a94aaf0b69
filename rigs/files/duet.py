"""Two dancers from one motion file or from two, in one world frame and on one clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rigs.files import BadFile, Clip
from rigs.motion import Motion, resample

_ROLE_WORDS = (("lead",), ("follow", "partner"))
"""Parts of names of leaders and of partners."""
_PERSON = 0.8, 2.6  # m, heights of people
_SAME_PLACE = 0.1  # m between the pelvises, nearer than any two dancers stand
_MAX_LENGTH_DIFFERENCE = 0.5  # s


@dataclass(frozen=True)
class Duet:
    """Leader and partner, each at the own file's frame rate from the same start, and sentences about doubtful data."""

    leader: Motion
    partner: Motion
    warnings: tuple[str, ...] = ()


def leader_first(paths: Sequence[Path]) -> list[Path]:
    """The files in the order leader, partner, as far as words in their names tell; else as given."""
    return sorted(paths, key=lambda path: role_rank(path.stem))


def role_rank(name: str) -> int:
    """Rank of a dancer or a file by the words in its name: leaders before those without a role before partners."""
    is_leader, is_partner = (any(word in name.lower() for word in words) for words in _ROLE_WORDS)
    return int(is_partner) - int(is_leader)


def pair_dancers(clips: Sequence[Clip], *, swap: bool = False) -> Duet:
    """Pair the two dancers of one clip, or of two clips with one dancer each.

    swap: the second dancer leads. Neither dancer is moved; the partner is scaled only if two files of one kind seem to
    be in different units, to the leader's. Raises BadFile.
    """
    motions = _two_motions(clips)
    warnings = [warning for clip in clips for warning in clip.warnings]
    if swap:
        motions, clips = motions[::-1], clips[::-1]
    leader, partner = motions
    if len(clips) == 2:
        partner = _in_the_leaders_unit(clips, partner)
        warnings += _length_warnings(clips, leader, partner)
    if _stand_in_one_place(leader, partner):
        names = " and ".join(dict.fromkeys(clip.source.path.name for clip in clips))
        warnings.append(f"{names}: both dancers stand in the same place, as if each was recorded alone")
    return Duet(leader, partner, tuple(dict.fromkeys(warnings)))


def _stand_in_one_place(leader: Motion, partner: Motion) -> bool:
    """Whether the pelvises lie nearer to each other than dancers can stand, in most frames."""
    path = resample(partner, leader.fps).root
    frames = min(len(leader), len(path))
    return bool(np.median(np.linalg.norm(leader.root[:frames, :2] - path[:frames, :2], axis=-1)) < _SAME_PLACE)


def _two_motions(clips: Sequence[Clip]) -> tuple[Motion, ...]:
    """The two dancers. Raises BadFile for more or fewer."""
    motions = tuple(motion for clip in clips for motion in clip.motions)
    name = clips[0].source.path.name
    if len(clips) == 1 and len(motions) == 1:
        raise BadFile(f"{name}: one dancer found, choose the file of the other dancer as well")
    if len(clips) == 1 and len(motions) > 2:
        raise BadFile(f"{name}: two dancers expected, {len(motions)} found; import it with Import Mocap")
    for clip in clips:
        if len(clips) == 2 and len(clip.motions) > 1:
            found = f"{clip.source.path.name}: {len(clip.motions)} dancers found"
            raise BadFile(f"{found}; choose it alone, or two files with one dancer each")
    if len(motions) != 2:
        raise BadFile(f"one file with two dancers or two files expected, {len(clips)} files given")
    return motions


def _in_the_leaders_unit(clips: Sequence[Clip], partner: Motion) -> Motion:
    """The partner, read again in the leader's unit if both files are of one kind but their detected units differ."""
    ratio = clips[0].source.units / clips[1].source.units
    same_kind = clips[0].source.path.suffix.lower() == clips[1].source.path.suffix.lower()
    height = float(np.ptp(partner.skeleton.rest_positions()[:, 2])) * ratio
    if not same_kind or np.isclose(ratio, 1.0, rtol=1e-3) or not _PERSON[0] < height < _PERSON[1]:
        return partner
    return Motion(partner.fps, partner.skeleton.scale(ratio), partner.root * ratio, partner.rotations)


def _length_warnings(clips: Sequence[Clip], leader: Motion, partner: Motion) -> list[str]:
    """A warning if the dancers' files last differently long, as those of different takes do."""
    if abs(leader.seconds - partner.seconds) <= _MAX_LENGTH_DIFFERENCE:
        return []
    lengths = (
        f"{clip.source.path.name} lasts {motion.seconds:.1f} s"
        for clip, motion in zip(clips, (leader, partner), strict=True)
    )
    return [" and ".join(lengths) + ": they may be of different takes"]
