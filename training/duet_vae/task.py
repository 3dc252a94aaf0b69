"""The training of the duet model: its plan, its loss, and the rollout error that its curves show."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor

from backend.models.duet_vae.checkpoint import TrainedDuet, save
from backend.models.duet_vae.network import NAME, DuetConfig, DuetVAE, Normalisation, place
from backend.models.duet_vae.rollout import GROUPS, HIPS, Poses
from rigs.contacts import floor_height
from rigs.files import BadFile
from training.data.duets import Duet, DuetSplit, DuetWindows, find_duets, split_duets
from training.duet_vae import losses
from training.duet_vae.augmentation import chance, mirror_some, wander
from training.duet_vae.validation import HORIZONS, Starts, horizon_table, rolled_out, zero_velocity
from training.experiment.config import read_config
from training.experiment.fit import fit
from training.experiment.model_card import write_model_card


@dataclass(frozen=True)
class DuetVaeTrainingConfig:
    """What `configs/duet-vae.toml` says of augmentation, loss and optimisation."""

    noise: float
    mirror: float
    wander: float
    back: float
    error: float
    divergence: float
    velocity: float
    frames: int
    rebuild_only: float
    rebuilt: float
    epochs: int
    batch: int
    rate: float
    clip: float
    seed: int


class DuetTraining(lightning.LightningModule):
    """One network on its way from first to last step. Every step's randomness is a function of seed and step."""

    def __init__(
        self, trained: TrainedDuet, plan: DuetVaeTrainingConfig, validation: Sequence[Duet], steps: int
    ) -> None:
        super().__init__()
        self.trained, self.plan, self.steps = trained, plan, steps
        self.network, self.normalisation = trained.network, trained.normalisation
        self.starts = Starts.of(validation, self.network.config.window, HORIZONS[-1], every=5)

    def training_step(self, windows: Tensor, index: int) -> Tensor:
        """windows: (B, 2, window + 1, 29, 3) m."""
        plan = self.plan
        torch.manual_seed(plan.seed * 1_000_003 + self.global_step)
        clean = placed(mirror_some(windows, plan.mirror), self.normalisation)
        drift = wander(clean, plan.wander)
        noise = plan.noise * torch.randn_like(clean) / self.normalisation.deviation
        one, two = (clean + drift + noise)[:, :, :-1].unbind(1)
        truth = (clean + drift)[:, :, :-1]
        if chance(plan.rebuild_only):
            return self.rebuild(one, two, truth)
        terms = self.terms(one, two, truth, clean[:, :, 1:] + (1.0 - plan.back) * drift[:, :, :-1])
        loss = (
            plan.error * (terms["error"] + plan.rebuilt * terms["rebuilt"])
            + plan.divergence * terms["divergence"]
            + plan.velocity * terms["velocity"]
        )
        self.log_dict({f"train/{name}": value for name, value in {**terms, "loss": loss}.items()})
        return loss

    def terms(self, one: Tensor, two: Tensor, truth: Tensor, following: Tensor) -> dict[str, Tensor]:
        """The loss terms of a window (B, T, 87) of each dancer against the pair (B, 2, T, 87) now and a frame on."""
        out = self.network(one, two, self.network.noise(one))
        predicted, wanted = torch.cat([out.one, out.two]), torch.cat([following[:, 0], following[:, 1]])
        return {
            "rebuilt": torch.nn.functional.mse_loss(torch.stack([out.rebuilt_one, out.rebuilt_two], dim=1), truth),
            "error": torch.nn.functional.mse_loss(predicted, wanted),
            "velocity": losses.velocity_change(predicted, wanted, self.plan.frames),
            "divergence": torch.stack([losses.divergence(latent) for latent in out.latents]).sum(),
        }

    def rebuild(self, one: Tensor, two: Tensor, truth: Tensor) -> Tensor:
        """The loss of a step that trains one of VAE 1 and VAE 2, and nothing else, to rebuild its own dancer."""
        dancer = int(chance(0.5))
        poses, vae = (two, self.network.vae_two) if dancer else (one, self.network.vae_one)
        rebuilt, latent = vae(poses, self.network.noise(poses)[0])
        error = torch.nn.functional.mse_loss(rebuilt, truth[:, dancer])
        self.log("train/rebuilt_alone", error)
        return self.plan.error * error + self.plan.divergence * losses.divergence(latent)

    def validation_step(self, _: Any, index: int) -> None:
        """Roll out over the validation takes and compare with standing still."""
        errors = self.starts.errors(rolled_out(self.trained, self.starts))
        still = self.starts.errors(zero_velocity(self.starts))
        for horizon in HORIZONS:
            self.log(f"validation/rollout_{horizon}", errors[horizon - 1])
            self.log(f"validation/zero_velocity_{horizon}", still[horizon - 1])
        self.log("validation/rollout", errors.mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimiser = torch.optim.Adam(self.network.parameters(), lr=self.plan.rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=self.steps)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def placed(windows: Tensor, normalisation: Normalisation) -> Tensor:
    """Windows (B, 2, T, 29, 3) m in their pair's frame, normalised: (B, 2, T, 87)."""
    pair = place(windows[:, 0], HIPS)
    return torch.stack([normalisation.into(pair.into(dancer)) for dancer in windows.unbind(1)], dim=1)


def measure(windows: DuetWindows) -> Normalisation:
    """The mean and the spread of the training windows, both dancers together, each pair in its frame."""
    poses = torch.cat([_in_pair_frame(windows.window(i)[None]).flatten(0, 2) for i in range(len(windows.window_starts))])
    return Normalisation(poses.mean(0), poses.std(0).clamp_min(0.02))


def _in_pair_frame(pair: Tensor) -> Tensor:
    """(B, 2, T, 29, 3) in the world to (B, 2, T, 87) in the pair's frame, in metres."""
    coordinates = pair.shape[-2] * pair.shape[-1]
    return placed(pair, Normalisation(torch.zeros(coordinates), torch.ones(coordinates)))


def facing_starts(duets: Sequence[Duet], every: int = 8) -> Tensor:
    """Moments in which the dancers stand face to face at arm's length: (N, 2, 29, 3) m, each in its pair's frame."""
    moments = torch.cat([torch.from_numpy(duet.positions()[:, ::every]).float().transpose(0, 1) for duet in duets])
    across = moments[:, 1, 0, :2] - moments[:, 0, 0, :2]
    apart = torch.linalg.vector_norm(across, dim=-1)
    towards = torch.nn.functional.normalize(across, dim=-1)
    ahead = torch.stack([_facing(moments[:, dancer]) for dancer in (0, 1)])
    facing = ((ahead[0] * towards).sum(-1) > 0.8) & ((ahead[1] * -towards).sum(-1) > 0.8)
    chosen = moments[facing & (apart > 0.6) & (apart < 1.1)]
    if len(chosen) == 0:
        raise BadFile("no moment is left in which the dancers face each other at 0.6 to 1.1 m, which a start needs")
    return _in_pair_frame(chosen[:, :, None]).reshape(chosen.shape)


def _facing(poses: Tensor) -> Tensor:
    """The way (B, 2) that poses (B, 29, 3) face on the floor."""
    left = poses[:, HIPS[0], :2] - poses[:, HIPS[1], :2]
    return torch.nn.functional.normalize(torch.stack([left[:, 1], -left[:, 0]], dim=-1), dim=-1)


def bodies(duets: Sequence[Duet]) -> Tensor:
    """The rest offsets of the leader and the follower, averaged over the recordings: (2, 29, 3) m."""
    offsets = [[duet.leader.skeleton.offsets, duet.follower.skeleton.offsets] for duet in duets]
    return torch.from_numpy(np.mean(offsets, axis=0)).float()


def floors(duets: Sequence[Duet]) -> Tensor:
    """The heights in m at which the lower foot of the leader and of the follower rests, averaged: (2,)."""
    return torch.tensor([[floor_height(dancer) for dancer in duet.positions()] for duet in duets]).mean(0).float()


def spanned(duets: Sequence[Duet], dancer: int) -> Poses:
    """What the poses of dancer 0, the leader, or 1 span, each taken in its own frame."""
    poses = torch.cat([torch.from_numpy(duet.positions()[dancer]) for duet in duets])[:, None]
    own = place(poses, HIPS).into(poses).flatten(1)
    mean = own.mean(0)
    _, size, directions = torch.linalg.svd(own - mean, full_matrices=False)
    deviations = (size / len(own) ** 0.5).clamp_min(1e-3)
    along = (own - mean) @ directions.T / deviations
    reaches = [torch.quantile(group.norm(dim=-1), 0.99) for group in torch.split(along, list(GROUPS), dim=-1)]
    return Poses(mean.float(), directions.T.float().contiguous(), deviations.float(), torch.stack(reaches).float())


def train(data: Path, out: Path, config: Path, *, resume: bool, trial: bool = False) -> float:
    """Train on a folder of duets into a run's folder and leave the weights there with their card.

    Returns the best validation metric. A `trial` of a hyperparameter sweep ends with that, without weights.
    """
    tables, plan = read_config(config, DuetVaeTrainingConfig)
    split = split_duets(find_duets(data), tables["data"]["validation"], tables["data"]["test"])
    torch.manual_seed(plan.seed)
    network = DuetVAE(DuetConfig(**tables.get("network", {})))
    windows = DuetWindows(
        split.train, network.config.window + 1, tables["data"]["stride"], plan.batch, plan.epochs, plan.seed
    )
    trained = TrainedDuet(
        network,
        measure(windows),
        bodies(split.train),
        floors(split.train),
        (spanned(split.train, 0), spanned(split.train, 1)),
        facing_starts(split.train),
    )
    module = DuetTraining(trained, plan, split.validation, len(windows))
    metric = fit(
        module,
        windows,
        out,
        monitor="validation/rollout",
        steps_per_epoch=windows.steps_per_epoch,
        validate_every=2,
        clip=plan.clip,
        resume=resume,
    )
    if not trial:
        ship(module, split, out, tables)
    return metric


def ship(module: DuetTraining, split: DuetSplit, out: Path, tables: dict[str, Any]) -> None:
    """Write the weights of a finished run and their model card.

    They are those of the last step: by their error alone the best ones would be those that move least.
    """
    last = torch.load(out / "last.ckpt", weights_only=True)
    module.load_state_dict(last["state_dict"])
    module.network.eval()
    save(out / f"{NAME}.safetensors", module.trained)
    figures = f"""Mean distance of a joint from the truth in centimetres, so many frames (at 30 fps) after 64 given
ones, the follower generated beside the real leader, over the test recordings:

{horizon_table(module.trained, split)}"""
    step = f"{last['global_step']:,}, the last of the training"
    write_model_card(out / f"{NAME}.md", tables["card"], module.network, step, split, figures)
