"""Operators that import a duet, from one mocap file or two: its dancers become the leader and the partner."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from rigs.files import Clip
from rigs.files.duet import Duet, leader_first, pair_dancers

from ...animation.takes.file_takes import FileTake
from ...background_job import JobFunction, OperatorError, OperatorReturn, Reporter
from ...job_operator import invoke_operator
from ...properties import notices
from ...properties.settings import scene_settings
from ..import_mocap import ImportOperator, ImportOptions, MocapBrowser, clip_reader, clip_takes, has_rate

_NO_FILES = "Select the file of a duet, or the two files of its dancers"


@dataclass(frozen=True)
class _ReadDuet:
    """A duet that was read, the takes of files with several, and whether the scene may take on its frame rate."""

    duet: Duet
    takes: list[FileTake]
    has_rate: bool


class DuetOptions(ImportOptions):
    """How a duet is imported; mixed into the operators."""

    swap: bpy.props.BoolProperty(name="Swap Roles", description="Let the other dancer lead")  # type: ignore[valid-type]


class PASDEDEUX_OT_import_duet(DuetOptions, ImportOperator):
    """Import two dancers, from one mocap file or two, as the leader and the partner"""

    bl_idname = "pasdedeux.import_duet"
    bl_label = "Import Duet"
    label = "Importing the duet"

    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="File", description="File of both dancers, or of the leader", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )
    partner_filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Partner File",
        description="File of the partner; empty: the first file holds both dancers",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    _names = ("", "")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        if not self.filepath:
            choose_duet = bpy.ops.pasdedeux.choose_duet  # type: ignore[attr-defined]
            return choose_duet("INVOKE_DEFAULT", swap=self.swap, **self.option_values())
        return super().invoke(context, event)

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        if not self.filepath:
            raise OperatorError(_NO_FILES)
        paths = [Path(bpy.path.abspath(path)) for path in (self.filepath, self.partner_filepath) if path]
        clip_readers = [clip_reader(context, path, self.read_options()) for path in paths]
        stems = [path.stem for path in paths]
        names = (stems[0], stems[1]) if len(stems) == 2 else (f"{stems[0]} 1", f"{stems[0]} 2")
        self._names = names[::-1] if self.swap else names
        swap = self.swap

        def read(reporter: Reporter) -> _ReadDuet:
            clips = []
            for n, (path, read_clip) in enumerate(zip(paths, clip_readers, strict=True)):
                reporter.progress(n / len(paths), f"reading {path.name}")
                clips.append(read_clip())
            duet = pair_dancers(clips, swap=swap)
            return _ReadDuet(duet, _takes(clips, duet, swap), all(map(has_rate, clips)))

        return read

    def apply(self, context: bpy.types.Context, result: _ReadDuet) -> None:
        duet = result.duet
        notices.show_warnings(self, context, duet.warnings)
        motions = (duet.leader, duet.partner)
        _, partner = self.add_dancers(context, motions, self._names, result.takes, has_rate=result.has_rate)
        scene_settings(context).partner = partner


def _takes(clips: Sequence[Clip], duet: Duet, swap: bool) -> list[FileTake]:
    """The takes of the files, for the leader (0) and the partner (1)."""
    numbers = [1, 0] if swap else [0, 1]
    if len(clips) == 1:
        return clip_takes(clips[0], numbers)
    leader, partner = ([clip_takes(clip, [n]) for clip, n in zip(clips, numbers, strict=True)])[:: -1 if swap else 1]
    as_read = clips[numbers.index(1)].motions[0]
    scale = float(np.linalg.norm(duet.partner.skeleton.offsets) / np.linalg.norm(as_read.skeleton.offsets))
    return [*leader, *(take.scale(scale) for take in partner)]


class PASDEDEUX_OT_choose_duet(DuetOptions, MocapBrowser):
    """Select one mocap file with two dancers, or two files with one dancer each"""

    bl_idname = "pasdedeux.choose_duet"
    bl_label = "Import Duet"

    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    files: bpy.props.CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        paths = [Path(self.directory, file.name) for file in self.files if file.name]
        if not 1 <= len(paths) <= 2:
            found = f", {len(paths)} selected" if paths else ""
            self.report({"ERROR"}, f"{_NO_FILES}{found}")
            return {"CANCELLED"}
        first, *other = leader_first(paths)
        return invoke_operator(
            self,
            bpy.ops.pasdedeux.import_duet,  # type: ignore[attr-defined]
            filepath=str(first),
            partner_filepath=str(other[0]) if other else "",
            swap=self.swap,
            **self.option_values(),
        )


class PASDEDEUX_OT_swap_dancers(bpy.types.Operator):
    """Let the partner lead and the leader be the partner"""

    bl_idname = "pasdedeux.swap_dancers"
    bl_label = "Swap Leader and Partner"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        settings = scene_settings(context)
        if settings.leader is None and settings.partner is None:
            cls.poll_message_set("There is no leader and no partner")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        settings = scene_settings(context)
        settings.leader, settings.partner = settings.partner, settings.leader
        return {"FINISHED"}


CLASSES = (PASDEDEUX_OT_import_duet, PASDEDEUX_OT_choose_duet, PASDEDEUX_OT_swap_dancers)
