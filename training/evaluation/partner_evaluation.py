"""The judge at work: every partner dances every take, short and long, and all of it is measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from rigs import Array
from rigs.files import BadFile
from rigs.motion import Motion, concatenate
from training.data.duets import Duet
from training.evaluation import partner_metrics
from training.evaluation.baselines import (
    PartnerGenerator,
    align_placement,
    another_takes_follower,
    copy_of_the_leader,
    floor_placement,
    hold_pose,
    mean_pose,
    zero_velocity,
)
from training.evaluation.classifier_two_sample_test import Classifiers, train_classifiers
from training.evaluation.confidence_intervals import Estimate, bootstrap_estimates
from training.evaluation.nearest_neighbour import nearest_neighbour_stitching

HISTORY = 64
"""Frames of the partner that are given, at 30 fps; nothing of them is measured."""
HORIZONS = (3, 6, 15, 30, 60)
"""Frames after the history at which a partner is compared with the real one: 0.1 to 2 s."""
BEST_OF = 10
"""Takes of one request of which the nearest to the real partner is taken, and which are compared with one another."""
_EVERY = 45
"""Frames from the start of one short rollout to the next."""
_STUDIED = 420
"""Frames of each training take, at most, that the classifier learns from."""
REAL = "real"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class PartnerEvaluation:
    """What is found of one partner: its figures, and those of the same partner when the leader is another one."""

    metrics: dict[str, Estimate]
    with_other_leaders: dict[str, dict[str, Estimate]]


def training_baselines(train: Sequence[Duet]) -> list[PartnerGenerator]:
    """What costs nothing, made of the training takes."""
    return [
        zero_velocity(),
        mean_pose(train),
        copy_of_the_leader(),
        another_takes_follower(train),
        nearest_neighbour_stitching(train),
    ]


def real_partner(duets: Sequence[Duet]) -> PartnerGenerator:
    """The real follower of each leader, measured like every other partner: the floor of every figure."""

    def dance(leader: Motion, history: Motion, takes: int) -> list[Motion]:
        found = [duet.follower for duet in duets if duet.leader is leader]
        return found[:1] * takes

    return PartnerGenerator(REAL, dance)


def train_partner_classifiers(models: Sequence[PartnerGenerator], train: Sequence[Duet], say: Progress) -> dict[str, Classifiers]:
    """For each partner the classifiers that have learnt to tell it from real ones on the training takes.

    A baseline that is made of the training takes dances each of them without knowing it.
    """
    studied = [duet[:_STUDIED] for duet in train if len(duet) >= HISTORY + partner_metrics.WINDOW]
    real = [_seen(duet, duet.follower) for duet in studied]
    made: dict[str, list[dict[str, Array]]] = {}
    for duet in studied:
        say(f"studying {duet.name}")
        others = [other for other in train if other.name != duet.name] or list(train)
        for partner in [*training_baselines(others), *models, real_partner([duet])]:
            [take] = partner.generate(duet.leader, duet.follower[:HISTORY], 1)
            made.setdefault(partner.name, []).append(_seen(duet, take))
    of_real = partner_metrics.concatenate_by_name(real)
    return {name: train_classifiers(of_real, partner_metrics.concatenate_by_name(seen)) for name, seen in made.items()}


def _seen(duet: Duet, partner: Motion) -> dict[str, Array]:
    leader = duet.leader.positions[HISTORY:]
    return partner_metrics.classifier_windows(partner.positions[HISTORY:], leader, duet.leader.fps)


def evaluate_partners(
    models: Sequence[PartnerGenerator],
    train: Sequence[Duet],
    duets: Sequence[Duet],
    known: Mapping[str, Classifiers],
    say: Progress,
    takes: int = 3,
) -> dict[str, PartnerEvaluation]:
    """All figures of models, baselines and the real partner on the duets of one part.

    known: `classifiers`.  takes: how many long takes are measured of a partner whose takes differ.
    Raises BadFile where no duet is long enough.
    """
    usable = [duet for duet in duets if len(duet) >= HISTORY + HORIZONS[-1]]
    if not usable:
        names = ", ".join(sorted({duet.name for duet in duets}))
        raise BadFile(f"{names}: {HISTORY + partner_metrics.WINDOW} frames at 30 fps without a jump expected")
    references = partner_metrics.fit_references(train)
    real = partner_metrics.real_reference(usable, HISTORY, references)
    judged = {}
    for partner in [real_partner(usable), *training_baselines(train), *models]:
        say(partner.name)
        found = _long(partner, usable, real, known[partner.name], takes if partner.stochastic else 1, None)
        found |= _short(partner, usable)
        instead = {}
        if partner.uses_leader and partner.name != REAL:
            for change in (other_leader(train), delayed_leader, standing_leader):
                instead[change.__name__] = _long(partner, usable, real, known[partner.name], 1, change)
        judged[partner.name] = PartnerEvaluation(found, instead)
    return judged


def evaluate_ablations(
    models: Mapping[str, PartnerGenerator],
    train: Sequence[Duet],
    duets: Sequence[Duet],
    known: Classifiers,
    say: Progress,
    takes: int = 3,
) -> dict[str, dict[str, Estimate]]:
    """The figures of the same takes of one model without parts of its finishing, by what is left out.

    known: the classifiers that have learnt to tell the model's finished takes.
    """
    usable = [duet for duet in duets if len(duet) >= HISTORY + HORIZONS[-1]]
    real = partner_metrics.real_reference(usable, HISTORY, partner_metrics.fit_references(train))
    found = {}
    for name, model in models.items():
        say(name)
        found[name] = _long(model, usable, real, known, takes, None)
    return found


Change = Callable[[Duet], Motion]


def other_leader(train: Sequence[Duet]) -> Change:
    """Another take's leader after the history, going on where and as this one stood."""
    longest = sorted(train, key=len, reverse=True)

    def swapped(duet: Duet) -> Motion:
        other = next((d for d in longest if d.name != duet.name), longest[0]).leader
        missing = len(duet) - HISTORY
        other = concatenate(other, hold_pose(other[-1:], max(0, missing - len(other))))[:missing]
        here, there = floor_placement(other.positions[0]), floor_placement(duet.leader.positions[HISTORY])
        own = duet.leader
        return concatenate(own[:HISTORY], replace(align_placement(other, here, there), skeleton=own.skeleton))

    return swapped


def delayed_leader(duet: Duet) -> Motion:
    """The same leader, who does everything 1 s later."""
    second = round(duet.leader.fps)
    leader = duet.leader
    return concatenate(leader[:HISTORY], leader[HISTORY - second : len(leader) - second])


def standing_leader(duet: Duet) -> Motion:
    """The leader stands still after the history: as near to nobody as a leader can come."""
    leader = duet.leader
    return concatenate(leader[:HISTORY], hold_pose(leader[HISTORY - 1 : HISTORY], len(leader) - HISTORY))


def _long(
    partner: PartnerGenerator,
    duets: Sequence[Duet],
    real: partner_metrics.RealReference,
    known: Classifiers,
    takes: int,
    change: Change | None,
) -> dict[str, Estimate]:
    """The figures of whole takes, always beside the real leader, whomever the partner has danced with."""
    blocks: list[list[partner_metrics.Segment]] = [[] for _ in range(takes)]
    for duet in duets:
        leader = duet.leader if change is None else change(duet)
        for own, take in zip(blocks, partner.generate(leader, duet.follower[:HISTORY], takes), strict=True):
            own += partner_metrics.take_segments(duet, take.positions, HISTORY, partner.block, known)
    return partner_metrics.estimate_metrics(blocks, real, known)


def _short(partner: PartnerGenerator, duets: Sequence[Duet]) -> dict[str, Estimate]:
    """The distance from the real partner after 0.1 to 2 s, the best of ten takes, and how far those are apart."""
    length = HISTORY + HORIZONS[-1]
    errors, bests, aparts = [], [], []
    for duet in duets:
        for first in range(0, len(duet) - length + 1, _EVERY):
            piece = duet[first : first + length]
            real = piece.follower.positions[HISTORY:]
            count = BEST_OF if partner.stochastic else 1
            dancer = real_partner([piece]) if partner.name == REAL else partner
            takes = dancer.generate(piece.leader, piece.follower[:HISTORY], count)
            made = np.array([take.positions[HISTORY:] for take in takes])
            error = 100.0 * np.linalg.norm(made - real, axis=-1).mean(axis=-1)
            errors.append(error.mean(axis=0)[np.array(HORIZONS) - 1])
            bests.append(error.mean(axis=1).min())
            aparts.append(_apart(made[:, -1]))
    rows = list(np.column_stack([errors, bests, aparts]))
    names = [*(f"after {h / 30:.1f} s" for h in HORIZONS), f"best of {BEST_OF}", "takes apart"]

    def mean(drawn: Sequence[Array]) -> dict[str, float]:
        return dict(zip(names, np.mean(drawn, axis=0).tolist(), strict=True))

    return bootstrap_estimates(rows, mean)


def _apart(poses: Array) -> float:
    """The mean distance in cm of a joint in two of the takes: (K, 29, 3) m."""
    pairs = [100.0 * np.linalg.norm(a - b, axis=-1).mean() for a, b in combinations(poses, 2)]
    return float(np.mean(pairs)) if pairs else 0.0
