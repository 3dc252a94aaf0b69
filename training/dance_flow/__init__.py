"""Training of dance-flow."""
