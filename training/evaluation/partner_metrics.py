"""All that is measured of a partner beside a leader, and how certain each figure is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rigs import Array
from rigs.contacts import floor_height
from rigs.post_processing import capsules
from training.data.duets import Duet
from training.evaluation import beat_metrics, features, interaction, plausibility
from training.evaluation.confidence_intervals import Figure, with_intervals
from training.evaluation.frechet import Reference, diversity, earth_movers
from training.evaluation.real_vs_generated import Classifiers, area_under_curve, looks

WINDOW, HOP = 60, 10
"""Frames of a window whose features are taken, and from one to the next, at 30 fps."""
LOOK, LOOK_HOP = 30, 10
"""Frames of a window that the classifier sees, and from one to the next."""
BLOCK = 60
"""Frames that are drawn together for intervals: what is nearer in time than this is not independent."""
_STILL = 0.1
"""m/s² of joints' mean acceleration below which nothing moves that could be rough."""


@dataclass(frozen=True)
class Block:
    """Two seconds of a partner.

    tracks: (F,) of values a frame.  features: (N, D) of the windows that begin in it, and (N, 1) log odds by which each
    kind of classifier thinks them generated.
    """

    tracks: Mapping[str, Array]
    features: Mapping[str, Array]


@dataclass(frozen=True)
class Real:
    """What partners are compared with.

    references: by the kind of feature, the real windows of the training takes.  own: those of these takes alone.
    distance, facing: (F,) of the real couples.
    seen: by its kind, the classifiers' view (N, D) of their windows.
    """

    references: Mapping[str, Reference]
    own: Mapping[str, Reference]
    distance: Array
    facing: Array
    seen: Mapping[str, Array]


def windows(positions: Array, length: int, hop: int) -> Array:
    """Stretches of (F, 29, 3) as long as `length`, one every `hop` frames: (N, length, 29, 3)."""
    starts = range(0, len(positions) - length + 1, hop)
    return np.array([positions[start : start + length] for start in starts]).reshape(-1, length, 29, 3)


def described(partner: Array, leader: Array) -> dict[str, Array]:
    """The features by kind of all windows of a couple, (F, 29, 3) m each: kinetic, geometric and cross, (N, D)."""
    own, other = windows(partner, WINDOW, HOP), windows(leader, WINDOW, HOP)
    return {
        "kinetic": features.kinetic(own),
        "geometric": features.geometric(own),
        "cross": features.cross(own, other),
    }


def looked_at(partner: Array, leader: Array, fps: float) -> dict[str, Array]:
    """The classifiers' view of all windows of a couple, (F, 29, 3) m each: by its kind (N, D).

    Beside what `looks` sees, the couple's movement "slow", without what mocap trembles by.
    """
    seen = looks(windows(partner, LOOK, LOOK_HOP), windows(leader, LOOK, LOOK_HOP), fps)
    calm, led = (windows(plausibility.slow(dancer, fps), LOOK, LOOK_HOP) for dancer in (partner, leader))
    return {**seen, "slow": looks(calm, led, fps)["couple"]}


def stacked(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Arrays of several parts, by name one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def references(duets: Sequence[Duet], partner: int = 1) -> dict[str, Reference]:
    """What real windows are like: of dancer 0, the leader, or 1, the follower, of the duets."""
    found = [described(positions[partner], positions[1 - partner]) for positions in (d.positions() for d in duets)]
    return {kind: Reference.of(rows) for kind, rows in stacked(found).items()}


def real_of(duets: Sequence[Duet], history: int, known: Mapping[str, Reference]) -> Real:
    """The real couples of a part after the history."""
    couples = [duet.positions()[:, history:] for duet in duets]
    here = [described(follower, leader) for leader, follower in couples]
    return Real(
        known,
        {kind: known[kind].recentred(rows) for kind, rows in stacked(here).items()},
        np.concatenate([interaction.pelvis_distance(follower, leader) for leader, follower in couples]),
        np.concatenate([interaction.facing(follower, leader) for leader, follower in couples]),
        stacked([looked_at(follower, leader, duets[0].leader.fps) for leader, follower in couples]),
    )


def tracks(partner: Array, leader: Array, fps: float, floor: float, history: int, block: int) -> dict[str, Array]:
    """Everything that has a value a frame, (F,) each, nan where it has none.

    partner, leader: (F, 29, 3) m.  floor: m, the height of the floor.  block: frames that the partner is made in.
    """
    frames = len(partner)
    asked = beat_metrics.kinetic_beats(leader)
    given = beat_metrics.kinetic_beats(partner)
    acceleration = plausibility.acceleration(partner, fps)
    seam = plausibility.seams(frames, history, block)
    return {
        "foot contact score": plausibility.foot_contact_score(partner, fps),
        "slide": plausibility.slide(partner, fps),
        "skate": plausibility.skate(partner, fps),
        "planted": 100.0 * plausibility.planted(partner, fps),
        "speed": plausibility.speed(partner, fps),
        "jerk": plausibility.jerk(partner, fps),
        "slow jerk": plausibility.jerk(plausibility.slow(partner, fps), fps),
        "at seams": np.where(seam, acceleration, np.nan),
        "between seams": np.where(seam, np.nan, acceleration),
        "stretch": plausibility.stretch(partner),
        "floating": 100.0 * plausibility.floating(partner, floor),
        "sinking": 100.0 * plausibility.sinking(partner, floor),
        "distance": interaction.pelvis_distance(partner, leader),
        "facing": interaction.facing(partner, leader),
        "holds": 100.0 * interaction.hand_in_hand(partner, leader, fps),
        "overlap": 100.0 * interaction.overlap(partner, leader),
        "penetration": 100.0 * capsules.penetration(partner, leader),
        "beat echo": beat_metrics.answered(asked, given, frames),
        "beat alignment": beat_metrics.answered(beat_metrics.pulse(asked, frames, fps), given, frames),
    }


def blocks_of(duet: Duet, made: Array, history: int, block: int, classifiers: Classifiers) -> list[Block]:
    """A partner (F, 29, 3) m beside the leader of `duet` after the history, in pieces that can be drawn anew."""
    leader, follower = duet.positions()
    fps = duet.leader.fps
    all_tracks = tracks(made, leader, fps, floor_height(follower), history, block)
    of_windows = described(made[history:], leader[history:])
    seen = looked_at(made[history:], leader[history:], fps)
    suspicion = {kind: known.suspicion(seen[kind])[:, None] for kind, known in classifiers.items()}
    pieces = []
    for first in range(0, len(made) - history, BLOCK):
        end = first + BLOCK
        pieces.append(
            Block(
                {name: track[history + first : history + end] for name, track in all_tracks.items()},
                {
                    **{kind: rows[-(-first // HOP) : -(-end // HOP)] for kind, rows in of_windows.items()},
                    **{kind: rows[-(-first // LOOK_HOP) : -(-end // LOOK_HOP)] for kind, rows in suspicion.items()},
                },
            )
        )
    return pieces


def _known_mean(values: Array) -> float:
    """The mean of what is not nan, and nan where all is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _mean(track: str) -> Callable[[Block, Real, Classifiers], float]:
    def of(taken: Block, real: Real, classifiers: Classifiers) -> float:
        return _known_mean(taken.tracks[track])

    return of


def _away(kind: str) -> Callable[[Block, Real, Classifiers], float]:
    return lambda taken, real, classifiers: real.references[kind].distance(taken.features[kind])


def _away_from_truth(kind: str) -> Callable[[Block, Real, Classifiers], float]:
    return lambda taken, real, classifiers: real.own[kind].distance(taken.features[kind])


def _variety(kind: str) -> Callable[[Block, Real, Classifiers], float]:
    return lambda taken, real, classifiers: diversity(real.references[kind].standardise(taken.features[kind]))


def _roughness(taken: Block, real: Real, classifiers: Classifiers) -> float:
    at, between = _known_mean(taken.tracks["at seams"]), _known_mean(taken.tracks["between seams"])
    return at / between if between > _STILL else float("nan")


def _told_apart(kind: str) -> Callable[[Block, Real, Classifiers], float]:
    return lambda taken, real, classifiers: area_under_curve(
        classifiers[kind].suspicion(real.seen[kind]), taken.features[kind][:, 0]
    )


@dataclass(frozen=True)
class Measure:
    """One figure.  name, unit: as the table has them.  goal: "less", "more" or, where neither is better, "real"."""

    name: str
    unit: str
    goal: str
    of: Callable[[Block, Real, Classifiers], float]


MEASURES: dict[str, tuple[Measure, ...]] = {
    "like a dancer": (
        Measure("Fréchet kinetic", "", "less", _away("kinetic")),
        Measure("Fréchet geometric", "", "less", _away("geometric")),
        Measure("Fréchet cross-dancer", "", "less", _away("cross")),
        Measure("kinetic, this take", "", "less", _away_from_truth("kinetic")),
        Measure("geometric, this take", "", "less", _away_from_truth("geometric")),
        Measure("cross-dancer, this take", "", "less", _away_from_truth("cross")),
        Measure("told apart", "AUC", "less", _told_apart("couple")),
        Measure("told apart alone", "AUC", "less", _told_apart("alone")),
        Measure("told apart slow", "AUC", "less", _told_apart("slow")),
        Measure("diversity kinetic", "", "real", _variety("kinetic")),
        Measure("diversity geometric", "", "real", _variety("geometric")),
    ),
    "a body on a floor": (
        Measure("PFC", "", "real", _mean("foot contact score")),
        Measure("foot slide", "cm/s", "less", _mean("slide")),
        Measure("skate", "cm/s", "less", _mean("skate")),
        Measure("planted", "%", "real", _mean("planted")),
        Measure("speed", "m/s", "real", _mean("speed")),
        Measure("jerk", "m/s³", "real", _mean("jerk")),
        Measure("slow jerk", "m/s³", "real", _mean("slow jerk")),
        Measure("seams", "ratio", "real", _roughness),
        Measure("bones change", "%", "less", _mean("stretch")),
        Measure("floating", "%", "less", _mean("floating")),
        Measure("sinking", "%", "less", _mean("sinking")),
    ),
    "a couple": (
        Measure("distance", "m", "real", _mean("distance")),
        Measure(
            "distance moved",
            "cm",
            "less",
            lambda taken, real, classifiers: 100.0 * earth_movers(taken.tracks["distance"], real.distance),
        ),
        Measure(
            "facing moved",
            "°",
            "less",
            lambda taken, real, classifiers: earth_movers(taken.tracks["facing"], real.facing),
        ),
        Measure("hand in hand", "%", "real", _mean("holds")),
        Measure("overlap", "%", "less", _mean("overlap")),
        Measure("penetration", "cm", "less", _mean("penetration")),
        Measure("BED", "", "more", _mean("beat echo")),
        Measure("BAS", "", "more", _mean("beat alignment")),
    ),
}
"""The figures of whole takes, by their table. The beats of BAS are the leader's steady pulse: there is no music."""


def figures(takes: Sequence[Sequence[Block]], real: Real, classifiers: Classifiers, seed: int = 0) -> dict[str, Figure]:
    """Every figure of a partner with its interval: the mean over its takes, each given as its blocks in time.

    Takes are not put together: a Fréchet distance is the smaller the more windows it is taken of, and the real partner
    has but one take. A draw draws the same moments of all takes.
    """

    def measure(drawn: Sequence[tuple[Block, ...]]) -> dict[str, float]:
        found = [_measured(blocks, real, classifiers) for blocks in zip(*drawn, strict=True)]
        return {name: _known_mean(np.array([values[name] for values in found])) for name in found[0]}

    return with_intervals(list(zip(*takes, strict=True)), measure, seed)


def _measured(blocks: Sequence[Block], real: Real, classifiers: Classifiers) -> dict[str, float]:
    taken = Block(stacked([block.tracks for block in blocks]), stacked([block.features for block in blocks]))
    return {m.name: m.of(taken, real, classifiers) for group in MEASURES.values() for m in group}
