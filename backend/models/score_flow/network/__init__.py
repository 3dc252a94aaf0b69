"""score-flow's network in torch: the flow, the VAE of bars in whose latent space it works, and the encoders."""
