"""FBX and glTF of the commands, read back: `python -m tests.benchmarks.exchange_accuracy [CORPUS]`.

Each motion is written as `partner -o OUT.fbx` and `-o OUT.glb` do, and read by our reader and by Blender's importer
alone. Distances of joints are largest and mean ones, over all frames by our reader and every tenth by the importer.
Exit status 1 if a bound is missed.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np

from backend.cli.motion_files import read_clip, write_motions
from rigs import Array, files
from rigs.motion import Motion, resample
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import JOINTS
from tests.benchmarks.quiet_output import quiet

OWN, IMPORTER = 1.0, 1.0  # mm, the largest distance
SECONDS = 1e-3
STEP = 10  # frames


def motions(corpus: Path) -> Iterator[tuple[str, Motion]]:
    """Motions of several rates, bodies and lengths."""
    yield "sample 30", sample_dance()[:300]
    yield "sample 29.97", resample(sample_dance()[:150], 30.0 / 1.001)
    yield "sample 12.5", resample(sample_dance()[:300], 12.5)
    for name in ("salsa/salsa_10_leader.bvh", "salsa/salsa_10_follower.bvh", "cmu_solo/05_02.amc"):
        if (corpus / name).is_file():
            motion = files.read(corpus / name).motions[0]
            yield f"{Path(name).stem} {motion.fps:g}", motion[:1200]
    for path in sorted((corpus / "couple_a").glob("*.bvh"))[:2]:
        motion = files.read(path).motions[0]
        yield f"{path.stem[:16]} {motion.fps:g}", motion[:600]


def imported(path: Path, frames: range) -> tuple[Array, float]:
    """By Blender's importer: the joints' positions (F, 29, 3) m, and the seconds of the action."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    with quiet():
        if path.suffix == ".fbx":
            bpy.ops.import_scene.fbx(filepath=str(path))
        else:
            bpy.ops.import_scene.gltf(filepath=str(path))
    (rig,) = (obj for obj in scene.objects if obj.type == "ARMATURE")
    first, last = rig.animation_data.action.frame_range
    rate = scene.render.fps / scene.render.fps_base
    step = (last - first) / max(1, frames.stop - 1)
    positions = []
    for f in frames:
        frame = first + f * step
        scene.frame_set(int(frame), subframe=frame % 1.0)
        pose = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
        positions.append([pose.matrix_world @ pose.pose.bones[joint].head for joint in JOINTS])
    # The FBX importer spaces keyframes by the whole rate.
    ticks = scene.render.fps if path.suffix == ".fbx" else rate
    return np.array(positions), (last - first) / ticks


def main() -> int:
    default = Path(os.environ.get("PASDEDEUX_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
    corpus = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    named = list(motions(corpus))
    faults = 0
    print(f"Blender {bpy.app.version_string}; distances of joints in mm, largest (mean); top: m from foot to crown")
    print(f"{'motion':<24} {'format':<6} {'frames':>13} {'seconds':>17} {'rate':>17} {'ours':>14} {'importer':>14} top")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for suffix in (".fbx", ".glb"):
            written = {Path(f"{n}{suffix}"): motion for n, (_, motion) in enumerate(named)}
            write_motions(folder, written, lambda *_: None)
            for (label, motion), path in zip(named, written, strict=True):
                faults += compare(label, motion, folder / path)
    return 1 if faults else 0


def compare(label: str, motion: Motion, path: Path) -> int:
    """Print a row; the number of bounds that are missed."""
    clip = read_clip(path)
    (ours,) = clip.motions
    raw_positions, raw_seconds = imported(path, range(0, len(motion), STEP))
    # Below the rate at which movement is sampled a file is read at a multiple.
    factor = round(ours.fps / motion.fps)
    own = 1000.0 * np.linalg.norm(ours.positions[::factor][: len(motion)] - motion.positions, axis=-1)
    raw = 1000.0 * np.linalg.norm(raw_positions - motion.positions[::STEP], axis=-1)
    top = float(raw_positions[0, :, 2].max() - raw_positions[0, :, 2].min())
    distances = " ".join(f"{mm.max():>7.3f} ({mm.mean():.3f})" for mm in (own, raw))
    print(
        f"{label:<24} {path.suffix:<6} {len(motion):>6} {len(ours):>6} {motion.seconds:>8.3f} {raw_seconds:>8.3f} "
        f"{motion.fps:>8.3f} {ours.fps:>8.3f} {distances} {top:>4.2f}"
    )
    return int(own.max() > OWN) + int(raw.max() > IMPORTER) + int(abs(raw_seconds - motion.seconds) > SECONDS)


if __name__ == "__main__":
    sys.exit(main())
