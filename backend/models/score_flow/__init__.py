"""score-flow: music to a dance, bar by bar, by latent flow matching in the space of a bar VAE."""
