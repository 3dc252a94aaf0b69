"""From a dance to its music with the score flow: bars on the dancers' beats, composed one after the other."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from backend.messages import Cancelled, ComposeRequest
from backend.models.bar_coder import Heard
from backend.models.bar_lines import BarLines, lay_bars
from backend.models.dance_views import track_of, two_bars, window_of
from backend.models.deciding import decide
from backend.models.ending import ended
from backend.models.score_flow import BACK, PHRASE, Asked, ScoreFlow, load, tempo_of
from backend.models.score_views import PITCHED, STEPS, Bars, score_of
from backend.models.stage import chosen
from backend.music.score import Score
from rigs import Array

GUIDANCE = 1.5
"""How strongly the music follows the dance."""
AGAIN = 0.6
"""How much of a bar's noise is that of the bar a phrase before, so that phrases are alike."""
_LOWEST_KEY, _KEYS = -4, 9
"""Semitones from C to the lowest key, and how many keys there are."""


class FlowComposer:
    """The trained flow on an accelerator."""

    def __init__(self, weights: Path, accelerator: str) -> None:
        self.accelerator = chosen(accelerator)
        self.network = load(weights).to(self.accelerator)

    def compose(
        self, request: ComposeRequest, progress: Callable[[float, str], None], cancelled: Callable[[], bool]
    ) -> Score:
        """See `Engine.compose`."""
        lines = lay_bars(request.dancers, request.tempo, float(self.network.usual))
        dances = windows_over([track_of(dancer) for dancer in request.dancers], lines).to(self.accelerator)
        drums, pitched = "drums" in request.parts, bool({"bass", "melody"} & set(request.parts))
        parts = torch.tensor([[float(drums), float(pitched)]]).to(self.accelerator)

        def watch(bar: int) -> None:
            if cancelled():
                raise Cancelled
            progress(bar / len(lines.bars), "composing")

        bars = compose_bars(self.network, dances, lines, parts, request.seed, watch)
        key = _LOWEST_KEY + int(np.random.default_rng(request.seed).integers(_KEYS))
        return score_of(ended(bars, lines), lines.seconds, request.parts, lines.pickup, key)


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
    guidance: float = GUIDANCE,
) -> Bars:
    """The bars to the dances (B, D, POSES, TRACK) of D dancers, who count alike; parts: (1, 2) which are played."""
    generator = torch.Generator().manual_seed(seed)
    codes = network.config.coder.codes
    read = network.read(dances.flatten(0, 1)).unflatten(0, dances.shape[:2]).mean(dim=1)
    energy = network.stirred(dances.flatten(0, 1)).unflatten(0, dances.shape[:2]).mean(dim=1)
    windows = np.stack([two_bars(lines.seconds, int(start)) for start in lines.bars])
    tempo = tempo_of(torch.from_numpy(windows[:, -1] - windows[:, STEPS]).float()).to(dances.device)
    held = torch.zeros(1, PITCHED, dtype=torch.bool, device=dances.device)
    made: list[Heard] = []
    known: list[Tensor] = []
    noises: list[Tensor] = []
    one, nothing = torch.ones(1, device=dances.device), torch.zeros(1, codes, device=dances.device)
    for bar in range(len(dances)):
        watch(bar)
        noise = torch.randn(1, codes, generator=generator)
        if bar >= PHRASE:
            noise = AGAIN * noises[bar - PHRASE] + (1.0 - AGAIN**2) ** 0.5 * noise
        noises.append(noise)
        place = torch.tensor([(bar - (lines.pickup > 0)) % PHRASE], device=dances.device)
        past = [(known[bar - back], one) if bar >= back else (nothing, one * 0.0) for back in (1, BACK)]
        asked = Asked(
            read[bar : bar + 1],
            one,
            tempo[bar : bar + 1],
            energy[bar : bar + 1],
            nn.functional.one_hot(place, PHRASE).float(),
            *past[0],
            *past[1],
            parts,
        )
        drawn = network.natural(network.draw(noise.to(dances.device), asked, guidance=guidance))
        chances = network.coders.decode(drawn, held.float()).chances()
        notes, after = decide(chances, held, network.begins, network.sounds)
        known.append(network.normalised(network.coders.encode(notes, held.float())[0]) * _spread(parts, network))
        held = after
        made.append(notes)
    onset, sustain, loud = (torch.cat(rows).cpu().numpy() for rows in zip(*made, strict=True))
    return Bars(onset > 0, sustain > 0, loud)


def _spread(parts: Tensor, network: ScoreFlow) -> Tensor:
    coder = network.config.coder
    return parts.repeat_interleave(torch.tensor([coder.drums, coder.pitched], device=parts.device), dim=1)
