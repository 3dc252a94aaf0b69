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
from rigs.sample_dance.salsa import sample_dance
from tests.backend.cli.command import COMMAND, SECONDS, dance, run, strides
from tests.rigs.files.smpl.smpl_archives import smpl_dance


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
