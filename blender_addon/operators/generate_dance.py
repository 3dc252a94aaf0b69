"""Between music and dance: a MIDI file to dancers who dance to it, and dancers to music that fits their dance.

What a backend makes is heard as well: the music's sound lies in the sequencer and its beats on the timeline.
"""

import filecmp
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TypeVar

import bpy

from backend.client import Cancelled as CalledOff
from backend.client import Client
from backend.music.audio.wav import write_wav
from backend.music.score import PARTS, Score, cut_bars
from backend.wire import validation
from rigs.motion import Motion

from .. import context_access
from ..animation import dancers
from ..background_job import Cancelled, JobFunction, JobOperator, OperatorError, Reporter
from ..context_access import active_scene, active_view_layer
from ..media import timeline
from ..properties import preferences, settings
from . import retarget

_SUFFIXES = (".mid", ".midi")
_Answer = TypeVar("_Answer")
Folder = tempfile.TemporaryDirectory[str]


@dataclass(frozen=True)
class _Danced:
    """The dancers, the beats of what they dance to, and the folder in which its sound waits."""

    motions: list[Motion]
    beats: list[timeline.Beat]
    folder: Folder


@dataclass(frozen=True)
class _Composed:
    """The beats of the music, and the folder in which it waits with its sound."""

    beats: list[timeline.Beat]
    folder: Folder


class PASDEDEUX_OT_generate_dance(JobOperator):
    """Let a new dancer, or a couple, dance to a MIDI file from the scene's first frame on"""

    bl_idname = "pasdedeux.generate_dance"
    bl_label = "Generate Dance"
    bl_options = {"UNDO"}
    label = "Generating the dance"

    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="MIDI File", description="The music; empty, the scene's", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )

    _song = ""
    _first = 1

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        wanted = settings.scene_settings(context).music
        if not (self.filepath or wanted.midi):
            raise OperatorError("Choose a MIDI file to dance to first")
        path = Path(bpy.path.abspath(self.filepath or wanted.midi)).absolute()
        self._song, self._first = path.stem, active_scene(context).frame_start
        bars, fps, into = wanted.bars, context_access.frame_rate(active_scene(context)), _home()
        model, duet, energy, seed = wanted.dancer, wanted.duet, wanted.energy, wanted.dance_seed
        client = Client(preferences.backend_address(context))

        def work(reporter: Reporter) -> _Danced:
            # The readers of MIDI are loaded when they are needed, so that Blender starts without them.
            from backend.music import midi

            reporter.progress(0.0, f"reading {path.name}")
            score, number = _cut(midi.read(path), bars)
            validation.check_danceable(path.name, score, fps)
            motions = _asked(
                lambda: client.dance(
                    score,
                    model=model,
                    duet=duet,
                    energy=energy,
                    seed=seed,
                    fps=fps,
                    progress=reporter.progress,
                    cancelled=reporter.cancelled,
                )
            )
            folder = _filled(into, reporter, lambda folder: write_wav(folder / f"{path.stem}.wav", score))
            return _Danced(motions, timeline.beats_of(score, number), folder)

        return work

    def apply(self, context: bpy.types.Context, result: _Danced) -> None:
        with result.folder as folder:
            if result.motions[0].fps != context_access.frame_rate(active_scene(context)):
                raise OperatorError("The scene's frame rate was changed meanwhile: generate the dance again")
            heard = _left(Path(folder, f"{self._song}.wav"))
        leader, *others = [
            _dancing(context, motion, name, self._first, partner)
            for motion, name, partner in zip(
                result.motions, (self._song, f"{self._song} partner"), (False, True), strict=False
            )
        ]
        for other in others:
            other.select_set(False)
        leader.select_set(True)
        active_view_layer(context).objects.active = leader
        pair = settings.scene_settings(context)
        pair.leader, pair.partner = leader, others[0] if others else None
        _lay(self, context, heard, result.beats, self._first)


class PASDEDEUX_OT_compose_music(JobOperator):
    """Make music that fits how the leader and the partner dance"""

    bl_idname = "pasdedeux.compose_music"
    bl_label = "Compose Music"
    bl_options = {"UNDO"}
    label = "Composing the music"

    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Music",
        description="The MIDI file to write, with a WAV beside it; empty, the scene's",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    _path = ""
    _first = 1

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        wanted = settings.scene_settings(context).music
        path = _music_path(self.filepath or wanted.out, wanted.midi)
        parts = tuple(part for part in PARTS if part in wanted.parts)
        if not parts:
            raise OperatorError("Choose who plays: drums, bass, melody or several of them")
        model, tempo, seed = wanted.composer, wanted.tempo or None, wanted.music_seed
        client = Client(preferences.backend_address(context))
        pair = dancers.pair_of(context)
        frames = dancers.frames_of(active_scene(context), *pair)
        motions = [retarget.motion_of(context, dancer, frames) for dancer in pair]
        self._path, self._first = str(path), frames.start

        def work(reporter: Reporter) -> _Composed:
            from backend.music import midi

            score = _asked(
                lambda: client.compose(
                    motions,
                    model=model,
                    tempo=tempo,
                    parts=parts,
                    seed=seed,
                    progress=reporter.progress,
                    cancelled=reporter.cancelled,
                )
            )

            def write(folder: Path) -> None:
                midi.write(folder / path.name, score)
                write_wav(folder / f"{path.stem}.wav", score)

            return _Composed(timeline.beats_of(score), _filled(path.parent, reporter, write))

        return work

    def apply(self, context: bpy.types.Context, result: _Composed) -> None:
        path = Path(self._path)
        sound = path.with_suffix(".wav")
        with result.folder as folder:
            for file in (path, sound):
                _move(Path(folder, file.name), file)
        _lay(self, context, sound, result.beats, self._first)
        self.report({"INFO"}, f"{path.name} and {sound.name} written to {path.parent}")


def _cut(score: Score, bars: str) -> tuple[Score, int]:
    """The bars that such as "9-24" names, all where it is empty, and the number of the first. Raises OperatorError."""
    if not bars.strip():
        return score, 1
    numbers = re.fullmatch(r"\s*(\d{1,9})\s*-\s*(\d{1,9})\s*", bars)
    if not numbers:
        raise OperatorError(f"Bars: a first and a last bar expected, such as 9-24, found {bars.strip()}")
    first, last, most = int(numbers[1]), int(numbers[2]), len(score.bars)
    if not 1 <= first <= last <= most:
        raise OperatorError(f"Bars: 1 to {most}, the first not after the last, expected, found {bars.strip()}")
    return cut_bars(score, first - 1, last - 1), first


def _asked(ask: Callable[[], _Answer]) -> _Answer:
    """A backend's answer. Raises Cancelled."""
    try:
        return ask()
    except CalledOff:
        raise Cancelled from None


def _filled(into: Path, reporter: Reporter, write: Callable[[Path], None]) -> Folder:
    """A folder for a while, within another one, with what `write` leaves in it. Raises OperatorError, Cancelled."""
    if reporter.cancelled():
        raise Cancelled
    reporter.progress(1.0, "playing the music")
    try:
        folder = tempfile.TemporaryDirectory(dir=into, prefix=".pas-de-deux-")
    except OSError as error:
        raise OperatorError(f"{into}: a folder to write to expected ({error.strerror})") from None
    try:
        write(Path(folder.name))
    except BaseException:
        folder.cleanup()
        raise
    return folder


def _home() -> Path:
    """Where a dance's sound is left: beside the .blend file, or in Blender's own folder as long as there is none."""
    return Path(bpy.data.filepath).parent if bpy.data.filepath else Path(bpy.app.tempdir)


def _music_path(wanted: str, danced: str) -> Path:
    """The MIDI file to write. Raises OperatorError, also for the one that is danced to."""
    wanted = wanted or "//music.mid"
    if wanted.startswith("//") and not bpy.data.filepath:
        raise OperatorError("Save the .blend file first, or choose another file for the music")
    path = Path(bpy.path.abspath(wanted)).absolute()
    if path.suffix.lower() not in _SUFFIXES:
        path = path.with_name(f"{path.name}.mid")
    if not path.parent.is_dir():
        raise OperatorError(f"There is no folder {path.parent} for the music")
    if danced and Path(bpy.path.abspath(danced)).resolve() == path.resolve():
        raise OperatorError(f"{path.name} is the music to dance to: choose another file for the music to be made")
    return path


def _dancing(context: bpy.types.Context, motion: Motion, name: str, first: int, partner: bool) -> bpy.types.Object:
    """A new dancer who dances from the frame `first` on."""
    dancer = dancers.add(context, name, motion.skeleton, partner=partner)
    dancers.dance(context, dancer, motion, name, first)
    return dancer


def _lay(
    operator: bpy.types.Operator, context: bpy.types.Context, sound: Path, beats: list[timeline.Beat], first: int
) -> None:
    """Put music into the scene's time from the frame `first` on, and say so where it cannot be heard."""
    timeline.mark(context, beats, first)
    unheard = timeline.sound(context, sound, first)
    if unheard:
        operator.report({"WARNING"}, unheard)


def _left(file: Path) -> Path:
    """Move a file out of its folder, which is there for a while, to where another one is not written over."""
    home = file.parent.parent
    for number in count(1):
        place = home / (file.name if number == 1 else f"{file.stem} {number}{file.suffix}")
        if place.is_file() and filecmp.cmp(file, place, shallow=False):
            return place
        if not place.exists():
            break
    _move(file, place)
    return place


def _move(file: Path, place: Path) -> None:
    try:
        os.replace(file, place)
    except OSError as error:
        raise OperatorError(f"{place.name}: a place to write to expected ({error.strerror})") from None


CLASSES = (PASDEDEUX_OT_generate_dance, PASDEDEUX_OT_compose_music)
