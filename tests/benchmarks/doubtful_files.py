"""What happens to each file of a folder, as a table: `BLENDER_PYTHON tests/benchmarks/doubtful_files.py FOLDER`.

Motion and MIDI files are read, FBX and glTF files are imported by the built extension. A file is read, read with
warnings, or refused in one line; what ends otherwise is a fault, and the exit status is 1.
"""

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FAULT = "FAULT"


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(ROOT))
    from tests import installed

    with tempfile.TemporaryDirectory(prefix="doubtful-files-") as scratch:
        installed.install(installed.build(), Path(scratch))
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md")
        outcomes = {path: outcome(path) for path in paths}
    print("| file | what happens |\n| --- | --- |")
    for path, text in outcomes.items():
        print(f"| {path.relative_to(folder)} | {text} |")
    sys.stdout.flush()
    os._exit(any(text.startswith(FAULT) for text in outcomes.values()))  # Blender may crash when it ends as a module


def outcome(path: Path) -> str:
    """What reading a file gives: what was found in it and the warnings, or the line with which it is refused."""
    from backend.music import midi
    from rigs import files

    try:
        if path.suffix.lower() in midi.SUFFIXES:
            return describe_song(path)
        if path.suffix.lower() in (".fbx", ".glb", ".gltf"):
            return describe_import(path)
        return describe_clip(path)
    except files.BadFile as error:
        return f"refused: {error}"
    except Exception as error:
        return f"{FAULT}: {type(error).__name__}: {error}"


def describe_clip(path: Path) -> str:
    """The dancers of a motion file."""
    from rigs import files

    clip = files.read(path)
    source, motion = clip.source, clip.motions[0]
    height = motion.skeleton.rest_positions()[:, 2].max()
    dancers = f"{len(clip.motions)} dancers" if len(clip.motions) > 1 else "1 dancer"
    read = f"{dancers}, {len(motion)} frames at {source.fps:g} fps, {source.up} up, {height:.2f} m tall"
    return "; ".join([read, *clip.warnings])


def describe_song(path: Path) -> str:
    """The music of a MIDI file."""
    from backend.music import midi

    song = midi.read(path)
    notes = sum(int(part.onset.sum()) for part in song.score.parts.values())
    return "; ".join([f"{notes} onsets in {song.score.seconds[-1]:.2f} s", *song.warnings])


def describe_import(path: Path) -> str:
    """The dancers that Import Mocap adds to an empty scene."""
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    scene = bpy.context.scene
    rate = scene.render.fps / scene.render.fps_base
    try:
        bpy.ops.pasdedeux.import_mocap(filepath=str(path))
    except RuntimeError as error:
        return f"refused: {str(error).removeprefix('Error: ').strip()}"
    shown = scene.pas_de_deux.leader.animation_data.action
    first, last = shown.frame_range
    after = scene.render.fps / scene.render.fps_base
    length = f"{len(bpy.data.actions)} actions, '{shown.name}' shown, {(last - first) / after:.2f} s"
    text = f"{length}, the scene's {rate:g} fps now {after:g}"
    return "; ".join([text, *(notice.text for notice in scene.pas_de_deux.notices)])


if __name__ == "__main__":
    main()
