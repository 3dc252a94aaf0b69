"""Training of score-flow."""
