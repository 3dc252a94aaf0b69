"""Model cards: the Markdown beside a model's weights, with its training data, metrics and limits."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from rigs.files.atomic_write import atomic_write_text
from training.data.duets import PARTS, Duet, DuetSplit
from training.data.music_pairs import Pair, PairSplit


def write_model_card(
    path: Path, card: Mapping[str, str], network: nn.Module, checkpoint: str, split: DuetSplit | PairSplit, metrics: str
) -> None:
    """Write the model card of a trained network, atomically.

    card: the configuration's [card] table.  checkpoint: which step's weights they are, in words.
    metrics: evaluation results as Markdown.
    """
    parameters = sum(parameter.numel() for parameter in network.parameters())
    atomic_write_text(
        path,
        f"""# {card["title"]}

{card["what"].strip()}

{parameters:,} parameters; the weights of step {checkpoint}.

## Data

{card["data"].strip()}

{_data_table(split)}

Licence and credit:
{card["licence"].strip()}

## Metrics

{metrics}

## Limits

{card["limits"].strip()}
""",
    )


def _data_table(split: DuetSplit | PairSplit) -> str:
    """The recordings of each part and their length; of pairs also how many songs and pairs there are."""
    if isinstance(split, DuetSplit):
        rows = [["part", "recordings", "minutes used"]]
        for part in PARTS:
            duets: Sequence[Duet] = getattr(split, part)
            minutes = sum(duet.leader.seconds for duet in duets) / 60.0
            rows.append([part, ", ".join(sorted({duet.name for duet in duets})), f"{minutes:.1f}"])
    else:
        rows = [["part", "recordings", "songs", "pairs", "minutes used"]]
        for part in PARTS:
            pairs: Sequence[Pair] = getattr(split, part)
            recordings, songs = ({getattr(pair, name) for pair in pairs} for name in ("recording", "song"))
            minutes = sum(pair.seconds for pair in pairs) / 60.0
            rows.append([part, ", ".join(sorted(recordings)), str(len(songs)), str(len(pairs)), f"{minutes:.1f}"])
    return markdown_table(rows)


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Format rows of cells as a Markdown table, whose header is the first row."""
    header, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *body))
