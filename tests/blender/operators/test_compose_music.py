"""Composing music with a real backend: MIDI and sound files, sound strips and markers, and errors."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import armatures, dancers
from bl_ext.user_default.pas_de_deux.media import beat_markers
from conftest import Server
from motions import strip_frames, swaying_motion
from music_pieces import (
    SceneState,
    assert_error,
    file_names,
    markers,
    music_settings,
    needs_sound,
    strip_starts,
    strips,
    wav_seconds,
)

from backend.client import Client
from backend.music import midi
from backend.music.score import PARTS, Score, part_to_note_array
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON


def same(one: Score, other: Score) -> bool:
    """Whether two scores have the same notes."""
    return all(
        np.array_equal(part_to_note_array(getattr(one, part)), part_to_note_array(getattr(other, part)))
        for part in PARTS
    )


@pytest.mark.parametrize("pair", [False, True])
def test_the_music_is_what_the_backend_composes(
    reachable_server: Server, blend_folder: Path, dancing_leader: bpy.types.Object, pair: bool
) -> None:
    duet = [dancing_leader]
    if pair:
        partner = dancers.add_dancer(bpy.context, "partner", DEFAULT_SKELETON, partner=True, body=False)
        dancers.animate_dancer(bpy.context, partner, swaying_motion(151, x=1.0), "sway", 20)
        bpy.context.scene.pas_de_deux.partner = partner
        duet.append(partner)
    music_settings().music_seed, music_settings().tempo = 4, 120.0
    assert bpy.ops.pasdedeux.compose_music() == {"FINISHED"}
    motions = [armatures.sample_motion(bpy.context, dancer, range(20, 171)) for dancer in duet]
    score = Client(reachable_server.address).compose(motions, tempo=120.0, seed=4)
    assert same(midi.read(blend_folder / "music.mid"), score)
    assert wav_seconds(blend_folder / "music.wav") == pytest.approx(score.duration, abs=2.0)
    assert markers() == [(20 + round(seconds * 30), name) for name, seconds in beat_markers.beats_of_score(score)]
    if bpy.app.build_options.audaspace:
        assert strip_starts() == [("music.wav", 20)]


def test_only_the_parts_that_are_chosen_play(
    reachable_server: Server, tmp_path: Path, dancing_leader: bpy.types.Object
) -> None:
    music_settings().parts = {"drums", "bass"}
    bpy.ops.pasdedeux.compose_music(filepath=str(tmp_path / "beat"))
    score = midi.read(tmp_path / "beat.mid")
    assert not score.melody.onset.any()
    assert (score.drums.onset | score.bass.onset).any()


@needs_sound
def test_music_that_is_made_again_is_heard_anew(
    reachable_server: Server, blend_folder: Path, dancing_leader: bpy.types.Object
) -> None:
    bpy.ops.pasdedeux.compose_music()
    ((_, before),) = map(strip_frames, strips())
    dancers.animate_dancer(bpy.context, dancing_leader, sample_dance()[:301], "longer", 20)
    bpy.ops.pasdedeux.compose_music()
    ((_, after),) = map(strip_frames, strips())
    assert after > before + 100


def test_what_cannot_be_composed_is_refused(
    reachable_server: Server, tmp_path: Path, dancing_leader: bpy.types.Object, scene_state: SceneState
) -> None:
    assert_error(scene_state, "compose_music", "Save the .blend file first")
    out = str(tmp_path / "music.mid")
    assert_error(scene_state, "compose_music", "There is no folder", filepath=str(tmp_path / "nowhere" / "music.mid"))
    music_settings().midi = out
    assert_error(scene_state, "compose_music", r"music\.mid is the music to dance to", filepath=out)
    music_settings().midi, music_settings().tempo = "", 10.0
    assert_error(scene_state, "compose_music", "tempo: a number of 30 to 300 expected", filepath=out)
    music_settings().tempo, music_settings().parts = 0.0, set()
    assert_error(scene_state, "compose_music", "Choose at least one part", filepath=out)
    music_settings().parts = {"bass"}
    dancers.animate_dancer(bpy.context, dancing_leader, sample_dance()[:8], "short", 20)
    assert_error(scene_state, "compose_music", "at least 1 second of dance", filepath=out)
    bpy.ops.object.delete()
    assert_error(scene_state, "compose_music", "Choose a leader first", filepath=out)
    assert file_names(tmp_path) == []


@needs_sound
def test_from_music_to_dance_to_music_to_a_video_with_sound(
    reachable_server: Server, midi_file: Path, blend_folder: Path
) -> None:
    bpy.context.scene.render.fps = 6
    bpy.ops.pasdedeux.generate_dance(filepath=str(midi_file))
    bpy.ops.pasdedeux.compose_music()
    bpy.ops.pasdedeux.render_preview(size=(64, 36))
    assert any(part[8:12] == b"soun" for part in (blend_folder / "duet.mp4").read_bytes().split(b"hdlr")[1:])


@needs_sound
def test_the_previews_own_sound_comes_before_the_sequencers(
    dancing_leader: bpy.types.Object, blend_folder: Path
) -> None:
    bpy.context.scene.pas_de_deux.sound = str(blend_folder / "gone.wav")
    with pytest.raises(RuntimeError, match=r"gone\.wav: no such file"):
        bpy.ops.pasdedeux.render_preview(size=(64, 36))
