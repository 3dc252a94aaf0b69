"""Archives with SMPL poses, against joint positions by SMPL's own definition, in every layout and axis."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from rigs import Array
from rigs.files import BadFile, Clip, ReadOptions, read
from rigs.motion import Motion
from rigs.skeleton import PARENTS
from tests.rigs.files.smpl.smpl_archives import TO_Z_UP, SmplDance, smpl_dance

FRAMES = 90
Arrays = dict[str, Any]


def amass(dance: SmplDance) -> Arrays:
    hands = np.zeros((len(dance.poses), 90))
    poses = np.concatenate([dance.poses[:, :22].reshape(len(dance.poses), 66), hands], axis=1)
    text = np.array("female")
    return {
        "poses": poses,
        "trans": dance.trans,
        "mocap_framerate": np.array(30.0),
        "betas": np.zeros(16),
        "gender": text,
    }


def save(folder: Path, **arrays: Any) -> Path:
    path = folder / "dance.npz"
    np.savez(path, **arrays)
    return path


def bone_angles(motion: Motion, joints: Array) -> Array:
    """Angles (F, 21) in degrees between the motion's bones and those of joints (F, 24, 3) m with Z up."""
    directions = []
    for positions in (motion.positions[:, :22], joints[:, :22]):
        bones = positions[:, 1:] - positions[:, list(PARENTS[1:22])]
        directions.append(bones / np.linalg.norm(bones, axis=-1, keepdims=True))
    return np.degrees(np.arccos(np.clip(np.sum(directions[0] * directions[1], axis=-1), -1.0, 1.0)))


def same_dance(clip: Clip, reference: Clip, atol: float = 1e-5) -> None:
    assert len(clip.motions) == len(reference.motions)
    for motion, expected in zip(clip.motions, reference.motions, strict=True):
        np.testing.assert_allclose(motion.positions, expected.positions, atol=atol)


def test_bones_point_where_smpl_has_them_and_feet_stand_on_the_floor(tmp_path: Path) -> None:
    dance = smpl_dance(FRAMES)
    clip = read(save(tmp_path, **amass(dance)))
    (motion,) = clip.motions
    assert (clip.source.fps, clip.source.frames, clip.source.up, clip.warnings) == (30.0, FRAMES, "Z", ())
    assert bone_angles(motion, dance.joints).max() < 5.0  # REST is rounded to centimetres
    limbs = [j - 1 for j in (4, 5, 7, 8, 16, 17, 18, 19, 20, 21)]
    assert bone_angles(motion, dance.joints)[:, limbs].max() < 2.0
    np.testing.assert_allclose(np.diff(motion.root, axis=0)[:, :2], np.diff(dance.trans, axis=0)[:, :2], atol=1e-6)
    lowest = motion.positions[..., 2].min(axis=1)
    assert abs(np.percentile(lowest, 5.0)) < 0.03
    assert 1.65 < np.ptp(motion.skeleton.rest_positions()[:, 2]) < 1.75


def matrices(vectors: Array) -> Array:
    return np.asarray(Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix()).reshape(*vectors.shape, 3)


LAYOUTS: dict[str, Callable[[SmplDance], Arrays]] = {
    "SMPL-X of AMASS": lambda d: {
        "root_orient": d.poses[:, 0],
        "pose_body": d.poses[:, 1:22].reshape(-1, 63),
        "pose_hand": np.zeros((len(d.poses), 90)),
        "poses": np.zeros((len(d.poses), 165)) + np.nan,
        "trans": d.trans,
        "mocap_frame_rate": 30,
        "surface_model_type": "smplx",
        "latent_labels": np.array(["C7", "LASI"]),
    },
    "poses of 22 joints": lambda d: {"poses": d.poses[:, :22], "trans": d.trans, "fps": 30.0},
    "poses of SMPL": lambda d: {"poses": d.poses.reshape(-1, 72), "trans": d.trans, "mocap_framerate": [30.0]},
    "poses of SMPL-X": lambda d: {
        "poses": np.concatenate([d.poses[:, :22], np.zeros((len(d.poses), 33, 3))], axis=1).reshape(-1, 165),
        "trans": d.trans,
        "mocap_frame_rate": 30.0,
    },
    "GVHMR": lambda d: {
        "smpl_params_global_body_pose": d.poses[:, 1:22].reshape(-1, 63),
        "smpl_params_global_global_orient": d.poses[:, 0],
        "smpl_params_global_transl": d.trans,
        "smpl_params_incam_body_pose": d.poses[:, 1:22].reshape(-1, 63),
        "smpl_params_incam_global_orient": d.poses[:, 0] * 0.0,
        "smpl_params_incam_transl": d.trans * 0.0,
        "fps": 30.0,
    },
    "WHAM": lambda d: {
        "pose": d.poses.reshape(-1, 72) * 0.0,
        "trans": d.trans * 0.0,
        "pose_world": d.poses.reshape(-1, 72),
        "trans_world": d.trans,
        "verts": np.zeros((len(d.poses), 5, 3)),
        "fps": 30.0,
    },
    "matrices": lambda d: {
        "global_orient": matrices(d.poses[:, :1]),
        "body_pose": matrices(d.poses[:, 1:]),
        "transl": d.trans[:, None],
        "fps": 30.0,
    },
    "one person of a batch": lambda d: {
        "root_orient": d.poses[None, :, 0],
        "pose_body": d.poses[None, :, 1:22].reshape(1, -1, 63),
        "trans": d.trans[None],
        "fps": 30.0,
    },
    "AIST++": lambda d: {
        "smpl_poses": d.poses.reshape(-1, 72),
        "smpl_trans": d.trans * 93.5,
        "smpl_scaling": np.array([93.5]),
        "fps": 30.0,
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_dance(tmp_path: Path, layout: str) -> None:
    dance = smpl_dance(FRAMES)
    dance.poses[:, 22:] = 0.0
    reference = read(save(tmp_path, **amass(dance)))
    same_dance(read(save(tmp_path, **LAYOUTS[layout](dance)), ReadOptions(up="Z")), reference)


WORLDS = {
    "X": Rotation.from_euler("xy", [90, 90], degrees=True),
    "Y": Rotation.identity(),
    "Z": TO_Z_UP,
    "-X": Rotation.from_euler("xy", [90, -90], degrees=True),
    "-Y": Rotation.from_euler("x", 180, degrees=True),
    "-Z": Rotation.from_euler("x", -90, degrees=True),
}


@pytest.mark.parametrize("up", WORLDS)
@pytest.mark.parametrize("given", [True, False])
def test_the_up_axis_is_given_or_told_by_the_upright_trunk(tmp_path: Path, up: str, given: bool) -> None:
    dance = smpl_dance(FRAMES, world=WORLDS[up])
    clip = read(save(tmp_path, **amass(dance)), ReadOptions(up=up if given else None))
    assert clip.source.up == ("Y" if up == "-Y" else up)  # what is written to match a camera's Y down has Y up
    assert [up in warning and "--up" in warning for warning in clip.warnings] == [True] * (up != "Z" and not given)
    in_z_up = read(save(tmp_path, **amass(smpl_dance(FRAMES)))).motions[0].positions
    heights = clip.motions[0].positions[..., 2]
    np.testing.assert_allclose(heights, in_z_up[..., 2], atol=1e-5)


@pytest.mark.parametrize("camera", ["pred_cam_t", "camera"])
def test_4d_humans_are_upright_and_keep_one_distance_from_a_camera_without_depth(tmp_path: Path, camera: str) -> None:
    dance = smpl_dance(FRAMES, world=WORLDS["-Y"])
    arrays = {"global_orient": matrices(dance.poses[:, :1]), "body_pose": matrices(dance.poses[:, 1:])}
    path = dance.trans + np.random.default_rng(1).normal([0.0, 0.0, 40.0], [0.0, 0.0, 1.5], (FRAMES, 3))
    clip = read(save(tmp_path, **arrays, **{camera: path}))
    assert clip.source.up == "Y"
    assert clip.warnings == (
        "dance.npz: no frame rate found, 30 a second assumed; --fps gives the true one",
        "dance.npz: the camera of 4D-Humans tells no depth, the dancers keep one distance from it",
    )
    (motion,) = clip.motions
    assert (motion.positions[:, 24, 2] > 1.4).all()
    assert np.ptp(motion.root[:, 1]) < 1e-9
    np.testing.assert_allclose(np.diff(motion.root[:, 0]), np.diff(dance.trans[:, 0]), atol=1e-6)


def test_a_dancer_who_lies_on_the_floor_of_a_world_with_z_up_is_not_turned_over(tmp_path: Path) -> None:
    frames = 300
    poses = np.zeros((frames, 24, 3))  # on the back, the head towards +Y, raising both legs in turn
    for leg, delay in ((1, 0), (2, 25)):
        poses[:, leg, 0] = -0.6 * (1.0 - np.cos((np.arange(frames) - delay) / 20.0))
    path = np.stack([0.3 * np.sin(np.arange(frames) / 60.0), np.zeros(frames), np.full(frames, 0.1)], axis=1)
    clip = read(save(tmp_path, **amass(SmplDance(poses, path, np.zeros((frames, 24, 3))))))
    assert clip.source.up == "Z"
    trunk = clip.motions[0].positions[:, [0, 12, 15, 24], 2]
    assert trunk.max() < 0.5


@pytest.mark.parametrize(("layout", "rate"), [("AIST++", 60.0), ("GVHMR", 30.0)])
def test_a_missing_frame_rate_is_the_layouts_own_and_is_told(tmp_path: Path, layout: str, rate: float) -> None:
    arrays = LAYOUTS[layout](smpl_dance(FRAMES))
    del arrays["fps"]
    clip = read(save(tmp_path, **arrays), ReadOptions(up="Z"))
    assert clip.source.fps == rate
    assert clip.warnings == (f"dance.npz: no frame rate found, {rate:g} a second assumed; --fps gives the true one",)
    assert read(save(tmp_path, **arrays), ReadOptions(up="Z", fps=50.0)).source.fps == 50.0


def test_frames_without_a_pose_are_filled_and_told(tmp_path: Path) -> None:
    arrays = amass(smpl_dance(FRAMES))
    reference = read(save(tmp_path, **arrays))
    arrays["poses"][40:43] = np.nan
    arrays["trans"][42:44] = np.nan
    clip = read(save(tmp_path, **arrays))
    assert clip.warnings == (f"dance.npz: dancer not captured in 4 of {FRAMES} frames, interpolated",)
    same_dance(clip, reference, atol=0.02)


def test_a_tracker_that_misses_frames_keeps_the_time(tmp_path: Path) -> None:
    dance = smpl_dance(FRAMES)
    arrays = LAYOUTS["WHAM"](dance)
    reference = read(save(tmp_path, **arrays), ReadOptions(up="Z"))
    seen = np.array([f for f in range(FRAMES) if f not in (30, 31, 60)])
    cut = {name: array if name == "fps" else array[seen] for name, array in arrays.items()}
    clip = read(save(tmp_path, **cut, frame_ids=seen + 500), ReadOptions(up="Z"))
    assert clip.warnings == (f"dance.npz: dancer not captured in 3 of {FRAMES} frames, interpolated",)
    same_dance(clip, reference, atol=0.02)


def two_people(first: SmplDance, second: SmplDance) -> dict[str, Arrays]:
    named = [LAYOUTS["WHAM"](dance) for dance in (first, second)]
    return {
        "leading axis": {
            "root_orient": np.stack([first.poses[:, 0], second.poses[:, 0]]),
            "pose_body": np.stack([dance.poses[:, 1:22].reshape(-1, 63) for dance in (first, second)]),
            "trans": np.stack([first.trans, second.trans]),
            "fps": 30.0,
        },
        "a name for each": {f"{p}_{key}": array for p, person in enumerate(named) for key, array in person.items()}
        | {"fps": 30.0},
    }


@pytest.mark.parametrize("way", ["leading axis", "a name for each"])
def test_two_people_are_two_dancers_in_one_world(tmp_path: Path, way: str) -> None:
    first, second = smpl_dance(FRAMES, seed=1), smpl_dance(FRAMES, seed=2)
    second.trans[:, 0] += 1.0
    for dance in (first, second):
        dance.poses[:, 22:] = 0.0
    clip = read(save(tmp_path, **two_people(first, second)[way]), ReadOptions(up="Z"))
    leader, partner = clip.motions
    for motion, dance in ((leader, first), (partner, second)):
        np.testing.assert_allclose(motion.root[:, :2], dance.trans[:, :2], atol=1e-6)
        assert bone_angles(motion, dance.joints)[:, 2:8].max() < 5.0


def test_passers_by_are_left_out_and_told(tmp_path: Path) -> None:
    arrays: Arrays = {"fps": 30.0}
    for person, frames in enumerate((FRAMES, 5, FRAMES)):
        one = LAYOUTS["WHAM"](smpl_dance(frames))
        arrays |= {f"person{person}/{name}": array for name, array in one.items() if name != "fps"}
        arrays[f"person{person}/frame_ids"] = np.arange(frames) + 7
    clip = read(save(tmp_path, **arrays), ReadOptions(up="Z"))
    assert len(clip.motions) == 2
    assert clip.source.frames == FRAMES
    assert clip.warnings == ("dance.npz: 3 people found, the 2 with the most frames are read",)


@pytest.mark.parametrize(("factor", "unit", "word"), [(100.0, "cm", "centimetres"), (1000.0, "mm", "millimetres")])
def test_a_path_in_another_unit_is_given_or_told_by_its_speed(
    tmp_path: Path, factor: float, unit: str, word: str
) -> None:
    dance = smpl_dance(FRAMES)
    reference = read(save(tmp_path, **amass(dance)))
    arrays = amass(dance) | {"trans": dance.trans * factor}
    told = read(save(tmp_path, **arrays))
    assert len(told.warnings) == 1
    assert f"taken as {word}; --unit gives the true unit" in told.warnings[0]
    given = read(save(tmp_path, **arrays), ReadOptions(unit=unit))
    assert given.warnings == ()
    for clip in (told, given):
        same_dance(clip, reference)


def test_a_shape_of_ones_own_is_told_to_be_missing(tmp_path: Path) -> None:
    arrays = amass(smpl_dance(FRAMES)) | {"betas": np.array([1.2, 0.3, 0.0])}
    (warning,) = read(save(tmp_path, **arrays)).warnings
    assert warning.startswith("dance.npz: the body's shape (betas) needs SMPL's own model; a neutral body of 1.7")


BODY = np.zeros((4, 63))
POSES = np.zeros((4, 66))


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        (
            {"poses": np.zeros((4, 156)), "betas": np.zeros(16)},
            "dance.npz: an array 'trans' expected beside 'poses' as in AMASS, found: poses (4, 156), betas (16,)",
        ),
        (
            {"body_pose": BODY, "transl": np.zeros((4, 3))},
            "dance.npz: an array 'global_orient' expected beside 'body_pose' as in GVHMR, "
            "found: body_pose (4, 63), transl (4, 3)",
        ),
        (
            {"poses": POSES, "trans": np.zeros((5, 3))},
            "dance.npz, poses: rotation vectors (5, 66) or (5, 72) or (5, 156) or (5, 165) "
            "or rotation matrices expected, (4, 66) found",
        ),
        (
            {"poses": np.zeros((4, 60)), "trans": np.zeros((4, 3))},
            "dance.npz, poses: rotation vectors (4, 66) or (4, 72) or (4, 156) or (4, 165) "
            "or rotation matrices expected, (4, 60) found",
        ),
        ({"poses": POSES, "trans": np.zeros((4, 2))}, "dance.npz, trans: shape (F, 3) expected, (4, 2) found"),
        ({"poses": POSES[:0], "trans": np.zeros((0, 3))}, "dance.npz, trans: shape (F, 3) expected, (0, 3) found"),
        (
            {"poses": POSES + 170.0, "trans": np.zeros((4, 3)), "fps": 30.0},
            "dance.npz, poses: rotation vectors in radians expected, 170 found",
        ),
        (
            {"poses": POSES + np.nan, "trans": np.zeros((4, 3)), "fps": 30.0},
            "dance.npz: finite poses expected, the dancer has none",
        ),
        (
            {"poses": POSES, "trans": np.full((4, 3), 1e6), "fps": 30.0},
            "dance.npz, frame 0: a place in metres expected, [1000000. 1000000. 1000000.] found",
        ),
        (
            {"poses": np.array([None, {}], dtype=object), "trans": np.zeros((2, 3))},
            "dance.npz, poses: an array of numbers expected, pickled objects found",
        ),
        (
            {"poses": np.array(["a", "b"]), "trans": np.zeros((2, 3))},
            "dance.npz, poses: an array of numbers expected, type <U1 found",
        ),
        (
            {"global_orient": np.zeros((4, 1, 3, 3)), "body_pose": np.zeros((4, 23, 3, 3)), "transl": np.zeros((4, 3))},
            "dance.npz, global_orient: rotation matrices expected, others found",
        ),
        (
            {"poses": POSES, "trans": np.zeros((4, 3)), "mocap_framerate": 0.0},
            "dance.npz, mocap_framerate: one number above zero expected",
        ),
        (
            {"verts": np.zeros((4, 6890, 3)), "faces": np.zeros((9, 3)), "meta": np.array([{}], dtype=object)},
            "dance.npz: arrays 'fps', 'root', 'offsets', 'rotations', or SMPL poses such as 'poses' and 'trans', "
            "expected, found: verts (4, 6890, 3), faces (9, 3), meta (objects)",
        ),
    ],
)
def test_a_near_miss_is_refused_with_what_is_missing_and_what_was_found(
    tmp_path: Path, arrays: Arrays, complaint: str
) -> None:
    with pytest.raises(BadFile) as refused:
        read(save(tmp_path, **arrays))
    assert str(refused.value) == complaint
