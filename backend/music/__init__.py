"""Music: scores on a grid of sixteenths, their swing, their way in and out of MIDI files, and what a model sees."""
