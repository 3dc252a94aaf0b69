"""Decoding of note probabilities, and the cadence at the end of a piece."""

import numpy as np

from backend.models.score_flow.bar_features import DRUM_ROWS, PITCHED_ROWS, ROWS, VOICE_SLICES, Bars
from backend.models.score_flow.conditions import BarTensors
from backend.models.score_flow.dance_features import BarGrid
from backend.models.score_flow.note_decoding import add_cadence, decode_notes


def test_notes_are_tied_over_the_bar_line_and_end_when_another_begins() -> None:
    probabilities = BarTensors(
        np.zeros((1, 16, ROWS)), np.ones((1, 16, PITCHED_ROWS)), np.zeros((1, 16, DRUM_ROWS + 3))
    )
    bass = VOICE_SLICES["bass"]
    probabilities.onset[0, 8, bass.start + 5] = 0.9
    tied = np.zeros((1, PITCHED_ROWS), bool)
    tied[0, 2] = True
    notes, sounding = decode_notes(probabilities, tied, np.full(DRUM_ROWS + 3, 0.5), np.full(3, 0.5))
    assert np.unique(notes.sustain[0, :8].nonzero()[1]).tolist() == [2]
    assert np.unique(notes.sustain[0, 8:].nonzero()[1]).tolist() == [5]
    assert sounding[0].nonzero()[0].tolist() == [5]


def test_a_piece_ends_on_the_tonic() -> None:
    rng = np.random.default_rng(0)
    onset = np.zeros((4, 16, ROWS), bool)
    onset[:, ::4, 0] = True
    onset[:, ::2, DRUM_ROWS + 12 + np.array([0, 7, 4, 0, 7, 4, 0, 7]) % 12] = True
    sustain = onset[..., DRUM_ROWS:].copy()
    grid = BarGrid(np.arange(58) / 8.0, 0)
    bars = add_cadence(Bars(onset, sustain, rng.random((4, 16, DRUM_ROWS + 3))), grid)
    assert bars.onset[3, 0].sum() == 2 + 1 + 3 + 1
    assert not bars.onset[3, 1:].any()
    pitches = np.flatnonzero(bars.onset[3, 0, DRUM_ROWS : DRUM_ROWS + 24]) + 28
    assert pitches % 12 == [0]
    assert (bars.onset[:3] == onset[:3]).all()
