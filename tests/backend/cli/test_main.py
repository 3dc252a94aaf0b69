"""The `pasdedeux` command as a shell runs it: the files it writes, its messages and its exit status."""

import csv
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from backend.cli import options
from backend.cli.demo import running_backend
from rigs import files
from rigs.choreography.devices import DELAYED, DEVICES, Choreography, choreograph
from rigs.files import Source
from rigs.files.conventions.axes import UNITS, UP_AXES
from rigs.motion import Motion, mirror, resample, translate
from rigs.sample_dance.salsa import sample_dance
from tests.rigs.files.smpl.smpl_archives import smpl_dance

COMMAND = [sys.executable, "-m", "backend.cli.main"]
SECONDS = 1.5


def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def dance(fps: float) -> Motion:
    return resample(sample_dance(), fps, round(SECONDS * fps))


def strides() -> Motion:
    """A walk back and forth with steps of 2 m/s, for 5 seconds at 30 frames a second."""
    motion = resample(sample_dance(), 30.0, 150)
    root = motion.root.copy()
    root[:, 0] += 0.5 * np.sin(np.arange(150) * 2.0 / 15.0)
    return replace(motion, root=root)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of a few dancers, good and bad."""
    folder = tmp_path_factory.mktemp("shelf")
    leader = dance(60.0)
    files.write(folder / "leader.bvh", leader)
    files.write(folder / "partner.bvh", translate(mirror(leader), np.array([0.0, -1.0, 0.0]))[:50])
    files.write(folder / "slow_partner.bvh", resample(translate(mirror(leader), np.array([0.0, -1.0, 0.0]))[:50], 25.0))
    files.write(folder / "pair.npz", [leader, translate(mirror(leader), np.array([0.0, -3.0, 0.0]))])
    text = (folder / "leader.bvh").read_text()
    middle = text.index("\n", len(text) * 2 // 3) + 1
    (folder / "damaged.bvh").write_text(text[:middle] + "1 2 3\n" + text[middle:])
    (folder / "empty.bvh").touch()
    (folder / "nameless_arms.bvh").write_text(re.sub(r"\w+_(collar|shoulder|elbow|wrist|thumb|middle)\b", "prop", text))
    (folder / "armless.bvh").write_text(legs())
    return folder


@pytest.fixture(scope="module")
def made(shelf: Path) -> Path:
    """A partner of the leader, with the seed 1."""
    out = shelf / "made.bvh"
    result = run("partner", shelf / "leader.bvh", "-o", out, "--seed", "1")
    assert (result.returncode, result.stdout) == (0, f"{out}\n"), result.stderr
    return out


def test_equal_seeds_give_equal_files_and_others_do_not(shelf: Path, made: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again.bvh", tmp_path / "other.bvh"
    assert run("partner", shelf / "leader.bvh", "--out", again, "--seed", "1").returncode == 0
    assert run("partner", shelf / "leader.bvh", "--out", other, "--seed", "2").returncode == 0
    assert again.read_bytes() == made.read_bytes()
    assert other.read_bytes() != made.read_bytes()


def test_a_server_gives_the_same_file(shelf: Path, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "asked.bvh"
    with running_backend(tmp_path) as (url, _):
        result = run("partner", shelf / "leader.bvh", "-o", out, "--seed", "1", "--server", url)
    assert result.returncode == 0, result.stderr
    assert out.read_bytes() == made.read_bytes()


@pytest.mark.parametrize(("units", "up", "fps"), [(1.0, "Z", 24.0), (0.0254, "Y", 120.0)])
def test_partner_has_the_leaders_units_axis_rate_and_length(units: float, up: str, fps: float, tmp_path: Path) -> None:
    leader, out = tmp_path / "leader.bvh", tmp_path / "partner.bvh"
    motion = dance(fps)
    files.write(leader, motion, like=Source(leader, units, up, fps, len(motion)))
    assert run("partner", leader, "-o", out).returncode == 0
    theirs, ours = files.read(leader), files.read(out)
    assert ours.source.up == up
    assert ours.source.units == pytest.approx(units)
    assert ours.source.fps == pytest.approx(fps, rel=1e-4)
    assert ours.source.frames == len(motion)
    apart = np.linalg.norm(ours.motions[0].root[:, :2] - theirs.motions[0].root[:, :2], axis=-1)
    assert 0.1 < apart[0] < 2.0, "the partner starts within reach"


def test_axes_and_units_that_the_file_states_wrongly_can_be_given(tmp_path: Path) -> None:
    odd, out = tmp_path / "odd.bvh", tmp_path / "p.bvh"
    files.write(odd, dance(30.0), like=files.Source(odd, 0.3048, "-Y", 30.0, round(SECONDS * 30.0)))
    told = run("partner", odd, "-o", out, "--model", "mirror", "--up", "-Y", "--unit", "ft")
    assert (told.returncode, "odd.bvh" in told.stderr) == (0, False)
    source = files.read(out).source
    assert (source.up, source.units) == ("-Y", 0.3048)
    wrong = run("partner", odd, "-o", out, "--model", "mirror", "--up", "Z")
    assert wrong.returncode == 0
    assert wrong.stderr.startswith("odd.bvh: with Z up, as given, the dancer stands along -Y in 100% of its frames\n")
    assert files.read(out, files.ReadOptions(up="Z")).source.up == "Z"


def test_every_axis_and_unit_can_be_given() -> None:
    assert get_args(options.UpAxis) == ("auto", *UP_AXES)
    assert get_args(options.LengthUnit) == ("auto", *UNITS)
    refused = run("compose", "leader.bvh", "-o", "p.mid", "--unit", "ell")
    assert refused.returncode == 2
    assert "invalid choice 'ell' for argument '--unit'" in refused.stderr


def test_a_rate_that_the_file_states_wrongly_can_be_given(shelf: Path, tmp_path: Path) -> None:
    hasty, out = tmp_path / "hasty.bvh", tmp_path / "p.bvh"
    files.write(hasty, replace(strides(), fps=60.0))
    doubted = run("partner", hasty, "-o", out)
    assert doubted.returncode == 0
    assert re.match(r"hasty\.bvh: steps of .* its 60 frames a second may be wrong, 30 would fit", doubted.stderr)
    corrected = run("partner", hasty, "-o", out, "--fps", "30")
    assert (corrected.returncode, "hasty.bvh" in corrected.stderr) == (0, False)
    assert files.read(out).source.fps == pytest.approx(30.0, rel=1e-4)
    assert files.read(out).source.frames == len(strides())


def test_bones_that_only_their_places_tell_are_named(shelf: Path) -> None:
    result = run("partner", shelf / "nameless_arms.bvh", "-o", shelf / "n.bvh", "--model", "mirror")
    assert result.returncode == 0, result.stderr
    expected = "nameless_arms.bvh: bones that may be wrong, by their names or places: prop as left_shoulder, "
    assert expected in result.stderr


def test_doubts_about_every_file_are_printed_once(shelf: Path, tmp_path: Path) -> None:
    hasty = tmp_path / "hasty.bvh"
    files.write(hasty, replace(strides(), fps=60.0))
    options = ["--history", hasty, "--server", "tcp://127.0.0.1:9"]
    for leader in (shelf / "leader.bvh", hasty):
        result = run("partner", leader, "-o", tmp_path / "p.bvh", *options)
        doubts = [line for line in result.stderr.splitlines() if line.startswith("hasty.bvh: steps of")]
        assert (result.returncode, len(doubts)) == (1, 1)


def test_a_partner_of_smpl_poses_is_written_as_a_table(tmp_path: Path) -> None:
    lead, out = smpl_dance(60), tmp_path / "p.csv"
    np.savez(tmp_path / "amass.npz", poses=lead.poses.reshape(60, 72), trans=lead.trans, mocap_framerate=30.0)
    asked = run("partner", tmp_path / "amass.npz", "-o", out)
    assert (asked.returncode, asked.stdout) == (0, f"{out}\n"), asked.stderr
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60
    pelvis = np.array([[float(row[f"pelvis_{axis}"]) for axis in "xyz"] for row in rows])
    np.testing.assert_allclose(files.read(out).motions[0].root, pelvis, atol=1e-3)
    np.savez(tmp_path / "amass.npz", poses=lead.poses.reshape(60, 72), trans=lead.trans)
    told = run("partner", tmp_path / "amass.npz", "-o", out)
    assert told.stderr.count("amass.npz: no frame rate found, 30 a second assumed; --fps gives the true one") == 1


def test_takes_are_numbered_and_differ(shelf: Path, tmp_path: Path) -> None:
    result = run("partner", shelf / "leader.bvh", "-o", tmp_path / "p.npz", "--takes", "3")
    assert result.returncode == 0
    names = ["p-1.npz", "p-2.npz", "p-3.npz"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert result.stdout.split() == [str(tmp_path / name) for name in names]
    assert len({(tmp_path / name).read_bytes() for name in names}) == 3


@pytest.mark.parametrize("history", ["partner.bvh", "slow_partner.bvh"])
def test_the_partner_begins_with_its_history(history: str, shelf: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.bvh"
    result = run("partner", shelf / "leader.bvh", "-o", out, "--history", shelf / history)
    assert result.returncode == 0
    given, ours = files.read(shelf / "partner.bvh").motions[0], files.read(out).motions[0]
    shared = slice(0, 45)
    # Straight lines between the slow history's samples are not quite the dance.
    near = 1e-4 if history == "partner.bvh" else 0.02
    assert np.abs(ours.positions[shared] - given.positions[shared]).max() < near
    assert len(ours) == len(dance(60.0))


def test_the_first_of_two_dancers_is_the_leader(shelf: Path, made: Path, tmp_path: Path) -> None:
    both = run("partner", shelf / "pair.npz", "-o", tmp_path / "p.npz", "--seed", "1")
    assert both.returncode == 0
    assert both.stderr.splitlines()[0] == "pair.npz: two dancers, the first is taken as the leader"
    theirs, ours = files.read(made).motions[0], files.read(tmp_path / "p.npz").motions[0]
    assert np.abs(theirs.positions[0] - ours.positions[0]).max() < 1e-3


def test_the_other_role_is_another_dance(shelf: Path, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.bvh"
    assert run("partner", shelf / "leader.bvh", "-o", out, "--seed", "1", "--role", "lead").returncode == 0
    assert out.read_bytes() != made.read_bytes()


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_dances_without_torch_in_the_leaders_rate_and_length(device: str, shelf: Path, tmp_path: Path) -> None:
    leader, out = tmp_path / "leader.bvh", tmp_path / "p.bvh"
    files.write(leader, dance(24.0))
    arguments = ["partner", str(leader), "-o", str(out), "--model", device]
    if device in DELAYED:
        arguments += ["--delay", "9", "--delay-in", "frames"]
    code = (
        f"import sys; from backend.cli.main import main\nstatus = main({arguments!r})\n"
        "sys.exit(status or any(name in sys.modules for name in ('torch', 'scipy', 'zmq')))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (0, f"{out}\n"), result.stderr
    made, theirs = files.read(out), files.read(leader)
    assert (made.source.frames, made.source.fps) == (theirs.source.frames, theirs.source.fps)
    wanted = Choreography(device, delay=9.0, unit="frames")  # type: ignore[arg-type]
    expected = choreograph(theirs.motions[0], wanted)
    np.testing.assert_allclose(made.motions[0].positions, expected.positions, atol=1e-4)


def test_a_formation_and_its_distance_are_kept(shelf: Path, tmp_path: Path) -> None:
    arguments = ["--model", "unison", "--formation", "behind", "--distance", "2.5"]
    assert run("partner", shelf / "leader.bvh", "-o", tmp_path / "p.bvh", *arguments).returncode == 0
    theirs, ours = (files.read(path).motions[0] for path in (shelf / "leader.bvh", tmp_path / "p.bvh"))
    away = np.linalg.norm((ours.root - theirs.root)[:, :2], axis=-1)
    np.testing.assert_allclose(away, 2.5, atol=1e-3)


def test_dancers_who_pass_through_each_other_are_spoken_of(shelf: Path, tmp_path: Path) -> None:
    walking = tmp_path / "walking.npz"
    motion = dance(30.0)
    files.write(walking, replace(motion, root=motion.root + np.linspace(0.0, 1.0, len(motion))[:, None] * [0, -2, 0]))
    result = run("partner", walking, "-o", tmp_path / "p.npz", "--model", "mirror")
    assert result.returncode == 0
    assert re.search(r"mirror: the dancers come as near as .* a distance of .* m keeps them apart\n", result.stderr)


LONG = "x" * 300
FLOW = "partner leader.bvh -o out/p.bvh --model partner-flow"


def legs() -> str:
    """A BVH file of a pelvis, a spine and two legs."""
    joint = "JOINT {name}\n{{\nOFFSET {x} {y} 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n{inside}}}\n"
    end = "End Site\n{\nOFFSET 0 0 15\n}\n"

    def chain(*names: str, x: int, y: int) -> str:
        inside = chain(*names[1:], x=0, y=y) if len(names) > 1 else end
        return joint.format(name=names[0], x=x, y=y, inside=inside)

    body = chain("left_hip", "left_knee", "left_ankle", x=9, y=-40) + chain(
        "right_hip", "right_knee", "right_ankle", x=-9, y=-40
    )
    body += chain("spine1", "spine2", "neck", "head", x=0, y=20)
    root = "ROOT pelvis\n{\nOFFSET 0 90 0\nCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation\n"
    rows = f"0 90 0{' 0' * 33}\n" * 30
    return f"HIERARCHY\n{root}{body}}}\nMOTION\nFrames: 30\nFrame Time: 0.0333333\n{rows}"


BAD = {
    # the arguments, and what the one line must contain
    "a missing file": ("partner missing.bvh -o out/p.bvh", r"missing\.bvh: no such file"),
    "a damaged file": ("partner damaged.bvh -o out/p.bvh", r"damaged\.bvh, line \d+: .*expected"),
    "no arms": ("partner armless.bvh -o out/p.bvh", r"armless\.bvh: .*(shoulder|arm|elbow)"),
    "an empty file": ("partner empty.bvh -o out/p.bvh", r"empty\.bvh: empty file, .*expected"),
    "a folder": ("partner out -o out/p.bvh", r"out: a file expected, a folder found"),
    "a bad history": ("partner leader.bvh -o out/p.bvh --history empty.bvh", r"empty\.bvh: empty file"),
    "a suffix that is not written": (
        "partner leader.bvh -o out/p.obj",
        r"p\.obj: \.bvh, \.npz, \.csv, \.fbx or \.glb file extension expected",
    ),
    "an FBX leader that is not there": ("partner away.fbx -o out/p.bvh", r"away\.fbx: no such file"),
    "an FBX in a folder": ("partner leader.bvh -o folder.fbx", r"folder\.fbx: a file expected, a folder found"),
    "a folder for a result": ("partner leader.bvh -o folder.bvh", r"folder\.bvh: a file expected, a folder found"),
    "a place that is not there": (
        "partner leader.bvh -o nowhere/p.bvh",
        r"nowhere/p\.bvh: an existing folder expected",
    ),
    "a result with a long name": (f"partner leader.bvh -o {LONG}.bvh", r"\.bvh: a place to write to expected \(.*\)"),
    "a leader with a long name": (f"partner {LONG}.bvh -o out/p.bvh", r"x\.bvh: no such file"),
    "the leader as result": ("partner leader.bvh -o leader.bvh", r"leader\.bvh: .* another OUT expected"),
    "an unknown model": ("partner leader.bvh -o out/p.bvh --model waltz", r"model waltz: no such model, .* expected"),
    "a dancer as partner": (
        "partner leader.bvh -o out/p.bvh --model dance-flow",
        r"model dance-flow: no such model, one of partner-flow, duet-vae, .* expected",
    ),
    "a device with takes": (
        "partner leader.bvh -o out/p.bvh --model mirror --takes 2",
        r"--takes: 1 expected, 2 found: mirror leaves nothing to chance",
    ),
    "a device with a history": (
        "partner leader.bvh -o out/p.bvh --model canon --history partner.bvh",
        r"--history: partner-flow.* expected as the model for it, canon found",
    ),
    "a formation for a model": (
        "partner leader.bvh -o out/p.bvh --formation behind",
        r"--formation: one of unison, .* expected as the model for it, partner-flow found",
    ),
    "a directed device": (
        "partner leader.bvh -o out/p.bvh --model mirror --energy 2",
        r"mirror takes no direction \(energy\): partner-flow expected",
    ),
    "a device with a draft": (
        "partner leader.bvh -o out/p.bvh --model canon --draft pair.npz --redo 1-9",
        r"canon takes no direction \(redo, draft\): partner-flow expected",
    ),
    "a directed model that takes none": (
        "partner leader.bvh -o out/p.bvh --model duet-vae --place 1 -0.2 -90 --without feet",
        r"duet-vae takes no direction \(place, without\): partner-flow expected",
    ),
    "too much energy": (f"{FLOW} --energy 3", r"energy: a number of 0\.5 to 2 expected, 3\.0 found"),
    "a negative closeness": (f"{FLOW} --closeness -1", r"closeness: a number of 0 to 2 expected, -1\.0 found"),
    "a place in the leader": (f"{FLOW} --place 0 0 90", r"place: 0\.3 to 100 m from the leader expected, 0 found"),
    "an unknown finishing": (f"{FLOW} --without feet nose", r"without: some of seams, .* expected, 'nose' found"),
    "a draft for nothing": (f"{FLOW} --draft pair.npz", r"draft: keep or redo expected with it, neither found"),
    "frames of no draft": (f"{FLOW} --keep 1,5-9", r"keep: a draft expected with it, none found"),
    "a short draft": (
        f"{FLOW} --draft partner.bvh --keep 1",
        r"partner\.bvh: the leader's 90 frames expected, 50",
    ),
    "a short draft of another rate": (
        f"{FLOW} --draft slow_partner.bvh --keep 1",
        r"slow_partner\.bvh: the leader's 1\.48 seconds expected, 0\.84 found",
    ),
    "a missing draft": (f"{FLOW} --draft missing.bvh --keep 1", r"missing\.bvh: no such file"),
    "a draft beside a history": (
        f"{FLOW} --draft pair.npz --redo 1-9 --history partner.bvh",
        r"history and draft: one of them expected, both found",
    ),
    "a place beside a history": (
        f"{FLOW} --place 1 0 0 --history partner.bvh",
        r"place: no history expected beside",
    ),
    "the draft as result": (
        "partner leader.bvh -o pair.npz --model partner-flow --draft pair.npz --redo 1-9",
        r"pair\.npz: .* another OUT expected",
    ),
    "a frame 0": (f"{FLOW} --draft pair.npz --keep 0,3", r"--keep: frames of 1 to 90, .* expected, 0 found"),
    "a frame past the end": (f"{FLOW} --draft pair.npz --keep 3,80-91", r"--keep: frames of 1 to 90, .*, 80-91 found"),
    "no frames": (f"{FLOW} --draft pair.npz --keep last", r"--keep last: frames such as 31,60,121-130 expected"),
    "frames backwards": (f"{FLOW} --draft pair.npz --redo 9-3", r"--redo: frames of 1 to 90, .* expected, 9-3 found"),
    "two things to redo": (f"{FLOW} --draft pair.npz --redo 1-3,5-9", r"--redo 1-3,5-9: one first and one last frame"),
    "a delay for a mirror": (
        "partner leader.bvh -o out/p.bvh --model mirror --delay 3",
        r"--delay: one of canon, question-and-answer expected as the model for it, mirror found",
    ),
    "a delay longer than the dance": (
        "partner leader.bvh -o out/p.bvh --model canon --delay 90 --delay-in frames",
        r"delay: 1 to 89 frames expected, 90 found",
    ),
    "an endless delay": (
        "partner leader.bvh -o out/p.bvh --model canon --delay inf",
        r"delay: a finite number above 0 expected, inf found",
    ),
    "dancers in one place": (
        "partner leader.bvh -o out/p.bvh --model mirror --distance 0",
        r"distance: 0\.3 to 100 m expected, 0 found",
    ),
    "no takes": ("partner leader.bvh -o out/p.bvh --takes 0", r"takes: .*1 to 16 expected, 0 found"),
    "a negative seed": ("partner leader.bvh -o out/p.bvh --seed -1", r"seed: .*0 to .* expected, -1 found"),
    "no rate": ("partner leader.bvh -o out/p.bvh --fps 0", r"leader\.bvh: a frame rate of 1 to .* expected, 0 found"),
    "no address": ("partner leader.bvh -o out/p.bvh --server nonsense", r"--server nonsense: an address such as .*"),
    "a demo of a bad leader": ("demo --leader damaged.bvh --out out/demo", r"damaged\.bvh, line \d+: .*expected"),
    "a demo in a file": ("demo --leader leader.bvh --out empty.bvh", r"empty\.bvh: a folder expected"),
    "a demo with no model": ("demo --out out/demo --model waltz", r"model waltz: no such model"),
    "a video of nobody": ("render missing.bvh -o out/v.mp4", r"missing\.bvh: no such file"),
    "a video of a crowd": ("render pair.npz leader.bvh -o out/v.mp4", r"one or two dancers expected, 3 found"),
    "a video by another name": ("render leader.bvh -o out/v.avi", r"v\.avi: \.mp4 file extension expected"),
    "a video in a folder": ("render leader.bvh -o folder.mp4", r"folder\.mp4: a file expected, a folder found"),
    "a video over its sound": (
        "render leader.bvh --music sound.mp4 -o sound.mp4",
        r"sound\.mp4: .* another OUT expected",
    ),
    "metrics in a folder": ("evaluate --data out --model duet-vae --json out", r"out: a file expected, a folder found"),
    "a plot that is no picture": (
        "evaluate --data out --model duet-vae --plot out/p.txt",
        r"p\.txt: \.png file extension expected",
    ),
    "an evaluation of nothing": ("evaluate --data nowhere --model duet-vae", r"nowhere.*"),
    "an address that is none": ("serve --bind nonsense", r"nonsense.*"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line_and_leaves_nothing(arguments: str, message: str, shelf: Path, tmp_path: Path) -> None:
    for file in shelf.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "out").mkdir()
    (tmp_path / "folder.bvh").mkdir()
    (tmp_path / "folder.fbx").mkdir()
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "sound.mp4").touch()
    before = sorted(tmp_path.rglob("*"))
    result = subprocess.run([*COMMAND, *arguments.split()], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert result.returncode == 2, result.stderr
    assert re.fullmatch(f".*{message}.*\n", result.stderr)
    assert result.stdout == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_corrupt_weights_are_bad_input(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "partner-flow.safetensors"
    weights.write_bytes(b"weights")
    monkeypatch.setenv("PASDEDEUX_WEIGHTS", str(tmp_path))
    result = run("partner", shelf / "leader.bvh", "-o", tmp_path / "p.bvh")
    sentence = f"{weights}: a .safetensors file with weights of partner-flow expected\n"
    assert (result.returncode, result.stdout, result.stderr) == (2, "", sentence)
    assert list(tmp_path.iterdir()) == [weights]


def test_a_server_that_is_away_is_a_fault(shelf: Path, tmp_path: Path) -> None:
    """Not bad input: the same command works once the server is there."""
    result = run("partner", shelf / "leader.bvh", "-o", tmp_path / "p.bvh", "--server", "tcp://127.0.0.1:9")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "tcp://127.0.0.1:9" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_blender_that_fails_is_a_fault(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extension_is_built: None
) -> None:
    monkeypatch.setenv("PASDEDEUX_BLENDER", "false")
    result = run("render", shelf / "leader.bvh", "-o", tmp_path / "v.mp4")
    assert result.returncode == 1
    assert result.stderr == "Blender ended with status 1 before it was done\n"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def extension_is_built() -> None:
    from backend.cli import blender_process

    if not list((blender_process.ROOT / "dist").glob("pas_de_deux-*.zip")):
        pytest.skip("the extension's zip is not built: make extension")


def test_a_blender_that_is_not_there_is_bad_input(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASDEDEUX_BLENDER", "/nowhere/blender")
    result = run("render", shelf / "leader.bvh", "-o", tmp_path / "v.mp4")
    assert result.returncode == 2
    assert re.fullmatch(r"PASDEDEUX_BLENDER=/nowhere/blender: .* expected, no such program\n", result.stderr)


@pytest.mark.parametrize(
    ("number", "status", "message"), [(signal.SIGINT, 130, ["Interrupted"]), (signal.SIGTERM, 143, [])]
)
def test_interrupted_work_leaves_nothing(number: int, status: int, message: list[str], tmp_path: Path) -> None:
    leader, out = tmp_path / "leader.bvh", tmp_path / "out"
    out.mkdir()
    files.write(leader, sample_dance())
    command = [*COMMAND, "partner", str(leader), "-o", str(out / "p.bvh"), "--takes", "16"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: any(out.iterdir()))
        time.sleep(0.3)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == status
    assert [line for line in stderr.splitlines() if not line.endswith(" %")] == message
    assert list(out.iterdir()) == []


def wait_for(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 30.0
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_help_lists_the_commands_that_exist() -> None:
    result = run("--help")
    assert result.returncode == 0
    listed = re.findall(r"• (\w+)", result.stdout)
    assert listed == ["demo", "partner", "dance", "compose", "render", "serve", "keys", "evaluate"]
    for name in listed:
        assert run(name, "--help").returncode == 0
    assert [entry.name for entry in entry_points(group="pasdedeux.commands")] == ["evaluate"]


def test_help_is_quick() -> None:
    code = (
        "import sys; from backend.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'scipy', 'lightning', 'bpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


def test_usage_errors_end_with_two() -> None:
    for arguments in (
        [],
        ["waltz"],
        ["partner"],
        ["partner", "a.bvh"],
        ["partner", "a.bvh", "-o", "b.bvh", "--tak", "3"],
    ):
        result = run(*arguments)
        assert (result.returncode, result.stdout) == (2, "")
        assert "Traceback" not in result.stderr
