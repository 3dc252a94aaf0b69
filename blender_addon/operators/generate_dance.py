"""Operator that generates a dancer or a couple for a MIDI file, with its sound strip and beat markers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy

from backend.music.audio.wav import write_wav
from backend.music.score import Score, cut_bars
from backend.wire import validation
from backend.wire.messages import DanceRequest, MotionResult
from rigs.motion import Motion
from rigs.retargeting.pose_reduction import KeyedMotion

from ..animation import dancers, rig_motion
from ..background_job import JobFunction, JobOperator, OperatorError, Reporter
from ..context_access import active_scene, frame_rate
from ..media.beat_markers import Beat, beats_of_score, mark_beats
from ..media.sequencer import add_music_strip
from ..properties.settings import key_tolerance, scene_settings
from .backend_request import backend_connection, request_backend
from .output_files import TemporaryFolder, move_to_free_name, write_temporary


@dataclass(frozen=True)
class _GeneratedDance:
    """The dancers' motions, the beats of the music, and the temporary folder with its sound."""

    motions: Sequence[Motion | KeyedMotion]
    fps: float
    beats: list[Beat]
    folder: TemporaryFolder


class PASDEDEUX_OT_generate_dance(JobOperator):
    """Generate a dancer or a couple who dance to a MIDI file from the scene's first frame"""

    bl_idname = "pasdedeux.generate_dance"
    bl_label = "Generate Dance"
    bl_options = {"UNDO"}
    label = "Generating the dance"

    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="MIDI File",
        description="Music to dance to; empty: the scene's setting",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    _song = ""
    _first = 1

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        music = scene_settings(context).music
        if not (self.filepath or music.midi):
            raise OperatorError("Choose a MIDI file to dance to first")
        path = Path(bpy.path.abspath(self.filepath or music.midi)).absolute()
        self._song, self._first = path.stem, active_scene(context).frame_start
        bars, fps, sound_folder = music.bars, frame_rate(active_scene(context)), _sound_folder()
        model, duet, energy, seed = music.dancer, music.duet, music.energy, music.dance_seed
        connection, tolerance = backend_connection(context), key_tolerance(scene_settings(context))

        def generate(reporter: Reporter) -> _GeneratedDance:
            # The MIDI libraries are imported on demand, as Blender starts faster without them.
            from backend.music import midi

            reporter.progress(0.0, f"reading {path.name}")
            score, first_bar = _select_bars(midi.read(path), bars)
            validation.check_danceable(path.name, score, fps)
            result = request_backend(connection, DanceRequest(score, model, duet, energy, seed, fps), reporter)
            assert isinstance(result, MotionResult)
            folder = write_temporary(
                sound_folder, reporter, lambda folder: write_wav(folder / f"{path.stem}.wav", score)
            )
            motions = [rig_motion.reduce_dancer_keys(take, tolerance) for take in result.takes]
            return _GeneratedDance(motions, result.takes[0].fps, beats_of_score(score, first_bar), folder)

        return generate

    def apply(self, context: bpy.types.Context, result: _GeneratedDance) -> None:
        with result.folder as folder:
            if result.fps != frame_rate(active_scene(context)):
                raise OperatorError("The scene's frame rate was changed meanwhile: generate the dance again")
            sound = move_to_free_name(Path(folder, f"{self._song}.wav"), Path(folder).parent)
        names = (self._song, f"{self._song} partner")
        generated: list[bpy.types.Object] = []
        for motion, name in zip(result.motions, names, strict=False):
            dancer = dancers.add_dancer(context, name, motion.skeleton, partner=bool(generated))
            dancers.animate_dancer(context, dancer, motion, name, self._first)
            generated.append(dancer)
        leader, *partners = generated
        dancers.select_only(context, leader)
        settings = scene_settings(context)
        settings.leader, settings.partner = leader, partners[0] if partners else None
        mark_beats(context, result.beats, self._first)
        add_music_strip(context, sound, self._first, self.report)


def _select_bars(score: Score, bars: str) -> tuple[Score, int]:
    """Cut a score to bars such as "9-24" (empty: all); also the first bar's number. Raises OperatorError."""
    if not bars.strip():
        return score, 1
    numbers = re.fullmatch(r"\s*(\d{1,9})\s*-\s*(\d{1,9})\s*", bars)
    if not numbers:
        raise OperatorError(f"Bars: a first and a last bar expected, such as 9-24, found {bars.strip()}")
    first, last, count = int(numbers[1]), int(numbers[2]), len(score.bars)
    if not 1 <= first <= last <= count:
        raise OperatorError(f"Bars: 1 to {count}, the first not after the last, expected, found {bars.strip()}")
    return cut_bars(score, first - 1, last - 1), first


def _sound_folder() -> Path:
    """Where a dance's sound is saved: next to the .blend file, or in Blender's temporary folder before it is saved."""
    return Path(bpy.data.filepath).parent if bpy.data.filepath else Path(bpy.app.tempdir)


CLASSES = (PASDEDEUX_OT_generate_dance,)
