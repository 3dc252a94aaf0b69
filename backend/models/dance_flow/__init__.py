"""dance-flow: a dancer for a piece of music, by flow matching."""
