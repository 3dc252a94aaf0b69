"""Film strip: some frames of a video side by side in one PNG.

    python docs/pictures/film_strip.py duet.mp4 duet.png --frames 60 120 180 240

Blender's sequencer decodes the video. Each frame is cropped to the dancers, the only saturated colours in a preview.
"""

import argparse
import tempfile
from pathlib import Path

import bpy
import numpy as np
from PIL import Image

SATURATED = 60
"""HSV saturation, of 255, above which a pixel belongs to a dancer."""
MARGIN = 14
"""Pixels around the dancers."""


def film_strip(video: Path, out: Path, frames: list[int]) -> None:
    """Write the frames, from 1, each cropped to its dancers, from left to right into a PNG."""
    with tempfile.TemporaryDirectory() as folder:
        images = [Image.open(path).convert("RGB") for path in decode_frames(video, frames, Path(folder))]
    boxes = np.array([dancers_box(image) for image in images])
    top, bottom = boxes[:, 1].min(), boxes[:, 3].max()
    crops = [image.crop((left, top, right, bottom)) for image, (left, _, right, _) in zip(images, boxes, strict=True)]
    strip = Image.new("RGB", (sum(crop.width for crop in crops), bottom - top))
    left = 0
    for crop in crops:
        strip.paste(crop, (left, 0))
        left += crop.width
    strip.quantize(256).save(out, optimize=True)


def dancers_box(image: Image.Image) -> tuple[int, int, int, int]:
    """Bounding box of the saturated pixels with a margin: left, top, right, bottom."""
    rows, columns = np.nonzero(np.asarray(image.convert("HSV"))[..., 1] > SATURATED)
    if not len(rows):
        raise SystemExit("a preview with dancers in it expected, none found")
    left, top = max(columns.min() - MARGIN, 0), max(rows.min() - MARGIN, 0)
    return left, top, min(columns.max() + MARGIN, image.width), min(rows.max() + MARGIN, image.height)


def decode_frames(video: Path, frames: list[int], folder: Path) -> list[Path]:
    """Decode frames of a video, from 1, to PNG files in a folder."""
    bpy.ops.wm.read_homefile(use_empty=True)
    scene = bpy.context.scene
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strip = strips.new_movie("video", str(video.resolve()), 1, 1)
    scene.frame_end = strip.frame_final_duration
    scene.render.resolution_x = strip.elements[0].orig_width
    scene.render.resolution_y = strip.elements[0].orig_height
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format = "PNG"
    paths = []
    for frame in frames:
        if not 1 <= frame <= scene.frame_end:
            raise SystemExit(f"{video.name}: frames of 1 to {scene.frame_end} expected, {frame} found")
        scene.frame_set(frame)
        paths.append(folder / f"{frame}.png")
        scene.render.filepath = str(paths[-1])
        bpy.ops.render.render(write_still=True)
    return paths


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--frames", type=int, nargs="+", required=True)
    arguments = parser.parse_args()
    film_strip(arguments.video, arguments.out, arguments.frames)
