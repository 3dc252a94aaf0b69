"""BVH files and motions for tests of reading and writing."""

from pathlib import Path

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.files.bvh import bvh
from rigs.files.bvh.bvh_parser import Bvh
from rigs.files.bvh.bvh_writer import format_bvh
from rigs.motion import Motion
from rigs.skeleton import CHILDREN, DEFAULT_SKELETON, JOINTS, PARENTS, Skeleton

TENTH_MILLIMETRE = 1e-4
ZOO = {
    # file: metres per unit, up, fps, the joints it lacks or bends more often than we do
    "AD_cmu1_jumping_jacks": (0.0564, "Y", 30.0, ""),
    "AD_fair1_dab": (0.0354, "Z", 30.0, "spine2"),
    "AD_rokoko_jesse_dance": (0.01, "Y", 100.0, "head"),
    "cmu_daz_60_01": (1.31, "Y", 120.0, "spine2 head bigtoe"),
    "dataset-1_dance-short_normal_001": (0.01, "Y", 30.0, "spine2 head thumb middle bigtoe"),
    "pybvh_bvh_test1": (0.0254, "Z", 30.0, "spine2 thumb"),
    "pybvh_bvh_test2": (0.01, "Y", 120.0, "thumb"),
    "pybvh_standard_skeleton": (0.0254, "Z", 120.0, "thumb"),
}
MIXAMO = {
    "pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck", "jaw": "Head",
    "head": "HeadTop_End", "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase", "bigtoe": "Toe_End",
    "collar": "Shoulder", "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand", "thumb": "HandMiddle1",
    "middle": "HandMiddle4",
}  # fmt: skip
SMALL = """HIERARCHY
ROOT hips
{
  OFFSET 0 90 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT left arm
  {
    OFFSET 10 0 0
    CHANNELS 3 Yrotation Xrotation Zrotation
    End Site
    {
      OFFSET 5 0 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.033333
1 2 3 4 5 6 7 8 9
2 3 4 5 6 7 8 9 10
"""


def dance(frames: int = 40, fps: float = 30.0, seed: int = 1, size: float = 0.4) -> Motion:
    """A smooth movement of all but the leaves, on a body whose left and right differ."""
    generator = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None, None] / fps
    waves = np.sin(time * generator.uniform(1.0, 5.0, (29, 3, 3)) + generator.uniform(0.0, 6.0, (29, 3, 3)))
    turned = rotations.from_rotation_vector(size * waves.sum(axis=-1))
    turned[:, [j for j in range(29) if not CHILDREN[j]]] = rotations.IDENTITY
    offsets = DEFAULT_SKELETON.offsets + generator.normal(0.0, 0.01, (29, 3))
    offsets[0] = 0.0
    offsets[0, 2] = -Skeleton(offsets).rest_positions()[:, 2].min()
    return Motion(fps, Skeleton(offsets), waves[:, 0].mean(axis=-1) + offsets[0], turned)


def mixamo(joint: str) -> str:
    side, _, plain = joint.partition("_")
    return f"mixamorig:{side.capitalize()}{MIXAMO[plain]}" if plain else f"mixamorig:{MIXAMO[joint]}"


def rig_file(path: Path, motion: Motion, *, without: tuple[str, ...] = (), axes: Array | None = None) -> Path:
    """A Mixamo-named BVH of a motion, centimetres and Z up.

    without: joints to leave out; their children hang on the next one up, in the place that they have at rest.
    axes: (29, 4) turns of each bone's own axes, so that the file's rest pose no longer looks like a body.
    """
    axes = rotations.identity(29) if axes is None else axes
    order = [j for j in bvh._depth_first(0) if JOINTS[j] not in without]
    turned = rotations.multiply(kinematics.global_rotations(motion.rotations), axes)
    above = [next((order.index(a) for a in ancestors(j) if a in order), -1) for j in order]
    rest = motion.skeleton.rest_positions()
    angles, offsets = [], []
    for j, parent in zip(order, above, strict=True):
        if parent < 0:
            angles.append(turned[:, j])
            offsets.append(np.zeros(3))
        else:
            angles.append(rotations.multiply(rotations.inverse(turned[:, order[parent]]), turned[:, j]))
            step = rest[j] - rest[order[parent]]
            offsets.append(rotations.rotate(rotations.inverse(axes[order[parent]]), step))
    turns = ("Yrotation", "Xrotation", "Zrotation")
    degrees = np.degrees(rotations.to_euler(np.stack(angles, axis=1), "YXZ")).reshape(len(motion), -1)
    file = Bvh(
        names=tuple(mixamo(JOINTS[j]) for j in order),
        parents=tuple(above),
        offsets=np.array(offsets) * 100.0,
        channels=(("Xposition", "Yposition", "Zposition", *turns), *([turns] * (len(order) - 1))),
        fps=motion.fps,
        values=np.concatenate([motion.root * 100.0, degrees], axis=1),
    )
    path.write_text(format_bvh(file))
    return path


def ancestors(j: int) -> list[int]:
    return [] if PARENTS[j] < 0 else [PARENTS[j], *ancestors(PARENTS[j])]


def largest_rotation(a: Motion, b: Motion) -> float:
    """Degrees."""
    return float(np.degrees(rotations.angle_between(a.rotations, b.rotations).max()))
