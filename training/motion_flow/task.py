"""Training of a flow network: the flow's loss and what a body adds to it, rollouts, and an average that ships.

A step is a function of seed and step. In the later part of a training the network first dances some blocks itself, near
what was really danced, and learns to go on from there and to find back, so that it can dance for long.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import lightning
import torch
from torch import Tensor

from backend.models.motion_flow.features import (
    FloorFrame,
    PoseSequence,
    concatenate,
    floor_frame,
    partner_features,
    poses_from_features,
)
from backend.models.motion_flow.network import TARGET_DIM, TARGET_HORIZON, MotionFlow
from rigs.skeleton import INDEX
from training.experiment.ema import Ema
from training.experiment.fit import fit
from training.motion_flow.dataset import MotionFlowBatch, MotionFlowTrainingConfig, MotionFlowWindows

_FEET = [INDEX[name] for name in ("left_ankle", "left_foot", "right_ankle", "right_foot")]
_RECOVERY_FRAMES = 20
"""Frames in which a partner who went astray is to be back."""
_CONFIG_ENTRY = "network"
"""A checkpoint's entry with the network's shape."""


Network = TypeVar("Network", bound=MotionFlow)


class Validation(Protocol):
    """Takes that a network is not trained on."""

    def metrics(self, network: Any) -> dict[str, float]:
        """How well it dances them; of "unlikeness", less is better."""


class MotionFlowTask(lightning.LightningModule, Generic[Network]):
    """One network on its way from first to last step, and the mean of its last ones, which is what ships."""

    def __init__(self, network: Network, plan: MotionFlowTrainingConfig, held_out: Validation) -> None:
        super().__init__()
        self.network, self.config, self.validation = network, plan, held_out
        self.ema = Ema(network, plan.average)

    def training_step(self, batch: MotionFlowBatch, index: int) -> Tensor:
        """One step's loss."""
        plan, config = self.config, self.network.config
        torch.manual_seed(plan.seed * 1_000_003 + self.global_step)
        first = 1 + config.history
        past = batch.poses[slice(1, first)]
        if self.global_step > plan.rolled_from * plan.steps and _with_probability(plan.rolled):
            for _ in range(int(torch.randint(1, plan.rolls + 1, ()))):
                made = self.rollout_block(past, batch, first)
                past, first = concatenate(past[slice(config.block, None)], made), first + config.block
        elif _with_probability(plan.nudged):
            past = perturb_past(past)
        terms = self.loss_terms(past, batch, first)
        for name, term in terms.items():
            self.log(f"train/{name}", term)
        return sum((getattr(plan, name) * term for name, term in terms.items()), torch.zeros(()))

    def loss_terms(self, past: PoseSequence, batch: MotionFlowBatch, first: int) -> dict[str, Tensor]:
        """The parts of the loss for a block that begins in the windows' frame `first`, by their weights' names."""
        network, plan, size, block = self.network, self.config, len(batch.roles), self.network.config.block
        place = floor_frame(past)
        own, led = self.features(network, past, batch, place, first)
        loud = plan.noise * torch.rand(size, 1, 1) * (torch.rand(size, 1, 1) < 0.7)
        quiet = (torch.arange(own.shape[1]) < own.shape[1] - 2)[:, None]  # blocks go on from the last two frames
        own = own + (loud * quiet).to(own) * torch.randn_like(own)
        aims = torch.randint(block - 1, TARGET_HORIZON + 1, (size,)).to(own.device)
        aimed = torch.rand(size).to(own.device) < plan.aimed
        truth = self.recovery_target(
            past, batch, place, first, torch.where(aimed, aims + 1, _RECOVERY_FRAMES).clamp(max=_RECOVERY_FRAMES)
        )
        clean = network.normalize(truth, place)
        goal = self.target_features(batch, place, first, aims, aimed)
        ours_before = past[slice(-2, None)].joint_positions(batch.offsets)
        theirs = truth.joint_positions(batch.offsets)
        speed = torch.cat([ours_before[:, 1:], theirs], dim=1).diff(dim=1).norm(dim=-1).mean(dim=(1, 2)) * 30.0
        energy = network.energy_condition(speed) * (torch.rand(size, 1) < plan.stirred).to(own)
        t = torch.sigmoid(torch.randn(size)).to(clean)
        when = t[:, None, None]
        noisy = when * clean + (1.0 - when) * torch.randn_like(clean)
        found = network(noisy, t, own, led, batch.roles, self.random_leader_mask(size).to(own.device), goal, energy)
        flow = ((found - clean).square() / (1.0 - when).clamp_min(0.1) ** 2).mean()
        ours = poses_from_features(network.denormalize(found), place).joint_positions(batch.offsets)
        motions = [torch.cat([ours_before, joints], dim=1) for joints in (ours, theirs)]
        steps, true_steps = (joints[:, 1:].diff(dim=1) for joints in motions)
        bends, true_bends = (joints.diff(n=2, dim=1) for joints in motions)
        surely = 1.0 + 2.0 * when
        return {
            "flow": flow,
            "position": ((ours - theirs).norm(dim=-1) * surely).mean(),
            "velocity": ((steps - true_steps).norm(dim=-1) * surely).mean(),
            "acceleration": ((bends - true_bends).norm(dim=-1) * surely).mean(),
            "contact": (steps[:, :, _FEET].norm(dim=-1) * truth.contacts * surely).mean(),
            **self.extra_loss_terms(ours, theirs, batch.leader[:, first : first + block], surely),
        }

    def extra_loss_terms(self, ours: Tensor, theirs: Tensor, leader: Tensor, surely: Tensor) -> dict[str, Tensor]:
        """More parts of the loss, of a block's joints (B, block, 29, 3) m beside what leads them (B, block, ...).

        surely: (B, 1, 1), how much a block that is almost clean counts.
        """
        return {}

    def recovery_target(
        self, past: PoseSequence, batch: MotionFlowBatch, place: FloorFrame, first: int, back: Tensor
    ) -> PoseSequence:
        """What is to be danced after `past`: what really was, coming back to it in `back` (B,) frames."""
        block = self.network.config.block
        truth = partner_features(batch.poses[slice(first - 1, first + block)], place)
        astray = partner_features(past[slice(-1, None)], place) - truth[:, :1]
        t = torch.arange(1, block + 1).to(truth) / back[:, None]
        left = ((1.0 - t).clamp_min(0.0) ** 2)[..., None]
        counts = torch.ones(truth.shape[-1]).to(truth)
        counts[-4:] = 0.0  # of the contacts
        return poses_from_features(truth[:, 1:] + left * counts * astray, place)

    def target_features(
        self, batch: MotionFlowBatch, place: FloorFrame, first: int, aims: Tensor, aimed: Tensor
    ) -> Tensor:
        """For each window a pose of it to head for, `aims` (B,) frames after the block's first one."""
        rows = torch.arange(len(aims), device=aims.device)[:, None]
        frames = first + aims[:, None] + torch.arange(2, device=aims.device)
        partner = batch.poses
        ahead = PoseSequence(*(part[rows, frames] for part in (partner.root, partner.rotations, partner.contacts)))
        stepped = torch.rand(len(aims)).to(aims.device) < 0.5
        return self.network.target_features(self.network.normalize(ahead, place), aims.float(), stepped, aimed)

    def random_leader_mask(self, size: int) -> Tensor:
        """Which blocks of the leader are looked at (B, seen): sometimes none, sometimes none that is to come."""
        config, plan = self.network.config, self.config
        heard = (torch.rand(size, 1) > plan.unheard).repeat(1, config.leader_blocks)
        heard[:, config.before + 1 :] &= torch.rand(size, 1) > plan.unforeseen
        return heard

    def features(
        self, network: MotionFlow, past: PoseSequence, batch: MotionFlowBatch, place: FloorFrame, first: int
    ) -> tuple[Tensor, Tensor]:
        """What the network sees, normalised: the past, and the leader around a block that begins in frame `first`."""
        config = network.config
        around = slice(first - 1 - config.before * config.block, first + (1 + config.after) * config.block)
        return network.features(past, batch.offsets, batch.leader[:, around], place)

    @torch.no_grad()
    def rollout_block(self, past: PoseSequence, batch: MotionFlowBatch, first: int) -> PoseSequence:
        """The block that the mean network dances from the frame `first` on, more or less freely (Meng et al. 2022)."""
        network = self.ema.module.eval()
        size, place = len(batch.roles), floor_frame(past)
        own, led = self.features(network, past, batch, place, first)
        back = torch.full((size,), _RECOVERY_FRAMES).to(own)
        clean = network.normalize(self.recovery_target(past, batch, place, first, back), place)
        begin = float(torch.rand(())) * 0.8 if _with_probability(0.7) else 0.0
        noisy = begin * clean + (1.0 - begin) * torch.randn_like(clean)
        heard = torch.ones(size, network.config.leader_blocks, dtype=torch.bool, device=own.device)
        nothing = torch.zeros(size, TARGET_DIM).to(own), torch.zeros(size, 2).to(own)
        guidance = 1.0 if _with_probability(0.5) else 2.0
        drawn = network.sample(
            noisy,
            own,
            led,
            batch.roles,
            heard,
            *nothing,
            t_start=begin,
            steps=3 if begin < 0.4 else 2,
            guidance=guidance,
        )
        return poses_from_features(network.denormalize(drawn), place)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the network's shape with it."""
        checkpoint[_CONFIG_ENTRY] = asdict(self.network.config)

    def on_train_batch_end(self, *_: Any) -> None:
        """Update the exponential moving average (EMA) of the weights."""
        self.ema.update_parameters(self.network)

    def validation_step(self, _: Any, index: int) -> None:
        """Dance the validation takes and compare them with how real dancers dance."""
        for name, value in self.validation.metrics(self.ema.module.eval()).items():
            self.log(f"validation/{name}", value, prog_bar=name == "unlikeness")

    def configure_optimizers(self) -> Any:
        optimiser = torch.optim.AdamW(self.network.parameters(), lr=self.config.rate, betas=(0.9, 0.99), fused=True)
        warm = torch.optim.lr_scheduler.LinearLR(optimiser, 0.01, total_iters=min(300, self.config.steps // 10 + 1))
        cool = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimiser, T_max=self.config.steps, eta_min=0.05 * self.config.rate
        )
        schedule = torch.optim.lr_scheduler.ChainedScheduler([warm, cool])
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def perturb_past(dance: PoseSequence) -> PoseSequence:
    """A past that went a little astray: the whole of it moved by some centimetres and each joint turned a little."""
    size, joints = dance.rotations.shape[0], dance.rotations.shape[-3]
    aside = torch.randn(size, 1, 3).to(dance.root) * torch.tensor([0.05, 0.05, 0.015]).to(dance.root)
    axes = 0.06 * torch.randn(size, 1, joints, 3).to(dance.root) * torch.rand(size, 1, 1, 1).to(dance.root)
    return PoseSequence(dance.root + aside, torch.linalg.matrix_exp(_skew(axes)) @ dance.rotations, dance.contacts)


def _skew(axes: Tensor) -> Tensor:
    x, y, z = axes.unbind(dim=-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).reshape(*axes.shape, 3)


def fit_motion_flow(module: MotionFlowTask[Any], windows: MotionFlowWindows, out: Path, *, resume: bool) -> float:
    """Train to the last step; see `training.experiment.fit.fit`."""
    return fit(
        module,
        windows,
        out,
        monitor="validation/unlikeness",
        steps_per_epoch=windows.steps_per_epoch,
        validate_every=min(5, module.config.steps // windows.steps_per_epoch),
        clip=module.config.clip,
        resume=resume,
    )


def network_config(out: Path, tables: dict[str, Any]) -> dict[str, Any]:
    """The network's shape: the plan's, or that of the run to go on with, which weights may have given."""
    last = out / "last.ckpt"
    shape: dict[str, Any] = (
        torch.load(last, weights_only=True)[_CONFIG_ENTRY] if last.exists() else tables.get("network", {})
    )
    return shape


def _with_probability(probability: float) -> bool:
    return float(torch.rand(())) < probability
