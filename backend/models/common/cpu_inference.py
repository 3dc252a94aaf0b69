"""Networks that learn no more, their linear layers packed as the CPU's matrix library (oneDNN) reads them best.

A single take asks for products of a few rows only, in which reading the weights costs more than the sums. Packed they
are read once and in order, and the curve after a layer is drawn while its numbers are at hand. On processors that
multiply bfloat16 by themselves the layers in a network's midst can be halved, which takes two thirds of the time.
"""

from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class PackedLinear(nn.Module):
    """What `linear` gives, and after it GELU's tanh form where `curved`; with two or three digits where `halved`."""

    def __init__(self, linear: nn.Linear, gelu: bool, bfloat16: bool = False) -> None:
        super().__init__()
        self.dtype = torch.bfloat16 if bfloat16 else torch.float32
        # Plain attributes: the packed weights can neither be saved nor moved.
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach().to(self.dtype))
        self.bias = linear.bias.detach().to(self.dtype)
        self.activation: tuple[str, list[float], str] = ("gelu", [], "tanh") if gelu else ("none", [], "")

    def forward(self, rows: Tensor) -> Tensor:
        made: Tensor = torch.ops.mkldnn._linear_pointwise(rows.to(self.dtype), self.weight, self.bias, *self.activation)
        return made.to(rows.dtype)


def pack_linear_layers(network: Network, *, bfloat16: bool = False) -> Network:
    """The network, which is changed, for the CPU alone; left as it is where torch cannot pack.

    Its outputs stay the same but for rounding. It cannot be trained, saved or moved any more.
    halved: whether layers within its parts are; its own, which read and write, never are.
    """
    if not packing_supported():
        return network
    for module in list(network.modules()):
        for (name, child), (following, after) in pairwise([*module.named_children(), ("", None)]):
            if isinstance(child, nn.Dropout):
                setattr(module, name, nn.Identity())
            if not isinstance(child, nn.Linear):
                continue
            curved = isinstance(module, nn.Sequential) and isinstance(after, nn.GELU) and after.approximate == "tanh"
            setattr(module, name, PackedLinear(child, curved, bfloat16 and module is not network))
            if curved:
                setattr(module, following, nn.Identity())
    return network


def packing_supported() -> bool:
    """Whether this torch has what packing takes: builds for some processors have not."""
    try:
        PackedLinear(nn.Linear(2, 2), gelu=True)(torch.zeros(1, 2))
    except (AttributeError, RuntimeError):
        return False
    return True


def bfloat16_supported() -> bool:
    """Whether the processor multiplies bfloat16 by itself: others are slower with it than without."""
    asks = [getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    return any(ask is not None and ask() for ask in asks)
