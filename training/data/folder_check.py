"""What is wrong with a folder of duets, all of it, before anything is trained on it; leans on `training.data.duets`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import nan
from pathlib import Path

import numpy as np

from rigs import Array, rotations
from rigs.contacts import floor_height
from rigs.files import READ_SUFFIXES, BadFile, read
from rigs.motion import Motion
from rigs.skeleton import INDEX, JOINTS
from rigs.smoothing import true_runs
from training.data import duets
from training.data.duets import MAX_JOINT_SPEED, PARTS, MIN_SECONDS, MAX_COUPLE_DISTANCE, Duet, DuetFiles

MAX_CLOSEST_DISTANCE = 1.5
"""m: dancers whose pelvises never come this near to each other do not share a world."""
MAX_MEDIAN_DISTANCE = 3.0
"""m: dancers who are farther apart than this half of the time do not either."""
MAX_FLOOR_DIFFERENCE = 0.15
"""m by which the floors under two dancers may differ."""
BODY_HEIGHTS = (0.8, 2.6)
"""m, the least and the greatest height of a dancer."""
FROZEN_STEP = 1e-6
"""m: a capture in which all joints move less than this from frame to frame is not one of a living dancer."""
MAX_FROZEN_SECONDS = 1.0
"""s for which that is let pass."""
MAX_KNEE_BACK = 0.05
"""m: knees that are this far behind the line from hip to ankle bend the wrong way."""
SAME_MOVEMENT_ANGLE = np.radians(1.0)
"""Two dancers whose joints never differ by more are one."""
MIN_TOTAL_SECONDS = 60.0
"""s of usable dance, with less of which a dancer learns little."""
_MAX_NAMED_FILES = 5
"""Files that are named where many have the same fault."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    file: its name, or the folder's.  place: a frame (the first is 1), joint or line of it, or nothing.
    fatal: whether nothing can be trained before it is mended.
    """

    file: str
    place: str
    sentence: str
    fatal: bool = False

    def __str__(self) -> str:
        return f"{self.file}{', ' * bool(self.place)}{self.place}: {self.sentence}"


@dataclass(frozen=True)
class RecordingReport:
    """A recording, and what is wrong with it; what is not known of it is not a number.

    part: what it is for, one of PARTS, or nothing where it is of no use.  seconds: its length.
    usable: the seconds that are left of it when it is cleaned.  closest, median: m between the two pelvises.
    """

    name: str
    part: str
    seconds: float
    usable: float
    closest: float
    median: float
    findings: tuple[Finding, ...]

    @property
    def fatal(self) -> bool:
        """Whether something in it must be mended before anything can be trained."""
        return any(finding.fatal for finding in self.findings)


@dataclass(frozen=True)
class FolderReport:
    """All that is wrong with a folder: with its takes, and with it as a whole."""

    recordings: tuple[RecordingReport, ...]
    general: tuple[Finding, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them, the takes' first."""
        return (*(finding for take in self.recordings for finding in take.findings), *self.general)

    @property
    def trainable(self) -> bool:
        """Whether nothing fatal was found."""
        return not any(finding.fatal for finding in self.findings)


def _silent(what: str) -> None:
    pass


def check_folder(
    folder: Path, validation: Sequence[str] = (), test: Sequence[str] = (), say: Callable[[str], None] = _silent
) -> FolderReport:
    """Read a folder's recordings and tell what is wrong with them.

    validation, test: the names of a plan's recordings for these parts.  say: is told what is being read.
    """
    folder = folder.resolve()  # which has a name to call it by
    try:
        pairs = duets.find_duet_files(folder)
    except BadFile as bad:
        return FolderReport((), (_of(bad, folder),))
    takes: list[RecordingReport] = []
    dances: dict[bytes, str] = {}
    for pair in pairs:
        say(f"reading {pair.name}")
        takes.append(_take(pair, dances))
    parts = duets.assign_parts([take.name for take in takes if take.usable > 0.0 and not take.fatal], validation, test)
    dealt = [replace(take, part=parts.get(take.name, "")) for take in takes]
    return FolderReport(tuple(dealt), (*_unused(folder, pairs), *_in_all(folder, dealt)))


def _take(pair: DuetFiles, dances: dict[bytes, str]) -> RecordingReport:
    """A recording by itself; `dances` has the names of those before it by what they look like."""
    dancers = [_dancer(path) for path in pair.files]
    motions = [motion for motion, _ in dancers if motion is not None]
    findings = [finding for _, found in dancers for finding in found]
    duet = None
    try:
        leader, follower = pair.require_both()
        if len(motions) == 2:
            duet = duets.make_duet(pair, *motions)
    except BadFile as bad:
        findings.append(_of(bad, pair.files[-1]))
    if duet is None or not all(_believable(motion) for motion in motions):
        seconds = max((motion.seconds for motion in motions), default=nan)
        return RecordingReport(pair.name, "", seconds, 0.0, nan, nan, tuple(findings))
    look = sha256(np.stack([duet.leader.rotations, duet.follower.rotations]).tobytes()).digest()
    if dances.setdefault(look, pair.name) != pair.name:
        said = f"the same dance as {dances[look]}; a copy teaches nothing, and tested on it a partner seems too good"
        findings.append(Finding(leader.name, "", said))
    apart = duets.couple_distance(duet.positions())
    usable = sum(piece.leader.seconds for piece in duets.clean_duet(duet))
    findings += _of_couple(leader.name, follower.name, duet, usable)
    median = float(np.median(apart))
    return RecordingReport(pair.name, "", duet.leader.seconds, usable, float(apart.min()), median, tuple(findings))


def _dancer(path: Path) -> tuple[Motion | None, list[Finding]]:
    """The dancer of a file, if it can be read, and what is wrong with them."""
    try:
        clip = read(path)
    except BadFile as bad:
        return None, [_of(bad, path)]
    findings = [_split(path, warning, fatal=False) for warning in clip.warnings]
    if len(clip.motions) > 1:
        findings.append(Finding(path.name, "", f"one dancer expected, {len(clip.motions)} found; the first is used"))
    return clip.motions[0], [*findings, *_of_dancer(path.name, clip.motions[0])]


def _of_dancer(file: str, motion: Motion) -> Iterator[Finding]:
    """What is wrong with one dancer."""
    positions = motion.positions
    if not _believable(motion):
        low, high = BODY_HEIGHTS
        said = f"a dancer {low:g} to {high:g} m tall expected, one of {_stature(motion):.3g} m found; "
        yield Finding(file, "", f"{said}its units may be others than it says", fatal=True)
        return
    if np.median(positions[:, INDEX["jaw"], 2] - positions[:, INDEX["pelvis"], 2]) < 0.0:
        yield Finding(file, "", "the head is below the pelvis most of the time; which axis is up?", fatal=True)
    if _knees_forward(positions) < -MAX_KNEE_BACK:
        yield Finding(file, "", "the knees bend backwards, as if left and right had been swapped")
    moved = np.abs(np.diff(positions, axis=0)).max(axis=(1, 2))
    for first, last in true_runs(moved < FROZEN_STEP):
        if (seconds := (last - first) / motion.fps) > MAX_FROZEN_SECONDS:
            said = f"nothing moves for {seconds:.1f} s; the capture may have stopped there"
            yield Finding(file, f"frames {first + 1} to {last + 1}", said)


def _of_couple(leader: str, follower: str, duet: Duet, usable: float) -> Iterator[Finding]:
    """What is wrong with two dancers who have one clock, in the files of these names."""
    positions = duet.positions()
    apart = duets.couple_distance(positions)
    if rotations.angle_between(duet.leader.rotations[:, 1:], duet.follower.rotations[:, 1:]).max() < SAME_MOVEMENT_ANGLE:
        yield Finding(follower, "", f"another dancer than in {leader} expected, the same movement found", fatal=True)
    strangers = apart.min() > MAX_CLOSEST_DISTANCE or np.median(apart) > MAX_MEDIAN_DISTANCE
    if strangers:
        said = f"one world with {leader} expected; the dancers are never nearer than {apart.min():.2f} m, "
        yield Finding(follower, "", f"{said}and half of the time more than {np.median(apart):.2f} m apart", fatal=True)
    floors = floor_height(positions[1]) - floor_height(positions[0])
    if abs(floors) > MAX_FLOOR_DIFFERENCE:
        said = f"one floor with {leader} expected, one {abs(floors):.2f} m {'above' if floors > 0 else 'below'} found"
        yield Finding(follower, "", said, fatal=True)
    yield from _leaps((leader, follower), duet)
    if duet.leader.seconds < MIN_SECONDS:
        said = f"at least {MIN_SECONDS:g} s expected, {duet.leader.seconds:.1f} s found; the take is left out"
        yield Finding(leader, "", said)
    elif not usable and not strangers:
        said = f"{MIN_SECONDS:g} s without a leap, the dancers within {MAX_COUPLE_DISTANCE:g} m, expected once; the take is left out"
        yield Finding(leader, "", said)


def _leaps(files: tuple[str, str], duet: Duet) -> Iterator[Finding]:
    """Joints that leap, for each dancer one finding at the worst; only where the take is not trimmed anyway."""
    start, stop = duets.together_span(duet.positions())
    for file, positions in zip(files, duet.positions()[:, start:stop], strict=True):
        cuts = duets.joint_jumps(positions[None], duet.leader.fps)
        if len(cuts):
            speeds = np.linalg.norm(np.diff(positions, axis=0), axis=-1) * duet.leader.fps
            frame, joint = np.unravel_index(speeds.argmax(), speeds.shape)
            said = f"a leap at {speeds.max():.0f} m/s, at most {MAX_JOINT_SPEED:g} expected; "
            said += f"cut there and at {len(cuts) - 1} more" if len(cuts) > 1 else "cut there"
            yield Finding(file, f"frame {start + int(frame) + 2}, {JOINTS[joint]}", said)


def _unused(folder: Path, pairs: Sequence[DuetFiles]) -> Iterator[Finding]:
    """Recordings that no pair has."""
    used = {path for pair in pairs for path in pair.files}
    others = [path.name for path in duets.recording_files(folder) if path.suffix.lower() in READ_SUFFIXES and path not in used]
    if others:
        named = ", ".join(others[:_MAX_NAMED_FILES]) + f" and {len(others) - _MAX_NAMED_FILES} more" * (len(others) > _MAX_NAMED_FILES)
        said = f"one file NAME_leader and one NAME_follower of each recording expected, not used: {named}"
        yield Finding(folder.name, "", said)


def _in_all(folder: Path, takes: Sequence[RecordingReport]) -> Iterator[Finding]:
    """Whether the takes suffice; those that are yet to be mended are not counted out."""
    mending = any(take.fatal for take in takes)
    usable = [take for take in takes if take.part or take.fatal]
    if len(usable) < 3:
        said = f"at least three usable recordings expected, for training, validation and test, {len(usable)} found"
        yield Finding(folder.name, "", said, fatal=True)
    elif missing := [part for part in PARTS if not mending and all(take.part != part for take in takes)]:
        said = f"a usable recording for {' and '.join(missing)} expected, as the plan names them, none found"
        yield Finding(folder.name, "", said, fatal=True)
    seconds = sum(take.usable for take in takes)
    if seconds < MIN_TOTAL_SECONDS and not mending:
        yield Finding(folder.name, "", f"{seconds:.0f} s of dance in all, minutes expected; expect a poor dancer")


def _stature(motion: Motion) -> float:
    """How tall a dancer stands, in m."""
    return float(np.ptp(motion.skeleton.rest_positions()[:, 2]))


def _believable(motion: Motion) -> bool:
    low, high = BODY_HEIGHTS
    return low < _stature(motion) < high


def _knees_forward(positions: Array) -> float:
    """How far the knees of `positions` (F, 29, 3) m usually are before the line from hip to ankle, as the hips face."""
    hips, knees, ankles = (
        [positions[:, INDEX[f"{side}_{name}"], :2] for side in ("left", "right")] for name in ("hip", "knee", "ankle")
    )
    bent = np.mean(knees, axis=0) - (np.mean(hips, axis=0) + np.mean(ankles, axis=0)) / 2.0
    left = hips[0] - hips[1]
    front = np.stack([left[:, 1], -left[:, 0]], axis=-1)
    return float(np.median((bent * front).sum(axis=-1) / np.linalg.norm(front, axis=-1).clip(1e-9)))


def _of(bad: BadFile, path: Path) -> Finding:
    return _split(path, str(bad), fatal=True)


def _split(path: Path, text: str, fatal: bool) -> Finding:
    """A reader's sentence, `FILE, PLACE: SENTENCE`, taken apart."""
    for name in (str(path), path.name):
        if text.startswith((f"{name}:", f"{name},")):
            place, _, sentence = text.removeprefix(name).partition(": ")
            return Finding(path.name, place.removeprefix(", "), sentence, fatal)
    return Finding(path.name, "", text, fatal)
