"""From a request to takes with the partner flow: block after block beside the leader, kept on the floor and apart.

In the end the resting feet are planted.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backend.models.duet_partner import Stage, finish, leg
from backend.models.partner_flow import (
    FPS,
    TURNED,
    Dance,
    PartnerFlow,
    dance_of,
    joined,
    leader_features,
    load,
    partner_features,
    place_of,
    place_of_joints,
)
from backend.protocol import Cancelled, PartnerRequest
from rigs import Array, kinematics, rotations
from rigs.contacts import floor_height, foot_contacts
from rigs.finishing import planted
from rigs.motion import Motion, resample
from rigs.skeleton import INDEX, PARENTS, Skeleton

GUIDANCE = 2.0
STEPS = 4
_TOES = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("foot", "bigtoe")]
_LOWERED = 0.7
"""The part of a block's mean height above the floor that is taken away at once."""
_MOST = 0.05
"""m that a block is lowered or raised at most."""
_APART = 0.3
"""m between two pelvises below which the partner gives way."""


class FlowPartner:
    """The trained flow on an accelerator."""

    def __init__(self, weights: Path, accelerator: str) -> None:
        if accelerator == "auto":
            accelerator = "cuda" if torch.cuda.is_available() else "cpu"
        torch.set_num_threads(1)  # blocks come one after the other, each so small that threads would wait for threads
        self.accelerator = torch.device(accelerator)
        self.network = load(weights).to(self.accelerator)

    def takes(
        self,
        request: PartnerRequest,
        progress: Callable[[float, str], None],
        cancelled: Callable[[], bool],
        preview: Callable[[int, int, Motion], None],
    ) -> list[Motion]:
        """See `Engine.partner`."""
        role = 1 if request.role == "follow" else 0
        leader = resample(request.leader, FPS)
        known = self.network.bodies[1 - role].double().cpu().numpy()
        scale = leg(known) / leg(leader.skeleton.offsets)
        floor = float(self.network.floors[1 - role])
        stage = Stage(scale, floor - floor_height(leader.positions) * scale)
        led = stage.into(leader.positions).to(self.accelerator)
        history = None
        if request.history is not None:
            history = resample(request.history, FPS)[: len(leader)]
            past, skeleton = self.past(history, stage), history.skeleton
        else:
            past = self.start(led[0], role)
            skeleton = Skeleton(self.network.bodies[role].double().cpu().numpy()).scaled(1.0 / stage.scale)
        given = 0 if history is None else len(history)
        noise = self.noise(request.seed, request.takes, len(leader) - given)

        def watch(done: int) -> None:
            if cancelled():
                raise Cancelled
            progress((given + done) / len(leader), "dancing")

        offsets = torch.from_numpy(skeleton.offsets * stage.scale).float().to(self.accelerator)
        made = roll_out(self.network, led, given, past, role, offsets, noise, watch)
        takes = []
        for take in range(request.takes):
            one = Dance(made.root[take], made.turned[take], made.contacts[take])
            takes.append(finish(planted(motion_of(one, skeleton, stage, history)), history, request))
        return takes

    def past(self, history: Motion, stage: Stage) -> Dance:
        """The history's last frames as the network sees them; one that is too short stands still before it."""
        frames = np.maximum(np.arange(len(history) - self.network.config.history, len(history)), 0)
        world = kinematics.global_rotations(history.rotations)[frames][:, list(TURNED)]
        contacts = foot_contacts(history.positions, history.fps)[frames]
        return Dance(
            stage.into(history.root)[frames].to(self.accelerator),
            torch.from_numpy(rotations.to_matrix(world)).float().to(self.accelerator),
            torch.from_numpy(contacts).float().to(self.accelerator),
        )

    def start(self, leader: Tensor, role: int) -> Dance:
        """The way to begin that was danced opposite the pose most like the leader's first one, (29, 3) m."""
        here = place_of_joints(leader)
        apart = (self.network.stances[role] - here.into(leader)).norm(dim=-1).mean(dim=-1)
        return dance_of(self.network.starts[role, int(apart.argmin())], here)

    def noise(self, seed: int, takes: int, frames: int) -> Tensor:
        """What the blocks are drawn from (takes, blocks, block, n): a take's own, however many others are asked for."""
        block = self.network.config.block
        shape = (max(0, -(-frames // block)), block, len(self.network.partner_mean))
        generators = [torch.Generator().manual_seed(hash((seed, take)) % 2**63) for take in range(takes)]
        return torch.stack([torch.randn(shape, generator=g) for g in generators]).to(self.accelerator)


@torch.no_grad()
def roll_out(
    network: PartnerFlow,
    leader: Tensor,
    first: int,
    past: Dance,
    role: int,
    offsets: Tensor,
    noise: Tensor,
    watch: Callable[[int], None] = lambda done: None,
) -> Dance:
    """Dance on from the frame `first` of the leader (F, 29, 3) m, as many takes at once as there is noise.

    past: the partner's `history` frames before it.  offsets: (29, 3) m, the partner's bones.
    noise: (takes, blocks, block, n).  Returns the frames from `first` to the leader's last one.
    """
    config, takes = network.config, len(noise)
    block = config.block
    before, frames = 1 + block * config.before, len(leader) - first
    around = torch.arange(first - before, first + noise.shape[1] * block + config.after * block)
    leader = leader[around.clamp(0, len(leader) - 1).to(leader.device)]
    danced = Dance(*(part[None].expand(takes, *part.shape) for part in (past.root, past.turned, past.contacts)))
    rest = danced.joints(offsets)[:, :, _TOES, 2].amin(dim=(1, 2))
    roles = torch.full((takes,), role, device=leader.device)
    for n in range(noise.shape[1]):
        watch(n * block)
        recent = danced[slice(-config.history, None)]
        place = place_of(recent)
        seen = leader[n * block : n * block + before + block * (1 + config.after)]
        own = (partner_features(recent, place) - network.partner_mean) / network.partner_scale
        led = leader_features(seen.expand(takes, -1, -1, -1), place)
        led = (led - network.leader_mean) / network.leader_scale
        drawn = network.draw(noise[:, n], own, led, roles, steps=STEPS, guidance=GUIDANCE)
        drawn = _gone_on(own, drawn) * network.partner_scale + network.partner_mean
        made = _kept_apart(_lowered(dance_of(drawn, place), offsets, rest), seen[before : before + block, 0])
        danced = joined(danced, made)
    return danced[slice(config.history, config.history + frames)]


def _gone_on(past: Tensor, block: Tensor) -> Tensor:
    """The block (B, block, n) begun where the past (B, F, n) leads, the difference fading over its frames."""
    ahead = 2.0 * past[:, -1] - past[:, -2] - block[:, 0]
    fading = (1.0 - torch.arange(block.shape[1]).to(block) / block.shape[1]) ** 2
    return block + ahead[:, None] * fading[:, None]


def _lowered(dance: Dance, offsets: Tensor, rest: Tensor) -> Dance:
    """The dance with its lower foot nearer to where it rests, (B,) m."""
    lowest = dance.joints(offsets)[:, :, _TOES, 2].amin(dim=-1)
    too_high = _LOWERED * (lowest - rest[:, None]).mean(dim=1).clamp(-_MOST, _MOST)
    slowly = torch.linspace(0.0, 1.0, dance.root.shape[1] + 1)[1:].to(too_high)
    down = torch.nn.functional.pad((too_high[:, None] * slowly)[..., None], (2, 0))
    return Dance(dance.root - down, dance.turned, dance.contacts)


def _kept_apart(dance: Dance, leader: Tensor) -> Dance:
    """The dance with its pelvis no nearer to the leader's (F, 3) m than two bodies can be."""
    away = (dance.root - leader)[..., :2]
    distance = away.norm(dim=-1, keepdim=True).clamp_min(1e-3)
    aside = torch.nn.functional.pad((_APART - distance).clamp_min(0.0) * away / distance, (0, 1))
    return Dance(dance.root + aside, dance.turned, dance.contacts)


def motion_of(dance: Dance, skeleton: Skeleton, stage: Stage, history: Motion | None) -> Motion:
    """A take's dance as a Motion in the leader's world, after its history."""
    turned: Array = rotations.from_matrix(dance.turned.double().cpu().numpy())
    world = np.stack([turned[:, TURNED.index(j if j in TURNED else PARENTS[j])] for j in range(29)], axis=1)
    local, root = kinematics.local_rotations(world), stage.out_of(dance.root)
    if history is not None:
        local, root = np.concatenate([history.rotations, local]), np.concatenate([history.root, root])
    return Motion(FPS, skeleton, root, rotations.near(local))
