"""Foot skating cleanup: feet of a generated dancer that slide although they rest are planted."""

from dataclasses import replace
from functools import cache

import numpy as np

from rigs import kinematics, rotations
from rigs.bone_mapping.bone_map import BoneMap
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.characters.humanoid import Humanoid, humanoid_from_rig
from rigs.characters.posed_humanoid import PosedHumanoid
from rigs.characters.rig import Rig
from rigs.constraints.foot_planting import plant_feet
from rigs.contacts import GENERATED_SPEED, floor_height, foot_contacts
from rigs.motion import Motion
from rigs.post_processing.floor_alignment import rest_toe_height
from rigs.skeleton import BALLS, DEFAULT_SKELETON, JOINTS, PARENTS, Skeleton


def remove_foot_skating(motion: Motion, *, speed: float = GENERATED_SPEED, floor: float | None = None) -> Motion:
    """Plant the resting feet of a motion; of the rest of the body only the height of the pelvis changes.

    speed: m/s along the floor under which a low foot is in contact.  floor: m, the height at which toes rest, if known.
    """
    positions = motion.positions
    ground = floor_height(positions) if floor is None else floor
    posed = PosedHumanoid(
        fps=motion.fps,
        positions=positions,
        world_rotations=kinematics.global_rotations(motion.rotations),
        bend_rotations={},
        foot_contacts=foot_contacts(positions, motion.fps, speed=speed),
        toe_paths=np.broadcast_to(positions[:, BALLS, :2].mean(axis=0), (len(motion), 2, 2)),
        floor=ground - rest_toe_height(motion.skeleton),
    )
    planted = plant_feet(posed, _humanoid(motion.skeleton))
    local = rotations.unroll(kinematics.local_rotations(planted.world_rotations))
    return replace(motion, root=planted.positions[:, 0], rotations=local)


def _humanoid(skeleton: Skeleton) -> Humanoid:
    """Humanoid of our own skeleton, whose rest pose is the T-pose."""
    rig = Rig(JOINTS, PARENTS, skeleton.rest_positions(), rotations.identity(29), (True,) * 29, 29)
    return replace(humanoid_from_rig(rig, _bone_map()), rest_rotations=rotations.identity(29))


@cache
def _bone_map() -> BoneMap:
    """Bone map of our own joints, the same for every skeleton."""
    return map_bones(JOINTS, PARENTS, DEFAULT_SKELETON.rest_positions())
