"""Choreographic devices such as mirror and canon, formations, and beat tracking and alignment of dances."""
