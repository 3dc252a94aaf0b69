"""Post-processing of generated motion: seams, body collision, hand snapping, foot skating and floor alignment."""
