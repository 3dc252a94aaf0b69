"""The command as a shell runs it, and the dances of its tests."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from rigs.motion import Motion, resample
from rigs.sample_dance.salsa import sample_dance

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
