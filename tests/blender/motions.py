"""Movements and readings that several of these tests need."""

from typing import Any

import bpy
import numpy as np

from rigs import Array, rotations
from rigs.motion import Motion
from rigs.skeleton import DEFAULT_SKELETON, JOINTS, Skeleton

TENTH_OF_A_MILLIMETRE = 1e-4


def random_motion(frames: int = 40, fps: float = 30.0, seed: int = 0, skeleton: Skeleton = DEFAULT_SKELETON) -> Motion:
    """A dancer all of whose joints turn smoothly to anywhere while the pelvis wanders."""
    random = np.random.default_rng(seed)
    turning = np.cumsum(random.normal(0.0, 0.1, (frames, 29, 3)), axis=0)
    walking = np.cumsum(random.normal(0.0, 0.02, (frames, 3)), axis=0) + skeleton.offsets[0]
    return Motion(fps, skeleton, walking, rotations.from_rotation_vector(turning))


def swaying_motion(frames: int = 60, fps: float = 30.0, place: float = 0.0) -> Motion:
    """A dancer who stands on the floor `place` m to the left of the middle, bends a knee and swings the arms."""
    beat = np.sin(np.arange(frames) / fps * 2.0 * np.pi)
    turning = np.zeros((frames, 29, 3))
    turning[:, JOINTS.index("left_shoulder"), 1] = 1.1 + 0.4 * beat
    turning[:, JOINTS.index("right_shoulder"), 1] = -1.1 + 0.4 * beat
    turning[:, JOINTS.index("pelvis"), 2] = 0.5 * beat
    root = np.tile(DEFAULT_SKELETON.offsets[0] + np.array([place, 0.0, 0.0]), (frames, 1))
    return Motion(fps, DEFAULT_SKELETON, root, rotations.from_rotation_vector(turning))


def seen(dancer: bpy.types.Object, frame: int) -> Array:
    """Where Blender shows the joints (29, 3) in a frame."""
    bpy.context.scene.frame_set(frame)
    shown = dancer.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([shown.matrix_world @ shown.pose.bones[joint].head for joint in JOINTS])


def max_joint_error(dancer: bpy.types.Object, motion: Motion, first: int = 1, every: int = 7) -> float:
    """The greatest distance (m) between where Blender shows a joint and where the motion has it."""
    frames = range(0, len(motion), every)
    return max(float(np.abs(seen(dancer, first + f) - motion.positions[f]).max()) for f in frames)


def sequencer_strips(scene: bpy.types.Scene) -> list[Any]:
    """The strips in a scene's sequencer, as each Blender calls them."""
    editor = scene.sequence_editor
    return list(editor.strips if hasattr(editor, "strips") else editor.sequences) if editor else []


def strip_frames(strip: Any) -> tuple[int, int]:
    """A strip's first frame, and how many it has."""
    if hasattr(strip, "left_handle"):
        return strip.left_handle, strip.duration
    return strip.frame_final_start, strip.frame_final_duration
