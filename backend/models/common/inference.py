"""Inference on an accelerator: its choice, and linear layers packed for the CPU's matrix library (oneDNN).

A single take multiplies matrices of a few rows only, where reading the weights takes longer than the arithmetic. Packed
weights are read once and in order, and the activation is fused with the layer. On processors with native bfloat16 the
inner layers compute in it, in about two thirds of the time.
"""

from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def choose_accelerator(name: str) -> torch.device:
    """Choose the accelerator of this name, for "auto" a GPU where there is one. Sets torch to one thread.

    Frames and blocks depend on each other and are so small that more threads would only wait for each other.
    """
    torch.set_num_threads(1)
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


def prepare_for_inference(network: Network, accelerator: torch.device) -> Network:
    """Move a network to its accelerator; on the CPU pack its linear layers, in bfloat16 where that is native."""
    if accelerator.type == "cpu":
        return pack_linear_layers(network, bfloat16=bfloat16_supported())
    return network.to(accelerator)


class PackedLinear(nn.Module):
    """Linear layer with packed weights, fused with GELU (tanh form) where `gelu`, computed in bfloat16 or float32."""

    def __init__(self, linear: nn.Linear, gelu: bool, bfloat16: bool = False) -> None:
        super().__init__()
        self.dtype = torch.bfloat16 if bfloat16 else torch.float32
        # Plain attributes: the packed weights can neither be saved nor moved.
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach().to(self.dtype))
        self.bias = linear.bias.detach().to(self.dtype)
        self.activation: tuple[str, list[float], str] = ("gelu", [], "tanh") if gelu else ("none", [], "")

    def forward(self, rows: Tensor) -> Tensor:
        """Apply the layer to (..., in_features)."""
        out: Tensor = torch.ops.mkldnn._linear_pointwise(rows.to(self.dtype), self.weight, self.bias, *self.activation)
        return out.to(rows.dtype)


def pack_linear_layers(network: Network, *, bfloat16: bool = False) -> Network:
    """Pack a network's linear layers in place for inference on the CPU; unchanged where torch cannot pack.

    Outputs stay the same up to rounding. The network cannot be trained, saved or moved afterwards.
    bfloat16: whether layers of its submodules compute in bfloat16; its own, the projections in and out, never do.
    """
    if not packing_supported():
        return network
    for module in list(network.modules()):
        for (name, child), (next_name, following) in pairwise([*module.named_children(), ("", None)]):
            if isinstance(child, nn.Dropout):
                setattr(module, name, nn.Identity())
            if not isinstance(child, nn.Linear):
                continue
            gelu = isinstance(following, nn.GELU) and following.approximate == "tanh"
            gelu = gelu and isinstance(module, nn.Sequential)
            setattr(module, name, PackedLinear(child, gelu, bfloat16 and module is not network))
            if gelu:
                setattr(module, next_name, nn.Identity())
    return network


def packing_supported() -> bool:
    """Whether this build of torch can pack linear layers."""
    try:
        PackedLinear(nn.Linear(2, 2), gelu=True)(torch.zeros(1, 2))
    except (AttributeError, RuntimeError):
        return False
    return True


def bfloat16_supported() -> bool:
    """Whether the processor has native bfloat16 arithmetic; on others it is slower than float32."""
    checks = [getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    return any(check is not None and check() for check in checks)
