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
from rigs.skeleton import Skeleton

from ..animation import armatures, dancers, rig_motion
from ..animation.takes import take_list as takes
from ..background_job import JobFunction, OperatorError, Reporter
from ..context_access import active_scene, extend_frame_range, frame_rate, is_in_scene, metres_per_unit
from ..job_operator import JobOperator
from ..media.beat_markers import Beat, beats_of_score
from ..media.music_takes import keep_music
from ..properties import notices
from ..properties.setting_values import take_settings
from ..properties.settings import key_tolerance, scene_settings
from .backend.request import backend_connection, request_backend
from .editing.release_bones import warn_of_overridden_keys
from .output_files import TemporaryFolder, move_to_free_name, write_temporary

_SETTINGS = ("music.bars", "music.track", "music.dancer", "music.duet", "music.energy", "fewer_keys")


@dataclass(frozen=True)
class _GeneratedDance:
    """The dancers' motions, the beats of the music, the temporary folder with its sound, and the file's warnings."""

    motions: Sequence[Motion | KeyedMotion]
    fps: float
    beats: list[Beat]
    folder: TemporaryFolder
    warnings: tuple[str, ...]


class PASDEDEUX_OT_generate_dance(JobOperator):
    """Generate a dance to a MIDI file from the scene's first frame, for one dancer or a couple"""

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
    _record: takes.TakeRecord

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        music = scene_settings(context).music
        if not (self.filepath or music.midi):
            raise OperatorError("Choose a MIDI file to dance to first")
        path = Path(bpy.path.abspath(self.filepath or music.midi)).absolute()
        self._song, self._first = path.stem, active_scene(context).frame_start
        bars, track = music.bars, music.track or None
        fps, sound_folder = frame_rate(active_scene(context)), _sound_folder()
        model, duet, energy, seed = music.dancer, music.duet, music.energy, music.dance_seed
        values = take_settings(context, "generate_dance", _SETTINGS, {"filepath": str(path)})
        self._record = takes.TakeRecord("dance", model, seed, settings=values)
        connection, tolerance = backend_connection(context), key_tolerance(scene_settings(context))

        def generate(reporter: Reporter) -> _GeneratedDance:
            # The MIDI libraries are imported on demand, as Blender starts faster without them.
            from backend.music import midi

            reporter.progress(0.0, f"reading {path.name}")
            song = midi.read(path, track=track)
            score, first_bar = _select_bars(song.score, bars)
            validation.check_danceable(path.name, score, fps)
            result = request_backend(connection, DanceRequest(score, model, duet, energy, seed, fps), reporter)
            assert isinstance(result, MotionResult)
            folder = write_temporary(
                sound_folder, reporter, lambda folder: write_wav(folder / f"{path.stem}.wav", score)
            )
            motions = [rig_motion.reduce_dancer_keys(take, tolerance) for take in result.takes]
            beats = beats_of_score(score, first_bar)
            return _GeneratedDance(motions, result.takes[0].fps, beats, folder, song.warnings)

        return generate

    def apply(self, context: bpy.types.Context, result: _GeneratedDance) -> None:
        notices.show_warnings(self, context, result.warnings)
        with result.folder as folder:
            if result.fps != frame_rate(active_scene(context)):
                raise OperatorError("The scene's frame rate was changed meanwhile: generate the dance again")
            sound = move_to_free_name(Path(folder, f"{self._song}.wav"), Path(folder).parent)
        scene, settings = active_scene(context), scene_settings(context)
        metres = metres_per_unit(scene)
        present = _dancers_of_takes(context, [motion.skeleton for motion in result.motions], metres)
        generated: list[tuple[bpy.types.Object, bpy.types.Action]] = []
        for motion, name in zip(result.motions, (self._song, f"{self._song} partner"), strict=False):
            is_partner = bool(generated)
            dancer = (
                present.pop(0) if present else dancers.add_dancer(context, name, motion.skeleton, partner=is_partner)
            )
            action = armatures.create_motion_action(dancer, motion, name, self._first, metres=metres)
            generated.append((dancer, action))
            extend_frame_range(scene, self._first + len(motion) - 1)
        (leader, leader_action), *couple = generated
        dancers.select_only(context, leader)
        if couple or leader != settings.leader:
            settings.leader, settings.partner = leader, couple[0][0] if couple else None
        entry = takes.keep_take(context, leader, leader_action, self._record, self._song)
        for partner, action in couple:
            takes.keep_partner(context, entry, partner, action)
            entry = takes.find_take(context, action) or entry
        keep_music(context, entry, sound, self._first, result.beats, self.report)
        takes.show_take(context, entry)
        warn_of_overridden_keys(self, context, [dancer for dancer, _ in generated])


def _dancers_of_takes(
    context: bpy.types.Context, skeletons: Sequence[Skeleton], metres: float
) -> list[bpy.types.Object]:
    """The scene's leader, and its partner after it, if they dance generated dances already: the next take is theirs.

    Their bones are as long as those of the skeletons of the next take.
    """
    settings, scene = scene_settings(context), active_scene(context)
    found: list[bpy.types.Object] = []
    for dancer, skeleton in zip((settings.leader, settings.partner), skeletons, strict=False):
        if dancer is None or dancer in found or not is_in_scene(scene, dancer):
            break
        if not (dancer.is_editable and armatures.is_dancer(dancer)):
            break
        if not any(entry.kind == "dance" for entry in takes.takes_of(context, dancer)):
            break
        try:
            if not armatures.has_skeleton(dancer, skeleton, metres=metres):
                break
        except ValueError:
            break
        found.append(dancer)
    return found


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
