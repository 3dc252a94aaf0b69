"""The readers of FBX and glTF, which are Blender's importers: fuzzed by `make fuzz` alone, each in a process."""

import base64
import contextlib
import io
import json
from pathlib import Path

from rigs import files
from rigs.files import BadFile, Clip
from rigs.sample_dance.salsa import sample_dance
from tests.fuzz.clip_check import check_clip
from tests.fuzz.trial import Target

_MEMORY = 64 * 2**20
_SECONDS = 5.0
"""Bytes and s for a file of any size: Blender's importers and its scene."""


def blender_targets() -> list[Target]:
    """A target for each kind of file that Blender imports."""
    return [
        Target(f"Blender {suffix}", suffix, family, read_in_blender, (BadFile,), check_clip, True, _MEMORY, _SECONDS)
        for suffix, family in ((".fbx", "binary"), (".glb", "binary"), (".gltf", "json"))
    ]


def read_in_blender(path: Path) -> Clip:
    """Read a file as the operators of the extension do."""
    import bpy

    from blender_addon.animation.interchange.fbx_gltf import read_armatures

    with contextlib.redirect_stdout(io.StringIO()):
        return read_armatures(bpy.context, path)()


def built_in_blender(suffix: str, folder: Path) -> list[Path]:
    """A dance of Blender's own exporters."""
    import bpy

    files.write(folder / "dance.bvh", sample_dance()[:20])
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.import_anim.bvh(filepath=str(folder / "dance.bvh"))
    path = folder / f"0{suffix}"
    if suffix == ".fbx":
        bpy.ops.export_scene.fbx(filepath=str(path), add_leaf_bones=False)
    else:
        kind = "GLB" if suffix == ".glb" else "GLTF_SEPARATE"
        bpy.ops.export_scene.gltf(filepath=str(path), export_format=kind)
        if suffix == ".gltf":
            _embed_buffers(path)
    bpy.ops.wm.read_homefile(use_empty=True)
    return [path]


def _embed_buffers(path: Path) -> None:
    """Put the binary file beside a .gltf into it."""
    document = json.loads(path.read_text())
    for buffer in document["buffers"]:
        data = base64.b64encode(path.with_name(buffer["uri"]).read_bytes()).decode()
        buffer["uri"] = f"data:application/octet-stream;base64,{data}"
    path.write_text(json.dumps(document))
