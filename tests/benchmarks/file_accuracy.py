"""Accuracy of reading and writing motion files, and the errors for bad files.

Only to be imported after the extension has been installed: `tests.installed`.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np

from rigs.bone_mapping.bone_mapper import map_bones
from rigs.files import BadFile, Clip, read, write
from rigs.files.bvh import bvh
from rigs.files.bvh.bvh_parser import parse_bvh
from rigs.files.conventions.axes import to_z_up
from rigs.skeleton import INDEX, JOINTS, PARENTS, rest_positions
from tests.benchmarks import retarget_accuracy
from tests.benchmarks.quiet_output import quiet

Array = np.ndarray

ROUND_TRIP, IMPORTER = 0.1, 1.0  # mm
SAMPLES = 30
SALSA = "salsa/salsa_07_leader.bvh"


def accuracy_table(corpus: Path) -> list[str]:
    """Print a row for each BVH file of the corpus and return the bounds that are missed."""
    print(f"largest errors in mm of any joint that the file has; against Blender's importer in {SAMPLES} frames")
    print(f"{'file':<44} {'joints':>6} {'in and out':>11} {'file':>9} {'importer':>9}  bones")
    faults = []
    for path in [*sorted((corpus / "bvh_zoo").glob("*.bvh")), corpus / SALSA]:
        try:
            clip = read(path)
        except BadFile as error:
            print(f"{path.name:<44} {error}")
            continue
        positions, importer_bones, convention = _parsed_positions(path, clip)
        motion_positions = {joint: clip.motions[0].positions[:, INDEX[joint]] for joint in positions}
        written_error, round_trip = round_trip_error(clip, motion_positions), round_trip_error(clip, positions)
        blender_error = importer_error(path, clip, importer_bones)
        print(
            f"{path.name:<44} {len(positions):>6} {written_error:>11.4f} {round_trip:>9.4f} {blender_error:>9.4f}"
            f"  {convention}",
            flush=True,
        )
        for error, bound, what in (
            (written_error, ROUND_TRIP, "from its Motion"),
            (round_trip, IMPORTER, "from the file"),
            (blender_error, IMPORTER, "from Blender's importer"),
        ):
            if error > bound:
                faults.append(f"{path.name}: a joint {error:.3f} mm away {what}, {bound} at most")
    return faults


def round_trip_error(clip: Clip, places: dict[str, Array]) -> float:
    """The largest distance (mm) of a joint from its position (F, 3) m after the Motion has been written to a file."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy.bvh")
        write(copy, clip.motions[0], like=clip.source)
        parsed = parse_bvh(copy)
    found = _in_metres(parsed, clip)
    names = [j if j in parsed.names else f"{JOINTS[PARENTS[INDEX[j]]]} end site" for j in places]
    return 1e3 * max(
        float(np.linalg.norm(found[parsed.names.index(name)] - wanted, axis=-1).max())
        for name, wanted in zip(names, places.values(), strict=True)
    )


def importer_error(path: Path, clip: Clip, named: dict[str, str]) -> float:
    """The largest distance (mm) between a joint of the Motion and the bone of Blender's own importer."""
    retarget_accuracy.empty_scene()
    forward = "-Z" if clip.source.up == "Y" else "Y"
    with quiet():
        bpy.ops.import_anim.bvh(
            filepath=str(path), global_scale=clip.source.units, axis_up=clip.source.up, axis_forward=forward
        )
    rig = bpy.context.object
    worst = 0.0
    for f in np.unique(np.linspace(0, len(clip.motions[0]) - 1, SAMPLES).astype(int)):
        bpy.context.scene.frame_set(int(f) + 1)
        theirs = np.array([rig.matrix_world @ rig.pose.bones[bone].head for bone in named.values()])
        ours = clip.motions[0].positions[f][[INDEX[joint] for joint in named]]
        worst = max(worst, float(np.linalg.norm(theirs - ours, axis=-1).max()))
    return 1e3 * worst


def _parsed_positions(path: Path, clip: Clip) -> tuple[dict[str, Array], dict[str, str], str]:
    """Joint positions (F, 3) m by the file's own offsets and angles, Blender's bones of joints, and the convention."""
    parsed = parse_bvh(path)
    mapping = map_bones(parsed.names, parsed.parents, rest_positions(parsed.offsets, parsed.parents))
    whole = _in_metres(parsed, clip)
    nodes = {
        joint: node
        for joint, node in zip(JOINTS, mapping.bones, strict=True)
        if node >= 0 and joint not in clip.source.filled_joints
    }
    named = {joint: parsed.names[node] for joint, node in nodes.items() if parsed.channels[node]}
    return {joint: whole[node] for joint, node in nodes.items()}, named, mapping.convention.name


def _in_metres(parsed: bvh.Bvh, clip: Clip) -> Array:
    places = bvh.bvh_transforms(parsed)[1] * clip.source.units
    return to_z_up(places, clip.source.up)


def check_bad_files(corpus: Path) -> list[str]:
    """Give `import_mocap` every bad file, print its error, and return which were not refused in one line."""
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for name, make in BAD_FILES.items():
            made = Path(folder, name)
            path = make(corpus, made) or made
            retarget_accuracy.empty_scene()
            before = _data_block_counts()
            try:
                with quiet():
                    bpy.ops.pasdedeux.import_mocap(filepath=str(path))
            except RuntimeError as error:
                lines = str(error).strip().removeprefix("Error: ").splitlines()
                print(f"  {path.name:<40} {lines[0]}")
                if len(lines) > 1:
                    faults.append(f"{path.name}: {len(lines)} lines instead of one")
            else:
                faults.append(f"{path.name}: imported, though it cannot be used")
            if _data_block_counts() != before:
                faults.append(f"{path.name}: something is left in the scene")
    return faults


def _data_block_counts() -> dict[str, int]:
    kinds = ("objects", "armatures", "meshes", "materials", "actions", "collections", "images", "cameras", "lights")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


def _edited_salsa(change: Callable[[str], str]) -> Callable[[Path, Path], None]:
    """The salsa leader's file, changed as text."""

    def make(corpus: Path, path: Path) -> None:
        path.write_text(change((corpus / SALSA).read_text()))

    return make


def _array(make_rows: Callable[[Path], Array]) -> Callable[[Path, Path], None]:
    def make(corpus: Path, path: Path) -> None:
        np.save(path, make_rows(corpus))

    return make


def _bytes(content: Callable[[Path], bytes]) -> Callable[[Path, Path], None]:
    def make(corpus: Path, path: Path) -> None:
        path.write_bytes(content(corpus))

    return make


def _corpus_file(file: str) -> Callable[[Path, Path], Path]:
    return lambda corpus, path: corpus / file


def _last_line_short(text: str) -> str:
    return text.rstrip().rsplit(" ", 2)[0] + "\n"


BAD_FILES: dict[str, Callable[[Path, Path], Path | None]] = {
    "missing.bvh": lambda corpus, path: None,
    "empty.bvh": _bytes(lambda corpus: b""),
    "cut off.bvh": _edited_salsa(lambda text: text[: len(text) * 6 // 10]),
    "hierarchy alone.bvh": _edited_salsa(lambda text: text.split("MOTION")[0]),
    "two numbers short.bvh": _edited_salsa(_last_line_short),
    "a word among numbers.bvh": _edited_salsa(lambda text: text.replace("Frame Time: ", "Frame Time: about ")),
    "one frame too many.bvh": _edited_salsa(lambda text: text.replace("Frames: 2071", "Frames: 2072")),
    "an open brace.bvh": _edited_salsa(lambda text: text.replace("}", "", 1)),
    "no dancer.bvh": _corpus_file("bvh_zoo/pybvh_rotation_first_root.bvh"),
    "a picture.bvh": _bytes(lambda corpus: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20),
    "24 joints flat.npy": _array(lambda corpus: np.zeros((90, 24))),
    "not a number.npy": _array(lambda corpus: np.full((90, 29, 3), np.nan)),
    "objects.npy": _array(lambda corpus: np.array([{"a": 1}], dtype=object)),
    "cut off.npy": _bytes(lambda corpus: (corpus / "hybrik" / "test_dataset_ilya_hannah.npy").read_bytes()[:5000]),
    "somebody else's.npz": lambda corpus, path: np.savez(path, weights=np.zeros(3)),
    "settings.json": _bytes(lambda corpus: b'{"fps": 30}'),
    "without skeleton.amc": _bytes(lambda corpus: (corpus / "cmu_solo" / "05_02.amc").read_bytes()),
    "notes.txt": _bytes(lambda corpus: b"one two three"),
    "ascii.fbx": _corpus_file("fbx_zoo/maya_human_ik_7400_ascii.fbx"),
    "6100.fbx": _corpus_file("fbx_zoo/maya_human_ik_6100_binary.fbx"),
    "a cube.fbx": _corpus_file("fbx_zoo/motionbuilder_thumbnail_7700_binary.fbx"),
    "cut off.fbx": _bytes(lambda corpus: (corpus / "fbx_zoo" / "Samba_Dancing.fbx").read_bytes()[:200_000]),
    "a picture.fbx": _bytes(lambda corpus: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20),
}
