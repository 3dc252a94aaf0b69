"""Generating dances with a real backend: keyframes, sound strips and files, and errors."""

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from bl_ext.user_default.pas_de_deux import background_job, job_operator
from bl_ext.user_default.pas_de_deux.animation.keys import fcurves, frame_ranges
from bl_ext.user_default.pas_de_deux.media import sequencer
from bl_ext.user_default.pas_de_deux.operators import generate_dance
from conftest import Server, free_address
from motions import TENTH_OF_A_MILLIMETRE, max_joint_error
from music_pieces import (
    BEAT,
    SceneState,
    assert_error,
    file_names,
    make_score,
    markers,
    music_settings,
    needs_sound,
    strip_starts,
    strips,
    wav_seconds,
)

from backend.client import Client
from backend.model_registry import REGISTRY
from backend.music import midi
from backend.music.audio.wav import write_wav
from backend.music.score import PARTS, cut_bars


@pytest.mark.parametrize(("fps", "base"), [(24, 1.0), (30, 1.001)])
def test_the_dancer_is_keyed_as_the_backend_answers(
    reachable_server: Server, midi_file: Path, fps: int, base: float
) -> None:
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base, scene.frame_start, scene.frame_end = fps, base, 11, 20
    music_settings().dance_seed, music_settings().energy = 3, 1.5
    assert bpy.ops.pasdedeux.generate_dance(filepath=str(midi_file)) == {"FINISHED"}
    (motion,) = Client(reachable_server.address).dance(midi.read(midi_file).score, seed=3, energy=1.5, fps=fps / base)
    dancer = scene.pas_de_deux.leader
    assert (dancer.name, scene.pas_de_deux.partner) == ("song", None)
    assert bpy.context.active_object == dancer
    assert max_joint_error(dancer, motion, first=11) < TENTH_OF_A_MILLIMETRE
    assert frame_ranges.frame_range(dancer) == range(11, 11 + len(motion))
    assert scene.frame_end == 10 + len(motion)
    assert abs(len(motion) / (fps / base) - 16 * BEAT) < 1.0 / fps


def test_fewer_keys_play_the_dance_within_a_millimetre(reachable_server: Server, midi_file: Path) -> None:
    settings = bpy.context.scene.pas_de_deux
    counts = []
    for settings.fewer_keys in (False, True):
        bpy.ops.pasdedeux.generate_dance(filepath=str(midi_file))
        curves = fcurves.action_fcurves(settings.leader)
        counts.append(sum(len(curve.keyframe_points) for curve in curves))
    seed = settings.music.dance_seed
    (motion,) = Client(reachable_server.address).dance(midi.read(midi_file).score, seed=seed, fps=24.0)
    assert max_joint_error(settings.leader, motion, every=1) < 1.001e-3
    assert counts[1] < 0.5 * counts[0]


def heard() -> list[str]:
    """The names of the sound files whose strips are not muted."""
    return sorted(Path(strip.sound.filepath).name for strip in strips() if not strip.mute)


def take_show(index: int) -> None:
    assert bpy.ops.pasdedeux.take_show(index=index) == {"FINISHED"}


def test_a_duet_has_two_dancers_who_dance_together(reachable_server: Server, midi_file: Path) -> None:
    music_settings().duet, music_settings().midi, music_settings().bars = True, str(midi_file), "2-3"
    bpy.ops.pasdedeux.generate_dance()
    score = cut_bars(midi.read(midi_file).score, 1, 2)
    pair = bpy.context.scene.pas_de_deux
    assert (pair.leader.name, pair.partner.name) == ("song", "song partner")
    for dancer, motion in zip(
        (pair.leader, pair.partner), Client(reachable_server.address).dance(score, duet=True, fps=24.0), strict=True
    ):
        assert max_joint_error(dancer, motion) < TENTH_OF_A_MILLIMETRE


def test_the_next_take_of_a_couple_is_danced_by_the_same_two(reachable_server: Server, midi_file: Path) -> None:
    music_settings().duet, music_settings().midi, music_settings().bars = True, str(midi_file), "2-3"
    score = cut_bars(midi.read(midi_file).score, 1, 2)
    for seed in (0, 1):
        music_settings().dance_seed = seed
        bpy.ops.pasdedeux.generate_dance()
    pair = bpy.context.scene.pas_de_deux
    assert sorted(obj.name for obj in bpy.data.objects if obj.type == "ARMATURE") == ["song", "song partner"]
    assert [(take.name, take.seed) for take in pair.take_list] == [("song", 0), ("song 2", 1)]
    assert len({strip.sound for strip in strips()}) == len(strips()) <= 1
    for index, seed in ((0, 0), (1, 1)):
        take_show(index)
        motions = Client(reachable_server.address).dance(score, duet=True, fps=24.0, seed=seed)
        for dancer, motion in zip((pair.leader, pair.partner), motions, strict=True):
            assert max_joint_error(dancer, motion) < TENTH_OF_A_MILLIMETRE


def test_a_mocap_leader_is_never_given_the_dance(
    reachable_server: Server, midi_file: Path, dancing_leader: bpy.types.Object
) -> None:
    action = dancing_leader.animation_data.action
    bpy.ops.pasdedeux.generate_dance(filepath=str(midi_file))
    assert dancing_leader.animation_data.action == action
    assert bpy.context.scene.pas_de_deux.leader.name == "song"


def test_every_model_and_part_can_be_chosen() -> None:
    choices = music_settings().bl_rna.properties
    for name, expected in (
        ("dancer", REGISTRY.names("dance")),
        ("composer", REGISTRY.names("compose")),
        ("parts", PARTS),
    ):
        assert tuple(item.identifier for item in choices[name].enum_items) == expected


def test_the_published_method_goes_both_ways(reachable_server: Server, midi_file: Path, blend_folder: Path) -> None:
    music_settings().dancer = music_settings().composer = "choreo-bridge"
    bpy.ops.pasdedeux.generate_dance(filepath=str(midi_file))
    (motion,) = Client(reachable_server.address).dance(midi.read(midi_file).score, model="choreo-bridge", fps=24.0)
    assert max_joint_error(bpy.context.scene.pas_de_deux.leader, motion) < TENTH_OF_A_MILLIMETRE
    assert bpy.ops.pasdedeux.compose_music() == {"FINISHED"}
    assert (blend_folder / "music.mid").exists()


@needs_sound
def test_the_sound_begins_with_the_dance_and_mutes_earlier_takes(
    reachable_server: Server, midi_file: Path, blend_folder: Path
) -> None:
    other = blend_folder / "other.wav"
    write_wav(other, make_score(1))
    sequencer.sequencer_strips(bpy.context.scene).new_sound("other", str(other), channel=1, frame_start=3)
    bpy.context.scene.frame_start = 8
    bpy.ops.pasdedeux.generate_dance(filepath=str(midi_file))
    assert strip_starts() == [("other.wav", 3), ("song.wav", 8)]
    assert len({strip.channel for strip in strips()}) == 2
    assert wav_seconds(blend_folder / "song.wav") == pytest.approx(16 * BEAT, abs=2.0)
    music_settings().bars, music_settings().tempo = "1-3", 120.0
    bpy.ops.pasdedeux.generate_dance(filepath=str(midi_file))
    assert strip_starts() == [("other.wav", 3), ("song 2.wav", 8), ("song.wav", 8)]
    bpy.ops.pasdedeux.compose_music()
    assert strip_starts() == [("music.wav", 8), ("other.wav", 3), ("song 2.wav", 8), ("song.wav", 8)]
    assert len({strip.channel for strip in strips()}) == 4
    assert heard() == ["music.wav", "other.wav"]
    take_show(0)
    assert heard() == ["other.wav", "song.wav"]
    take_show(1)
    assert heard() == ["other.wav", "song 2.wav"]


def test_a_file_that_is_there_is_not_written_over_by_a_dances_sound(
    reachable_server: Server, midi_file: Path, blend_folder: Path
) -> None:
    (blend_folder / "song.wav").write_text("the animator's own")
    for _ in range(2):
        bpy.ops.pasdedeux.generate_dance(filepath=str(midi_file))
        assert (blend_folder / "song.wav").read_text() == "the animator's own"
        assert file_names(blend_folder) == ["scene.blend", "song 2.wav", "song.wav"]


@needs_sound
def test_the_sound_of_an_unsaved_file_comes_along_when_it_is_saved(
    reachable_server: Server, midi_file: Path, tmp_path: Path
) -> None:
    bpy.ops.pasdedeux.generate_dance(filepath=str(midi_file))
    file = Path(strips()[0].sound.filepath)
    assert file.parent == Path(bpy.app.tempdir)
    expected = file.read_bytes()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    file.unlink()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    (strip,) = strips()
    assert bytes(strip.sound.packed_file.data) == expected


@pytest.mark.parametrize("operator", ["generate_dance", "compose_music"])
def test_one_undo_step_takes_all_back(
    reachable_server: Server,
    midi_file: Path,
    blend_folder: Path,
    dancing_leader: bpy.types.Object,
    scene_state: SceneState,
    operator: str,
) -> None:
    music_settings().midi = str(midi_file)
    bpy.context.scene.timeline_markers.new("mine", frame=5)
    bpy.ops.ed.undo_push(message="before")
    before = scene_state()
    getattr(bpy.ops.pasdedeux, operator)("EXEC_DEFAULT", True)
    after = scene_state()
    assert len(after["markers"]) > 3
    assert bool(after["strips"]) == bpy.app.build_options.audaspace
    bpy.ops.ed.undo()
    assert scene_state() == before


@pytest.mark.skipif(bpy.app.build_options.audaspace, reason="this Blender was built with sound")
def test_without_sound_all_the_rest_is_there(reachable_server: Server, midi_file: Path, blend_folder: Path) -> None:
    assert bpy.ops.pasdedeux.generate_dance(filepath=str(midi_file)) == {"FINISHED"}
    assert bpy.ops.pasdedeux.compose_music() == {"FINISHED"}
    assert file_names(blend_folder) == ["music.mid", "music.wav", "scene.blend", "song.wav"]
    assert markers()
    assert not strips()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.mid", None, r"gone\.mid: no such file"),
        ("words.mid", b"la la la", r"words\.mid: a MIDI file expected"),
        ("song.mp3", b"", r"song\.mp3: \.mid, \.midi, \.kar or \.rmi file extension expected"),
    ],
)
def test_music_that_cannot_be_read_is_named(
    reachable_server: Server,
    blend_folder: Path,
    scene_state: SceneState,
    name: str,
    content: bytes | None,
    message: str,
) -> None:
    if content is not None:
        (blend_folder / name).write_bytes(content)
    before = file_names(blend_folder)
    assert_error(scene_state, "generate_dance", message, filepath=str(blend_folder / name))
    assert file_names(blend_folder) == before


def test_what_is_odd_in_the_music_is_reported(
    reachable_server: Server, midi_file: Path, blend_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cut = blend_folder / "cut.kar"
    cut.write_bytes(midi_file.read_bytes()[:-6])
    assert bpy.ops.pasdedeux.generate_dance(filepath=str(cut)) == {"FINISHED"}
    output = capfd.readouterr()
    assert (output.out + output.err).count("Warning: cut.kar, track 4, byte ") == 1


def test_a_file_of_pieces_needs_its_track(
    reachable_server: Server, midi_file: Path, blend_folder: Path, scene_state: SceneState
) -> None:
    pieces, content = blend_folder / "pieces.mid", midi_file.read_bytes()
    pieces.write_bytes(content[:9] + b"\2" + content[10:])
    assert_error(scene_state, "generate_dance", r"pieces\.mid: .*choose one of them", filepath=str(pieces))
    music_settings().track = 4
    assert bpy.ops.pasdedeux.generate_dance(filepath=str(pieces)) == {"FINISHED"}


def test_without_a_file_it_asks_for_one(scene_state: SceneState) -> None:
    assert_error(scene_state, "generate_dance", "Choose a MIDI file to dance to first")


@pytest.mark.parametrize("bars", ["two", "0-2", "3-2", "1-5", "2"])
def test_bars_that_are_not_there_are_refused(
    reachable_server: Server, midi_file: Path, scene_state: SceneState, bars: str
) -> None:
    music_settings().bars = bars
    assert_error(scene_state, "generate_dance", f"^Error: Bars: .* expected, .*found {bars}", filepath=str(midi_file))


def test_music_too_short_to_dance_to_is_refused(
    reachable_server: Server, midi_file: Path, blend_folder: Path, scene_state: SceneState
) -> None:
    music_settings().bars = "2-2"
    assert_error(scene_state, "generate_dance", r"song\.mid: at least 2 bars", filepath=str(midi_file))


def test_a_backend_that_is_away_leaves_scene_and_folder_as_they_were(
    midi_file: Path,
    blend_folder: Path,
    dancing_leader: bpy.types.Object,
    set_backend_address: Callable[[str], None],
    scene_state: SceneState,
) -> None:
    address = free_address()
    set_backend_address(address)
    assert_error(scene_state, "generate_dance", address, filepath=str(midi_file))
    assert_error(scene_state, "compose_music", address)
    set_backend_address("tcp://192.0.2.1:7429")
    assert_error(scene_state, "generate_dance", "Allow Online Access", filepath=str(midi_file))
    assert_error(scene_state, "compose_music", "Allow Online Access")
    assert file_names(blend_folder) == ["scene.blend"]


def test_a_folder_that_takes_no_file_is_named(
    reachable_server: Server, midi_file: Path, blend_folder: Path, scene_state: SceneState
) -> None:
    for file in blend_folder.iterdir():
        file.unlink()
    blend_folder.rmdir()
    assert_error(scene_state, "generate_dance", "a writable folder expected", filepath=str(midi_file))


def test_a_frame_rate_that_is_changed_meanwhile_is_refused(
    reachable_server: Server, midi_file: Path, blend_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        job_operator, "progress_listeners", [lambda _, __: setattr(bpy.context.scene.render, "fps", 25)]
    )
    with pytest.raises(RuntimeError, match="frame rate was changed meanwhile"):
        bpy.ops.pasdedeux.generate_dance(filepath=str(midi_file))
    assert file_names(blend_folder) == ["scene.blend"]
    assert not [*bpy.data.objects, *markers()]


def test_cancelling_ends_the_work_beside_blender(
    reachable_server: Server, tmp_path: Path, blend_folder: Path, scene_state: SceneState
) -> None:
    midi.write(tmp_path / "long.mid", make_score(400))
    before = scene_state()
    # An operator of Blender's can only be created by Blender; `prepare` needs only these attributes.
    operator = SimpleNamespace(filepath=str(tmp_path / "long.mid"))
    job = background_job.Job(generate_dance.PASDEDEUX_OT_generate_dance.prepare(operator, bpy.context))
    job.start()
    time.sleep(1.0)
    job.cancel()
    job.join(20.0)
    *_, last = job.drain()
    assert last == background_job.JobFailure("")
    assert scene_state() == before
    assert file_names(blend_folder) == ["scene.blend"]
