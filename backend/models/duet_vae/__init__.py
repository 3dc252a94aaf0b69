"""duet-vae: a published duet model, three sequence VAEs and two transformer decoders."""
