"""Networks that learn no more, their linear layers packed as the CPU's matrix library (oneDNN) reads them best.

A single take asks for products of a few rows only, in which reading the weights costs more than the sums. Packed they
are read once and in order, and the curve after a layer is drawn while its numbers are at hand.
"""

from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class PackedLinear(nn.Module):
    """What `linear` gives, and after it GELU's tanh form where `curved`."""

    def __init__(self, linear: nn.Linear, curved: bool) -> None:
        super().__init__()
        # Plain attributes: the packed weights can neither be saved nor moved.
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
        self.bias = linear.bias.detach()
        self.after: tuple[str, list[float], str] = ("gelu", [], "tanh") if curved else ("none", [], "")

    def forward(self, rows: Tensor) -> Tensor:
        made: Tensor = torch.ops.mkldnn._linear_pointwise(rows, self.weight, self.bias, *self.after)
        return made


def packed(network: Network) -> Network:
    """The network, which is changed, for the CPU alone; left as it is where torch cannot pack.

    Its outputs stay the same but for rounding. It cannot be trained, saved or moved any more.
    """
    if not can_pack():
        return network
    for module in list(network.modules()):
        for (name, child), (following, after) in pairwise([*module.named_children(), ("", None)]):
            if isinstance(child, nn.Dropout):
                setattr(module, name, nn.Identity())
            if not isinstance(child, nn.Linear):
                continue
            curved = isinstance(module, nn.Sequential) and isinstance(after, nn.GELU) and after.approximate == "tanh"
            setattr(module, name, PackedLinear(child, curved))
            if curved:
                setattr(module, following, nn.Identity())
    return network


def can_pack() -> bool:
    """Whether this torch has what packing takes: builds for some processors have not."""
    try:
        PackedLinear(nn.Linear(2, 2), curved=True)(torch.zeros(1, 2))
    except (AttributeError, RuntimeError):
        return False
    return True
