"""dance-flow: generates a dance to music by flow matching."""
