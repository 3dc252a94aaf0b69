"""Preview videos: both dancers in the picture, frame counts, an unchanged scene, and files that stay."""

from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.operators.preview import render_preview
from motions import swaying_motion
from videos import SIZE, SceneState, coral, frame_of, import_pair, teal

from rigs import files
from tests.rig_builders import build


@pytest.fixture
def pair(tmp_path: Path) -> None:
    """Two seconds of a pair, as leader and partner."""
    import_pair(tmp_path)


def test_a_rig_that_is_not_of_our_making_is_shown(tmp_path: Path, corpus: Path) -> None:
    bpy.context.scene.pas_de_deux.leader = build("UE-style", corpus)
    bpy.context.scene.frame_end = 2
    assert bpy.ops.pasdedeux.render_preview(filepath=str(tmp_path / "rig.mp4"), size=SIZE) == {"FINISHED"}
    picture, frames = frame_of(tmp_path / "rig.mp4", 1, tmp_path)
    assert frames == 2
    assert coral(picture).mean() > 0.002


def test_two_seconds_of_a_pair_become_a_video_of_both(pair: None, tmp_path: Path) -> None:
    video = tmp_path / "duet.mp4"
    assert bpy.ops.pasdedeux.render_preview(filepath=str(video), size=SIZE) == {"FINISHED"}
    pictures = []
    for frame in (2, 20):
        picture, length = frame_of(video, frame, tmp_path)
        assert length == 60
        for dancer in (coral(picture), teal(picture)):
            share = dancer.mean()
            assert 0.01 < share < 0.2
            edge = np.concatenate([dancer[0], dancer[-1], dancer[:, 0], dancer[:, -1]])
            assert not edge.any()
        pictures.append(picture)
    assert np.abs(pictures[0] - pictures[1]).max() > 0.2
    assert not list(tmp_path.glob(".*"))


def test_drawing_leaves_the_scene_as_it_was(pair: None, tmp_path: Path, scene_state: SceneState) -> None:
    bpy.context.scene.frame_set(7)
    before = scene_state()
    bpy.ops.pasdedeux.render_preview(filepath=str(tmp_path / "duet.mp4"), size=(64, 36))
    assert scene_state() == before


def test_drawing_leaves_the_mode_in_which_the_animator_works(pair: None, tmp_path: Path) -> None:
    bpy.ops.object.mode_set(mode="POSE")
    bpy.ops.pasdedeux.render_preview(filepath=str(tmp_path / "duet.mp4"), size=(64, 36))
    assert bpy.context.mode == "POSE"


def test_a_fast_recording_is_drawn_at_thirty_frames_a_second(tmp_path: Path) -> None:
    files.write(tmp_path / "fast.bvh", swaying_motion(frames=121, fps=120.0))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "fast.bvh"))
    bpy.ops.pasdedeux.render_preview(filepath=str(tmp_path / "fast.mp4"), size=(64, 36))
    assert frame_of(tmp_path / "fast.mp4", 1, tmp_path)[1] == 31


def test_without_a_dancer_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="Choose a leader first"):
        bpy.ops.pasdedeux.render_preview(filepath=str(tmp_path / "duet.mp4"))


def test_a_folder_that_is_not_there_is_named(pair: None, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="There is no folder"):
        bpy.ops.pasdedeux.render_preview(filepath=str(tmp_path / "nowhere" / "duet.mp4"))


def test_an_unsaved_file_has_no_place_for_a_preview_beside_it(pair: None) -> None:
    with pytest.raises(RuntimeError, match="Save the"):
        bpy.ops.pasdedeux.render_preview()


def test_a_file_of_others_is_neither_overwritten_nor_asked_about_twice(pair: None, tmp_path: Path) -> None:
    video, chosen = tmp_path / "duet.mp4", bpy.context.scene.pas_de_deux.preview_settings
    chosen.frames, chosen.last = "CUSTOM", 2
    bpy.context.scene.pas_de_deux.preview = str(video)
    video.write_bytes(b"the animator's own")
    operator = render_preview.PASDEDEUX_OT_render_preview
    asked = SimpleNamespace(filepath="", _video_path=lambda _: video)
    assert "Overwrite it?" in operator.question(asked, bpy.context)
    with pytest.raises(RuntimeError, match=r"duet\.mp4 is there already"):
        bpy.ops.pasdedeux.render_preview(size=(64, 36))
    assert video.read_bytes() == b"the animator's own"
    bpy.ops.pasdedeux.render_preview(filepath=str(video), size=(64, 36))
    assert frame_of(video, 1, tmp_path)[1] == 2
    assert operator.question(asked, bpy.context) == ""
    bpy.ops.pasdedeux.render_preview(size=(64, 36))


@pytest.mark.parametrize("characters", ["MANNEQUINS", "OWN"])
def test_a_folder_that_takes_no_file_is_told_in_one_sentence(pair: None, characters: str) -> None:
    bpy.context.scene.pas_de_deux.preview_settings.characters = characters
    with pytest.raises(RuntimeError, match=r"/proc/duet\.mp4: the video cannot be written \(.*\)"):
        bpy.ops.pasdedeux.render_preview(filepath="/proc/duet.mp4", size=(64, 36))
