"""choreo-bridge: a published music-dance translator, two window VAEs and a bridging VAE between their latents."""
