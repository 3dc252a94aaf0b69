"""Composing music with a real backend: MIDI and sound files, sound strips and markers, and errors."""

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import armatures, dancers
from bl_ext.user_default.pas_de_deux.media import beat_markers, sequencer
from conftest import Server
from motions import swaying_motion
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


def test_a_hidden_leader_with_a_stray_key_is_composed_for_as_one_that_shows(
    reachable_server: Server, blend_folder: Path, dancing_leader: bpy.types.Object
) -> None:
    turntable = bpy.data.objects.new("turntable", None)
    bpy.context.scene.collection.objects.link(turntable)
    for frame, place in ((20, 0.0), (170, 4.0)):
        turntable.location.x = place
        turntable.keyframe_insert("location", frame=frame)
    dancing_leader.parent = turntable
    bpy.context.view_layer.update()
    music_settings().music_seed, music_settings().tempo = 4, 120.0
    motion = armatures.sample_motion(bpy.context, dancing_leader, range(20, 171))
    assert np.ptp(motion.root[:, 0]) > 3.0
    score = Client(reachable_server.address).compose([motion], tempo=120.0, seed=4)
    dancing_leader.keyframe_insert("location", frame=1_048_574)
    dancing_leader.hide_viewport = True
    assert bpy.ops.pasdedeux.compose_music() == {"FINISHED"}
    assert same(midi.read(blend_folder / "music.mid").score, score)
    (notice,) = bpy.context.scene.pas_de_deux.notices
    assert notice.text.startswith("leader: a key at frame 1048574 (location) is far from all others and was left out")


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
    assert same(midi.read(blend_folder / "music.mid").score, score)
    assert wav_seconds(blend_folder / "music.wav") == pytest.approx(score.duration, abs=2.0)
    assert markers() == [(20 + round(seconds * 30), name) for name, seconds in beat_markers.beats_of_score(score)]
    if bpy.app.build_options.audaspace:
        assert strip_starts() == [("music.wav", 20)]


def test_only_the_parts_that_are_chosen_play(
    reachable_server: Server, tmp_path: Path, dancing_leader: bpy.types.Object
) -> None:
    music_settings().parts = {"drums", "bass"}
    bpy.ops.pasdedeux.compose_music(filepath=str(tmp_path / "beat"))
    score = midi.read(tmp_path / "beat.mid").score
    assert not score.melody.onset.any()
    assert (score.drums.onset | score.bass.onset).any()


def test_no_file_is_ever_written_over(
    reachable_server: Server, blend_folder: Path, dancing_leader: bpy.types.Object
) -> None:
    (blend_folder / "music.mid").write_text("the animator's own")
    (blend_folder / "music 2.wav").write_text("this, too")
    for _ in range(2):
        bpy.ops.pasdedeux.compose_music()
    assert (blend_folder / "music.mid").read_text() == "the animator's own"
    assert (blend_folder / "music 2.wav").read_text() == "this, too"
    generated = [f"music {number}{suffix}" for number in (3, 4) for suffix in (".mid", ".wav")]
    assert file_names(blend_folder) == sorted([*generated, "music 2.wav", "music.mid", "scene.blend"])
    assert [take.name for take in bpy.context.scene.pas_de_deux.take_list] == ["music 3", "music 4"]


@needs_sound
def test_each_composition_keeps_its_strip_and_markers(
    reachable_server: Server, blend_folder: Path, dancing_leader: bpy.types.Object
) -> None:
    bpy.context.scene.timeline_markers.new("mine", frame=5)
    shown = []
    for tempo in (90.0, 120.0):
        music_settings().tempo = tempo
        bpy.ops.pasdedeux.compose_music()
        shown.append(markers())
    assert shown[0] != shown[1]
    first, second = strips()
    first.volume = 0.5
    for index, (heard, muted) in ((0, (first, second)), (1, (second, first))):
        bpy.ops.pasdedeux.take_show(index=index)
        assert markers() == shown[index]
        assert (heard.mute, muted.mute) == (False, True)
    assert strips()[0].volume == 0.5
    strips_of_scene().remove(strips()[0])
    bpy.ops.pasdedeux.take_show(index=0)
    assert sorted(strip_starts()) == [("music 2.wav", 20), ("music.wav", 20)]
    bpy.ops.pasdedeux.take_delete(index=1)
    assert strip_starts() == [("music.wav", 20)]
    assert "music 2.mid" in file_names(blend_folder)


def strips_of_scene() -> Any:
    return sequencer.sequencer_strips(bpy.context.scene)


def test_what_cannot_be_composed_is_refused(
    reachable_server: Server, tmp_path: Path, dancing_leader: bpy.types.Object, scene_state: SceneState
) -> None:
    assert_error(scene_state, "compose_music", "Save the .blend file first")
    out = str(tmp_path / "music.mid")
    assert_error(scene_state, "compose_music", "There is no folder", filepath=str(tmp_path / "nowhere" / "music.mid"))
    music_settings().tempo = 10.0
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
