"""Choreographic devices (mirror, canon and others), formations, and the beat tracking that times them."""
