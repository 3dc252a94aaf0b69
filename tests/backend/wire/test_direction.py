"""Directing a partner: what contradicts the rest of a request is said, and models without a direction refuse one."""

import subprocess
import sys
from dataclasses import replace

import pytest

from backend.engine import Engine, model_for
from backend.model_registry import REGISTRY
from backend.wire.direction import UNDIRECTED, Direction, expect_direction_support
from backend.wire.messages import PartnerRequest
from backend.wire.validation import ProtocolError
from rigs.motion import Motion, mirror
from rigs.post_processing.post_process import PARTS
from rigs.sample_dance.salsa import sample_dance

LEADER = sample_dance()[:60]
DRAFT = mirror(LEADER)
PLACED = Direction(place=(0.8, 0.0, 0.0))


@pytest.mark.parametrize(
    ("direction", "dancers", "sentence"),
    [
        (Direction(keep=(3,)), {}, "keep: a draft expected with it, none found"),
        (Direction(redo=(3, 8)), {}, "redo: a draft expected with it, none found"),
        (Direction(keep=(3,)), {"history": DRAFT}, "keep: a draft expected with it, none found"),
        (UNDIRECTED, {"draft": DRAFT}, "draft: keep or redo expected with it, neither found"),
        (Direction(energy=1.5), {"draft": DRAFT}, "draft: keep or redo expected with it, neither found"),
        (
            Direction(redo=(0, 8)),
            {"draft": DRAFT, "history": DRAFT},
            "history and draft: one of them expected, both found",
        ),
        (
            PLACED,
            {"history": DRAFT},
            "place: no history expected beside it, which says already where the partner stands",
        ),
        (
            replace(PLACED, redo=(0, 9)),
            {"draft": DRAFT},
            "place: no draft expected beside it, which says already where the partner stands",
        ),
        (Direction(keep=(0, 60)), {"draft": DRAFT}, "keep: frames of 0 to 59 expected, 60 found"),
        (Direction(redo=(50, 70)), {"draft": DRAFT}, "redo: frames of 0 to 59 expected, 70 found"),
        (
            Direction(redo=(9, 8)),
            {"draft": DRAFT},
            "redo: a first frame and a last one not before it expected, (9, 8) found",
        ),
        (Direction(keep=(1,)), {"draft": DRAFT[:59]}, "draft: 60 frames as in leader expected, 59 found"),
        (
            Direction(keep=(1,)),
            {"draft": replace(DRAFT, fps=24.0)},
            f"draft: the {LEADER.fps:g} fps of leader expected, 24 found",
        ),
        (Direction(closeness=2.1), {}, "closeness: a number of 0 to 2 expected, 2.1 found"),
        (Direction(energy=float("nan")), {}, "energy: a number of 0.5 to 2 expected, nan found"),
        (Direction(without=("feet", "feet")), {}, "without: some of seams, bodies, hands, feet, floor, each once,"),
    ],
)
def test_what_contradicts_is_refused(direction: Direction, dancers: dict[str, Motion], sentence: str) -> None:
    with pytest.raises(ProtocolError) as refusal:
        PartnerRequest(LEADER, direction=direction, **dancers)  # type: ignore[arg-type]
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize(
    ("direction", "dancers"),
    [
        (UNDIRECTED, {}),
        (PLACED, {}),
        (Direction(place=(-0.5, -0.5, 350.0), closeness=0.0, energy=2.0, without=PARTS), {}),
        (Direction(closeness=2.0, energy=0.5), {"history": DRAFT}),
        (Direction(keep=(0, 59)), {"draft": DRAFT}),
        (Direction(redo=(0, 59)), {"draft": DRAFT}),
        (Direction(keep=(5, 30), redo=(20, 20)), {"draft": DRAFT}),
    ],
)
def test_what_agrees_passes(direction: Direction, dancers: dict[str, Motion]) -> None:
    request = PartnerRequest(LEADER, model="partner-flow", direction=direction, **dancers)  # type: ignore[arg-type]
    assert model_for(request).name == "partner-flow"


@pytest.mark.parametrize(
    ("direction", "draft", "said"),
    [
        (Direction(energy=0.7), None, "energy"),
        (PLACED, None, "place"),
        (Direction(closeness=0.0, without=("feet",)), None, "closeness, without"),
        (Direction(keep=(1,), redo=(0, 8)), DRAFT, "keep, redo, draft"),
    ],
)
def test_a_model_without_direction_refuses_all_that_is_directed(
    direction: Direction, draft: Motion | None, said: str
) -> None:
    sentence = rf"^duet-vae takes no direction \({said}\): partner-flow expected$"
    with pytest.raises(ValueError, match=sentence):
        Engine().partner(PartnerRequest(LEADER, model="duet-vae", draft=draft, direction=direction))


def test_nothing_directed_is_taken_by_every_model() -> None:
    for model in ("duet-vae", "partner-flow", "mirror"):
        expect_direction_support(model, Direction(), None, REGISTRY)


def test_a_direction_is_refused_before_torch_is_loaded() -> None:
    code = (
        "import sys\n"
        "from backend.wire.direction import Direction\n"
        "from backend.engine import Engine\n"
        "from backend.wire.messages import PartnerRequest\n"
        "from rigs.sample_dance.salsa import sample_dance\n"
        "try: Engine().partner(PartnerRequest(sample_dance(), direction=Direction(energy=2.0), model='duet-vae'))\n"
        "except ValueError: sys.exit('torch' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
