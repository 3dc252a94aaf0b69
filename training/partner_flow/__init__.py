"""Training of partner-flow."""
