"""Animation data: armatures, F-curves, channels and keyframes."""
