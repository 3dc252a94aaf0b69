"""The model card that goes with shipped weights: what they were trained on, how good they are, what they cannot do."""

import os
from pathlib import Path
from typing import Any

from training.data import Duet, Split


def write_card(path: Path, parameters: int, step: str, figures: str, split: Split, tables: dict[str, Any]) -> None:
    """Write the card of a model beside its weights, whole or not at all.

    parameters: how many it has.  step: which step's weights they are.  figures: how good it is, in words and tables.
    """
    card = tables["card"]
    parts = "\n".join(
        f"| {part} | {', '.join(sorted({duet.name for duet in duets}))} | {_minutes(duets):.1f} |"
        for part, duets in (("train", split.train), ("validation", split.validation), ("test", split.test))
    )
    text = f"""# {card["title"]}

{card["what"]}

{parameters:,} parameters; the weights of step {step}.

## Data

{card["data"]}

| part | recordings | minutes used |
| --- | --- | --- |
{parts}

Licence and credit:
{card["licence"].strip()}

## Figures

{figures}

## Limits

{card["limits"]}
"""
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    os.replace(partial, path)


def _minutes(duets: list[Duet]) -> float:
    return sum(duet.leader.seconds for duet in duets) / 60.0
