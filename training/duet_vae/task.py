"""duet-vae's training: its configuration, augmentation, loss (a weighted ELBO and next-frame errors) and validation."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor

from backend.models.duet_vae.network import DuetVAE, DuetVaeConfig, save
from backend.models.duet_vae.trained import NAME, DuetStatistics
from rigs.skeleton import MIRROR_JOINTS
from training.data.duets import Duet, DuetSplit, DuetWindows, find_duets, split_duets
from training.duet_vae.statistics import measure_statistics, normalize_pairs
from training.duet_vae.validation import HORIZONS, RolloutWindows, horizon_table, rollout_windows, zero_velocity
from training.experiment.config import read_config
from training.experiment.fit import LAST, fit
from training.experiment.model_card import write_model_card


@dataclass(frozen=True)
class DuetVaeTrainingConfig:
    """The hyperparameters in `configs/duet-vae.toml`.

    noise_std: m, standard deviation of the noise on inputs.  drift_probability: that a dancer drifts, see
    `sample_drift`.  drift_correction: share of the drift that the target corrects in a frame.
    error_weight, kl_weight, velocity_weight, reconstruction_weight: of the loss terms, the last one beside the
    next-frame error.  velocity_frames: over which a velocity is taken.
    vae_step_probability: of a step that trains one VAE's ELBO alone.  gradient_clip: the largest gradient norm.
    """

    noise_std: float = field(metadata={"key": "noise"})
    mirror_probability: float = field(metadata={"key": "mirror"})
    drift_probability: float = field(metadata={"key": "wander"})
    drift_correction: float = field(metadata={"key": "back"})
    error_weight: float = field(metadata={"key": "error"})
    kl_weight: float = field(metadata={"key": "divergence"})
    velocity_weight: float = field(metadata={"key": "velocity"})
    velocity_frames: int = field(metadata={"key": "frames"})
    vae_step_probability: float = field(metadata={"key": "rebuild_only"})
    reconstruction_weight: float = field(metadata={"key": "rebuilt"})
    epochs: int
    batch: int
    learning_rate: float = field(metadata={"key": "rate"})
    gradient_clip: float = field(metadata={"key": "clip"})
    seed: int


class DuetVaeTraining(lightning.LightningModule):
    """LightningModule of duet-vae. Each step's random numbers depend on the seed and the step alone."""

    def __init__(
        self,
        network: DuetVAE,
        statistics: DuetStatistics,
        config: DuetVaeTrainingConfig,
        validation: Sequence[Duet],
        steps: int,
    ) -> None:
        super().__init__()
        self.network, self.statistics, self.config, self.steps = network, statistics, config, steps
        self.normalizer = statistics.normalizer
        self.rollouts = RolloutWindows.of(validation, self.network.config.window, HORIZONS[-1], every=5)

    def training_step(self, windows: Tensor, index: int) -> Tensor:
        """Loss of a teacher-forced step on windows (B, 2, window + 1, 29, 3) m."""
        config = self.config
        torch.manual_seed(config.seed * 1_000_003 + self.global_step)
        clean = normalize_pairs(mirror_windows(windows, config.mirror_probability), self.normalizer)
        drift = sample_drift(clean, config.drift_probability)
        noise = config.noise_std * torch.randn_like(clean) / torch.from_numpy(self.normalizer.std).to(clean)
        one, two = (clean + drift + noise)[:, :, :-1].unbind(1)
        truth = (clean + drift)[:, :, :-1]
        if bernoulli(config.vae_step_probability):
            return self.vae_loss(one, two, truth)
        terms = self.loss_terms(one, two, truth, clean[:, :, 1:] + (1.0 - config.drift_correction) * drift[:, :, :-1])
        loss = (
            config.error_weight * (terms["error"] + config.reconstruction_weight * terms["reconstruction"])
            + config.kl_weight * terms["divergence"]
            + config.velocity_weight * terms["velocity"]
        )
        self.log_dict({f"train/{name}": value for name, value in {**terms, "loss": loss}.items()})
        return loss

    def loss_terms(self, one: Tensor, two: Tensor, truth: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Unweighted loss terms.

        one, two: (B, T, 87), each dancer's window.  truth, target: (B, 2, T, 87), the pair now and a frame later.
        """
        out = self.network(one, two, self.network.sample_noise(one))
        predicted, targets = torch.cat([out.one, out.two]), torch.cat([target[:, 0], target[:, 1]])
        reconstructed = torch.stack([out.reconstructed_one, out.reconstructed_two], dim=1)
        return {
            "reconstruction": torch.nn.functional.mse_loss(reconstructed, truth),
            "error": torch.nn.functional.mse_loss(predicted, targets),
            "velocity": velocity_change_loss(predicted, targets, self.config.velocity_frames),
            "divergence": torch.stack([posterior.kl_divergence().sum(-1).mean() for posterior in out.posteriors]).sum(),
        }

    def vae_loss(self, one: Tensor, two: Tensor, truth: Tensor) -> Tensor:
        """Negative ELBO of VAE 1 or of VAE 2, at random, which trains nothing else."""
        dancer = int(bernoulli(0.5))
        poses, vae = (two, self.network.vae_two) if dancer else (one, self.network.vae_one)
        reconstructed, posterior = vae(poses, self.network.sample_noise(poses)[0])
        error = torch.nn.functional.mse_loss(reconstructed, truth[:, dancer])
        self.log("train/vae_reconstruction", error)
        return self.config.error_weight * error + self.config.kl_weight * posterior.kl_divergence().sum(-1).mean()

    def validation_step(self, _: Any, index: int) -> None:
        """Log rollout errors on the validation recordings, and those of the zero-velocity baseline."""
        errors = self.rollouts.errors(rollout_windows(self.network, self.statistics, self.rollouts))
        baseline_errors = self.rollouts.errors(zero_velocity(self.rollouts))
        for horizon in HORIZONS:
            self.log(f"validation/rollout_{horizon}", errors[horizon - 1])
            self.log(f"validation/zero_velocity_{horizon}", baseline_errors[horizon - 1])
        self.log("validation/rollout", errors.mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        """Adam with a cosine schedule."""
        optimizer = torch.optim.Adam(self.network.parameters(), lr=self.config.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def bernoulli(probability: float) -> bool:
    """Sample true with a probability."""
    return bool(torch.rand(()) < probability)


def mirror_windows(windows: Tensor, probability: float) -> Tensor:
    """Mirror augmentation: each of the windows (B, 2, T, 29, 3) with a probability, both dancers, sides swapped."""
    mirrored = windows[..., list(MIRROR_JOINTS), :] * windows.new_tensor([-1.0, 1.0, 1.0])
    mask = torch.rand(len(windows), device=windows.device) < probability
    return torch.where(mask[:, None, None, None, None], mirrored, windows)


def sample_drift(poses: Tensor, probability: float) -> Tensor:
    """Sample a drift like that of a long rollout, to add to `poses` so that the model learns to recover: (B, 2, T, 87).

    It leads a share of the way to the pose of another window, small shares more often, and the share changes linearly
    over the window. At most one dancer of a pair drifts.
    """
    batch, dancers, frames = poses.shape[:3]
    device = poses.device
    difference = poses[torch.randperm(batch, device=device), :, :1] - poses[:, :, :1]
    first, last = torch.rand(2, batch, 1, device=device).square()
    share = torch.lerp(first, last, torch.linspace(0.0, 1.0, frames, device=device))
    share = share * (torch.rand(batch, 1, device=device) < probability)
    dancer = torch.nn.functional.one_hot(torch.randint(0, dancers, (batch,), device=device), dancers)
    return (share[:, None] * dancer[:, :, None])[..., None] * difference


def velocity_change_loss(predicted: Tensor, truth: Tensor, frames: int) -> Tensor:
    """Error of the change of velocity over `frames` frames: mean norm per joint.

    predicted, truth: (B, T, J * 3). It is compared with the truth's own change, so that real movement costs nothing.
    """

    def velocity_change(poses: Tensor) -> Tensor:
        velocity = poses[:, frames:] - poses[:, :-frames]
        return velocity[:, frames:] - velocity[:, :-frames]

    difference = velocity_change(predicted) - velocity_change(truth)
    return torch.linalg.vector_norm(difference.reshape(*difference.shape[:-1], -1, 3), dim=-1).mean()


def train(data: Path, out: Path, config: Path, *, resume: bool, trial: bool = False) -> float:
    """Train on a folder of duets into a run's folder, and write the weights and their model card there.

    Returns the best validation metric. A `trial` of a hyperparameter sweep ends with that, without weights.
    """
    tables, settings = read_config(config, DuetVaeTrainingConfig)
    split = split_duets(find_duets(data), tables["data"]["validation"], tables["data"]["test"])
    torch.manual_seed(settings.seed)
    network = DuetVAE(DuetVaeConfig(**tables.get("network", {})))
    windows = DuetWindows(
        split.train, network.config.window + 1, tables["data"]["stride"], settings.batch, settings.epochs, settings.seed
    )
    module = DuetVaeTraining(
        network, measure_statistics(windows, split.train), settings, split.validation, len(windows)
    )
    metric = fit(
        module,
        windows,
        out,
        monitor="validation/rollout",
        validate_every=2,
        clip=settings.gradient_clip,
        resume=resume,
    )
    if not trial:
        write_results(module, split, out, tables)
    return metric


def write_results(module: DuetVaeTraining, split: DuetSplit, out: Path, tables: dict[str, Any]) -> None:
    """Write the weights of a finished run and their model card.

    They are those of the last step: the ones with the lowest rollout error move the least.
    """
    last = torch.load(out / LAST, weights_only=True)
    module.load_state_dict(last["state_dict"])
    module.network.eval()
    save(out / f"{NAME}.safetensors", module.network, module.statistics)
    metrics = f"""Mean joint position error in centimetres, so many frames (at 30 fps) after 64 given ones, the follower
generated beside the real leader, over the test recordings:

{horizon_table(module.network, module.statistics, split)}"""
    step = f"{last['global_step']:,}, the last of the training"
    write_model_card(out / f"{NAME}.md", tables["card"], module.network, step, split, metrics)
