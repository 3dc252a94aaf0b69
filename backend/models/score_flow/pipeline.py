"""Compose music to a dance with score-flow: bars on the dancers' beats, sampled and re-ranked one by one."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from backend.models.common.noise import NoiseGenerator
from backend.models.score_flow.bar_features import BAR_STEPS, PART_SLICES, PITCHED_ROWS, Bars, score_from_bars
from backend.models.score_flow.bar_ranking import BarRanker, apply_dynamics, dance_profile
from backend.models.score_flow.conditions import PHRASE_BARS, REPEAT_BARS, BarTensors, ScoreCondition, tempo_condition
from backend.models.score_flow.dance_features import BarGrid, fit_bar_grid, pose_features, pose_windows, window_times
from backend.models.score_flow.note_decoding import add_cadence, decode_notes
from backend.models.score_flow.sampler import sample_latents
from backend.models.score_flow.trained import TrainedScoreFlow
from backend.music.score import Score
from backend.wire.messages import Cancelled, ComposeRequest
from rigs import Array

TEMPERATURE = 0.8
"""Standard deviation of the noise; below 1, bars are closer to the most likely ones."""
_PIECE_NOISE = (0.85, 0.4)
"""Share of the noise that all bars of a piece have in common, for drums and for pitched voices: it keeps the groove."""
_PHRASE_NOISE = 0.6
"""Share of the remaining noise that a bar has in common with the one a phrase before, so that phrases repeat."""
PARALLEL_TAKES = 6
"""Pieces composed at once, of which the best is returned."""
BAR_CANDIDATES = 8
"""Candidates sampled for each bar, of which `BarRanker` selects one."""
_LOWEST_KEY, _KEYS = -4, 9
"""Semitones from C to the lowest key, and number of keys."""


class ComposedTakes(NamedTuple):
    """Several pieces to a dance, in C major or A minor and without a cadence, with their ranking and their grid."""

    bars: list[Bars]
    ranker: BarRanker
    grid: BarGrid


class ScoreFlowPipeline:
    """Composes music to dances with a trained network on an accelerator."""

    def __init__(self, weights: Path, accelerator: str) -> None:
        self.network = TrainedScoreFlow.load(weights, accelerator)

    def compose(
        self, request: ComposeRequest, progress: Callable[[float, str], None], cancelled: Callable[[], bool]
    ) -> Score:
        """Compose a score to the request's dance. Raises Cancelled, and ValueError for a dance without a beat."""
        return score_from_takes(self.sample_takes(request, progress, cancelled), request)

    def sample_takes(
        self, request: ComposeRequest, progress: Callable[[float, str], None], cancelled: Callable[[], bool]
    ) -> ComposedTakes:
        """Sample all takes for a request."""
        grid = fit_bar_grid(request.dancers, request.tempo, self.network.bar_seconds)
        features = [pose_features(dancer) for dancer in request.dancers]
        windows = pose_windows(features, grid.seconds, grid.bar_starts)
        drums, pitched = "drums" in request.parts, bool({"bass", "melody"} & set(request.parts))
        parts = np.array([[drums, pitched]], np.float32)

        def on_bar(bar: int) -> None:
            if cancelled():
                raise Cancelled
            progress(bar / len(grid.bar_starts), "composing")

        plays = np.array([part in request.parts for part in PART_SLICES], np.float32)
        profile = dance_profile(request.dancers, grid)
        ranker = BarRanker(profile, self.network.density_stats, plays, PARALLEL_TAKES)
        return ComposedTakes(
            sample_bars(self.network, windows, grid, parts, request.seed, on_bar, ranker), ranker, grid
        )


def score_from_takes(takes: ComposedTakes, request: ComposeRequest, *, cadence: bool = True) -> Score:
    """Convert the best take to a score in a key chosen by the seed; cadence: whether it ends on the tonic."""
    bars = apply_dynamics(takes.bars[takes.ranker.best_take()], takes.ranker.dance)
    if cadence:
        bars = add_cadence(bars, takes.grid)
    return score_from_bars(bars, takes.grid.seconds, request.parts, takes.grid.pickup, seeded_key(request.seed))


def seeded_key(seed: int) -> int:
    """Semitones from C major or A minor to the key that a seed chooses."""
    return _LOWEST_KEY + int(np.random.default_rng(seed).integers(_KEYS))


def sample_bars(
    network: TrainedScoreFlow,
    windows: Array,
    grid: BarGrid,
    parts: Array,
    seed: int,
    on_bar: Callable[[int], None],
    ranker: BarRanker | None = None,
) -> list[Bars]:
    """Sample takes bar by bar, autoregressively, to the dance windows (B, D, WINDOW_POSES, POSE_DIM) of D dancers.

    Encodings of several dancers are averaged.  parts: (1, 2) which parts play.  on_bar: called with each bar's number.
    ranker: selects the bars of each take; without it there is one take with a single candidate for each bar.
    """
    takes, candidates = (len(ranker.loudness), BAR_CANDIDATES) if ranker else (1, 1)
    generator = NoiseGenerator(seed)
    vae_config = network.config.vae
    latent_dim = vae_config.latent_dim
    dancers = range(windows.shape[1])
    encoded = np.mean([network.encode_dance(windows[:, n]) for n in dancers], axis=0)
    energy = np.mean([network.energy_condition(windows[:, n]) for n in dancers], axis=0)
    times = window_times(grid.seconds, grid.bar_starts)
    tempo = tempo_condition(np.asarray(times[:, -1] - times[:, BAR_STEPS], np.float32))
    tied = np.zeros((takes, PITCHED_ROWS), bool)
    bars: list[BarTensors] = []
    latents: list[Array] = []
    noises: list[Array] = []
    mask = vae_config.latent_mask(parts)
    piece_noise = generator.normal(takes, 1, latent_dim)
    piece_share = vae_config.latent_mask(np.array([_PIECE_NOISE], np.float32))
    ones, no_latents = np.ones(takes, np.float32), np.zeros((takes, latent_dim), np.float32)
    for bar in range(len(windows)):
        on_bar(bar)
        bar_noise = generator.normal(takes, candidates, latent_dim)
        if bar >= PHRASE_BARS:
            bar_noise = mix_noise(_PHRASE_NOISE, noises[bar - PHRASE_BARS][:, None], bar_noise)
        noise = TEMPERATURE * mix_noise(piece_share, piece_noise, bar_noise).reshape(-1, latent_dim)
        phrase = np.eye(PHRASE_BARS, dtype=np.float32)[(bar - (grid.pickup > 0)) % PHRASE_BARS]
        (previous, has_previous), (repeated, has_repeated) = (
            (latents[bar - back], ones) if bar >= back else (no_latents, ones * 0.0) for back in (1, REPEAT_BARS)
        )
        condition = ScoreCondition(
            dance=np.repeat(encoded[bar : bar + 1], takes, axis=0),
            has_dance=ones,
            tempo=np.repeat(tempo[bar : bar + 1], takes, axis=0),
            energy=np.repeat(energy[bar : bar + 1], takes, axis=0),
            phrase=np.repeat(phrase[None], takes, axis=0),
            previous=previous,
            has_previous=has_previous,
            repeated=repeated,
            has_repeated=has_repeated,
            parts=np.repeat(parts, takes, axis=0),
        )
        sampled = network.denormalize(sample_latents(network.predict, noise, condition.repeat(candidates)))
        tied_before = np.repeat(tied, candidates, axis=0)
        probabilities = network.decode_bars(sampled, tied_before.astype(np.float32))
        notes, tied_after = decode_notes(
            probabilities, tied_before, network.onset_thresholds, network.sustain_thresholds
        )
        selected = ranker.select(notes) if ranker else np.arange(1)
        noises.append(bar_noise.reshape(-1, latent_dim)[selected])
        notes = BarTensors(*(part[selected] for part in notes))
        latents.append(network.normalize(network.encode_bars(notes, tied.astype(np.float32))) * mask)
        tied = tied_after[selected]
        bars.append(notes)
    onset, sustain, velocity = (np.stack(rows, axis=1) for rows in zip(*bars, strict=True))
    return [Bars(onset[take] > 0, sustain[take] > 0, velocity[take]) for take in range(takes)]


def mix_noise(share: float | Array, common: Array, fresh: Array) -> Array:
    """Mix a share of common noise with fresh noise to unit variance."""
    mixed: Array = share * common + (1.0 - share**2) ** 0.5 * fresh
    return mixed
