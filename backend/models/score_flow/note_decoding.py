"""From how likely notes are to those that are played: a bass and a tune of one voice, chords of three at most."""

import torch
from torch import Tensor

from backend.models.score_flow.bar_features import BASS, CHORDS, KINDS, PITCHED, STEPS, TUNE
from backend.models.score_flow.bar_vae import Heard

VOICES = {
    "drums": slice(0, KINDS),
    "bass": slice(KINDS, KINDS + BASS),
    "chords": slice(KINDS + BASS, KINDS + BASS + CHORDS),
    "tune": slice(KINDS + BASS + CHORDS, KINDS + PITCHED),
}
"""The rows of each voice."""
SIZES = (BASS, CHORDS, TUNE)
_TOGETHER = 3
"""Notes of a chord that begin in one step, at most; with the tune the melody has four voices."""


def decide(chances: Heard, held: Tensor, begins: Tensor, sounds: Tensor) -> tuple[Heard, Tensor]:
    """Bars of notes, as numbers 0 and 1, of chances (B, 16, ...), and what sounds in the end (B, 72) bool.

    held: (B, 72) bool, what sounds right before.  begins: (15,), sounds: (3,) chances, see `ScoreFlow`.
    """
    onset = begun(chances.onset, begins)
    going_on = chances.sustain >= torch.repeat_interleave(sounds, torch.tensor(SIZES, device=sounds.device))
    sustain = torch.zeros_like(going_on)
    for step in range(STEPS):
        now = onset[:, step, KINDS:]
        silenced = [
            part.any(dim=1, keepdim=True).expand_as(part) if n != 1 else torch.zeros_like(part)
            for n, part in enumerate(torch.split(now, list(SIZES), dim=1))
        ]
        held = now | (held & going_on[:, step] & ~torch.cat(silenced, dim=1))
        sustain[:, step] = held
    return Heard(onset.float(), sustain.float(), chances.loud), held


def begun(chances: Tensor, begins: Tensor) -> Tensor:
    """(B, 16, 84) bool: which notes begin."""
    kinds, bass, chords, tune = torch.split(chances, [KINDS, *SIZES], dim=-1)
    parts = [kinds >= begins[:KINDS]]
    for voice, least, together in ((bass, begins[-3], 1), (chords, begins[-2], _TOGETHER), (tune, begins[-1], 1)):
        best = voice.topk(together, dim=-1)
        parts.append(torch.zeros_like(voice, dtype=torch.bool).scatter(-1, best.indices, best.values >= least))
    return torch.cat(parts, dim=-1)
