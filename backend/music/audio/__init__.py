"""Audio: a score rendered to a WAV file, by FluidSynth or by built-in synthesizers."""
