"""Options that direct a partner: frames counted from 1, a draft of any rate, and all of it reaches the engine."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backend.cli.options import DirectionOptions, fit_draft, read_direction
from backend.wire.direction import Direction
from rigs import files
from rigs.motion import Motion, mirror, resample, translate
from rigs.sample_dance.salsa import sample_dance
from tests.backend.conftest import running

SAID = ["--place", "0.8", "-0.2", "-90", "--closeness", "0", "--energy", "1.5", "--without", "feet", "hands"]
HEARD = Direction((0.8, -0.2, -90.0), 0.0, 1.5, (), None, ("feet", "hands"))
CODE = "import sys; from tests.backend.fake_block_dancer import command; sys.exit(command(*sys.argv[1:]))"
# what a worker prints goes to standard error
SERVER = (sys.executable, "-c", "import os; os.dup2(1, 2); from tests.backend.fake_block_dancer import serve; serve()")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a leader at 60 frames a second, 90 of them, and its partner."""
    folder = tmp_path_factory.mktemp("shelf")
    files.write(folder / "leader.bvh", leader())
    files.write(folder / "draft.npz", partner())
    files.write(folder / "pair.npz", [leader(), partner()])
    return folder


def leader() -> Motion:
    return resample(sample_dance(), 60.0, 90)


def partner() -> Motion:
    return translate(mirror(leader()), np.array([0.0, -1.0, 0.0]))


def run(shelf: Path, out: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    given = ["partner", str(shelf / "leader.bvh"), "-o", str(out), "--model", "partner-flow", *options]
    return subprocess.run([sys.executable, "-c", CODE, *given], capture_output=True, text=True, timeout=60)


def test_the_engine_hears_what_is_directed(shelf: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.bvh"
    result = run(shelf, out, *SAID)
    assert (result.returncode, result.stdout) == (0, f"{HEARD}\n{out}\n"), result.stderr


def test_a_backend_hears_what_is_directed(shelf: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.npz"
    with running(*SERVER) as backend:
        assert backend.process.stdout is not None
        result = run(shelf, out, "--server", backend.url, *SAID)
        assert (result.returncode, result.stdout) == (0, f"{out}\n"), result.stderr
        assert backend.process.stdout.readline() == f"{HEARD}\n"
        frames = ["--draft", str(shelf / "draft.npz"), "--keep", "1,9", "--redo", "31-60"]
        assert run(shelf, out, "--server", backend.url, *frames).returncode == 0
        assert backend.process.stdout.readline() == f"{Direction(keep=(0, 8), redo=(30, 59))}\n"
    np.testing.assert_allclose(files.read(out).motions[0].positions, partner().positions, atol=1e-4)


@pytest.mark.parametrize("draft", ["draft.npz", "pair.npz"])
def test_the_draft_reaches_the_engine(draft: str, shelf: Path, tmp_path: Path) -> None:
    """Of two dancers in one file it is the second, as with a history."""
    out = tmp_path / "p.bvh"
    result = run(shelf, out, "--draft", str(shelf / draft), "--keep", "9, 1,4-6,5", "--redo", "31-90")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[0] == str(Direction(keep=(0, 3, 4, 5, 8), redo=(30, 89)))
    noted = [] if draft == "draft.npz" else ["pair.npz: two dancers, the second is taken as the partner"]
    assert result.stderr.splitlines() == noted
    np.testing.assert_allclose(files.read(out).motions[0].positions, partner().positions, atol=1e-3)


def test_a_direction_that_no_model_takes_is_refused_without_torch(shelf: Path, tmp_path: Path) -> None:
    code = "import sys; from backend.cli.main import main; sys.exit(main(sys.argv[1:]) != 2 or 'torch' in sys.modules)"
    given = [
        "partner",
        str(shelf / "leader.bvh"),
        "-o",
        str(tmp_path / "p.bvh"),
        "--model",
        "duet-vae",
        "--energy",
        "2",
    ]
    assert subprocess.run([sys.executable, "-c", code, *given], stderr=subprocess.DEVNULL).returncode == 0


def test_frames_are_counted_from_one() -> None:
    assert read_direction(DirectionOptions(keep="1-3,2,10", redo="10-10"), 10) == Direction(
        keep=(0, 1, 2, 9), redo=(9, 9)
    )
    assert read_direction(DirectionOptions(), 10) == Direction()


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97, 30.0, 50.0, 59.94, 120.0])
@pytest.mark.parametrize("round_to_frames", [np.floor, np.rint, np.ceil])
def test_a_draft_of_another_rate_comes_in_the_leaders(fps: float, round_to_frames: np.ufunc) -> None:
    """However the program that saved it rounds the number of frames that fit into the leader's time."""
    there = resample(partner(), fps, int(round_to_frames(90 / 60.0 * fps)))
    draft = fit_draft(there, leader(), "draft.bvh")
    assert (draft.fps, len(draft)) == (60.0, 90)
    apart = np.linalg.norm(draft.positions - partner().positions, axis=-1)
    assert apart[:85].max() < 0.02


def test_a_rate_that_bvh_has_rounded_leaves_the_draft_as_it_is() -> None:
    rounded = Motion(1.0 / 0.016667, partner().skeleton, partner().root, partner().rotations)
    draft = fit_draft(rounded, leader(), "draft.bvh")
    assert draft.fps == 60.0
    assert np.array_equal(draft.rotations, partner().rotations)


@pytest.mark.parametrize(
    ("frames", "fps", "words"),
    [
        (89, 60.0, "draft.bvh: the leader's 90 frames expected, 89 found"),
        (91, 60.0, "draft.bvh: the leader's 90 frames expected, 91 found"),
        (30, 24.0, "draft.bvh: the leader's 1.48 seconds expected, 1.21 found"),
        (90, 30.0, "draft.bvh: the leader's 1.48 seconds expected, 2.97 found"),
    ],
)
def test_a_draft_of_other_length_is_refused(frames: int, fps: float, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        fit_draft(resample(partner(), fps, frames), leader(), "draft.bvh")
