"""Post-processing of generated motion: seam smoothing, body collision, hand snapping, floor alignment."""
