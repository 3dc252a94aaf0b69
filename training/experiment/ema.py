"""Exponential moving average (EMA) of a network's weights with a warm-up, and training tasks whose EMA ships."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

import lightning
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training.experiment.fit import BEST

Network = TypeVar("Network", bound=nn.Module)
_IN_CHECKPOINT = "ema.module."
_CONFIG_ENTRY = "network"
"""Entry of a checkpoint with the network's config."""


class Ema(AveragedModel, Generic[Network]):
    """Exponential moving average (EMA) of a network's weights; its `module` is the averaged network.

    Call `update_parameters(network)` after each optimizer step.  decay: the weight of the past in an update, reached
    after a warm-up of smaller ones: (11 + n) / (201 + n) after n updates. `n_averaged.zero_()` begins it all anew.
    """

    module: Network

    def __init__(self, network: Network, decay: float) -> None:
        def update(averaged: Any, current: Any, count: Any) -> None:
            warm = (11.0 + float(count)) / (201.0 + float(count))
            get_ema_multi_avg_fn(min(decay, warm))(averaged, current, count)  # type: ignore[no-untyped-call]

        super().__init__(network, multi_avg_fn=update)
        self.requires_grad_(False)


def ema_state(checkpoint: dict[str, Any]) -> dict[str, Tensor]:
    """Read the averaged network's state dict from the checkpoint of a LightningModule whose `ema` is an `Ema`."""
    state = checkpoint["state_dict"].items()
    return {name.removeprefix(_IN_CHECKPOINT): part for name, part in state if name.startswith(_IN_CHECKPOINT)}


class EmaTask(lightning.LightningModule, Generic[Network]):
    """LightningModule of a network, with a dataclass `config`, and the EMA of its weights, which ships."""

    def __init__(self, network: Network, decay: float) -> None:
        super().__init__()
        self.network, self.ema = network, Ema(network, decay)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step the optimizer and update the EMA, before any callback saves them."""
        super().optimizer_step(*args, **kwargs)
        self.ema.update_parameters(self.network)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the network's config in the checkpoint."""
        config: Any = self.network.config
        checkpoint[_CONFIG_ENTRY] = asdict(config)

    def load_best(self, out: Path) -> str:
        """Load the averaged weights of a run's best checkpoint into `ema`; returns its step as text."""
        best = torch.load(out / BEST, weights_only=True)
        self.ema.module.load_state_dict(ema_state(best))
        return f"{best['global_step']:,}"


def checkpoint_config(checkpoint: Path) -> dict[str, Any]:
    """Read the network's config from the checkpoint of an `EmaTask`."""
    config: dict[str, Any] = torch.load(checkpoint, weights_only=True)[_CONFIG_ENTRY]
    return config
