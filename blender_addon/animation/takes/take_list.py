"""Takes: keep every generated action in the scene's list, show one on its dancers, and tell which were edited by hand.

A take's action has a fake user, so that Blender saves it, and carries its record in a custom property, so that it keeps
the record in any file that it is appended to.
"""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import bpy

from ...background_job import OperatorError
from ...context_access import active_scene, is_in_scene
from ...properties.settings import scene_settings
from ...properties.take_list import PASDEDEUX_PG_take
from .. import controls
from ..keys import fcurves, keyframes, nla
from ..keys.channels import REST_VALUES
from .take_records import RECORD, free_action_name, read_record, store_record
from .take_records import TakeRecord as TakeRecord
from .take_records import fingerprint as fingerprint

_OWN = "own"  # the kind of an action that was not generated


@dataclass(frozen=True)
class TakePart:
    """A dancer of a take and the action that it dances; the dancer is None once it was deleted."""

    dancer: bpy.types.Object | None
    action: bpy.types.Action
    slot: int = 0


def keep_take(
    context: bpy.types.Context,
    dancer: bpy.types.Object,
    action: bpy.types.Action,
    record: TakeRecord,
    name: str,
) -> PASDEDEUX_PG_take:
    """Keep a dancer's action as a take in the scene's list; it is not assigned, as `show_take` does that.

    The action assigned before is kept, too (see `keep_assigned`). The action is named `name`, numbered if another one
    has that name. The entry is valid until the next one is added.
    """
    keep_assigned(context, dancer, unless=action)
    action.name = free_action_name(name, action, scene_settings(context).take_list.keys())
    entry = add_entry(context, record, action.name)
    entry.action, entry.dancer = action, dancer
    store_record(action, entry)
    return entry


def keep_partner(
    context: bpy.types.Context, entry: PASDEDEUX_PG_take, partner: bpy.types.Object, action: bpy.types.Action
) -> None:
    """Add the second dancer of a couple, whose action belongs to the take and is shown with it.

    What the partner danced before is kept as by `keep_take`, which invalidates `entry`: find it again.
    """
    uid = entry.uid
    keep_assigned(context, partner, unless=action)
    entry = require_take(context, uid)
    action.name = free_action_name(f"{entry.label} partner", action, ())
    entry.partner, entry.partner_action = partner, action
    scene_settings(context).take_index = index_of(context, uid)
    store_record(action, entry)


def keep_assigned(
    context: bpy.types.Context, dancer: bpy.types.Object, *, unless: bpy.types.Action | None = None
) -> None:
    """Keep the action that the dancer dances now, below a correction layer the take's, so that a new one may follow.

    An action that is no take yet becomes an entry: with its record if it has one, as a copy of a take has, else as the
    animator's own.
    """
    action = nla.base_action(dancer)
    if action is None or action == unless or find_take(context, action) is not None:
        return
    if not list(fcurves.all_fcurves(action)):
        return
    slot = getattr(dancer.animation_data, "action_slot", None) if not nla.has_correction_layer(dancer) else None
    record = read_record(action)
    entry = add_entry(context, record or TakeRecord(_OWN, "", 0), action.name)
    entry.action, entry.dancer = action, dancer
    entry.slot = slot.handle if slot is not None else 0
    if action.library is None:
        entry.kept_before = action.use_fake_user
        action.use_fake_user = True
        if record is not None:
            action[RECORD] = {**action[RECORD].to_dict(), "uid": entry.uid}


def show_take(context: bpy.types.Context, entry: PASDEDEUX_PG_take) -> None:
    """Assign the take's actions to their dancers, in place of those assigned now, which are kept in the list.

    Nothing else changes: correction layers, NLA tracks, frame, mode and selection stay. Raises OperatorError or
    ValueError before anything changes.
    """
    uid = entry.uid
    parts = take_parts(entry)
    if not parts:
        raise OperatorError(f"{entry.label}: its action was deleted, undo that or delete the take")
    dancers = [_require_dancer(context, entry, part) for part in parts]
    for dancer in dancers:
        keep_assigned(context, dancer)
    # Keeping may have added entries, which invalidates references to others.
    entry = require_take(context, uid)
    scene_settings(context).take_index = index_of(context, uid)
    entry.name = entry.label
    for name, dancer in zip(("dancer", "partner"), dancers, strict=False):
        if getattr(entry, name) != dancer:
            setattr(entry, name, dancer)
    for part, dancer in zip(parts, dancers, strict=True):
        assign_part(dancer, part)
        key_controls(context, dancer)


def key_controls(context: bpy.types.Context, dancer: bpy.types.Object) -> None:
    """Key a dancer's controls along what it plays, where they are not yet; for that no take counts as edited."""
    action = nla.base_action(dancer)
    record: Any = action.get(RECORD) if action is not None else None
    if not hasattr(record, "get"):  # a property of that name may be the user's own text
        record = {}
    unedited = action is not None and record.get("fingerprint") == fingerprint(action)
    if controls.key_controls(context, dancer) and unedited:
        assert action is not None
        record["fingerprint"] = fingerprint(action)


def takes_of(context: bpy.types.Context, dancer: bpy.types.Object) -> list[PASDEDEUX_PG_take]:
    """The takes of a dancer, in the order in which they were generated."""
    return [entry for entry in scene_settings(context).take_list if dancer in (entry.dancer, entry.partner)]


def index_of(context: bpy.types.Context, uid: str) -> int:
    """The place in the list of the take with this identifier. Raises OperatorError if it is no longer there."""
    for index, entry in enumerate(scene_settings(context).take_list):
        if entry.uid == uid:
            return index
    raise OperatorError("The take is no longer in the list")


def require_take(context: bpy.types.Context, uid: str) -> PASDEDEUX_PG_take:
    """The take with this identifier. Raises OperatorError if it is no longer in the list."""
    entry: PASDEDEUX_PG_take = scene_settings(context).take_list[index_of(context, uid)]
    return entry


def find_take(context: bpy.types.Context, action: bpy.types.Action) -> PASDEDEUX_PG_take | None:
    """The take with this action; None if it is no take's."""
    for entry in scene_settings(context).take_list:
        if action in (entry.action, entry.partner_action):
            return entry
    return None


def take_parts(entry: PASDEDEUX_PG_take) -> list[TakePart]:
    """The dancers of a take with their actions, without actions that were deleted."""
    parts = [(entry.dancer, entry.action, entry.slot), (entry.partner, entry.partner_action, 0)]
    return [TakePart(dancer, action, slot) for dancer, action, slot in parts if action]


def is_shown(entry: PASDEDEUX_PG_take) -> bool:
    """Whether all of the take's dancers dance it now."""
    parts = take_parts(entry)
    return bool(parts) and all(map(is_assigned, parts))


def is_assigned(part: TakePart) -> bool:
    """Whether the part's action is assigned to its dancer, as the take below a correction layer too."""
    return part.dancer is not None and nla.base_action(part.dancer) == part.action


def neighbour(context: bpy.types.Context, entry: PASDEDEUX_PG_take) -> PASDEDEUX_PG_take | None:
    """The take that is to be shown when this one is deleted: the one before it of the same dancer, else after it."""
    settings, index = scene_settings(context), index_of(context, entry.uid)
    others = [*reversed(range(index)), *range(index + 1, len(settings.take_list))]
    for other in (settings.take_list[number] for number in others):
        if other.action and other.dancer == entry.dancer and other.partner == entry.partner:
            return other
    return None


def remove_take(context: bpy.types.Context, uid: str) -> list[str]:
    """Remove a take from the list, and its actions unless they are used elsewhere; the names of those that are.

    A dancer that still dances one of them is put back to rest.
    """
    settings, index = scene_settings(context), index_of(context, uid)
    entry, still_used = settings.take_list[index], []
    parts, kept_before = take_parts(entry), entry.kept_before
    settings.take_list.remove(index)
    settings.take_index = max(0, min(settings.take_index - (settings.take_index > index), len(settings.take_list) - 1))
    for part in parts:
        action = part.action
        if settings.preview_settings.beside == action:
            settings.preview_settings.beside = None
        if action.library is not None or kept_before:
            still_used.append(action.name)
            continue
        action.use_fake_user = False
        if is_assigned(part) and action.users == 1:
            _unassign(part)
        if action.users == 0:
            bpy.data.actions.remove(action)
        else:
            action.use_fake_user = True
            still_used.append(action.name)
    return still_used


def is_edited(entry: PASDEDEUX_PG_take) -> bool:
    """Whether the take's keyframes were edited since it was kept; the animator's own animation always counts."""
    if entry.kind == _OWN:
        return True
    for part in take_parts(entry):
        record = part.action.get(RECORD)
        if record is None or record["fingerprint"] != fingerprint(part.action):
            return True
    return False


def assign_part(dancer: bpy.types.Object, part: TakePart) -> None:
    """Assign a take's action and its slot to a dancer, and put bones that it leaves unkeyed back to rest."""
    before = {fcurve.data_path for fcurve in _animated_curves(dancer)}
    keyframes.assign_action(dancer, part.action, part.slot)
    after = {fcurve.data_path for fcurve in _animated_curves(dancer)}
    for path in before - after:
        _reset(dancer, path)


def add_entry(context: bpy.types.Context, record: TakeRecord, name: str) -> PASDEDEUX_PG_take:
    """Add an entry to the list and make it the active one."""
    settings = scene_settings(context)
    entry: PASDEDEUX_PG_take = settings.take_list.add()
    entry.name, entry.uid, entry.kind, entry.model = name, uuid.uuid4().hex, record.kind, record.model
    entry.seed, entry.number, entry.settings = record.seed, record.number, json.dumps(dict(record.settings))
    settings.take_index = len(settings.take_list) - 1
    return entry


def _require_dancer(context: bpy.types.Context, entry: PASDEDEUX_PG_take, part: TakePart) -> bpy.types.Object:
    """The dancer of a part; for one that was deleted, the scene's partner if it has the bones. Raises OperatorError."""
    scene, dancer = active_scene(context), part.dancer
    if dancer is None or not is_in_scene(scene, dancer):
        settings = scene_settings(context)
        others = [settings.partner] if entry.kind == "partner" else [settings.leader, settings.partner]
        others = [other for other in others if other and is_in_scene(scene, other) and has_bones(other, part.action)]
        if not others:
            raise OperatorError(f"The dancer of {entry.label} is no longer in the scene, and no other has its bones")
        dancer = others[0]
    if not dancer.is_editable:
        raise OperatorError(f"{dancer.name} is linked from another file: make it local, or a library override")
    if dancer.animation_data is not None and dancer.animation_data.use_tweak_mode:
        raise OperatorError(f"{dancer.name}: exit the tweak mode of its NLA strip first")
    return dancer


def has_bones(dancer: bpy.types.Object, action: bpy.types.Action) -> bool:
    """Whether the dancer has what the action animates."""
    for path in {fcurve.data_path for fcurve in fcurves.all_fcurves(action)}:
        try:
            dancer.path_resolve(path)
        except ValueError:
            return False
    return True


def _unassign(part: TakePart) -> None:
    """Take the action off the part's dancer, and put what it animated back to rest."""
    dancer = part.dancer
    assert dancer is not None
    paths = {fcurve.data_path for fcurve in fcurves.all_fcurves(part.action)}
    with nla.beneath_corrections(dancer):
        assert dancer.animation_data is not None
        dancer.animation_data.action = None
    for path in paths:
        _reset(dancer, path)


def _animated_curves(dancer: bpy.types.Object) -> Iterator[bpy.types.FCurve]:
    if not nla.has_correction_layer(dancer):
        yield from fcurves.action_fcurves(dancer)


def _reset(dancer: bpy.types.Object, path: str) -> None:
    """Put a bone's location, rotation or scale back to rest, which an action has animated."""
    owner_path, _, name = path.rpartition(".")
    if not owner_path.startswith("pose.bones[") or name not in REST_VALUES:
        return
    try:
        owner = dancer.path_resolve(owner_path)
    except ValueError:  # a bone that is gone
        return
    setattr(owner, name, REST_VALUES[name])
