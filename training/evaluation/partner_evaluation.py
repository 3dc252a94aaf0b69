"""Evaluation of partner generators on held-out duets: long and short rollouts, with the leader and with other ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from rigs import Array
from rigs.files import BadFile
from rigs.motion import Motion, concatenate
from training.data.duets import Duet
from training.evaluation import baselines
from training.evaluation.baselines import PartnerGenerator
from training.evaluation.classifier_two_sample_test import Classifiers, train_classifiers
from training.evaluation.confidence_intervals import Estimate, bootstrap_estimates
from training.evaluation.features import WINDOW
from training.evaluation.nearest_neighbour import nearest_neighbour_stitching
from training.evaluation.partner_metrics import Segment, estimate_metrics, take_segments
from training.evaluation.real_reference import RealReference, classifier_windows, concatenate_by_name, real_reference

HISTORY = 64
"""Frames of the partner that are given, at 30 fps; they are not measured."""
HORIZONS = (3, 6, 15, 30, 60)
"""Frames after the history at which a partner is compared with the real one: 0.1 to 2 s."""
BEST_OF = 10
"""Takes of one request of which the nearest to the real partner counts, and which are compared with one another."""
_SHORT_ROLLOUT_HOP = 45
"""Frames from the start of one short rollout to the next."""
_CLASSIFIER_FRAMES = 420
"""Frames of each training recording, at most, on which the classifiers are trained."""
REAL = "real"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class PartnerEvaluation:
    """Metrics of one partner, and of the same partner generated for other leaders, by the change of leader."""

    metrics: dict[str, Estimate]
    with_other_leaders: dict[str, dict[str, Estimate]]


def training_baselines(train: Sequence[Duet]) -> list[PartnerGenerator]:
    """The baselines on the training recordings."""
    return [
        baselines.zero_velocity(),
        baselines.mean_pose(train),
        baselines.copy_of_the_leader(),
        baselines.another_takes_follower(train),
        nearest_neighbour_stitching(train),
    ]


def real_partner(duets: Sequence[Duet]) -> PartnerGenerator:
    """The real follower of each leader, measured like every generated partner: the best value of every metric."""

    def generate(leader: Motion, history: Motion, takes: int) -> list[Motion]:
        return [duet.follower for duet in duets if duet.leader is leader][:1] * takes

    return PartnerGenerator(REAL, generate)


def train_partner_classifiers(
    models: Sequence[PartnerGenerator], train: Sequence[Duet], progress: Progress
) -> dict[str, Classifiers]:
    """Train for each partner the classifiers that tell it from the real one, on the training recordings.

    Baselines that learn from the training recordings generate each of them without it.
    """
    pieces = [duet[:_CLASSIFIER_FRAMES] for duet in train if len(duet) >= HISTORY + WINDOW]
    real = concatenate_by_name([_classifier_windows(duet, duet.follower) for duet in pieces])
    generated: dict[str, list[dict[str, Array]]] = {}
    for duet in pieces:
        progress(f"training classifiers: {duet.name}")
        others = [other for other in train if other.name != duet.name] or list(train)
        for partner in [*training_baselines(others), *models, real_partner([duet])]:
            [take] = partner.generate(duet.leader, duet.follower[:HISTORY], 1)
            generated.setdefault(partner.name, []).append(_classifier_windows(duet, take))
    return {name: train_classifiers(real, concatenate_by_name(rows)) for name, rows in generated.items()}


def _classifier_windows(duet: Duet, partner: Motion) -> dict[str, Array]:
    return classifier_windows(partner.positions[HISTORY:], duet.leader.positions[HISTORY:], duet.leader.fps)


def evaluate_partners(
    models: Sequence[PartnerGenerator],
    train: Sequence[Duet],
    duets: Sequence[Duet],
    classifiers: Mapping[str, Classifiers],
    progress: Progress,
    takes: int = 3,
) -> dict[str, PartnerEvaluation]:
    """Evaluate the models, the baselines and the real partner on held-out duets, by the partner's name.

    models: also ablations of them, of which only long takes are measured.
    classifiers: from `train_partner_classifiers`; an ablation is measured by those of its whole model.
    takes: long takes that are measured of a stochastic partner.  Raises BadFile where no duet is long enough.
    """
    usable = [duet for duet in duets if len(duet) >= HISTORY + HORIZONS[-1]]
    if not usable:
        names = ", ".join(sorted({duet.name for duet in duets}))
        raise BadFile(f"{names}: {HISTORY + WINDOW} frames at 30 fps without a jump expected")
    real = real_reference(train, usable, HISTORY)
    evaluations = {}
    for partner in [real_partner(usable), *training_baselines(train), *models]:
        progress(f"evaluating {partner.name}")
        own_classifiers = classifiers[partner.ablation_of or partner.name]
        metrics = _long_rollouts(partner, usable, real, own_classifiers, takes if partner.stochastic else 1)
        with_other_leaders = {}
        if not partner.ablation_of:
            metrics |= _short_rollouts(partner, usable)
        if partner.uses_leader and not partner.ablation_of and partner.name != REAL:
            for change, leader_of in leader_changes(train).items():
                with_other_leaders[change] = _long_rollouts(partner, usable, real, own_classifiers, 1, leader_of)
        evaluations[partner.name] = PartnerEvaluation(metrics, with_other_leaders)
    return evaluations


LeaderChange = Callable[[Duet], Motion]


def leader_changes(train: Sequence[Duet]) -> dict[str, LeaderChange]:
    """Controls of whether a partner responds to its leader: other leaders after the history, by name."""
    return {"swapped": other_leader(train), "late": delayed_leader, "gone": standing_leader}


def other_leader(train: Sequence[Duet]) -> LeaderChange:
    """Another recording's leader after the history, continuing from this one's placement."""
    longest = sorted(train, key=len, reverse=True)

    def change(duet: Duet) -> Motion:
        other = next((d for d in longest if d.name != duet.name), longest[0]).leader
        missing = len(duet) - HISTORY
        other = concatenate(other, baselines.hold_pose(other[-1:], max(0, missing - len(other))))[:missing]
        own = duet.leader
        source, target = (baselines.floor_placement(pose) for pose in (other.positions[0], own.positions[HISTORY]))
        return concatenate(
            own[:HISTORY], replace(baselines.align_placement(other, source, target), skeleton=own.skeleton)
        )

    return change


def delayed_leader(duet: Duet) -> Motion:
    """The same leader, 1 s late after the history."""
    second = round(duet.leader.fps)
    leader = duet.leader
    return concatenate(leader[:HISTORY], leader[HISTORY - second : len(leader) - second])


def standing_leader(duet: Duet) -> Motion:
    """The leader stands still after the history."""
    leader = duet.leader
    return concatenate(leader[:HISTORY], baselines.hold_pose(leader[HISTORY - 1 : HISTORY], len(leader) - HISTORY))


def _long_rollouts(
    partner: PartnerGenerator,
    duets: Sequence[Duet],
    real: RealReference,
    classifiers: Classifiers,
    takes: int,
    leader_of: LeaderChange | None = None,
) -> dict[str, Estimate]:
    """Metrics of whole takes, always beside the real leader, whichever leader they were generated for."""
    segments: list[list[Segment]] = [[] for _ in range(takes)]
    for duet in duets:
        leader = duet.leader if leader_of is None else leader_of(duet)
        for own, take in zip(segments, partner.generate(leader, duet.follower[:HISTORY], takes), strict=True):
            own += take_segments(duet, take.positions, HISTORY, partner.block, classifiers)
    return estimate_metrics(segments, real, classifiers)


def _short_rollouts(partner: PartnerGenerator, duets: Sequence[Duet]) -> dict[str, Estimate]:
    """Mean joint error from the real partner after 0.1 to 2 s, the best of ten, and the takes' diversity, in cm."""
    length = HISTORY + HORIZONS[-1]
    rows = []
    for duet in duets:
        for first in range(0, len(duet) - length + 1, _SHORT_ROLLOUT_HOP):
            piece = duet[first : first + length]
            generator = real_partner([piece]) if partner.name == REAL else partner
            count = BEST_OF if partner.stochastic else 1
            takes = generator.generate(piece.leader, piece.follower[:HISTORY], count)
            generated = np.array([take.positions[HISTORY:] for take in takes])
            error = 100.0 * np.linalg.norm(generated - piece.follower.positions[HISTORY:], axis=-1).mean(axis=-1)
            at_horizons = error.mean(axis=0)[np.array(HORIZONS) - 1]
            rows.append(np.array([*at_horizons, error.mean(axis=1).min(), _mean_take_distance(generated[:, -1])]))
    names = [*(f"after {h / 30:.1f} s" for h in HORIZONS), f"best of {BEST_OF}", "takes apart"]

    def mean(resample: Sequence[Array]) -> dict[str, float]:
        return dict(zip(names, np.mean(resample, axis=0).tolist(), strict=True))

    return bootstrap_estimates(rows, mean)


def _mean_take_distance(poses: Array) -> float:
    """Mean distance in cm of a joint in two of the takes (K, 29, 3) m."""
    distances = [100.0 * np.linalg.norm(a - b, axis=-1).mean() for a, b in combinations(poses, 2)]
    return float(np.mean(distances)) if distances else 0.0
