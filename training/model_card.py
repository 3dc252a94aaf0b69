"""The model card that goes with shipped weights: what they were trained on, how good they are, what they cannot do."""

import os
from pathlib import Path
from typing import Any

from backend.models.duet_weights import TrainedDuet
from training.data import Duet, Split
from training.metrics import horizon_table


def write_card(path: Path, trained: TrainedDuet, split: Split, tables: dict[str, Any], step: int) -> None:
    """Write the card of a duet model beside its weights, whole or not at all."""
    card = tables["card"]
    parts = "\n".join(
        f"| {part} | {', '.join(sorted({duet.name for duet in duets}))} | {_minutes(duets):.1f} |"
        for part, duets in (("train", split.train), ("validation", split.validation), ("test", split.test))
    )
    parameters = sum(p.numel() for p in trained.network.parameters())
    text = f"""# {card["title"]}

{card["what"]}

{parameters:,} parameters; the weights of step {step:,}, the last of the plan.

## Data

{card["data"]}

| part | recordings | minutes used |
| --- | --- | --- |
{parts}

Licence and credit:
{card["licence"].strip()}

## Figures

Mean distance of a joint from the truth in centimetres, so many frames (at 30 fps) after 64 given ones, the follower
generated beside the real leader, over the test recordings:

{horizon_table(trained, split)}

## Limits

{card["limits"]}
"""
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    os.replace(partial, path)


def _minutes(duets: list[Duet]) -> float:
    return sum(duet.leader.seconds for duet in duets) / 60.0
