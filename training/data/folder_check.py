"""Validation of a folder of duets before training: faults in its files, recordings and split."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import nan
from pathlib import Path

import numpy as np

from rigs.files import READ_SUFFIXES, BadFile, read
from rigs.motion import Motion
from training.data import duets
from training.data.duets import PARTS, DuetFiles
from training.data.recording_check import Finding, check_couple, check_dancer, has_plausible_height

MIN_TOTAL_SECONDS = 60.0
"""s of usable dance; a model learns little from less."""
_MAX_NAMED_FILES = 5
"""Files that are named where many have the same fault."""


@dataclass(frozen=True)
class RecordingReport:
    """Length, distances and findings of one recording; unknown numbers are nan.

    part: one of PARTS, or nothing where it cannot be used.  seconds: its length.
    usable: s that are left after cleaning.  closest, median: m between the two pelvises.
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
        """Whether something in it must be fixed before anything can be trained."""
        return any(finding.fatal for finding in self.findings)


@dataclass(frozen=True)
class FolderReport:
    """Reports of a folder's recordings, and findings about the folder as a whole."""

    recordings: tuple[RecordingReport, ...]
    general: tuple[Finding, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, the recordings' first."""
        return (*(finding for recording in self.recordings for finding in recording.findings), *self.general)

    @property
    def trainable(self) -> bool:
        """Whether no finding is fatal."""
        return not any(finding.fatal for finding in self.findings)


def check_folder(
    folder: Path,
    validation: Sequence[str] = (),
    test: Sequence[str] = (),
    progress: Callable[[str], None] = lambda text: None,
) -> FolderReport:
    """Read and check a folder's recordings.

    validation, test: names of recordings in the training configuration.  progress: called with what is being read.
    """
    folder = folder.resolve()  # so that it has a name
    try:
        pairs = duets.find_duet_files(folder)
    except BadFile as bad:
        return FolderReport((), (_fatal_finding(bad, folder),))
    recordings: list[RecordingReport] = []
    known_hashes: dict[bytes, str] = {}
    for files in pairs:
        progress(f"reading {files.name}")
        recordings.append(_check_recording(files, known_hashes))
    usable = [recording.name for recording in recordings if recording.usable > 0.0 and not recording.fatal]
    parts = duets.assign_parts(usable, validation, test)
    assigned = [replace(recording, part=parts.get(recording.name, "")) for recording in recordings]
    return FolderReport(tuple(assigned), (*_check_unused_files(folder, pairs), *_check_split(folder, assigned)))


def _check_recording(files: DuetFiles, known_hashes: dict[bytes, str]) -> RecordingReport:
    """Check one recording; `known_hashes` has the names of those before it by the hash of their movement."""
    dancers = [_read_dancer(path) for path in files.files]
    motions = [motion for motion, _ in dancers if motion is not None]
    findings = [finding for _, of_dancer in dancers for finding in of_dancer]
    duet = None
    try:
        leader, follower = files.require_both()
        if len(motions) == 2:
            duet = duets.make_duet(files, *motions)
    except BadFile as bad:
        findings.append(_fatal_finding(bad, files.files[-1]))
    if duet is None or not all(has_plausible_height(motion) for motion in motions):
        seconds = max((motion.seconds for motion in motions), default=nan)
        return RecordingReport(files.name, "", seconds, 0.0, nan, nan, tuple(findings))
    movement = sha256(np.stack([duet.leader.rotations, duet.follower.rotations]).tobytes()).digest()
    if (original := known_hashes.setdefault(movement, files.name)) != files.name:
        text = f"a copy of {original}; it adds nothing to the training, and a test on it would be too easy"
        findings.append(Finding(leader.name, "", text))
    distance = duets.pelvis_distance(*duet.positions())
    usable = sum(piece.leader.seconds for piece in duets.clean_duet(duet))
    findings += check_couple(leader.name, follower.name, duet, usable)
    median = float(np.median(distance))
    return RecordingReport(files.name, "", duet.leader.seconds, usable, float(distance.min()), median, tuple(findings))


def _read_dancer(path: Path) -> tuple[Motion | None, list[Finding]]:
    """Read and check the dancer of a file; `None` if it cannot be read."""
    try:
        clip = read(path)
    except BadFile as bad:
        return None, [_fatal_finding(bad, path)]
    findings = [_parse_message(path, warning, fatal=False) for warning in clip.warnings]
    if len(clip.motions) > 1:
        findings.append(Finding(path.name, "", f"one dancer expected, {len(clip.motions)} found; the first is used"))
    return clip.motions[0], [*findings, *check_dancer(path.name, clip.motions[0])]


def _check_unused_files(folder: Path, pairs: Sequence[DuetFiles]) -> Iterator[Finding]:
    """Report recordings that belong to no duet."""
    used = {path for files in pairs for path in files.files}
    unused = [p.name for p in duets.recording_files(folder) if p.suffix.lower() in READ_SUFFIXES and p not in used]
    if unused:
        names = ", ".join(unused[:_MAX_NAMED_FILES])
        names += f" and {len(unused) - _MAX_NAMED_FILES} more" * (len(unused) > _MAX_NAMED_FILES)
        text = f"one NAME_leader and one NAME_follower file for each recording expected, not used: {names}"
        yield Finding(folder.name, "", text)


def _check_split(folder: Path, recordings: Sequence[RecordingReport]) -> Iterator[Finding]:
    """Check that the recordings suffice for each part; those with something to fix are counted as usable."""
    to_fix = any(recording.fatal for recording in recordings)
    usable = [recording for recording in recordings if recording.part or recording.fatal]
    if len(usable) < 3:
        text = f"at least three usable recordings expected, for training, validation and test, {len(usable)} found"
        yield Finding(folder.name, "", text, fatal=True)
    elif missing := [part for part in PARTS if not to_fix and all(r.part != part for r in recordings)]:
        text = f"a usable recording for {' and '.join(missing)} expected, as the configuration names it, none found"
        yield Finding(folder.name, "", text, fatal=True)
    seconds = sum(recording.usable for recording in recordings)
    if seconds < MIN_TOTAL_SECONDS and not to_fix:
        yield Finding(folder.name, "", f"minutes of dance expected, {seconds:.0f} s found; results will be poor")


def _fatal_finding(bad: BadFile, path: Path) -> Finding:
    return _parse_message(path, str(bad), fatal=True)


def _parse_message(path: Path, text: str, fatal: bool) -> Finding:
    """Split a reader's message `FILE, PLACE: SENTENCE` into a finding."""
    for name in (str(path), path.name):
        if text.startswith((f"{name}:", f"{name},")):
            place, _, sentence = text.removeprefix(name).partition(": ")
            return Finding(path.name, place.removeprefix(", "), sentence, fatal)
    return Finding(path.name, "", text, fatal)
