"""A file's up axis and unit: what the user gives, or what the movement tells beside what the file states."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from rigs import Array
from rigs.characters.body_measures import body_height, body_heights
from rigs.files import AS_STATED, BadFile, ReadOptions, expect_frame_rate
from rigs.files.conventions.axes import UP_AXES, to_z_up
from rigs.files.conventions.frame_rate_check import GRAVITY, fall_acceleration
from rigs.files.conventions.units import Unit, detect_unit
from rigs.files.conventions.up_axis import (
    CONVENTIONAL,
    STATED,
    UNUSUAL,
    UPRIGHT_REST_POSE,
    UpAxis,
    detect_up_axis,
    rest_pose_axis,
)
from rigs.skeleton import INDEX, SIDES

_MEASURED = tuple(INDEX[f"{side}_{joint}"] for side in SIDES for joint in ("hip", "knee", "ankle"))
"""Joints by which a body is measured."""
_SURE = 0.9
"""Confidence in an axis below which a warning says that it may be another."""
_SURE_UNIT = 0.75
_STANDING = 0.05
"""Fraction of frames in which a dancer has to stand along an axis so that it counts as seen upright."""
_CLEARLY, _HARDLY = 0.25, 0.6
"""Fraction of frames that an axis along which nobody stands explains more than any other if it is up for sure, and part
of another's frames below which one along which the dancer stands is in doubt."""
_ALWAYS, _BY_CHANCE, _BY_CHANCE_ALWAYS = 0.9, 0.37, 0.25
"""Fraction of frames that an axis which is not up may explain, unless the dancer seems to stand in 0.9 of all."""
_PEOPLE = 0.5, 3.0
"""m, heights of dancers beyond which a unit that the user gives is doubtful."""
_HEIGHT_SAMPLES = 200
_ADULT_HEIGHT = 1.7
UP_OPTION = "--up (Up Axis in Blender's import options) says another"
UNIT_OPTION = "--unit (Unit in Blender's import options) says another"


@dataclass(frozen=True)
class Stated:
    """What a file or its format says of its axes and unit, as far as it does.

    up: the axis that the file states.  usual_up: those that such files mostly have.
    metres: in one unit as the file states it.  convention_metres: as files with the same names of bones have it.
    unit_is_sure: the format states units reliably, so that a giant is a giant.
    """

    up: str | None = None
    usual_up: tuple[str, ...] = ("Y", "Z")
    metres: float | None = None
    convention_metres: float | None = None
    unit_is_sure: bool = False


@dataclass(frozen=True)
class Conventions:
    """The up axis of a file's movement and that of its rest pose, metres in its unit, and what is doubtful of them.

    mirrored: the axes are left-handed.
    """

    up: str
    rest_up: str
    metres: float
    warnings: tuple[str, ...] = ()
    mirrored: bool = False


def detect_conventions(
    name: str,
    positions: Array,
    fps: float,
    stated: Stated,
    options: ReadOptions = AS_STATED,
    *,
    rest: Array | None = None,
) -> Conventions:
    """Detect the up axis and the unit of a dancer in a file of this name, as far as the user does not give them.

    positions: (F, 29, 3) in the file's unit and axes, nan for joints that it lacks.  rest: (29, 3) likewise.
    Raises BadFile for a body without size, or a frame rate beyond any real capture.
    """
    expect_frame_rate(name, fps)
    samples = positions[:: max(1, len(positions) // _HEIGHT_SAMPLES)]
    available = tuple(j if np.isfinite(samples[:, j]).all() else -1 for j in range(samples.shape[1]))
    if min(available[j] for j in _MEASURED) < 0:
        raise BadFile(f"{name}: places of hips, knees and ankles expected, some are not finite")
    height = float(np.median(body_heights(available, samples.swapaxes(0, 1))))
    if rest is not None:
        height = body_height(available, samples.swapaxes(0, 1))
    if not height > 0.0:
        raise BadFile(f"{name}: bones of a dancer's size expected, a body {height:g} units tall found")
    rest_axis = rest_pose_axis(rest) if rest is not None else None
    up, up_warnings = _up_axis(name, positions, fps, stated, options, rest_axis)
    metres, unit_warnings = _unit(name, height, stated, options, lambda: _height_by_fall(positions, fps, height, up))
    return Conventions(up, rest_axis or up, metres, (*up_warnings, *unit_warnings))


def _up_axis(
    name: str, positions: Array, fps: float, stated: Stated, options: ReadOptions, rest_axis: str | None
) -> tuple[str, list[str]]:
    """The up axis, and warnings if it is not the stated one or may be another."""
    if rest_axis is not None:
        prior = {rest_axis: UPRIGHT_REST_POSE}
    else:
        prior = {axis: CONVENTIONAL if axis in stated.usual_up else UNUSUAL for axis in UP_AXES}
    if stated.up is not None:
        prior[stated.up] = max(prior.get(stated.up, 0.0), STATED)
    found = detect_up_axis(positions, fps, prior)
    if options.up is not None:
        standing = found.most_upright
        if found.standing[options.up] >= _STANDING or standing == options.up or found.standing[standing] < 0.5:
            return options.up, []
        share = f"{found.standing[standing]:.0%} of its frames"
        return options.up, [f"{name}: with {options.up} up, as given, the dancer stands along {standing} in {share}"]
    expected = rest_axis or stated.up
    if expected is not None and found.axis != expected:
        said = f"its rest pose stands along {expected}" if rest_axis else f"{expected} should be up in such a file"
        seen = f"but the dancer moves as if {found.axis} were up"
        return found.axis, [f"{name}: {said}, {seen}; read with {found.axis} up, {UP_OPTION}"]
    if not _is_sure(found, rest_axis):
        return found.axis, [f"{name}: the movement does not tell which axis is up; {found.axis} is taken, {UP_OPTION}"]
    return found.axis, []


def _is_sure(found: UpAxis, rest_axis: str | None) -> bool:
    """Whether the up axis is settled: the dancer stands along it, or it explains the movement better than others."""
    stands = found.standing[found.axis] >= _STANDING
    explained = found.explained[found.axis]
    others = max(share for axis, share in found.explained.items() if axis != found.axis)
    if stands and found.axis == rest_axis == found.most_upright:
        by_chance = _BY_CHANCE if found.standing[found.axis] < _ALWAYS else _BY_CHANCE_ALWAYS
        return not found.grounded or others < by_chance or explained > _HARDLY * others
    if found.confidence < _SURE or not found.grounded:
        return found.confidence >= _SURE and stands
    return explained > _HARDLY * others if stands else explained > others + _CLEARLY


def _height_by_fall(positions: Array, fps: float, height: float, up: str) -> float | None:
    """The body's height in m that jumps tell: the smaller a body, the more of its heights it falls in a second."""
    fall, _ = fall_acceleration(to_z_up(positions * (_ADULT_HEIGHT / height), up), fps)
    tall = _ADULT_HEIGHT * GRAVITY / fall
    return tall if _PEOPLE[0] < tall < _PEOPLE[1] else None


def _unit(
    name: str, height: float, stated: Stated, options: ReadOptions, height_by_fall: Callable[[], float | None]
) -> tuple[float, list[str]]:
    """Metres in one unit, and warnings if it is not the stated one or may be another.

    height_by_fall: the height in m that jumps tell, asked for where the body's height leaves the unit in doubt.
    """
    if options.metres_per_unit is not None:
        tall = height * options.metres_per_unit
        if _PEOPLE[0] < tall < _PEOPLE[1]:
            return options.metres_per_unit, []
        return options.metres_per_unit, [f"{name}: a body {tall:.4g} m tall with the unit {options.unit}, as given"]
    detect = partial(
        detect_unit,
        height,
        stated=stated.metres,
        convention=stated.convention_metres,
        is_sure=stated.unit_is_sure,
    )
    unit = detect()
    if unit.confidence < _SURE_UNIT:
        unit = detect(height_by_fall=height_by_fall())
    tall = height * unit.metres
    warning = _unit_warning(height, tall, unit, stated)
    return unit.metres, [f"{name}: {warning}, {UNIT_OPTION}"] if warning else []


def _unit_warning(height: float, tall: float, unit: Unit, stated: Stated) -> str | None:
    """What is doubtful about a unit that makes a body of `height` units `tall` metres tall."""
    if unit.confidence == 0.0:
        return f"a body {height:.3g} units tall found, in no known unit; scaled to {tall:.2f} m"
    if stated.metres is not None and not np.isclose(unit.metres, stated.metres, rtol=1e-3):
        found = f"a body {height * stated.metres:.4g} m tall found in the unit that it should be in"
        return f"{found}; read in {unit.name}, {tall:.2f} m"
    if unit.confidence < _SURE_UNIT:
        return f"a body {tall:.2f} m tall found; read in {unit.name}"
    return None
