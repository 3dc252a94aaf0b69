"""Train a model on a folder of duets.

    python training/train.py {duet-vae,partner-flow} --data DIR --out RUN [--resume]

RUN gets TensorBoard curves, `last.ckpt` and `best.ckpt`, and in the end the weights with their model card.
Interrupt it (Ctrl-C) whenever you like: it ends with the step in hand and `--resume` goes on as if nothing had been.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from rigs.files import BadFile
from training import duet_vae, partner_flow
from training.runs import Interrupted

CONFIGS = Path(__file__).resolve().parent / "configs"


@dataclass(frozen=True)
class Train:
    """Train a model on a folder of duets."""

    model: Annotated[Literal["duet-vae", "partner-flow"], tyro.conf.Positional]
    """What to train."""
    data: Path
    """Folder of NAME_leader.* and NAME_follower.* files."""
    out: Path
    """Folder of the run: curves, checkpoints, weights, model card."""
    resume: bool = False
    """Go on from RUN's last checkpoint."""
    config: Path | None = None
    """A plan other than configs/MODEL.toml."""


def main() -> int:
    """Run the command; 0 done, 2 bad input, 130 interrupted."""
    asked = tyro.cli(Train)
    try:
        config = asked.config or CONFIGS / f"{asked.model}.toml"
        train = duet_vae.train if asked.model == "duet-vae" else partner_flow.train
        train(asked.data, asked.out, config, resume=asked.resume)
    except BadFile as bad:
        print(bad, file=sys.stderr)
        return 2
    except Interrupted as interrupted:
        print(f"stopped after step {interrupted}; --resume goes on from there", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
