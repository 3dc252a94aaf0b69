"""Archives with SMPL poses (AMASS, AIST++, GVHMR, WHAM, 4D-Humans) converted to dancers with the neutral body.

The file's rotations turn the joints of `smpl_body.NEUTRAL_SKELETON`; its size is estimated from the steps, as SMPL's
own bodies are under a licence.
"""

from dataclasses import replace

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.characters.body_size import size_from_steps
from rigs.contacts import stand_on_floor
from rigs.files import BadFile, Clip, ReadOptions, Source
from rigs.files.axes import UP_AXES, from_z_up, quaternions_to_z_up, to_z_up
from rigs.files.smpl_body import NEUTRAL_SKELETON, PELVIS_IN_REST, REST_SWINGS, REST_UP
from rigs.files.smpl_layouts import ArchiveArrays, Layout, PoseTrack, find_layout, frame_rate, read_tracks
from rigs.motion import Motion
from rigs.skeleton import INDEX, JOINTS

_MAX_DANCERS = 2
_MAX_SHAPE = 0.05
"""Shape coefficient up to which a body is SMPL's mean body."""
_UPRIGHT = 0.8
"""Cosine of the angle from the up axis in which a trunk stands upright."""
_OFTEN, _HARDLY = 0.5, 0.05
"""Share of upright frames that tells the up axis, and below which an axis is not it."""
_ON_FLOOR = 0.12
"""m from zero within which the lowest joint touches the floor of a world whose floor is at zero."""
_STILL = 0.05
"""m within which a path stays in place and says nothing."""
_USUAL_SPEED, _MAX_SPEED = 0.5, 8.0
"""m/s of the pelvis as usual in a dance, and that no dancer exceeds for long."""
_MAX_DISTANCE = 1000.0
"""m from the origin beyond which a place is invalid."""


def read_smpl(archive: ArchiveArrays, options: ReadOptions) -> Clip | None:
    """Read the dancers of an archive with SMPL poses, None if it holds none. Raises BadFile."""
    found = find_layout(archive)
    if found is None:
        return None
    layout, prefixes = found
    warnings: list[str] = []
    tracks = _choose_dancers(read_tracks(archive, layout, prefixes), warnings)
    rate = options.fps or frame_rate(archive)
    if rate is None:
        rate = layout.fps
        warnings.append(f"no frame rate found, {rate:g} a second assumed; --fps gives the true one")
    tracks = _share_clock(archive.path.name, tracks, warnings)
    up = options.up or _detect_up(layout, tracks, warnings)
    units = options.metres_per_unit or _detect_units(tracks, rate, warnings)
    motions = [_neutral_motion(archive.path.name, track, rate, up, units) for track in tracks]
    sizes = [size_from_steps(motion) for motion in motions]
    bodies = [_resize(motion, size or 1.0) for motion, size in zip(motions, sizes, strict=True)]
    warnings += _body_warnings(tracks, bodies, sizes)
    source = Source(archive.path, units, up, rate, len(bodies[0]))
    # each on the floor by itself: the height of the pelvis over the floor is unknown without the body's shape
    grounded = tuple(motion for body in bodies for motion in stand_on_floor(body))
    return Clip(grounded, source, tuple(f"{archive.path.name}: {warning}" for warning in warnings))


def _choose_dancers(tracks: list[PoseTrack], warnings: list[str]) -> list[PoseTrack]:
    """The two people who are seen longest, in the file's order; the others are passers-by."""
    if len(tracks) <= _MAX_DANCERS:
        return tracks
    warnings.append(f"{len(tracks)} people found, the {_MAX_DANCERS} with the most frames are read")
    longest = sorted(range(len(tracks)), key=lambda at: -len(tracks[at].frames))[:_MAX_DANCERS]
    return [tracks[at] for at in sorted(longest)]


def _share_clock(name: str, tracks: list[PoseTrack], warnings: list[str]) -> list[PoseTrack]:
    """Bring all dancers to the same frames, with gaps filled: rotations by slerp, the path linearly. Raises BadFile."""
    first, last = min(track.frames[0] for track in tracks), max(track.frames[-1] for track in tracks)
    clock = np.arange(first, last + 1)
    shared = []
    for number, track in enumerate(tracks, start=1):
        dancer = f"dancer {number}" if len(tracks) > 1 else "dancer"
        known = np.isfinite(track.local).all(axis=(1, 2)) & np.isfinite(track.path).all(axis=1)
        if not known.any():
            raise BadFile(f"{name}: finite poses expected, the {dancer} has none")
        if (gaps := len(clock) - int(known.sum())) > 0:
            warnings.append(f"{dancer} not captured in {gaps} of {len(clock)} frames, interpolated")
        at = np.interp(clock, track.frames[known], np.arange(known.sum()))
        before = np.floor(at).astype(int)
        after, t = np.minimum(before + 1, known.sum() - 1), at - before
        local, path = track.local[known], track.path[known]
        local = rotations.slerp(local[before], local[after], t[:, None])
        path = path[before] * (1.0 - t)[:, None] + path[after] * t[:, None]
        shared.append(replace(track, local=local, path=path, frames=clock))
    return shared


def _detect_up(layout: Layout, tracks: list[PoseTrack], warnings: list[str]) -> str:
    """The layout's up axis, unless the dancers stand upright along another one and hardly ever along that."""
    trunks = np.concatenate([_trunk_directions(track) for track in tracks])
    shares = {up: float((to_z_up(trunks, up)[:, 2] > _UPRIGHT).mean()) for up in UP_AXES}
    best = max(shares, key=lambda up: shares[up])
    if shares[best] < _OFTEN or shares[layout.up] > _HARDLY:
        return layout.up
    moves = max(float(np.ptp(track.path, axis=0).max()) for track in tracks) > _STILL
    if moves and _touches_floor(tracks, layout.up) and not _touches_floor(tracks, best):
        return layout.up  # a dancer who lies all the time
    warnings.append(
        f"the dancer stands upright along {best} and not along {layout.up}, which is up in {layout.name}; "
        f"{best} is taken as up, --up gives the true one"
    )
    return best


def _trunk_directions(track: PoseTrack) -> Array:
    """Directions (F, 3) of the pelvis's and the chest's vertical axis together, in the file's axes."""
    pelvis = chest = track.local[:, 0]
    for joint in ("spine1", "spine2", "spine3"):
        chest = rotations.multiply(chest, track.local[:, INDEX[joint]])
    vertical = np.array([0.0, 1.0, 0.0])
    return rotations.normalize(rotations.rotate(pelvis, vertical) + rotations.rotate(chest, vertical))


def _touches_floor(tracks: list[PoseTrack], up: str) -> bool:
    """Whether the lowest joint of the dancers is mostly at height zero along an axis."""
    lowest = []
    for track in tracks:
        root = to_z_up(track.path + PELVIS_IN_REST, up)
        joints = kinematics.fk(root, _joint_rotations(track, up), NEUTRAL_SKELETON.offsets)
        lowest.append(joints[..., 2].min(axis=1))
    return abs(float(np.median(np.concatenate(lowest)))) < _ON_FLOOR


def _detect_units(tracks: list[PoseTrack], rate: float, warnings: list[str]) -> float:
    """Metres in the path's unit: 1, unless the pelvis would move faster than any dancer."""
    steps = [np.linalg.norm(np.diff(track.path, axis=0), axis=-1) * rate for track in tracks if len(track.path) > 1]
    speed = max((float(np.percentile(step, 75)) for step in steps), default=0.0)
    if speed < _MAX_SPEED:
        return 1.0
    units = {0.01: "centimetres", 0.001: "millimetres"}
    unit = min(units, key=lambda metres: abs(np.log(speed * metres / _USUAL_SPEED)))
    warnings.append(
        f"in metres the pelvis would move at {speed:.0f} m/s, the path is taken as {units[unit]}; "
        "--unit gives the true unit"
    )
    return unit


def _neutral_motion(name: str, track: PoseTrack, rate: float, up: str, units: float) -> Motion:
    """A track's motion on the neutral body, not yet on the floor. Raises BadFile."""
    root = to_z_up(track.path * units, up)
    far = np.abs(root).max(axis=1) > _MAX_DISTANCE
    if far.any():
        frame = int(np.argmax(far))
        raise BadFile(f"{name}, frame {frame}: a place in metres expected, {track.path[frame]} found")
    return Motion(rate, NEUTRAL_SKELETON, root, rotations.unroll(_joint_rotations(track, up)))


def _joint_rotations(track: PoseTrack, up: str) -> Array:
    """Rotations (F, 29, 4) of the neutral body's joints, relative to the parent, in Blender's axes."""
    local = rotations.identity(len(track.local), len(JOINTS))
    local[:, : track.local.shape[1]] = quaternions_to_z_up(track.local, REST_UP)
    from_rest_axes = to_z_up(from_z_up(np.eye(3), REST_UP), up).T
    local[:, 0] = rotations.multiply(rotations.from_matrix(from_rest_axes), local[:, 0])
    world = rotations.multiply(kinematics.global_rotations(local), REST_SWINGS)
    return kinematics.local_rotations(world)


def _resize(motion: Motion, size: float) -> Motion:
    """The motion with its skeleton at `size` times the size."""
    return replace(motion, skeleton=motion.skeleton.scale(size))


def _body_warnings(tracks: list[PoseTrack], bodies: list[Motion], sizes: list[float | None]) -> list[str]:
    """Warnings that a neutral body stands in for a shape that is not SMPL's mean shape."""
    shaped = any(np.abs(np.nan_to_num(track.betas)).max(initial=0.0) > _MAX_SHAPE for track in tracks)
    if not shaped and not any(sizes):
        return []
    heights = " and ".join(f"{float(np.ptp(body.skeleton.rest_positions()[:, 2])):.2f} m" for body in bodies)
    source = "its size is estimated from the steps" if all(sizes) else "the steps do not tell its size"
    return [f"the body's shape (betas) needs SMPL's own model; a neutral body of {heights} stands in, {source}"]
