"""Training of duet-vae."""
