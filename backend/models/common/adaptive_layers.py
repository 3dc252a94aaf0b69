"""Layers that flow matching networks share: adaptive layer norm (adaLN) transformer and MLP blocks."""

import torch
from torch import Tensor, nn


class AdaptiveTransformerLayer(nn.Module):
    """Transformer layer with adaptive layer norm (adaLN), whose scales and shifts are computed from the condition.

    Peebles and Xie 2023, without their gates.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = nn.Dropout(dropout)
        self.attention_norm, self.mlp_norm = (nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.modulation = nn.Linear(width, 4 * width)
        self.qkv = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width))

    def forward(self, tokens: Tensor, modulation: Tensor, outputs: int | None = None) -> Tensor:
        """Transform tokens (B, N, width), and return the first `outputs` of them.

        modulation: (B, 1, 4 * width), the output of the layer's `modulation` for the condition.
        """
        attention_scale, attention_shift, mlp_scale, mlp_shift = modulation.chunk(4, dim=-1)
        normed = torch.addcmul(attention_shift, self.attention_norm(tokens), 1 + attention_scale)
        q, k, v = self.qkv(normed).chunk(3, dim=-1)
        q, tokens = q[:, :outputs], tokens[:, :outputs]
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (q, k, v))
        attended = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        tokens = tokens + self.dropout(self.attention_out(attended))
        normed = torch.addcmul(mlp_shift, self.mlp_norm(tokens), 1 + mlp_scale)
        result: Tensor = tokens + self.dropout(self.mlp(normed))
        return result


class AdaptiveMLP(nn.Module):
    """Residual MLP with adaptive layer norm (adaLN): scale, shift and gate are computed from the condition.

    Peebles and Xie 2023.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 3 * width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )

    def forward(self, hidden: Tensor, condition: Tensor) -> Tensor:
        """Transform hidden states (B, width); condition: (B, width)."""
        scale, shift, gate = self.modulation(condition).chunk(3, dim=-1)
        result: Tensor = hidden + gate * self.mlp(torch.addcmul(shift, self.norm(hidden), 1 + scale))
        return result
