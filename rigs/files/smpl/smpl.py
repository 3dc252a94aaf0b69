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
from rigs.files.conventions.axes import from_z_up, quaternions_to_z_up, to_z_up
from rigs.files.conventions.conventions import Stated, detect_conventions
from rigs.files.joint_positions.point_cloud import cloud_source
from rigs.files.smpl.smpl_body import NEUTRAL_SKELETON, PELVIS_IN_REST, REST_SWINGS, REST_UP
from rigs.files.smpl.smpl_layouts import ArchiveArrays, PoseTrack, find_layout, frame_rate, read_tracks
from rigs.motion import Motion
from rigs.skeleton import JOINTS

_MAX_DANCERS = 2
_MAX_SHAPE = 0.05
"""Shape coefficient up to which a body is SMPL's mean body."""
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
    if layout.no_depth:
        warnings.append(f"the camera of {layout.name} tells no depth, the dancers keep one distance from it")
    tracks = _share_clock(archive.path.name, tracks, warnings)
    units = options.metres_per_unit or _detect_units(tracks, rate, warnings)
    positions = np.concatenate([_file_positions(track, layout.up, units) for track in tracks])
    in_metres = replace(options, unit=None)
    conventions = detect_conventions(archive.path.name, positions, rate, Stated(up=layout.up, metres=1.0), in_metres)
    up = conventions.up
    motions = [_neutral_motion(archive.path.name, track, rate, up, units) for track in tracks]
    sizes = [size_from_steps(motion) for motion in motions]
    bodies = [_resize(motion, size or 1.0) for motion, size in zip(motions, sizes, strict=True)]
    warnings += _body_warnings(tracks, bodies, sizes)
    source = cloud_source(Source(archive.path, units, up, rate, len(bodies[0])), replace(conventions, metres=units))
    # each on the floor by itself: the height of the pelvis over the floor is unknown without the body's shape
    grounded = tuple(motion for body in bodies for motion in stand_on_floor(body))
    own = tuple(f"{archive.path.name}: {warning}" for warning in warnings)
    return Clip(grounded, source, (*own, *conventions.warnings))


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


def _file_positions(track: PoseTrack, up: str, units: float) -> Array:
    """Joint positions (F, 29, 3) m of the neutral body in the file's axes, of which `up` is assumed to point up."""
    root = to_z_up(track.path * units + PELVIS_IN_REST, up)
    return from_z_up(kinematics.fk(root, _joint_rotations(track, up), NEUTRAL_SKELETON.offsets), up)


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
