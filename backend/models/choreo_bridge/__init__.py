"""choreo-bridge: the published translation between music and dance over a bridging VAE."""
