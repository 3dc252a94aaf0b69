"""What makes a generated `Motion` stand on its feet: planted feet stay where they are, and nothing sinks."""

from dataclasses import replace

import numpy as np

from rigs import kinematics, rotations
from rigs.body import Body, body_of
from rigs.contacts import floor_height, foot_contacts
from rigs.figure import Figure
from rigs.mapping import map_bones
from rigs.motion import Motion
from rigs.planting import plant
from rigs.rig import Rig
from rigs.skeleton import INDEX, JOINTS, PARENTS, Skeleton

_STILL = 0.3
"""m/s along the floor up to which a low foot is held to rest."""
_BALLS = [INDEX["left_foot"], INDEX["right_foot"]]


def planted(motion: Motion, *, still: float = _STILL) -> Motion:
    """The movement with its resting feet planted, the rest of the body as it is but for the height of the pelvis.

    still: m/s, up to which a low foot counts as resting.
    """
    positions = motion.positions
    figure = Figure(
        fps=motion.fps,
        positions=positions,
        world=kinematics.global_rotations(motion.rotations),
        bends={},
        resting=foot_contacts(positions, motion.fps, speed=still),
        steps=np.broadcast_to(positions[:, _BALLS, :2].mean(axis=0), (len(motion), 2, 2)),
        floor=floor_height(positions) - _toes_at_rest(motion.skeleton),
    )
    done = plant(figure, _body(motion.skeleton))
    return replace(motion, root=done.positions[:, 0], rotations=rotations.near(kinematics.local_rotations(done.world)))


def _body(skeleton: Skeleton) -> Body:
    """Our own skeleton as a rig, whose rest pose is the T-pose itself."""
    heads = skeleton.rest_positions()
    rig = Rig(JOINTS, PARENTS, heads, rotations.identity(29), (True,) * 29, 29)
    return replace(body_of(rig, map_bones(JOINTS, PARENTS, heads)), rest=rotations.identity(29))


def _toes_at_rest(skeleton: Skeleton) -> float:
    """How high the lower end of the toes is above the floor of the T-pose, in m."""
    heads = skeleton.rest_positions()
    return float(min(heads[INDEX[f"{side}_{joint}"], 2] for side in ("left", "right") for joint in ("foot", "bigtoe")))
