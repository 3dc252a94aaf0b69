"""Test motions, and readings of the scene that several tests compare with them."""

from typing import Any

import bpy
import numpy as np

from rigs import Array, rotations
from rigs.motion import Motion
from rigs.skeleton import DEFAULT_SKELETON, JOINTS, Skeleton

TENTH_OF_A_MILLIMETRE = 1e-4


def random_motion(frames: int = 40, fps: float = 30.0, seed: int = 0, skeleton: Skeleton = DEFAULT_SKELETON) -> Motion:
    """A motion in which every joint rotates smoothly at random while the pelvis wanders."""
    random = np.random.default_rng(seed)
    rotation_vectors = np.cumsum(random.normal(0.0, 0.1, (frames, 29, 3)), axis=0)
    root = np.cumsum(random.normal(0.0, 0.02, (frames, 3)), axis=0) + skeleton.offsets[0]
    return Motion(fps, skeleton, root, rotations.from_rotation_vector(rotation_vectors))


def swaying_motion(frames: int = 60, fps: float = 30.0, x: float = 0.0) -> Motion:
    """A dancer standing on the floor at `x` m, who sways and swings the arms once a second."""
    sway = np.sin(np.arange(frames) / fps * 2.0 * np.pi)
    rotation_vectors = np.zeros((frames, 29, 3))
    rotation_vectors[:, JOINTS.index("left_shoulder"), 1] = 1.1 + 0.4 * sway
    rotation_vectors[:, JOINTS.index("right_shoulder"), 1] = -1.1 + 0.4 * sway
    rotation_vectors[:, JOINTS.index("pelvis"), 2] = 0.5 * sway
    root = np.tile(DEFAULT_SKELETON.offsets[0] + np.array([x, 0.0, 0.0]), (frames, 1))
    return Motion(fps, DEFAULT_SKELETON, root, rotations.from_rotation_vector(rotation_vectors))


def travelling_motion(frames: int = 60, fps: float = 30.0, x: float = 0.0) -> Motion:
    """The swaying dancer, who goes forth and back as well: nothing about it is doubtful."""
    motion = swaying_motion(frames, fps, x)
    root = motion.root.copy()
    root[:, 1] += 0.2 * np.sin(np.arange(frames) / fps * np.pi)
    return Motion(fps, motion.skeleton, root, motion.rotations)


def joint_positions(dancer: bpy.types.Object, frame: int) -> Array:
    """The joints' evaluated positions (29, 3) m in a frame."""
    bpy.context.scene.frame_set(frame)
    evaluated = dancer.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.matrix_world @ evaluated.pose.bones[joint].head for joint in JOINTS])


def max_joint_error(dancer: bpy.types.Object, motion: Motion, first: int = 1, every: int = 7) -> float:
    """The largest difference (m) between the joints' evaluated positions and the motion's."""
    frames = range(0, len(motion), every)
    return max(float(np.abs(joint_positions(dancer, first + f) - motion.positions[f]).max()) for f in frames)


def sequencer_strips(scene: bpy.types.Scene) -> list[Any]:
    """The strips of a scene's Video Sequencer."""
    editor = scene.sequence_editor
    return list(editor.strips if hasattr(editor, "strips") else editor.sequences) if editor else []


def strip_frames(strip: Any) -> tuple[int, int]:
    """A strip's first frame and its number of frames."""
    if hasattr(strip, "left_handle"):
        return strip.left_handle, strip.duration
    return strip.frame_final_start, strip.frame_final_duration
