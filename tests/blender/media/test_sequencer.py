"""The sound track of preview videos, read back from the file: a music file or the scene's Video Sequencer."""

import json
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import dancers
from bl_ext.user_default.pas_de_deux.media.sequencer import add_music_strip
from conftest import ROOT
from motions import swaying_motion
from music_pieces import needs_sound

from rigs import files
from rigs.skeleton import DEFAULT_SKELETON

SIZE = (64, 36)
RATE = 44_100
BEEP_TIMES = (0.25, 1.0, 1.4)
"""s at which the music sounds, for a twentieth of a second each."""


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Three seconds with three beeps."""
    samples = np.zeros(3 * RATE)
    for start in BEEP_TIMES:
        beep = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE // 20) / RATE)
        samples[round(start * RATE) :][: len(beep)] = beep
    with wave.open(str(tmp_path / "beeps.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return tmp_path / "beeps.wav"


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Where a test's video is written."""
    return tmp_path / "dance.mp4"


def import_dancer(folder: Path, fps: float = 30.0, seconds: float = 2.0) -> None:
    """A leader, keyed from frame 1 on."""
    files.write(folder / "dance.npz", swaying_motion(frames=round(seconds * fps), fps=fps))
    bpy.ops.pasdedeux.import_mocap(filepath=str(folder / "dance.npz"), body=False)


def strips() -> Any:
    """The scene's strips."""
    editor = bpy.context.scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def onsets(video: Path) -> tuple[list[float], float]:
    """When a video begins to sound after silence, and for how long it has sound, in s."""
    import aud

    sound = aud.Sound(str(video))
    rate, samples = sound.specs[0], np.abs(sound.data()).max(1)
    loud = np.flatnonzero(samples > 0.1)
    return (loud[np.diff(loud, prepend=-rate) > 0.05 * rate] / rate).tolist(), len(samples) / rate


def has_sound(video: Path) -> bool:
    """Whether there is a track of sound in an MP4: one whose handler (ISO 14496-12, 8.4.3) is for sound."""
    content = video.read_bytes()
    return any(part[8:12] == b"soun" for part in content.split(b"hdlr")[1:])


@needs_sound
def test_music_begins_with_the_first_frame_and_ends_with_the_last(tmp_path: Path, video: Path, music: Path) -> None:
    import_dancer(tmp_path)
    assert bpy.ops.pasdedeux.render_preview(filepath=str(video), size=SIZE, music=str(music)) == {"FINISHED"}
    assert has_sound(video)
    onset_times, seconds = onsets(video)
    np.testing.assert_allclose(onset_times, BEEP_TIMES, atol=0.005)
    assert seconds == pytest.approx(2.0, abs=0.05)


def test_without_music_a_video_has_no_sound(tmp_path: Path, video: Path) -> None:
    import_dancer(tmp_path, seconds=0.2)
    strips()
    bpy.ops.pasdedeux.render_preview(filepath=str(video), size=SIZE)
    assert b"vide" in video.read_bytes()
    assert not has_sound(video)


@needs_sound
@pytest.mark.parametrize("fps", [30.0, 60.0])
def test_the_scenes_own_sound_plays_where_it_lies(tmp_path: Path, video: Path, music: Path, fps: float) -> None:
    import_dancer(tmp_path, fps)
    strips().new_sound("music", str(music), channel=1, frame_start=1 + round(0.5 * fps))
    bpy.ops.pasdedeux.render_preview(filepath=str(video), size=SIZE)
    np.testing.assert_allclose(onsets(video)[0], [0.75, 1.5, 1.9], atol=0.005)


@needs_sound
def test_a_dance_that_begins_before_frame_0_keeps_its_place_in_the_music(video: Path, music: Path) -> None:
    leader = dancers.add_dancer(bpy.context, "leader", DEFAULT_SKELETON, partner=False, body=False)
    dancers.animate_dancer(bpy.context, leader, swaying_motion(), "dance", -29)
    dancers.select_only(bpy.context, leader)
    bpy.context.scene.render.fps = 30
    strips().new_sound("music", str(music), channel=1, frame_start=1)
    bpy.ops.pasdedeux.render_preview(filepath=str(video), size=SIZE)
    np.testing.assert_allclose(onsets(video)[0], [1.25], atol=0.005)


def add_music(music: Path) -> list[str]:
    """Add the music strip; what was reported."""
    reports: list[str] = []
    add_music_strip(bpy.context, music, 1, lambda _, text: reports.append(text))
    return reports


@needs_sound
def test_playback_follows_the_first_music_and_says_so_once(music: Path) -> None:
    scene = bpy.context.scene
    assert add_music(music) == ["Playback now follows the music: its Sync setting is Sync to Audio"]
    assert scene.sync_mode == "AUDIO_SYNC"
    scene.sync_mode = "NONE"
    assert add_music(music) == []
    assert scene.sync_mode == "NONE"
    assert len(strips()) == 1


@needs_sound
def test_a_chosen_sync_mode_stays(music: Path) -> None:
    bpy.context.scene.sync_mode = "FRAME_DROP"
    assert add_music(music) == []
    assert bpy.context.scene.sync_mode == "FRAME_DROP"


@needs_sound
@pytest.mark.skipif(bpy.app.version < (5, 0), reason="the Sequencer shows the window's scene before Blender 5.0")
def test_the_sequencer_shows_the_music_unless_another_scene_was_chosen(music: Path) -> None:
    other = bpy.data.scenes.new("edit")
    first, *rest = bpy.data.workspaces
    first.sequencer_scene = other
    for workspace in rest:
        workspace.sequencer_scene = None
    add_music(music)
    assert first.sequencer_scene == other
    assert all(workspace.sequencer_scene == bpy.context.scene for workspace in rest)


@needs_sound
def test_the_scenes_muted_sound_stays_mute(tmp_path: Path, video: Path, music: Path) -> None:
    import_dancer(tmp_path, seconds=0.2)
    strips().new_sound("music", str(music), channel=1, frame_start=1).mute = True
    bpy.ops.pasdedeux.render_preview(filepath=str(video), size=SIZE)
    assert not has_sound(video)


@needs_sound
def test_music_leaves_the_scene_as_it_was(tmp_path: Path, video: Path, music: Path) -> None:
    import_dancer(tmp_path, seconds=0.2)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 12, 40
    strips().new_sound("music", str(music), channel=1, frame_start=5)

    def described() -> tuple[Any, ...]:
        return scene.frame_start, scene.frame_end, [strip.name for strip in strips()], list(bpy.data.sounds.keys())

    before = described()
    for options in ({}, {"music": str(music)}):
        bpy.ops.pasdedeux.render_preview(filepath=str(video), size=SIZE, **options)
        assert described() == before


@needs_sound
def test_a_file_that_is_no_sound_is_named(tmp_path: Path, video: Path) -> None:
    import_dancer(tmp_path, seconds=0.2)
    (tmp_path / "words.wav").write_text("la la la")
    with pytest.raises(RuntimeError, match=r"words\.wav: a sound file expected"):
        bpy.ops.pasdedeux.render_preview(filepath=str(video), size=SIZE, music=str(tmp_path / "words.wav"))
    with pytest.raises(RuntimeError, match=r"gone\.wav: no such file"):
        bpy.ops.pasdedeux.render_preview(filepath=str(video), size=SIZE, music=str(tmp_path / "gone.wav"))
    assert not video.exists()
    assert not len(bpy.data.sounds)


@pytest.mark.skipif(bpy.app.build_options.audaspace, reason="this Blender was built with sound")
def test_a_blender_without_sound_says_so(tmp_path: Path, video: Path, music: Path) -> None:
    import_dancer(tmp_path, seconds=0.2)
    with pytest.raises(RuntimeError, match=r"this Blender was built without sound"):
        bpy.ops.pasdedeux.render_preview(filepath=str(video), size=SIZE, music=str(music))


@needs_sound
@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("own_sound", [False, True])
def test_own_characters_and_two_takes_have_the_sound_too(
    tmp_path: Path, video: Path, music: Path, beside: bool, own_sound: bool
) -> None:
    import_dancer(tmp_path, seconds=2.0)
    duet = bpy.context.scene.pas_de_deux
    if own_sound:
        strips().new_sound("music", str(music), channel=1, frame_start=1)
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "dance.blend"))
        bpy.ops.file.make_paths_relative()
    else:
        duet.sound = str(music)
    duet.preview_settings.characters = "MANNEQUINS" if beside else "OWN"
    if beside:
        duet.preview_settings.beside = duet.leader.animation_data.action.copy()
    assert bpy.ops.pasdedeux.render_preview(filepath=str(video), size=SIZE) == {"FINISHED"}
    np.testing.assert_allclose(onsets(video)[0], BEEP_TIMES, atol=0.005)
    assert [strip.name for strip in strips()] == ["music"] * own_sound


@needs_sound
def test_the_headless_driver_takes_music(extension: Path, tmp_path: Path, video: Path, music: Path) -> None:
    files.write(tmp_path / "leader.bvh", swaying_motion())
    task = {"task": "render", "extension": str(extension), "motions": [str(tmp_path / "leader.bvh")]}
    task |= {"out": str(video), "size": SIZE}
    command = [sys.executable, str(ROOT / "blender_addon" / "headless.py"), str(tmp_path / "task.json")]
    for sound, status in ((music, 0), (tmp_path / "task.json", 2)):
        (tmp_path / "task.json").write_text(json.dumps(task | {"music": str(sound)}))
        result = subprocess.run(command, capture_output=True, text=True, timeout=250)
        assert result.returncode == status, result.stdout
    assert "task.json: a sound file expected" in result.stdout
    np.testing.assert_allclose(onsets(video)[0], BEEP_TIMES, atol=0.005)
