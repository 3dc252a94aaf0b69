"""The metrics of a generated partner beside its leader, each with its confidence interval."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import wasserstein_distance

from rigs import Array
from rigs.contacts import floor_height
from rigs.post_processing import capsules
from training.data.duets import Duet, pelvis_distance
from training.evaluation import beat_metrics, interaction, plausibility
from training.evaluation.classifier_two_sample_test import Classifiers, roc_auc
from training.evaluation.confidence_intervals import Estimate, bootstrap_estimates, nan_mean
from training.evaluation.features import HOP, window_features
from training.evaluation.frechet import diversity
from training.evaluation.real_reference import (
    CLASSIFIER_HOP,
    CLIP_HOP,
    RealReference,
    classifier_windows,
    clip_features,
    concatenate_by_name,
)

SEGMENT = 60
"""Frames that are resampled together for intervals: what is nearer in time is not independent."""
_STILL = 0.1
"""m/s² of the joints' mean acceleration below which there is nothing that could be rough."""


@dataclass(frozen=True)
class Segment:
    """Two seconds of a partner, the unit of the bootstrap.

    frames: (F,) by metric, values per frame.  windows: (N, D) by kind, features of the windows that start in it.
    clips: (N, D) by kind, features of the clips that start in it.  scores: (N,) by kind, the classifiers' log odds.
    """

    frames: Mapping[str, Array]
    windows: Mapping[str, Array]
    clips: Mapping[str, Array]
    scores: Mapping[str, Array]


def frame_metrics(
    partner: Array, leader: Array, fps: float, floor: float, history: int, block: int
) -> dict[str, Array]:
    """Metrics that have a value per frame: by name (F,), nan where a frame has none.

    partner, leader: (F, 29, 3) m.  floor: m, its height.  history: given frames.  block: frames generated at once.
    """
    frames = len(partner)
    leader_beats = beat_metrics.kinetic_beats(leader)
    partner_beats = beat_metrics.kinetic_beats(partner)
    pulse = beat_metrics.estimate_pulse(leader_beats, frames, fps)
    acceleration = plausibility.acceleration(partner, fps)
    seam = plausibility.block_seams(frames, history, block)
    return {
        "physical foot contact": plausibility.physical_foot_contact(partner, fps),
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
        "distance": pelvis_distance(partner, leader),
        "facing": interaction.facing_angle(partner, leader),
        "holds": 100.0 * interaction.hands_held(partner, leader, fps),
        "overlap": 100.0 * interaction.bodies_overlap(partner, leader),
        "penetration": 100.0 * capsules.deepest_penetration(partner, leader),
        "beat echo": beat_metrics.beat_alignment(leader_beats, partner_beats, frames),
        "beat alignment": beat_metrics.beat_alignment(pulse, partner_beats, frames),
    }


def take_segments(duet: Duet, partner: Array, history: int, block: int, classifiers: Classifiers) -> list[Segment]:
    """Cut a take (F, 29, 3) m beside the leader of `duet` into segments after the history."""
    leader, follower = duet.positions()
    fps = duet.leader.fps
    frames = frame_metrics(partner, leader, fps, floor_height(follower), history, block)
    partner, leader = partner[history:], leader[history:]
    windows, clips = window_features(partner, leader), clip_features(partner, leader)
    features = classifier_windows(partner, leader, fps)
    scores = {kind: classifier.decision_function(features[kind]) for kind, classifier in classifiers.items()}
    return [
        Segment(
            {name: values[history + first : history + first + SEGMENT] for name, values in frames.items()},
            _starting_in(first, windows, HOP),
            _starting_in(first, clips, CLIP_HOP),
            _starting_in(first, scores, CLASSIFIER_HOP),
        )
        for first in range(0, len(partner), SEGMENT)
    ]


def _starting_in(first: int, rows: Mapping[str, Array], hop: int) -> dict[str, Array]:
    """Rows of windows, one every `hop` frames, that begin in the segment from the frame `first` on."""
    return {kind: values[-(-first // hop) : -(-(first + SEGMENT) // hop)] for kind, values in rows.items()}


Scores = Mapping[str, Array]
"""(N,) by kind, the classifiers' log odds that windows of the real couples are generated."""
MetricFunction = Callable[[Segment, RealReference, Scores], float]


@dataclass(frozen=True)
class Metric:
    """A metric of whole takes.

    name: its key in the JSON file.  label, unit: its column in a table.  aim: what a good partner has, "lower" values
    or those of the "real" partner.
    """

    name: str
    label: str
    unit: str
    aim: Literal["lower", "real"]
    compute: MetricFunction

    @property
    def header(self) -> str:
        """The column's header: label, arrow, unit."""
        return f"{self.label}\n{'↓' if self.aim == 'lower' else '→'} {self.unit}".strip()


def _mean(name: str) -> MetricFunction:
    return lambda take, real, real_scores: nan_mean(take.frames[name])


def _frechet_training(kind: str) -> MetricFunction:
    return lambda take, real, real_scores: real.training[kind].frechet_distance(take.windows[kind])


def _frechet_evaluated(kind: str) -> MetricFunction:
    return lambda take, real, real_scores: real.evaluated[kind].frechet_distance(take.windows[kind])


def _fid(kind: str) -> MetricFunction:
    return lambda take, real, real_scores: (
        real.published[kind].fid(take.clips[kind]) if kind in real.published else float("nan")
    )


def _diversity(kind: str) -> MetricFunction:
    return lambda take, real, real_scores: diversity(real.training[kind].standardise(take.windows[kind]))


def _classifier_auc(kind: str) -> MetricFunction:
    return lambda take, real, real_scores: roc_auc(real_scores[kind], take.scores[kind])


def _seam_roughness(take: Segment, real: RealReference, real_scores: Scores) -> float:
    """Ratio of the acceleration at seams between generated blocks to that elsewhere."""
    at, between = nan_mean(take.frames["at seams"]), nan_mean(take.frames["between seams"])
    return at / between if between > _STILL else float("nan")


def _distance_shift(take: Segment, real: RealReference, real_scores: Scores) -> float:
    return 100.0 * float(wasserstein_distance(take.frames["distance"], real.distance))


def _facing_shift(take: Segment, real: RealReference, real_scores: Scores) -> float:
    return float(wasserstein_distance(take.frames["facing"], real.facing))


METRICS: dict[str, tuple[Metric, ...]] = {
    "realism: our Fréchet distances (2 s windows, shrunk covariance: not the published FID), classifier tests": (
        Metric("Fréchet kinetic", "Fréchet kinetic", "", "lower", _frechet_training("kinetic")),
        Metric("Fréchet geometric", "Fréchet geometric", "", "lower", _frechet_training("geometric")),
        Metric("Fréchet cross-dancer", "Fréchet cross-distance", "", "lower", _frechet_training("cross")),
        Metric("kinetic, this take", "kinetic, this recording", "", "lower", _frechet_evaluated("kinetic")),
        Metric("geometric, this take", "geometric, this recording", "", "lower", _frechet_evaluated("geometric")),
        Metric("cross-dancer, this take", "cross-distance, this recording", "", "lower", _frechet_evaluated("cross")),
        Metric("told apart", "classifier, couple", "AUC", "real", _classifier_auc("couple")),
        Metric("told apart alone", "classifier, partner", "AUC", "real", _classifier_auc("alone")),
        Metric("told apart slow", "classifier, below 6 Hz", "AUC", "real", _classifier_auc("slow")),
        Metric("diversity kinetic", "diversity kinetic", "", "real", _diversity("kinetic")),
        Metric("diversity geometric", "diversity geometric", "", "real", _diversity("geometric")),
    ),
    "published metrics: Duolando's FID on 10 s clips (they overlap: intervals are too narrow) and BED, "
    "BAS on the leader's pulse (there is no music), EDGE's PFC": (
        Metric("FID_k", "FID_k", "", "lower", _fid("kinetic")),
        Metric("FID_g", "FID_g", "", "lower", _fid("geometric")),
        Metric("FID_cd", "FID_cd", "", "lower", _fid("cross")),
        Metric("BED", "BED", "", "real", _mean("beat echo")),
        Metric("BAS", "BAS", "", "real", _mean("beat alignment")),
        Metric("PFC", "PFC", "", "real", _mean("physical foot contact")),
    ),
    "body and floor": (
        Metric("foot slide", "foot slide", "cm/s", "lower", _mean("slide")),
        Metric("skate", "foot skate", "cm/s", "lower", _mean("skate")),
        Metric("planted", "feet planted", "%", "real", _mean("planted")),
        Metric("speed", "speed", "m/s", "real", _mean("speed")),
        Metric("jerk", "jerk", "m/s³", "real", _mean("jerk")),
        Metric("slow jerk", "jerk below 6 Hz", "m/s³", "real", _mean("slow jerk")),
        Metric("seams", "block seams", "ratio", "real", _seam_roughness),
        Metric("bones change", "bone lengths change", "%", "lower", _mean("stretch")),
        Metric("floating", "floating", "%", "lower", _mean("floating")),
        Metric("sinking", "sinking", "%", "lower", _mean("sinking")),
    ),
    "couple": (
        Metric("distance", "pelvis distance", "m", "real", _mean("distance")),
        Metric("distance moved", "distance, Wasserstein", "cm", "lower", _distance_shift),
        Metric("facing moved", "facing, Wasserstein", "°", "lower", _facing_shift),
        Metric("hand in hand", "hands held", "%", "real", _mean("holds")),
        Metric("overlap", "bodies overlap", "%", "lower", _mean("overlap")),
        Metric("penetration", "penetration", "cm", "lower", _mean("penetration")),
    ),
}
"""The metrics of whole takes, by the title of their table. ↓ lower is better, → nearer the real partner's is better."""


def estimate_metrics(
    takes: Sequence[Sequence[Segment]], real: RealReference, classifiers: Classifiers, seed: int = 0
) -> dict[str, Estimate]:
    """Estimate every metric of a partner with its interval: the mean over its takes, each given as its segments.

    Takes are not pooled: a Fréchet distance falls with the number of windows, and the real partner has but one take. A
    bootstrap resample has the same moments of all takes.
    """
    real_scores = {
        kind: classifier.decision_function(real.classifier_features[kind]) for kind, classifier in classifiers.items()
    }

    def metrics(resample: Sequence[tuple[Segment, ...]]) -> dict[str, float]:
        rows = [_take_metrics(segments, real, real_scores) for segments in zip(*resample, strict=True)]
        return {name: nan_mean(np.array([row[name] for row in rows])) for name in rows[0]}

    return bootstrap_estimates(list(zip(*takes, strict=True)), metrics, seed)


def _take_metrics(segments: Sequence[Segment], real: RealReference, real_scores: Scores) -> dict[str, float]:
    take = Segment(
        concatenate_by_name([segment.frames for segment in segments]),
        concatenate_by_name([segment.windows for segment in segments]),
        concatenate_by_name([segment.clips for segment in segments]),
        concatenate_by_name([segment.scores for segment in segments]),
    )
    return {m.name: m.compute(take, real, real_scores) for group in METRICS.values() for m in group}
