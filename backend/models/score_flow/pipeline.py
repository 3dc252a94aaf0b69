"""From a dance to its music with the score flow: bars on the dancers' beats, composed one after the other."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from backend.models.common.world_frame import chosen
from backend.models.score_flow.bar_features import PARTS, PITCHED, STEPS, Bars, score_of
from backend.models.score_flow.bar_ranking import Choice, danced, swelled
from backend.models.score_flow.bar_vae import Heard
from backend.models.score_flow.beat_grid import BarLines, lay_bars
from backend.models.score_flow.cadence import ended
from backend.models.score_flow.dance_features import track_of, two_bars, window_of
from backend.models.score_flow.network import BACK, PHRASE, Asked, ScoreFlow, load, spread, tempo_of
from backend.models.score_flow.note_decoding import decide
from backend.music.score import Score
from backend.wire.messages import Cancelled, ComposeRequest
from rigs import Array

GUIDANCE = 1.5
"""How strongly the music follows the dance."""
CALM = 0.8
"""Of the noise that was learnt: with less, bars are more usual ones."""
_STEADY = (0.85, 0.4)
"""How much of a bar's noise is that of the piece, of drums and of all others, so that a groove stays what it is."""
_AGAIN = 0.6
"""How much of the rest is that of the bar a phrase before, so that phrases are alike."""
TAKES = 6
"""Pieces that are composed at once, of which the best is kept."""
TRIED = 8
"""Bars that are drawn for each that is taken, the one that answers the dance best."""
_LOWEST_KEY, _KEYS = -4, 9
"""Semitones from C to the lowest key, and how many keys there are."""


class Takes(NamedTuple):
    """Several pieces for a dance, without an end and in C major or A minor; by what one is chosen; where bars lie."""

    bars: list[Bars]
    choice: Choice
    lines: BarLines


class FlowComposer:
    """The trained flow on an accelerator."""

    def __init__(self, weights: Path, accelerator: str) -> None:
        self.accelerator = chosen(accelerator)
        self.network = load(weights).to(self.accelerator)

    def compose(
        self, request: ComposeRequest, progress: Callable[[float, str], None], cancelled: Callable[[], bool]
    ) -> Score:
        """See `Engine.compose`."""
        return piece_of(self.takes(request, progress, cancelled), request)

    def takes(
        self, request: ComposeRequest, progress: Callable[[float, str], None], cancelled: Callable[[], bool]
    ) -> Takes:
        """All that is composed for a request."""
        lines = lay_bars(request.dancers, request.tempo, float(self.network.usual))
        dances = windows_over([track_of(dancer) for dancer in request.dancers], lines).to(self.accelerator)
        drums, pitched = "drums" in request.parts, bool({"bass", "melody"} & set(request.parts))
        parts = torch.tensor([[float(drums), float(pitched)]]).to(self.accelerator)

        def watch(bar: int) -> None:
            if cancelled():
                raise Cancelled
            progress(bar / len(lines.bars), "composing")

        plays = torch.tensor([float(part in request.parts) for part in PARTS])
        choice = Choice(danced(request.dancers, lines), self.network.density.cpu(), plays, TAKES)
        return Takes(compose_bars(self.network, dances, lines, parts, request.seed, watch, choice), choice, lines)


def piece_of(takes: Takes, request: ComposeRequest, *, ends: bool = True) -> Score:
    """The best of the takes as a score, in a key that the seed chooses; ends: on the tonic, or it breaks off."""
    bars, lines = swelled(takes.bars[takes.choice.take()], takes.choice.dance), takes.lines
    whole = ended(bars, lines) if ends else bars
    return score_of(whole, lines.seconds, request.parts, lines.pickup, key_by(request.seed))


def key_by(seed: int) -> int:
    """Semitones from C major or A minor to the key that a seed chooses."""
    return _LOWEST_KEY + int(np.random.default_rng(seed).integers(_KEYS))


def windows_over(tracks: Sequence[Array], lines: BarLines) -> Tensor:
    """(B, D, POSES, TRACK): the dances of D dancers to each bar and the one before."""
    over = [two_bars(lines.seconds, int(start)) for start in lines.bars]
    return torch.from_numpy(np.stack([[window_of(track, seconds) for track in tracks] for seconds in over]))


@torch.no_grad()
def compose_bars(
    network: ScoreFlow,
    dances: Tensor,
    lines: BarLines,
    parts: Tensor,
    seed: int,
    watch: Callable[[int], None],
    choice: Choice | None = None,
) -> list[Bars]:
    """Takes of the bars to the dances (B, D, POSES, TRACK) of D dancers, who count alike.

    parts: (1, 2) which are played.  watch: is told the bar that is begun.
    choice: chooses each bar of each take; without it the one take has the first that comes.
    """
    takes, tried = (len(choice.loud), TRIED) if choice else (1, 1)
    generator = torch.Generator().manual_seed(seed)
    codes = network.config.coder.codes
    alike = range(dances.shape[1])
    read = torch.stack([network.read(dances[:, n]) for n in alike]).mean(dim=0)
    energy = torch.stack([network.stirred(dances[:, n]) for n in alike]).mean(dim=0)
    windows = np.stack([two_bars(lines.seconds, int(start)) for start in lines.bars])
    tempo = tempo_of(torch.from_numpy(windows[:, -1] - windows[:, STEPS]).float()).to(dances.device)
    held = torch.zeros(takes, PITCHED, dtype=torch.bool, device=dances.device)
    made: list[Heard] = []
    known: list[Tensor] = []
    noises: list[Tensor] = []
    counts = spread(parts, (network.config.coder.drums, network.config.coder.pitched))
    piece = torch.randn(takes, 1, codes, generator=generator)
    steady = spread(torch.tensor([_STEADY]), (network.config.coder.drums, network.config.coder.pitched))
    one, nothing = torch.ones(takes, device=dances.device), torch.zeros(takes, codes, device=dances.device)
    for bar in range(len(dances)):
        watch(bar)
        fresh = torch.randn(takes, tried, codes, generator=generator)
        if bar >= PHRASE:
            fresh = mixed(_AGAIN, noises[bar - PHRASE][:, None], fresh)
        noise = (CALM * mixed(steady, piece, fresh)).flatten(0, 1).to(dances.device)
        place = torch.tensor([(bar - (lines.pickup > 0)) % PHRASE], device=dances.device)
        past = [(known[bar - back], one) if bar >= back else (nothing, one * 0.0) for back in (1, BACK)]
        asked = Asked(
            read[bar].expand(takes, -1),
            one,
            tempo[bar].expand(takes, -1),
            energy[bar].expand(takes, -1),
            nn.functional.one_hot(place, PHRASE).float().expand(takes, -1),
            *past[0],
            *past[1],
            parts.expand(takes, -1),
        )
        drawn = network.natural(network.draw(noise, asked.each(tried), guidance=GUIDANCE))
        before = held.repeat_interleave(tried, dim=0)
        chances = network.coders.decode(drawn, before.float()).chances()
        notes, after = decide(chances, before, network.begins, network.sounds)
        taken = choice.best(Heard(*(part.cpu() for part in notes))) if choice else torch.arange(1)
        noises.append(fresh.flatten(0, 1)[taken])
        notes = Heard(*(part[taken] for part in notes))
        known.append(network.normalised(network.coders.encode(notes, held.float())[0]) * counts)
        held = after[taken]
        made.append(notes)
    onset, sustain, loud = (torch.stack(rows, dim=1).cpu().numpy() for rows in zip(*made, strict=True))
    return [Bars(onset[take] > 0, sustain[take] > 0, loud[take]) for take in range(takes)]


def mixed(part: float | Tensor, one: Tensor, other: Tensor) -> Tensor:
    """Noise of which so much is one and the rest another, as loud as either."""
    made: Tensor = part * one + (1.0 - part**2) ** 0.5 * other
    return made
