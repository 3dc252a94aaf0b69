"""Training and evaluation of score-flow, which composes music to dances."""
