"""What the score flow is asked for bars of a table: all that is known of them, or their dance alone."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from backend.models.score_flow.bar_features import KINDS
from backend.models.score_flow.network import PHRASE, Asked, ScoreFlow, spread, tempo_of
from training.score_flow.dataset import Table


class Coded(NamedTuple):
    """The codes of a table's bars: means and log variances (N, codes), and which of their numbers count (N, codes)."""

    means: Tensor
    variances: Tensor
    counts: Tensor

    def drawn(self, places: Tensor) -> Tensor:
        """Codes (B, codes) of bars (B,), as uncertain as they are."""
        means = self.means[places]
        return means + torch.randn_like(means) * (self.variances[places] / 2).exp()


@torch.no_grad()
def coded(network: ScoreFlow, table: Table) -> Coded:
    """All bars of a table in the coder's space."""
    parts = [network.coders.encode(*table.heard(places)) for places in torch.split(torch.arange(len(table)), 1024)]
    means, variances = (torch.cat(part) for part in zip(*parts, strict=True))
    coder = network.config.coder
    return Coded(means, variances, spread(table.parts, (coder.drums, coder.pitched)))


def asked_of(
    network: ScoreFlow, table: Table, codes: Coded, places: Tensor, windows: Tensor, read: Tensor | None = None
) -> Asked:
    """All that is known of bars (B,) danced to as in `windows` (B, POSES, TRACK); read: what becomes of those."""
    read = network.read(windows) if read is None else read
    danced = (table.danced[places] >= 0).float()
    past = []
    for back in (table.before[places], table.earlier[places]):
        there = (back >= 0).float()
        past.append((network.normalised(codes.means[back]) * there[:, None] * codes.counts[places], there))
    return Asked(
        read * danced[:, None],
        danced,
        tempo_of(table.seconds[places]),
        network.stirred(windows) * danced[:, None],
        nn.functional.one_hot(table.phrase[places], PHRASE).float(),
        *past[0],
        *past[1],
        table.parts[places],
    )


def by_dance(asked: Asked) -> Asked:
    """The same with nothing known of other bars, nor of the place in a phrase."""
    nothing = torch.zeros_like(asked.follows)
    none = torch.zeros_like(asked.before)
    return asked._replace(phrase=asked.phrase * 0.0, before=none, follows=nothing, earlier=none, recalls=nothing)


def music_of(network: ScoreFlow, table: Table, codes: Coded, places: Tensor) -> Tensor:
    """Bars (B,), each with the one before, in the space that they share with dances: (B, shared)."""
    back = table.before[places]
    before = network.normalised(codes.means[back]) * (back >= 0)[:, None]
    return network.shared_music(before, network.normalised(codes.means[places]), table.parts[places])


def usual_onsets(table: Table) -> Tensor:
    """Logits (16, 84) of each note's beginning in all danced bars whose music has its part."""
    shares = []
    for part, rows in ((0, slice(0, KINDS)), (1, slice(KINDS, None))):
        there = (table.danced >= 0) & (table.parts[:, part] > 0)
        shares.append((table.onset[there][..., rows].float().sum(dim=0) + 0.1) / (there.sum() + 1.0))
    return torch.logit(torch.cat(shares, dim=-1), eps=1e-4)
