"""Audio: scores rendered to WAV files by FluidSynth or by a built-in synthesizer."""
