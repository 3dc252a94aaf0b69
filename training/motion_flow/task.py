"""Training task of a motion flow: flow matching and joint losses, training rollouts, EMA, and the best weights.

The random numbers of a step depend on the seed and the step alone. In the later part of a training, the EMA network
first generates some blocks near the real ones, and the network learns to continue from there and to return to the real
motion, so that long rollouts do not drift.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from backend.models.motion_flow.conditions import TARGET_DIM, TARGET_HORIZON, MotionCondition, MotionFlowConfig
from backend.models.motion_flow.features import (
    FPS,
    FloorFrame,
    PoseSequence,
    concatenate,
    floor_frame,
    partner_features,
    poses_from_features,
)
from backend.models.motion_flow.network import MotionFlow
from backend.models.motion_flow.sampler import sample_block
from rigs.contacts import FEET
from training.data.duets import DuetSplit
from training.data.music_pairs import PairSplit
from training.experiment.ema import EmaTask, checkpoint_config
from training.experiment.fit import LAST, fit
from training.experiment.model_card import write_model_card
from training.motion_flow.dataset import MotionFlowBatch, MotionFlowTrainingConfig, MotionFlowWindows

_RECOVERY_FRAMES = 20
"""Frames in which a dancer who drifted returns to the real motion."""

Network = TypeVar("Network", bound=MotionFlow)


class Validation(Protocol):
    """Validation on recordings that are not trained on."""

    def metrics(self, network: Any) -> dict[str, float]:
        """Metrics by name; checkpoints are selected by the least "frechet"."""


class MotionFlowTask(EmaTask[Network]):
    """LightningModule of a motion flow: the network, and the exponential moving average (EMA) of its weights."""

    def __init__(self, network: Network, config: MotionFlowTrainingConfig, validation: Validation) -> None:
        super().__init__(network, config.ema_decay)
        self.config, self.validation = config, validation

    def training_step(self, batch: MotionFlowBatch, index: int) -> Tensor:
        """Compute the weighted loss of a step."""
        config, block = self.config, self.network.config.block
        torch.manual_seed(config.seed * 1_000_003 + self.global_step)
        first = 1 + self.network.config.history
        past = batch.poses[1:first]
        if self.global_step > config.rollout_start * config.steps and _with_probability(config.rollout_probability):
            for _ in range(int(torch.randint(1, config.rollout_blocks + 1, ()))):
                generated = self.rollout_block(past, batch, first)
                past, first = concatenate(past[block:], generated), first + block
        elif _with_probability(config.perturb_past):
            past = perturb_past(past)
        terms = self.loss_terms(past, batch, first)
        for name, term in terms.items():
            self.log(f"train/{name}", term)
        return sum((getattr(config, name) * term for name, term in terms.items()), torch.zeros(()))

    def loss_terms(self, past: PoseSequence, batch: MotionFlowBatch, first: int) -> dict[str, Tensor]:
        """Loss terms, by the names of their weights, for a block that begins at the windows' frame `first`.

        "flow" is the flow matching loss, on the velocity that follows from the predicted clean block; the others
        compare joints, and count more the closer the flow time is to the clean block.
        """
        network, config, size, block = self.network, self.config, len(batch.roles), self.network.config.block
        frame = floor_frame(past)
        leader = batch.leader[:, network.config.leader_window(first)]
        past_features, leader_features = network.features(past, batch.offsets, leader, frame)
        noise = config.past_noise * torch.rand(size, 1, 1) * (torch.rand(size, 1, 1) < 0.7)
        before_last = (torch.arange(past_features.shape[1]) < past_features.shape[1] - 2)[:, None]
        noise = noise * before_last  # blocks continue from the last two frames
        past_features = past_features + noise.to(past_features) * torch.randn_like(past_features)
        distance = torch.randint(block - 1, TARGET_HORIZON + 1, (size,)).to(past_features.device)
        with_target = torch.rand(size).to(past_features.device) < config.target_pose
        recovery = torch.where(with_target, distance + 1, _RECOVERY_FRAMES).clamp(max=_RECOVERY_FRAMES)
        truth = self.recovery_target(past, batch, frame, first, recovery)
        clean = network.normalize(truth, frame)
        target = self.target_features(batch, frame, first, distance, with_target)
        joints_before = past[-2:].joint_positions(batch.offsets)
        true_joints = truth.joint_positions(batch.offsets)
        speed = torch.cat([joints_before[:, 1:], true_joints], dim=1).diff(dim=1).norm(dim=-1).mean(dim=(1, 2)) * FPS
        energy = network.energy_condition(speed) * (torch.rand(size, 1) < config.energy_condition).to(clean)
        t = torch.sigmoid(torch.randn(size)).to(clean)
        time = t[:, None, None]
        noisy = time * clean + (1.0 - time) * torch.randn_like(clean)
        leader_mask = self.random_leader_mask(size).to(clean.device)
        predicted = network(noisy, t, past_features, leader_features, batch.roles, leader_mask, target, energy)
        flow = ((predicted - clean).square() / (1.0 - time).clamp_min(0.1) ** 2).mean()
        joints = poses_from_features(network.denormalize(predicted), frame).joint_positions(batch.offsets)
        motion, true_motion = (torch.cat([joints_before, block], dim=1) for block in (joints, true_joints))
        velocity, true_velocity = (part[:, 1:].diff(dim=1) for part in (motion, true_motion))
        acceleration, true_acceleration = (part.diff(n=2, dim=1) for part in (motion, true_motion))
        time_weight = 1.0 + 2.0 * time
        return {
            "flow": flow,
            "position": ((joints - true_joints).norm(dim=-1) * time_weight).mean(),
            "velocity": ((velocity - true_velocity).norm(dim=-1) * time_weight).mean(),
            "acceleration": ((acceleration - true_acceleration).norm(dim=-1) * time_weight).mean(),
            "contact": (velocity[:, :, FEET].norm(dim=-1) * truth.contacts * time_weight).mean(),
            **self.pair_loss_terms(joints, true_joints, batch.leader[:, first : first + block], time_weight),
        }

    def pair_loss_terms(
        self, joints: Tensor, true_joints: Tensor, leader: Tensor, time_weight: Tensor
    ) -> dict[str, Tensor]:
        """Loss terms of a block's joints (B, block, 29, 3) m beside the leader (B, block, ...); by default none.

        time_weight: (B, 1, 1), larger where the block is almost clean.
        """
        return {}

    def recovery_target(
        self, past: PoseSequence, batch: MotionFlowBatch, frame: FloorFrame, first: int, recovery: Tensor
    ) -> PoseSequence:
        """Block to generate after `past`: the real one plus the drift, which fades in `recovery` (B,) frames."""
        block = self.network.config.block
        truth = partner_features(batch.poses[first - 1 : first + block], frame)
        drift = partner_features(past[-1:], frame) - truth[:, :1]
        t = torch.arange(1, block + 1).to(truth) / recovery[:, None]
        remaining = ((1.0 - t).clamp_min(0.0) ** 2)[..., None]
        no_contacts = torch.ones(truth.shape[-1]).to(truth)
        no_contacts[-4:] = 0.0
        return poses_from_features(truth[:, 1:] + remaining * no_contacts * drift, frame)

    def target_features(
        self, batch: MotionFlowBatch, frame: FloorFrame, first: int, distance: Tensor, present: Tensor
    ) -> Tensor:
        """Target pose condition (B, TARGET_DIM): the window's pose `distance` (B,) frames after the block's first."""
        rows = torch.arange(len(distance), device=distance.device)[:, None]
        frames = first + distance[:, None] + torch.arange(2, device=distance.device)
        poses = self.network.normalize(batch.poses.map(lambda part: part[rows, frames]), frame)
        has_velocity = torch.rand(len(distance)).to(distance.device) < 0.5
        return self.network.target_features(poses, distance.float(), has_velocity, present)

    def random_leader_mask(self, size: int) -> Tensor:
        """Condition dropout for classifier-free guidance: (B, leader_blocks) bool, False where a block is hidden.

        Sometimes the whole leader is dropped, sometimes all blocks of the future.
        """
        network_config, config = self.network.config, self.config
        leader_mask = (torch.rand(size, 1) > config.drop_leader).repeat(1, network_config.leader_blocks)
        leader_mask[:, network_config.before + 1 :] &= torch.rand(size, 1) > config.drop_future
        return leader_mask

    @torch.no_grad()
    def rollout_block(self, past: PoseSequence, batch: MotionFlowBatch, first: int) -> PoseSequence:
        """Generate the block from the frame `first` on with the averaged network.

        It starts from noise or, as SDEdit (Meng et al. 2022), from the noised real block, and so stays near that.
        """
        network = self.ema.module.eval()
        size, frame = len(batch.roles), floor_frame(past)
        features = network.features(past, batch.offsets, batch.leader[:, network.config.leader_window(first)], frame)
        recovery = torch.full((size,), _RECOVERY_FRAMES).to(features[0])
        clean = network.normalize(self.recovery_target(past, batch, frame, first, recovery), frame)
        t_start = float(torch.rand(())) * 0.8 if _with_probability(0.7) else 0.0
        noisy = t_start * clean + (1.0 - t_start) * torch.randn_like(clean)
        leader_mask = torch.ones(size, network.config.leader_blocks, dtype=torch.bool, device=clean.device)
        no_target, no_energy = torch.zeros(size, TARGET_DIM).to(clean), torch.zeros(size, 2).to(clean)
        guidance = 1.0 if _with_probability(0.5) else 2.0
        steps = 3 if t_start < 0.4 else 2
        condition = MotionCondition(*features, batch.roles, leader_mask, no_target, no_energy)
        block = sample_block(network, noisy, condition, t_start=t_start, steps=steps, guidance=guidance)
        return poses_from_features(network.denormalize(block), frame)

    def validation_step(self, _: Any, index: int) -> None:
        """Log the averaged network's validation metrics."""
        for name, value in self.validation.metrics(self.ema.module.eval()).items():
            self.log(f"validation/{name}", value, prog_bar=name == "frechet")

    def configure_optimizers(self) -> Any:
        """AdamW with a linear warm-up and cosine decay of the learning rate."""
        config = self.config
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), fused=True)
        warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, total_iters=min(300, config.steps // 10 + 1))
        decay = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimizer, T_max=config.steps, eta_min=0.05 * config.learning_rate
        )
        schedule = torch.optim.lr_scheduler.ChainedScheduler([warm_up, decay])
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def perturb_past(past: PoseSequence) -> PoseSequence:
    """Perturb poses (B, F) at random: move them by some centimetres as a whole, and rotate each joint a little."""
    size, joints = past.rotations.shape[0], past.rotations.shape[-3]
    offset = torch.randn(size, 1, 3).to(past.root) * torch.tensor([0.05, 0.05, 0.015]).to(past.root)
    axes = 0.06 * torch.randn(size, 1, joints, 3).to(past.root) * torch.rand(size, 1, 1, 1).to(past.root)
    return PoseSequence(past.root + offset, torch.linalg.matrix_exp(_skew(axes)) @ past.rotations, past.contacts)


def _skew(axes: Tensor) -> Tensor:
    """Skew-symmetric matrices (..., 3, 3) of vectors (..., 3), whose exponentials are rotations."""
    x, y, z = axes.unbind(dim=-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).reshape(*axes.shape, 3)


def fit_motion_flow(task: MotionFlowTask[Any], windows: MotionFlowWindows, out: Path, *, resume: bool) -> float:
    """Train to the last step; see `training.experiment.fit.fit`."""
    return fit(
        task,
        windows,
        out,
        monitor="validation/frechet",
        validate_every=min(5, task.config.steps // windows.steps_per_epoch),
        clip=task.config.gradient_clip,
        resume=resume,
    )


def network_config(out: Path, tables: dict[str, Any]) -> MotionFlowConfig:
    """Network config of a training: that of the run to resume, or else the [network] table."""
    last = out / LAST
    table = checkpoint_config(last) if last.exists() else tables.get("network", {})
    return MotionFlowConfig.from_table(table)


def save_best(
    task: MotionFlowTask[Network],
    split: DuetSplit | PairSplit,
    out: Path,
    tables: dict[str, Any],
    criterion: str,
    metrics: Callable[[Network], str],
) -> None:
    """Write the averaged weights of the run's best checkpoint, and their model card.

    criterion: what that checkpoint was best at.  metrics: computes the network's metrics, as text and tables.
    """
    step, network = task.load_best(out), task.ema.module
    network.save(out / f"{network.name}.safetensors")
    step = f"{step} of {task.config.steps:,}, which {criterion}"
    write_model_card(out / f"{network.name}.md", tables["card"], network, step, split, metrics(network))


def _with_probability(probability: float) -> bool:
    return float(torch.rand(())) < probability
