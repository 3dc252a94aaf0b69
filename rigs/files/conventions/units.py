"""Detect the unit of a file from the dancer's height in it, with a confidence."""

from dataclasses import dataclass

import numpy as np

from rigs.files.conventions.axes import UNIT_NAMES, UNITS

CMU_UNIT = 0.0254 / 0.45
"""Metres in the unit of CMU's Acclaim files: an inch divided by 0.45."""
_COMMON, _RARE = ("m", "cm", "mm"), ("dm", "in", "ft")
_PRIORS = {"m": 1.0, "cm": 1.0, "mm": 1.0, "in": 0.3, "ft": 0.1, "dm": 0.03}
"""How common units are; a rare one has to fit more closely, too."""
_CMU_PRIOR, _CONVENTION_PRIOR, _STATED_PRIOR = 0.1, 10.0, 50.0
_HEIGHTS = {
    "stated": (0.8, 2.6),
    "convention": (1.2, 2.3),
    "common": (0.75, 2.5),
    "rare": (1.4, 2.1),
    "by fall": (0.4, 3.5),
}
"""m, the lowest and the greatest height of a dancer in a unit, by what tells the unit."""
_FIGURE_HEIGHTS = (0.3, 8.0)
"""m, heights of animated characters in a file that surely states its unit."""
_ADULTS, _CHILDREN = (0.8, 1.7, 0.09), (0.15, 1.45, 0.25)
"""Share, height in m and its relative deviation of adults, and of children and characters of other sizes."""
_OTHER_SIZES, _FALL_DEVIATION = 0.1, 0.2
"""Density of characters of any size, and relative deviation of the height that jumps tell."""
_UNKNOWN = 0.03
"""Density beside which a unit's height is in doubt, as that of a dancer in a unit nobody knows."""
_ADULT_HEIGHT = 1.7
_ABSURD = 1e-4, 1e5
"""Heights in any unit that no dancer has."""
_GIANT = 0.5
"""Confidence in the unit of a character that is no person by its size."""


@dataclass(frozen=True)
class Unit:
    """The detected unit: metres in one of it, and the confidence, 0 to 1; 0 if the body is just scaled to 1.7 m."""

    metres: float
    confidence: float

    @property
    def name(self) -> str:
        """The unit's name in the plural, or what it measures."""
        names = [UNIT_NAMES[unit] for unit, metres in UNITS.items() if np.isclose(metres, self.metres, rtol=1e-3)]
        return names[0] if names else f"units of {self.metres:.4g} m"


def detect_unit(
    height: float,
    *,
    stated: float | None = None,
    convention: float | None = None,
    is_sure: bool = False,
    height_by_fall: float | None = None,
) -> Unit:
    """Detect the unit in which a dancer is `height` tall.

    stated: metres in one unit as the file states it.  convention: as files with the same names of bones have it.
    is_sure: the format states units reliably, so that a giant is a giant, with a confidence of 0.5.
    height_by_fall: the height in m that jumps tell, as of a body in free fall.
    If no unit makes a dancer of it, the one that makes it 1.7 m tall is returned, with confidence 0.
    """
    if is_sure and stated and _FIGURE_HEIGHTS[0] < height * stated < _FIGURE_HEIGHTS[1]:
        low, high = _HEIGHTS["stated"]
        return Unit(stated, 1.0 if low < height * stated < high else _GIANT)
    candidates: dict[float, float] = {}

    def weigh(metres: float | None, prior: float, heights: str) -> None:
        low, high = _HEIGHTS[heights] if height_by_fall is None else _HEIGHTS["by fall"]
        if metres and low < height * metres < high:
            density = _height_density(height * metres, height_by_fall)
            candidates[metres] = candidates.get(metres, 0.0) + prior * density

    weigh(stated, _STATED_PRIOR, "stated")
    weigh(convention, _CONVENTION_PRIOR, "convention")
    for name, prior in _PRIORS.items():
        weigh(UNITS[name], prior, "common" if name in _COMMON else "rare")
    weigh(CMU_UNIT, _CMU_PRIOR, "rare")
    if not candidates:
        is_absurd = not _ABSURD[0] < height < _ABSURD[1]
        return Unit(stated if stated and is_absurd else _ADULT_HEIGHT / height, 0.0)
    best = max(candidates, key=lambda metres: candidates[metres])
    return Unit(best, candidates[best] / (sum(candidates.values()) + _UNKNOWN))


def _height_density(height: float, height_by_fall: float | None) -> float:
    """Probability density of a dancer's height in m, on a logarithmic scale, beside the height that jumps tell."""
    density = 0.0
    for share, mean, deviation in (_ADULTS, _CHILDREN):
        density += share * _normal_density(np.log(height / mean), deviation)
    if height_by_fall is not None:
        density = (density + _OTHER_SIZES) * _normal_density(np.log(height / height_by_fall), _FALL_DEVIATION)
    return density


def _normal_density(x: float, deviation: float) -> float:
    """The density of a normal distribution about 0."""
    return float(np.exp(-0.5 * (x / deviation) ** 2)) / (np.sqrt(2.0 * np.pi) * deviation)
