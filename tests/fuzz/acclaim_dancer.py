"""A dancer with the bones of CMU's Acclaim skeletons, built for the fuzzer: as short as a humanoid can be written."""

import math

_TRUNK = (
    ("lowerback", "root", (0, 1, 0), 2.0),
    ("upperback", "lowerback", (0, 1, 0), 2.0),
    ("thorax", "upperback", (0, 1, 0), 2.0),
    ("lowerneck", "thorax", (0, 1, 0), 1.6),
    ("upperneck", "lowerneck", (0, 1, 0), 1.6),
    ("head", "upperneck", (0, 1, 0), 1.6),
)
_LIMBS = (
    ("hipjoint", "root", (0.6, -0.7, 0.3), 2.5),
    ("femur", "hipjoint", (0.3, -0.95, 0), 6.6),
    ("tibia", "femur", (0.3, -0.95, 0), 7.9),
    ("foot", "tibia", (0.1, -0.2, 1), 2.3),
    ("toes", "foot", (0, 0, 1), 1.2),
    ("clavicle", "thorax", (0.9, 0.4, 0), 3.8),
    ("humerus", "clavicle", (1, 0, 0), 5.0),
    ("radius", "humerus", (1, 0, 0), 3.5),
    ("wrist", "radius", (1, 0, 0), 1.7),
    ("hand", "wrist", (1, 0, 0), 0.7),
)
_SIDED = {name for name, *_ in _LIMBS}


def acclaim_bones() -> list[tuple[str, str, tuple[float, float, float], float]]:
    """Name, parent, direction and length of each bone."""
    bones: list[tuple[str, str, tuple[float, float, float], float]] = list(_TRUNK)
    for side, sign in (("l", 1), ("r", -1)):
        for name, parent, (x, y, z), length in _LIMBS:
            bones.append((side + name, side + parent if parent in _SIDED else parent, (sign * x, y, z), length))
    return bones


def acclaim_skeleton() -> str:
    """The text of the .asf file."""
    rows = [":version 1.10", ":name VICON", ":units", "  mass 1.0", "  length 0.45", "  angle deg", ":root"]
    rows += ["  order TX TY TZ RX RY RZ", "  axis XYZ", "  position 0 0 0", "  orientation 0 0 0", ":bonedata"]
    for number, (name, _, direction, length) in enumerate(acclaim_bones(), start=1):
        rows += ["  begin", f"    id {number}", f"    name {name}", f"    direction {' '.join(map(str, direction))}"]
        rows += [f"    length {length}", "    axis 0 0 0 XYZ", "    dof rx ry rz", "  end"]
    rows += [":hierarchy", "  begin", *(f"    {parent} {name}" for name, parent, *_ in acclaim_bones()), "  end"]
    return "\n".join(rows) + "\n"


def acclaim_recording(frames: int = 12) -> str:
    """The text of the .amc file: a dancer who sways."""
    rows = ["#!OML:ASF", ":FULLY-SPECIFIED", ":DEGREES"]
    for frame in range(frames):
        swing = 10.0 * math.sin(0.5 * frame)
        rows += [str(frame + 1), f"root {0.1 * frame:.4f} 16.5 0 0 {swing:.4f} 0"]
        rows += [f"{name} {swing:.4f} 0 {-swing / 2:.4f}" for name, *_ in acclaim_bones()]
    return "\n".join(rows) + "\n"
