"""Operator that makes a take again: with its model, seed and settings, or with another seed."""

import json
from collections.abc import Callable
from typing import Any

import bpy

from ...background_job import OperatorError, OperatorReturn, error_message, main_slot
from ...properties.setting_values import scene_values
from ...properties.settings import scene_settings
from ...properties.take_list import PASDEDEUX_PG_take
from .show import TakeOperator

_SEEDS = {"partner": "seed", "dance": "music.dance_seed", "compose": "music.music_seed"}
"""The setting with the seed, by the kind of take."""
_MODELS = {"partner": "model", "dance": "music.dancer", "compose": "music.composer"}
_PARTNER_OPERATORS = {"generate_partner", "redo_range"}
_OPERATORS = {*_PARTNER_OPERATORS, "generate_dance", "compose_music"}
_MAX_SEED = 2**31 - 1


class PASDEDEUX_OT_take_again(TakeOperator):
    """Generate a take with the model, seed and settings of this one"""

    bl_idname = "pasdedeux.take_again"
    bl_label = "Make Again"

    new_seed: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="New Seed",
        description="Take the next seed that no take in the list has, for another take",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        job = main_slot.job
        if job is not None:
            cls.poll_message_set(f"Another operation is running ({job.latest.text}); wait or cancel it")
            return False
        return super().poll(context)

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        if properties.new_seed:
            return "Generate another take with the model and settings of this one, and a new seed"
        return "Generate a take with the model, seed and settings of this one"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        return self._run(context, "INVOKE_DEFAULT")

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        return self._run(context, "EXEC_DEFAULT")

    def _run(self, context: bpy.types.Context, how: str) -> OperatorReturn:
        settings = scene_settings(context)
        pair = settings.leader, settings.partner
        try:
            entry = self.entry(context)
            name, properties, values = _request(context, entry, self.new_seed)
            operator: Callable[..., OperatorReturn] = getattr(bpy.ops.pasdedeux, name)  # type: ignore[attr-defined]
            with scene_values(context, values):
                result = _call(operator, how, properties, entry.label)
                used = settings.leader, settings.partner  # the partner may have been added by now
        except RuntimeError as error:
            self.report({"ERROR"}, str(error).removeprefix("Error: ").strip())
            return {"CANCELLED"}
        except (OperatorError, ValueError) as error:
            self.report({"ERROR"}, error_message(error))
            return {"CANCELLED"}
        if "CANCELLED" not in result and name in _PARTNER_OPERATORS and used != pair:
            # The take is generated for this pair, and its result is refused for another.
            settings.leader, settings.partner = used
        return {"FINISHED"} if "CANCELLED" not in result else {"CANCELLED"}


def _request(
    context: bpy.types.Context, entry: PASDEDEUX_PG_take, new_seed: bool
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The operator that makes the take again, its properties, and the scene's settings. Raises OperatorError."""
    try:
        stored = json.loads(entry.settings or "{}")
        operator, properties, values = stored["operator"], dict(stored["properties"]), dict(stored["scene"])
    except (KeyError, TypeError, ValueError):
        operator, properties, values = "", {}, {}
    if operator not in _OPERATORS or entry.kind not in _SEEDS:
        raise OperatorError(f"{entry.label} was not generated here, so it cannot be made again")
    values = {**values, _MODELS[entry.kind]: entry.model, _SEEDS[entry.kind]: entry.seed}
    if entry.kind == "partner":
        # The takes of one request differ by their number alone, however many they are.
        values["takes"] = 1 if new_seed else entry.number
        values["partner"] = entry.dancer.name if entry.dancer else None
    if new_seed:
        values[_SEEDS[entry.kind]] = _free_seed(context, entry)
    return operator, properties, values


def _call(operator: Callable[..., OperatorReturn], how: str, properties: dict[str, Any], label: str) -> OperatorReturn:
    """Call the operator with properties that a take has stored. Raises OperatorError if it has no such ones."""
    try:
        return operator(how, True, **properties)
    except TypeError:
        raise OperatorError(f"{label} is of another version of Pas de Deux, so it cannot be made again") from None


def _free_seed(context: bpy.types.Context, entry: PASDEDEUX_PG_take) -> int:
    """The next seed after the take's that no take of its kind has."""
    used = {other.seed for other in scene_settings(context).take_list if other.kind == entry.kind}
    seed: int = entry.seed
    while seed in used:
        seed = seed + 1 if seed < _MAX_SEED else 0
    return seed


CLASSES = (PASDEDEUX_OT_take_again,)
