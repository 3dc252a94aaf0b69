"""Convert recordings of labelled markers (C3D, TRC) to dancers, one for each subject.

Labels are those of Plug-in Gait and other sets. They may begin with the subject's name, so "Leader:LASI" and
"Follower:LASI" are of two dancers, as are two points of one label. Joint centers follow from the markers
(`rigs.characters.joint_centers`), rotations from the joint centers.
"""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rigs import Array, pose_fitting
from rigs.characters.joint_centers import joint_positions, missing_markers, name_markers, split_label
from rigs.files import BadFile, Clip, ReadOptions, Source
from rigs.files.conventions.axes import UNITS, from_z_up
from rigs.files.conventions.conventions import Conventions, Stated
from rigs.files.duet import role_rank
from rigs.files.joint_positions.point_cloud import detect_cloud_conventions, to_blender_axes
from rigs.files.markers.marker_gaps import fill_marker_gaps
from rigs.motion import Motion

_UNITS = {name.upper(): name for name in UNITS} | {"INCH": "in", "INCHES": "in", "FEET": "ft", "METERS": "m"}
"""Units as files name them."""
_MEASURED_UNITS = tuple(UNITS.values())
_HIP_WIDTH, _NEAR_ZERO = 0.25, 1e-9
"""m between the front markers of an adult's hips."""
_MAX_PLACE = 1e9
"""In any unit a place where no marker was: it is taken as not seen."""
_MAX_SHOWN = 12
"""Labels that an error message lists."""


@dataclass(frozen=True)
class MarkerRecording:
    """The points of a recording of markers.

    labels: one for each point.  points: (F, P, 3) in the file's unit and axes, nan where a point was not seen.
    fps, unit: as the file states them, maybe 0 and ''.  up: one of `UP_AXES`, as the file states it or as usual.
    missing_frames: those that the file states beyond its end.
    """

    labels: tuple[str, ...]
    points: Array
    fps: float
    unit: str
    up: str
    missing_frames: int = 0


@dataclass(frozen=True)
class _Subject:
    """The points (F, 3) of one subject in the file's unit and axes, by the names of markers and of joint centers."""

    name: str
    markers: dict[str, Array]
    centers: dict[str, Array]

    @property
    def missing(self) -> list[str]:
        """Labels of the markers that it lacks."""
        return missing_markers(self.markers, self.centers)

    @property
    def width(self) -> float:
        """Median distance of the hips' front markers, or of the hip centers."""
        points = self.markers | self.centers
        left, right = (points[name] for name in self.pair("front_hip", "hip"))
        return max(float(np.median(np.linalg.norm(left - right, axis=-1))), _NEAR_ZERO)

    def pair(self, markers: str, centers: str) -> tuple[str, str]:
        """The names of the left and the right marker, or of the joint centers without these."""
        name = markers if {f"left_{markers}", f"right_{markers}"} <= self.markers.keys() else centers
        return f"left_{name}", f"right_{name}"


def to_clip(path: Path, recording: MarkerRecording, options: ReadOptions) -> Clip:
    """Convert a recording to a clip of its dancers. Raises BadFile."""
    rate = options.fps or recording.fps
    if not rate > 0.0:
        raise BadFile(f"{path.name}: a frame rate above zero expected, {rate:g} found; --fps gives it")
    is_place = (np.abs(recording.points) < _MAX_PLACE).all(axis=-1, keepdims=True)
    recording = replace(recording, points=np.where(is_place, recording.points, np.nan))
    warnings: list[str] = []
    if recording.missing_frames:
        frames = len(recording.points)
        warnings.append(f"{frames + recording.missing_frames} frames stated, {frames} found and read")
    subjects = _subjects(path, recording, warnings)
    conventions = _detect_conventions(path, recording, subjects, rate, options)
    motions, estimated = [], set()
    for subject in subjects:
        positions, without_markers = _joints(subject, conventions)
        estimated |= set(without_markers)
        motions.append(_fit(path, positions, rate, subject.name if len(subjects) > 1 else ""))
    up, metres = conventions.up, conventions.metres
    source = Source(path, metres, up, rate, len(recording.points), tuple(sorted(estimated)))
    own = tuple(f"{path.name}: {warning}" for warning in warnings)
    return Clip(tuple(motions), source, (*own, *conventions.warnings))


def _detect_conventions(
    path: Path, recording: MarkerRecording, subjects: list[_Subject], rate: float, options: ReadOptions
) -> Conventions:
    """The up axis and the unit by the subjects' movement, beside what the file states."""
    up = recording.up
    stated = Stated(up=up, metres=UNITS.get(_UNITS.get(recording.unit.strip().upper(), "")))
    # joint centers need a size in metres, which the distance of two markers tells well enough to detect the unit
    metres = min(_MEASURED_UNITS, key=lambda unit: abs(np.log(subjects[0].width * unit / _HIP_WIDTH)))
    joints = [_joints(subject, Conventions(up, up, metres))[0] for subject in subjects]
    in_file = [from_z_up(positions, up) / metres for positions in joints]
    return detect_cloud_conventions(path.name, in_file, rate, options, stated)


def _joints(subject: _Subject, conventions: Conventions) -> tuple[Array, tuple[str, ...]]:
    """Joint positions (F, 29, 3) m with Z up, and the joints that were estimated without markers."""
    markers, centers = (
        {name: to_blender_axes(points, conventions) for name, points in group.items()}
        for group in (subject.markers, subject.centers)
    )
    return joint_positions(markers, centers)


def _fit(path: Path, positions: Array, rate: float, name: str) -> Motion:
    """Fit a motion to joint positions. Raises BadFile."""
    try:
        return pose_fitting.fit_motion(positions, rate)
    except ValueError as error:
        subject = f", {name}" if name else ""
        raise BadFile(f"{path.name}{subject}, {error}; are the markers labelled right?") from None


def _subjects(path: Path, recording: MarkerRecording, warnings: list[str]) -> list[_Subject]:
    """The subjects with enough markers, a leader first, with gaps filled. Raises BadFile if there is none."""
    groups: dict[tuple[str, int], dict[str, int]] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for at, label in enumerate(recording.labels):
        name, marker = split_label(label)
        # labels that come again are another subject's
        groups.setdefault((name, counts[name, marker]), {})[marker] = at
        counts[name, marker] += 1
    subjects = [_subject(recording, name, points) for (name, _), points in groups.items()]
    complete = [subject for subject in subjects if not subject.missing]
    if not complete:
        best = min(subjects, key=lambda subject: len(subject.missing))
        seen = np.isfinite(recording.points[..., 0]).any(axis=0)
        labels = [label for label, is_seen in zip(recording.labels, seen, strict=True) if label and is_seen]
        more = ", ..." * (len(labels) > _MAX_SHOWN)
        found = ", ".join(labels[:_MAX_SHOWN]) + more or "none"
        expected = f"markers {', '.join(best.missing)} expected as in Plug-in Gait"
        raise BadFile(f"{path.name}: {expected}, labels seen: {found}")
    for subject in subjects:
        if subject.missing and len(subject.markers) > len(subject.missing):
            lacking = ", ".join(subject.missing)
            warnings.append(f"{subject.name or 'a subject without a name'} lacks markers {lacking} and is left out")
    for subject in complete:
        _fill_gaps(subject, subject.name if len(complete) > 1 else "", warnings)
    return sorted(complete, key=lambda subject: role_rank(subject.name))


def _subject(recording: MarkerRecording, name: str, labels: dict[str, int]) -> _Subject:
    """The known points of a subject that were seen in any frame.  labels: the indices of its points."""
    points = list(labels.values())
    markers, centers = (
        {
            marker: recording.points[:, points[at]].copy()
            for marker, at in known.items()
            if np.isfinite(recording.points[:, points[at], 0]).any()
        }
        for known in name_markers(labels)
    )
    return _Subject(name, markers, centers)


def _fill_gaps(subject: _Subject, name: str, warnings: list[str]) -> None:
    """Fill the gaps of markers that were hidden, in place, with a warning that names the worst."""
    points = subject.markers | subject.centers
    hips, shoulders = subject.pair("front_hip", "hip"), subject.pair("shoulder", "shoulder")
    hidden = fill_marker_gaps(points, hips, shoulders)
    if hidden:
        worst = max(hidden, key=lambda marker: hidden[marker])
        whose = f" of {name}" if name else ""
        place = f"the {worst.replace('_', ' ')} marker in {hidden[worst]} of {len(points[worst])}"
        count = "1 marker" if len(hidden) == 1 else f"{len(hidden)} markers"
        warnings.append(f"{count}{whose} hidden in some frames and interpolated, {place}")
