"""What a file's movement tells of its axes, unit, handedness and frame rate."""
