"""choreo-bridge's training: both modalities' VAEs first, then, with these frozen, the bridging VAE between them.

Both phases are one run of twice as many epochs as the configuration says.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor

from backend.models.choreo_bridge.network import ChoreoBridge, ChoreoBridgeConfig, load, save
from backend.models.choreo_bridge.trained import MODALITIES, NAME
from rigs import Array
from training.choreo_bridge.dataset import BridgeBatch, BridgeBatches, PairWindows, pair_windows
from training.choreo_bridge.evaluate import COLUMNS, error_table, mean_window, relative_error, row_cells
from training.data.music_pairs import Pair, PairSplit, find_pairs, split_pairs
from training.experiment.config import read_config
from training.experiment.fit import LAST, fit
from training.experiment.losses import sliced_wasserstein_distance
from training.experiment.model_card import markdown_table, write_model_card


@dataclass(frozen=True)
class ChoreoBridgeTrainingConfig:
    """The hyperparameters in `configs/choreo-bridge.toml`.

    sum_errors: whether errors are summed over a window, as the KL divergence is over the latent, or averaged.
    kl_weight, bridge_kl_weight: beta of the VAEs and of the bridging VAE.
    wasserstein_weight: of the sliced Wasserstein distance between both modalities' embeddings, over so many random
    `wasserstein_directions`.  epochs: of each phase.
    """

    sum_errors: bool = field(metadata={"key": "summed"})
    kl_weight: float = field(metadata={"key": "divergence"})
    bridge_kl_weight: float = field(metadata={"key": "bridge_divergence"})
    wasserstein_weight: float = field(metadata={"key": "distance"})
    wasserstein_directions: int = field(metadata={"key": "directions"})
    epochs: int
    batch: int
    learning_rate: float = field(metadata={"key": "rate"})
    seed: int


def loss_terms(
    network: ChoreoBridge, batch: BridgeBatch, config: ChoreoBridgeTrainingConfig, step: int, bridge_start: int
) -> dict[str, Tensor]:
    """Weighted loss terms of a step: of both VAEs before the step `bridge_start`, of the bridging VAE from it on.

    The random numbers depend on the seed and the step alone.
    """
    torch.manual_seed(config.seed * 1_000_003 + step)
    return vae_terms(network, batch, config) if step < bridge_start else bridge_terms(network, batch, config)


def vae_terms(network: ChoreoBridge, batch: BridgeBatch, config: ChoreoBridgeTrainingConfig) -> dict[str, Tensor]:
    """Negative ELBO of each modality's VAE: reconstruction error and KL divergence."""
    terms: dict[str, Tensor] = {}
    for modality in MODALITIES:
        vae, windows = network.vae(modality), batch.modality(modality)
        posterior = vae.encode(windows)
        latents = posterior.sample(torch.randn_like(posterior.mean))
        terms[modality] = reconstruction_error(vae.decode(latents), windows, config.sum_errors)
        terms[f"{modality}_divergence"] = config.kl_weight * posterior.kl_divergence().sum(-1).mean()
    return terms


def bridge_terms(network: ChoreoBridge, batch: BridgeBatch, config: ChoreoBridgeTrainingConfig) -> dict[str, Tensor]:
    """Negative ELBO of the bridging VAE on frozen latents, and the distance between both modalities' embeddings."""
    terms: dict[str, Tensor] = {}
    embeddings = []
    for modality in MODALITIES:
        with torch.no_grad():
            latents = network.vae(modality).encode(batch.modality(modality)).mean
        bridge = network.bridge(modality)
        posterior = bridge.encode(latents)
        embeddings.append(posterior.sample(torch.randn_like(posterior.mean)))
        terms[f"{modality}_bridged"] = reconstruction_error(bridge.decode(embeddings[-1]), latents, config.sum_errors)
        terms[f"{modality}_bridge_divergence"] = config.bridge_kl_weight * posterior.kl_divergence().sum(-1).mean()
    directions = torch.nn.functional.normalize(torch.randn(config.wasserstein_directions, network.config.bridge), dim=1)
    distance = sliced_wasserstein_distance(embeddings[0], embeddings[1], directions.to(embeddings[0]))
    terms["distance"] = config.wasserstein_weight * distance
    return terms


def reconstruction_error(reconstructed: Tensor, truth: Tensor, summed: bool) -> Tensor:
    """Squared error of windows (B, ...), averaged over windows: summed over a window's numbers, or averaged."""
    squares = (reconstructed - truth).square().flatten(1)
    return squares.sum(1).mean() if summed else squares.mean()


class ChoreoBridgeTraining(lightning.LightningModule):
    """LightningModule of choreo-bridge."""

    def __init__(
        self,
        network: ChoreoBridge,
        config: ChoreoBridgeTrainingConfig,
        batches: BridgeBatches,
        validation: PairWindows,
    ) -> None:
        super().__init__()
        self.network, self.config = network, config
        self.bridge_start = len(batches) // 2
        self.validation, self.means = validation, mean_window(batches.pairs.windows)

    def training_step(self, batch: BridgeBatch, index: int) -> Tensor:
        """Loss of a step."""
        terms = loss_terms(self.network, batch, self.config, self.global_step, self.bridge_start)
        self.log_dict({f"train/{name}": term for name, term in terms.items()})
        return torch.stack(list(terms.values())).sum()

    def validation_step(self, _: Any, index: int) -> None:
        """The table of the validation pairs."""
        table = error_table(self.network, self.validation, self.means)
        for name, row in table.items():
            self.log(f"validation/{name.replace(': ', '_').replace(' ', '_')}", row.model.error)
        self.log("validation/relative_error", relative_error(table), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam at a constant learning rate."""
        return torch.optim.Adam(self.network.parameters(), lr=self.config.learning_rate)


def training_batches(pairs: PairWindows, config: ChoreoBridgeTrainingConfig) -> BridgeBatches:
    """The batches of both phases."""
    return BridgeBatches(pairs, config.batch, 2 * config.epochs, config.seed)


def train(data: Path, out: Path, config: Path, *, resume: bool, trial: bool = False) -> float:
    """Train on a folder of pairs into a run's folder, and write the weights and their model card there.

    Returns the best validation metric. A `trial` of a hyperparameter sweep ends with that, without weights.
    """
    tables, settings = read_config(config, ChoreoBridgeTrainingConfig)
    split = split_pairs(find_pairs(data), tables["data"]["validation"], tables["data"]["test"])
    torch.manual_seed(settings.seed)
    network = ChoreoBridge(ChoreoBridgeConfig(**tables["network"]))
    joints = network.config.joints
    batches = training_batches(pair_windows(split.train, joints), settings)
    module = ChoreoBridgeTraining(network, settings, batches, pair_windows(split.validation, joints))
    metric = fit(
        module,
        batches,
        out,
        monitor="validation/relative_error",
        validate_every=min(10, settings.epochs),
        clip=0.0,
        resume=resume,
    )
    if not trial:
        write_results(module, split, out, tables)
    return metric


def write_results(module: ChoreoBridgeTraining, split: PairSplit, out: Path, tables: dict[str, Any]) -> None:
    """Write the weights of a finished run, those of its last step as published, and their model card."""
    last = torch.load(out / LAST, weights_only=True)
    module.load_state_dict(last["state_dict"])
    network = module.network.eval().cpu()
    save(out / f"{NAME}.safetensors", network, mean_body(split.train))
    network = load(out / f"{NAME}.safetensors")  # in half precision, as shipped
    table = error_table(network, pair_windows(split.test, network.config.joints), module.means)
    metrics = f"""The published table on the test pairs: mean squared errors of two bars, of full velocity for music and
in m² for dance. Beside the model stand the mean training window, and the model given a window of other music.
Variance is the model output's, as a share of the truth's.

{markdown_table([COLUMNS, *([name, *row_cells(row)] for name, row in table.items())])}"""
    step = f"{last['global_step']:,}, the last of the training"
    write_model_card(out / f"{NAME}.md", tables["card"], network, step, split, metrics)


def mean_body(pairs: Sequence[Pair]) -> Array:
    """Mean bone offsets (29, 3) m of the dancers."""
    return np.asarray(np.mean([pair.dancer.skeleton.offsets for pair in pairs], axis=0))
