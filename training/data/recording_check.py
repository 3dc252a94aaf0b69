"""Checks of one duet recording: implausible bodies, wrong axes or units, frozen captures, jumps, and couples apart."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rigs import Array, rotations
from rigs.contacts import floor_height
from rigs.motion import Motion
from rigs.skeleton import INDEX, JOINTS
from rigs.smoothing import true_runs
from training.data import duets
from training.data.duets import MAX_COUPLE_DISTANCE, MAX_JOINT_SPEED, MIN_SECONDS, Duet

MAX_CLOSEST_DISTANCE = 1.5
"""m: dancers whose pelvises are never this close do not share a world space."""
MAX_MEDIAN_DISTANCE = 3.0
"""m: dancers whose median distance is greater do not either."""
MAX_FLOOR_DIFFERENCE = 0.15
"""m between the floors under two dancers."""
BODY_HEIGHTS = (0.8, 2.6)
"""m, of the shortest and the tallest dancer."""
FROZEN_STEP = 1e-6
"""m per frame: a capture in which no joint moves more is frozen."""
MAX_FROZEN_SECONDS = 1.0
"""s that a capture may be frozen without a warning."""
MAX_KNEE_BACK = 0.05
"""m: knees that are this far behind the line from hip to ankle bend backwards."""
SAME_MOVEMENT_ANGLE = np.radians(1.0)
"""Two dancers whose joint rotations never differ by more are the same one."""


@dataclass(frozen=True)
class Finding:
    """A problem in a recording or a folder.

    file: its name, or the folder's.  place: a frame (the first is 1), joint or line of it, or nothing.
    fatal: whether nothing can be trained before it is fixed.
    """

    file: str
    place: str
    sentence: str
    fatal: bool = False

    def __str__(self) -> str:
        return f"{self.file}{', ' * bool(self.place)}{self.place}: {self.sentence}"


def check_dancer(file: str, motion: Motion) -> Iterator[Finding]:
    """Check one dancer's body height, up axis, knees and frozen frames."""
    positions = motion.positions
    if not has_plausible_height(motion):
        low, high = BODY_HEIGHTS
        text = f"a dancer {low:g} to {high:g} m tall expected, {_body_height(motion):.3g} m found; check its unit"
        yield Finding(file, "", text, fatal=True)
        return
    if np.median(positions[:, INDEX["jaw"], 2] - positions[:, INDEX["pelvis"], 2]) < 0.0:
        text = "a head above the pelvis expected, below it most of the time; the up axis may be wrong"
        yield Finding(file, "", text, fatal=True)
    if _knee_offset(positions) < -MAX_KNEE_BACK:
        yield Finding(file, "", "the knees bend backwards; left and right may be swapped")
    step = np.abs(np.diff(positions, axis=0)).max(axis=(1, 2))
    for first, last in true_runs(step < FROZEN_STEP):
        if (seconds := (last - first) / motion.fps) > MAX_FROZEN_SECONDS:
            text = f"nothing moves for {seconds:.1f} s; the capture may have stopped there"
            yield Finding(file, f"frames {first + 1} to {last + 1}", text)


def check_couple(leader: str, follower: str, duet: Duet, usable: float) -> Iterator[Finding]:
    """Check two dancers against each other: two movements, one world space, one floor, jumps, length.

    leader, follower: the names of their files.  usable: s that are left after cleaning.
    """
    positions = duet.positions()
    distance = duets.pelvis_distance(*positions)
    angle = rotations.angle_between(duet.leader.rotations[:, 1:], duet.follower.rotations[:, 1:])
    if angle.max() < SAME_MOVEMENT_ANGLE:
        yield Finding(follower, "", f"another movement than in {leader} expected, the same one found", fatal=True)
    separate = distance.min() > MAX_CLOSEST_DISTANCE or np.median(distance) > MAX_MEDIAN_DISTANCE
    if separate:
        text = f"the same world space as in {leader} expected; the dancers are at least {distance.min():.2f} m apart, "
        yield Finding(follower, "", f"{text}half of the time more than {np.median(distance):.2f} m", fatal=True)
    floors = floor_height(positions[1]) - floor_height(positions[0])
    if abs(floors) > MAX_FLOOR_DIFFERENCE:
        side = "above" if floors > 0 else "below"
        text = f"the same floor as in {leader} expected, one {abs(floors):.2f} m {side} it found"
        yield Finding(follower, "", text, fatal=True)
    yield from _check_jumps((leader, follower), duet)
    if duet.leader.seconds < MIN_SECONDS:
        text = f"at least {MIN_SECONDS:g} s expected, {duet.leader.seconds:.1f} s found; the recording is not used"
        yield Finding(leader, "", text)
    elif not usable and not separate:
        text = f"{MIN_SECONDS:g} s without a jump and with the dancers within {MAX_COUPLE_DISTANCE:g} m expected, "
        yield Finding(leader, "", f"{text}none found; the recording is not used")


def _check_jumps(files: tuple[str, str], duet: Duet) -> Iterator[Finding]:
    """Report jumping joints, one finding for each dancer at the fastest; not where the recording is trimmed anyway."""
    start, stop = duets.together_span(duet.positions())
    for file, positions in zip(files, duet.positions()[:, start:stop], strict=True):
        cuts = duets.joint_jumps(positions[None], duet.leader.fps)
        if len(cuts):
            speeds = np.linalg.norm(np.diff(positions, axis=0), axis=-1) * duet.leader.fps
            frame, joint = np.unravel_index(speeds.argmax(), speeds.shape)
            text = f"a jump at {speeds.max():.0f} m/s, at most {MAX_JOINT_SPEED:g} expected; "
            text += f"cut there and at {len(cuts) - 1} more" if len(cuts) > 1 else "cut there"
            yield Finding(file, f"frame {start + int(frame) + 2}, {JOINTS[joint]}", text)


def has_plausible_height(motion: Motion) -> bool:
    """Whether a dancer is as tall as people are."""
    low, high = BODY_HEIGHTS
    return low < _body_height(motion) < high


def _body_height(motion: Motion) -> float:
    """Height in m of the rest pose."""
    return float(np.ptp(motion.skeleton.rest_positions()[:, 2]))


def _knee_offset(positions: Array) -> float:
    """Median offset in m of the knees of (F, 29, 3) m before the line from hip to ankle, as the hips face."""
    hips, knees, ankles = (
        [positions[:, INDEX[f"{side}_{name}"], :2] for side in ("left", "right")] for name in ("hip", "knee", "ankle")
    )
    bend = np.mean(knees, axis=0) - (np.mean(hips, axis=0) + np.mean(ankles, axis=0)) / 2.0
    left = hips[0] - hips[1]
    front = np.stack([left[:, 1], -left[:, 0]], axis=-1)
    return float(np.median((bend * front).sum(axis=-1) / np.linalg.norm(front, axis=-1).clip(1e-9)))
