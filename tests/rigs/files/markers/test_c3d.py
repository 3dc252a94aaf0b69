"""C3D recordings: markers on the skin of a dancer whose joints are known, from every processor and in every state."""

from pathlib import Path
from typing import Any

import c3d
import numpy as np
import pytest

from rigs import Array
from rigs.files import BadFile, ReadOptions, read
from rigs.files.conventions.axes import from_z_up
from rigs.motion import Motion, translate
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import INDEX
from tests.rigs.files.markers.c3d_files import markers_on, write_c3d, write_markers


def dance(frames: int = 200) -> Motion:
    return sample_dance()[:frames]


def errors(motion: Motion, truth: Motion) -> dict[str, float]:
    """Mean distance in mm of each joint without its side."""
    distance = 1000.0 * np.linalg.norm(motion.positions - truth.positions, axis=-1).mean(axis=0)
    return {name.removeprefix("left_").removeprefix("right_"): distance[j] for name, j in INDEX.items()}


@pytest.mark.parametrize("inner", [False, True])
def test_joint_centers_of_a_plug_in_gait_set_are_within_two_centimetres(tmp_path: Path, inner: bool) -> None:
    clip = read(write_markers(tmp_path / "x.c3d", markers_on(dance(), inner=inner), fps=30.0))
    (motion,) = clip.motions
    assert (clip.source.fps, clip.source.frames, clip.source.units, clip.source.up) == (30.0, 200, 0.001, "Z")
    assert (clip.warnings, clip.source.filled_joints) == ((), ())
    error = errors(motion, dance())
    assert max(error[joint] for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist", "neck", "jaw")) < 20.0
    assert max(error[joint] for joint in ("pelvis", "spine1", "spine2", "spine3", "foot")) < 25.0
    if inner:
        assert max(error[joint] for joint in ("knee", "ankle", "elbow", "wrist")) < 5.0


PROCESSORS: dict[str, dict[str, Any]] = {
    "Intel, floats": {"processor": 84},
    "MIPS, floats": {"processor": 86},
    "DEC, floats": {"processor": 85},
    "Intel, integers": {"processor": 84, "scale": 0.1},
    "MIPS, integers": {"processor": 86, "scale": 0.1},
    "DEC, integers": {"processor": 85, "scale": 0.1},
    "with analog channels": {"analog": 40},
    "integers with analog channels": {"analog": 7, "scale": 0.1},
}


@pytest.mark.parametrize("processor", PROCESSORS)
def test_numbers_of_every_processor_are_read(tmp_path: Path, processor: str) -> None:
    markers = markers_on(dance(40))
    reference = read(write_markers(tmp_path / "x.c3d", markers, fps=30.0)).motions[0]
    clip = read(write_markers(tmp_path / "y.c3d", markers, fps=30.0, **PROCESSORS[processor]))
    assert clip.source.fps == 30.0
    np.testing.assert_allclose(clip.motions[0].positions, reference.positions, atol=2e-3)


def test_a_file_of_another_librarys_writer_is_read(tmp_path: Path) -> None:
    markers = markers_on(dance(40))
    writer = c3d.Writer(point_rate=30.0, analog_rate=0)
    writer.set_point_labels(list(markers))
    points = 1000.0 * np.stack(list(markers.values()), axis=1)
    rows = np.concatenate([points, np.zeros((*points.shape[:2], 2))], axis=-1).astype(np.float32)
    writer.add_frames([(row, np.array([[]])) for row in rows])
    with (tmp_path / "x.c3d").open("wb") as file:
        writer.write(file)
    clip = read(tmp_path / "x.c3d")
    reference = read(write_markers(tmp_path / "y.c3d", markers, fps=30.0))
    assert clip.source.fps == 30.0
    np.testing.assert_allclose(clip.motions[0].positions, reference.motions[0].positions, atol=1e-5)


@pytest.mark.parametrize("names", [("Leader:", "Follower:"), ("Ann_Lee_", "Bob_"), ("", "")])
def test_two_subjects_are_two_dancers_where_they_stand(tmp_path: Path, names: tuple[str, str]) -> None:
    leader, partner = dance(60), translate(dance(60), np.array([0.3, -0.9, 0.0]))
    labels, points = [], []
    for name, dancer in zip(names, (leader, partner), strict=True):
        for label, places in markers_on(dancer).items():
            labels.append(f"{name}{label}")
            points.append(1000.0 * places)
    clip = read(write_c3d(tmp_path / "duet.c3d", labels, np.stack(points, axis=1), fps=30.0))
    assert (len(clip.motions), clip.warnings) == (2, ())
    apart = clip.motions[1].positions - clip.motions[0].positions
    np.testing.assert_allclose(apart, np.broadcast_to([0.3, -0.9, 0.0], apart.shape), atol=1e-4)


def test_a_subject_that_is_called_leader_comes_first(tmp_path: Path) -> None:
    leader, partner = dance(40), translate(dance(40), np.array([0.3, -0.9, 0.0]))
    markers = [markers_on(dancer) for dancer in (partner, leader)]
    clip = read(write_markers(tmp_path / "duet.c3d", *markers, names=("Follower", "Leader"), fps=30.0))
    assert clip.motions[0].root[0, 1] > clip.motions[1].root[0, 1] + 0.5


def test_a_prop_and_a_subject_with_too_few_markers_are_left_out(tmp_path: Path) -> None:
    whole = markers_on(dance(40))
    half = {label: points for label, points in whole.items() if label not in ("LKNE", "RELB")}
    prop = {f"Corner{at}": points for at, points in enumerate(list(whole.values())[:4])}
    path = write_markers(tmp_path / "x.c3d", whole, half, prop, names=("Anna", "Bert", "Table"), fps=30.0)
    clip = read(path)
    assert len(clip.motions) == 1
    assert clip.warnings == ("x.c3d: Bert lacks markers LKNE, RELB and is left out",)


def test_hidden_markers_are_filled_and_told(tmp_path: Path) -> None:
    markers = markers_on(dance(60))
    reference = read(write_markers(tmp_path / "x.c3d", markers, fps=30.0)).motions[0]
    markers["LKNE"][20:24] = np.nan
    markers["C7"][:2] = np.nan
    clip = read(write_markers(tmp_path / "x.c3d", markers, fps=30.0))
    hidden = "2 markers hidden in some frames and interpolated, the left knee marker in 4 of 60"
    assert clip.warnings == (f"x.c3d: {hidden}",)
    np.testing.assert_allclose(clip.motions[0].positions, reference.positions, atol=0.03)


def renamed(markers: dict[str, Array], names: dict[str, str]) -> dict[str, Array]:
    return {
        names.get(label[1:], label[1:]).replace("?", label[0]) if label[0] in "LR" and len(label) > 3 else label: points
        for label, points in markers.items()
    }


@pytest.mark.parametrize(
    "names",
    [
        {"ASI": "?FWT", "PSI": "?BWT"},  # CMU
        {"ASI": "?.ASIS", "PSI": "?.PSIS", "KNE": "?.Knee", "ANK": "?.Ankle", "SHO": "?.Shoulder", "ELB": "?.Elbow"},
        {
            "ASI": "?_IAS",
            "PSI": "?_IPS",
            "KNE": "?_FLE",
            "ANK": "?_FAL",
            "HEE": "?_FCC",
            "TOE": "?_FM2",
            "SHO": "?_SAE",
        },
    ],
)
def test_labels_of_other_marker_sets_are_understood(tmp_path: Path, names: dict[str, str]) -> None:
    markers = markers_on(dance(40))
    reference = read(write_markers(tmp_path / "x.c3d", markers, fps=30.0)).motions[0]
    full = {kind: f"?{kind}" for kind in ("ASI", "PSI", "KNE", "ANK", "HEE", "TOE", "SHO", "ELB", "WRA", "WRB", "FIN")}
    full |= {kind: f"?{kind}" for kind in ("FHD", "BHD")} | names
    clip = read(write_markers(tmp_path / "y.c3d", renamed(markers, full), fps=30.0))
    np.testing.assert_allclose(clip.motions[0].positions, reference.positions, atol=1e-6)


def test_joint_centers_that_the_file_has_are_taken_as_they_are(tmp_path: Path) -> None:
    truth = dance(60)
    markers = markers_on(truth)
    for label, joint in (("HJC", "hip"), ("FEO", "knee"), ("TIO", "ankle"), ("CLO", "shoulder"), ("HUO", "elbow")):
        for side in ("left", "right"):
            markers[side[0].upper() + label] = truth.positions[:, INDEX[f"{side}_{joint}"]]
    error = errors(read(write_markers(tmp_path / "x.c3d", markers, fps=30.0)).motions[0], truth)
    assert max(error[joint] for joint in ("hip", "knee", "ankle", "shoulder", "elbow")) < 6.0


@pytest.mark.parametrize(
    ("unit", "up"), [("m", "Z"), ("cm", "Y"), ("mm", "X"), ("mm", "Y"), ("mm", "-Z"), ("in", "Z"), ("ft", "Y")]
)
def test_stated_units_and_axes_are_read(tmp_path: Path, unit: str, up: str) -> None:
    markers = markers_on(dance(60))
    reference = read(write_markers(tmp_path / "x.c3d", markers, fps=30.0)).motions[0]
    factor = {"m": 1.0, "cm": 100.0, "mm": 1000.0, "in": 1.0 / 0.0254, "ft": 1.0 / 0.3048}[unit]
    points = factor * from_z_up(np.stack(list(markers.values()), axis=1), up)
    screen = up if up.startswith("-") else f"+{up}"
    clip = read(write_c3d(tmp_path / "y.c3d", list(markers), points, fps=30.0, unit=unit, up=screen))
    assert (clip.source.up, clip.warnings) == (up, ())
    np.testing.assert_allclose(clip.motions[0].positions, reference.positions, atol=1e-3)
    given = ReadOptions(unit=unit, up=up)
    clip = read(write_c3d(tmp_path / "y.c3d", list(markers), points, fps=30.0, unit="", up=""), given)
    np.testing.assert_allclose(clip.motions[0].positions, reference.positions, atol=1e-3)


@pytest.mark.parametrize(("stated", "unit", "factor"), [("mm", "m", 1.0), ("m", "mm", 1000.0), ("", "cm", 100.0)])
def test_a_wrong_unit_and_up_axis_are_detected_and_told(tmp_path: Path, stated: str, unit: str, factor: float) -> None:
    markers = markers_on(dance())
    reference = read(write_markers(tmp_path / "x.c3d", markers, fps=30.0)).motions[0]
    points = factor * from_z_up(np.stack(list(markers.values()), axis=1), "Y")
    clip = read(write_c3d(tmp_path / "y.c3d", list(markers), points, fps=30.0, unit=stated, up="+Z"))
    assert clip.source.up == "Y"
    assert any("--up" in warning for warning in clip.warnings)
    assert any("--unit" in warning for warning in clip.warnings) == bool(stated)
    np.testing.assert_allclose(clip.motions[0].positions, reference.positions, atol=1e-3)
    assert {"m": 1.0, "cm": 0.01, "mm": 0.001}[unit] == clip.source.units


def test_a_rate_of_zero_is_rescued_by_the_one_that_is_given(tmp_path: Path) -> None:
    path = write_markers(tmp_path / "x.c3d", markers_on(dance(40)), fps=0.0)
    with pytest.raises(BadFile, match=r"x.c3d: a frame rate above zero expected, 0 found; --fps gives it"):
        read(path)
    assert read(path, fps=120.0).source.fps == 120.0


def test_a_file_that_ends_early_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write_markers(tmp_path / "x.c3d", markers_on(dance(40)), fps=30.0, stated_frames=50)
    clip = read(path)
    assert clip.warnings == ("x.c3d: 50 frames stated, 40 found and read",)
    assert len(clip.motions[0]) == 40


def test_hundreds_of_points_beside_the_markers_do_not_matter(tmp_path: Path) -> None:
    markers = markers_on(dance(40))
    reference = read(write_markers(tmp_path / "x.c3d", markers, fps=30.0)).motions[0]
    others = {f"*{number}": np.full((40, 3), np.nan) for number in range(300)}
    clip = read(write_markers(tmp_path / "y.c3d", others | markers, fps=30.0))
    np.testing.assert_allclose(clip.motions[0].positions, reference.positions, atol=1e-6)


def test_missing_head_and_hands_are_estimated_and_named(tmp_path: Path) -> None:
    markers = {
        label: points for label, points in markers_on(dance(60)).items() if label[1:] not in ("FHD", "BHD", "FIN")
    }
    clip = read(write_markers(tmp_path / "x.c3d", markers, fps=30.0))
    hands = {f"{side}_{joint}" for side in ("left", "right") for joint in ("thumb", "middle")}
    assert set(clip.source.filled_joints) == {"jaw", "head"} | hands
    assert (clip.motions[0].positions[:, INDEX["head"], 2] > 1.5).all()


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (
            [
                "LASI",
                "RASI",
                "SACR",
                "LKNE",
                "RKNE",
                "LANK",
                "RANK",
                "LTOE",
                "RTOE",
                "LSHO",
                "RSHO",
                "LELB",
                "LWRA",
                "RWRA",
            ],
            "x.c3d: markers RELB expected as in Plug-in Gait, labels seen: LASI, RASI, SACR, LKNE, RKNE, LANK, RANK, "
            "LTOE, RTOE, LSHO, RSHO, LELB, ...",
        ),
        (
            ["A", "B"],
            "x.c3d: markers LASI, LKNE, LANK, LTOE, LSHO, LELB, LWRI, RASI, RKNE, RANK, RTOE, RSHO, RELB, "
            "RWRI, LPSI, RPSI expected as in Plug-in Gait, labels seen: A, B",
        ),
        (
            [""],
            "x.c3d: markers LASI, LKNE, LANK, LTOE, LSHO, LELB, LWRI, RASI, RKNE, RANK, RTOE, RSHO, RELB, "
            "RWRI, LPSI, RPSI expected as in Plug-in Gait, labels seen: none",
        ),
    ],
)
def test_missing_labels_are_named(tmp_path: Path, labels: list[str], complaint: str) -> None:
    points = np.random.default_rng(1).normal(0.0, 500.0, (9, len(labels), 3))
    with pytest.raises(BadFile) as refused:
        read(write_c3d(tmp_path / "x.c3d", labels, points))
    assert str(refused.value) == complaint


@pytest.mark.parametrize(
    "content", [b"junk", b"\x02\x50" + bytes(2000), b"\xff\x50" + bytes(2000), b"\x00\x50" + bytes(2000)]
)
def test_a_file_that_is_no_c3d_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.c3d").write_bytes(content)
    with pytest.raises(BadFile, match=r"x.c3d: a (C3D file|section of parameters) expected"):
        read(tmp_path / "x.c3d")


def test_a_marker_that_is_hidden_in_all_frames_is_missing(tmp_path: Path) -> None:
    markers = markers_on(dance(40))
    markers["LTOE"][:] = np.nan
    with pytest.raises(
        BadFile, match=r"x.c3d: markers LTOE expected as in Plug-in Gait, labels seen: LASI, LPSI, LKNE"
    ):
        read(write_markers(tmp_path / "x.c3d", markers, fps=30.0))


def test_markers_at_one_point_are_refused(tmp_path: Path) -> None:
    markers = {label: np.ones((9, 3)) for label in markers_on(dance(2))}
    with pytest.raises(BadFile, match=r"x.c3d"):
        read(write_markers(tmp_path / "x.c3d", markers))


def test_a_parameter_of_more_values_than_there_are_numbers_for_is_passed_over(tmp_path: Path) -> None:
    path = write_markers(tmp_path / "a.c3d", markers_on(dance()))
    content = bytearray(path.read_bytes())
    at = content.index(b"UNITS") + len(b"UNITS") + 3  # after the offset to the next: the number of dimensions
    content[at] = 255
    content[at + 1 : at + 256] = b"\xff" * 255
    path.write_bytes(content)
    try:
        motions = read(path).motions
    except BadFile as error:
        assert str(error).startswith("a.c3d: ")  # noqa: PT017
    else:
        assert len(motions[0]) == 200
