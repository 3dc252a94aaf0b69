"""From how likely notes are to those that are played: a bass and a tune of one voice, chords of three at most."""

import torch
from torch import Tensor

from backend.models.score_flow.bar_features import BAR_STEPS, BASS_ROWS, CHORD_ROWS, DRUM_ROWS, PITCHED_ROWS, TUNE_ROWS
from backend.models.score_flow.bar_vae import BarTensors

VOICE_SLICES = {
    "drums": slice(0, DRUM_ROWS),
    "bass": slice(DRUM_ROWS, DRUM_ROWS + BASS_ROWS),
    "chords": slice(DRUM_ROWS + BASS_ROWS, DRUM_ROWS + BASS_ROWS + CHORD_ROWS),
    "tune": slice(DRUM_ROWS + BASS_ROWS + CHORD_ROWS, DRUM_ROWS + PITCHED_ROWS),
}
"""The rows of each voice."""
VOICE_SIZES = (BASS_ROWS, CHORD_ROWS, TUNE_ROWS)
_TOGETHER = 3
"""Notes of a chord that begin in one step, at most; with the tune the melody has four voices."""


def decode_notes(chances: BarTensors, held: Tensor, begins: Tensor, sounds: Tensor) -> tuple[BarTensors, Tensor]:
    """Bars of notes, as numbers 0 and 1, of chances (B, 16, ...), and what sounds in the end (B, 72) bool.

    held: (B, 72) bool, what sounds right before.  begins: (15,), sounds: (3,) chances, see `ScoreFlow`.
    """
    onset = decode_onsets(chances.onset, begins)
    going_on = chances.sustain >= torch.repeat_interleave(sounds, torch.tensor(VOICE_SIZES, device=sounds.device))
    sustain = torch.zeros_like(going_on)
    for step in range(BAR_STEPS):
        now = onset[:, step, DRUM_ROWS:]
        silenced = [
            part.any(dim=1, keepdim=True).expand_as(part) if n != 1 else torch.zeros_like(part)
            for n, part in enumerate(torch.split(now, list(VOICE_SIZES), dim=1))
        ]
        held = now | (held & going_on[:, step] & ~torch.cat(silenced, dim=1))
        sustain[:, step] = held
    return BarTensors(onset.float(), sustain.float(), chances.velocity), held


def decode_onsets(chances: Tensor, begins: Tensor) -> Tensor:
    """(B, 16, 84) bool: which notes begin."""
    kinds, bass, chords, tune = torch.split(chances, [DRUM_ROWS, *VOICE_SIZES], dim=-1)
    parts = [kinds >= begins[:DRUM_ROWS]]
    for voice, least, together in ((bass, begins[-3], 1), (chords, begins[-2], _TOGETHER), (tune, begins[-1], 1)):
        best = voice.topk(together, dim=-1)
        parts.append(torch.zeros_like(voice, dtype=torch.bool).scatter(-1, best.indices, best.values >= least))
    return torch.cat(parts, dim=-1)
