"""score-flow: music for a dance, bar by bar, by flow matching in the latent space of a bar VAE."""
