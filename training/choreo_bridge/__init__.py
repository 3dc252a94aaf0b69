"""Training of choreo-bridge."""
