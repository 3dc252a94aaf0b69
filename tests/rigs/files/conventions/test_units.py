"""The unit of files by the dancer's height, what is stated and what is usual."""

import pytest

from rigs.files.conventions.axes import UNIT_NAMES, UNITS
from rigs.files.conventions.units import CMU_UNIT, detect_unit


@pytest.mark.parametrize("unit", [*UNITS, "CMU"])
@pytest.mark.parametrize("height", [1.55, 1.7, 1.85])
def test_an_adult_tells_each_unit(unit: str, height: float) -> None:
    metres = UNITS.get(unit, CMU_UNIT)
    assert detect_unit(height / metres).metres == pytest.approx(metres)


@pytest.mark.parametrize("unit", ["m", "cm", "mm"])
@pytest.mark.parametrize("height", [0.9, 1.1, 2.2, 2.4])
def test_children_and_giants_keep_a_common_unit_and_are_in_doubt_by_their_size(unit: str, height: float) -> None:
    found = detect_unit(height / UNITS[unit])
    assert found.name == UNIT_NAMES[unit]
    assert found.confidence < detect_unit(1.7 / UNITS[unit]).confidence
    assert (found.confidence < 0.75) == (height in (0.9, 2.4))


def test_a_height_in_no_unit_is_scaled_without_confidence() -> None:
    found = detect_unit(400.0)
    assert (found.metres * 400.0, found.confidence) == (pytest.approx(1.7), 0.0)


def test_a_stated_unit_holds_for_people_and_yields_where_it_makes_none() -> None:
    assert detect_unit(1.1 / 0.0254, stated=0.0254).metres == 0.0254
    assert detect_unit(170.0, stated=1.0).name == "centimetres"


@pytest.mark.parametrize(("height", "confidence"), [(0.5, 0.5), (1.0, 1.0), (4.0, 0.5)])
def test_a_character_of_another_size_stays_where_the_format_is_sure(height: float, confidence: float) -> None:
    found = detect_unit(height, stated=1.0, is_sure=True)
    assert (found.metres, found.confidence) == (1.0, confidence)
    assert detect_unit(100.0 * height, stated=1.0, is_sure=True).metres < 1.0


def test_a_naming_conventions_unit_yields_to_a_much_likelier_one() -> None:
    assert detect_unit(1.3, convention=1.31).metres == 1.31
    assert detect_unit(1.7, convention=1.31).metres == 1.0
    assert detect_unit(170.0, convention=1.31).name == "centimetres"


@pytest.mark.parametrize(("height", "by_fall", "unit"), [(86.0, 2.2, "in"), (86.0, 0.86, "cm"), (48.0, 1.2, "in")])
def test_a_fall_tells_units_apart_that_the_height_leaves_in_doubt(height: float, by_fall: float, unit: str) -> None:
    assert detect_unit(height).confidence < 0.75
    found = detect_unit(height, height_by_fall=by_fall)
    assert (found.name, found.confidence > 0.75) == (UNIT_NAMES[unit], True)
