"""Exponential moving average (EMA) of a network's weights with a warm-up, on torch.optim.swa_utils."""

from typing import Any, Generic, TypeVar

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

Network = TypeVar("Network", bound=nn.Module)
_IN_CHECKPOINT = "ema.module."


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
