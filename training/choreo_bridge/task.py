"""Training of the choreographic bridge: both VAEs first, then, with these as they are, the bridge between them.

Both halves are one run of twice as many epochs as the plan says. A step is a function of seed and step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor

from backend.models.choreo_bridge.network import NAME, SIDES, BridgeConfig, ChoreoBridge, TrainedBridge, load, save
from backend.models.duet_vae.network import Latent
from training.choreo_bridge.dataset import Batch, BridgeWindows, PairWindows, pair_windows
from training.choreo_bridge.evaluate import in_markdown, mean_windows, relative_error, table_of
from training.data.music_pairs import Pair, PairSplit, find_pairs, split_pairs
from training.duet_vae.losses import divergence
from training.experiment.config import read_config
from training.experiment.fit import fit
from training.experiment.model_card import write_model_card


@dataclass(frozen=True)
class ChoreoBridgeTrainingConfig:
    """What `configs/choreo-bridge.toml` says of loss and optimisation."""

    summed: bool
    divergence: float
    bridge_divergence: float
    distance: float
    directions: int
    epochs: int
    batch: int
    rate: float
    seed: int


def step_terms(
    network: ChoreoBridge, batch: Batch, plan: ChoreoBridgeTrainingConfig, step: int, first_of_bridge: int
) -> dict[str, Tensor]:
    """What a step's loss is the sum of, with the plan's weights: that of both VAEs, or later that of the bridge."""
    torch.manual_seed(plan.seed * 1_000_003 + step)
    return vae_terms(network, batch, plan) if step < first_of_bridge else bridge_terms(network, batch, plan)


def vae_terms(network: ChoreoBridge, batch: Batch, plan: ChoreoBridgeTrainingConfig) -> dict[str, Tensor]:
    """Rebuild each side's windows; the two VAEs have nothing in common but the step."""
    terms: dict[str, Tensor] = {}
    for side in SIDES:
        vae, windows = network.vae(side), batch.side(side)
        posterior = vae.encode(windows)
        terms[side] = error(vae.decode(drawn(posterior)), windows, plan.summed)
        terms[f"{side}_divergence"] = plan.divergence * divergence(posterior)
    return terms


def bridge_terms(network: ChoreoBridge, batch: Batch, plan: ChoreoBridgeTrainingConfig) -> dict[str, Tensor]:
    """Rebuild each side's latents, and draw the sides' embeddings together; the VAEs stay as they are."""
    terms: dict[str, Tensor] = {}
    embedded = []
    for side in SIDES:
        with torch.no_grad():
            latents = network.vae(side).encode(batch.side(side)).mean
        bridge = network.bridge(side)
        posterior = bridge.encode(latents)
        embedded.append(drawn(posterior))
        terms[f"{side}_bridged"] = error(bridge.decode(embedded[-1]), latents, plan.summed)
        terms[f"{side}_bridge_divergence"] = plan.bridge_divergence * divergence(posterior)
    directions = torch.nn.functional.normalize(torch.randn(plan.directions, network.config.bridge), dim=1)
    terms["distance"] = plan.distance * sliced_distance(embedded[0], embedded[1], directions.to(embedded[0]))
    return terms


def error(made: Tensor, truth: Tensor, summed: bool) -> Tensor:
    """The squared error of windows (B, ...): of a whole one where `summed`, else of each of its numbers."""
    squares = (made - truth).square().flatten(1)
    return squares.sum(1).mean() if summed else squares.mean()


def drawn(posterior: Latent) -> Tensor:
    """A sample (B, L) of a posterior."""
    return posterior.mean + torch.randn_like(posterior.mean) * torch.exp(0.5 * posterior.log_variance)


def sliced_distance(one: Tensor, two: Tensor, directions: Tensor) -> Tensor:
    """The squared 2-Wasserstein distance of the sets `one` and `two` (B, L), averaged over directions (D, L).

    Along a line the nearest way is that of the ordered points: Bonneel et al. 2015, "Sliced and Radon Wasserstein
    barycenters of measures". Which of `one` belongs to which of `two` does not count.
    """
    ordered = [(points @ directions.T).sort(dim=0).values for points in (one, two)]
    return (ordered[0] - ordered[1]).square().mean()


class BridgeTraining(lightning.LightningModule):
    """One network on its way from first to last step."""

    def __init__(
        self, network: ChoreoBridge, plan: ChoreoBridgeTrainingConfig, windows: BridgeWindows, held: PairWindows
    ) -> None:
        super().__init__()
        self.network, self.plan = network, plan
        self.first_of_bridge = len(windows) // 2
        self.held, self.means = held, mean_windows(windows.windows.windows)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """One step's loss."""
        terms = step_terms(self.network, batch, self.plan, self.global_step, self.first_of_bridge)
        self.log_dict({f"train/{name}": term for name, term in terms.items()})
        return torch.stack(list(terms.values())).sum()

    def validation_step(self, _: Any, index: int) -> None:
        """The table of the validation pairs."""
        found = table_of(self.network, self.held, self.means)
        for name, figures in found.items():
            self.log(f"validation/{name.replace(': ', '_').replace(' ', '_')}", figures.model.error)
        self.log("validation/relative_error", relative_error(found), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.network.parameters(), lr=self.plan.rate)


def batches(pairs: PairWindows, plan: ChoreoBridgeTrainingConfig) -> BridgeWindows:
    """The batches of a whole training: those of both VAEs and then those of the bridge."""
    return BridgeWindows(pairs, plan.batch, 2 * plan.epochs, plan.seed)


def train(data: Path, out: Path, config: Path, *, resume: bool, trial: bool = False) -> float:
    """Train on a folder of pairs into a run's folder and leave the weights there with their card.

    Returns the best validation metric. A `trial` of a hyperparameter sweep ends with that, without weights.
    """
    tables, plan = read_config(config, ChoreoBridgeTrainingConfig)
    split = split_pairs(find_pairs(data), tables["data"]["validation"], tables["data"]["test"])
    torch.manual_seed(plan.seed)
    network = ChoreoBridge(BridgeConfig(**tables["network"]))
    joints = network.config.joints
    windows = batches(pair_windows(split.train, joints), plan)
    module = BridgeTraining(network, plan, windows, pair_windows(split.validation, joints))
    metric = fit(
        module,
        windows,
        out,
        monitor="validation/relative_error",
        steps_per_epoch=windows.steps_per_epoch,
        validate_every=min(10, plan.epochs),
        clip=0.0,
        resume=resume,
    )
    if not trial:
        ship(module, split, out, tables)
    return metric


def ship(module: BridgeTraining, split: PairSplit, out: Path, tables: dict[str, Any]) -> None:
    """Write the weights of a finished run, those of its last step as published, and their model card."""
    last = torch.load(out / "last.ckpt", weights_only=True)
    module.load_state_dict(last["state_dict"])
    network = module.network.eval().cpu()
    save(out / f"{NAME}.safetensors", TrainedBridge(network, mean_body(split.train)))
    network = load(out / f"{NAME}.safetensors").network  # in the halves that ship
    found = table_of(network, pair_windows(split.test, network.config.joints), module.means)
    figures = f"""The published table on the test pairs: mean squared errors of two bars, of full loudness for music and
in m² for dance. Beside the model stand the mean of all training windows, and the model fed a window of other music.
Variance is that of the model's output, of the true one's.

{in_markdown(found)}"""
    step = f"{last['global_step']:,}, the last of the training"
    write_model_card(out / f"{NAME}.md", tables["card"], network, step, split, figures)


def mean_body(pairs: Sequence[Pair]) -> Tensor:
    """The mean rest offsets (29, 3) m of the dancers."""
    return torch.from_numpy(np.mean([pair.dancer.skeleton.offsets for pair in pairs], axis=0)).float()
