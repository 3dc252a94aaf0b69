"""Operator that composes music for the leader's and partner's dance: a MIDI file, a sound strip and beat markers."""

from dataclasses import dataclass
from pathlib import Path

import bpy

from backend.music.audio.wav import write_wav
from backend.music.score import PARTS
from backend.wire.messages import ComposeRequest, ComposeResult

from ..animation import dancers, source_checks
from ..animation.takes import take_list as takes
from ..background_job import JobFunction, OperatorError, Reporter
from ..context_access import active_scene
from ..job_operator import JobOperator
from ..media.beat_markers import Beat, beats_of_score
from ..media.music_takes import keep_music
from ..properties import notices
from ..properties.setting_values import take_settings
from ..properties.settings import scene_settings
from .backend.request import backend_connection, request_backend
from .output_files import TemporaryFolder, move_together, output_path, write_temporary

_MIDI_SUFFIXES = (".mid", ".midi")
_SETTINGS = ("music.composer", "music.parts", "music.tempo")


@dataclass(frozen=True)
class _ComposedMusic:
    """The beats of the music, and the temporary folder with its MIDI and sound files."""

    beats: list[Beat]
    folder: TemporaryFolder


class PASDEDEUX_OT_compose_music(JobOperator):
    """Compose music for the dance of the leader and the partner"""

    bl_idname = "pasdedeux.compose_music"
    bl_label = "Compose Music"
    bl_options = {"UNDO"}
    label = "Composing music"

    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Music",
        description="MIDI file to write, numbered if it exists, with a WAV file next to it; empty: the scene's setting",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    _path = ""
    _first = 1
    _warnings: tuple[str, ...] = ()
    _record: takes.TakeRecord

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        music = scene_settings(context).music
        path = _midi_path(self.filepath or music.out)
        parts = tuple(part for part in PARTS if part in music.parts)
        if not parts:
            raise OperatorError("Choose at least one part: drums, bass or melody")
        pair = dancers.scene_dancers(context)
        frames = dancers.requested_frames(active_scene(context), *pair)
        connection = backend_connection(context)
        sampled = dancers.sample_dancers(context, pair, frames)
        self._warnings = (*dancers.missing_dancers(context), *source_checks.range_warnings(pair), *sampled.warnings)
        request = ComposeRequest(tuple(sampled.motions), music.composer, music.tempo or None, parts, music.music_seed)
        self._path, self._first = str(path), frames.start
        settings = take_settings(context, "compose_music", _SETTINGS, {"filepath": self.filepath})
        self._record = takes.TakeRecord("compose", music.composer, music.music_seed, settings=settings)

        def compose(reporter: Reporter) -> _ComposedMusic:
            # The MIDI libraries are imported on demand, as Blender starts faster without them.
            from backend.music import midi

            result = request_backend(connection, request, reporter)
            assert isinstance(result, ComposeResult)
            score = result.score

            def write(folder: Path) -> None:
                midi.write(folder / path.name, score)
                write_wav(folder / f"{path.stem}.wav", score)

            return _ComposedMusic(beats_of_score(score), write_temporary(path.parent, reporter, write))

        return compose

    def apply(self, context: bpy.types.Context, result: _ComposedMusic) -> None:
        path = Path(self._path)
        with result.folder as folder:
            files = [Path(folder, path.name), Path(folder, f"{path.stem}.wav")]
            midi_file, sound = move_together(files, path.parent)
        entry = takes.add_entry(context, self._record, midi_file.stem)
        keep_music(context, entry, sound, self._first, result.beats, self.report)
        notices.show_warnings(self, context, self._warnings)
        self.report({"INFO"}, f"{midi_file.name} and {sound.name} written to {path.parent}")


def _midi_path(filepath: str) -> Path:
    """The MIDI file to write, with a suffix. Raises OperatorError."""
    path = output_path(filepath or "//music.mid", "music")
    if path.suffix.lower() not in _MIDI_SUFFIXES:
        path = path.with_name(f"{path.name}.mid")
    return path


CLASSES = (PASDEDEUX_OT_compose_music,)
