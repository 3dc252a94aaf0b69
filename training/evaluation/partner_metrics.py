"""All that is measured of a partner beside a leader, and how certain each figure is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rigs import Array
from rigs.contacts import floor_height
from rigs.post_processing import capsules
from training.data.duets import Duet
from training.evaluation import beat_metrics, features, interaction, plausibility
from training.evaluation.confidence_intervals import Estimate, bootstrap_estimates
from training.evaluation.frechet import FeatureDistribution, diversity, wasserstein
from training.evaluation.classifier_two_sample_test import Classifiers, roc_auc, classifier_features

WINDOW, HOP = 60, 10
"""Frames of a window whose features are taken, and from one to the next, at 30 fps."""
LOOK, LOOK_HOP = 30, 10
"""Frames of a window that the classifier sees, and from one to the next."""
BLOCK = 60
"""Frames that are drawn together for intervals: what is nearer in time than this is not independent."""
_STILL = 0.1
"""m/s² of joints' mean acceleration below which nothing moves that could be rough."""


@dataclass(frozen=True)
class Segment:
    """Two seconds of a partner.

    tracks: (F,) of values a frame.  features: (N, D) of the windows that begin in it, and (N, 1) log odds by which each
    kind of classifier thinks them generated.
    """

    tracks: Mapping[str, Array]
    features: Mapping[str, Array]


@dataclass(frozen=True)
class RealReference:
    """What partners are compared with.

    references: by the kind of feature, the real windows of the training takes.  own: those of these takes alone.
    distance, facing: (F,) of the real couples.
    seen: by its kind, the classifiers' view (N, D) of their windows.
    """

    references: Mapping[str, FeatureDistribution]
    own: Mapping[str, FeatureDistribution]
    distance: Array
    facing: Array
    seen: Mapping[str, Array]


def windows(positions: Array, length: int, hop: int) -> Array:
    """Stretches of (F, 29, 3) as long as `length`, one every `hop` frames: (N, length, 29, 3)."""
    starts = range(0, len(positions) - length + 1, hop)
    return np.array([positions[start : start + length] for start in starts]).reshape(-1, length, 29, 3)


def window_features(partner: Array, leader: Array) -> dict[str, Array]:
    """The features by kind of all windows of a couple, (F, 29, 3) m each: kinetic, geometric and cross, (N, D)."""
    own, other = windows(partner, WINDOW, HOP), windows(leader, WINDOW, HOP)
    return {
        "kinetic": features.kinetic_features(own),
        "geometric": features.geometric_features(own),
        "cross": features.cross_distance_features(own, other),
    }


def classifier_windows(partner: Array, leader: Array, fps: float) -> dict[str, Array]:
    """The classifiers' view of all windows of a couple, (F, 29, 3) m each: by its kind (N, D).

    Beside what `looks` sees, the couple's movement "slow", without what mocap trembles by.
    """
    seen = classifier_features(windows(partner, LOOK, LOOK_HOP), windows(leader, LOOK, LOOK_HOP), fps)
    calm, led = (windows(plausibility.low_pass(dancer, fps), LOOK, LOOK_HOP) for dancer in (partner, leader))
    return {**seen, "slow": classifier_features(calm, led, fps)["couple"]}


def concatenate_by_name(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Arrays of several parts, by name one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def fit_references(duets: Sequence[Duet], partner: int = 1) -> dict[str, FeatureDistribution]:
    """What real windows are like: of dancer 0, the leader, or 1, the follower, of the duets."""
    found = [window_features(positions[partner], positions[1 - partner]) for positions in (d.positions() for d in duets)]
    return {kind: FeatureDistribution.fit(rows) for kind, rows in concatenate_by_name(found).items()}


def real_reference(duets: Sequence[Duet], history: int, known: Mapping[str, FeatureDistribution]) -> RealReference:
    """The real couples of a part after the history."""
    couples = [duet.positions()[:, history:] for duet in duets]
    here = [window_features(follower, leader) for leader, follower in couples]
    return RealReference(
        known,
        {kind: known[kind].refit(rows) for kind, rows in concatenate_by_name(here).items()},
        np.concatenate([interaction.pelvis_distance(follower, leader) for leader, follower in couples]),
        np.concatenate([interaction.facing_angle(follower, leader) for leader, follower in couples]),
        concatenate_by_name([classifier_windows(follower, leader, duets[0].leader.fps) for leader, follower in couples]),
    )


def frame_metrics(partner: Array, leader: Array, fps: float, floor: float, history: int, block: int) -> dict[str, Array]:
    """Everything that has a value a frame, (F,) each, nan where it has none.

    partner, leader: (F, 29, 3) m.  floor: m, the height of the floor.  block: frames that the partner is made in.
    """
    frames = len(partner)
    asked = beat_metrics.kinetic_beats(leader)
    given = beat_metrics.kinetic_beats(partner)
    acceleration = plausibility.acceleration(partner, fps)
    seam = plausibility.block_seams(frames, history, block)
    return {
        "foot contact score": plausibility.physical_foot_contact(partner, fps),
        "slide": plausibility.foot_slide(partner, fps),
        "skate": plausibility.foot_skate(partner, fps),
        "planted": 100.0 * plausibility.feet_planted(partner, fps),
        "speed": plausibility.speed(partner, fps),
        "jerk": plausibility.jerk(partner, fps),
        "slow jerk": plausibility.jerk(plausibility.low_pass(partner, fps), fps),
        "at seams": np.where(seam, acceleration, np.nan),
        "between seams": np.where(seam, np.nan, acceleration),
        "stretch": plausibility.bone_stretch(partner),
        "floating": 100.0 * plausibility.toes_floating(partner, floor),
        "sinking": 100.0 * plausibility.toes_sinking(partner, floor),
        "distance": interaction.pelvis_distance(partner, leader),
        "facing": interaction.facing_angle(partner, leader),
        "holds": 100.0 * interaction.hands_held(partner, leader, fps),
        "overlap": 100.0 * interaction.bodies_overlap(partner, leader),
        "penetration": 100.0 * capsules.penetration(partner, leader),
        "beat echo": beat_metrics.beat_alignment(asked, given, frames),
        "beat alignment": beat_metrics.beat_alignment(beat_metrics.estimate_pulse(asked, frames, fps), given, frames),
    }


def take_segments(duet: Duet, made: Array, history: int, block: int, classifiers: Classifiers) -> list[Segment]:
    """A partner (F, 29, 3) m beside the leader of `duet` after the history, in pieces that can be drawn anew."""
    leader, follower = duet.positions()
    fps = duet.leader.fps
    all_tracks = frame_metrics(made, leader, fps, floor_height(follower), history, block)
    of_windows = window_features(made[history:], leader[history:])
    seen = classifier_windows(made[history:], leader[history:], fps)
    suspicion = {kind: known.suspicion(seen[kind])[:, None] for kind, known in classifiers.items()}
    pieces = []
    for first in range(0, len(made) - history, BLOCK):
        end = first + BLOCK
        pieces.append(
            Segment(
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


def _mean(track: str) -> Callable[[Segment, RealReference, Classifiers], float]:
    def of(taken: Segment, real: RealReference, classifiers: Classifiers) -> float:
        return _known_mean(taken.tracks[track])

    return of


def _away(kind: str) -> Callable[[Segment, RealReference, Classifiers], float]:
    return lambda taken, real, classifiers: real.references[kind].frechet_distance(taken.features[kind])


def _away_from_truth(kind: str) -> Callable[[Segment, RealReference, Classifiers], float]:
    return lambda taken, real, classifiers: real.own[kind].frechet_distance(taken.features[kind])


def _variety(kind: str) -> Callable[[Segment, RealReference, Classifiers], float]:
    return lambda taken, real, classifiers: diversity(real.references[kind].standardise(taken.features[kind]))


def _roughness(taken: Segment, real: RealReference, classifiers: Classifiers) -> float:
    at, between = _known_mean(taken.tracks["at seams"]), _known_mean(taken.tracks["between seams"])
    return at / between if between > _STILL else float("nan")


def _told_apart(kind: str) -> Callable[[Segment, RealReference, Classifiers], float]:
    return lambda taken, real, classifiers: roc_auc(
        classifiers[kind].suspicion(real.seen[kind]), taken.features[kind][:, 0]
    )


@dataclass(frozen=True)
class Metric:
    """One figure.  name, unit: as the table has them.  goal: "less", "more" or, where neither is better, "real"."""

    name: str
    unit: str
    goal: str
    of: Callable[[Segment, RealReference, Classifiers], float]


METRICS: dict[str, tuple[Metric, ...]] = {
    "like a dancer": (
        Metric("Fréchet kinetic", "", "less", _away("kinetic")),
        Metric("Fréchet geometric", "", "less", _away("geometric")),
        Metric("Fréchet cross-dancer", "", "less", _away("cross")),
        Metric("kinetic, this take", "", "less", _away_from_truth("kinetic")),
        Metric("geometric, this take", "", "less", _away_from_truth("geometric")),
        Metric("cross-dancer, this take", "", "less", _away_from_truth("cross")),
        Metric("told apart", "AUC", "less", _told_apart("couple")),
        Metric("told apart alone", "AUC", "less", _told_apart("alone")),
        Metric("told apart slow", "AUC", "less", _told_apart("slow")),
        Metric("diversity kinetic", "", "real", _variety("kinetic")),
        Metric("diversity geometric", "", "real", _variety("geometric")),
    ),
    "a body on a floor": (
        Metric("PFC", "", "real", _mean("foot contact score")),
        Metric("foot slide", "cm/s", "less", _mean("slide")),
        Metric("skate", "cm/s", "less", _mean("skate")),
        Metric("planted", "%", "real", _mean("planted")),
        Metric("speed", "m/s", "real", _mean("speed")),
        Metric("jerk", "m/s³", "real", _mean("jerk")),
        Metric("slow jerk", "m/s³", "real", _mean("slow jerk")),
        Metric("seams", "ratio", "real", _roughness),
        Metric("bones change", "%", "less", _mean("stretch")),
        Metric("floating", "%", "less", _mean("floating")),
        Metric("sinking", "%", "less", _mean("sinking")),
    ),
    "a couple": (
        Metric("distance", "m", "real", _mean("distance")),
        Metric(
            "distance moved",
            "cm",
            "less",
            lambda taken, real, classifiers: 100.0 * wasserstein(taken.tracks["distance"], real.distance),
        ),
        Metric(
            "facing moved",
            "°",
            "less",
            lambda taken, real, classifiers: wasserstein(taken.tracks["facing"], real.facing),
        ),
        Metric("hand in hand", "%", "real", _mean("holds")),
        Metric("overlap", "%", "less", _mean("overlap")),
        Metric("penetration", "cm", "less", _mean("penetration")),
        Metric("BED", "", "more", _mean("beat echo")),
        Metric("BAS", "", "more", _mean("beat alignment")),
    ),
}
"""The figures of whole takes, by their table. The beats of BAS are the leader's steady pulse: there is no music."""


def estimate_metrics(takes: Sequence[Sequence[Segment]], real: RealReference, classifiers: Classifiers, seed: int = 0) -> dict[str, Estimate]:
    """Every figure of a partner with its interval: the mean over its takes, each given as its blocks in time.

    Takes are not put together: a Fréchet distance is the smaller the more windows it is taken of, and the real partner
    has but one take. A draw draws the same moments of all takes.
    """

    def measure(drawn: Sequence[tuple[Segment, ...]]) -> dict[str, float]:
        found = [_measured(blocks, real, classifiers) for blocks in zip(*drawn, strict=True)]
        return {name: _known_mean(np.array([values[name] for values in found])) for name in found[0]}

    return bootstrap_estimates(list(zip(*takes, strict=True)), measure, seed)


def _measured(blocks: Sequence[Segment], real: RealReference, classifiers: Classifiers) -> dict[str, float]:
    taken = Segment(concatenate_by_name([block.tracks for block in blocks]), concatenate_by_name([block.features for block in blocks]))
    return {m.name: m.of(taken, real, classifiers) for group in METRICS.values() for m in group}
