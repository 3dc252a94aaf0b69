"""The model card that goes with shipped weights: what they were trained on, how good they are, what they cannot do."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rigs.files.atomic_write import atomic_write_text
from training.data.duets import Duet, Split
from training.data.music_pairs import Pair, PairSplit


def write_card(
    path: Path, parameters: int, step: str, figures: str, split: Split | PairSplit, tables: dict[str, Any]
) -> None:
    """Write the card of a model beside its weights, whole or not at all.

    parameters: how many it has.  step: which step's weights they are.  figures: how good it is, in words and tables.
    """
    card = tables["card"]
    parts = "\n".join(
        f"| {part} | {', '.join(sorted({_recording(piece) for piece in pieces}))} | {_minutes(pieces):.1f} |"
        for part, pieces in (("train", split.train), ("validation", split.validation), ("test", split.test))
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
    atomic_write_text(path, text)


def _recording(piece: Duet | Pair) -> str:
    return piece.name if isinstance(piece, Duet) else piece.recording


def _minutes(pieces: Sequence[Duet | Pair]) -> float:
    """What all pieces last together; a dance that is paired with several songs counts with each."""
    return sum(piece.leader.seconds if isinstance(piece, Duet) else piece.seconds for piece in pieces) / 60.0
