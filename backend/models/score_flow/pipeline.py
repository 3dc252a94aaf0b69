"""From a dance to its music with the score flow: bars on the dancers' beats, composed one after the other."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from backend.models.common.inference import choose_accelerator
from backend.models.score_flow.bar_features import BAR_STEPS, PART_SLICES, PITCHED_ROWS, Bars, score_from_bars
from backend.models.score_flow.bar_ranking import BarRanker, apply_dynamics, dance_profile
from backend.models.score_flow.bar_vae import BarTensors
from backend.models.score_flow.beat_grid import BarGrid, fit_bar_grid
from backend.models.score_flow.cadence import add_cadence
from backend.models.score_flow.dance_features import pose_features, pose_window, window_times
from backend.models.score_flow.network import (
    PHRASE_BARS,
    REPEAT_BARS,
    ScoreCondition,
    ScoreFlow,
    latent_mask,
    load,
    tempo_condition,
)
from backend.models.score_flow.note_decoding import decode_notes
from backend.music.score import Score
from backend.wire.messages import Cancelled, ComposeRequest
from rigs import Array

GUIDANCE = 1.5
"""How strongly the music follows the dance."""
TEMPERATURE = 0.8
"""Of the noise that was learnt: with less, bars are more usual ones."""
_STEADY = (0.85, 0.4)
"""How much of a bar's noise is that of the piece, of drums and of all others, so that a groove stays what it is."""
_AGAIN = 0.6
"""How much of the rest is that of the bar a phrase before, so that phrases are alike."""
PARALLEL_TAKES = 6
"""Pieces that are composed at once, of which the best is kept."""
BAR_CANDIDATES = 8
"""Bars that are drawn for each that is taken, the one that answers the dance best."""
_LOWEST_KEY, _KEYS = -4, 9
"""Semitones from C to the lowest key, and how many keys there are."""


class ComposedTakes(NamedTuple):
    """Several pieces for a dance, without an end and in C major or A minor; by what one is chosen; where bars lie."""

    bars: list[Bars]
    ranker: BarRanker
    grid: BarGrid


class ScoreFlowPipeline:
    """The trained flow on an accelerator."""

    def __init__(self, weights: Path, accelerator: str) -> None:
        self.accelerator = choose_accelerator(accelerator)
        self.network = load(weights).to(self.accelerator)

    def compose(
        self, request: ComposeRequest, progress: Callable[[float, str], None], cancelled: Callable[[], bool]
    ) -> Score:
        """See `Engine.compose`."""
        return score_from_takes(self.sample_takes(request, progress, cancelled), request)

    def sample_takes(
        self, request: ComposeRequest, progress: Callable[[float, str], None], cancelled: Callable[[], bool]
    ) -> ComposedTakes:
        """All that is composed for a request."""
        lines = fit_bar_grid(request.dancers, request.tempo, float(self.network.usual))
        dances = dance_windows([pose_features(dancer) for dancer in request.dancers], lines).to(self.accelerator)
        drums, pitched = "drums" in request.parts, bool({"bass", "melody"} & set(request.parts))
        parts = torch.tensor([[float(drums), float(pitched)]]).to(self.accelerator)

        def watch(bar: int) -> None:
            if cancelled():
                raise Cancelled
            progress(bar / len(lines.bar_starts), "composing")

        plays = torch.tensor([float(part in request.parts) for part in PART_SLICES])
        choice = BarRanker(dance_profile(request.dancers, lines), self.network.density.cpu(), plays, PARALLEL_TAKES)
        return ComposedTakes(
            sample_bars(self.network, dances, lines, parts, request.seed, watch, choice), choice, lines
        )


def score_from_takes(takes: ComposedTakes, request: ComposeRequest, *, ends: bool = True) -> Score:
    """The best of the takes as a score, in a key that the seed chooses; ends: on the tonic, or it breaks off."""
    bars, lines = apply_dynamics(takes.bars[takes.ranker.best_take()], takes.ranker.dance), takes.grid
    whole = add_cadence(bars, lines) if ends else bars
    return score_from_bars(whole, lines.seconds, request.parts, lines.pickup, seeded_key(request.seed))


def seeded_key(seed: int) -> int:
    """Semitones from C major or A minor to the key that a seed chooses."""
    return _LOWEST_KEY + int(np.random.default_rng(seed).integers(_KEYS))


def dance_windows(tracks: Sequence[Array], lines: BarGrid) -> Tensor:
    """(B, D, POSES, TRACK): the dances of D dancers to each bar and the one before."""
    over = [window_times(lines.seconds, int(start)) for start in lines.bar_starts]
    return torch.from_numpy(np.stack([[pose_window(track, seconds) for track in tracks] for seconds in over]))


@torch.no_grad()
def sample_bars(
    network: ScoreFlow,
    dances: Tensor,
    lines: BarGrid,
    parts: Tensor,
    seed: int,
    watch: Callable[[int], None],
    ranker: BarRanker | None = None,
) -> list[Bars]:
    """Takes of the bars to the dances (B, D, POSES, TRACK) of D dancers, who count alike.

    parts: (1, 2) which are played.  watch: is told the bar that is begun.
    choice: chooses each bar of each take; without it the one take has the first that comes.
    """
    takes, tried = (len(ranker.loudness), BAR_CANDIDATES) if ranker else (1, 1)
    generator = torch.Generator().manual_seed(seed)
    codes = network.config.coder.latent_dim
    alike = range(dances.shape[1])
    read = torch.stack([network.encode_dance(dances[:, n]) for n in alike]).mean(dim=0)
    energy = torch.stack([network.energy_condition(dances[:, n]) for n in alike]).mean(dim=0)
    windows = np.stack([window_times(lines.seconds, int(start)) for start in lines.bar_starts])
    tempo = tempo_condition(torch.from_numpy(windows[:, -1] - windows[:, BAR_STEPS]).float()).to(dances.device)
    held = torch.zeros(takes, PITCHED_ROWS, dtype=torch.bool, device=dances.device)
    made: list[BarTensors] = []
    known: list[Tensor] = []
    noises: list[Tensor] = []
    counts = latent_mask(parts, (network.config.coder.drums, network.config.coder.pitched))
    piece = torch.randn(takes, 1, codes, generator=generator)
    steady = latent_mask(torch.tensor([_STEADY]), (network.config.coder.drums, network.config.coder.pitched))
    one, nothing = torch.ones(takes, device=dances.device), torch.zeros(takes, codes, device=dances.device)
    for bar in range(len(dances)):
        watch(bar)
        fresh = torch.randn(takes, tried, codes, generator=generator)
        if bar >= PHRASE_BARS:
            fresh = mix_noise(_AGAIN, noises[bar - PHRASE_BARS][:, None], fresh)
        noise = (TEMPERATURE * mix_noise(steady, piece, fresh)).flatten(0, 1).to(dances.device)
        place = torch.tensor([(bar - (lines.pickup > 0)) % PHRASE_BARS], device=dances.device)
        past = [(known[bar - back], one) if bar >= back else (nothing, one * 0.0) for back in (1, REPEAT_BARS)]
        asked = ScoreCondition(
            read[bar].expand(takes, -1),
            one,
            tempo[bar].expand(takes, -1),
            energy[bar].expand(takes, -1),
            nn.functional.one_hot(place, PHRASE_BARS).float().expand(takes, -1),
            *past[0],
            *past[1],
            parts.expand(takes, -1),
        )
        drawn = network.denormalize(network.sample(noise, asked.repeat(tried), guidance=GUIDANCE))
        before = held.repeat_interleave(tried, dim=0)
        chances = network.coders.decode(drawn, before.float()).probabilities()
        notes, after = decode_notes(chances, before, network.begins, network.sounds)
        taken = ranker.select(BarTensors(*(part.cpu() for part in notes))) if ranker else torch.arange(1)
        noises.append(fresh.flatten(0, 1)[taken])
        notes = BarTensors(*(part[taken] for part in notes))
        known.append(network.normalize(network.coders.encode(notes, held.float())[0]) * counts)
        held = after[taken]
        made.append(notes)
    onset, sustain, loud = (torch.stack(rows, dim=1).cpu().numpy() for rows in zip(*made, strict=True))
    return [Bars(onset[take] > 0, sustain[take] > 0, loud[take]) for take in range(takes)]


def mix_noise(part: float | Tensor, one: Tensor, other: Tensor) -> Tensor:
    """Noise of which so much is one and the rest another, as loud as either."""
    made: Tensor = part * one + (1.0 - part**2) ** 0.5 * other
    return made
