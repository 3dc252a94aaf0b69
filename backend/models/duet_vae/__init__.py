"""duet-vae: the published model of three VAEs and a transformer."""
