"""The readers under test, and the files that are mutated for each: built ones, and real ones of the corpus."""

import json
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from backend import protocol
from backend.models.common import weights_file
from backend.music import midi
from backend.music.score import Score, part_from_note_array
from backend.wire.messages import ComposeRequest, DanceRequest, MotionResult, PartnerRequest
from backend.wire.validation import ProtocolError
from rigs import files
from rigs.bone_mapping import map_io
from rigs.bone_mapping.bone_map import UnmappableRig
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.files import BadFile, Clip
from rigs.motion import Motion
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import JOINTS, PARENTS
from tests.fuzz.acclaim_dancer import acclaim_recording, acclaim_skeleton
from tests.fuzz.clip_check import WrongValue, check_clip, check_warnings
from tests.fuzz.mutations import Family
from tests.fuzz.trial import Target
from tests.rigs.files.bvh.bvh_files import rig_file
from tests.rigs.files.joint_positions.test_alphapose import couple
from tests.rigs.files.markers.c3d_files import markers_on, write_markers
from tests.rigs.files.markers.test_trc import write_trc
from tests.rigs.files.smpl.smpl_archives import smpl_dance

MAX_SEED_BYTES = 300_000
MAX_SEEDS = 16
"""Real files up to this size, of those that are not shortened, and so many of each kind are mutated."""
_FAMILIES: dict[str, Family] = {
    ".bvh": "text",
    ".amc": "text",
    ".json": "json",
    ".npz": "archive",
    ".csv": "text",
    ".trc": "text",
}
_SCORE_BYTES = 128 * 2**20
"""Of the longest music's piano rolls, and of one more while they are made."""
_MODEL = "fuzzed"


def targets() -> list[Target]:
    """All readers: each motion format of the registry, and those of music, bone maps, messages and weights."""
    formats = [
        Target(f"motion {suffix}", suffix, _FAMILIES.get(suffix, "binary"), files.read, (BadFile,), check_clip)
        for suffix in files.FORMATS
    ]
    return [
        *formats,
        Target("Acclaim skeleton", ".asf", "text", read_skeleton, (BadFile,), check_clip, names_file=False),
        Target("MIDI", ".mid", "binary", read_midi, (BadFile,), check_song, memory_allowed=_SCORE_BYTES),
        Target("bone map", ".json", "json", read_bone_map, (map_io.BadMap,), names_file=False),
        Target("bones of a rig", ".json", "json", read_rig, (UnmappableRig, BadRig), names_file=False),
        Target("client message", ".message", "binary", read_client_message, (ProtocolError,), names_file=False),
        Target("server message", ".message", "binary", read_server_message, (ProtocolError,), names_file=False),
        Target("weights", ".safetensors", "binary", read_weights, (ValueError,)),
    ]


def read_skeleton(path: Path) -> Clip:
    """Read a recording with a mutated skeleton beside it."""
    recording = path.with_suffix(".amc")
    if not recording.exists():
        recording.write_text(acclaim_recording())
    return files.read(recording)


def read_midi(path: Path) -> midi.ScoreFile:
    """Read a MIDI file, the first track of one with several pieces."""
    try:
        return midi.read(path)
    except BadFile as error:
        if "--track" not in str(error):
            raise
        return midi.read(path, track=1)


def check_song(song: midi.ScoreFile) -> None:
    """Raise WrongValue for music without notes, or in which time does not go on."""
    check_warnings(song.warnings)
    score = song.score
    if not np.isfinite(score.seconds).all() or not (np.diff(score.seconds) > 0.0).all():
        raise WrongValue("times that do not rise")
    if not any(part.onset.any() for part in score.parts.values()):
        raise WrongValue("no notes")


def read_bone_map(path: Path) -> None:
    """Read a bone map for a rig of Mixamo's names."""
    names = [f"mixamorig:{joint}" for joint in JOINTS]
    map_io.from_json(path.read_bytes().decode("utf-8", "replace"), names, list(PARENTS), _rest())


class BadRig(ValueError):
    """A mutated rig that no program can have."""


def read_rig(path: Path) -> None:
    """Map the bones of a rig in a JSON file of rows: name, parent's index, and head."""
    names, parents, heads = _parse_rig(path.read_bytes())
    mapping = map_bones(names, parents, heads)
    if len(mapping.bones) != len(JOINTS) or not all(-1 <= bone < len(names) for bone in mapping.bones):
        raise WrongValue("bones that the rig does not have")


def _parse_rig(content: bytes) -> tuple[list[str], list[int], Any]:
    """Names, parents and heads. Raises BadRig unless the bones are a forest with unique names, as in every program."""
    try:
        rows = json.loads(content)
        names = [str(row["name"]) for row in rows]
        parents = [int(row["parent"]) for row in rows]
        heads = np.array([row["head"] for row in rows], float).reshape(-1, 3) if rows else None
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        raise BadRig("no rig") from None
    if len(set(names)) < len(names) or len(names) > 2000 or any(not -1 <= p < len(names) for p in parents):
        raise BadRig("no rig")
    for bone in range(len(parents)):
        seen = {bone}
        while (bone := parents[bone]) >= 0:
            if bone in seen:
                raise BadRig("no rig")
            seen.add(bone)
    return names, parents, heads


def read_client_message(path: Path) -> None:
    """Decode a message to the backend."""
    protocol.decode_client_message(split_parts(path.read_bytes()))


def read_server_message(path: Path) -> None:
    """Decode a message of the backend."""
    protocol.decode_server_message(split_parts(path.read_bytes()))


def join_parts(parts: list[bytes]) -> bytes:
    """A multipart message as one file: the length of each part, in four bytes, and the part."""
    return b"".join(struct.pack("<I", len(part)) + part for part in parts)


def split_parts(content: bytes) -> list[bytes]:
    """The parts of a file of `join_parts`; the last one takes what is left."""
    parts = []
    while len(content) >= 4:
        (length,) = struct.unpack_from("<I", content)
        parts.append(content[4 : 4 + length])
        content = content[4 + length :]
    return parts


def read_weights(path: Path) -> None:
    """Read a weight file of a small network."""
    with weights_file.open_weights(path, _MODEL) as (config, tensors):
        if config["width"] != tensors["layer.weight"].shape[0]:
            raise ValueError("the network does not fit")


@cache
def _rest() -> Any:
    return sample_dance().skeleton.rest_positions()


def built_files(target: Target, folder: Path) -> list[Path]:
    """Files that the target reads, written to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, content in enumerate(_contents(target, folder)):
        path = folder / f"{number}{target.suffix}"
        path.write_bytes(content)
        paths.append(path)
    return paths


def corpus_files(target: Target, corpus: Path) -> list[Path]:
    """Real files of the corpus that the target reads and that are not too large."""
    if target.name.startswith(("motion ", "Blender ")) or target.name in ("MIDI", "Acclaim skeleton"):
        limit = np.inf if target.suffix in (".bvh", ".amc", ".npy", ".json") else MAX_SEED_BYTES
        found = sorted(path for path in corpus.rglob(f"*{target.suffix}") if path.stat().st_size <= limit)
        if target.suffix == ".json":
            found = [path for path in found if "alphapose" in path.name]
        return found[:: max(len(found) // MAX_SEEDS, 1)]
    return []


def _contents(target: Target, folder: Path) -> Iterator[bytes]:
    """Contents of the built files of a target."""
    dance = sample_dance()[:40]
    if target.name.startswith("motion "):
        yield from _motion_contents(target.suffix, dance, folder)
    elif target.name == "Acclaim skeleton":
        yield acclaim_skeleton().encode()
    elif target.name == "MIDI":
        midi.write(folder / "built.mid", _song())
        yield (folder / "built.mid").read_bytes()
    elif target.name == "bone map":
        names = [f"mixamorig:{joint}" for joint in JOINTS]
        yield map_io.bone_map_json("Mixamo", {j: (n, 1.0) for j, n in zip(JOINTS, names, strict=True)}).encode()
    elif target.name == "bones of a rig":
        heads = _rest().tolist()
        yield _rig_rows([f"mixamorig:{joint}" for joint in JOINTS], heads)
        yield _rig_rows([f"bone.{number:03}" for number in range(len(JOINTS))], heads)
    elif target.name == "client message":
        for request in (PartnerRequest(dance), DanceRequest(_song()), ComposeRequest((dance, dance))):
            yield join_parts(protocol.encode("a", request))
    elif target.name == "server message":
        yield join_parts(protocol.encode("a", MotionResult((dance, dance))))
    else:
        tensors = {"layer.weight": np.ones((8, 8), np.float32), "layer.bias": np.zeros(8, np.float32)}
        weights_file.save_weights(folder / "built.safetensors", _MODEL, {"width": 8}, tensors)
        yield (folder / "built.safetensors").read_bytes()


def _rig_rows(names: list[str], heads: list[list[float]]) -> bytes:
    rows = zip(names, PARENTS, heads, strict=True)
    return json.dumps([{"name": name, "parent": parent, "head": head} for name, parent, head in rows]).encode()


def _motion_contents(suffix: str, dance: Motion, folder: Path) -> Iterator[bytes]:
    if files.FORMATS[suffix].writes and suffix in (".bvh", ".npz", ".csv"):
        files.write(folder / f"one{suffix}", dance)
        yield (folder / f"one{suffix}").read_bytes()
    if suffix == ".bvh":
        yield rig_file(folder / "mixamo.bvh", dance).read_bytes()
    elif suffix == ".npz":
        files.write(folder / "two.npz", (dance, dance))
        yield (folder / "two.npz").read_bytes()
        smpl = smpl_dance(30)
        for name, arrays in (
            ("amass", {"poses": smpl.poses.reshape(30, 72), "trans": smpl.trans, "mocap_framerate": 60.0}),
            ("aist", {"smpl_poses": smpl.poses.reshape(30, 72), "smpl_trans": smpl.trans, "smpl_scaling": 1.0}),
            ("joints", {"joints": dance.positions}),
        ):
            np.savez_compressed(folder / f"{name}.npz", **arrays)
            yield (folder / f"{name}.npz").read_bytes()
    elif suffix == ".npy":
        for name, array in (
            ("joints", dance.positions.astype(np.float32)),
            ("flat", dance.positions[:, :24].reshape(len(dance), -1)),
            ("pair", np.repeat(dance.positions, 2, axis=0)),
        ):
            np.save(folder / f"{name}.npy", array)
            yield (folder / f"{name}.npy").read_bytes()
    elif suffix == ".json":
        yield json.dumps(couple()).encode()
    elif suffix == ".amc":
        (folder / "0.asf").write_text(acclaim_skeleton())
        yield acclaim_recording().encode()
    elif suffix == ".csv":
        files.write(folder / "two.csv", (dance[:9], dance[:9]))
        yield (folder / "two.csv").read_bytes().replace(b",", b";").replace(b".", b",")
    elif suffix in (".c3d", ".trc"):
        yield from _marker_contents(suffix, dance, folder)


def _marker_contents(suffix: str, dance: Motion, folder: Path) -> Iterator[bytes]:
    markers = markers_on(dance)
    if suffix == ".trc":
        yield write_trc(folder / "one.trc", markers).read_bytes()
        return
    for processor, scale in ((84, -1.0), (85, -1.0), (86, 0.1)):
        yield write_markers(folder / "one.c3d", markers, processor=processor, scale=scale, analog=3).read_bytes()


def _song() -> Score:
    """Eight bars of drums, bass and melody."""
    rows = np.array([(36 + 12 * (step % 3), 90, step, step + 2) for step in range(0, 128, 4)])
    parts = (part_from_note_array(rows + np.array([shift, 0, 0, 0]), 128) for shift in (0, 4, 24))
    return Score(*parts, np.arange(129) * 0.125)
