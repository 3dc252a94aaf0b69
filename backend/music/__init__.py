"""Music: scores on a sixteenth-note grid, quantization, MIDI files, audio rendering and features for models."""
