"""What the score flow is asked for bars of a table: all that is known of them, or their dance alone."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from backend.models.score_flow.bar_features import DRUM_ROWS
from backend.models.score_flow.network import PHRASE_BARS, ScoreCondition, ScoreFlow, latent_mask, tempo_condition
from training.score_flow.dataset import BarTable


class BarLatents(NamedTuple):
    """The codes of a table's bars: means and log variances (N, codes), and which of their numbers count (N, codes)."""

    means: Tensor
    log_variances: Tensor
    mask: Tensor

    def sample(self, places: Tensor) -> Tensor:
        """Codes (B, codes) of bars (B,), as uncertain as they are."""
        means = self.means[places]
        return means + torch.randn_like(means) * (self.log_variances[places] / 2).exp()


@torch.no_grad()
def encode_table(network: ScoreFlow, table: BarTable) -> BarLatents:
    """All bars of a table in the coder's space."""
    parts = [network.coders.encode(*table.bars(places)) for places in torch.split(torch.arange(len(table)), 1024)]
    means, variances = (torch.cat(part) for part in zip(*parts, strict=True))
    coder = network.config.coder
    return BarLatents(means, variances, latent_mask(table.parts, (coder.drums, coder.pitched)))


def bar_condition(
    network: ScoreFlow, table: BarTable, codes: BarLatents, places: Tensor, windows: Tensor, read: Tensor | None = None
) -> ScoreCondition:
    """All that is known of bars (B,) danced to as in `windows` (B, POSES, TRACK); read: what becomes of those."""
    read = network.encode_dance(windows) if read is None else read
    danced = (table.window_index[places] >= 0).float()
    past = []
    for back in (table.previous[places], table.repeated[places]):
        there = (back >= 0).float()
        past.append((network.normalize(codes.means[back]) * there[:, None] * codes.mask[places], there))
    return ScoreCondition(
        read * danced[:, None],
        danced,
        tempo_condition(table.seconds[places]),
        network.energy_condition(windows) * danced[:, None],
        nn.functional.one_hot(table.phrase[places], PHRASE_BARS).float(),
        *past[0],
        *past[1],
        table.parts[places],
    )


def dance_only(asked: ScoreCondition) -> ScoreCondition:
    """The same with nothing known of other bars, nor of the place in a phrase."""
    nothing = torch.zeros_like(asked.has_previous)
    none = torch.zeros_like(asked.previous)
    return asked._replace(
        phrase=asked.phrase * 0.0, previous=none, has_previous=nothing, repeated=none, has_repeated=nothing
    )


def embed_table_music(network: ScoreFlow, table: BarTable, codes: BarLatents, places: Tensor) -> Tensor:
    """Bars (B,), each with the one before, in the space that they share with dances: (B, shared)."""
    back = table.previous[places]
    before = network.normalize(codes.means[back]) * (back >= 0)[:, None]
    return network.embed_music(before, network.normalize(codes.means[places]), table.parts[places])


def mean_onset_logits(table: BarTable) -> Tensor:
    """Logits (16, 84) of each note's beginning in all danced bars whose music has its part."""
    shares = []
    for part, rows in ((0, slice(0, DRUM_ROWS)), (1, slice(DRUM_ROWS, None))):
        there = (table.window_index >= 0) & (table.parts[:, part] > 0)
        shares.append((table.onset[there][..., rows].float().sum(dim=0) + 0.1) / (there.sum() + 1.0))
    return torch.logit(torch.cat(shares, dim=-1), eps=1e-4)
