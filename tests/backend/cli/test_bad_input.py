"""Bad input of the command: one line on standard error, exit status 2, and nothing written."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.backend.cli.command import COMMAND

LONG = "x" * 300
FLOW = "partner leader.bvh -o out/p.bvh --model partner-flow"

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
