"""Warnings of an operator's last run: reported, and kept in the scene so that a panel shows them until dismissed.

In `apply`, once, also without a warning, so that those of the run before go:

    notices.show_warnings(self, context, result.warnings)

In the `draw` of the panel with the operator's button, at its end:

    draw_notices(layout, context, "pasdedeux.import_mocap", "pasdedeux.import_duet")      # panels/layout.py
"""

from collections.abc import Iterable
from typing import Any

import bpy

from ..context_access import active_scene


class PASDEDEUX_PG_notice(bpy.types.PropertyGroup):
    """A warning of an operator's last run"""

    text: bpy.props.StringProperty(name="Text", description="The warning, one sentence")  # type: ignore[valid-type]
    operator: bpy.props.StringProperty(name="Operator", description="Identifier of the operator that warned")  # type: ignore[valid-type]


def show_warnings(
    operator: bpy.types.Operator, context: bpy.types.Context, warnings: Iterable[str], *, add: bool = False
) -> None:
    """Report warnings, each once, and keep them in the scene in place of those of the operator's run before.

    add: keep those, too, as within one run.
    """
    name, texts = type(operator).bl_idname, list(dict.fromkeys(warnings))
    if not add:
        dismiss(context, [name])
    for text in texts:
        operator.report({"WARNING"}, text)
        if text not in notices_of(context, [name]):
            notice = _notices(context).add()
            notice.text, notice.operator = text, name


def notices_of(context: bpy.types.Context, operators: Iterable[str]) -> list[str]:
    """The warnings that the scene keeps of operators, by their identifiers such as "pasdedeux.import_mocap"."""
    names = set(operators)
    return [notice.text for notice in _notices(context) if notice.operator in names]


def dismiss(context: bpy.types.Context, operators: Iterable[str]) -> None:
    """Remove the warnings that the scene keeps of operators."""
    remove_entries(_notices(context), operators)


def remove_entries(collection: Any, operators: Iterable[str]) -> None:
    """Remove the entries of operators' runs from a scene's collection whose entries have an `operator`."""
    names = set(operators)
    for index in reversed(range(len(collection))):
        if collection[index].operator in names:
            collection.remove(index)


def _notices(context: bpy.types.Context) -> Any:
    return active_scene(context).pas_de_deux.notices  # type: ignore[attr-defined]


CLASSES = (PASDEDEUX_PG_notice,)
